//! Rules of this repository that the compiler cannot state. The crate's documentation
//! (`src/lib.rs`) says why they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room of the house: what it may use, and what it must not name.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not_name: &'static [&'static str],
}

/// What makes code impure.
const IMPURE: &[&str] = &[
    "actix_web",
    "actix_http",
    "reqwest",
    "moka",
    "tokio",
    "tracing",
    "std::fs",
    "std::net",
    "SystemTime",
    "Instant",
];

/// A room that every other may use: how closed sets of words are declared.
const FOR_ALL: &str = "words";

/// The arrows of the picture, from the top down. `lib.rs` and the main room are not listed: they
/// may use everything.
const ROOMS: &[Room] = &[
    Room { name: "main", may_use: &["cli"], must_not_name: &[] },
    Room {
        name: "cli",
        may_use: &["app", "api", "config", "telemetry", "answers", "audit", "images", "windows"],
        must_not_name: &[],
    },
    Room {
        name: "app",
        may_use: &[
            "http",
            "telemetry",
            "config",
            "catalogue",
            "facts",
            "registry",
            "answers",
            "clock",
            "images",
            "windows",
        ],
        must_not_name: &[],
    },
    Room {
        name: "http",
        may_use: &["api", "answers", "telemetry", "config"],
        must_not_name: &["reqwest", "redis", "moka"],
    },
    Room {
        name: "api",
        may_use: &["answers", "platforms", "audit", "catalogue", "images", "windows"],
        must_not_name: &["actix_web", "reqwest", "tokio"],
    },
    Room {
        name: "answers",
        may_use: &["catalogue", "facts", "platforms", "audit", "images", "windows", "clock"],
        must_not_name: &["actix_web", "reqwest", "redis"],
    },
    // What comes of asking a registry is counted where it is known, so that telemetry is below
    // this room.
    Room {
        name: "catalogue",
        may_use: &["registry", "images", "windows", "clock", "telemetry"],
        must_not_name: &["actix_web", "oci_distribution", "reqwest"],
    },
    Room {
        name: "facts",
        may_use: &["registry", "images", "windows", "clock"],
        must_not_name: &["actix_web", "moka"],
    },
    Room {
        name: "registry",
        may_use: &["images", "windows", "clock"],
        must_not_name: &["actix_web", "moka", "redis"],
    },
    Room { name: "platforms", may_use: &["windows", "images"], must_not_name: IMPURE },
    // Of files, it reads only those that it is asked to.
    Room {
        name: "audit",
        may_use: &[],
        must_not_name: &["actix_web", "reqwest", "moka", "tokio", "std::net"],
    },
    Room { name: "images", may_use: &["windows"], must_not_name: IMPURE },
    Room { name: "windows", may_use: &[], must_not_name: IMPURE },
    // Beside the picture: each does one thing for the rooms above it.
    Room { name: "telemetry", may_use: &["config"], must_not_name: &[] },
    // The settings are made of checked values, so that the types they become are known here.
    Room {
        name: "config",
        may_use: &["facts", "registry", "images", "windows"],
        must_not_name: &["actix_web", "reqwest"],
    },
    Room { name: "words", may_use: &[], must_not_name: IMPURE },
    Room { name: "clock", may_use: &[], must_not_name: &["actix_web", "reqwest", "tokio"] },
];

/// What may lie at the top of the repository.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "openapi",
    "tests",
    "benches",
    "deploy",
    "docs",
    "Dockerfile",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "justfile",
    "LICENSE",
    ".ci",
    ".clippy.toml",
    ".deny.toml",
    ".dockerignore",
    ".github",
    ".gitignore",
    "rustfmt.toml",
    // GitHub and pre-commit look for these here.
    "action.yml",
    ".pre-commit-hooks.yaml",
];

/// What a working copy has beside that, and git does not keep.
const NOT_KEPT: &[&str] = &[".git", "target", "node_modules", "__pycache__"];

/// Words and phrases that the vocabulary in `CONTRIBUTING.md` replaces.
const REPLACED_WORDS: &[&str] = &[
    "shelf", "gate", "door", "lineup", "landing", "deciding", "told", "nobody", "crowd", "so many",
    "so long", "patience",
];

/// The longest a file may be before its tests.
const MAX_FILE_LINES: usize = 400;

/// The widest line, in characters; `rustfmt.toml` has the same, and leaves long texts alone.
const MAX_COLUMNS: usize = 100;

/// One Rust file under `src`.
struct Source {
    /// The path from the top of the repository.
    path: String,
    text: String,
}

impl Source {
    /// The room it belongs to: the folder under `src`, or the file itself.
    fn room(&self) -> &str {
        let inner = self.path.strip_prefix("src/").expect("sources are under src");
        let first = inner.split('/').next().expect("split gives at least one part");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Its lines with their numbers, without comments. Text in quotes is left in: no rule below can
    /// be met by accident there.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }

    /// Whether the file is a part of the tests of another.
    fn is_test(&self) -> bool {
        ["_tests.rs", "_cases.rs", "/tests/mod.rs", "test_server.rs"]
            .iter()
            .any(|end| self.path.ends_with(end))
            || self.path.contains("/tests/")
    }

    /// The code before the tests of the file, without comments.
    fn production_code(&self) -> String {
        let lines = self.text.lines().take(self.production_line_count());
        let code: Vec<&str> = lines.filter(|line| !line.trim_start().starts_with("//")).collect();
        code.join("\n")
    }

    /// The lines before the tests of the file.
    fn production_line_count(&self) -> usize {
        self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
    }

    /// The places where the code has one of these words, as `path:line: word`.
    fn places_of(&self, words: &[&str]) -> Vec<String> {
        let in_line = |(number, line): (usize, &str)| -> Vec<String> {
            let found = words.iter().filter(|word| has_word(line, word));
            found.map(|word| format!("{}:{number}: {word}", self.path)).collect()
        };
        self.code().flat_map(in_line).collect()
    }
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let names: Vec<&str> = ROOMS.iter().map(|room| room.name).collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(room) = ROOMS.iter().find(|room| room.name == source.room()) else {
            if source.room() != "lib" {
                wrong.push(format!("{}: no such room; give it a line in ROOMS", source.path));
            }
            continue;
        };
        for used in rooms_used(&source.text, &names) {
            if used != room.name && used != FOR_ALL && !room.may_use.contains(&used.as_str()) {
                wrong.push(format!("{}: {} may not use {used}", source.path, room.name));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn rooms_do_not_name_what_is_not_theirs() {
    let check = |source: &Source| {
        let room = ROOMS.iter().find(|room| room.name == source.room());
        source.places_of(room.map_or(&[], |room| room.must_not_name))
    };
    assert_none(&sources().iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn no_files_use_each_other() {
    let sources: Vec<Source> = sources()
        .into_iter()
        .filter(|source| !source.is_test() && source.room() != "lib")
        .collect();
    let modules = Modules::new(&sources);
    let circles = modules.circles().into_iter().map(|circle| circle.join(", "));
    assert_none(&circles.collect::<Vec<_>>());
}

#[test]
fn no_rooms_use_each_other() {
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        ROOMS.iter().map(|room| (room.name, room.may_use.iter().copied().collect())).collect();
    assert_none(&circles(&uses).iter().map(|circle| circle.join(", ")).collect::<Vec<_>>());
}

/// The files of the crate as a tree of modules.
struct Modules<'s> {
    /// The code of each module, by its path: `catalogue::snapshot::file`.
    code: BTreeMap<String, String>,
    /// The file of each module.
    files: BTreeMap<String, &'s str>,
}

impl<'s> Modules<'s> {
    fn new(sources: &'s [Source]) -> Self {
        let (mut code, mut files) = (BTreeMap::new(), BTreeMap::new());
        for source in sources {
            let inner = source.path.trim_start_matches("src/").trim_end_matches(".rs");
            let module = inner.trim_end_matches("/mod").replace('/', "::");
            code.insert(module.clone(), source.production_code());
            files.insert(module, source.path.as_str());
        }
        Self { code, files }
    }

    /// The groups of files of one room that use each other.
    fn circles(&self) -> Vec<Vec<&str>> {
        let room = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, code) in &self.code {
            let used = paths(code, &self.children(module)).into_iter();
            let used = used.filter_map(|path| self.resolve(module, &path, 0));
            let used = used.filter(|used| used != module && room(used) == room(module));
            uses.insert(self.files[module], used.map(|used| self.files[&used]).collect());
        }
        circles(&uses)
    }

    fn children(&self, module: &str) -> Vec<&str> {
        let prefix = format!("{module}::");
        let inner = self.code.keys().filter_map(|other| other.strip_prefix(&prefix));
        inner.filter(|name| !name.contains("::")).collect()
    }

    /// The module in which what this path names is written; re-exports are followed.
    fn resolve(&self, module: &str, path: &[String], depth: usize) -> Option<String> {
        let mut at: Vec<&str> = module.split("::").collect();
        let mut rest = path;
        while let [first, more @ ..] = rest {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                name => {
                    let inner = [at.as_slice(), &[name]].concat().join("::");
                    if !self.code.contains_key(&inner) {
                        break;
                    }
                    at.push(name);
                }
            }
            rest = more;
        }
        let found = at.join("::");
        let code = self.code.get(&found)?;
        let Some(name) = rest.first().filter(|_| depth < 4) else { return Some(found) };
        let mut exported = paths(code, &self.children(&found)).into_iter();
        let exported = exported.find(|path| path.len() > 1 && path.last() == Some(name));
        let followed = exported.and_then(|path| self.resolve(&found, &path, depth + 1));
        Some(followed.unwrap_or(found))
    }
}

/// All paths in the code that begin with `crate`, `super`, `self` or one of these modules, with
/// groups taken apart.
fn paths(code: &str, children: &[&str]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate", "super", "self"].iter().chain(children) {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                take_tree(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one tree of a path, `a::{b, c::d}`, and gives how many bytes it has.
fn take_tree(code: &str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let depth = before.len();
    let mut at = 0;
    loop {
        let rest = &code[at..];
        if let Some(group) = rest.strip_prefix('{') {
            at += 1;
            let mut group = group;
            loop {
                let space = group.len() - group.trim_start_matches([' ', '\n', ',']).len();
                at += space;
                group = &group[space..];
                if group.is_empty() || group.starts_with('}') {
                    break;
                }
                let taken = take_tree(group, before, found).max(1);
                at += taken;
                group = &group[taken..];
            }
            before.truncate(depth);
            return at + 1;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        at += name.len();
        if !name.is_empty() {
            before.push(name);
        }
        if !code[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    found.push(before.clone());
    before.truncate(depth);
    at
}

/// The groups of nodes that reach each other.
fn circles<'n>(uses: &BTreeMap<&'n str, BTreeSet<&'n str>>) -> Vec<Vec<&'n str>> {
    let reached = |from: &'n str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(node) = next.pop() {
            let used = uses.get(node).into_iter().flatten();
            next.extend(used.filter(|used| seen.insert(**used)));
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|node| (*node, reached(node))).collect();
    let mut found: Vec<Vec<&str>> = Vec::new();
    for (node, reaches) in &all {
        let group: Vec<&str> = reaches
            .iter()
            .copied()
            .filter(|other| all.get(other).is_some_and(|back| back.contains(node)))
            .collect();
        if !group.is_empty() && !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

#[test]
fn only_the_registry_room_asks_other_hosts() {
    let elsewhere = sources().into_iter().filter(|source| source.room() != "registry");
    assert_none(&elsewhere.flat_map(|source| source.places_of(&["reqwest"])).collect::<Vec<_>>());
}

#[test]
fn only_the_clock_reads_the_time() {
    let elsewhere = sources().into_iter().filter(|source| source.path != "src/clock.rs");
    let reading = ["SystemTime::now", "Timestamp::now", "Zoned::now"];
    assert_none(&elsewhere.flat_map(|source| source.places_of(&reading)).collect::<Vec<_>>());
}

#[test]
fn each_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none(&silent.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn no_file_is_long() {
    let long =
        sources().into_iter().filter(|source| source.production_line_count() > MAX_FILE_LINES);
    let say = |source: Source| {
        format!("{}: {} lines before its tests", source.path, source.production_line_count())
    };
    assert_none(&long.map(say).collect::<Vec<_>>());
}

#[test]
fn no_line_is_wide() {
    let all = sources().into_iter().chain(rust_files("tests")).chain(rust_files("benches"));
    let wide = |source: Source| -> Vec<String> {
        let lines = source.text.lines().zip(1..);
        let wide = lines.filter(|(line, _)| line.chars().count() > MAX_COLUMNS);
        wide.map(|(_, number)| format!("{}:{number}", source.path)).collect()
    };
    assert_none(&all.flat_map(wide).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let banned =
        ["super::super", "todo!", "unimplemented!", "dbg!", "#[ignore", "#[allow(", "#![allow("];
    let all = sources().into_iter().chain(test_sources());
    assert_none(&all.flat_map(|source| source.places_of(&banned)).collect::<Vec<_>>());
}

#[test]
fn nothing_else_lies_at_the_top() {
    let known: BTreeSet<&str> = TOP_LEVEL.iter().chain(NOT_KEPT).copied().collect();
    let entries = fs::read_dir(top()).expect("the repository can be read");
    let names = entries
        .map(|entry| entry.expect("its entries too").file_name().to_string_lossy().into_owned());
    assert_none(&names.filter(|name| !known.contains(name.as_str())).collect::<Vec<_>>());
}

#[test]
fn no_text_names_a_folder_outside() {
    // Put together here, so that this file does not name them.
    let outside =
        ["../sha", "/wo", "/tmp"].iter().zip(["red", "rk", "/h"]).map(|(a, b)| format!("{a}{b}"));
    let outside: Vec<String> = outside.collect();
    let mut wrong = Vec::new();
    for file in files(&top()) {
        // Only what is not text fails here.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (at, line) in text.lines().enumerate() {
            if outside.iter().any(|needle| names_folder(line, needle)) {
                wrong.push(format!("{}:{}", file.display(), at + 1));
            }
        }
    }
    assert_none(&wrong);
}

/// Documents, code, tests and scripts; data and generated files have the words of others.
#[test]
fn texts_use_the_vocabulary() {
    const EXTENSIONS: [&str; 5] = ["md", "rs", "py", "mjs", "yaml"];
    let is_ours = |file: &PathBuf| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_none_or(|extension| EXTENSIONS.contains(&extension))
            && !file.ends_with("tests/tidy.rs")
            && !file.components().any(|part| part.as_os_str() == "seeds")
    };
    let mut found = Vec::new();
    for file in files(&top()).into_iter().filter(is_ours) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let text = text.to_lowercase();
        // The page that lists the words ends with them.
        let text = text.split("\n## vocabulary\n").next().unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            let replaced = REPLACED_WORDS.iter().filter(|word| has_word(line, word));
            found.extend(replaced.map(|word| format!("{}:{}: {word}", file.display(), at + 1)));
        }
    }
    assert_none(&found);
}

#[test]
fn the_rules_see_what_they_are_for() {
    let names = ["windows", "images", "http"];
    let used = |text| rooms_used(text, &names).into_iter().collect::<Vec<_>>();
    assert_eq!(used("use crate::windows::Kb;"), ["windows"]);
    assert_eq!(used("let x = crate::images::Digest::of(b\"\");"), ["images"]);
    assert_eq!(used("use crate::{images::{Digest, Tag}, windows};"), ["images", "windows"]);
    assert_eq!(used("use wintag::http::run;"), ["http"]);
    assert_eq!(used("/// See [`crate::http`].\n// crate::http\n"), Vec::<String>::new());
    assert_eq!(used("use crate::windows_facts::Kb; let images = 1;"), Vec::<String>::new());

    assert!(has_word("use tokio::time;", "tokio") && !has_word("tokio_util::sync", "tokio"));
    assert!(has_word("  #[allow(dead_code)]", "#[allow("));
    let folder = ["/wo", "rk"].concat();
    for (line, expected) in
        [("see {}/x", true), ("cd {}", true), ("a{}/x", false), ("{}er", false), ("{}-x", false)]
    {
        assert_eq!(names_folder(&line.replace("{}", &folder), &folder), expected, "{line}");
    }
}

/// The rooms that a file's code names by `crate::` or, in the binary, by the crate's own name.
fn rooms_used(text: &str, names: &[&str]) -> BTreeSet<String> {
    let without_comments: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = without_comments.join("\n");
    let mut used = BTreeSet::new();
    for start in ["crate::", "wintag::"] {
        for (at, _) in code.match_indices(start) {
            let named = first_names(&code[at + start.len()..]);
            used.extend(named.into_iter().filter(|name| names.contains(&name.as_str())));
        }
    }
    used
}

/// The first name of each path after `crate::`; there are several in `crate::{a::b, c}`.
fn first_names(after: &str) -> Vec<String> {
    let identifier = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(group) = after.strip_prefix('{') else { return vec![identifier(after)] };
    let mut names = Vec::new();
    let mut depth = 1;
    let mut at_start = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => at_start = true,
            _ if character.is_whitespace() => {}
            _ if at_start => {
                names.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

/// Whether a line has this word, and not only as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let (first, last) = (word.chars().next(), word.chars().next_back());
        !(is_part(first) && is_part(before) || is_part(last) && is_part(after))
    })
}

/// Whether a line names this folder, and neither one of that name inside another nor one whose name
/// begins so.
fn names_folder(line: &str, folder: &str) -> bool {
    let is_part = |c: Option<char>, others: &[char]| {
        c.is_some_and(|c| c.is_alphanumeric() || others.contains(&c))
    };
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        !is_part(before, &['_', '-', '.', '}', '*']) && !is_part(after, &['_', '-'])
    })
}

fn sources() -> Vec<Source> {
    rust_files("src")
}

/// The tests, but for this file, which has to name what it forbids.
fn test_sources() -> Vec<Source> {
    rust_files("tests").into_iter().filter(|source| source.path != "tests/tidy.rs").collect()
}

fn rust_files(folder: &str) -> Vec<Source> {
    let top = top();
    let rust = files(&top.join(folder))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let read = |file: PathBuf| Source {
        path: file
            .strip_prefix(&top)
            .expect("it was found there")
            .to_string_lossy()
            .replace('\\', "/"),
        text: fs::read_to_string(&file).expect("Rust files are text"),
    };
    rust.map(read).collect()
}

/// All files under a folder, sorted, without what git does not keep.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.expect("entries of a folder can be read");
            let kept = !NOT_KEPT.iter().any(|name| entry.file_name() == *name);
            match entry.file_type() {
                Ok(kind) if kept && kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kept && kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn top() -> PathBuf {
    // Asked for when the test runs: a build folder may be shared by several checkouts.
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} place(s):\n{}", wrong.len(), wrong.join("\n"));
}

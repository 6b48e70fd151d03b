//! H27: what users copy from `deploy/` and the documents is pinned, and executes no answer.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder and below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is committed");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The lines of the Dockerfile, of `deploy/` and of the documents, each with its place.
fn lines() -> Vec<(String, String)> {
    let mut all = vec![top().join("Dockerfile"), top().join("README.md")];
    all.extend(["deploy", "docs"].iter().flat_map(|folder| files(&top().join(folder))));
    let lines_of = |path: PathBuf| {
        let name = path.strip_prefix(top()).expect("it is below").display().to_string();
        let text = fs::read_to_string(&path).expect("it is text");
        let numbered = text.lines().enumerate();
        numbered
            .map(|(at, line)| (format!("{name}:{}", at + 1), line.to_owned()))
            .collect::<Vec<_>>()
    };
    all.into_iter().flat_map(lines_of).collect()
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("it is a pattern")
}

#[test]
fn h27_images_and_actions_are_pinned() {
    // Others than those of wintag, than those that the reader names, and than the examples of
    // Windows images, which are what the documents are about.
    let image = regex(r"^\s*(?:-\s+)?(?:FROM|image:) (?<name>[\w./-]+[:@][\w.@:-]+)( AS \w+)?$");
    let action = regex(r"^\s*(?:-\s+)?uses: (?<name>\S+)(?<comment>.*)$");
    let (digest, commit) = (regex("@sha256:[0-9a-f]{64}$"), regex("@[0-9a-f]{40}$"));
    let (mut seen, mut unpinned) = (0, Vec::new());
    for (place, line) in lines() {
        let is_pinned = if let Some(found) = image.captures(&line) {
            if found["name"].starts_with("wintag:") || found["name"].contains("/windows/") {
                continue;
            }
            digest.is_match(&found["name"])
        } else if let Some(found) = action.captures(&line) {
            commit.is_match(&found["name"]) && found["comment"].starts_with(" # v")
        } else {
            continue;
        };
        seen += 1;
        if !is_pinned {
            unpinned.push(format!("{place}: {}", line.trim()));
        }
    }
    assert!(seen >= 5, "{seen} found");
    assert!(unpinned.is_empty(), "not pinned:\n{}", unpinned.join("\n"));
}

#[test]
fn h27_answers_are_not_part_of_scripts() {
    let expression = regex(r"\$\{\{|\$\(\w+\.\w+\)");
    // A variable for the script, in the `env` of a step.
    let variable = regex(r"^\s+[A-Z_]+: (\$\{\{ [\w.]+ \}\}|\$\(\w+\.\w+\))$");
    // A sentence may name what not to write.
    let is_code = |line: &str| line.starts_with(' ') || !line.contains('`');
    let wrong: Vec<String> = lines()
        .into_iter()
        .filter(|(place, _)| !place.starts_with("deploy/helm/"))
        .filter(|(_, line)| {
            let is_inserted = expression.is_match(line) && !variable.is_match(line);
            line.contains("Invoke-Expression")
                || line.contains("| iex")
                || is_inserted && is_code(line)
        })
        .map(|(place, line)| format!("{place}: {}", line.trim()))
        .collect();
    assert!(wrong.is_empty(), "text of an answer in a script:\n{}", wrong.join("\n"));
}

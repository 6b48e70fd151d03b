//! `wintag audit`: the images that the files of `tests/data/audit` name, against three fleets.
//!
//! With the variable `WINTAG_BLESS` set, the tests write the expected reports anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, image, index,
};
use crate::support::docker_registry::content::everything;
use crate::support::docker_registry::software::software;
use crate::support::docker_registry::storage::Content;
use crate::support::service::{Service, WINTAG};

/// The files, and the folder of the expected reports.
const FILES: &str = "tests/data/audit/files";
const REPORTS: &str = "tests/data/audit";

/// The fleets: a name, the hosts, and further options.
const FLEETS: [(&str, &str, &[&str]); 3] = [
    ("2019", "ltsc2019", &[]),
    ("docker", "ltsc2019,20348.2113,ltsc2025", &[]),
    ("kubernetes", "ltsc2022,ltsc2025", &["--platform", "kubernetes"]),
];

fn registry() -> DockerRegistry {
    let registry = DockerRegistry::start_holding(everything());
    registry.add(&software());
    let mut linux = Content::default();
    for (repository, tag) in [("library/alpine", "3.20"), ("devcontainers/base", "ubuntu")] {
        let platform = Platform::plain("linux", "amd64");
        let image = image(repository, &platform, 1);
        linux.put_config(repository, &image.config);
        linux.put_manifest(repository, &image.manifest);
        let entry = Entry::of(DOCKER_MANIFEST, &image.manifest, platform);
        linux.tag(repository, tag, &index(DOCKER_LIST, vec![entry]));
    }
    registry.add(&linux);
    registry
}

/// Runs `wintag audit` in a folder, with this text on stdin.
fn run(folder: &Path, options: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(WINTAG);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINTAG_")) {
        command.env_remove(name);
    }
    command.env("DOCKER_CONFIG", "/nonexistent").current_dir(folder).arg("audit").args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("wintag was built");
    let mut input = process.stdin.take().expect("it is piped");
    // A command that fails before it reads leaves the pipe broken.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    process.wait_with_output().expect("it ends")
}

/// The same, with the registries behind this one.
fn audit(registry: &DockerRegistry, folder: &Path, options: &[&str]) -> Output {
    let host = registry.host();
    let mirrors = ["mcr.microsoft.com", "docker.io"].map(|name| format!("{name}=http://{host}"));
    let [mcr, docker] = &mirrors;
    run(folder, &[&["--mirror", mcr, "--mirror", docker], options].concat(), "")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("wintag writes text")
}

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILES)
}

/// A copy of the files that a test may change.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("cp").arg("-r").arg(files().join(".")).arg(folder.path()).status();
    assert!(status.expect("cp exists").success());
    folder
}

/// All files under a folder and what they hold, as far as it is text.
fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is inside").to_owned();
                let bytes = fs::read(&path).expect("it can be read");
                all.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    all
}

/// The files that are not the same in both.
fn differing<'c>(
    some: &'c BTreeMap<PathBuf, String>,
    others: &BTreeMap<PathBuf, String>,
) -> Vec<&'c PathBuf> {
    assert_eq!(some.len(), others.len());
    some.iter()
        .filter(|(path, text)| others.get(*path) != Some(text))
        .map(|(path, _)| path)
        .collect()
}

fn git_apply(folder: &Path, patch: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), patch).expect("it is writable");
    let options = ["apply", "--whitespace=nowarn"];
    let mut git = Command::new("git");
    let applied = git.args(options).arg(file.path()).current_dir(folder).output();
    let applied = applied.expect("git is installed");
    assert!(applied.status.success(), "{}\n{}", text(&applied.stderr), text(patch));
}

#[test]
fn each_fleet_has_its_report() {
    let registry = registry();
    for (name, hosts, options) in FLEETS {
        let ended = audit(&registry, &files(), &[&["--hosts", hosts], options].concat());
        assert_eq!(text(&ended.stderr), "", "{name}");
        assert_eq!(ended.status.code(), Some(1), "{name}: {}", text(&ended.stdout));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(REPORTS).join(format!("{name}.txt"));
        if std::env::var_os("WINTAG_BLESS").is_some() {
            fs::write(&path, &ended.stdout).expect("the report is writable");
        }
        let expected = fs::read_to_string(&path).expect("the report exists");
        assert_eq!(text(&ended.stdout), expected, "{name}");
    }
}

#[test]
fn an_image_is_asked_for_once() {
    let registry = registry();
    audit(&registry, &files(), &["--hosts", "ltsc2019,ltsc2022"]);
    let requests = registry.settled_requests();
    let distinct: BTreeSet<&String> = requests.iter().collect();
    assert!(requests.len() > 20, "{requests:?}");
    assert_eq!(requests.len(), distinct.len(), "{requests:#?}");
    // What is for Linux by its file, or of another registry, is not asked for.
    let elsewhere = ["private", "devcontainers", "team"];
    assert!(!requests.iter().any(|it| elsewhere.iter().any(|name| it.contains(name))));
}

#[test]
fn positions_are_those_of_the_file() {
    let registry = registry();
    let ended = audit(&registry, &files(), &["--hosts", "ltsc2019", "--format", "json"]);
    let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    let findings = answer["findings"].as_array().expect("there are findings");
    for finding in findings {
        let field = |name: &str| finding[name].as_u64().expect("it is a number") as usize;
        let path = finding["file"].as_str().expect("it has a file");
        let text = fs::read_to_string(files().join(path)).expect("it can be read");
        let (start, end) = (field("start"), field("end"));
        let line = text[..start].matches('\n').count() + 1;
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let column = text[from..start].chars().count() + 1;
        assert_eq!((line, column), (field("line"), field("column")), "{finding}");
        let written = &text[start..end];
        assert!(!written.contains(char::is_whitespace) || written.contains("${"), "{finding}");
        let is_part = finding["image"].as_str().is_some_and(|image| image.contains(written));
        assert!(written.contains([':', '$']) || is_part, "{written}: {finding}");
    }
    assert!(findings.len() > 20);
}

#[test]
fn a_fix_changes_only_the_references() {
    let registry = registry();
    let (fixed, patched) = (copy(), copy());
    let before = contents(fixed.path());
    let hosts = ["--hosts", "ltsc2022"];
    let patch = audit(&registry, fixed.path(), &[&hosts[..], &["--format", "patch"]].concat());
    let diff = text(&patch.stdout);
    assert!(diff.contains("\n-ARG WINDOWS=ltsc2016\n+ARG WINDOWS=ltsc2022\n"), "{diff}");

    let ended = audit(&registry, fixed.path(), &[&hosts[..], &["--fix"]].concat());
    assert!(text(&ended.stderr).contains("docker/Dockerfile.args: "), "{}", text(&ended.stderr));
    let once = contents(fixed.path());
    assert_ne!(differing(&once, &before), Vec::<&PathBuf>::new());
    // The patch says the same as the fix.
    git_apply(patched.path(), &patch.stdout);
    assert_eq!(differing(&contents(patched.path()), &once), Vec::<&PathBuf>::new());
    // What differs is on lines that name an image or a value of one; line ends stay.
    for (path, old) in &before {
        let new = &once[path];
        assert_eq!(old.matches('\n').count(), new.matches('\n').count(), "{}", path.display());
        assert_eq!(old.matches('\r').count(), new.matches('\r').count(), "{}", path.display());
        for (old, new) in old.lines().zip(new.lines()).filter(|(old, new)| old != new) {
            let common = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
            assert!(common > 3, "{old} / {new}");
        }
    }
    audit(&registry, fixed.path(), &[&hosts[..], &["--fix"]].concat());
    let twice = contents(fixed.path());
    assert_eq!(differing(&twice, &once), Vec::<&PathBuf>::new(), "a second time changes nothing");
}

#[test]
fn exit_statuses_say_how_it_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = "FROM mcr.microsoft.com/windows/nanoserver:ltsc2022\n";
    let old = "FROM mcr.microsoft.com/windows/nanoserver:1809\n";
    let newer = "FROM mcr.microsoft.com/windows/nanoserver:ltsc2025\n";
    let hosts = ["-", "--offline", "--hosts", "ltsc2022"];
    fs::write(folder.path().join("README.md"), "# A project\n").expect("it is writable");
    for (stdin, options, status) in [
        (good, &[][..], 0),
        (old, &[], 0),
        (old, &["--fail-on", "warning"], 1),
        (newer, &[], 1),
        (newer, &["--fail-on", "never"], 0),
        (newer, &["--build-arg", "X"], 2),
        (newer, &["--fail-on", "x"], 2),
        (newer, &["--fix"], 2),
        (newer, &["--config", "/nonexistent.toml"], 2),
        (newer, &["no-such-file"], 2),
        ("FROM registry.example.com/x:1\n", &[], 0),
        ("not a file with images\n", &[], 2),
        ("foo: bar\n", &[], 2),
        ("---\n# helm template of nothing\n", &[], 0),
        ("", &["README.md"], 2),
        (newer, &["README.md"], 1),
    ] {
        let ended = run(folder.path(), &[&hosts[..], options].concat(), stdin);
        let said = format!("{options:?} {stdin}{}{}", text(&ended.stdout), text(&ended.stderr));
        assert_eq!(ended.status.code(), Some(status), "{said}");
    }
    let ended = run(folder.path(), &["README.md", "--offline", "--hosts", "ltsc2022"], "");
    let said = text(&ended.stdout);
    assert!(said.contains("not read: README.md: the kind of this file is not known"), "{said}");
    assert!(said.contains("Compose"), "{said}");
    let ended = run(folder.path(), &["-", "--offline", "--hosts", "foo,ltsc2019"], good);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("item 1"), "{}", text(&ended.stderr));
    // A registry that cannot be reached leaves the question open.
    let unreachable = ["-", "--hosts", "ltsc2022", "--mirror", "docker.io=http://127.0.0.1:9"];
    let ended = run(folder.path(), &unreachable, "FROM team/app:1\n");
    assert_eq!(ended.status.code(), Some(2), "{}", text(&ended.stdout));
}

#[test]
fn formats_are_what_their_readers_read() {
    let registry = registry();
    let of = |format: &str| {
        let options = ["--hosts", "ltsc2019,ltsc2022", "--format", format];
        String::from_utf8(audit(&registry, &files(), &options).stdout).expect("it is text")
    };
    let json: Value = serde_json::from_str(&of("json")).expect("it is JSON");
    let findings = json["findings"].as_array().expect("there are findings").len();
    let ignored = json["counts"]["ignored"].as_u64().expect("it is counted") as usize;
    assert!(ignored > 0);

    let sarif: Value = serde_json::from_str(&of("sarif")).expect("it is JSON");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("there are results");
    assert_eq!(results.len(), findings);
    for result in results {
        let rule = result["ruleIndex"].as_u64().expect("it is a number") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    }
    let suppressed = results.iter().filter(|result| !result["suppressions"].is_null()).count();
    assert_eq!(suppressed, ignored);
    assert!(results.iter().any(|result| !result["fixes"].is_null()));

    let annotations = of("github");
    let commands = annotations.lines().filter(|line| line.contains(",title=")).count();
    assert_eq!(commands, findings - ignored);
    let first = annotations.lines().next().expect("there is one");
    assert!(first.starts_with("::"), "{first}");

    let junit = of("junit");
    assert_eq!(junit.matches("<testcase ").count(), junit.matches("</testcase>").count());
    let failures = junit.matches("<failure ").count();
    assert!(junit.contains(&format!("failures=\"{failures}\"")), "{junit}");

    let markdown = of("markdown");
    let (rows, references) = (markdown.matches("\n| ").count(), &json["references"]);
    assert_eq!(rows, references.as_array().expect("it is a list").len() + 1);
}

#[test]
fn hostile_folders_are_bounded_and_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let outside = tempfile::tempdir().expect("a temporary folder");
    fs::write(outside.path().join("Dockerfile"), "FROM a/b:1\n").expect("it is writable");
    let link = |to: &Path, from: &str| {
        std::os::unix::fs::symlink(to, path(from)).expect("links can be made");
    };
    link(&outside.path().join("Dockerfile"), "Dockerfile.link");
    link(outside.path(), "folder.yaml");
    link(folder.path(), "self.yaml");
    link(&path("gone"), "gone.yaml");
    fs::write(path("huge.yaml"), vec![b'#'; 5 << 20]).expect("it is writable");
    let pipe = Command::new("mkfifo").arg(path("pipe.yaml")).status().expect("mkfifo exists");
    assert!(pipe.success());
    let good = "FROM mcr.microsoft.com/windows/nanoserver:ltsc2022\n";
    fs::write(path("Dockerfile"), good).expect("it is writable");

    let options = ["--offline", "--hosts", "ltsc2022", "--format", "json"];
    let ended = run(folder.path(), &options, "");
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    let problems: Vec<&str> = answer["problems"]
        .as_array()
        .expect("it is a list")
        .iter()
        .filter_map(|problem| problem["file"].as_str())
        .collect();
    let expected = ["Dockerfile.link", "folder.yaml", "gone.yaml", "huge.yaml", "pipe.yaml"];
    assert_eq!(problems, expected);
    assert_eq!(answer["references"].as_array().map(Vec::len), Some(1));
}

/// A file that has one change for `ltsc2022`.
const OLD: &str = "FROM mcr.microsoft.com/windows/servercore:ltsc2025\n";

#[test]
fn names_cannot_break_any_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = [
        "a b.dockerfile",
        "é\"\\.dockerfile",
        "\u{202e}x|`<b>&.dockerfile",
        "::set-output name=x::\u{1b}[31m\r\n::error::.dockerfile",
        "x\n--- a/victim\n+++ b/victim\n@@ -1 +1 @@\n-1\n+2\n.dockerfile",
    ];
    for name in names {
        fs::create_dir_all(folder.path().join(name).parent().expect("it has one"))
            .expect("it is writable");
        fs::write(folder.path().join(name), OLD).expect("it is writable");
    }
    fs::write(folder.path().join("victim"), "1\n").expect("it is writable");
    fs::write(folder.path().join("\u{1b}[31m\n.yaml"), "a: [").expect("it is writable");
    let audit = |options: &[&str]| {
        let base = ["--offline", "--hosts", "ltsc2022"];
        run(folder.path(), &[&base[..], options].concat(), "")
    };
    for format in ["text", "json", "sarif", "github", "junit", "markdown"] {
        let ended = audit(&["--format", format]);
        let output = text(&ended.stdout);
        let is_bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        let is_json = ["json", "sarif"].contains(&format);
        assert!(is_json || !output.contains(is_bad), "{format}: {output}");
        let lines: Vec<&str> = output.lines().collect();
        let commands = lines.iter().filter(|line| line.starts_with("::"));
        let begun: Vec<_> = commands.filter(|line| !line.contains("=")).collect();
        assert_eq!(begun, Vec::<&&str>::new(), "{format}");
        assert!(output.contains("31m"), "what was not read is named: {format}: {output}");
        if is_json {
            assert!(serde_json::from_str::<Value>(output).is_ok(), "{format}: {output}");
        }
    }
    let patch = audit(&["--format", "patch"]);
    let ended = audit(&["--fix"]);
    let said = text(&ended.stderr);
    assert_eq!(said.lines().count(), names.len(), "{said}");
    assert!(!said.contains(|c: char| c != '\n' && c.is_control()), "{said}");
    let fixed = contents(folder.path());
    for name in names {
        assert!(fixed[Path::new(name)].contains("ltsc2022"), "{name}");
        fs::write(folder.path().join(name), OLD).expect("it is writable");
    }
    git_apply(folder.path(), &patch.stdout);
    assert_eq!(differing(&contents(folder.path()), &fixed), Vec::<&PathBuf>::new());
}

#[test]
fn patches_end_as_their_files_do() {
    for (name, content) in [
        ("crlf", OLD.replace('\n', "\r\n")),
        ("blank", format!("{OLD}RUN x\n \n\nRUN y\n")),
        ("return", format!("# a\rb\n{OLD}RUN x\rz\n")),
        ("none", OLD.trim_end().to_owned()),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("Dockerfile"), &content).expect("it is writable");
        let options = ["--offline", "--hosts", "ltsc2022", "--format", "patch"];
        let patch = run(folder.path(), &options, "");
        git_apply(folder.path(), &patch.stdout);
        let expected = content.replace("ltsc2025", "ltsc2022");
        assert_eq!(contents(folder.path())[Path::new("Dockerfile")], expected, "{name}");
    }
}

#[test]
fn a_fix_writes_the_files_that_it_read() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let padded =
        "# padding\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\n# padding, padding\n";
    // Both names look the same where they are shown.
    let path = |bytes: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(bytes));
    let (first, second) = (path(b"\xfe.dockerfile"), path(b"\xff.dockerfile"));
    fs::write(&first, OLD).expect("it is writable");
    fs::write(&second, padded).expect("it is writable");
    let owned = path(b"owned.dockerfile");
    fs::write(&owned, OLD).expect("it is writable");
    fs::set_permissions(&owned, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let is_root = chown(&owned, Some(1234), Some(1234)).is_ok();
    // The same file under two names is one.
    let options = ["--offline", "--hosts", "ltsc2022", "--fix", ".", "x/../owned.dockerfile"];
    fs::create_dir(path(b"x")).expect("it is writable");
    let ended = run(folder.path(), &options, "");
    assert_eq!(ended.status.code(), Some(0), "{}{}", text(&ended.stdout), text(&ended.stderr));
    let read = |path| fs::read_to_string(path).expect("it is text");
    assert_eq!(read(&first), OLD.replace("ltsc2025", "ltsc2022"));
    assert_eq!(read(&second), padded);
    assert!(text(&ended.stdout).contains("looks like another's"), "{}", text(&ended.stdout));
    let metadata = fs::metadata(&owned).expect("it is there");
    assert_eq!(metadata.mode() & 0o777, 0o640);
    assert_eq!(metadata.uid(), if is_root { 1234 } else { metadata.uid() });
}

#[test]
fn what_lies_outside_of_the_folder_is_not_read() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("inner");
    fs::create_dir(&folder).expect("it is writable");
    let write = |path: &str, text: &str| {
        fs::write(outer.path().join(path), text).expect("it is writable");
    };
    write("secret", "SECRET=ltsc2025\n");
    write("Dockerfile", "ARG TAG\nFROM mcr.microsoft.com/windows/nanoserver:$TAG\n");
    let link = std::os::unix::fs::symlink(outer.path().join("secret"), folder.join(".env"));
    link.expect("links can be made");
    let compose = "services:\n  a:\n    image: mcr.microsoft.com/windows/nanoserver:$SECRET\n  \
                   b:\n    build: {context: .., args: {TAG: ltsc2025}}\n";
    write("inner/compose.yaml", compose);
    let options = ["--offline", "--hosts", "ltsc2022", "--format", "json"];
    for path in [".", "compose.yaml"] {
        let ended = run(&folder, &[&[path], &options[..]].concat(), "");
        let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
        assert_eq!(answer["counts"]["references"], 1, "{answer}");
        assert_eq!(answer["findings"][0]["code"], "unresolved-variable", "{answer}");
    }
    // From the folder above, both may be read, but not by the link.
    let ended = run(outer.path(), &[&["."], &options[..]].concat(), "");
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stdout));
    assert!(text(&ended.stdout).contains("nanoserver:ltsc2025 does not run"));
}

#[test]
fn a_digest_is_replaced_by_a_digest() {
    let registry = registry();
    let digest_of = |host: &str| {
        let mirror = format!("mcr.microsoft.com=http://{}", registry.host());
        let mut command = Command::new(WINTAG);
        command.args(["resolve", "nanoserver", "--host", host, "--mirror", &mirror]);
        let ended = command.env("DOCKER_CONFIG", "/nonexistent").output().expect("it was built");
        let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
        answer["digest"].as_str().expect("the registry says it").to_owned()
    };
    let (old, new) = (digest_of("ltsc2025"), digest_of("ltsc2022"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nano = "mcr.microsoft.com/windows/nanoserver";
    let dockerfile = format!("FROM {nano}:ltsc2025@{old}\nFROM {nano}@{old}\n");
    fs::write(folder.path().join("Dockerfile"), &dockerfile).expect("it is writable");
    let ended = audit(&registry, folder.path(), &["--hosts", "ltsc2022", "--fix"]);
    let fixed = fs::read_to_string(folder.path().join("Dockerfile")).expect("it is text");
    let output = text(&ended.stdout);
    assert_eq!(fixed, format!("FROM {nano}:ltsc2022@{new}\nFROM {nano}@{old}\n"), "{output}");
    assert!(output.contains("a digest without a tag does not say"), "{output}");
    assert_eq!(ended.status.code(), Some(1), "{output}");
}

#[test]
fn an_image_that_cannot_be_looked_up_says_nothing_about_its_group() {
    let registry = registry();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let compose = "services:\n  a: {image: registry.example.com/x:1}\n  b: {image: golang:1.24}\n";
    for (text, either) in
        [(compose.to_owned(), 1), (compose.replace("registry.example.com/x", "nanoserver"), 0)]
    {
        fs::write(folder.path().join("compose.yaml"), text).expect("it is writable");
        let ended = audit(&registry, folder.path(), &["--hosts", "ltsc2019", "--format", "json"]);
        let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
        assert_eq!(answer["counts"]["either"], either, "{answer}");
    }
}

#[tokio::test]
async fn the_service_gives_the_answer_of_the_command() {
    let service = Service::offline();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dockerfile = "ARG TAG\nFROM mcr.microsoft.com/windows/servercore:${TAG}\nFROM nanoserver\n";
    fs::write(folder.path().join("Dockerfile"), dockerfile).expect("it is writable");
    let options = [
        "--offline",
        "--hosts",
        "ltsc2019,1709",
        "--format",
        "json",
        "--build-arg",
        "TAG=ltsc2022",
    ];
    let ended = run(folder.path(), &options, "");
    let command: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    let body = serde_json::json!({
        "files": [{"path": "Dockerfile", "text": dockerfile}], "build_args": {"TAG": "ltsc2022"},
    });
    let answer = service.post("/audit?hosts=ltsc2019,1709", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json(), command);
    assert_eq!(command["findings"][0]["code"], "does-not-run");

    let images: String = (0..101).map(|number| format!("FROM a/b:{number}\n")).collect();
    let body = serde_json::json!({"files": [{"path": "Dockerfile", "text": images}]});
    let answer = service.post("/audit?hosts=ltsc2019", &body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("name 101"), "{}", answer.text);
}

#[test]
fn what_a_registry_says_of_an_image_is_found() {
    let registry = registry();
    // The tag that held images of several builds holds one.
    let mut moved = Content::default();
    let platform = Platform::windows("amd64", Some("10.0.26100.1"), true);
    let image = image("moved", &platform, 1);
    moved.put_config("library/golang", &image.config);
    moved.put_manifest("library/golang", &image.manifest);
    let entry = Entry::of(DOCKER_MANIFEST, &image.manifest, platform);
    moved.tag("library/golang", "1.24", &index(DOCKER_LIST, vec![entry]));
    registry.add(&moved);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dockerfile = "FROM mcr.microsoft.com/test/no-os-version:1\nFROM golang:1.24\n";
    fs::write(folder.path().join("Dockerfile"), dockerfile).expect("it is writable");
    let ended = audit(&registry, folder.path(), &["--hosts", "ltsc2022", "--format", "json"]);
    let answer: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    let findings = answer["findings"].as_array().expect("it is a list").iter();
    let codes: Vec<&str> = findings.filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!(codes, ["no-os-version", "shared-tag-moved"], "{answer}");
}

//! The documents: every example in them is true, their tables are those of the program, and their
//! links lead somewhere.
//!
//! The pages are `README.md` and `docs/*.md`. A block marked `console` holds commands, each after
//! `$ ` (and `> ` on the lines that continue it), and below each its output. Bash runs them as they
//! stand, with `wintag` on the path and the address `127.0.0.1:8080` replaced by that of a service
//! that never asks a registry, on a fixed day. The program itself follows the calendar, so the
//! outputs of its commands must not depend on the day. Blocks that cannot run here are marked `sh`.
//!
//! With the variable `WINTAG_BLESS` set, the tests rewrite the outputs and the generated tables.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Arg, CommandFactory as _};
use tempfile::TempDir;
use wintag::api::problem::ProblemKind;
use wintag::cli::Arguments;
use wintag::config::key_of;
use wintag::telemetry::{
    AnswerSource, CacheLayer, CacheResult, HttpVersion, Method, Metrics, Operation,
    ResolutionOutcome, UpstreamOutcome,
};

use crate::support::service::WINTAG;
use crate::support::still_service::StillService;

/// The page with the calls and the errors.
const API: &str = "docs/api.md";
/// The page with the settings and the metrics.
const OPERATIONS: &str = "docs/operations.md";

/// The address of the service in the documents.
const ADDRESS: &str = "127.0.0.1:8080";
/// What begins a block of examples, and what ends every block.
const CONSOLE: &str = "```console";
const FENCE: &str = "```";
/// The heading of the table of settings, and the line below it.
const SETTINGS: &str =
    "| option | variable | file key | default | meaning |\n|---|---|---|---|---|\n";

/// The heading of the table of metrics, and the line below it.
const METRICS: &str = "| metric | type | labels | meaning |\n|---|---|---|---|\n";

/// Tests that bless write the same files.
static WRITING: Mutex<()> = Mutex::new(());

#[test]
fn every_example_prints_what_its_page_shows() {
    let service = StillService::start();
    let shell = Shell::new(service.address());
    for page in pages() {
        correct(&page, |text| replayed(text, &shell));
    }
}

/// A page with the outputs that its commands have now.
fn replayed(text: &str, shell: &Shell) -> String {
    let mut lines = text.lines().peekable();
    let mut corrected = String::new();
    let mut push = |line: &str| corrected.extend([line, "\n"]);
    while let Some(line) = lines.next() {
        push(line);
        if line != CONSOLE {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != FENCE) {
            // A line that is not a command is a previous output.
            let Some(first) = line.strip_prefix("$ ") else { continue };
            push(line);
            let mut command = first.to_owned();
            while let Some(line) = lines.next_if(|line| line.starts_with("> ")) {
                push(line);
                command = command + "\n" + &line[2..];
            }
            shell.output_of(&command).lines().for_each(&mut push);
        }
    }
    corrected
}

#[test]
fn the_table_of_settings_is_that_of_the_options() {
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").expect("wintag serves");
    let table: String =
        serve.get_arguments().filter(|arg| arg.get_env().is_some()).map(row_of_setting).collect();
    correct(OPERATIONS, |text| with_rows(text, SETTINGS, &table));
}

#[test]
fn the_table_of_metrics_is_that_of_the_program() {
    let metrics = Metrics::new();
    let requests = metrics.requests(&["/resolve"]);
    requests.observe(
        requests.route(Some("/resolve")),
        Method::Get,
        HttpVersion::Http11,
        200,
        Duration::ZERO,
    );
    metrics.observe_client_request(None, None, None, Duration::ZERO);
    metrics.count_upstream_request("r", Operation::Tags, UpstreamOutcome::Ok);
    metrics.set_fetches(CacheLayer::Tags, 0, 0);
    metrics.set_circuit("r", false);
    metrics.set_last_refresh("r", 0.0);
    metrics.set_data_ages([("r", "a/b", 0.0)].into_iter());
    let text = metrics.text().expect("it can be written");
    let rows: String = text
        .lines()
        .filter_map(|line| row_of_metric(line.strip_prefix("# HELP ")?, &text))
        .collect();
    correct(OPERATIONS, |text| with_rows(text, METRICS, &rows));
}

/// A page with these rows in the table that begins with this heading.
fn with_rows(text: &str, heading: &str, rows: &str) -> String {
    let (before, from_table) = text.split_once(heading).expect("the page has the table");
    let old = from_table.split_inclusive('\n').take_while(|line| line.starts_with('|'));
    let after = &from_table[old.map(str::len).sum()..];
    [before, heading, rows, after].concat()
}

#[test]
fn the_words_of_labels_are_documented() {
    let operations = page(OPERATIONS);
    let words = [
        Method::ALL.map(Method::as_str).to_vec(),
        HttpVersion::ALL.map(HttpVersion::as_str).to_vec(),
        AnswerSource::ALL.map(AnswerSource::as_str).to_vec(),
        ResolutionOutcome::ALL.map(ResolutionOutcome::as_str).to_vec(),
        UpstreamOutcome::ALL.map(UpstreamOutcome::as_str).to_vec(),
        CacheLayer::ALL.map(CacheLayer::as_str).to_vec(),
        CacheResult::ALL.map(CacheResult::as_str).to_vec(),
        Operation::ALL.map(Operation::as_str).to_vec(),
    ];
    let (_, labels) =
        operations.split_once("\n### Labels\n").expect("the page has a section on labels");
    let (labels, _) = labels.split_once("\n##").expect("another section follows");
    // The methods of each path are documented with the path.
    for word in
        words.concat().into_iter().filter(|word| !["GET", "HEAD", "POST", "OPTIONS"].contains(word))
    {
        assert!(labels.contains(&format!("`{word}`")), "{word}");
    }
}

/// The row of a metric, of its name with its help and all that is shown.
fn row_of_metric(help: &str, text: &str) -> Option<String> {
    let (name, help) = help.split_once(' ')?;
    let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")))?;
    let is_sample = |line: &&str| line.starts_with(name);
    let labels = text.lines().find(is_sample)?.split_once('{').map_or("", |(_, labels)| labels);
    let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
    let labels: Vec<String> =
        names.filter(|name| *name != "le").map(|name| format!("`{name}`")).collect();
    Some(format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", ")))
}

#[test]
fn the_configuration_file_has_every_key_and_is_taken() {
    let operations = page(OPERATIONS);
    let (_, block) = operations.split_once("```toml\n").expect("the page has a configuration file");
    let (file, _) = block.split_once(FENCE).expect("the block ends");
    // The files that it names, at another place.
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = |name: &str| folder.path().join(name);
    let write =
        |name: &str, text: &str| fs::write(path(name), text).expect("the folder is writable");
    fs::create_dir(path("tables")).expect("the folder is writable");
    for name in ["releases.csv", "kb.csv"] {
        fs::copy(top().join("src/windows/data").join(name), path("tables").join(name))
            .expect("it is copied");
    }
    write("docker.json", "{}");
    write("ca.pem", CERTIFICATE);
    write("registry-password", "secret\n");
    let here = folder.path().to_str().expect("temporary folders have plain names");
    write("wintag.toml", &file.replace("/etc/wintag", here).replace("/run/secrets", here));
    let configured = format!(
        "wintag resolve nanoserver --host 16299 --format tag --offline --config {here}/wintag.toml"
    );
    let shell = Shell::new(ADDRESS);
    let answer = shell.output_of(&configured);
    assert!(answer.ends_with("\n1709\n"), "{answer}");

    // A key that is not known is refused with a list of those that are, at the top and in both
    // kinds of table.
    for table in ["", "[registries.\"a.example\"]", "[[families]]"] {
        write("wintag.toml", &format!("{table}\nno_such_key = 1\n"));
        let refusal = shell.output_of(&configured);
        let (_, keys) = refusal.split_once("expected one of ").expect("the keys are listed");
        for key in keys.split('`').filter(|part| part.starts_with(char::is_alphabetic)) {
            let is_set = |line: &str| {
                line.starts_with(&format!("{key} = ")) || line.contains(&format!("[{key}"))
            };
            assert!(
                file.lines().any(is_set),
                "the configuration file in {OPERATIONS} does not have {key}"
            );
        }
    }
}

#[test]
fn every_path_has_an_example() {
    let paths = Shell::new(ADDRESS).output_of("wintag openapi");
    let document: serde_json::Value = serde_json::from_str(&paths).expect("it is JSON");
    let api = page(API);
    let examples: Vec<&str> = api.lines().filter(|line| line.starts_with("$ curl")).collect();
    let documented =
        document["paths"].as_object().expect("a document has paths").keys().map(String::as_str);
    for path in documented.chain(["/swagger-ui/"]) {
        let address = format!("http://{ADDRESS}{path}");
        let is_of_path = |line: &&&str| {
            line.split(&address).nth(1).is_some_and(|rest| rest.starts_with(['?', '\'']))
        };
        assert!(examples.iter().any(|line| is_of_path(&line)), "{API} has no example of {path}");
    }
}

#[test]
fn the_table_of_errors_has_every_code() {
    let api = page(API);
    let rows: Vec<&str> =
        api.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5")).collect();
    assert_eq!(rows.len(), ProblemKind::ALL.len());
    for kind in ProblemKind::ALL {
        let row = format!("| {} | `{}` | ", kind.status(), kind.code());
        assert!(rows.iter().any(|line| line.starts_with(&row)), "{API} has no row {row}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents(&top()) {
        let text = prose(&document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.starts_with("https://") && !leads_somewhere(&document, target) {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether the file of a relative link is there, and its heading too where the link names one.
fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let linked = match file {
        "" => document.to_path_buf(),
        file => document.parent().expect("a file is in a folder").join(file),
    };
    let has_heading = |anchor: &str| {
        let text = prose(&linked);
        text.lines().filter_map(anchor_of).any(|known| known == anchor)
    };
    linked.exists() && anchor.is_none_or(has_heading)
}

/// The anchor that a line has when it is a heading, as GitHub and GitLab make it.
fn anchor_of(line: &str) -> Option<String> {
    let heading =
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))?;
    let is_kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    Some(heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-"))
}

/// The text of a document without its blocks of code.
fn prose(document: &Path) -> String {
    let text = fs::read_to_string(document).expect("documents are text");
    let outside = text.split("\n```").step_by(2);
    // A block ends with the line of its closing fence.
    outside.collect::<Vec<_>>().join("\n")
}

/// All Markdown files of the repository.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the repository can be read");
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.expect("its entries too")) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && ![".git", "target", "node_modules"].iter().any(|other| name == *other) {
            found.extend(documents(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// One setting, as a row of the table.
fn row_of_setting(arg: &Arg) -> String {
    let option = arg.get_long().expect("every setting is an option");
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().filter(|_| takes_value).and_then(|names| names.first());
    let value = match value {
        None => String::new(),
        Some(name) if arg.is_require_equals_set() => format!("[={name}]"),
        Some(name) => format!(" {name}"),
    };
    let variable =
        arg.get_env().and_then(|name| name.to_str()).expect("every setting has a variable");
    let help = arg.get_help().expect("every option is described").to_string();
    // A default that is not one value stands in the text.
    let (meaning, in_text) = match help.split_once(" [default: ") {
        Some((meaning, default)) => (meaning, Some(default.trim_end_matches(']'))),
        None => (help.as_str(), None),
    };
    let of_clap = arg.get_default_values().first().and_then(|default| default.to_str());
    let default = in_text.or(of_clap).map_or("none".to_owned(), |default| format!("`{default}`"));
    let key = match (key_of(arg), option) {
        (Some(key), _) => format!("`{key}`"),
        (None, "mirror") => "`registries.NAME.mirror`".to_owned(),
        (None, _) => "none".to_owned(),
    };
    format!("| `--{option}{value}` | `{variable}` | {key} | {default} | {meaning} |\n")
}

/// Compares a page with what it should be, or writes it when blessing.
#[track_caller]
fn correct(name: &str, corrected: impl FnOnce(&str) -> String) {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read(name);
    let corrected = corrected(&text);
    if std::env::var_os("WINTAG_BLESS").is_some() {
        fs::write(top().join(name), corrected).expect("the repository is writable");
        return;
    }
    let differing =
        text.lines().zip(corrected.lines()).enumerate().find(|(_, (old, new))| old != new);
    if let Some((at, (old, new))) = differing {
        panic!("{name}:{}: run the test with WINTAG_BLESS=1\n  has   {old}\n  wants {new}", at + 1);
    }
    assert_eq!(
        text.lines().count(),
        corrected.lines().count(),
        "{name} is shorter or longer than it should be"
    );
}

/// Runs commands as a reader of the documents would.
struct Shell {
    address: String,
    path: std::ffi::OsString,
    _folder: TempDir,
}

impl Shell {
    fn new(address: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        symlink(WINTAG, folder.path().join("wintag")).expect("the folder is writable");
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            std::iter::once(folder.path().to_path_buf()).chain(std::env::split_paths(&usual));
        let path = std::env::join_paths(folders).expect("no folder has a colon in its name");
        Self { address: address.to_owned(), path, _folder: folder }
    }

    /// The output as a terminal shows it: stdout and stderr, in the order they are written.
    fn output_of(&self, command: &str) -> String {
        let mut bash = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINTAG_")) {
            bash.env_remove(name);
        }
        let command = format!("exec 2>&1\n{}", command.replace(ADDRESS, &self.address));
        let bash = bash
            .args(["-c", &command])
            .env("PATH", &self.path)
            .env("DOCKER_CONFIG", "/nonexistent");
        // A proxy is no way to a service on this machine.
        let bash = bash.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        let output = bash.stdin(Stdio::null()).output().expect("bash is everywhere");
        String::from_utf8(output.stdout).expect("it prints text").replace(&self.address, ADDRESS)
    }
}

/// The pages with examples, by their paths from the top of the repository.
fn pages() -> Vec<String> {
    let docs = fs::read_dir(top().join("docs")).expect("there are documents");
    let names = docs.map(|entry| entry.expect("they can be read").file_name());
    let docs = names.map(|name| format!("docs/{}", name.to_string_lossy()));
    std::iter::once("README.md".to_owned()).chain(docs).collect()
}

/// A page that no other test is writing.
fn page(name: &str) -> String {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    read(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(top().join(name)).expect("the page is there")
}

fn top() -> PathBuf {
    // Asked for when the test runs: a build folder may be shared by several checkouts.
    let top = std::env::var_os("CARGO_MANIFEST_DIR");
    top.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf(), PathBuf::from)
}

/// A certificate made for this test; its key was not kept.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBfDCCASGgAwIBAgIUF3H5g0foEjVfWRBxTn9eRU6f2M0wCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjMxOTU3MDBaGA8yMTI2MTAzMDE5
NTcwMFowEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABB/AZXzOO20QoWzUn+slFiCKZqX1BCzWiJ6Oj+raCtkPKyK5zLEqoSnkmHV9
I3uMq771Hvo47JY5COReQPE6O+ijUzBRMB0GA1UdDgQWBBSbwp78Nlw3RJ1mNhy2
wByGQ8B4BDAfBgNVHSMEGDAWgBSbwp78Nlw3RJ1mNhy2wByGQ8B4BDAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC1uNSPJ4SAQBNkpzt9wdR4x1jA
FbXxjY86QS8g2eDc+wIhALfZAnspfkP9HDl0WNv4To6hhGvwg85P3RReg+BFaDli
-----END CERTIFICATE-----
";

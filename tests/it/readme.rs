//! The README: every example in it is true, and its tables are those of the program.
//!
//! A block marked `console` holds commands, each after `$ ` (and `> ` on the lines that continue
//! it), and below each what it prints. They are run by bash as they stand, with `wintag` on the
//! path and the address `127.0.0.1:8080` replaced by that of a service which never asks a registry,
//! on a day that does not pass. The program itself follows the day, so that the outputs of its
//! commands must be of what is long decided. Blocks that cannot be run so are marked `sh`.
//!
//! With the variable `WINTAG_BLESS` set, the test writes the outputs and the table of settings
//! anew.

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
use wintag::telemetry::{
    AnswerSource, CacheLayer, CacheResult, HttpVersion, Method, Metrics, Operation,
    ResolutionOutcome, UpstreamOutcome,
};

use crate::support::service::WINTAG;
use crate::support::still_service::StillService;

/// The address of the service on the page.
const ADDRESS: &str = "127.0.0.1:8080";
/// What begins a block of examples, and what ends every block.
const CONSOLE: &str = "```console";
const FENCE: &str = "```";
/// The heading of the table of settings, and the line below it.
const SETTINGS: &str =
    "| option | variable | file key | default | meaning |\n|---|---|---|---|---|\n";

/// The heading of the table of metrics, and the line below it.
const METRICS: &str = "| metric | type | labels | meaning |\n|---|---|---|---|\n";

/// Tests that bless write the same file.
static WRITING: Mutex<()> = Mutex::new(());

#[test]
fn every_example_prints_what_the_readme_shows() {
    let service = StillService::start();
    let shell = Shell::new(service.address());
    correct(|readme| {
        let mut lines = readme.lines().peekable();
        let mut corrected = String::new();
        let mut push = |line: &str| corrected.extend([line, "\n"]);
        while let Some(line) = lines.next() {
            push(line);
            if line != CONSOLE {
                continue;
            }
            while let Some(line) = lines.next_if(|line| *line != FENCE) {
                // What is not a command is an output of before.
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
    });
}

#[test]
fn the_table_of_settings_is_that_of_the_options() {
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").expect("wintag serves");
    let table: String =
        serve.get_arguments().filter(|arg| arg.get_env().is_some()).map(row_of_setting).collect();
    correct(|readme| {
        let (before, from_table) =
            readme.split_once(SETTINGS).expect("the README has a table of settings");
        let rows = from_table.split_inclusive('\n').take_while(|line| line.starts_with('|'));
        let after = &from_table[rows.map(str::len).sum()..];
        format!("{before}{SETTINGS}{table}{after}")
    });
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
    metrics.tell_flights(CacheLayer::Tags, 0, 0);
    metrics.tell_circuit("r", false);
    metrics.tell_refresh("r", 0.0);
    metrics.tell_data_ages([("r", "a/b", 0.0)].into_iter());
    let text = metrics.text().expect("it can be written");
    let rows: String = text
        .lines()
        .filter_map(|line| row_of_metric(line.strip_prefix("# HELP ")?, &text))
        .collect();
    correct(|readme| {
        let (before, from_table) =
            readme.split_once(METRICS).expect("the README has a table of metrics");
        let old = from_table.split_inclusive('\n').take_while(|line| line.starts_with('|'));
        let after = &from_table[old.map(str::len).sum()..];
        [before, METRICS, &rows, after].concat()
    });
}

#[test]
fn the_words_of_labels_are_in_the_readme() {
    let readme = readme();
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
    let (_, paragraph) = readme
        .split_once("Labels have closed sets of values.")
        .expect("the README tells of labels");
    let (paragraph, _) = paragraph.split_once("\n\n").expect("the paragraph ends");
    // The methods that paths take are told with the paths.
    for word in
        words.concat().into_iter().filter(|word| !["GET", "HEAD", "POST", "OPTIONS"].contains(word))
    {
        assert!(paragraph.contains(&format!("`{word}`")), "{word}");
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
    let readme = readme();
    let (_, block) = readme.split_once("```toml\n").expect("the README has a configuration file");
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
                "the configuration file of the README does not have {key}"
            );
        }
    }
}

#[test]
fn every_path_has_an_example() {
    let paths = Shell::new(ADDRESS).output_of("wintag openapi");
    let document: serde_json::Value = serde_json::from_str(&paths).expect("it is JSON");
    let readme = readme();
    let examples: Vec<&str> = readme.lines().filter(|line| line.starts_with("$ curl")).collect();
    let documented =
        document["paths"].as_object().expect("a document has paths").keys().map(String::as_str);
    for path in documented.chain(["/swagger-ui/"]) {
        let address = format!("http://{ADDRESS}{path}");
        let is_of_path = |line: &&&str| {
            line.split(&address).nth(1).is_some_and(|rest| rest.starts_with(['?', '\'']))
        };
        assert!(
            examples.iter().any(|line| is_of_path(&line)),
            "the README has no example of {path}"
        );
    }
}

#[test]
fn the_table_of_errors_has_every_code() {
    let readme = readme();
    let rows: Vec<&str> =
        readme.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5")).collect();
    assert_eq!(rows.len(), ProblemKind::ALL.len());
    for kind in ProblemKind::ALL {
        let row = format!("| {} | `{}` | ", kind.status(), kind.code());
        assert!(rows.iter().any(|line| line.starts_with(&row)), "the README has no row {row}");
    }
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let readme = readme();
    let is_kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    let anchor_of = |heading: &str| {
        heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
    };
    let anchors: Vec<String> = readme
        .lines()
        .filter_map(|line| Some(anchor_of(line.trim_start_matches('#').strip_prefix(' ')?)))
        .collect();
    for target in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let leads_somewhere = match target.strip_prefix('#') {
            Some(anchor) => anchors.iter().any(|known| known == anchor),
            None => target.starts_with("https://") || top().join(target).exists(),
        };
        assert!(leads_somewhere, "{target}");
    }
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
    let (meaning, default) = match help.split_once(" [default: ") {
        Some((meaning, default)) => (meaning, format!("`{}`", default.trim_end_matches(']'))),
        None => (help.as_str(), "none".to_owned()),
    };
    let key = file_key(arg);
    let key = if key == "none" { key } else { format!("`{key}`") };
    format!("| `--{option}{value}` | `{variable}` | {key} | {default} | {meaning} |\n")
}

/// The key of the configuration file that is the same setting.
fn file_key(arg: &Arg) -> String {
    match arg.get_long() {
        Some("config") => "none".to_owned(),
        Some("mirror") => "registries.NAME.mirror".to_owned(),
        other => other.expect("every setting is an option").replace('-', "_"),
    }
}

/// Compares the README with what it should be, or writes it when blessing.
#[track_caller]
fn correct(corrected: impl FnOnce(&str) -> String) {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let readme = readme();
    let corrected = corrected(&readme);
    if std::env::var_os("WINTAG_BLESS").is_some() {
        fs::write(top().join("README.md"), corrected).expect("the repository is writable");
        return;
    }
    let differing =
        readme.lines().zip(corrected.lines()).enumerate().find(|(_, (old, new))| old != new);
    if let Some((at, (old, new))) = differing {
        panic!(
            "README.md:{}: run the test with WINTAG_BLESS=1\n  has   {old}\n  wants {new}",
            at + 1
        );
    }
    assert_eq!(
        readme.lines().count(),
        corrected.lines().count(),
        "README.md is shorter or longer than it should be"
    );
}

/// Runs commands as a reader of the README would.
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

    /// What a terminal would show: data and talk, in the order they are written.
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

fn readme() -> String {
    fs::read_to_string(top().join("README.md")).expect("there is a README")
}

fn top() -> PathBuf {
    // Asked for when the test runs: a build folder may be shared by several checkouts.
    let top = std::env::var_os("CARGO_MANIFEST_DIR");
    top.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf(), PathBuf::from)
}

/// A certificate made for this test; nobody has its key.
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

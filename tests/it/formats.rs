//! The formats of `/resolve`: their exact bytes, and what the tools make of them that read them.
//!
//! Shells read them here. GitHub Actions, Azure Pipelines and GitLab are not to be had on one
//! machine: their readers are written after the pages named below. `tests/formats-check` has the
//! readers of files.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use reqwest::StatusCode;
use wintag::api::choices::Format;

use crate::support::service::{Service, WINTAG};

/// A question whose digest is known without a registry, as parameters and as options.
const PROVEN: &str = "image=servercore&host=10.0.20348.2113&pin=build";
const PROVEN_OPTIONS: [&str; 6] =
    ["resolve", "servercore", "--host", "10.0.20348.2113", "--pin", "build"];
/// One whose digest is not.
const MOVING: &str = "image=nanoserver&host=16299";

/// What each format gives for [`PROVEN`].
const TEXTS: [(&str, &str); 11] = [
    ("tag", "10.0.20348.2113\n"),
    ("reference", "mcr.microsoft.com/windows/servercore:10.0.20348.2113\n"),
    (
        "pinned",
        "mcr.microsoft.com/windows/servercore:10.0.20348.2113@sha256:\
         308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a\n",
    ),
    ("env", VARIABLES),
    ("github", VARIABLES),
    (
        "azure",
        "\
##vso[task.setvariable variable=WINDOWS_TAG;isOutput=true]10.0.20348.2113
##vso[task.setvariable \
         variable=WINDOWS_IMAGE;isOutput=true]mcr.microsoft.com/windows/servercore:10.0.20348.2113
##vso[task.setvariable \
         variable=WINDOWS_DIGEST;isOutput=true]sha256:\
         308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a
##vso[task.setvariable variable=WINDOWS_BUILD;isOutput=true]10.0.20348
##vso[task.setvariable variable=WINDOWS_ISOLATION;isOutput=true]process
",
    ),
    (
        "powershell",
        "\
$env:WINDOWS_TAG='10.0.20348.2113'
$env:WINDOWS_IMAGE='mcr.microsoft.com/windows/servercore:10.0.20348.2113'
$env:WINDOWS_DIGEST='sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a'
$env:WINDOWS_BUILD='10.0.20348'
$env:WINDOWS_ISOLATION='process'
",
    ),
    (
        "dockerfile",
        "ARG WINDOWS_TAG=10.0.20348.2113\nFROM \
         mcr.microsoft.com/windows/servercore:${WINDOWS_TAG}\n",
    ),
    (
        "compose",
        "\
services:
  windows:
    image: mcr.microsoft.com/windows/servercore:10.0.20348.2113
    isolation: process
",
    ),
    (
        "swarm",
        "\
version: \"3.8\"
services:
  windows:
    image: mcr.microsoft.com/windows/servercore:10.0.20348.2113
    isolation: process
    deploy:
      placement:
        constraints:
          - node.labels.windows.build==20348
",
    ),
    (
        "kubernetes",
        "\
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: windows-20348
handler: runhcs-wcow-process
scheduling:
  nodeSelector:
    kubernetes.io/os: \"windows\"
    node.kubernetes.io/windows-build: \"10.0.20348\"
  tolerations:
    - key: os
      operator: Equal
      value: windows
      effect: NoSchedule
---
apiVersion: v1
kind: Pod
metadata:
  name: windows-20348
spec:
  os:
    name: windows
  nodeSelector:
    kubernetes.io/os: \"windows\"
    node.kubernetes.io/windows-build: \"10.0.20348\"
  tolerations:
    - key: os
      operator: Equal
      value: windows
      effect: NoSchedule
  containers:
    - name: main
      image: \"mcr.microsoft.com/windows/servercore:10.0.20348.2113\"
",
    ),
];

const VARIABLES: &str = "\
WINDOWS_TAG=10.0.20348.2113
WINDOWS_IMAGE=mcr.microsoft.com/windows/servercore:10.0.20348.2113
WINDOWS_DIGEST=sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a
WINDOWS_BUILD=10.0.20348
WINDOWS_ISOLATION=process
";

/// What the variables are for [`PROVEN`].
fn variables() -> BTreeMap<String, String> {
    VARIABLES.lines().map(|line| pair(line.split_once('=').expect("a name and a value"))).collect()
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The words of all formats that are text.
pub fn words() -> Vec<&'static str> {
    Format::all().filter(|format| *format != Format::Json).map(Format::as_str).collect()
}

fn wintag(options: &[&str], format: &str) -> Output {
    let mut command = Command::new(WINTAG);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINTAG_")) {
        command.env_remove(name);
    }
    command
        .args(options)
        .args(["--offline", "--format", format])
        .output()
        .expect("wintag was built")
}

#[tokio::test]
async fn every_format_has_these_bytes_over_http_and_on_the_command_line() {
    let service = Service::offline();
    assert_eq!(TEXTS.map(|(word, _)| word).as_slice(), words(), "each format is here");
    for (word, text) in TEXTS {
        let answer = service.get(&format!("/resolve?{PROVEN}&format={word}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}: {}", answer.text);
        assert_eq!(answer.text, text, "{word}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{word}");
        let canonical = answer.header("content-location").to_owned();
        assert!(canonical.ends_with(&format!("&format={word}")), "{canonical}");
        assert_eq!(service.get(&canonical).await.text, text, "{canonical}");
    }
    let document = service.json("/openapi.json").await;
    let parameters =
        document["paths"]["/resolve"]["get"]["parameters"].as_array().expect("parameters");
    let format = parameters
        .iter()
        .find(|parameter| parameter["name"] == "format")
        .expect("it is documented");
    let all: Vec<&str> = Format::all().map(Format::as_str).collect();
    assert_eq!(format["schema"]["enum"], serde_json::json!(all));
    for word in all {
        assert!(
            format["description"].as_str().is_some_and(|text| text.contains(&format!("`{word}`"))),
            "{word}"
        );
    }
    // Last, because the connection to the service waits meanwhile.
    for (word, text) in TEXTS {
        let printed = wintag(&PROVEN_OPTIONS, word);
        assert_eq!(String::from_utf8_lossy(&printed.stdout), text, "{word}: {printed:?}");
    }
}

#[tokio::test]
async fn a_digest_that_is_not_known_is_empty_or_a_problem() {
    let service = Service::offline();
    let text = service.get(&format!("/resolve?{MOVING}&format=env")).await.text;
    assert!(text.contains("\nWINDOWS_DIGEST=\n"), "{text}");

    let answer = service.get(&format!("/resolve?{MOVING}&format=pinned")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.text, "error: upstream-unavailable: registry unavailable\n");
    assert_eq!(answer.header("retry-after"), "30");
    let ended = wintag(&["resolve", "nanoserver", "--host", "16299"], "pinned");
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(4), &b""[..]));
    let talk = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        talk.contains("nanoserver:1709: the digest is unknown")
            && talk.contains("format=reference"),
        "{talk}"
    );
}

#[tokio::test]
async fn a_failure_is_one_line_and_a_status_in_every_format() {
    let service = Service::offline();
    for word in words() {
        for (question, line) in [
            (
                "image=nanoserver&host=foo",
                "error: unknown-host: the host is not a Windows version that runs containers\n",
            ),
            (
                "image=windows&host=16299",
                "error: no-compatible-tag: no tag of the image runs on the host as requested\n",
            ),
            (
                "image=%24%28id%29&host=16299&pin=%60id%60",
                "error: invalid-parameter: invalid parameter - image: not-allowed - pin: \
                 not-allowed: one of release kb build\n",
            ),
            (
                "image=iis&host=16299&%24%28id%29=1&_=1",
                "error: invalid-parameter: invalid parameter - unknown-parameter - \
                 unknown-parameter\n",
            ),
        ] {
            let answer = service.get(&format!("/resolve?{question}&format={word}")).await;
            assert!(answer.status.is_client_error(), "{word} {question}: {}", answer.status);
            assert_eq!(answer.text, line, "{word} {question}");
        }
    }
}

/// Runs a script in a shell with the address of the service as `$WINTAG`, in an empty folder.
fn run(shell: &str, script: &str, service: &Service) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(shell);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDOWS_")) {
        command.env_remove(name);
    }
    let command = command.args(["-c", script]).current_dir(folder.path()).stdin(Stdio::null());
    let command =
        command.env("WINTAG", format!("http://{}", service.address())).env("NO_PROXY", "127.0.0.1");
    let output = command.output().unwrap_or_else(|error| panic!("{shell}: {error}"));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[tokio::test]
async fn shells_read_them() {
    let service = Service::offline();
    let show = concat!(
        r#"printf '%s %s %s\n' "$WINDOWS_IMAGE@$WINDOWS_DIGEST" "$WINDOWS_BUILD" "#,
        r#""$WINDOWS_ISOLATION""#,
    );
    let shown = format!("{} 10.0.20348 process\n", TEXTS[2].1.trim_end());
    let ask = |word: &str| format!("curl -fsS \"$WINTAG/resolve?{PROVEN}&format={word}\"");
    let env = ask("env");
    for shell in ["bash", "dash"] {
        for script in [
            format!("set -eu; {env} >w.env; . ./w.env; {show}"),
            format!("set -eu; eval \"$({env})\"; {show}"),
            format!(
                "set -eu; {env} >w.env; set -a; . ./w.env; set +a; {shell} -uc '{}'",
                show.replace('\'', "'\\''")
            ),
            format!("set -eu; export $({env}); {show}"),
            format!(
                "set -eu; while IFS='=' read -r name value; do export \"$name=$value\"; done \
                 <<EOF\n$({env})\nEOF\n{show}"
            ),
        ] {
            assert_eq!(run(shell, &script, &service), shown, "{shell}: {script}");
        }
        for word in ["tag", "reference", "pinned"] {
            let expected = TEXTS.iter().find(|(name, _)| *name == word).expect("it is there").1;
            assert_eq!(
                run(shell, &format!("set -eu; x=$({}); echo \"$x\"", ask(word)), &service),
                expected
            );
        }
        // A failure stops a script, and leaves nothing in the variable.
        let wrong = ask("tag").replace("servercore", "nanosever");
        assert_eq!(
            run(shell, &format!("set -e; x=$({wrong} 2>&1); echo went on"), &service),
            "",
            "{shell}"
        );
        assert_eq!(
            run(shell, &format!("x=$({wrong} 2>/dev/null) || echo \"$? <$x>\""), &service),
            "22 <>\n"
        );
    }
}

/// What GitHub Actions reads from `GITHUB_OUTPUT` and `GITHUB_ENV`: lines of `name=value`, or
/// `name<<DELIMITER`, the lines of the value, and the delimiter. Source: docs.github.com, "Workflow
/// commands for GitHub Actions", "Environment files"; empty lines are passed over.
fn read_as_github(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut read = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            _ if line.is_empty() => {}
            (Some(at), heredoc) if heredoc.is_none_or(|heredoc| at < heredoc) => {
                assert!(at > 0, "a name is needed: {line}");
                read.extend([pair((&line[..at], &line[at + 1..]))]);
            }
            (_, Some(at)) => {
                let delimiter = &line[at + 2..];
                let value: Vec<&str> =
                    lines.by_ref().take_while(|line| *line != delimiter).collect();
                read.insert(line[..at].to_owned(), value.join("\n"));
            }
            _ => panic!("GitHub Actions fails with an invalid format: {line}"),
        }
    }
    read
}

/// What Azure Pipelines makes of a line that a step prints: `##vso[area.action
/// property=value;…]text`. Source: learn.microsoft.com, "Logging commands" of Azure Pipelines.
/// Gives the action, the properties and the text.
fn read_as_azure(line: &str) -> Option<(String, BTreeMap<String, String>, String)> {
    let (_, command) = line.split_once("##vso[")?;
    let (head, text) = command.split_once(']')?;
    let (action, properties) = head.split_once(' ').unwrap_or((head, ""));
    let properties = properties.split(';').filter(|part| !part.is_empty());
    let properties = properties
        .map(|part| pair(part.split_once('=').expect("a property has a value")))
        .collect();
    Some((action.to_owned(), properties, text.to_owned()))
}

#[tokio::test]
async fn build_systems_read_them() {
    let service = Service::offline();
    let ask = |word: &str| format!("/resolve?{PROVEN}&format={word}");

    let before = "colour=blue\ntext<<END\na=b\nEND\n";
    let mut read = read_as_github(&format!("{before}{}", service.get(&ask("github")).await.text));
    assert_eq!(read.remove("text").as_deref(), Some("a=b"));
    assert_eq!(read.remove("colour").as_deref(), Some("blue"));
    assert_eq!(read, variables());

    let mut read = BTreeMap::new();
    for line in service.get(&ask("azure")).await.text.lines() {
        let (action, properties, text) = read_as_azure(line).expect("each line is a command");
        assert_eq!(action, "task.setvariable", "{line}");
        assert_eq!(properties["isOutput"], "true", "{line}");
        read.insert(properties["variable"].clone(), text);
    }
    assert_eq!(read, variables());

    // GitLab's reports:dotenv: a name of letters, digits and underscores, no empty line, no
    // comment, no second line. Source: docs.gitlab.com, "artifacts:reports:dotenv".
    for line in service.get(&ask("env")).await.text.lines() {
        let (name, _) = line.split_once('=').expect("a name and a value");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
    }
}

#[tokio::test]
async fn hyper_v_isolation_is_said_in_the_words_of_docker() {
    let service = Service::offline();
    for (word, line) in [("env", "WINDOWS_ISOLATION=hyperv"), ("compose", "    isolation: hyperv")]
    {
        let text =
            service.get(&format!("/resolve?image=servercore&host=19045&format={word}")).await.text;
        assert!(text.lines().any(|has| has == line), "{text}");
    }
}

#[tokio::test]
async fn clusters_get_what_their_platform_allows() {
    let service = Service::offline();
    let get = async |query: &str| service.get(&format!("/resolve?{query}")).await;
    // The build of the node, which is not always that of the image.
    let text = get("image=servercore&host=25398&format=kubernetes").await.text;
    assert!(
        text.contains("windows-build: \"10.0.25398\"") && text.contains("servercore:ltsc2022\""),
        "{text}"
    );
    // Windows Server 2016 needs the very revision, in process isolation only; Kubernetes has no
    // other.
    let text = get("image=servercore&host=10.0.14393.1770&format=kubernetes").await.text;
    assert_eq!(text.matches("wintag/windows-revision: \"1770\"").count(), 2, "{text}");
    assert_eq!(
        get("image=servercore&host=14393&format=kubernetes").await.status,
        StatusCode::NOT_FOUND
    );
    let text = get("image=servercore&host=10.0.14393.1770&format=swarm").await.text;
    assert!(text.contains("- node.labels.windows.revision==1770\n"), "{text}");
    let text =
        get("image=servercore&host=10.0.14393.1770&format=swarm&isolation=hyperv").await.text;
    assert!(text.contains("isolation: hyperv\n") && !text.contains("revision"), "{text}");

    let answer = get("image=servercore&host=20348&format=kubernetes").await;
    assert!(
        answer.header("content-location").contains("&platform=kubernetes&"),
        "{:?}",
        answer.headers
    );
    for (format, own, other) in
        [("kubernetes", "kubernetes", "docker"), ("swarm", "swarm", "kubernetes")]
    {
        let question = format!("image=servercore&host=20348&format={format}&platform=");
        assert_eq!(get(&format!("{question}{own}")).await.status, StatusCode::OK);
        let refused = get(&format!("{question}{other}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(
            refused.text.starts_with("error: invalid-parameter: invalid parameter - platform: "),
            "{}",
            refused.text
        );
    }
}

//! The command line: the same answers, and exit statuses that say how it ended.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::service::{Service, WINTAG};

fn wintag(arguments: &[&str]) -> Output {
    let mut command = Command::new(WINTAG);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINTAG_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("DOCKER_CONFIG", "/nonexistent").output().expect("wintag was built")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("wintag writes text")
}

#[track_caller]
fn check(arguments: &[&str], status: i32, output: &str, talk: &str) {
    let ended = wintag(arguments);
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(status), "{arguments:?}: {stdout}{stderr}");
    assert!(stdout.contains(output), "{arguments:?}: {stdout}");
    assert!(stderr.contains(talk), "{arguments:?}: {stderr}");
}

#[test]
fn exit_statuses_say_how_it_ended() {
    let main_job = ["resolve", "microsoft/nanoserver", "--host", "16299", "--offline"];
    check(&main_job, 0, "\"tag\": \"1709\"", "");
    check(&[&main_job[..], &["--format", "tag"]].concat(), 0, "1709\n", "");
    check(
        &[&main_job[..], &["--format", "reference"]].concat(),
        0,
        "mcr.microsoft.com/windows/nanoserver:1709\n",
        "",
    );
    check(&["check", "nanoserver:1709", "--host", "16299", "--offline"], 0, "\"runs\": true", "");
    check(
        &["check", "nanoserver:ltsc2022", "--host", "16299", "--offline"],
        1,
        "\"runs\": false",
        "",
    );
    check(
        &["resolve", "nanosever", "--host", "16299", "--offline"],
        2,
        "",
        "nanoserver, servercore",
    );
    check(&["resolve", "nanoserver", "--host", "foo", "--offline"], 2, "", "cmd /c ver");
    check(
        &["resolve", "nanoserver", "--host", "16299", "--pin", "x", "--offline"],
        2,
        "",
        "release, kb, build",
    );
    check(&["resolve", "nanoserver"], 2, "", "--host");
    check(
        &["resolve", "nanoserver", "--host", "14393", "--platform", "kubernetes", "--offline"],
        3,
        "",
        "sac2016",
    );
    check(
        &["resolve", "nanoserver", "--host", "16299", "--kb", "KB4043999", "--offline"],
        3,
        "",
        "KB4043961",
    );
    check(
        &["check", "registry.example.com/x:1", "--host", "16299", "--offline"],
        4,
        "",
        "registry.example.com",
    );
    let unreachable = ["--mirror", "mcr.microsoft.com=http://127.0.0.1:9"];
    check(
        &[&["check", "mcr.microsoft.com/dotnet/sdk:8.0", "--host", "16299"], &unreachable[..]]
            .concat(),
        4,
        "",
        "",
    );
    check(&["serve", "--config", "/nonexistent.toml"], 5, "", "/nonexistent.toml");
    check(&["healthcheck", "--listen", "127.0.0.1:9"], 5, "", "127.0.0.1:9");
}

#[test]
fn a_registry_that_is_configured_twice_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    std::fs::write(&config, "[registries.\"a.example\"]\n[registries.\"A.example:443\"]\n")
        .expect("it is writable");
    check(
        &["serve", "--config", config.to_str().expect("the path is text")],
        5,
        "",
        "this registry is configured twice",
    );
}

#[test]
fn what_says_where_knowledge_comes_from_holds_before_and_after_the_command() {
    let job = ["resolve", "nanoserver", "--host", "16299", "--format", "tag"];
    let config = ["--config", "/nonexistent.toml"];
    check(&[&["--offline"], &job[..]].concat(), 0, "1709\n", "");
    check(&[&config[..], &job].concat(), 5, "", "/nonexistent.toml");
    check(&[&config[..], &["serve"]].concat(), 5, "", "/nonexistent.toml");
    // The nearer one wins.
    let unknown = [
        "check",
        "mcr.microsoft.com/dotnet/sdk:8.0",
        "--host",
        "16299",
        "--mirror",
        "mcr.microsoft.com=http://127.0.0.1:9",
    ];
    check(&[&["--offline"], &unknown[..], &["--offline=false"]].concat(), 4, "", "");
    check(&[&["--offline=false"], &unknown[..], &["--offline"]].concat(), 2, "", "");
    // What only the service has would do nothing there.
    check(&[&["--listen", "127.0.0.1:0"], &job[..]].concat(), 2, "", "write it after serve");
    check(&["--listen", "127.0.0.1:0", "serve"], 2, "", "wintag serve --listen");
}

#[test]
fn problems_say_what_to_do_without_a_path_of_the_service() {
    check(&["releases"], 2, "", "wintag serve");
    for arguments in [
        &["check", "nanoserver", "--host", "16299"][..],
        &["check", "nanoserver:ltsc2016", "--host", "16299"],
        &["check", "nanosever:1709", "--host", "16299"],
        &["resolve", "windows/nanosever", "--host", "16299"],
        &["resolve", "nanosever", "--host", "22H2"],
        &["resolve", "nanoserver:1709", "--host", "auto"],
    ] {
        let ended = wintag(&[arguments, &["--offline"]].concat());
        let talk = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{talk}");
        for path in ["/tags", "/resolve", "/check", "/images", "/identify"] {
            assert!(!talk.contains(path), "{talk}");
        }
    }
    // What there is to choose from is listed once.
    let ended = wintag(&["resolve", "nanoserver", "--host", "16299", "--pin", "x", "--offline"]);
    assert_eq!(text(&ended.stderr).matches("release, kb, build").count(), 1);
}

#[test]
fn an_error_text_is_diagnosed_from_a_file_or_standard_input() {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/diagnosis/service-ps-with-host.txt");
    check(&["diagnose", file, "--offline"], 0, "\"tag\": \"windowsservercore-1709\"", "");
    // Standard input is empty here.
    check(&["diagnose", "--offline"], 2, "", "must not be empty");
    check(
        &["diagnose", concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE"), "--offline"],
        1,
        "\"findings\": []",
        "",
    );
    check(&["diagnose", "/nonexistent", "--offline"], 2, "", "No such file");
}

#[tokio::test]
async fn nodes_are_read_from_kubectl_and_docker() {
    let service = Service::offline();
    for (path, list) in [
        ("/kubernetes/nodes", "tests/data/clusters/kubectl-get-nodes.json"),
        ("/kubernetes/nodes", "tests/data/clusters/kubectl-get-nodes-wide.txt"),
        ("/swarm/nodes", "tests/data/clusters/docker-nodes.txt"),
    ] {
        let body = std::fs::read_to_string(list).expect("it is there");
        let path = format!("{path}?image=servercore");
        let answer = service.post_as(&path, "application/json", body).await.json();
        let all_run = answer["groups"]
            .as_array()
            .is_some_and(|groups| groups.iter().all(|group| !group["tag"].is_null()));
        let ended = wintag(&["nodes", "servercore", list, "--offline"]);
        assert_eq!(ended.status.code(), Some(if all_run { 0 } else { 3 }), "{path}");
        let printed: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
        assert_eq!(printed, answer, "{path}");
    }
    let audit = |nodes| {
        let files = "tests/data/audit/files/kubernetes";
        wintag(&["audit", files, "--nodes", nodes, "--format", "json", "--offline"])
    };
    for (nodes, platform_is_kubernetes) in [
        ("tests/data/clusters/kubectl-get-nodes.json", true),
        ("tests/data/clusters/docker-nodes.txt", false),
    ] {
        let output = audit(nodes).stdout;
        assert!(text(&output).contains("10.0.17763"), "{nodes}");
        let isolates = text(&output).contains("\"isolation\": \"hyperv\"");
        assert_eq!(isolates, !platform_is_kubernetes, "{nodes}");
    }
    let ended = audit("README.md");
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("kubectl get nodes -o json"), "{}", text(&ended.stderr));
    check(&["nodes", "servercore", "README.md", "--offline"], 2, "", "kubectl get nodes -o json");
    // A host or node without a tag is a status, also if its version is not known.
    let fleet = ["fleet", "servercore", "--hosts", "ltsc2022,foo", "--offline"];
    check(&fleet, 3, "\"unknown-host\"", "");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unknown = folder.path().join("nodes.json");
    let node = r#"{"ID": "n1", "Description": {"Hostname": "a", "Platform": {"OS": "windows"}}}"#;
    std::fs::write(&unknown, node).expect("it is writable");
    let unknown = unknown.to_str().expect("the path is text");
    check(&["nodes", "servercore", unknown, "--offline"], 3, "\"version-unknown\"", "");
    std::fs::write(unknown, r#"{"kind": "List", "items": []}"#).expect("it is writable");
    check(&["nodes", "servercore", unknown, "--offline"], 3, "the list has no Windows node", "");
    let table = "tests/data/clusters/kubectl-get-nodes-wide.txt";
    check(
        &["nodes", "servercore", table, "--offline", "--format", "markdown"],
        0,
        "| windows | hosts | tag |",
        "",
    );
    check(
        &[
            "fleet",
            "nanoserver:1709",
            "--hosts",
            "1607,1709",
            "--platform",
            "kubernetes",
            "--offline",
        ],
        3,
        "\"tag\": \"1709\"",
        "",
    );
}

#[test]
fn a_fleet_of_the_configuration_stands_for_its_hosts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    let config = config.to_str().expect("the path is text");
    let write = |text: &str| std::fs::write(config, text).expect("it is writable");
    let with = |arguments: &str| {
        let arguments = arguments.split(' ').chain(["--config", config, "--offline"]);
        wintag(&arguments.collect::<Vec<_>>())
    };
    write("[fleets.prod]\nhosts = ['ltsc2019', '20348.2113']\n[fleets.lab]\nhosts = ['ltsc2025']");
    for (command, hosts) in [
        ("fleet servercore", "ltsc2019,20348.2113"),
        ("matrix --images ltsc2022", "ltsc2019,20348.2113"),
        ("audit tests/data/audit/files/docker", "ltsc2019,20348.2113"),
    ] {
        let (named, listed) =
            (with(&format!("{command} --fleet prod")), with(&format!("{command} --hosts {hosts}")));
        assert!(!named.stdout.is_empty(), "{}", text(&named.stderr));
        assert_eq!(text(&named.stdout), text(&listed.stdout), "{command}");
    }
    for (arguments, message) in [
        ("fleet servercore --fleet test", "the fleets of the configuration file are lab, prod"),
        ("fleet servercore --fleet prod --hosts ltsc2022", "give hosts or fleet, not both"),
        ("fleet servercore", "is required, for example hosts=ltsc2019,ltsc2022"),
    ] {
        let ended = with(arguments);
        assert_eq!(ended.status.code(), Some(2), "{arguments}");
        assert!(text(&ended.stderr).contains(message), "{arguments}: {}", text(&ended.stderr));
    }
    for (fleet, message) in [
        ("[fleets.prod]\nhosts = ['ltsc2019', 'linux']", "fleets.prod"),
        ("[fleets.prod]\nhosts = ['22H2']", "could be several Windows versions"),
        ("[fleets.prod]\nhosts = []", "must have 1 to 64 items"),
        ("[fleets.'a b']\nhosts = ['ltsc2019']", "the name must have 1 to 64 letters"),
        ("[fleets.prod]\nhost = ['ltsc2019']", "unknown field `host`"),
    ] {
        write(fleet);
        let ended = with("matrix");
        assert_eq!(ended.status.code(), Some(5), "{fleet}");
        assert!(text(&ended.stderr).contains(message), "{fleet}: {}", text(&ended.stderr));
    }
}

#[test]
fn a_refused_answer_leaves_standard_output_empty() {
    let ended =
        wintag(&["resolve", "nanosever", "--host", "16299", "--offline", "--format", "tag"]);
    assert_eq!(text(&ended.stdout), "");
}

#[tokio::test]
async fn it_prints_what_the_service_answers() {
    let service = Service::offline();
    let served = service.json("/resolve?image=servercore&host=10.0.14393.1770&pin=build").await;
    let ended = wintag(&[
        "resolve",
        "servercore",
        "--host",
        "10.0.14393.1770",
        "--pin",
        "build",
        "--offline",
    ]);
    let printed: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    assert_eq!(printed, served);

    for (path, arguments) in [
        (
            "/fleet?image=servercore&hosts=ltsc2019,ltsc2022",
            "fleet servercore --hosts ltsc2019,ltsc2022",
        ),
        (
            "/hosts?image=nanoserver:1809&platform=kubernetes",
            "hosts nanoserver:1809 --platform kubernetes",
        ),
        ("/tags?image=servercore&build=20348&limit=2", "tags servercore --build 20348 --limit 2"),
        ("/identify?host=21H2&host_type=client", "identify 21H2 --host-type client"),
        ("/matrix?hosts=1809&images=ltsc2022", "matrix --hosts 1809 --images ltsc2022"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--offline"]).collect();
        let ended = wintag(&arguments);
        assert_eq!(ended.status.code(), Some(0), "{path}");
        let printed: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
        assert_eq!(printed, service.json(path).await, "{path}");
    }

    let document = service.json("/openapi.json").await;
    let printed: Value = serde_json::from_slice(&wintag(&["openapi"]).stdout).expect("it is JSON");
    assert_eq!(printed, document);
}

#[tokio::test]
async fn a_health_check_asks_the_service() {
    let service = Service::offline();
    check(&["healthcheck", "--listen", service.address()], 0, "", "");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    std::fs::write(&config, format!("listen = {:?}\n", service.address())).expect("it is writable");
    let config = config.to_str().expect("the path is text");
    check(&["healthcheck", "--config", config], 0, "", "");
    check(&["healthcheck", "--config", config, "--listen", "127.0.0.1:9"], 5, "", "127.0.0.1:9");
    check(&["healthcheck", "--config", "/nonexistent.toml"], 5, "", "/nonexistent.toml");
}

#[test]
fn help_teaches() {
    for command in [
        "",
        "serve",
        "resolve",
        "check",
        "fleet",
        "hosts",
        "tags",
        "identify",
        "matrix",
        "diagnose",
        "audit",
        "openapi",
        "healthcheck",
    ] {
        let arguments: Vec<&str> =
            [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let ended = wintag(&arguments);
        let help = text(&ended.stdout);
        assert_eq!(ended.status.code(), Some(0));
        let example = format!(
            "Examples:\n  wintag {}",
            match command {
                "" => "serve",
                other => other,
            }
        );
        assert!(help.contains(&example), "{command}: {help}");
        assert!(help.contains("Exit status:"), "{command}: {help}");
    }
    let ended = wintag(&["serve", "--help"]);
    let help = text(&ended.stdout);
    for setting in [
        "WINTAG_LISTEN",
        "WINTAG_MIRROR",
        "WINTAG_OFFLINE",
        "[default: 127.0.0.1:8080]",
        "[default: 15m]",
    ] {
        assert!(help.contains(setting), "{setting}: {help}");
    }
}

#[test]
fn a_flag_beats_a_variable_beats_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    std::fs::write(&config, "offline = true\nlisten = '127.0.0.1:1'\n").expect("it is writable");
    let config = config.to_str().expect("the path is text");
    // Only root can bind port 1; then the text makes the difference.
    let listens_on = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(WINTAG);
        command
            .args(["serve", "--config", config])
            .args(arguments)
            .env("WINTAG_ADMIN_LISTEN", "off");
        if let Some(variable) = variable {
            command.env("WINTAG_LISTEN", variable);
        }
        let mut process =
            command.stderr(std::process::Stdio::piped()).spawn().expect("wintag was built");
        let talk = std::io::BufReader::new(process.stderr.take().expect("it is piped"));
        let mut lines = std::io::BufRead::lines(talk).map_while(Result::ok);
        let line = lines.find(|line| line.contains("127.0.0.")).expect("it names the address");
        let _ = process.kill();
        let _ = process.wait();
        line
    };
    assert!(listens_on(&[], None).contains("127.0.0.1:1"), "the file");
    assert!(listens_on(&[], Some("127.0.0.2:0")).contains("127.0.0.2:"), "the variable");
    assert!(
        listens_on(&["--listen", "127.0.0.3:0"], Some("127.0.0.2:0")).contains("127.0.0.3:"),
        "the flag"
    );
}

#[test]
fn an_empty_variable_is_not_set_and_a_flag_may_take_back_what_the_file_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    std::fs::write(&config, "offline = true\n").expect("it is writable");
    let config = config.to_str().expect("the path is text");
    let unknown =
        ["check", "mcr.microsoft.com/dotnet/sdk:8.0", "--host", "16299", "--config", config];
    let unreachable = ["--mirror", "mcr.microsoft.com=http://127.0.0.1:9"];
    // Offline, the image is unknown; otherwise the registry is queried and unreachable.
    check(&unknown, 2, "", "offline");
    check(&[&unknown[..], &unreachable[..], &["--offline=false"]].concat(), 4, "", "");
    for (variable, status) in [("false", 4), ("0", 4), ("1", 2), ("", 2)] {
        let mut command = Command::new(WINTAG);
        command
            .args(unknown)
            .args(unreachable)
            .env("WINTAG_OFFLINE", variable)
            .env("WINTAG_LISTEN", "");
        let ended = command.output().expect("wintag was built");
        assert_eq!(ended.status.code(), Some(status), "{variable:?}: {}", text(&ended.stderr));
    }
}

#[test]
fn a_call_of_the_service_is_no_command() {
    for call in ["releases", "images", "renovate"] {
        let output = wintag(&[call]);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{talk}");
        assert!(talk.contains("are calls of the service") && !talk.contains("similar"), "{talk}");
    }
}

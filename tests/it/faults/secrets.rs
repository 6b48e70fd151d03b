//! O01, O02, X18: what must not be seen is seen nowhere, and hostile text does no harm in logs.

use std::path::Path;

use super::bed::{Bed, check_of, resolve_of, tags_of};
use crate::support::collector::Collector;
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry, closed_address};
use crate::support::raw_client::exchange;
use crate::support::service::{Answer, Service, WINTAG};

/// What each place holds that can hold a secret. All have this in them, whole or in base64.
const IN_PASSWORD_FILE: &str = "canary-in-password-file";
const IN_DOCKER_CONFIG: &str = "canary-in-docker-config";
const IN_TOKEN: &str = "canary-in-token";
const IN_REQUEST: &str = "canary-in-request";
const IN_IMAGE: &str = "canary-in-image";
const IN_COLLECTOR_HEADERS: &str = "canary-in-collector-headers";
const CANARY: &str = "canary-in-";

/// `canary-in-` in base64, from wherever it may begin within three bytes; the last characters of it
/// depend on what is beside it and are left out.
const CANARY_IN_BASE64: [&str; 3] = ["Y2FuYXJ5LWlu", "NhbmFyeS1pbi", "jYW5hcnktaW4t"];

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
}

/// A registry that gives tokens to those with this password, and shows those what they sent in
/// every place of an answer that is not good.
fn indiscreet(asked: &Asked, basic: &str, holdings: &Holdings) -> Behaviour {
    let shown = asked.header("authorization").to_owned();
    if asked.path() == "/token" {
        return match shown == format!("Basic {basic}") {
            true => Behaviour::json(format!(r#"{{"token":"{IN_TOKEN}","expires_in":300}}"#)),
            false => Behaviour::status(401),
        };
    }
    if shown != format!("Bearer {IN_TOKEN}") {
        let realm = format!("http://{}/token", asked.header("host"));
        return Behaviour::unauthorized(&format!(r#"Bearer realm="{realm}",service="x""#));
    }
    let repository = asked.path().split('/').nth(3).unwrap_or_default().to_owned();
    let with_status =
        |status| Response::new(status, shown.clone()).header("x-shown", shown.clone());
    match repository.as_str() {
        "good" => holdings.answer(asked),
        "moved" => with_status(307).header("location", format!("http://127.0.0.1/?{shown}")).into(),
        "garbage" => {
            Response::json(shown.clone()).header("link", format!("<{shown}>; rel=next")).into()
        }
        "broken" => Behaviour::Raw(format!("HTTP/1.1 {shown}\r\n\r\n").into_bytes()),
        "cut" => Behaviour::ResetAfter(with_status(200), 30),
        status => with_status(status.parse().unwrap_or(404)).into(),
    }
}

/// Where a secret is found in this.
fn assert_discreet(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for part in [CANARY].iter().chain(&CANARY_IN_BASE64) {
        if let Some(at) = text.find(part) {
            let around: String = text
                .chars()
                .skip(text[..at].chars().count().saturating_sub(200))
                .take(400)
                .collect();
            panic!("{place}: {around}");
        }
    }
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).expect("the folder is writable");
    path.to_str().expect("its name is text").to_owned()
}

#[tokio::test]
async fn o01_planted_secrets_are_seen_nowhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let holdings = Holdings::usual();
    let start = async |user: &str, password: &str| {
        let (basic, holdings) = (basic(user, password), holdings.clone());
        MisbehavingRegistry::start(move |asked| indiscreet(asked, &basic, &holdings)).await
    };
    let (one, two) =
        (start("reader", IN_PASSWORD_FILE).await, start("docker", IN_DOCKER_CONFIG).await);
    let password = write(&folder.path().join("password"), &format!("{IN_PASSWORD_FILE}\n"));
    let auth = basic("docker", IN_DOCKER_CONFIG);
    let docker = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, two.authority());
    let docker = write(&folder.path().join("docker.json"), &docker);
    let config = format!(
        "[registries.\"one.example\"]\nmirror = \"http://{}\"\nusername = \"reader\"\n\
        password_file = \"{password}\"\n\
         [registries.\"two.example\"]\nmirror = \"http://{}\"\n[registries.\"down.example\"]\n\
                       mirror = \"http://{}\"\n",
        one.authority(),
        two.authority(),
        closed_address()
    );
    let config = write(&folder.path().join("wintag.toml"), &config);
    let state = folder.path().join("state");
    let collector = Collector::start();
    let headers =
        format!("authorization=Bearer%20{IN_COLLECTOR_HEADERS},x-key={IN_COLLECTOR_HEADERS}");
    let mut variables = collector.variables("1").to_vec();
    variables.push(("OTEL_EXPORTER_OTLP_HEADERS", headers));
    variables.push(("WINTAG_LOG", "trace".to_owned()));
    variables.push(("RUST_LOG", "trace".to_owned()));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let state_dir = state.to_str().expect("its name is text");
    let options = [
        "--config",
        &config,
        "--docker-config",
        &docker,
        "--state-dir",
        state_dir,
        "--admin-listen",
        "127.0.0.1:0",
    ];
    let service = Service::start_in(&options, &variables);

    let inbound = format!("Bearer {IN_REQUEST}");
    let inbound = [
        ("authorization", &*inbound),
        ("proxy-authorization", &*inbound),
        ("cookie", IN_REQUEST),
        ("x-api-key", IN_REQUEST),
    ];
    let check = |answer: &Answer| {
        assert_discreet("an answer", format!("{:?} {}", answer.headers, answer.text).as_bytes());
    };
    let mut answered = 0;
    for registry in ["one.example", "two.example", "down.example"] {
        for repository in ["good", "moved", "garbage", "broken", "cut", "403", "404", "429"] {
            let image = format!("{registry}/x/{repository}");
            for path in [
                format!("/tags?image={image}"),
                format!("/check?image={image}:ltsc2022&host=20348"),
                format!("/resolve?image={image}&host=20348"),
                format!("/resolve?image=reader:{IN_IMAGE}@{image}&host=20348"),
                format!("/check?image=https://reader:{IN_IMAGE}@{image}&host={IN_IMAGE}"),
            ] {
                let answer = service.send("GET", &path, &inbound).await;
                answered += usize::from(answer.status.is_success());
                check(&answer);
            }
        }
    }
    assert_eq!(answered, 6, "the good repositories of both registries are answered");
    for path in ["/metrics", "/readyz?verbose", "/livez", "/nothing"] {
        check(&service.ask_admin("GET", path, &inbound).await);
    }
    for path in ["/openapi.json", "/nothing", "/livez"] {
        check(&service.send("POST", path, &inbound).await);
    }
    let said = service.terminate_and_tell();
    assert!(said.iter().any(|line| line.contains("TRACE")), "it says everything");
    assert_discreet("the log", said.join("\n").as_bytes());
    let traces = collector.everything();
    assert!(traces.windows(8).any(|window| window == b"/resolve"), "there are traces");
    assert_discreet("the traces", &traces);
    let snapshot = std::fs::read(state.join("catalogue.snapshot")).expect("there is a snapshot");
    assert!(
        !snapshot.windows(8).any(|window| window == b".example"),
        "what they opened is private"
    );
    assert_discreet("the snapshot", &snapshot);
    // The secrets were in use.
    let shown = |registry: &MisbehavingRegistry, basic: &str| {
        registry
            .requests()
            .iter()
            .any(|asked| asked.header("authorization") == format!("Basic {basic}"))
    };
    assert!(shown(&one, &basic("reader", IN_PASSWORD_FILE)) && shown(&two, &auth));
}

#[test]
fn o01_settings_that_are_refused_are_not_repeated_with_their_secrets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mirror = format!("http://reader:{CANARY}@127.0.0.1:5000");
    let in_file = format!("[registries.\"one.example\"]\nmirror = \"{mirror}\"\n");
    let in_file = write(&folder.path().join("mirror.toml"), &in_file);
    let password = format!("[registries.\"one.example\"]\npassword = \"{CANARY}\"\n");
    let password = write(&folder.path().join("password.toml"), &password);
    let option = format!("one.example={mirror}");
    for (arguments, variable) in [
        (&["--mirror", &*option][..], ""),
        (&[], &*option),
        (&["--config", &in_file], ""),
        (&["--config", &password], ""),
    ] {
        let mut command = std::process::Command::new(WINTAG);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "off"]).args(arguments);
        command.env("WINTAG_FACTS_FROM", "none");
        let output = command.env("WINTAG_MIRROR", variable).output().expect("wintag was built");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
        assert_discreet("what it says", &[output.stdout, output.stderr].concat());
    }
}

/// What would do something in a terminal or a log viewer, as bytes of a header and in the query of
/// a URL.
const HOSTILE: &str = "\u{2028}x\u{202e}y\u{9b}31mz\u{2066}";

#[tokio::test]
async fn o02_hostile_text_stays_within_one_line_of_the_log() {
    for format in ["json", "text"] {
        let body =
            format!(r#"{{"errors":[{{"code":"\r\n\u001b[31m{HOSTILE}","message":"{HOSTILE}"}}]}}"#);
        let registry = MisbehavingRegistry::start(move |asked| {
            let status = if asked.path().contains("/0/") { 400 } else { 200 };
            Response::new(status, format!("{body}\r\n\u{1b}[31m{HOSTILE}"))
                .header("content-type", HOSTILE)
                .header("docker-content-digest", HOSTILE)
                .header("link", HOSTILE)
                .into()
        })
        .await;
        let bed = Bed::over(registry, "", &["--log-format", format, "--log-level", "trace"]);
        for case in 0..2 {
            for question in [tags_of(case), check_of(case), resolve_of(case)] {
                bed.get(&question).await;
            }
        }
        let encoded: String =
            url::form_urlencoded::byte_serialize(format!("\r\n\u{1b}[31m{HOSTILE}").as_bytes())
                .collect();
        for query in [
            format!("image={encoded}&host={encoded}"),
            format!("image=c0.example/{encoded}&host=20348"),
        ] {
            for raw in ["", HOSTILE] {
                let request = format!(
                    "GET /resolve?{query}{raw} HTTP/1.1\r\nhost: x\r\nuser-agent: \
                     {HOSTILE}\r\n\r\n"
                );
                let answer = exchange(bed.service.address(), request).await;
                assert!(answer.is_none_or(|answer| (400..500).contains(&answer.status)));
            }
        }
        let Bed { service, .. } = bed;
        let said = service.terminate_and_tell();
        let is_hostile = |character: char| {
            character.is_control() || HOSTILE.contains(character) && !character.is_ascii()
        };
        let mut events = 0;
        for line in said.iter().filter(|line| !line.starts_with("wintag: ")) {
            assert!(!line.contains(is_hostile), "{line:?}");
            events += 1;
            match format {
                "json" => drop(
                    serde_json::from_str::<serde_json::Value>(line).expect("a line is an event"),
                ),
                _ => assert!(line.starts_with("20"), "an event begins with its time: {line}"),
            }
        }
        assert!(events > 50, "at this level there are many: {events}");
    }
}

#[tokio::test]
async fn x18_a_forbidden_and_a_missing_repository_get_the_same_answer() {
    // The request without a token, the scope of the token, and the registry's answer with it.
    let bed = Bed::start(|asked| {
        let case = super::bed::case_of(asked).unwrap_or(0);
        match (asked.path(), asked.header("authorization")) {
            ("/token", _) => Behaviour::json(r#"{"token":"good","expires_in":300}"#),
            (_, "Bearer good") => Behaviour::status([401, 403, 404][case % 3]),
            _ => Behaviour::unauthorized(&format!(
                r#"Bearer realm="http://{}/token",service="x""#,
                asked.header("host")
            )),
        }
    })
    .await;
    for (round, question) in [tags_of, check_of, resolve_of].iter().enumerate() {
        let mut seen = Vec::new();
        for case in 3 * round..3 * round + 3 {
            let before = bed.registry.requests().len();
            let answer = bed.get(&question(case)).await;
            let asked = bed.registry.requests().len() - before;
            let name = format!("c{case}.example/case/{case}");
            assert!(
                answer.json()["detail"].as_str().is_some_and(|detail| detail.contains(&name)),
                "{}",
                answer.text
            );
            let mut headers: Vec<String> = answer
                .headers
                .iter()
                .filter(|(name, _)| *name != "date" && *name != "content-length")
                .map(|header| format!("{header:?}"))
                .collect();
            headers.sort();
            seen.push((answer.status, headers, answer.text.replace(&name, "NAME"), asked));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[1], seen[2]);
        // A check of a missing tag also fetches the list, to name other tags.
        let exchanges = if round == 1 { 4 } else { 3 };
        assert_eq!((seen[0].0.as_u16(), seen[0].3), (404, exchanges));
    }
}

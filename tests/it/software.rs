//! Images that people build on the base images: the tag of the same software for the host.

use std::fmt::Write as _;

use serde_json::Value;

use crate::resolve::codes;

use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::software::software;
use crate::support::service::Service;

/// Image, host, and the answer: tag, isolation mode, base, shared tag; or the code of the problem
/// and what it offers; then the reasons, and the number of requests to the registry.
const ANSWERS: &str = include_str!("../data/software/answers.csv");

/// A service in front of a registry with every tag of the table.
fn start() -> (DockerRegistry, Service) {
    let registry = DockerRegistry::start_holding(software());
    let service = service_for(&registry);
    (registry, service)
}

fn service_for(registry: &DockerRegistry) -> Service {
    let docker = format!("docker.io=http://{}", registry.host());
    let gitlab = format!("registry.gitlab.com=http://{}", registry.host());
    Service::mirrored(&registry.host(), &["--mirror", &docker, "--mirror", &gitlab])
}

fn line(status: u16, answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    if status != 200 {
        let tags = answer["alternatives"].as_array().into_iter().flatten();
        let tags: Vec<String> = tags.map(|other| text(&other["tag"])).collect();
        let allowed = answer["errors"][0]["allowed"].as_array().into_iter().flatten();
        let allowed: Vec<String> = allowed.map(text).collect();
        return format!("{} {}{}", text(&answer["code"]), tags.join("+"), allowed.join("+"));
    }
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    let warnings: Vec<String> = warnings.map(|warning| text(&warning["code"])).collect();
    format!(
        "{} {} {} {} {}",
        text(&answer["tag"]),
        text(&answer["isolation"]),
        text(&answer["image"]["base"]),
        text(&answer["shared_tag"]),
        warnings.join("+")
    )
}

#[tokio::test]
async fn each_tag_is_answered_by_one_of_the_same_software() {
    let registry = DockerRegistry::start_holding(software());
    let mut table = String::from("image,host,answer,reasons,requests\n");
    for row in csv::Reader::from_reader(ANSWERS.as_bytes()).records() {
        let row = row.expect("the table is well-formed");
        // Each is the first question, so that all its requests are seen.
        let service = service_for(&registry);
        let before = registry.settled_requests().len();
        let query = format!("/resolve?image={}&host={}", &row[0], &row[1]);
        let answer = service.get(&query).await;
        let (status, answer) = (answer.status.as_u16(), answer.json());
        let requests = registry.settled_requests().len() - before;
        let reasons = match status {
            200 => codes(&answer["reasons"]).join("+"),
            _ => String::new(),
        };
        let got = line(status, &answer);
        // The list, the manifest of the tag, and one more: another manifest or a configuration.
        assert!(requests <= 3, "{query}: {requests} requests");
        writeln!(table, "{},{},{got},{reasons},{requests}", &row[0], &row[1]).expect("it grows");
    }
    if std::env::var_os("WINTAG_BLESS").is_some() {
        std::fs::write("tests/data/software/answers.csv", table).expect("the table is writable");
    } else {
        let differ = table.lines().zip(ANSWERS.lines()).filter(|(new, old)| new != old);
        assert_eq!(differ.map(|(new, _)| new).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

/// The answer needs the digest of the tag only, and the check of that tag its configuration too.
#[tokio::test]
async fn a_tag_that_was_found_beside_a_shared_one_is_checked_by_its_configuration() {
    let (registry, service) = start();
    let aspnet = "mcr.microsoft.com/dotnet/framework/aspnet";
    let resolved = service.json(&format!("/resolve?image={aspnet}:4.8&host=20348")).await;
    assert_eq!(resolved["tag"], "4.8.1-windowsservercore-ltsc2022", "{resolved}");
    assert_eq!(resolved["os_version"], "10.0.20348", "{resolved}");
    let before = registry.settled_requests().len();
    let query = format!("/check?image={aspnet}:4.8.1-windowsservercore-ltsc2022&host=20348");
    let checked = service.json(&query).await;
    assert_eq!(checked["image"]["digest"], resolved["digest"], "{checked}");
    let version = checked["entries"][0]["os_version"].as_str().expect("it is known");
    assert!(version.starts_with("10.0.20348."), "{version}");
    let requests = registry.settled_requests().split_off(before);
    assert!(requests.iter().any(|request| request.contains("/blobs/")), "{requests:?}");
    // The configuration, now that it is known, describes the tag beside a shared one too.
    let again = service.json(&format!("/resolve?image={aspnet}:4.8&host=20348")).await;
    assert_eq!(again["os_version"], version, "{again}");
}

/// Image, host, whether it runs, and the reference that runs instead.
#[tokio::test]
async fn a_check_names_the_tag_that_runs() {
    let (_registry, service) = start();
    let aspnet = "mcr.microsoft.com/dotnet/aspnet";
    for (image, host, runs, suggestion) in [
        (format!("{aspnet}:8.0-nanoserver-ltsc2022"), "20348", true, None),
        (format!("{aspnet}:8.0-nanoserver-ltsc2022"), "17763", false, Some("8.0-nanoserver-1809")),
        (format!("{aspnet}:10.0-nanoserver-ltsc2022"), "17763", false, None),
        (
            "golang:1.26-nanoserver-ltsc2025".into(),
            "20348",
            false,
            Some("1.26-nanoserver-ltsc2022"),
        ),
    ] {
        let answer = service.json(&format!("/check?image={image}&host={host}")).await;
        let repository = answer["image"]["repository"].as_str().expect("it has a repository");
        let expected = suggestion.map(|tag| Value::from(format!("{repository}:{tag}")));
        assert_eq!(answer["runs"], runs, "{image} on {host}");
        assert_eq!(answer["suggestion"], expected.unwrap_or_default(), "{image} on {host}");
    }
}

#[tokio::test]
async fn without_a_registry_the_name_of_a_tag_answers() {
    let service = Service::offline();
    // The embedded catalogue does not have it.
    let image = "mcr.microsoft.com/dotnet/aspnet:8.0.99-nanoserver-ltsc2022";
    let answer = service.json(&format!("/resolve?image={image}&host=20348")).await;
    let expected = "8.0.99-nanoserver-ltsc2022 process nanoserver - known-by-name-only";
    assert_eq!(line(200, &answer), expected);
    assert_eq!(answer["digest"], Value::Null);
    let checked = service.json(&format!("/check?image={image}&host=17763")).await;
    assert_eq!(
        (&checked["runs"], &checked["warnings"][0]["code"]),
        (&false.into(), &"known-by-name-only".into())
    );
    // Nothing in the name says which Windows builds these have.
    for image in ["jenkins/ssh-agent:jdk21", "a.example/x:latest"] {
        let answer = service.get(&format!("/resolve?image={image}&host=20348")).await;
        assert!(!answer.status.is_success(), "{image}: {}", answer.text);
    }
}

/// Of a shared tag, the embedded catalogue has the builds of the day on which it was seen.
#[tokio::test]
async fn without_a_registry_a_shared_tag_is_what_was_seen() {
    let service = Service::offline();
    let moved = "embedded-tag-may-have-moved";
    for (image, host, expected, warning) in [
        (
            "mcr.microsoft.com/dotnet/framework/aspnet:4.8",
            "17763",
            "4.8-windowsservercore-ltsc2019 process windowsservercore 4.8",
            moved,
        ),
        (
            "mcr.microsoft.com/dotnet/framework/aspnet:4.8",
            "20348",
            "4.8.1-windowsservercore-ltsc2022 process windowsservercore 4.8",
            "next-version",
        ),
        (
            "golang:latest",
            "20348",
            "windowsservercore-ltsc2022 process windowsservercore latest",
            moved,
        ),
        // Here the shared tag is Nano Server, although there are tags of Server Core too.
        ("nats:2", "20348", "2-nanoserver-ltsc2022 process nanoserver 2", moved),
        ("mcr.microsoft.com/oss/kubernetes/pause:3.9", "20348", "3.9 process - 3.9", moved),
        (
            "mcr.microsoft.com/dotnet/aspnet:8.0",
            "20348",
            "8.0-windowsservercore-ltsc2022 process windowsservercore 8.0",
            "shared-tag-unknown",
        ),
    ] {
        let answer = service.get(&format!("/resolve?image={image}&host={host}")).await;
        let line = line(answer.status.as_u16(), &answer.json());
        let (line, warnings) = line.rsplit_once(' ').expect("the warnings are last");
        assert_eq!(line, expected, "{image} on {host}");
        assert!(warnings.contains(warning), "{image} on {host}: {warnings}");
    }
}

/// What else reads images takes tags of software too.
#[tokio::test]
async fn nodes_batches_lists_and_errors_take_tags_of_software() {
    let (_registry, service) = start();
    let nodes = include_str!("../data/clusters/kubectl-get-nodes.json");
    let path = "/kubernetes/nodes?image=golang:1.26";
    let answer = service.post_as(path, "application/json", nodes.to_owned()).await.json();
    let tags: Vec<&str> = answer["groups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| group["tag"].as_str().unwrap_or("none"))
        .collect();
    // Kubernetes runs process isolation only, and these images are not built for older releases.
    let (on_2022, on_2025) = ("1.26-windowsservercore-ltsc2022", "1.26-windowsservercore-ltsc2025");
    assert_eq!(tags, ["none", "none", "none", on_2022, on_2025], "{answer}");

    let questions = serde_json::json!({"requests": [
        {"image": "golang:1.26", "host": "20348"},
        {"image": "jenkins/agent:jdk21-nanoserver-1809", "host": "20348"},
    ]});
    let answer = service.post("/resolve", &questions).await.json();
    let tag = |at: usize| answer["results"][at]["resolution"]["tag"].clone();
    assert_eq!([tag(0), tag(1)], [on_2022, "jdk21-nanoserver-ltsc2022"], "{answer}");

    let listed = service.json("/tags?image=golang&stem=1.26&base=nanoserver").await;
    let tags: Vec<&str> = listed["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tag| tag["tag"].as_str().expect("a text"))
        .collect();
    assert_eq!(
        tags,
        ["1.26-nanoserver-ltsc2025", "1.26-nanoserver-ltsc2022", "1.26-nanoserver"],
        "{listed}"
    );

    let error = "docker: no matching manifest for windows/amd64 10.0.20348 in the manifest list \
                 entries: docker pull golang:1.26-nanoserver-ltsc2025";
    let answer = service.post_as("/diagnose", "text/plain", error.to_owned()).await.json();
    let remedies = answer["findings"][0]["remedies"].as_array().expect("a list");
    let text = serde_json::to_string(remedies).expect("JSON");
    assert!(text.contains("golang:1.26-nanoserver-ltsc2022"), "{answer}");
}

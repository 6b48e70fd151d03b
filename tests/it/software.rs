//! Images that people build on the base images: the tag of the same software for the host.

use serde_json::Value;

use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::software::software;
use crate::support::service::Service;

/// Image, host, and the answer: tag, isolation mode, base, shared tag; or the code of the problem
/// and what it offers. Checked by hand against the published tags of each repository.
const ANSWERS: &str = include_str!("../data/software/answers.csv");

/// A service in front of a registry with every tag of the table.
fn start() -> (DockerRegistry, Service) {
    let registry = DockerRegistry::start_holding(software());
    let docker = format!("docker.io=http://{}", registry.host());
    let gitlab = format!("registry.gitlab.com=http://{}", registry.host());
    let service = Service::mirrored(&registry.host(), &["--mirror", &docker, "--mirror", &gitlab]);
    (registry, service)
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
    let (registry, service) = start();
    let mut wrong = Vec::new();
    for row in csv::Reader::from_reader(ANSWERS.as_bytes()).records() {
        let row = row.expect("the table is well-formed");
        let before = registry.settled_requests().len();
        let query = format!("/resolve?image={}&host={}", &row[0], &row[1]);
        let answer = service.get(&query).await;
        let got = line(answer.status.as_u16(), &serde_json::from_str(&answer.text).expect("JSON"));
        let requests = registry.settled_requests().len() - before;
        // The list, the manifest of the tag and one more, which may be a single manifest that names
        // its version in its configuration.
        assert!(requests <= 5, "{query}: {requests} requests");
        if got != row[2] {
            wrong.push(format!("{},{},{got},{requests}", &row[0], &row[1]));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
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
    let image = "mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-ltsc2022";
    let answer = service.json(&format!("/resolve?image={image}&host=20348")).await;
    let expected = "8.0-nanoserver-ltsc2022 process nanoserver - known-by-name-only";
    assert_eq!(line(200, &answer), expected);
    assert_eq!(answer["digest"], Value::Null);
    let checked = service.json(&format!("/check?image={image}&host=17763")).await;
    assert_eq!(
        (&checked["runs"], &checked["warnings"][0]["code"]),
        (&false.into(), &"known-by-name-only".into())
    );
    // Nothing in the name says which Windows builds these have.
    for image in ["mcr.microsoft.com/dotnet/aspnet:8.0", "golang:latest"] {
        let answer = service.get(&format!("/resolve?image={image}&host=20348")).await;
        assert_eq!(answer.json()["code"], "unknown-image", "{image}");
    }
}

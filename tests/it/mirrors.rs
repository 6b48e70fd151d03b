//! Mirrors as people have them: a project before the repository, a login, and what is said when the
//! mirror does not answer as it should.

use std::path::Path;

use serde_json::Value;

use crate::resolve::codes;
use crate::support::docker_registry::software::software;
use crate::support::docker_registry::{DockerRegistry, Options};
use crate::support::service::Service;

const IMAGE: &str = "golang:1.26-windowsservercore-ltsc2022";
const PASSWORD: &str = "correct horse";

/// A registry laid out as Harbor's: a project for each proxied registry, and a login.
fn harbor() -> DockerRegistry {
    DockerRegistry::start_with(Options {
        content: Some(software().under("hub-proxy")),
        login: Some(("robot".to_owned(), PASSWORD.to_owned())),
        ..Options::default()
    })
}

/// A service in front of it, with this project and password.
fn service(registry: &DockerRegistry, folder: &Path, project: &str, password: &str) -> Service {
    let password_file = folder.join("password");
    std::fs::write(&password_file, password).expect("the folder is writable");
    let config = folder.join("wintag.toml");
    let text = format!(
        "[registries.\"docker.io\"]\nmirror = \"http://{}/v2/{project}\"\nusername = \"robot\"\n\
         password_file = \"{}\"\n[registries.\"quay.io\"]\nenabled = false\n",
        registry.host(),
        password_file.display()
    );
    std::fs::write(&config, text).expect("the folder is writable");
    let config = config.to_str().expect("the path is text");
    Service::start_in(&["--config", config], &[("WINTAG_ADMIN_LISTEN", "127.0.0.1:0")])
}

fn warning<'a>(answer: &'a Value, code: &str) -> &'a str {
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    let mut with_code = warnings.filter(|warning| warning["code"] == code);
    let warning = with_code.next().unwrap_or_else(|| panic!("no {code} in {answer}"));
    warning["message"].as_str().expect("it is a text")
}

#[tokio::test]
async fn a_project_with_a_login_is_a_mirror() {
    let (registry, folder) = (harbor(), tempfile::tempdir().expect("there is room"));
    let service = service(&registry, folder.path(), "hub-proxy", PASSWORD);
    let answer = service.json("/resolve?image=golang:1.26&host=26100").await;
    assert_eq!(answer["tag"], "1.26-windowsservercore-ltsc2025");
    assert_eq!(answer["freshness"]["source"], "registry");
    // The answer names the registry, and not the mirror.
    let reference = "docker.io/library/golang:1.26-windowsservercore-ltsc2025";
    assert_eq!(answer["reference"], reference);
    assert!(answer["manifest_digest"].is_string(), "{answer}");
    let paths: Vec<String> = registry.settled_requests();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.contains("/v2/hub-proxy/library/")));

    let disabled = service.get("/resolve?image=quay.io/x/y:ltsc2022&host=20348").await;
    assert_eq!(disabled.json()["code"], "registry-not-allowed");
}

#[tokio::test]
async fn a_mirror_that_refuses_or_has_nothing_is_named() {
    let (registry, folder) = (harbor(), tempfile::tempdir().expect("there is room"));
    for (project, password, why) in [
        ("hub-proxy", "wrong", "the registry refused access with status 401"),
        ("no-project", PASSWORD, "the registry has no such repository"),
    ] {
        let url = format!("the mirror http://{}/v2/{project}", registry.host());
        let mirror = format!("{url} of docker.io");
        let service = service(&registry, folder.path(), project, password);
        // The embedded catalogue has the tag, and says so.
        let answer = service.json(&format!("/resolve?image={IMAGE}&host=20348")).await;
        assert_eq!(answer["tag"], "1.26-windowsservercore-ltsc2022");
        let expected = format!("the embedded catalogue answers instead of {mirror}: {why}");
        assert_eq!(warning(&answer, "registry-not-used"), expected);
        // That a tag is not there may be true.
        let checked = service.get(&format!("/check?image={IMAGE}&host=20348")).await;
        match project {
            "hub-proxy" => assert_eq!(warning(&checked.json(), "registry-not-used"), expected),
            _ => assert_eq!(checked.json()["code"], "unknown-image", "{}", checked.text),
        }
        // It does not have this one.
        for call in ["resolve", "check"] {
            let path = format!("/{call}?image=docker.io/some/app:ltsc2022&host=20348");
            let refused = service.get(&path).await.json();
            assert_eq!(refused["code"], "unknown-image", "{refused}");
            let detail = refused["detail"].as_str().expect("it is a text");
            assert!(detail.ends_with(&format!("(asked: {url})")), "{detail}");
        }
        let ready = service.ask_admin("GET", "/readyz?verbose", &[]).await.text;
        assert!(ready.contains(&format!("[-]server {mirror}: {why}\n")), "{ready}");
        assert!(ready.ends_with("readyz check passed\n"), "{ready}");
    }
}

/// Without a registry there is nothing to name.
#[tokio::test]
async fn an_offline_answer_has_no_such_warning() {
    let answer = Service::offline().json(&format!("/resolve?image={IMAGE}&host=20348")).await;
    assert!(!codes(&answer["warnings"]).contains(&"registry-not-used"), "{answer}");
}

//! The snapshot on disk: what registries said outlives the process, and nothing about the file
//! stops the service.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::bed::{check_of, tags_of};
use crate::support::docker_registry::{DockerRegistry, tool};
use crate::support::misbehaving_registry::MisbehavingRegistry;
use crate::support::misbehaving_registry::behaviour::Behaviour;
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::service::Service;

const QUESTION: &str = "/resolve?image=nanoserver&host=10.0.17763.1039&pin=build";
const FILE: &str = "catalogue.snapshot";
const REJECTED: &str = "catalogue.snapshot.rejected";

fn state_dir() -> (TempDir, String) {
    let folder = TempDir::with_prefix("wintag-state-").expect("a temporary folder can be made");
    let path = folder.path().to_str().expect("its name is text").to_owned();
    (folder, path)
}

/// A service whose registry does not run, with this state directory.
fn without_registry(state_dir: &str, options: &[&str]) -> Service {
    Service::mirrored("127.0.0.1:1", &[&["--state-dir", state_dir], options].concat())
}

/// Asks a real registry once, stops, and gives what was answered.
async fn fill(state_dir: &str) -> Value {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &["--state-dir", state_dir]);
    let answer = service.json(QUESTION).await;
    assert_eq!(answer["freshness"]["source"], "registry");
    assert!(service.terminate().success());
    answer
}

#[tokio::test]
async fn f02_a_service_that_starts_without_its_registry_knows_what_it_was_told() {
    let (_folder, state_dir) = state_dir();
    let answered = fill(&state_dir).await;
    assert!(
        answered["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")),
        "{answered}"
    );

    let service = without_registry(&state_dir, &[]);
    let answer = service.send("GET", QUESTION, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-status"), "wintag; hit; detail=snapshot");
    let known = answer.json();
    assert_eq!(known["freshness"]["source"], "snapshot");
    assert_eq!(known["freshness"]["stale"], false);
    assert_eq!(known["freshness"]["as_of"], answered["freshness"]["as_of"]);
    assert_eq!((&known["tag"], &known["digest"]), (&answered["tag"], &answered["digest"]));
    assert!(service.terminate().success());

    // What was loaded and not renewed stays as old as it was.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let service = without_registry(&state_dir, &["--fresh-for", "1s"]);
    let stale = service.json(QUESTION).await;
    assert_eq!(stale["freshness"]["source"], "snapshot");
    assert_eq!(stale["freshness"]["stale"], true);
    assert_eq!(stale["freshness"]["as_of"], answered["freshness"]["as_of"]);
    assert_eq!(stale["digest"], answered["digest"]);

    // A registry that is there again renews it.
    let registry = DockerRegistry::start();
    let service =
        Service::mirrored(&registry.host(), &["--state-dir", &state_dir, "--fresh-for", "1s"]);
    let renewed = service.json(QUESTION).await;
    assert_eq!(renewed["freshness"]["source"], "registry");
    assert_eq!(renewed["digest"], answered["digest"]);
}

#[tokio::test]
async fn f16_a_file_that_cannot_be_used_is_set_aside() {
    let (folder, state_dir) = state_dir();
    fill(&state_dir).await;
    let file = folder.path().join(FILE);
    let whole = fs::read(&file).expect("it was written");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let newer = [b"wintag-snapshot 2 ", &whole[b"wintag-snapshot 1 ".len()..]].concat();
    for bytes in [
        &whole[..0],
        &whole[..50],
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
        &flipped,
        &newer,
    ] {
        fs::write(&file, bytes).expect("the folder is writable");
        let service = without_registry(&state_dir, &[]);
        assert_eq!(service.json(QUESTION).await["freshness"]["source"], "embedded");
        assert!(service.terminate().success());
        assert_eq!(fs::read(folder.path().join(REJECTED)).expect("it was renamed"), bytes);
        assert!(!file.exists());
    }
}

#[tokio::test]
async fn f16_a_link_is_neither_read_nor_written_through() {
    let (folder, state_dir) = state_dir();
    fill(&state_dir).await;
    let (file, elsewhere) = (folder.path().join(FILE), folder.path().join("elsewhere"));
    fs::rename(&file, &elsewhere).expect("the folder is writable");
    let before = fs::read(&elsewhere).expect("it was written");
    std::os::unix::fs::symlink(&elsewhere, &file).expect("links can be made");

    let service = without_registry(&state_dir, &[]);
    assert_eq!(service.json(QUESTION).await["freshness"]["source"], "embedded");
    drop(service);
    fill(&state_dir).await;
    assert!(fs::symlink_metadata(&file).expect("it was written").is_file());
    assert_eq!(fs::read(&elsewhere).expect("it is still there"), before);
}

/// Root may write to any directory, so these are directories in which even root cannot.
#[tokio::test]
async fn f15_a_directory_that_cannot_be_written_stops_nothing() {
    let (folder, _) = state_dir();
    let not_a_directory = folder.path().join("file");
    fs::write(&not_a_directory, "").expect("the folder is writable");
    for state_dir in
        [not_a_directory.as_path(), Path::new("/proc"), Path::new("/nonexistent/state")]
    {
        fill(state_dir.to_str().expect("its name is text")).await;
    }
}

#[tokio::test]
async fn f19_a_killed_service_starts_again() {
    let (folder, state_dir) = state_dir();
    let answered = fill(&state_dir).await;
    fs::write(folder.path().join("catalogue.snapshot.unfinished"), "wintag-snapshot 1 sha")
        .expect("writable");
    let service = without_registry(&state_dir, &[]);
    let killed = tool("kill", "procps", &["-9", &service.id().to_string()]);
    assert!(killed.status.success());
    drop(service);
    assert_eq!(
        without_registry(&state_dir, &[]).json(QUESTION).await["digest"],
        answered["digest"]
    );
}

#[tokio::test]
async fn h25_of_two_processes_with_one_directory_one_writes() {
    let (folder, state_dir) = state_dir();
    let registry = DockerRegistry::start();
    let start = || Service::mirrored(&registry.host(), &["--state-dir", &state_dir]);
    let written = || fs::read_to_string(folder.path().join(FILE)).expect("it was written");
    let (first, second, third) = (start(), start(), start());
    let warning = second.line_with("another process uses the directory").await;
    assert!(warning.contains("WARN"), "{warning}");
    first.json(QUESTION).await;
    for service in [&second, &third] {
        service.json("/resolve?image=servercore&host=20348").await;
    }
    assert!(second.terminate().success());
    assert!(first.terminate().success());
    assert!(written().contains("nanoserver") && !written().contains("servercore"));
    // The lock has ended with the process.
    assert!(third.terminate().success());
    assert!(written().contains("servercore"));
}

#[tokio::test]
async fn without_a_directory_nothing_is_kept() {
    let service = Service::offline();
    assert!(service.address().starts_with("127.0.0.1:"));
    assert_eq!(service.get(QUESTION).await.json()["freshness"]["source"], "embedded");
}

#[tokio::test]
async fn what_credentials_opened_is_not_written() {
    let (folder, state_dir) = state_dir();
    let registry = DockerRegistry::start_behind_login("me", "canary");
    let (password, config) = (folder.path().join("password"), folder.path().join("wintag.toml"));
    fs::write(&password, "canary\n").expect("the folder is writable");
    let text = format!(
        "state_dir = '{state_dir}/state'\n[registries.\"mcr.microsoft.com\"]\nmirror = 'http://{}\
         '\nusername = 'me'\npassword_file = '{}'\n",
        registry.host(),
        password.display()
    );
    fs::write(&config, text).expect("the folder is writable");
    let service = Service::start(&["--config", config.to_str().expect("its name is text")]);
    assert_eq!(service.json(QUESTION).await["freshness"]["source"], "registry");
    assert!(service.terminate().success());
    let written =
        fs::read_to_string(folder.path().join("state").join(FILE)).expect("it was written");
    assert!(written.ends_with("{\"tags\":[],\"manifests\":[]}"), "{written}");
}

#[tokio::test]
async fn h10_what_a_docker_configuration_opened_ends_with_the_access_and_is_not_written() {
    let (folder, state_dir) = state_dir();
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| {
        match asked.header("authorization").starts_with("Basic ") {
            true => holdings.answer(asked),
            false => Behaviour::unauthorized("Basic realm=\"x\""),
        }
    })
    .await;
    let config = folder.path().join("config.json");
    let login = json!({"auths": {registry.authority(): {"auth": BASE64_STANDARD.encode("me:pw")}}});
    fs::write(&config, login.to_string()).expect("the folder is writable");
    let config = config.to_str().expect("its name is text");
    let mirror = format!("c0.example=http://{}", registry.authority());
    let options = ["--mirror", &mirror, "--docker-config", config, "--state-dir", &state_dir];
    let start = || Service::start(&[&options[..], &["--fresh-for", "0s"]].concat());
    let service = start();
    let questions = [tags_of(0), check_of(0)];
    for question in &questions {
        assert_eq!(service.json(question).await["freshness"]["source"], "registry");
    }
    assert!(service.terminate().success());
    let written = fs::read_to_string(folder.path().join(FILE)).expect("it was written");
    assert!(written.ends_with("{\"tags\":[],\"manifests\":[]}"), "{written}");

    let service = start();
    for question in &questions {
        service.json(question).await;
    }
    registry.behave(|_| Behaviour::status(403));
    for question in &questions {
        assert_eq!(service.get(question).await.status, StatusCode::NOT_FOUND);
    }
}

//! The listener for those who run the service.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use reqwest::StatusCode;

use crate::support::docker_registry::DockerRegistry;
use crate::support::service::{Service, WINTAG};

const ADMIN: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

async fn metrics(service: &Service) -> String {
    let answer = service.ask_admin("GET", "/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text
}

/// The samples, without those whose value is another each time.
fn samples(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("wintag_data_age_seconds")).collect()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &ADMIN);
    for path in [
        "/resolve?image=nanoserver&host=17763",
        "/resolve?image=nanoserver&host=17763",
        "/resolve?image=nanoserver",
        "/tags?image=mcr.microsoft.com/windows/nowhere",
        "/no/such/path",
        "/swagger-ui/index.html",
    ] {
        service.get(path).await;
    }
    service.send("POST", "/tags", &[]).await;
    let text = metrics(&service).await;
    let expected = [
        "wintag_build_info{version=\"0.1.0\"} 1",
        "wintag_cache_requests_total{layer=\"manifests\",result=\"fresh\"} 1",
        "wintag_cache_requests_total{layer=\"manifests\",result=\"new\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"fresh\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"new\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"nothing\"} 1",
        "wintag_requests_total{outcome=\"client_error\",route=\"/resolve\"} 1",
        "wintag_requests_total{outcome=\"client_error\",route=\"/tags\"} 2",
        "wintag_requests_total{outcome=\"client_error\",route=\"other\"} 1",
        "wintag_requests_total{outcome=\"ok\",route=\"/resolve\"} 2",
        "wintag_requests_total{outcome=\"ok\",route=\"/swagger-ui/{path:.*}\"} 1",
        "wintag_requests_under_way 0",
        "wintag_snapshot_write_failures_total 0",
        "wintag_upstream_requests_total{operation=\"manifest\",outcome=\"ok\",registry=\"mcr.microsoft.com\"} 1",
        "wintag_upstream_requests_total{operation=\"tags\",outcome=\"not_found\",registry=\"mcr.microsoft.com\"} 1",
        "wintag_upstream_requests_total{operation=\"tags\",outcome=\"ok\",registry=\"mcr.microsoft.com\"} 1",
    ];
    assert_eq!(samples(&text), BTreeSet::from(expected));
    check_with_promtool(&text);
}

/// Prometheus' own check, where it is installed.
fn check_with_promtool(text: &str) {
    let promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else { return };
    promtool.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    assert!(promtool.wait().expect("it ends").success(), "{text}");
}

#[tokio::test]
async fn s14_callers_cannot_make_labels() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    let before = metrics(&service).await.lines().count();
    for number in 0..50 {
        service.get(&format!("/made/up/{number}")).await;
        service.get(&format!("/tags?image=mcr.microsoft.com/made/up/{number}")).await;
        service.send("OPTIONS", &format!("/swagger-ui/{number}"), &[]).await;
    }
    let after = metrics(&service).await;
    assert!(after.lines().count() <= before + 5, "{after}");
    assert!(!after.contains("made"), "{after}");
}

#[tokio::test]
async fn the_age_of_the_families_is_told() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    let text = metrics(&service).await;
    let age = "wintag_data_age_seconds{repository=\"mcr.microsoft.com/windows/nanoserver\"} ";
    let age = text.lines().find_map(|line| line.strip_prefix(age)).expect("it is there");
    assert!(age.parse::<f64>().is_ok_and(|age| age >= 0.0), "{age}");
}

#[tokio::test]
async fn health_is_told_in_detail() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &ADMIN);
    assert_eq!(service.ask_admin("GET", "/livez", &[]).await.text, "ok\n");
    assert_eq!(service.ask_admin("GET", "/readyz", &[]).await.text, "ok\n");
    service.json("/tags?image=nanoserver").await;
    let told = service.ask_admin("GET", "/readyz?verbose", &[]).await.text;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["[+]embedded ok", "[+]snapshot off"]);
    assert!(lines[2].starts_with("[+]repository mcr.microsoft.com/windows/nanoserver source=registry age="), "{told}");
    assert_eq!(lines[3..], ["readyz check passed"]);
}

#[tokio::test]
async fn f15_a_state_directory_that_cannot_be_used_is_told() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let state_dir = file.path().to_str().expect("its name is text");
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0", "--state-dir", state_dir]);
    let told = service.ask_admin("GET", "/readyz?verbose", &[]).await;
    assert_eq!(told.status, StatusCode::OK);
    assert!(told.text.contains("[+]snapshot failed: cannot read the snapshot "), "{}", told.text);
}

#[tokio::test]
async fn o06_the_public_listener_has_none_of_it() {
    let service = Service::mirrored("127.0.0.1:1", &ADMIN);
    assert_eq!(service.get("/metrics").await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/readyz?verbose").await.text, "ok\n");
    assert_eq!(service.ask_admin("GET", "/resolve", &[]).await.status, StatusCode::NOT_FOUND);
    let answer = service.ask_admin("DELETE", "/metrics", &[]).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    assert_eq!(Service::offline().admin_address(), None);
}

#[tokio::test]
async fn o07_other_names_are_refused_on_loopback() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    for (host, status) in [
        ("localhost", StatusCode::OK),
        ("localhost:9090", StatusCode::OK),
        ("[::1]:9090", StatusCode::OK),
        ("attacker.example", StatusCode::FORBIDDEN),
        ("localhost.attacker.example:9090", StatusCode::FORBIDDEN),
    ] {
        let answer = service.ask_admin("GET", "/metrics", &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host}");
        if status == StatusCode::FORBIDDEN {
            assert_eq!(answer.json()["code"], "host-not-allowed");
        }
    }
}

#[tokio::test]
async fn an_address_that_was_asked_for_must_be_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let mut command = Command::new(WINTAG);
    command.args(["serve", "--offline", "--listen", "127.0.0.1:0", "--admin-listen", &address]);
    let output = command.output().expect("wintag was built");
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--admin-listen"));
}

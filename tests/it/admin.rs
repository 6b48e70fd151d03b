//! The operators' listener.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::StatusCode;

use crate::support::docker_registry::DockerRegistry;
use crate::support::raw_client::exchange;
use crate::support::service::{Service, WINTAG};

const ADMIN: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

async fn metrics(service: &Service) -> String {
    let answer = service.ask_admin("GET", "/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer.text
}

/// The samples that are not zero, without those whose value is another each time.
fn samples(text: &str) -> BTreeSet<&str> {
    const OTHER_EACH_TIME: [&str; 4] =
        ["#", "wintag_data_age_seconds", "wintag_last_refresh", "http_"];
    let is_wanted = |line: &&str| {
        let counts_requests = line.contains("_request_duration_seconds_count");
        (counts_requests || !OTHER_EACH_TIME.iter().any(|start| line.starts_with(start)))
            && !line.ends_with(" 0")
    };
    text.lines().filter(is_wanted).collect()
}

/// The value of a sample that is there.
fn value(text: &str, sample: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{sample} is not in {text}"))
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
    let requests = [
        ("GET", "/resolve", 200, 2),
        ("GET", "/resolve", 400, 1),
        ("GET", "/tags", 404, 1),
        ("GET", "other", 404, 1),
        ("GET", "/swagger-ui/{path:.*}", 200, 1),
        ("POST", "/tags", 405, 1),
    ];
    let requests = requests.map(|(method, route, status, count)| {
        format!(
            "http_server_request_duration_seconds_count{{error_type=\"\",http_request_method=\"\
             {method}\",http_response_status_code=\"{status}\",http_route=\"{route}\",\
             network_protocol_version=\"1.1\",url_scheme=\"http\"}} {count}"
        )
    });
    let host_and_port = registry.host();
    let (host, port) = host_and_port.split_once(':').expect("it has a port");
    let asked = [("", 200, 2), ("404", 404, 1)].map(|(error, status, count)| {
        format!(
            "http_client_request_duration_seconds_count{{error_type=\"{error}\",\
             http_request_method=\"GET\",http_response_status_code=\"{status}\",server_address=\"\
             {host}\",server_port=\"{port}\"}} {count}"
        )
    });
    let others = [
        "wintag_build_info{version=\"0.1.0\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"fresh\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"new\"} 1",
        "wintag_cache_requests_total{layer=\"tags\",result=\"nothing\"} 1",
        // Midnight of the newest day in the embedded tables, 2026-11-10.
        "wintag_facts_as_of_timestamp_seconds 1794268800",
        "wintag_resolutions_total{freshness=\"cache\",outcome=\"ok\"} 1",
        "wintag_resolutions_total{freshness=\"registry\",outcome=\"ok\"} 1",
        "wintag_upstream_requests_total{operation=\"manifest\",outcome=\"ok\",registry=\"mcr.\
         microsoft.com\"} 1",
        "wintag_upstream_requests_total{operation=\"tags\",outcome=\"not_found\",registry=\"mcr.\
         microsoft.com\"} 1",
        "wintag_upstream_requests_total{operation=\"tags\",outcome=\"ok\",registry=\"mcr.\
         microsoft.com\"} 1",
    ];
    let expected: BTreeSet<&str> =
        requests.iter().chain(&asked).map(String::as_str).chain(others).collect();
    // The manifest is fetched while the list is, so that it is in the cache when it is needed, or
    // nearly so.
    let of_manifests = "wintag_cache_requests_total{layer=\"manifests\"";
    let others: BTreeSet<&str> =
        samples(&text).into_iter().filter(|line| !line.starts_with(of_manifests)).collect();
    assert_eq!(others, expected);
    let results = ["fresh", "new"].map(|result| {
        let name = format!("{of_manifests},result=\"{result}\"}}");
        if text.contains(&name) { value(&text, &name) } else { 0.0 }
    });
    assert_eq!(results.iter().sum::<f64>(), 2.0);
    let refreshed = value(
        &text,
        "wintag_last_refresh_success_timestamp_seconds{registry=\"mcr.microsoft.com\"}",
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64();
    assert!((now - 60.0..now + 1.0).contains(&refreshed), "{refreshed}");
    for gauge in [
        "requests_under_way",
        "flights{layer=\"tags\"}",
        "circuit_open{registry=\"mcr.microsoft.com\"}",
    ] {
        assert_eq!(value(&text, &format!("wintag_{gauge}")), 0.0, "{gauge}");
    }
    check_with_promtool(&text);
}

/// Prometheus' own check, where it is installed.
fn check_with_promtool(text: &str) {
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else { return };
    promtool.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    assert!(promtool.wait().expect("it ends").success(), "{text}");
}

#[tokio::test]
async fn s14_callers_cannot_make_labels() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    for number in 0..50 {
        service.get(&format!("/made/up/{number}")).await;
        service.get(&format!("/tags?image=mcr.microsoft.com/made/up/{number}")).await;
        service.send("OPTIONS", &format!("/swagger-ui/{number}"), &[]).await;
        service.send(&format!("MADE{number}"), "/tags", &[]).await;
    }
    let text = metrics(&service).await;
    let seen: Vec<&str> =
        samples(&text).into_iter().filter(|line| line.starts_with("http_server")).collect();
    let counts: Vec<&str> = seen.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(counts, ["50"; 4], "{text}");
    assert!(!text.to_lowercase().contains("made"), "{text}");
}

#[tokio::test]
async fn every_route_has_its_name() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    let document = service.json("/openapi.json").await;
    let paths: Vec<&String> =
        document["paths"].as_object().expect("there are paths").keys().collect();
    for path in paths.iter().map(|path| path.as_str()).chain(["/", "/swagger-ui", "/swagger-ui/"]) {
        service.get(path).await;
    }
    let text = metrics(&service).await;
    for path in paths {
        assert!(
            text.contains(&format!("http_route=\"{path}\"")),
            "{path} is not in ROUTES: {text}"
        );
    }
    assert!(!text.contains("http_route=\"other\""), "{text}");
}

#[tokio::test]
async fn a_registry_that_is_left_alone_is_told() {
    let service = Service::mirrored("127.0.0.1:1", &ADMIN);
    for image in ["a", "b", "c", "d", "e", "f"] {
        service.get(&format!("/resolve?image=mcr.microsoft.com/{image}/x&host=17763")).await;
    }
    let text = metrics(&service).await;
    assert_eq!(value(&text, "wintag_circuit_open{registry=\"mcr.microsoft.com\"}"), 1.0);
    assert_eq!(
        value(&text, "wintag_resolutions_total{freshness=\"none\",outcome=\"unavailable\"}"),
        6.0
    );
    assert!(!text.contains("wintag_last_refresh_success_timestamp_seconds{"), "it never answered");
}

/// The catalogue has an age too, but nothing that is done about it would make it younger.
#[tokio::test]
async fn the_age_of_what_registries_gave_is_told() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &ADMIN);
    assert!(!metrics(&service).await.contains("wintag_data_age_seconds{"));
    service.json("/tags?image=nanoserver").await;
    let text = metrics(&service).await;
    let ages: Vec<&str> =
        text.lines().filter(|line| line.starts_with("wintag_data_age_seconds{")).collect();
    assert_eq!(ages.len(), 1, "{ages:?}");
    let sample =
        "wintag_data_age_seconds{registry=\"mcr.microsoft.com\",repository=\"windows/nanoserver\"}";
    assert!((0.0..60.0).contains(&value(&text, sample)), "{ages:?}");
}

#[tokio::test]
async fn what_cannot_be_read_is_counted() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    for _ in 0..2 {
        let refusal = exchange(service.address(), "this is no request\r\n\r\n").await;
        assert_eq!(refusal.map(|answer| answer.status), Some(400));
    }
    let text = metrics(&service).await;
    let counted = |status: u16| {
        value(
            &text,
            &format!("wintag_unread_requests_total{{http_response_status_code=\"{status}\"}}"),
        )
    };
    assert_eq!([400, 408, 431].map(counted), [2.0, 0.0, 0.0]);
    assert!(!text.contains("http_server_request_duration_seconds_count{"), "{text}");
}

#[tokio::test]
async fn health_is_told_in_detail() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &ADMIN);
    assert_eq!(service.ask_admin("GET", "/livez", &[]).await.text, "ok\n");
    assert_eq!(service.ask_admin("GET", "/readyz", &[]).await.text, "ok\n");
    service.json("/tags?image=nanoserver").await;
    let answered = service.ask_admin("GET", "/readyz?verbose", &[]).await.text;
    let lines: Vec<&str> = answered.lines().collect();
    assert_eq!(lines[..2], ["[+]embedded ok", "[+]snapshot off"]);
    assert!(
        lines[2]
            .starts_with("[+]repository mcr.microsoft.com/windows/nanoserver source=registry age="),
        "{answered}"
    );
    assert_eq!(lines[3..], ["readyz check passed"]);
}

#[tokio::test]
async fn f15_a_state_directory_that_cannot_be_used_is_told() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let state_dir = file.path().to_str().expect("its name is text");
    let service =
        Service::start(&["--offline", "--admin-listen", "127.0.0.1:0", "--state-dir", state_dir]);
    let answered = service.ask_admin("GET", "/readyz?verbose", &[]).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(
        answered.text.contains("[+]snapshot failed: cannot read the snapshot "),
        "{}",
        answered.text
    );
}

#[tokio::test]
async fn o06_the_public_listener_has_none_of_it() {
    let service = Service::mirrored("127.0.0.1:1", &ADMIN);
    assert_eq!(service.get("/metrics").await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/readyz?verbose").await.text, "ok\n");
    assert_eq!(service.ask_admin("GET", "/resolve", &[]).await.status, StatusCode::NOT_FOUND);
    let answer = service.ask_admin("DELETE", "/metrics", &[]).await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD")
    );
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

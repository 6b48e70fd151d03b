//! Logs on standard error, and traces as a collector gets them.

use std::process::Command;

use serde_json::Value;

use crate::support::collector::Collector;
use crate::support::service::{Service, WINTAG};

/// A service that never asks a registry and sends its traces here.
fn traced_service(collector: &Collector, ratio: &str) -> Service {
    Service::start_in(&["--offline"], &collector.variables(ratio).each_ref().map(|(name, value)| (*name, &**value)))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_caller_that_traces_finds_the_request_in_its_trace() {
    let collector = Collector::start();
    let service = traced_service(&collector, "0");
    let ask = async |id: u8, flags: &str| {
        let traceparent = format!("00-{}-b7ad6b7169203331-{flags}", format!("{id:02x}").repeat(16));
        service.send("GET", "/resolve?image=nanoserver&host=17763", &[("traceparent", &traceparent)]).await
    };
    assert_eq!(ask(0xa7, "01").await.status.as_u16(), 200);
    ask(0xb7, "00").await;
    service.get("/tags?image=nanoserver").await;
    // The rest is sent when it stops.
    assert!(service.terminate().success());
    let sent = collector.everything();
    for part in [&b"GET /resolve"[..], b"http.route", b"http.response.status_code", b"wintag", &[0xa7; 16]] {
        assert!(holds(&sent, part), "{:?}", String::from_utf8_lossy(part));
    }
    assert!(!holds(&sent, &[0xb7; 16]) && !holds(&sent, b"/tags"));
}

#[tokio::test]
async fn the_share_of_other_requests_is_traced() {
    let collector = Collector::start();
    let service = traced_service(&collector, "1");
    service.get("/tags?image=nanoserver").await;
    service.get("/made-up").await;
    assert!(service.terminate().success());
    let sent = collector.everything();
    assert!(holds(&sent, b"GET /tags"));
    assert!(!holds(&sent, b"GET /made-up"));
}

#[tokio::test]
async fn a_registry_that_fails_is_logged_once() {
    let service = Service::mirrored("127.0.0.1:1", &[]);
    service.get("/tags?image=nanoserver").await;
    let line = service.line_with("asking the registry failed").await;
    let logged: Value = serde_json::from_str(&line).expect("a line is JSON where nobody looks");
    assert_eq!(logged["level"], "WARN");
    assert_eq!(logged["registry"], "mcr.microsoft.com");
    assert_eq!(logged["repository"], "windows/nanoserver");
    assert_eq!(logged["operation"], "tags");
    assert!(logged["error"].as_str().is_some_and(|error| error.contains("unavailable")), "{line}");
    assert!(logged["timestamp"].is_string());
}

#[tokio::test]
async fn the_log_can_be_text_and_of_other_levels() {
    let service = Service::mirrored("127.0.0.1:1", &["--log-format", "text", "--admin-listen", "127.0.0.1:0"]);
    service.get("/tags?image=nanoserver").await;
    let line = service.line_with("asking the registry failed").await;
    assert!(line.contains(" WARN ") && line.contains("registry=\"mcr.microsoft.com\""), "{line}");
    assert!(service.admin_address().is_some());
    let silent = Service::start(&["--offline", "--log-level", "error", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(silent.admin_address(), None, "where it listens is told by an event");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (option, value) in [("--log-format", "xml"), ("--log-level", "wintag=loud")] {
        let output =
            Command::new(WINTAG).args(["serve", "--offline", "--listen", "127.0.0.1:0", option, value]).output();
        let output = output.expect("wintag was built");
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(option), "{value}");
    }
}

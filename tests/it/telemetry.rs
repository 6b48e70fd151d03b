//! Logs on standard error, and traces as a collector gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::service::{Service, WINTAG};

/// A collector: every request that it was sent, as the first line and the body.
struct Collector {
    address: String,
    received: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (send, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut first, mut length) = (String::new(), 0);
                reader.read_line(&mut first).expect("a request has a first line");
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("a request has headers");
                    let line = line.trim_end().to_lowercase();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length is a number");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the body arrives");
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                reader.get_mut().write_all(answer).expect("the service reads the answer");
                if send.send((first, body)).is_err() {
                    break;
                }
            }
        });
        Self { address, received }
    }

    /// A service that never asks a registry and sends its traces here.
    fn traced_service(&self, ratio: &str) -> Service {
        let endpoint = format!("http://{}", self.address);
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
            ("NO_PROXY", "127.0.0.1"),
        ];
        Service::start_in(&["--offline"], &variables)
    }

    /// Everything that was sent until now, as one.
    fn everything(&self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Ok((first, body)) = self.received.recv_timeout(Duration::from_millis(200)) {
            assert_eq!(first.trim_end(), "POST /v1/traces HTTP/1.1");
            all.extend(body);
        }
        all
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_caller_that_traces_finds_the_request_in_its_trace() {
    let collector = Collector::start();
    let service = collector.traced_service("0");
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
    let service = collector.traced_service("1");
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

//! Logs on standard error, and traces as a collector gets them.

use std::process::Command;

use serde_json::Value;

use crate::support::collector::{Collector, Span};
use crate::support::docker_registry::DockerRegistry;
use crate::support::misbehaving_registry::MisbehavingRegistry;
use crate::support::misbehaving_registry::behaviour::{Behaviour, Latch};
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::service::{Answer, Service, WINTAG};

/// A service that never asks a registry and sends its traces here.
fn traced_service(collector: &Collector, ratio: &str) -> Service {
    Service::start_in(
        &["--offline"],
        &collector.variables(ratio).each_ref().map(|(name, value)| (*name, &**value)),
    )
}

/// A service that asks this registry, and sends what callers trace.
fn traced_mirror(collector: &Collector, registry: &str, options: &[&str]) -> Service {
    let mirror = format!("mcr.microsoft.com=http://{registry}");
    let variables = collector.variables("0");
    let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
    Service::start_in(&[&["--mirror", &mirror], options].concat(), &variables)
}

/// The trace of the caller, and the span of it that asks.
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER_ID: &str = "b7ad6b7169203331";

async fn ask_traced(service: &Service, method: &str, path: &str) -> Answer {
    service.send(method, path, &[("traceparent", &format!("00-{TRACE_ID}-{CALLER_ID}-01"))]).await
}

/// The attributes of a request whose names begin so.
fn attributes<'a>(span: &'a Span, names: &[&str]) -> Vec<&'a str> {
    names.iter().map(|name| span.attribute(name)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn what_registries_are_asked_is_in_the_trace() {
    let (collector, registry) = (Collector::start(), DockerRegistry::start());
    let service = traced_mirror(&collector, &registry.host(), &[]);
    service.get("/tags?image=servercore").await;
    let answer = ask_traced(&service, "GET", "/resolve?image=nanoserver&host=17763").await.json();
    // The cache answers, and the request belongs to the trace of another request.
    service.get("/resolve?image=nanoserver&host=17763").await;
    let address = service.address().to_owned();
    assert!(service.terminate().success());
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace_id == TRACE_ID), "{spans:#?}");
    let (servers, clients): (Vec<&Span>, Vec<&Span>) =
        spans.iter().partition(|span| span.kind == 2);
    let [server] = servers[..] else { panic!("{spans:#?}") };
    let [one, other] = clients[..] else { panic!("{spans:#?}") };
    // They are sent at the same time.
    let is_list = attributes(one, &["url.full"])[0].ends_with("/tags/list");
    let (tags, manifest) = if is_list { (one, other) } else { (other, one) };
    assert_eq!((server.name.as_str(), server.parent_id.as_str()), ("GET /resolve", CALLER_ID));
    let names = [
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "url.scheme",
        "url.path",
    ];
    assert_eq!(attributes(server, &names), ["GET", "/resolve", "200", "http", "/resolve"]);
    let asked = ["server.address", "server.port", "network.protocol.version", "url.query"];
    let port = address.rsplit(':').next().expect("it has a port");
    assert_eq!(attributes(server, &asked), ["127.0.0.1", port, "1.1", ""]);
    let host = registry.host();
    let (name, port) = host.split_once(':').expect("it has a port");
    let digest = answer["digest"].as_str().expect("the registry has it");
    let tag = answer["tag"].as_str().expect("there is a tag");
    let manifest_path = format!("manifests/{tag}");
    for (client, path, digest) in
        [(tags, "tags/list", ""), (manifest, manifest_path.as_str(), digest)]
    {
        assert_eq!(
            (client.name.as_str(), client.kind, &client.parent_id),
            ("GET", 3, &server.span_id)
        );
        let names = [
            "http.request.method",
            "http.response.status_code",
            "server.address",
            "server.port",
            "error.type",
        ];
        assert_eq!(attributes(client, &names), ["GET", "200", name, port, ""]);
        let url = format!("http://{host}/v2/windows/nanoserver/{path}");
        let image = "mcr.microsoft.com/windows/nanoserver";
        let names = ["url.full", "container.image.name", "oci.manifest.digest"];
        assert_eq!(attributes(client, &names), [&url, image, digest]);
        assert!(
            server.time.0 <= client.time.0 && client.time.1 <= server.time.1 && !client.has_failed,
            "{client:?}"
        );
    }
}

/// Whom a caller traces is nothing that a registry, its token service or what it redirects to has
/// to know.
#[tokio::test]
async fn registries_are_told_nothing_of_a_trace() {
    let collector = Collector::start();
    let registry = MisbehavingRegistry::start(|_| Behaviour::status(404)).await;
    let holdings = Holdings::usual();
    let realm = format!("http://{}/token", registry.authority());
    registry.behave(move |asked| match asked.path() {
        "/token" => Behaviour::json(r#"{"token":"anonymous"}"#),
        _ if asked.header("authorization").is_empty() => {
            Behaviour::unauthorized(&format!("Bearer realm=\"{realm}\",service=\"x\""))
        }
        _ => holdings.answer(asked),
    });
    let service = traced_mirror(&collector, &registry.authority(), &[]);
    let headers = [
        ("traceparent", format!("00-{TRACE_ID}-{CALLER_ID}-01")),
        ("tracestate", "vendor=canary".to_owned()),
        ("baggage", "user=canary".to_owned()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let path = "/resolve?image=nanoserver&host=17763";
    assert_eq!(service.send("GET", path, &headers).await.status, 200);
    assert!(service.terminate().success());
    let asked = registry.requests();
    for part in ["/token", "/tags/list", "/manifests/"] {
        assert!(asked.iter().any(|asked| asked.path().contains(part)), "{part}: {asked:?}");
    }
    let clients = collector.spans().into_iter().filter(|span| span.kind == 3).count();
    assert_eq!(clients, asked.len(), "each is in the trace: {asked:?}");
    for asked in asked {
        let text = format!("{asked:?}");
        for part in ["trace", "baggage", "canary", TRACE_ID, CALLER_ID, "b3", "x-request-id"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test]
async fn a_trace_is_named_in_the_log_and_in_problems() {
    for (format, has_ids) in [("json", true), ("text", false)] {
        let collector = Collector::start();
        let service = traced_mirror(&collector, "127.0.0.1:1", &["--log-format", format]);
        let path = "/tags?image=mcr.microsoft.com/windows/nowhere";
        let problem = ask_traced(&service, "GET", path).await.json();
        assert_eq!(
            (&problem["status"], &problem["trace_id"]),
            (&Value::from(503), &Value::from(TRACE_ID))
        );
        let line = service.line_with("querying the registry failed").await;
        let untraced = service.get(path).await.json();
        assert_eq!(untraced["trace_id"], Value::Null);
        assert!(service.terminate().success());
        let spans = collector.spans();
        let server = spans.iter().find(|span| span.kind == 2).expect("the request is traced");
        assert!(
            server.has_failed
                && server.attribute("error.type") == "503"
                && server.trace_id == TRACE_ID
        );
        let client = spans.iter().find(|span| span.kind == 3).expect("the registry was asked");
        assert!(client.has_failed && client.attribute("error.type") == "unavailable", "{client:?}");
        if has_ids {
            let logged: Value = serde_json::from_str(&line).expect("a line is JSON");
            assert_eq!(
                (&logged["trace_id"], &logged["span_id"]),
                (&TRACE_ID.into(), &server.span_id.as_str().into())
            );
        } else {
            assert!(
                line.ends_with(&format!(" trace_id={TRACE_ID} span_id={}", server.span_id)),
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn each_problem_of_a_batch_names_the_trace() {
    let collector = Collector::start();
    let service = traced_service(&collector, "1");
    let questions =
        serde_json::json!({ "requests": [{ "image": "nanoserver", "host": "nothing" }] });
    let batch = service.post("/resolve", &questions).await.json();
    service.post("/tags", &questions).await;
    assert!(service.terminate().success());
    let spans = collector.spans();
    let server = spans.iter().find(|span| span.name == "POST /resolve").expect("it is traced");
    assert_eq!(batch["results"][0]["problem"]["trace_id"], server.trace_id.as_str(), "{batch}");
}

/// The span of a request ends when it is answered, whatever is still under way because of it.
#[tokio::test]
async fn a_span_ends_with_its_answer() {
    let collector = Collector::start();
    let latch = Latch::closed();
    let behaviour = Behaviour::status(500).held(&latch);
    let registry = MisbehavingRegistry::start(move |_| behaviour.clone()).await;
    let service = traced_mirror(&collector, &registry.authority(), &[]);
    assert_eq!(ask_traced(&service, "GET", "/tags?image=nanoserver").await.status, 200);
    // Nothing else is waited for than that it is sent.
    let spans = loop {
        let spans = collector.spans();
        if !spans.is_empty() {
            break spans;
        }
    };
    assert!(spans.iter().all(|span| span.kind == 2 && span.name == "GET /tags"), "{spans:?}");
    latch.open();
}

#[tokio::test]
async fn methods_that_no_path_takes_are_one() {
    let collector = Collector::start();
    let service = traced_service(&collector, "0");
    ask_traced(&service, "DELETE", "/tags").await;
    assert!(service.terminate().success());
    let spans = collector.spans();
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(span.name, "HTTP /tags");
    let names =
        ["http.request.method", "http.request.method_original", "http.response.status_code"];
    assert_eq!(attributes(span, &names), ["_OTHER", "DELETE", "405"]);
}

#[tokio::test]
async fn a_caller_that_traces_finds_the_request_in_its_trace() {
    let collector = Collector::start();
    let service = traced_service(&collector, "0");
    let ask = async |id: u8, flags: &str| {
        let traceparent = format!("00-{}-b7ad6b7169203331-{flags}", format!("{id:02x}").repeat(16));
        service
            .send("GET", "/resolve?image=nanoserver&host=17763", &[("traceparent", &traceparent)])
            .await
    };
    assert_eq!(ask(0xa7, "01").await.status.as_u16(), 200);
    ask(0xb7, "00").await;
    service.get("/tags?image=nanoserver").await;
    // The rest is sent when it stops.
    assert!(service.terminate().success());
    let sent = collector.everything();
    for part in
        [&b"GET /resolve"[..], b"http.route", b"http.response.status_code", b"wintag", &[0xa7; 16]]
    {
        assert!(holds(&sent, part), "{:?}", String::from_utf8_lossy(part));
    }
    assert!(!holds(&sent, &[0xb7; 16]) && !holds(&sent, b"/tags"));
}

/// All are answered within much less than twenty times the time of one forced trace.
#[tokio::test]
async fn h14_only_what_a_trusted_proxy_samples_is_always_traced() {
    const REQUESTS: usize = 20;
    for (options, is_trusted) in
        [(&["--offline"][..], false), (&["--offline", "--trusted-proxy", "127.0.0.1"], true)]
    {
        let collector = Collector::start();
        let variables = collector.variables("0");
        let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
        let service = Service::start_in(options, &variables);
        let traceparent = format!("00-{TRACE_ID}-{CALLER_ID}-01");
        let tracestate = format!("k={}", "v".repeat(600));
        for _ in 0..REQUESTS {
            let headers = [("traceparent", &*traceparent), ("tracestate", &tracestate)];
            service.send("GET", "/livez", &headers).await;
        }
        assert!(service.terminate().success());
        let sent = collector.everything();
        assert!(!holds(&sent, b"vvvv"), "a long tracestate is dropped");
        let traced = sent.windows(16).filter(|part| hex(part) == TRACE_ID).count();
        assert_eq!(traced == REQUESTS, is_trusted, "{traced}");
        assert!(traced > 0);
    }
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
    let line = service.line_with("querying the registry failed").await;
    let logged: Value =
        serde_json::from_str(&line).expect("a line is JSON if stderr is not a terminal");
    assert_eq!(logged["level"], "WARN");
    assert_eq!(logged["registry"], "mcr.microsoft.com");
    assert_eq!(logged["repository"], "windows/nanoserver");
    assert_eq!(logged["operation"], "tags");
    assert!(logged["error"].as_str().is_some_and(|error| error.contains("unavailable")), "{line}");
    assert!(logged["timestamp"].is_string());
}

#[tokio::test]
async fn the_log_can_be_text_and_of_other_levels() {
    let service = Service::mirrored(
        "127.0.0.1:1",
        &["--log-format", "text", "--admin-listen", "127.0.0.1:0"],
    );
    service.get("/tags?image=nanoserver").await;
    let line = service.line_with("querying the registry failed").await;
    assert!(line.contains(" WARN ") && line.contains("registry=\"mcr.microsoft.com\""), "{line}");
    assert!(service.admin_address().is_some());
    let silent =
        Service::start(&["--offline", "--log-level", "error", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(silent.admin_address(), None, "an event gives the address");
}

/// As the specification of OpenTelemetry wants it.
#[tokio::test]
async fn what_cannot_be_used_of_the_environment_is_logged() {
    let collector = Collector::start();
    let [_, _, no_proxy] = collector.variables("");
    let endpoint = format!("http://{}/v1/traces", collector.address());
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER_ARG", "50"),
        (no_proxy.0, &no_proxy.1),
    ];
    let service = Service::start_in(&["--offline"], &variables);
    let line = service
        .line_with("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not 50; using 0.01")
        .await;
    assert!(line.contains("WARN"), "{line}");
    assert_eq!(ask_traced(&service, "GET", "/tags?image=nanoserver").await.status, 200);
    assert!(service.terminate().success());
    assert_eq!(collector.spans().len(), 1);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (option, value) in [("--log-format", "xml"), ("--log-level", "wintag=loud")] {
        let output = Command::new(WINTAG)
            .args(["serve", "--offline", "--listen", "127.0.0.1:0", option, value])
            .output();
        let output = output.expect("wintag was built");
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(option), "{value}");
    }
}

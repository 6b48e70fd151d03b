//! F18, S10 to S12, O08: what clients may take, and what they see when there is too much or the
//! service ends.

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::Value;
use wintag::catalogue::MAX_FLIGHTS_PER_REGISTRY;

use super::bed::{Bed, tags_of};
use crate::support::misbehaving_registry::MisbehavingRegistry;
use crate::support::misbehaving_registry::behaviour::Latch;
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::raw_client::{RawAnswer, RawClient, exchange};
use crate::support::service::{Answer, Service};

/// Needs no registry.
const QUESTION: &str = "/identify?host=20348";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

fn json(answer: &RawAnswer) -> Value {
    serde_json::from_slice(&answer.body).expect("it is JSON")
}

/// A question from this address, as a proxy passes it on.
async fn ask_for(service: &Service, clients: &str) -> Answer {
    service.send("GET", QUESTION, &[("x-forwarded-for", clients)]).await
}

#[tokio::test]
async fn s11_a_client_that_asks_too_often_is_told_when_to_come_back() {
    let service = Service::start(&[
        "--offline",
        "--rate-limit",
        "1",
        "--trusted-proxy",
        "127.0.0.0/8,10.0.0.0/8",
    ]);
    assert_eq!(ask_for(&service, "198.51.100.7").await.status.as_u16(), 200);
    let refused = ask_for(&service, "198.51.100.7").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &"quota-exceeded".into()));
    assert_eq!(
        refused.json()["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    assert_eq!(refused.json()["violated-policies"], serde_json::json!(["ip"]));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(refused.header("ratelimit-policy"), "\"ip\";q=1;w=60");
    let retry_after: u64 = refused.header("retry-after").parse().expect("a number of seconds");
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert_eq!(refused.header("ratelimit"), format!("\"ip\";r=0;t={retry_after}"));
    assert_eq!(refused.json()["retry_after_seconds"], retry_after);

    // What the client made up for itself changes nothing, and neither do further proxies.
    for made_up in ["203.0.113.1, 198.51.100.7", "203.0.113.2,198.51.100.7, 10.0.0.1"] {
        assert_eq!(ask_for(&service, made_up).await.status.as_u16(), 429, "{made_up}");
    }
    for other in ["198.51.100.8", "203.0.113.1", "198.51.100.7, 198.51.100.9", "2001:db8::1"] {
        assert_eq!(ask_for(&service, other).await.status.as_u16(), 200, "{other}");
    }
    assert_eq!(
        ask_for(&service, "2001:db8::2").await.status.as_u16(),
        429,
        "another address of the same network"
    );
    for path in ["/livez", "/readyz"] {
        let answer = service.send("GET", path, &[("x-forwarded-for", "198.51.100.7")]).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn s11_a_client_cannot_name_another() {
    let service =
        Service::start(&["--offline", "--rate-limit", "1", "--trusted-proxy", "192.0.2.1"]);
    assert_eq!(ask_for(&service, "198.51.100.1").await.status.as_u16(), 200);
    for made_up in ["198.51.100.2", "192.0.2.1", "127.0.0.1", "198.51.100.3, 192.0.2.1"] {
        assert_eq!(ask_for(&service, made_up).await.status.as_u16(), 429, "{made_up}");
    }
    let forwarded = service.send("GET", QUESTION, &[("forwarded", "for=198.51.100.9")]).await;
    assert_eq!(forwarded.status.as_u16(), 429);
}

#[tokio::test]
async fn s11_nobody_is_limited_when_that_is_off() {
    let service =
        Service::start(&["--offline", "--rate-limit", "off", "--trusted-proxy", "127.0.0.1"]);
    for _ in 0..20 {
        assert_eq!(ask_for(&service, "198.51.100.7").await.status.as_u16(), 200);
    }
}

/// A list of 3 MiB counts as 384 further requests, although only one byte of it arrives.
#[tokio::test]
async fn h03_a_body_that_never_ends_is_charged() {
    let service = Service::start(&["--offline", "--rate-limit", "400"]);
    let [charged, other, ..] = CLIENTS;
    let mut unfinished = RawClient::connect_from(charged, service.address()).await;
    let head = "POST /kubernetes/nodes?image=nanoserver HTTP/1.1\r\nhost: x\r\n\
                    content-type: application/json\r\ncontent-length: 3145728\r\n\r\n[";
    unfinished.try_send(head).await;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(ask_from(&service, charged, "/releases").await.1);
    }
    drop(unfinished);
    assert_eq!((statuses.first(), statuses.last()), (Some(&Some(200)), Some(&Some(429))));
    assert_eq!(ask_from(&service, other, "/releases").await.1, Some(200));
}

/// Addresses of this machine, each of which is a client of its own.
const CLIENTS: [&str; 5] = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];

/// The status of the answer to a request from this address, on a connection that stays open.
async fn ask_from(service: &Service, client: &str, path: &str) -> (RawClient, Option<u16>) {
    let mut client = RawClient::connect_from(client, service.address()).await;
    client.try_send(get(path)).await;
    let answer = client.answer().await;
    (client, answer.map(|answer| answer.status))
}

#[tokio::test]
async fn h02_one_client_leaves_connections_for_others() {
    const SHARE: usize = 10;
    let service =
        Service::start(&["--offline", "--client-shares", "true", "--max-connections", "40"]);
    let mut open = Vec::new();
    for client in &CLIENTS[..4] {
        for _ in 0..SHARE {
            let (connection, status) = ask_from(&service, client, "/livez").await;
            assert_eq!(status, Some(200));
            open.push(connection);
        }
        let (_, status) = ask_from(&service, client, "/livez").await;
        assert_eq!(status, None, "it is closed, whatever it asks");
    }
    // All are taken; another client takes the place of one of those with most.
    for path in ["/livez", QUESTION] {
        let (connection, status) = ask_from(&service, CLIENTS[4], path).await;
        assert_eq!(status, Some(200));
        open.push(connection);
    }
    // There is room again when the others have gone, as soon as the service notices.
    drop(open);
    for _ in 0..1000 {
        if ask_from(&service, CLIENTS[0], QUESTION).await.1 == Some(200) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the connections are counted although they have ended");
}

#[tokio::test]
async fn h01_unfinished_heads_of_one_client_take_no_memory_from_others() {
    const MANY: usize = 100;
    let service = Service::start(&["--offline", "--client-shares", "true"]);
    let unfinished = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(17_000));
    let mut waiting = Vec::new();
    for _ in 0..MANY {
        let mut client = RawClient::connect_from(CLIENTS[0], service.address()).await;
        client.try_send(&unfinished).await;
        waiting.push(client);
    }
    let (_, status) = ask_from(&service, CLIENTS[1], QUESTION).await;
    assert_eq!(status, Some(200));
    let mut refused = 0;
    for client in &mut waiting {
        client.try_send("\r\n\r\n").await;
        let answer = client.answer().await.expect("it is answered");
        assert!([200, 431, 503].contains(&answer.status), "{}", answer.status);
        refused += usize::from(answer.status == 503);
    }
    // An eighth of 4 MiB is 30 of these.
    assert!((MANY - 31..MANY).contains(&refused), "{refused}");
}

#[tokio::test]
async fn s10_what_is_refused_before_there_is_a_request_is_a_problem_too() {
    let service = Service::offline();
    let long = format!("GET /livez HTTP/1.1\r\nx-long: {}", "y".repeat(20 << 10));
    let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(97));
    for (request, status, code) in [
        ("GET /livez HTTP/1.1\r\nhost: x\r\nx-slow", 408, "request-timeout"),
        ("", 408, "request-timeout"),
        ("GET /livez HTTP/9.9\r\nhost: x\r\n\r\n", 400, "malformed-request"),
        ("no request\r\n\r\n", 400, "malformed-request"),
        ("\u{16}\u{3}\u{1} as TLS would begin\r\n\r\n", 400, "malformed-request"),
        (&long, 431, "headers-too-large"),
        (&many, 431, "headers-too-large"),
    ] {
        let mut client = RawClient::connect(service.address()).await;
        client.send(request).await;
        let answer = client.answer().await.expect("it is answered");
        let problem = json(&answer);
        assert_eq!((answer.status, &problem["code"]), (status, &code.into()), "{:.40}", request);
        assert_eq!(
            (&problem["status"], problem["errors"].is_null()),
            (&status.into(), true),
            "{:.40}",
            request
        );
        assert!(
            problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "{:.40}",
            request
        );
        assert!(client.answer().await.is_none(), "{:.40}", request);
    }
    // Also after requests that are in order, which are answered first.
    let mut client = RawClient::connect(service.address()).await;
    client.send(get(QUESTION).repeat(3) + "no request\r\n\r\n").await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.map(|answer| answer.status), Some(200));
    }
    let refused = client.answer().await.expect("it is answered");
    assert_eq!((refused.status, &json(&refused)["code"]), (400, &"malformed-request".into()));
    assert!(client.answer().await.is_none());
    // Neither such requests nor clients that disconnect at once fill the log.
    for _ in 0..20 {
        let mut client = RawClient::connect(service.address()).await;
        client.send("no request\r\n\r\n").await;
        client.finish().await;
        assert_eq!(client.answer().await.map(|answer| answer.status), Some(400));
    }
    let said = service.terminate_and_tell();
    assert!(said.len() < 10, "{said:#?}");
}

#[tokio::test]
async fn s10_many_requests_at_once_are_answered_one_after_the_other() {
    const MANY: usize = 2000;
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let script_latch = latch.clone();
    let registry =
        MisbehavingRegistry::start(move |asked| holdings.answer(asked).held(&script_latch)).await;
    let service = Service::mirrored(&registry.authority(), &[]);
    let mut client = RawClient::connect(service.address()).await;
    // The first waits for the registry, and the last of those with a body has the others behind it.
    let body = r#"{"requests": [{"image": "nanoserver", "host": "20348"}]}"#;
    let posted = format!(
        "POST /resolve HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let chunked = "POST /diagnose HTTP/1.1\r\nhost: x\r\ncontent-type: \
                   text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\n\r\n\r\n0\r\n0\r\n\r\n";
    let questions = get("/tags?image=mcr.microsoft.com/cold/x")
        + &posted
        + chunked
        + &get(QUESTION).repeat(MANY);
    client.send(questions).await;
    let end = get("/livez");
    client.send(&end).await;
    latch.open();
    for at in 0..MANY + 3 {
        let answer = client.answer().await.expect("it is answered");
        assert_eq!(answer.status, 200, "{at}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(client.answer().await.map(|answer| answer.body), Some(b"ok\n".to_vec()));
}

#[tokio::test]
async fn s12_only_what_must_wait_is_turned_away() {
    const TOO_MANY: usize = 20;
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let script_latch = latch.clone();
    let registry = MisbehavingRegistry::start(move |asked| match asked.path().contains("/cold/") {
        true => holdings.answer(asked).held(&script_latch),
        false => holdings.answer(asked),
    })
    .await;
    let service = Service::mirrored(&registry.authority(), &[]);
    let known = "/tags?image=mcr.microsoft.com/known/x";
    assert_eq!(service.get(known).await.status.as_u16(), 200);

    let cold = |number: usize| get(&format!("/tags?image=mcr.microsoft.com/cold/{number}"));
    let mut clients = Vec::new();
    for number in 0..MAX_FLIGHTS_PER_REGISTRY + TOO_MANY {
        let mut client = RawClient::connect(service.address()).await;
        client.send(cold(number)).await;
        clients.push(client);
    }
    let mut answers: FuturesUnordered<_> = clients.iter_mut().map(RawClient::answer).collect();
    // The registry does not answer yet, so these are the requests that do not wait.
    for answer in answers.by_ref().take(TOO_MANY).collect::<Vec<_>>().await {
        let answer = answer.expect("it is answered");
        let problem = json(&answer);
        assert_eq!((answer.status, &problem["code"]), (503, &"temporary-reduced-capacity".into()));
        assert_eq!(
            problem["type"],
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
        );
        assert!(
            problem["retry_after_seconds"]
                .as_u64()
                .is_some_and(|seconds| (1..=30).contains(&seconds))
        );
    }
    // What is known is answered, also when it is only embedded.
    assert_eq!(service.json(known).await["freshness"]["source"], "cache");
    assert_eq!(service.json("/tags?image=servercore").await["freshness"]["source"], "embedded");
    assert_eq!(
        service.json("/resolve?image=nanoserver&host=20348").await["freshness"]["source"],
        "embedded"
    );
    latch.open();
    for answer in answers.collect::<Vec<_>>().await {
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
    let late = exchange(service.address(), cold(MAX_FLIGHTS_PER_REGISTRY + TOO_MANY)).await;
    assert_eq!(late.map(|answer| answer.status), Some(200), "there is room again");
}

/// A service that received SIGTERM and drains for an hour.
async fn draining() -> Service {
    let service =
        Service::start(&["--offline", "--drain-delay", "1h", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(service.get("/readyz").await.text, "ok\n");
    service.signal("TERM");
    service.line_with("shutting down").await;
    service
}

#[tokio::test]
async fn f18_readiness_ends_before_the_answers_do() {
    let service = draining().await;
    for refused in
        [service.get("/readyz").await, service.ask_admin("GET", "/readyz?verbose", &[]).await]
    {
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (503, &"draining".into()));
        assert_eq!(refused.header("content-type"), "application/problem+json");
    }
    assert_eq!(
        service.send("GET", "/readyz", &[("accept", "text/plain")]).await.status.as_u16(),
        503
    );
    assert_eq!(service.get("/livez").await.status.as_u16(), 200);
    assert_eq!(service.ask_admin("GET", "/metrics", &[]).await.status.as_u16(), 200);
    let mut client = RawClient::connect(service.address()).await;
    client.send(get(QUESTION)).await;
    assert_eq!(
        client.answer().await.map(|answer| answer.status),
        Some(200),
        "new connections are answered"
    );
    assert!(client.answer().await.is_none(), "connections are not kept");
    // A second signal ends it at once.
    service.signal("TERM");
    assert_eq!(service.ended().code(), Some(0));
}

#[tokio::test]
async fn f18_told_at_the_keyboard_it_does_not_wait() {
    let service = Service::start(&["--offline", "--drain-delay", "1h"]);
    assert_eq!(service.get("/readyz").await.status.as_u16(), 200);
    service.signal("INT");
    assert_eq!(service.ended().code(), Some(0));
}

#[tokio::test]
async fn f18_a_service_that_is_told_to_stop_answers_first() {
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let script_latch = latch.clone();
    let Bed { registry, service, .. } =
        Bed::start(move |asked| holdings.answer(asked).held(&script_latch)).await;
    let mut waiting = RawClient::connect(service.address()).await;
    waiting.send(get(&tags_of(0))).await;
    registry.arrived(1).await;
    // These have had an answer, and ask no more.
    let mut idle = join_all((0..5).map(|_| RawClient::connect(service.address()))).await;
    for client in &mut idle {
        client.send(get(QUESTION)).await;
        assert_eq!(client.answer().await.map(|answer| answer.status), Some(200));
    }
    service.signal("TERM");
    for client in &mut idle {
        assert!(client.answer().await.is_none());
    }
    latch.open();
    assert_eq!(waiting.answer().await.map(|answer| answer.status), Some(200));
    assert_eq!(service.ended().code(), Some(0));
}

#[tokio::test]
async fn o08_browsers_are_told_what_pages_may_do() {
    let service = Service::start(&["--offline", "--admin-listen", "127.0.0.1:0"]);
    let asked = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    for path in ["/resolve", "/check?image=x", "/livez", "/openapi.json", "/swagger-ui/"] {
        let answer = service.send("OPTIONS", path, &asked).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            (
                "access-control-allow-methods",
                if path == "/resolve" { "GET, HEAD, POST" } else { "GET, HEAD" },
            ),
            ("access-control-allow-headers", "content-type"),
            ("access-control-max-age", "86400"),
            ("access-control-allow-credentials", ""),
        ] {
            assert_eq!(answer.header(name), value, "{path}: {name}");
        }
        for incomplete in [&asked[..1], &asked[1..]] {
            assert_eq!(
                service.send("OPTIONS", path, incomplete).await.status.as_u16(),
                405,
                "{path}"
            );
        }
    }
    for (method, path) in
        [("OPTIONS", "/metrics"), ("GET", "/metrics"), ("GET", "/readyz?verbose"), ("GET", "/x")]
    {
        let answer = service.ask_admin(method, path, &asked).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{method} {path}");
    }
}

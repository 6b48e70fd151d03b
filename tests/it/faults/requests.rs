//! X14, X15, X18: questions that are put in a way that means two things, or that try to learn too
//! much.

use super::bed::{Bed, case_of, check_of, tags_of};
use crate::support::misbehaving_registry::behaviour::Behaviour;
use crate::support::raw_client::{RawClient, exchange};
use crate::support::service::Service;

const QUESTION: &str = "/resolve?image=nanoserver&host=20348";

#[tokio::test]
async fn x14_an_answer_depends_on_the_question_only() {
    let service = Service::offline();
    let plain = service.get(QUESTION).await;
    for headers in [
        &[("host", "evil.example")][..],
        &[
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "ftp"),
            ("forwarded", "host=evil.example"),
        ],
        &[
            ("x-original-url", "/check"),
            ("x-rewrite-url", "/check"),
            ("x-http-method-override", "DELETE"),
        ],
    ] {
        let answer = service.send("GET", QUESTION, headers).await;
        assert_eq!((answer.status, &answer.text), (plain.status, &plain.text), "{headers:?}");
        for (name, value) in &answer.headers {
            assert!(!value.as_bytes().windows(4).any(|part| part == b"evil"), "{name}");
        }
    }
    let canonical = plain.header("content-location");
    assert!(!canonical.is_empty());
    for same in ["/resolve?host=20348&image=nanoserver", "/resolve?image=nanoserver&host=%32%30348"]
    {
        assert_eq!(service.get(same).await.header("content-location"), canonical, "{same}");
    }
}

#[tokio::test]
async fn x14_what_could_be_read_in_two_ways_is_refused() {
    let service = Service::offline();
    for path in [
        "/resolve?image=nanoserver&host=20348&host=17763",
        "/resolve?image=nanoserver&image=nanoserver&host=20348",
        "/resolve?image=nanoserver;host=20348",
        "/resolve?Image=nanoserver&host=20348",
        "/resolve?image=nanoserver&host=20348&hos%74=17763",
    ] {
        assert_eq!(service.get(path).await.status.as_u16(), 400, "{path}");
    }
    for path in [
        "/RESOLVE?image=nanoserver&host=20348",
        "/%2fresolve",
        "//resolve",
        "/resolve;x/",
        "/livez/../resolve/x",
    ] {
        let answer =
            exchange(service.address(), format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.map(|answer| answer.status), Some(404), "{path}");
    }
}

#[tokio::test]
async fn x15_ambiguous_framing_is_refused() {
    let service = Service::offline();
    let hidden = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let with = |headers: &str, body: &str| {
        format!("GET /readyz HTTP/1.1\r\nhost: x\r\n{headers}\r\n{body}")
    };
    let length = hidden.len();
    for request in [
        with(
            &format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            &format!("0\r\n\r\n{hidden}"),
        ),
        with(
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            &format!("0\r\n\r\n{hidden}"),
        ),
        with("transfer-encoding: xchunked\r\n", hidden),
        with(&format!("content-length: +{length}\r\n"), hidden),
        with(&format!("content-length: {length}\r\ncontent-length: 0\r\n"), hidden),
        with(&format!("content-length: {length}\r\n"), hidden),
        with("x-folded: a\r\n b\r\n", ""),
        "GET /readyz HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        with(&format!("x-bare: a\ncontent-length: {length}\r\n"), hidden),
        with(&format!("x-bare: a\rcontent-length: {length}\r\n"), hidden),
        with(
            &format!("content-length: {length}\r\nx-bare: a\ntransfer-encoding: chunked\r\n"),
            &format!("0\r\n\r\n{hidden}"),
        ),
        with("transfer-encoding: chunked\r\n", &format!("0\n\n{hidden}")),
        "GET /readyz HTTP/1.1\r\nhost : x\r\n\r\n".to_owned(),
    ] {
        let mut client = RawClient::connect(service.address()).await;
        client.send(&request).await;
        let first = client.answer().await;
        assert!(first.is_none_or(|first| (400..500).contains(&first.status)), "{request:?}");
        // Half of the connection is closed, so that a second answer would not be waited for.
        client.finish().await;
        assert!(client.answer().await.is_none(), "the hidden request was answered: {request:?}");
    }
    // A line may end with a line feed alone (RFC 9112, section 2.2); that hides nothing.
    let plain = exchange(service.address(), "GET /readyz HTTP/1.1\nhost: x\n\n").await;
    assert_eq!(plain.map(|answer| answer.status), Some(200));
    assert_eq!(service.get("/livez").await.status.as_u16(), 200);
}

#[tokio::test]
async fn x15_no_other_protocol_is_spoken() {
    let service = Service::offline();
    let with = |headers: &str| format!("GET /readyz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    for (request, status) in [
        (with("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"), 200),
        (
            with(
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: \
                 AAMAAABk\r\n",
            ),
            200,
        ),
        ("CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n".to_owned(), 404),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = RawClient::connect(service.address()).await;
        // What is sent behind it is a request of HTTP/1.1 or nothing.
        client.send(format!("{request}GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(client.answer().await.map(|answer| answer.status), Some(status), "{request:?}");
        client.finish().await;
        assert!(client.answer().await.is_none_or(|second| second.status == 404), "{request:?}");
    }
}

#[tokio::test]
async fn x18_what_may_not_be_read_looks_like_what_is_not_there() {
    let bed =
        Bed::start(|asked| Behaviour::status([401, 403, 404][case_of(asked).unwrap_or(0)])).await;
    for question in [tags_of, check_of] {
        let mut seen = Vec::new();
        for case in 0..3 {
            let answer = bed.get(&question(case)).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["code"]),
                (404, &"unknown-image".into()),
                "{case}"
            );
            seen.push(answer.json()["title"].clone());
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
    }
}

#[tokio::test]
async fn h22_what_others_would_read_otherwise_is_refused() {
    let service = Service::offline();
    let posted = "content-type: text/plain\r\ncontent-length: 2\r\n";
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\nhost: a b/@\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nhost: me@a.example\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n".to_owned(), 200),
        ("\r\n\r\nGET /livez#x HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET http://x/livez?a#x HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nhost: x\r\nreferer: /a#b\r\n\r\n".to_owned(), 200),
        (
            "POST /diagnose HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ntransfer-encoding: \
          chunked\r\n\r\n7\r\n\r\n\r\n# a\r\n0\r\n\r\n"
                .to_owned(),
            200,
        ),
        // The library reads this body to the end of the connection.
        (
            format!(
                "POST /diagnose HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: \
                 websocket\r\n{posted}\r\nok"
            ),
            400,
        ),
        (
            "POST /diagnose HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: \
             99999999\r\n\r\n"
                .to_owned(),
            413,
        ),
        (
            format!("POST /diagnose HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{posted}\r\n"),
            100,
        ),
    ] {
        let answer = exchange(service.address(), &request).await;
        assert_eq!(answer.map(|answer| answer.status), Some(status), "{request:?}");
    }
}

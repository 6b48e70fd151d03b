//! F: the registry is down, slow, limited or talks nonsense.

use std::sync::Arc;

use reqwest::StatusCode;

use super::bed::{Bed, Fault, always, check_faults, check_of, delay, nonsense, outage, service_with_mirror, tags_of};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::closed_address;
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::service::Service;

#[tokio::test]
async fn f01_a_registry_that_is_down_at_the_start_leaves_the_embedded_catalogue() {
    let service = Service::mirrored(&closed_address(), &[]);
    for path in ["/livez", "/readyz"] {
        assert_eq!(service.get(path).await.status, StatusCode::OK, "{path}");
    }
    let answer = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!((&answer["freshness"]["source"], &answer["freshness"]["stale"]), (&"embedded".into(), &true.into()));
    for path in ["/tags?image=mcr.microsoft.com/x/y", "/check?image=mcr.microsoft.com/x/y:1&host=20348"] {
        let answer = service.get(path).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (503, &"upstream-unavailable".into()), "{path}");
        assert_eq!(problem["type"], "/problems/upstream-unavailable");
        let retry_after: u64 = answer.header("retry-after").parse().expect("a number of seconds");
        assert!(retry_after <= 30, "{retry_after}");
    }
}

#[tokio::test]
async fn f03_a_connection_that_breaks_leaves_what_was_known() {
    let answer = || tag_list(&["ltsc2022"]);
    let whole = answer().byte_count();
    let at = |name, byte_count| outage(name, always(Behaviour::ResetAfter(answer(), byte_count)));
    check_faults(vec![
        at("before the answer", 0),
        at("within the header", 20),
        at("within the body", whole - 15),
        at("before the last byte", whole - 1),
    ])
    .await;
}

#[tokio::test]
async fn f04_a_slow_registry_is_left_after_a_while() {
    let holdings = Holdings::usual();
    let trickle = Arc::new(move |asked: &_| match holdings.answer(asked) {
        Behaviour::Answer(response) => Behaviour::Trickle(response),
        other => other,
    });
    check_faults(vec![delay("byte by byte", trickle), delay("never", always(Behaviour::Silence))]).await;
}

#[tokio::test]
async fn f05_a_limited_rate_is_respected_however_it_is_said() {
    let limited = |name: &str, retry_after: &str| {
        outage(name, always(Response::new(429, "{}").header("retry-after", retry_after)))
    };
    check_faults(vec![
        limited("seconds", "7"),
        limited("a date", "Fri, 31 Dec 2100 23:59:59 GMT"),
        limited(
            "a date in the form of mail, with comments",
            &format!("Fri, 31 Dec 2100 23:59:59 {}", "(".repeat(8000)),
        ),
        limited("for years", "99999999"),
        limited("less than nothing", "-1"),
        limited("garbage", &"g".repeat(64 << 10)),
        outage("not said", always(Behaviour::status(429))),
    ])
    .await;
}

#[tokio::test]
async fn f06_error_pages_of_other_systems_are_not_shown() {
    let page =
        |status, media_type: &str, body: &str| always(Response::new(status, body).header("content-type", media_type));
    check_faults(vec![
        outage("limited, in text", page(429, "text/plain", "Ref A: 9E31canary Ref B: 1")),
        outage("down, in HTML", page(503, "text/html", "<html>canary</html>")),
        nonsense("a page to log in", page(200, "text/html", "<html>canary</html>")),
    ])
    .await;
}

#[tokio::test]
async fn f07_a_registry_out_of_order_is_asked_a_few_times_only() {
    let fault = |status: u16| outage(&status.to_string(), always(Behaviour::status(status)));
    check_faults([500, 502, 503, 504].map(fault).into()).await;
}

#[tokio::test]
async fn f08_a_broken_front_of_a_registry_is_an_outage() {
    let raw = |name, bytes: &[u8]| outage(name, always(Behaviour::Raw(bytes.to_vec())));
    check_faults(vec![
        raw("the end of the connection", b""),
        raw("a header line without a colon", b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}"),
        raw("another protocol", b"220 mail.example ESMTP canary\r\n"),
        raw("bytes", &[0, 255, 13, 10, 7].repeat(100)),
    ])
    .await;
}

#[tokio::test]
async fn f08_an_address_that_cannot_be_reached_is_an_outage() {
    let port = closed_address().split_once(':').expect("it has a port").1.to_owned();
    // A label of 64 bytes is no name, so that nobody is asked for its address.
    let no_name = format!("{}.example", "a".repeat(64));
    for host in ["255.255.255.255", "0.0.0.0", &no_name] {
        let (service, _folder) = service_with_mirror(&format!("http://{host}:{port}"), "", &[]);
        let answer = service.get(&tags_of(0)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &"upstream-unavailable".into()), "{host}");
        assert_eq!(service.get("/readyz").await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn f09_a_body_that_is_not_in_the_format_is_not_used() {
    let deep = "[".repeat(10_000);
    let body = |name: &str, body: &[u8]| nonsense(name, always(Response::json(body)));
    check_faults(vec![
        body("nothing", b""),
        body("cut off", br#"{"tags":["ltsc2022""#),
        body("garbage", b"canary\0\x1b[31m"),
        body("deep", deep.as_bytes()),
        body("deep within a field", format!(r#"{{"schemaVersion":2,"x":{deep}"#).as_bytes()),
        body("a key twice", br#"{"tags":["a"],"tags":["b"],"schemaVersion":2,"schemaVersion":2}"#),
        body("not a number", br#"{"tags":[NaN],"schemaVersion":NaN}"#),
        body("not UTF-8", b"{\"tags\":[\"\xff\"],\"schemaVersion\":2,\"mediaType\":\"\xff\"}"),
        body("an error with status 200", br#"{"errors":[{"code":"BLOB_UNKNOWN","message":"canary"}]}"#),
    ])
    .await;
}

#[tokio::test]
async fn f09_names_that_are_no_tags_are_left_out() {
    let long = "x".repeat(10_000);
    let tags = ["ltsc2022", "$(id)", "../../etc", "-a", "", "\u{1b}[31m", &long];
    let list = tag_list(&tags);
    let bed = Bed::start(move |_| list.clone().into()).await;
    let answer = bed.service.json(&tags_of(0)).await;
    assert_eq!((&answer["total"], &answer["tags"][0]["tag"]), (&1.into(), &"ltsc2022".into()));
}

#[tokio::test]
async fn f09_a_list_that_is_null_is_empty() {
    let bed = Bed::start(|_| Behaviour::json(r#"{"name":"x","tags":null}"#)).await;
    assert_eq!(bed.service.json(&tags_of(0)).await["total"], 0);
}

#[tokio::test]
async fn f10_only_status_200_is_an_answer() {
    let holdings = Arc::new(Holdings::usual());
    let with_status = |status: u16| -> Arc<dyn Fn(&_) -> Behaviour + Send + Sync> {
        let holdings = Arc::clone(&holdings);
        Arc::new(move |asked| match holdings.answer(asked) {
            Behaviour::Answer(response) => response.with_status(status).into(),
            other => other,
        })
    };
    let mut faults: Vec<Fault> =
        [203, 206, 300, 400, 418].map(|status| nonsense(&status.to_string(), with_status(status))).into();
    faults.push(outage("500", with_status(500)));
    check_faults(faults).await;
}

#[tokio::test]
async fn f11_what_is_deleted_is_told_from_what_cannot_be_reached() {
    let holdings = Holdings::usual();
    let mut bed = Bed::start_forgetful(move |asked| holdings.answer(asked)).await;
    for case in 0..2 {
        bed.service.json(&check_of(case)).await;
    }
    let unknown = r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#;
    bed.registry.behave(move |_| Response::new(404, unknown).header("content-type", "application/json").into());
    // That what was there is gone is believed the second time, half a minute later: a test of the shelf shows that.
    let answer = bed.service.json(&check_of(0)).await;
    assert_eq!(answer["freshness"]["stale"], true);
    // What was never there is not there.
    let answer = bed.get(&check_of(2)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &"unknown-image".into()));
    bed.registry.stop().await;
    let answer = bed.service.json(&check_of(1)).await;
    assert_eq!((&answer["freshness"]["source"], &answer["freshness"]["stale"]), (&"cache".into(), &true.into()));
}

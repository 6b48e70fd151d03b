//! F: the registry is down, slow, limited or talks nonsense.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;
use serde_json::Value;

use super::bed::{
    Bed, Fault, always, check_faults, check_of, delay, nonsense, outage, service_with_mirror,
    tags_of,
};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Latch, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::tls::Authority;
use crate::support::misbehaving_registry::{MisbehavingRegistry, closed_address};
use crate::support::service::Service;

#[tokio::test]
async fn f01_a_registry_that_is_down_at_the_start_leaves_the_embedded_catalogue() {
    let service = Service::mirrored(&closed_address(), &[]);
    for path in ["/livez", "/readyz"] {
        assert_eq!(service.get(path).await.status, StatusCode::OK, "{path}");
    }
    let answer = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!(
        (&answer["freshness"]["source"], &answer["freshness"]["stale"]),
        (&"embedded".into(), &true.into())
    );
    for path in
        ["/tags?image=mcr.microsoft.com/x/y", "/check?image=mcr.microsoft.com/x/y:1&host=20348"]
    {
        let answer = service.get(path).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &problem["code"]),
            (503, &"upstream-unavailable".into()),
            "{path}"
        );
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
    check_faults(vec![delay("byte by byte", trickle), delay("never", always(Behaviour::Silence))])
        .await;
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
    let page = |status, media_type: &str, body: &str| {
        always(Response::new(status, body).header("content-type", media_type))
    };
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
    // A label of 64 bytes is not a valid name, so that no name server is queried.
    let no_name = format!("{}.example", "a".repeat(64));
    for host in ["255.255.255.255", "0.0.0.0", &no_name] {
        let (service, _folder) = service_with_mirror(&format!("http://{host}:{port}"), "", &[]);
        let answer = service.get(&tags_of(0)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (503, &"upstream-unavailable".into()),
            "{host}"
        );
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
        body(
            "an error with status 200",
            br#"{"errors":[{"code":"BLOB_UNKNOWN","message":"canary"}]}"#,
        ),
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
async fn f09_null_is_no_list() {
    let bed = Bed::start(|_| Behaviour::json(r#"{"name":"x","tags":null}"#)).await;
    assert_eq!(bed.get(&tags_of(0)).await.status.as_u16(), 502);
    let bed = Bed::start(|_| Behaviour::json(r#"{"name":"x","tags":[]}"#)).await;
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
    let mut faults: Vec<Fault> = [203, 206, 300, 400, 418]
        .map(|status| nonsense(&status.to_string(), with_status(status)))
        .into();
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
    bed.registry.behave(move |_| {
        Response::new(404, unknown).header("content-type", "application/json").into()
    });
    // A deletion is believed only the second time, half a minute later: a test of the cache shows
    // that.
    let answer = bed.service.json(&check_of(0)).await;
    assert_eq!(answer["freshness"]["stale"], true);
    // What was never there is not there.
    let answer = bed.get(&check_of(2)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &"unknown-image".into()));
    bed.registry.stop().await;
    let answer = bed.service.json(&check_of(1)).await;
    assert_eq!(
        (&answer["freshness"]["source"], &answer["freshness"]["stale"]),
        (&"cache".into(), &true.into())
    );
}

#[tokio::test]
async fn h13_a_404_does_not_beat_the_catalogue() {
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await;
    let service = Service::mirrored(&registry.authority(), &["--fresh-for", "0s"]);
    let warm = "/resolve?image=nanoserver&host=20348";
    let before = service.json(warm).await;
    registry.behave(|_| Behaviour::status(404));
    let (after, cold) =
        (service.json(warm).await, service.json("/resolve?image=servercore&host=20348").await);
    // Another tag of the list that is known.
    let unread = service.json("/resolve?image=nanoserver&host=17763").await;
    assert_eq!(
        (&after["digest"], &after["freshness"]["source"]),
        (&before["digest"], &"cache".into())
    );
    assert_eq!(cold["freshness"]["source"], "embedded");
    assert_eq!((&unread["tag"], &unread["digest"]), (&"ltsc2019".into(), &Value::Null));
    assert_eq!(unread["freshness"]["source"], "cache");
    for answer in [after, cold, unread] {
        assert_eq!(answer["freshness"]["stale"], true);
    }
}

/// A name that was looked up before and is no longer: the second process has the knowledge of the
/// first.
#[tokio::test]
async fn f08_a_name_that_cannot_be_looked_up_leaves_what_was_known() {
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await;
    let state = tempfile::tempdir().expect("a temporary folder");
    let options =
        ["--fresh-for", "0s", "--state-dir", state.path().to_str().expect("its name is text")];
    let (service, _folder) =
        service_with_mirror(&format!("http://{}", registry.authority()), "", &options);
    let before = [service.json(&tags_of(0)).await, service.json(&check_of(0)).await];
    assert!(service.terminate().success());
    // A label of 64 bytes is not a valid name, so that no name server is queried.
    let (service, _folder) =
        service_with_mirror(&format!("http://{}.example", "a".repeat(64)), "", &options);
    for (question, before) in [tags_of(0), check_of(0)].iter().zip(before) {
        let answer = service.json(question).await;
        let freshness = &answer["freshness"];
        assert_eq!((&freshness["source"], &freshness["stale"]), (&"snapshot".into(), &true.into()));
        assert_eq!((&answer["tags"], &answer["entries"]), (&before["tags"], &before["entries"]));
    }
}

#[tokio::test]
async fn f05_the_caller_is_told_when_to_come_back() {
    for (asked_for, least, most) in [("7", 1, 7), ("1", 1, 1), ("999", 30, 30), ("garbage", 1, 30)]
    {
        let limited = Response::new(429, "{}").header("retry-after", asked_for);
        let bed = Bed::start(move |_| limited.clone().into()).await;
        // The second is answered from memory, by what is left of the time.
        for _ in 0..2 {
            let answer = bed.get(&tags_of(0)).await;
            let seconds = answer.json()["retry_after_seconds"].as_u64().expect("the answer has it");
            assert!((least..=most).contains(&seconds), "{asked_for}: {seconds}");
            assert_eq!(answer.header("retry-after"), seconds.to_string());
        }
    }
}

/// The registry answers only once the requests for all siblings of a tag are in progress: one after
/// the other, they would never arrive.
#[tokio::test]
async fn f04_the_tags_of_one_answer_are_read_together() {
    const TAGS: [&str; 4] = ["ltsc2022", "10.0.20348.2113", "ltsc2022-KB5032198", "10.0.20348"];
    let holdings = Holdings::of(&TAGS.map(|tag| (tag, "10.0.20348.2113")));
    let (latch, waiting) = (Latch::closed(), AtomicUsize::new(0));
    let bed = Bed::start(move |asked| {
        let answer = holdings.answer(asked);
        if !asked.path().contains("/manifests/") {
            return answer;
        }
        // The limit of concurrent requests to one registry.
        if waiting.fetch_add(1, Ordering::SeqCst) + 1 == 3 {
            latch.open();
        }
        answer.held(&latch)
    })
    .await;
    let answer = bed.service.json(&tags_of(0)).await;
    let tags = answer["tags"].as_array().expect("it is a list");
    assert_eq!(tags.len(), TAGS.len());
    assert!(tags.iter().all(|tag| tag["digest"].is_string()), "{answer}");
}

#[tokio::test]
async fn a_system_without_certificates_is_served() {
    let nothing = [("SSL_CERT_FILE", "/nonexistent/ca.pem"), ("SSL_CERT_DIR", "/nonexistent")];
    let service = Service::start_in(&["--offline"], &nothing);
    assert_eq!(
        service.json("/resolve?image=nanoserver&host=20348").await["freshness"]["source"],
        "embedded"
    );

    let authority = Authority::new();
    let holdings = Holdings::usual();
    let secure_holdings = holdings.clone();
    let secure = MisbehavingRegistry::start_tls(authority.server_for("127.0.0.1"), move |asked| {
        secure_holdings.answer(asked)
    });
    let (secure, plain) =
        (secure.await, MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ca, config) = (folder.path().join("ca.pem"), folder.path().join("wintag.toml"));
    std::fs::write(&ca, authority.pem()).expect("it is writable");
    let (secure_at, plain_at) = (secure.authority(), plain.authority());
    let text = format!(
        "[registries.\"c0.example\"]\nmirror = \"https://{secure_at}\"\n\
         [registries.\"c1.example\"]\nmirror = \"http://{plain_at}\"\n\
         [registries.\"c2.example\"]\nmirror = \"https://{secure_at}\"\nca_file = {ca:?}\n"
    );
    std::fs::write(&config, text).expect("it is writable");
    let service =
        Service::start_in(&["--config", config.to_str().expect("its name is text")], &nothing);
    let warning = service.line_with("CA certificates").await;
    assert!(warning.contains("WARN"), "{warning}");
    let refused = service.get(&tags_of(0)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (503, &"upstream-unavailable".into())
    );
    assert!(refused.text.contains("this system has no CA certificates"), "{}", refused.text);
    for case in [1, 2] {
        assert_eq!(service.json(&tags_of(case)).await["freshness"]["source"], "registry", "{case}");
    }
}

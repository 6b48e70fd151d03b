//! `/badge`: the answer in two words and a colour, as JSON for shields.io and as a picture.

use serde_json::{Value, json};

use crate::faults::bed::Bed;
use crate::support::docker_registry::DockerRegistry;
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::service::Service;

/// A registry address without a listener: port 9 is the discard service, long obsolete.
const UNREACHABLE: &str = "127.0.0.1:9";

fn short(badge: &Value) -> String {
    let text = |name: &str| badge[name].as_str().expect("a text").to_owned();
    format!("{} | {} | {}", text("label"), text("message"), text("color"))
}

#[tokio::test]
async fn the_table_of_badges() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    for (query, expected) in [
        ("image=nanoserver&host=17763", "nanoserver @17763 | ltsc2019 | green"),
        ("image=microsoft/iis&host=20348", "iis @20348 | windowsservercore-ltsc2022 | green"),
        (
            "image=servercore&host=20348.5499&pin=build",
            "servercore @20348.5499 | 10.0.20348.5499 | green",
        ),
        ("image=servercore&host=26100&arch=arm64", "servercore @26100 | ltsc2025-arm64 | green"),
        ("image=servercore&host=19045", "servercore @19045 | ltsc2019 (hyperv) | blue"),
        (
            "image=servercore&host=20348&isolation=hyperv",
            "servercore @20348 | ltsc2022 (hyperv) | blue",
        ),
        // The host and the image are out of support, the image's revision is above the host's.
        ("image=nanoserver&host=16299", "nanoserver @16299 | 1709 | yellow"),
        ("image=servercore&host=20348.2113", "servercore @20348.2113 | ltsc2022 | yellow"),
        ("image=servercore&host=19045&platform=kubernetes", "servercore @19045 | none | red"),
        (
            "image=servercore&host=19045&isolation=process&host_type=client",
            "servercore @19045 | none | red",
        ),
    ] {
        let badge = service.json(&format!("/badge?{query}")).await;
        assert_eq!(short(&badge), expected, "{query}");
        assert_eq!(badge["isError"], expected.ends_with("red"), "{query}");
        // The fields of shields.io, and no others.
        assert_eq!(
            (&badge["schemaVersion"], &badge["cacheSeconds"]),
            (&json!(1), &json!(3600)),
            "{query}"
        );
        assert_eq!(badge.as_object().map(|fields| fields.len()), Some(6), "{query}");
    }
}

#[tokio::test]
async fn nobody_can_tell_is_an_answer_and_a_wrong_question_is_none() {
    let service = Service::mirrored(UNREACHABLE, &[]);
    let answer = service.get("/badge?image=mcr.microsoft.com/example&host=20348").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let badge = answer.json();
    assert_eq!(short(&badge), "example @20348 | unknown | lightgrey");
    assert_eq!((&badge["isError"], &badge["cacheSeconds"]), (&json!(false), &json!(300)));
    assert_eq!(answer.header("cache-control"), "public, max-age=30");
    let embedded = service.json("/badge?image=nanoserver&host=17763").await;
    assert_eq!(
        (&embedded["message"], &embedded["cacheSeconds"]),
        (&json!("ltsc2019"), &json!(300))
    );
    for (query, status) in [
        ("image=nanoserver", 400),
        ("image=nanoserver&host=17763&format=png", 400),
        ("image=nanoserver&host=17763&style=flat", 400),
        ("image=nanoserver&host=17763&kb=KB4043961", 400),
        ("image=nanosrver&host=17763&format=svg", 404),
        ("image=example.com/x/y&host=17763&format=svg", 403),
    ] {
        let answer = service.get(&format!("/badge?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{query}");
        assert_eq!(answer.header("cache-control"), "no-store", "{query}");
    }
}

#[tokio::test]
async fn a_picture_is_kept_for_five_minutes() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let path = "/badge?image=nanoserver&host=17763&format=svg";
    let picture = service.get(path).await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(
        picture.text.contains("role=\"img\" aria-label=\"nanoserver @17763: ltsc2019\""),
        "{}",
        picture.text
    );
    assert!(
        picture.text.contains("<title>nanoserver @17763: ltsc2019</title>"),
        "{}",
        picture.text
    );
    assert_eq!(picture.header("cache-control"), "public, max-age=300");
    let etag = picture.header("etag");
    let again = service
        .send("GET", path, &[("if-none-match", etag), ("accept", "image/avif,image/*")])
        .await;
    assert_eq!(
        (again.status.as_u16(), again.header("cache-control")),
        (304, "public, max-age=300")
    );
}

#[tokio::test]
async fn o04_a_picture_runs_and_loads_nothing() {
    let mut holdings = Holdings::usual();
    holdings.copy_from(&Holdings::of(&[("10.0.20348.2113", "10.0.20348.2113")]));
    let hostile = [
        "ltsc2022<script>alert(1)</script>",
        "10.0.20348.1\" onload=\"alert(1)",
        "ltsc2022",
        "10.0.20348.2113",
    ];
    let list = tag_list(&hostile);
    let bed = Bed::start(move |asked| match asked.path().ends_with("/tags/list") {
        true => list.clone().into(),
        false => holdings.answer(asked),
    })
    .await;
    for query in ["", "&pin=build", "&pin=kb", "&isolation=hyperv"] {
        let picture =
            bed.get(&format!("/badge?image=c0.example/case/0&host=20348&format=svg{query}")).await;
        assert_eq!(picture.status, 200, "{}", picture.text);
        assert_eq!(
            picture.header("content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'"
        );
        assert_eq!(picture.header("x-content-type-options"), "nosniff");
        for word in ["script", "onload", "href", "url(h", "alert"] {
            assert!(!picture.text.contains(word), "{query}: {}", picture.text);
        }
    }
    // What is not allowed in a name is refused as a problem, which is no picture.
    let refused = bed.get("/badge?image=%3Csvg%20onload%3Dalert(1)%3E&host=20348&format=svg").await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("content-type")),
        (400, "application/problem+json")
    );
}

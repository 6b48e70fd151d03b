//! What the embedded catalogue answers, and for how long that is true.

use serde_json::{Value, json};

use crate::resolve::codes;
use crate::support::service::get;
use crate::support::still_service::StillService;

/// A day on which the catalogue was still being gathered, and the last one before the next patches.
const GATHERED: &str = "2026-09-18T12:00:00Z";
const LAST_DAY: &str = "2026-10-12T23:59:59Z";
/// The day of those patches.
const PATCH_DAY: &str = "2026-10-13T00:00:00Z";
/// What the catalogue saw of `ltsc2022` then.
const SEEN: &str = "10.0.20348.5622";
/// The warning that what was seen need not be true any more.
const MAY_HAVE_MOVED: &str = "embedded-tag-may-have-moved";

/// The warning that the catalogue never had a digest.
const DIGEST_UNKNOWN: &str = "embedded-digest-unknown";

async fn json_on(day: &str, path: &str) -> Value {
    get(StillService::on(day).address(), path).await.json()
}

#[tokio::test]
async fn a_release_tag_is_what_was_seen_until_the_next_patches() {
    for day in [GATHERED, LAST_DAY] {
        let answer = json_on(day, "/resolve?image=servercore&host=20348").await;
        assert_eq!(
            (&answer["tag"], &answer["os_version"]),
            (&json!("ltsc2022"), &json!(SEEN)),
            "{day}"
        );
        assert!(answer["digest"].is_string() && answer["kb"].is_string(), "{answer}");
        assert!(!codes(&answer["warnings"]).contains(&MAY_HAVE_MOVED), "{answer}");
    }
    let answer = json_on(PATCH_DAY, "/resolve?image=servercore&host=20348").await;
    assert_eq!((&answer["tag"], &answer["os_version"]), (&json!("ltsc2022"), &json!("10.0.20348")));
    assert_eq!((&answer["digest"], &answer["kb"]), (&Value::Null, &Value::Null));
    assert!(codes(&answer["warnings"]).contains(&MAY_HAVE_MOVED), "{answer}");
}

#[tokio::test]
async fn a_digest_that_is_not_given_is_explained() {
    let service = StillService::on(PATCH_DAY);
    for (query, code) in [
        // It was seen, but the date is not recorded.
        ("image=nanoserver&host=17763", MAY_HAVE_MOVED),
        ("image=servercore&host=17763", MAY_HAVE_MOVED),
        // It was seen after the end of support, in a list without digests.
        ("image=servercore&host=16299", DIGEST_UNKNOWN),
        ("image=nanoserver&host=19042", DIGEST_UNKNOWN),
        ("image=servercore&host=19042", DIGEST_UNKNOWN),
        ("image=windows&host=19042", DIGEST_UNKNOWN),
        ("image=iis&host=19042", "embedded-tag-not-proven"),
        ("image=nanoserver&host=10.0.14393.1715&pin=build", DIGEST_UNKNOWN),
    ] {
        let answer = get(service.address(), &format!("/resolve?{query}")).await.json();
        assert_eq!(answer["digest"], Value::Null, "{query}: {answer}");
        let said: Vec<&str> = codes(&answer["warnings"])
            .into_iter()
            .filter(|code| code.starts_with("embedded-"))
            .collect();
        assert_eq!(said, [code], "{query}");
    }
    let check =
        get(service.address(), "/check?image=nanoserver:10.0.14393.1715&host=20348").await.json();
    assert_eq!(check["image"]["digest"], Value::Null);
    assert!(codes(&check["warnings"]).contains(&DIGEST_UNKNOWN), "{check}");
}

#[tokio::test]
async fn nothing_is_pinned_to_what_may_have_moved() {
    let pinned = "/resolve?image=servercore&host=20348&format=pinned";
    for (day, status) in [(GATHERED, 200), (PATCH_DAY, 503)] {
        assert_eq!(
            get(StillService::on(day).address(), pinned).await.status.as_u16(),
            status,
            "{day}"
        );
    }
}

#[tokio::test]
async fn the_other_calls_give_no_digest_that_may_have_moved() {
    let check = json_on(PATCH_DAY, "/check?image=servercore:ltsc2022&host=20348").await;
    assert_eq!(check["image"]["digest"], Value::Null);
    let tags = json_on(PATCH_DAY, "/tags?image=servercore&tag=ltsc2022").await;
    assert_eq!((&tags["total"], &tags["tags"][0]["digest"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn the_tags_that_are_the_same_image_come_in_pages_too() {
    let service = StillService::on(GATHERED);
    let json = async |path: &str| get(service.address(), path).await.json();
    let whole = json("/tags?image=servercore&tag=ltsc2022").await;
    assert_eq!((&whole["total"], &whole["next"]), (&json!(2), &Value::Null));
    let first = json("/tags?image=servercore&tag=ltsc2022&limit=1").await;
    assert_eq!((first["tags"].as_array().map(Vec::len), &first["total"]), (Some(1), &json!(2)));
    let second = json(first["next"].as_str().expect("there is more")).await;
    assert_eq!((&second["tags"][0], &second["next"]), (&whole["tags"][1], &Value::Null));
}

#[tokio::test]
async fn a_digest_that_was_seen_is_checked_on_any_day() {
    let digest = json_on(GATHERED, "/resolve?image=servercore&host=20348").await["digest"].clone();
    let path = |digest: &str| {
        format!("/check?image=mcr.microsoft.com/windows/servercore@{digest}&host=20348")
    };
    let check = json_on(PATCH_DAY, &path(digest.as_str().expect("it was seen"))).await;
    assert_eq!((&check["runs"], &check["image"]["digest"]), (&json!(true), &digest));
    assert_eq!(check["entries"][0]["os_version"], SEEN);
    assert!(!codes(&check["warnings"]).contains(&MAY_HAVE_MOVED), "{check}");

    let unknown = format!("sha256:{}", "0".repeat(64));
    let refused = get(StillService::on(PATCH_DAY).address(), &path(&unknown)).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (404, &json!("unknown-image")));
    assert!(refused.text.contains(&unknown), "{}", refused.text);
}

#[tokio::test]
async fn a_tag_that_names_another_architecture_does_not_run() {
    let check = async |tag: &str, architecture: &str| {
        json_on(PATCH_DAY, &format!("/check?image=servercore:{tag}&host=26100&arch={architecture}"))
            .await
    };
    for (tag, architecture, runs) in [
        ("ltsc2025-arm64", "amd64", false),
        ("ltsc2025-arm64", "arm64", true),
        ("ltsc2025", "arm64", true),
    ] {
        let answer = check(tag, architecture).await;
        assert_eq!(answer["runs"], json!(runs), "{tag} {architecture}: {answer}");
        assert_eq!(answer["entries"][0]["architecture"], "arm64");
    }
    assert_eq!(
        check("ltsc2025-arm64", "amd64").await["entries"][0]["reasons"],
        json!(["other-architecture"])
    );
}

//! `/renovate`: feeds of one Windows build, in the form that Renovate takes.
//!
//! That the real Renovate makes the right updates of them is shown by `tests/renovate-run`.

use jiff::{Timestamp, ToSpan as _};
use reqwest::StatusCode;
use serde_json::Value;

use crate::faults::bed::Bed;
use crate::support::docker_registry::DockerRegistry;
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::service::Service;

fn versions(feed: &Value) -> Vec<&str> {
    let releases = feed["releases"].as_array().expect("a list");
    releases.iter().map(|release| release["version"].as_str().expect("a text")).collect()
}

/// The build and the revision of a version, behind any prefix.
fn parts(version: &str) -> (u32, u32) {
    let (rest, revision) = version.rsplit_once('.').expect("four parts");
    let build = rest.rsplit_once('.').expect("four parts").1;
    (build.parse().expect("a number"), revision.parse().expect("a number"))
}

/// What Renovate's schema of custom datasources demands; what has another type would void the whole
/// feed, and `null` is another type. Fields that it does not know are dropped.
fn check_schema(feed: &Value) {
    let is_text = |value: &Value| value.is_string();
    let texts = ["sourceUrl", "sourceDirectory", "changelogUrl", "homepage"];
    for name in texts {
        assert!(feed.get(name).is_none_or(is_text), "{name}: {feed}");
    }
    assert!(
        feed["tags"].as_object().is_some_and(|tags| tags.values().all(is_text)),
        "{}",
        feed["tags"]
    );
    let releases = feed["releases"].as_array().expect("releases are a list");
    assert!(!releases.is_empty());
    for release in releases {
        assert!(is_text(&release["version"]), "{release}");
        for name in ["sourceUrl", "sourceDirectory", "changelogUrl", "digest"] {
            assert!(release.get(name).is_none_or(is_text), "{name}: {release}");
        }
        for name in ["isDeprecated", "isStable"] {
            assert!(release.get(name).is_none_or(Value::is_boolean), "{name}: {release}");
        }
        // A moment outside these bounds counts as none.
        if let Some(timestamp) = release.get("releaseTimestamp") {
            let timestamp: Timestamp =
                timestamp.as_str().expect("a text").parse().expect("a moment");
            let tomorrow = Timestamp::now() + 24.hours();
            assert!(
                timestamp > "2000-01-01T00:00:00Z".parse().expect("a moment")
                    && timestamp < tomorrow,
                "{release}"
            );
        }
    }
    assert_eq!(feed["tags"]["latest"], releases[0]["version"]);
}

#[tokio::test]
async fn every_feed_is_of_one_build_and_of_the_form_that_renovate_takes() {
    let service = Service::offline();
    let mut feeds = 0;
    for image in ["nanoserver", "servercore", "server", "windows", "iis"] {
        for host in [
            "14393", "16299", "17134", "17763", "18363", "19042", "20348", "25398", "26100",
            "26200",
        ] {
            let answer = service.get(&format!("/renovate?image={image}&host={host}")).await;
            if answer.status == StatusCode::NOT_FOUND {
                assert_eq!(answer.json()["code"], "no-compatible-tag", "{image} {host}");
                continue;
            }
            let feed = answer.json();
            check_schema(&feed);
            let parts: Vec<(u32, u32)> = versions(&feed).into_iter().map(parts).collect();
            let newest_first =
                parts.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 > pair[1].1);
            assert!(newest_first, "{image} {host}: {parts:?}");
            // The same as the tag that is in use says.
            let like =
                service.json(&format!("/renovate?image={image}&like={}", versions(&feed)[0])).await;
            assert_eq!(like["releases"], feed["releases"], "{image} {host}");
            feeds += 1;
        }
    }
    assert!(feeds > 20, "{feeds}");
}

#[tokio::test]
async fn the_newest_digest_is_read_and_no_other() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let path = "/renovate?image=servercore&host=20348.2113";
    let feed = service.json(path).await;
    check_schema(&feed);
    // The digest of the real index of that day, whose bytes the registry holds.
    let digest = "sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a";
    let newest = &feed["releases"][0];
    assert_eq!(
        (&newest["version"], &newest["digest"]),
        (&"10.0.20348.2113".into(), &digest.into())
    );
    assert_eq!(newest["releaseTimestamp"], "2023-11-14T00:00:00Z");
    assert_eq!(newest["changelogUrl"], "https://support.microsoft.com/help/5032198");
    assert_eq!((&newest["isStable"], &newest["isDeprecated"]), (&true.into(), &false.into()));
    assert_eq!(feed["homepage"], "https://mcr.microsoft.com/product/windows/servercore");
    assert_eq!(feed["freshness"]["source"], "registry");
    assert!(versions(&feed).len() > 20);
    let others = || feed["releases"].as_array().expect("a list")[1..].iter();
    assert!(others().all(|release| release.get("digest").is_none()));
    let tags = "GET /v2/windows/servercore/tags/list";
    let manifest = "GET /v2/windows/servercore/manifests/10.0.20348.2113";
    let requests = registry.settled_requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[0].starts_with(tags) && requests[1] == manifest, "{requests:?}");

    // Facts that another question fetched appear too.
    let second = others().next().expect("there are more")["version"].as_str().expect("a text");
    let check = service.json(&format!("/check?image=windows/servercore:{second}&host=20348")).await;
    let read = registry.settled_requests().len();
    let feed = service.json(path).await;
    assert_eq!(feed["releases"][1]["digest"], check["image"]["digest"]);
    assert_eq!(registry.settled_requests().len(), read);
}

#[tokio::test]
async fn ceilings_and_forms_are_kept() {
    let service = Service::offline();
    let latest = async |query: &str| {
        service.json(&format!("/renovate?{query}")).await["tags"]["latest"].clone()
    };
    assert_eq!(latest("image=servercore&host=10.0.20348.2113").await, "10.0.20348.2113");
    assert_eq!(latest("image=servercore&host=10.0.20348.2112").await, "10.0.20348.2031");
    assert_eq!(
        latest("image=servercore&host=10.0.20348.2113&max_revision=2031").await,
        "10.0.20348.2031"
    );
    assert_eq!(latest("image=servercore&host=20348&max_revision=2113").await, "10.0.20348.2113");
    assert_eq!(
        latest("image=servercore&like=10.0.20348.1&max_revision=2113").await,
        "10.0.20348.2113"
    );
    // Of a software: all versions for the same Windows release, of the same form.
    let aspnet = "image=mcr.microsoft.com/dotnet/framework/aspnet";
    assert_eq!(
        latest(&format!("{aspnet}&like=4.8-20250513-windowsservercore-ltsc2019")).await,
        "4.8-20260811-windowsservercore-ltsc2019"
    );
    let feed = service
        .json("/renovate?image=mcr.microsoft.com/dotnet/aspnet&like=8.0.22-nanoserver-ltsc2022")
        .await;
    check_schema(&feed);
    assert!(versions(&feed).iter().all(|tag| tag.ends_with("-nanoserver-ltsc2022")), "{feed}");
    assert!(versions(&feed).iter().any(|tag| tag.starts_with("8.0.")), "{feed}");
    // The revision of the tag in use is no ceiling, and any form of tag tells its build.
    assert_eq!(latest("image=servercore&like=10.0.20348.2113").await, "10.0.20348.5622");
    assert_eq!(latest("image=servercore&like=ltsc2022-KB5005039").await, "10.0.20348.5622");
    assert_eq!(
        latest("image=iis&like=windowsservercore-10.0.14393.1715").await,
        "windowsservercore-10.0.14393.1944"
    );
    // A host of another build gets what it can run.
    assert_eq!(
        latest("image=servercore&host=19045").await,
        latest("image=servercore&host=17763").await
    );
}

#[tokio::test]
async fn a_refusal_says_what_there_is() {
    let service = Service::offline();
    for (query, status, code, said) in [
        ("image=nanoserver&host=16299", 404, "no-compatible-tag", "no build tag for build 16299"),
        (
            "image=servercore&like=10.0.20348.1&max_revision=1",
            404,
            "no-compatible-tag",
            "a revision of at most 1",
        ),
        ("image=iis&like=10.0.14393.1715", 404, "no-compatible-tag", "written like the given tag"),
        ("image=servercore&host=10240", 404, "unknown-host", "host: "),
        ("image=example/x/y&host=20348", 404, "unknown-image", "docker.io/example/x/y"),
        ("image=servercore", 400, "invalid-parameter", "host: is required"),
        (
            "image=servercore&like=latest",
            400,
            "invalid-parameter",
            "a tag that names a Windows release",
        ),
        ("image=servercore&like=1709&host=1709", 400, "invalid-parameter", "give one of the two"),
        (
            "image=servercore&host=1709&max_revision=-1",
            400,
            "invalid-parameter",
            "a whole number from 0",
        ),
        ("image=servercore&host=1709&format=json", 400, "invalid-parameter", "unknown parameter"),
    ] {
        let answer = service.get(&format!("/renovate?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (status, &code.into()),
            "{query}: {}",
            answer.text
        );
        assert!(answer.text.contains(said), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn o03_hostile_tags_are_in_no_feed() {
    let mut holdings =
        Holdings::of(&[("10.0.20348.2113", "10.0.20348.2113"), ("10.0.20348.9", "10.0.20348.9")]);
    // Listed with another image behind it, and listed without one.
    let other = Holdings::of(&[("10.0.20348.9999", "10.0.20348.1")]);
    holdings.copy_from(&other);
    let tags = [
        "10.0.20348.2113",
        "10.0.20348.9",
        "10.0.20348.9999",
        "10.0.20348.$(id)",
        "10.0.20348.1\n",
        "10.0.20348.1 ",
        "10.0.20348.00001",
        "10.0.20348.99999999999",
        "10.0.20348.1;id",
        "10.0.26100.1",
        "##vso[task.setvariable]10.0.20348.1",
        "<svg onload=alert(1)>",
    ];
    let list = tag_list(&tags);
    let bed = Bed::start(move |asked| match asked.path().ends_with("/tags/list") {
        true => list.clone().into(),
        false => holdings.answer(asked),
    })
    .await;
    let feed = bed.get("/renovate?image=c0.example/case/0&host=20348").await.json();
    check_schema(&feed);
    assert_eq!(versions(&feed), ["10.0.20348.2113", "10.0.20348.9"]);
    // The pages of Microsoft are about Microsoft's repositories.
    assert!(feed.get("homepage").is_none() && feed.get("sourceUrl").is_none());
}

#[tokio::test]
async fn a_newest_tag_without_an_image_is_left_out() {
    let holdings = Holdings::of(&[("10.0.20348.9", "10.0.20348.9")]);
    let list = tag_list(&["10.0.20348.9", "10.0.20348.10"]);
    let bed = Bed::start(move |asked| match asked.path().ends_with("/tags/list") {
        true => list.clone().into(),
        false => holdings.answer(asked),
    })
    .await;
    let feed = bed.get("/renovate?image=c0.example/case/0&like=10.0.20348.9").await.json();
    assert_eq!(versions(&feed), ["10.0.20348.9"]);
}

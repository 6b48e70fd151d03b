//! The main job against a real registry that holds the real catalogue.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::docker_registry::DockerRegistry;
use crate::support::misbehaving_registry::MisbehavingRegistry;
use crate::support::misbehaving_registry::behaviour::Latch;
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::service::{Answer, Service};

/// A service in front of a registry that anyone may read.
struct Bed {
    registry: DockerRegistry,
    service: Service,
}

impl Bed {
    fn start() -> Self {
        let registry = DockerRegistry::start();
        let service = Service::mirrored(&registry.host(), &[]);
        Self { registry, service }
    }

    async fn resolve(&self, query: &str) -> Value {
        self.service.json(&format!("/resolve?{query}")).await
    }

    async fn refused(&self, query: &str) -> (StatusCode, Value) {
        let Answer { status, text, .. } = self.service.get(&format!("/resolve?{query}")).await;
        (status, serde_json::from_str(&text).expect("problems are JSON"))
    }
}

pub fn codes(remarks: &Value) -> Vec<&str> {
    remarks
        .as_array()
        .expect("a list")
        .iter()
        .map(|remark| remark["code"].as_str().expect("a code"))
        .collect()
}

/// Tag, isolation, the modes that work, and the codes of the reasons.
pub fn line(answer: &Value) -> String {
    let modes: Vec<&str> = answer["isolation_supported"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
    format!(
        "{} {} {} {}",
        text("tag"),
        text("isolation"),
        modes.join("+"),
        codes(&answer["reasons"]).join("+")
    )
}

#[tokio::test]
async fn the_table_of_answers() {
    const ANSWERS: [(&str, &str); 32] = [
        ("image=microsoft/nanoserver&host=16299", "1709 process process+hyperv same-build"),
        (
            "image=nanoserver&host=10.0.14393.1770",
            "10.0.14393.1770 process process+hyperv same-revision",
        ),
        (
            "image=nanoserver&host=14393",
            "sac2016 hyperv hyperv hyperv-runs-older-or-equal+host-revision-unknown",
        ),
        (
            "image=servercore&host=10.0.14393.1770",
            "10.0.14393.1770 process process+hyperv same-revision",
        ),
        (
            "image=servercore&host=14393",
            "ltsc2016 hyperv hyperv hyperv-runs-older-or-equal+host-revision-unknown",
        ),
        // A revision that no image has: Hyper-V isolation is what is left.
        (
            "image=servercore&host=10.0.14393.1771",
            "ltsc2016 hyperv hyperv hyperv-runs-older-or-equal+revision-differs",
        ),
        ("image=servercore&host=16299", "1709 process process+hyperv same-build"),
        ("image=servercore&host=17763.1039", "ltsc2019 process process+hyperv same-build"),
        (
            "image=servercore&host=19045",
            "ltsc2019 hyperv hyperv hyperv-runs-older-or-equal+build-differs",
        ),
        ("image=servercore&host=20348", "ltsc2022 process process+hyperv same-build"),
        ("image=servercore&host=20348.2113", "ltsc2022 process process+hyperv same-build"),
        ("image=servercore&host=25398", "ltsc2022 process process+hyperv stable-interface"),
        ("image=servercore&host=26100.4061", "ltsc2025 process process+hyperv same-build"),
        (
            "image=servercore&host=26200",
            "ltsc2025 hyperv process+hyperv hyperv-runs-older-or-equal+hyperv-is-client-default",
        ),
        (
            "image=servercore&host=26200&isolation=process",
            "ltsc2025 process process+hyperv stable-interface",
        ),
        (
            "image=servercore&host=26100&host_type=client",
            "ltsc2025 hyperv process+hyperv hyperv-runs-older-or-equal+hyperv-is-client-default",
        ),
        (
            "image=servercore&host=16299&isolation=hyperv",
            "ltsc2016 hyperv hyperv hyperv-runs-older-or-equal+build-differs",
        ),
        (
            "image=servercore&host=20348&isolation=hyperv",
            "ltsc2022 hyperv process+hyperv hyperv-runs-older-or-equal",
        ),
        (
            "image=servercore&host=20348.2113&pin=build",
            "10.0.20348.2113 process process+hyperv same-build",
        ),
        (
            "image=servercore&host=20348.2114&pin=build",
            "10.0.20348.2113 process process+hyperv same-build",
        ),
        (
            "image=servercore&host=20348&pin=build",
            "10.0.20348.5622 process process+hyperv same-build",
        ),
        (
            "image=servercore&host=26100.4061&pin=build",
            "10.0.26100.4061 process process+hyperv same-build",
        ),
        (
            "image=servercore&host=26100.4061&pin=kb",
            "ltsc2025-KB5059087 process process+hyperv same-build",
        ),
        ("image=servercore&host=16299&pin=kb", "1709-KB4493441 process process+hyperv same-build"),
        (
            "image=nanoserver&host=16299&kb=KB4043961",
            "1709_KB4043961 process process+hyperv same-build",
        ),
        (
            "image=servercore&host=16299&kb=KB4493441&pin=build",
            "10.0.16299.1087 process process+hyperv same-build",
        ),
        // No tag names it; the build tag of the version that it brought is that patch.
        (
            "image=servercore&host=20348&kb=KB5120242",
            "10.0.20348.5499 process process+hyperv same-build",
        ),
        // The revisions of clients are numbered apart: no ceiling.
        (
            "image=servercore&host=26100.7623&host_type=client&pin=build",
            "10.0.26100.33438 hyperv process+hyperv \
             hyperv-runs-older-or-equal+hyperv-is-client-default",
        ),
        (
            "image=servercore&host=10.0.14393.1770&platform=kubernetes",
            "10.0.14393.1770 process process same-revision",
        ),
        (
            "image=servercore&host=26100&arch=arm64",
            "ltsc2025-arm64 process process+hyperv same-build",
        ),
        ("image=iis&host=20348", "windowsservercore-ltsc2022 process process+hyperv same-build"),
        (
            "image=windows&host=20348",
            "ltsc2019 hyperv hyperv hyperv-runs-older-or-equal+image-before-stable-interface",
        ),
    ];
    let bed = Bed::start();
    for (query, expected) in ANSWERS {
        assert_eq!(line(&bed.resolve(query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn a_floating_tag_above_the_hosts_revision_warns_and_names_the_safe_pin() {
    let answer = Bed::start().resolve("image=servercore&host=20348.2113").await;
    assert_eq!(codes(&answer["warnings"]), ["image-revision-newer-than-host", "safe-pin"]);
    assert_eq!(answer["pins"]["build"], "10.0.20348.2113");
    assert!(
        answer["warnings"][1]["message"]
            .as_str()
            .is_some_and(|text| text.contains("10.0.20348.2113"))
    );
}

#[tokio::test]
async fn digest_version_and_kb_come_from_the_registry() {
    let answer = Bed::start().resolve("image=servercore&host=20348.2113&pin=build").await;
    // The digest of the real index of that day, whose bytes the registry holds.
    assert_eq!(
        answer["digest"],
        "sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a"
    );
    assert_eq!(answer["os_version"], "10.0.20348.2113");
    assert_eq!(answer["kb"], "KB5032198");
    assert_eq!(answer["reference"], "mcr.microsoft.com/windows/servercore:10.0.20348.2113");
    assert_eq!(answer["freshness"]["source"], "registry");
    assert_eq!(answer["freshness"]["stale"], false);
}

/// The registry does not give its list before it is asked for the manifest of the tag that will be
/// the answer.
#[tokio::test]
async fn the_likely_manifest_is_fetched_while_the_list_is() {
    for image in ["nanoserver", "a.example/app:1.0-windowsservercore-ltsc2022"] {
        let (latch, tag) = (Latch::closed(), image.split_once(':').map_or("ltsc2022", |it| it.1));
        let (holdings, opening) = (Holdings::of(&[(tag, "10.0.20348.2113")]), latch.clone());
        let registry = MisbehavingRegistry::start(move |asked| {
            if asked.path().contains("/manifests/") {
                opening.open();
                return holdings.answer(asked);
            }
            holdings.answer(asked).held(&latch)
        })
        .await;
        let other = format!("a.example=http://{}", registry.authority());
        let service = Service::mirrored(&registry.authority(), &["--mirror", &other]);
        let answer = service.json(&format!("/resolve?image={image}&host=20348")).await;
        assert_eq!(
            (&answer["tag"], &answer["freshness"]["source"]),
            (&tag.into(), &"registry".into())
        );
        assert!(answer["digest"].is_string(), "{answer}");
        assert_eq!(registry.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_cold_answer_costs_two_requests_and_a_warm_one_none() {
    let bed = Bed::start();
    let cold = bed.resolve("image=nanoserver&host=20348").await;
    // They are sent at the same time.
    let mut requests = bed.registry.settled_requests();
    requests.sort();
    assert_eq!(
        requests,
        ["GET /v2/windows/nanoserver/manifests/ltsc2022", "GET /v2/windows/nanoserver/tags/list"]
    );
    let warm = bed.resolve("image=nanoserver&host=20348").await;
    assert_eq!(bed.registry.settled_requests().len(), 2);
    assert_eq!(
        (&cold["freshness"]["source"], &warm["freshness"]["source"]),
        (&"registry".into(), &"cache".into())
    );
    assert_eq!(cold["digest"], warm["digest"]);
}

#[tokio::test]
async fn a_tag_with_an_architecture_is_a_single_manifest_whose_config_is_read() {
    let bed = Bed::start();
    let answer =
        bed.service.json("/check?image=servercore:10.0.17763.557-amd64&host=17763.557").await;
    assert_eq!(
        (answer["runs"].as_bool(), answer["isolation"].as_str()),
        (Some(true), Some("process"))
    );
    assert_eq!(answer["entries"][0]["os_version"], "10.0.17763.557");
    let requests = bed.registry.settled_requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[1].starts_with("GET /v2/windows/servercore/blobs/sha256:"), "{requests:?}");
}

#[tokio::test]
async fn refusals_name_the_nearest() {
    let bed = Bed::start();
    let (status, problem) = bed.refused("image=servercore&host=14393&platform=kubernetes").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"no-compatible-tag".into()));
    assert_eq!(problem["alternatives"][0]["tag"], "ltsc2016");
    assert_eq!(
        problem["alternatives"][0]["reasons"],
        serde_json::json!(["host-revision-unknown", "kubernetes-process-only"])
    );

    let (status, problem) = bed.refused("image=nanoserver&host=16299&kb=KB4043962").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"kb-not-found".into()));
    assert_eq!(problem["available_kbs"][0], "KB4056892");

    // The patch is there, but not as a build tag.
    let (_, problem) = bed.refused("image=nanoserver&host=16299&kb=KB4043961&pin=build").await;
    assert_eq!(problem["code"], "no-compatible-tag");
    assert_eq!(problem["alternatives"][0]["tag"], "1709_KB4043961", "{problem}");

    // Every KB tag of the build is newer than the host.
    let (_, problem) = bed.refused("image=servercore&host=20348.2113&pin=kb").await;
    assert_eq!(problem["code"], "no-compatible-tag");
    let tags: Vec<&Value> =
        problem["alternatives"].as_array().expect("a list").iter().map(|it| &it["tag"]).collect();
    assert_eq!(tags[..3], ["ltsc2022", "10.0.20348.2113", "ltsc2022-KB5059092"]);

    let (status, problem) =
        bed.refused("image=mcr.microsoft.com/windows/nonesuch&host=16299").await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"unknown-image".into()));
}

#[tokio::test]
async fn an_index_is_checked_entry_by_entry() {
    let bed = Bed::start();
    let check = |image: &str, host: &str| {
        let path = format!("/check?image=mcr.microsoft.com/{image}&host={host}");
        let service = &bed.service;
        async move { service.json(&path).await }
    };
    let reasons = |answer: &Value| -> Vec<String> {
        let entries = answer["entries"].as_array().expect("a list").iter();
        entries.map(|entry| entry["reasons"][0].as_str().expect("a code").to_owned()).collect()
    };

    let four_builds = check("dotnet/framework/runtime:4.8", "17763").await;
    assert_eq!(
        four_builds["image"]["digest"].as_str().map(|digest| &digest[..15]),
        Some("sha256:186c1ff9")
    );
    assert_eq!(
        reasons(&four_builds),
        ["build-differs", "same-build", "image-newer-than-host", "image-newer-than-host"]
    );
    assert_eq!(four_builds["isolation"], "process");

    let mixed = check("test/mixed:1", "20348").await;
    assert_eq!(
        reasons(&mixed),
        ["not-windows", "not-windows", "image-before-stable-interface", "same-build"]
    );

    let attested = check("test/attestation:1", "20348").await;
    assert_eq!(reasons(&attested), ["same-build", "attestation"]);

    let silent = check("test/no-os-version:1", "20348").await;
    assert_eq!(reasons(&silent), ["image-without-os-version"]);
    assert_eq!((&silent["runs"], &silent["isolation"]), (&Value::Null, &Value::Null));

    let linux = check("test/linux:1", "20348").await;
    assert_eq!(linux["runs"], false);
    assert_eq!(
        linux["warnings"][0]["message"],
        "mcr.microsoft.com/test/linux:1 has no Windows image"
    );

    let image = "oss/kubernetes/windows-host-process-containers-base-image:1";
    for (platform, host, isolation, reason) in [
        ("kubernetes", "17763", json!("process"), "host-process"),
        ("kubernetes", "26100", json!("process"), "host-process"),
        ("docker", "26100", Value::Null, "host-process-needs-kubernetes"),
        ("kubernetes", "22631", Value::Null, "host-process-needs-kubernetes"),
    ] {
        let answer = check(image, &format!("{host}&platform={platform}")).await;
        assert_eq!(answer["isolation"], isolation, "{platform} {host}: {answer}");
        assert_eq!(answer["runs"], !isolation.is_null(), "{platform} {host}");
        assert_eq!(reasons(&answer)[0], reason, "{platform} {host}");
    }

    let single = check("test/image-20348-473:1", "26100").await;
    assert_eq!(single["entries"][0]["os_version"], "10.0.20348.473");
    assert_eq!(reasons(&single), ["stable-interface"]);
}

#[tokio::test]
async fn the_kb_question_is_answered_both_ways() {
    let bed = Bed::start();
    let answer = bed.service.json("/tags?image=servercore&tag=ltsc2022").await;
    let first = &answer["tags"][0];
    assert_eq!(
        (&first["tag"], &first["os_version"]),
        (&"ltsc2022".into(), &"10.0.20348.5622".into())
    );
    assert_eq!(
        (&first["kb"], &first["same_image"]),
        (&"KB5122882".into(), &serde_json::json!(["10.0.20348.5622"]))
    );

    // What is known of a release tag counts wherever it is listed: by its patch, and on any page.
    let of_kb = bed.service.json("/tags?image=servercore&kb=KB5122882").await;
    let tags: Vec<(&Value, &Value)> = of_kb["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tag| (&tag["tag"], &tag["same_image"]))
        .collect();
    let (release, build) = (serde_json::json!("ltsc2022"), serde_json::json!("10.0.20348.5622"));
    let both = serde_json::json!([["10.0.20348.5622"], ["ltsc2022"]]);
    assert_eq!(tags, [(&release, &both[0]), (&build, &both[1])]);
    for page in ["limit=1", "limit=1000"] {
        let page = bed.service.json(&format!("/tags?image=servercore&release=21H2&{page}")).await;
        assert_eq!(
            (&page["tags"][0]["tag"], &page["tags"][0]["same_image"]),
            (&release, &both[0]),
            "{page}"
        );
    }

    let of_kb = bed.service.json("/tags?image=servercore&kb=KB4493441").await;
    let tags: Vec<&str> = of_kb["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tag| tag["tag"].as_str())
        .collect();
    assert_eq!(
        tags,
        ["10.0.16299.1087", "10.0.16299.1087-amd64", "1709-KB4493441", "1709-KB4493441-amd64"]
    );
    let digests: std::collections::BTreeSet<&str> = of_kb["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tag| tag["digest"].as_str())
        .collect();
    assert_eq!(digests.len(), 2, "the index, and the manifest in it");
}

#[tokio::test]
async fn the_list_of_tags_has_pages() {
    let bed = Bed::start();
    let mut seen = 0;
    let mut next = Some("/tags?image=servercore&limit=400".to_owned());
    while let Some(path) = next {
        let page = bed.service.json(&path).await;
        assert_eq!(page["total"], 1025);
        seen += page["tags"].as_array().expect("a list").len();
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, 1025);
}

#[tokio::test]
async fn a_registry_behind_a_login_answers_with_the_credentials_of_the_file() {
    let registry = DockerRegistry::start_behind_login("reader", "s3cret-canary");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let password = folder.path().join("password");
    std::fs::write(&password, "s3cret-canary\n").expect("it is writable");
    let config = folder.path().join("wintag.toml");
    let text = format!(
        "[registries.\"mcr.microsoft.com\"]\nmirror = \"http://{}\"\nusername = \
         \"reader\"\npassword_file = {password:?}\n",
        registry.host()
    );
    std::fs::write(&config, text).expect("it is writable");
    let service = Service::start(&["--config", config.to_str().expect("the path is text")]);
    let answer = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!(
        (&answer["tag"], &answer["freshness"]["source"]),
        (&"ltsc2022".into(), &"registry".into())
    );
}

#[tokio::test]
async fn a_registry_behind_a_login_answers_with_dockers_own_credentials() {
    let registry = DockerRegistry::start_behind_login("reader", "s3cret-canary");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let docker_config = folder.path().join("config.json");
    // The base64 of reader:s3cret-canary.
    let text = format!(
        r#"{{"auths":{{"{}":{{"auth":"cmVhZGVyOnMzY3JldC1jYW5hcnk="}}}}}}"#,
        registry.host()
    );
    std::fs::write(&docker_config, text).expect("it is writable");
    let service = Service::mirrored(
        &registry.host(),
        &["--docker-config", docker_config.to_str().expect("the path is text")],
    );
    let answer = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!(answer["freshness"]["source"], "registry");
}

#[tokio::test]
async fn a_login_that_is_refused_leaves_the_embedded_catalogue() {
    let registry = DockerRegistry::start_behind_login("reader", "s3cret-canary");
    let service = Service::mirrored(&registry.host(), &[]);
    let answer = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!(
        (&answer["tag"], &answer["freshness"]["source"]),
        (&"ltsc2022".into(), &"embedded".into())
    );
}

#[tokio::test]
async fn without_a_registry_the_embedded_catalogue_answers() {
    // The discard port has no listener.
    for service in [Service::offline(), Service::mirrored("127.0.0.1:9", &[])] {
        let answer = service.json("/resolve?image=microsoft/nanoserver&host=16299").await;
        assert_eq!((&answer["tag"], &answer["isolation"]), (&"1709".into(), &"process".into()));
        assert_eq!(answer["freshness"]["source"], "embedded");
        assert_eq!(answer["freshness"]["as_of"], "2026-09-18T00:00:00Z");
        let as_text =
            service.get("/resolve?image=microsoft/nanoserver&host=16299&format=tag").await;
        assert_eq!(as_text.text, "1709\n");
    }
}

#[tokio::test]
async fn a_registry_that_goes_away_leaves_what_it_said() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &["--fresh-for", "1s"]);
    let before = service.json("/resolve?image=nanoserver&host=20348").await;
    drop(registry);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let after = service.json("/resolve?image=nanoserver&host=20348").await;
    assert_eq!(before["digest"], after["digest"]);
    assert_eq!(
        (&after["freshness"]["source"], &after["freshness"]["stale"]),
        (&"cache".into(), &true.into())
    );
}

/// Where a family has no image of the host's build, the answer names the one that has.
#[tokio::test]
async fn the_image_of_a_sister_family_is_named() {
    let service = Service::offline();
    for (query, sister) in [
        ("image=windows&host=20348", "windows/server:ltsc2022"),
        ("image=windows&host=26100", "windows/server:ltsc2025"),
        ("image=iis:nanoserver&host=17763", "windows/servercore/iis:windowsservercore-ltsc2019"),
    ] {
        let answer = service.json(&format!("/resolve?{query}")).await;
        let warnings = answer["warnings"].as_array().expect("a list");
        let named = warnings.iter().find(|warning| warning["code"] == "sister-image");
        let message = named.and_then(|warning| warning["message"].as_str()).unwrap_or_default();
        assert!(message.starts_with(&format!("mcr.microsoft.com/{sister} ")), "{query}: {message}");
    }
    let refused = service.get("/resolve?image=server&host=17763").await.json();
    let detail = refused["detail"].as_str().expect("a sentence");
    assert!(detail.contains("mcr.microsoft.com/windows:ltsc2019"), "{detail}");
    let own = service.json("/resolve?image=windows&host=17763").await;
    assert!(!own["warnings"].to_string().contains("sister-image"), "it has one of its own");
}

//! The main job against registries that hold a few tags of our choice: what they say about a tag is
//! believed, and not its name.

use reqwest::StatusCode;
use serde_json::Value;

use crate::resolve::{codes, line};
use crate::support::docker_registry::DockerRegistry;
use crate::support::service::Service;

/// A registry that holds only these tags of Server Core, each an index of one image of this
/// version, or of none.
fn registry_of(tags: &[(&str, Option<&str>)]) -> DockerRegistry {
    use crate::support::docker_registry::bodies::{
        DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, image, index,
    };
    use crate::support::docker_registry::storage::Content;

    const REPOSITORY: &str = "windows/servercore";
    let mut content = Content::default();
    for (tag, version) in tags {
        let platform = Platform::windows("amd64", *version, true);
        let made = image(REPOSITORY, &platform, 1);
        content.put_config(REPOSITORY, &made.config);
        content.put_manifest(REPOSITORY, &made.manifest);
        let body = index(DOCKER_LIST, vec![Entry::of(DOCKER_MANIFEST, &made.manifest, platform)]);
        content.tag(REPOSITORY, tag, &body);
    }
    DockerRegistry::start_holding(content)
}

/// Asks a service in front of a registry of these tags, and checks the answer as `line` shows it.
async fn check(tags: &[(&str, Option<&str>)], query: &str, expected: &str) -> Value {
    let registry = registry_of(tags);
    let service = Service::mirrored(&registry.host(), &[]);
    let answer = service.get(&format!("/resolve?image=servercore&{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    assert_eq!(line(&answer.json()), expected, "{query}");
    answer.json()
}

#[tokio::test]
async fn a_registry_that_contradicts_a_tags_name_is_believed() {
    // It is another revision: it still runs, and the answer says so.
    let tags = [("10.0.20348.2113", Some("10.0.20348.2114"))];
    let pinned =
        check(&tags, "host=20348&pin=build", "10.0.20348.2113 process process+hyperv same-build")
            .await;
    assert_eq!(pinned["os_version"], "10.0.20348.2114");
    assert!(codes(&pinned["warnings"]).contains(&"registry-contradicts-tag"));

    // It is another build, which does not run: the next tag is taken, and the answer says why.
    let tags = [("ltsc2022", Some("10.0.26100.1")), ("ltsc2019", Some("10.0.17763.1"))];
    let expected =
        "ltsc2019 hyperv hyperv hyperv-runs-older-or-equal+image-before-stable-interface";
    let moved = check(&tags, "host=20348", expected).await;
    assert!(codes(&moved["warnings"]).contains(&"tag-skipped"));
    assert_eq!(moved["alternatives"][0]["tag"], "ltsc2022");

    // It is above the host's revision, which its name does not say: the next one below is taken.
    let tags = [
        ("10.0.20348.2113", Some("10.0.20348.2300")),
        ("10.0.20348.2000", Some("10.0.20348.2000")),
    ];
    let expected = "10.0.20348.2000 process process+hyperv same-build";
    check(&tags, "host=20348.2200&pin=build", expected).await;
}

#[tokio::test]
async fn a_check_without_a_tag_names_tags_of_the_registry() {
    let registry =
        registry_of(&[("ltsc2022", Some("10.0.20348.1")), ("ltsc2019", Some("10.0.17763.1"))]);
    let service = Service::mirrored(&registry.host(), &[]);
    let answer = service.get("/check?image=servercore&host=17763").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let problem = answer.json();
    let named =
        ["ltsc2019", "ltsc2022"].map(|tag| format!("mcr.microsoft.com/windows/servercore:{tag}"));
    assert_eq!(problem["errors"][0]["allowed"], serde_json::json!(named));
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("latest")),
        "{problem}"
    );

    // No registry answers: the embedded catalogue still names tags.
    let answer =
        Service::mirrored("127.0.0.1:9", &[]).get("/check?image=servercore&host=17763").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["errors"][0]["allowed"][0], named[0]);
}

#[tokio::test]
async fn a_tag_whose_image_does_not_say_its_version_is_passed_over() {
    let tags = [("1903", None), ("1809", Some("10.0.17763.1"))];
    let expected = "1809 hyperv hyperv hyperv-runs-older-or-equal+build-differs";
    let answer = check(&tags, "host=18362", expected).await;
    assert!(codes(&answer["warnings"]).contains(&"tag-skipped"));
}

#[tokio::test]
async fn a_kb_that_no_table_knows_yet_is_the_newest() {
    let tags = [
        ("ltsc2022-KB5059092", Some("10.0.20348.3566")),
        ("ltsc2022-KB5999999", Some("10.0.20348.6000")),
    ];
    let expected = "ltsc2022-KB5999999 process process+hyperv same-build";
    let answer = check(&tags, "host=20348&pin=kb", expected).await;
    assert_eq!(
        (&answer["os_version"], &answer["kb"]),
        (&"10.0.20348.6000".into(), &"KB5999999".into())
    );
}

#[tokio::test]
async fn a_floating_tag_of_2016_that_turns_out_to_be_the_hosts_revision_runs_in_process_isolation()
{
    let tags = [("ltsc2016", Some("10.0.14393.5006"))];
    let expected = "ltsc2016 process process+hyperv same-revision";
    for query in ["", "&isolation=process"] {
        check(&tags, &format!("host=14393.5006{query}"), expected).await;
    }
    let on_kubernetes = "ltsc2016 process process same-revision";
    check(&tags, "host=14393.5006&platform=kubernetes", on_kubernetes).await;
    // Where no KB tag names the revision that is needed, the build tag does.
    let tags =
        [("1607-KB5055521", Some("10.0.14393.7969")), ("10.0.14393.1770", Some("10.0.14393.1770"))];
    let expected = "10.0.14393.1770 process process+hyperv same-revision";
    let answer = check(&tags, "host=14393.1770&pin=kb", expected).await;
    assert!(codes(&answer["warnings"]).contains(&"other-form-of-tag"));
}

#[tokio::test]
async fn the_hosts_revision_is_a_ceiling_in_every_mode() {
    let registry = registry_of(&[
        ("ltsc2022", Some("10.0.20348.5499")),
        ("10.0.20348.169", Some("10.0.20348.169")),
    ]);
    let service = Service::mirrored(&registry.host(), &[]);
    for mode in ["any", "process", "hyperv"] {
        let query = format!("/resolve?image=servercore&host=20348.100&pin=build&isolation={mode}");
        let answer = service.get(&query).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{mode}");
        let problem = answer.json();
        let above = problem["alternatives"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|it| it["tag"] == "10.0.20348.169");
        assert_eq!(above.expect("it is named")["isolation"], "hyperv", "{mode}");
    }
}

/// A check warns of everything that the matrix shows in the cell of the same host and image.
#[tokio::test]
async fn a_check_has_every_warning_of_the_matrix() {
    let service = Service::offline();
    let pairs = [
        ("10.0.20348.2113", "10.0.17763.5122", "docker"),
        ("10.0.26100.32230", "10.0.20348.2113", "docker"),
        ("10.0.17763.1039", "10.0.17763.557", "docker"),
        ("10.0.17763.503", "10.0.17763.557", "kubernetes"),
        ("10.0.26200.7462", "10.0.26100.6905", "docker"),
        ("10.0.18363.900", "10.0.18362.175", "docker"),
        ("10.0.18363.900", "10.0.20348.2113", "kubernetes"),
        ("10.0.14393.1715", "10.0.14393.1770", "docker"),
    ];
    for (host, image, platform) in pairs {
        let matrix = format!("/matrix?hosts={host}&images={image}&platform={platform}");
        let cell = service.json(&matrix).await["cells"][0].clone();
        let check = format!("/check?image=servercore:{image}&host={host}&platform={platform}");
        let answer = service.json(&check).await;
        let codes: Vec<&str> = answer["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|warning| warning["code"].as_str())
            .collect();
        for warning in cell["warnings"].as_array().expect("a list") {
            assert!(codes.contains(&warning.as_str().expect("a code")), "{check}: {codes:?}");
        }
    }
}

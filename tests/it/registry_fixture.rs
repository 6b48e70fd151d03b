//! Tests of the test registry itself: that it serves what was recorded, and what the other tests
//! may rely on.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::ACCEPT;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::support::docker_registry::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, index,
};
use crate::support::docker_registry::content::repositories;
use crate::support::docker_registry::storage::{Content, digest_of};
use crate::support::docker_registry::{DockerRegistry, tool};

const ALL_MANIFEST_TYPES: &str = "application/vnd.docker.distribution.manifest.list.v2+json, \
                                  application/vnd.docker.distribution.manifest.v2+json, \
                                  application/vnd.oci.image.index.v1+json, \
                                  application/vnd.oci.image.manifest.v1+json";

/// What the registry answered for a manifest.
struct Manifest {
    digest: String,
    media_type: String,
    body: Vec<u8>,
}

impl Manifest {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("manifests are JSON")
    }
}

/// A registry and the one client of a test; making a client takes longer than a request.
struct Reader {
    registry: DockerRegistry,
    client: Client,
}

impl Reader {
    fn start() -> Self {
        Self::of(DockerRegistry::start())
    }

    fn of(registry: DockerRegistry) -> Self {
        Self { registry, client: Client::new() }
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(self.registry.url(path)).header(ACCEPT, ALL_MANIFEST_TYPES);
        let response = request.send().await.expect("the registry answers");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response
    }

    async fn manifest(&self, repository: &str, reference: &str) -> Manifest {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let response = self.get(&path).await;
        let header =
            |name| response.headers()[name].to_str().expect("headers are ASCII here").to_owned();
        let (digest, media_type) = (header("docker-content-digest"), header("content-type"));
        let body = response.bytes().await.expect("the body arrives").to_vec();
        assert_eq!(digest_of(&body), digest, "{path}");
        Manifest { digest, media_type, body }
    }

    /// The config of an image, as its manifest names it.
    async fn config(&self, repository: &str, manifest: &Value) -> Value {
        let digest = manifest["config"]["digest"].as_str().expect("an image has a config");
        let response = self.get(&format!("/v2/{repository}/blobs/{digest}")).await;
        response.json().await.expect("a config is JSON")
    }

    async fn tags(&self, repository: &str) -> BTreeSet<String> {
        let response = self.get(&format!("/v2/{repository}/tags/list")).await;
        tag_set(&response.json::<Value>().await.expect("a list of tags is JSON")["tags"])
    }
}

fn tag_set(tags: &Value) -> BTreeSet<String> {
    let tags = tags.as_array().expect("a list of tags");
    tags.iter().map(|tag| tag.as_str().expect("a tag is a string").to_owned()).collect()
}

#[tokio::test]
async fn the_tag_lists_are_those_of_the_catalogue() {
    let reader = Reader::start();
    let mut counts = BTreeMap::new();
    for (repository, rows) in repositories() {
        let expected: BTreeSet<String> = rows.into_iter().map(|row| row.tag).collect();
        assert_eq!(reader.tags(&repository).await, expected, "{repository}");
        counts.insert(repository, expected.len());
    }
    let expected = [
        ("windows", 42),
        ("windows/nanoserver", 219),
        ("windows/server", 81),
        ("windows/servercore", 1025),
        ("windows/servercore/iis", 20),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[tokio::test]
async fn servercore_holds_the_whole_list_recorded_in_2019() {
    let reader = Reader::start();
    let recorded: Value =
        serde_json::from_str(include_str!("../data/tags-list-servercore-2019-07-05.json"))
            .expect("the recorded list is JSON");
    let recorded = tag_set(&recorded["tags"]);
    assert_eq!(recorded.len(), 808);
    let served = reader.tags("windows/servercore").await;
    assert_eq!(recorded.difference(&served).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn recorded_indexes_are_served_byte_for_byte_under_their_digests() {
    let reader = Reader::start();
    let recorded: BTreeMap<String, Value> = include_str!("../data/verified_indexes.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one JSON object a line"))
        .map(|index| (index["digest"].as_str().expect("each has a digest").to_owned(), index))
        .collect();
    assert_eq!(recorded.len(), 328);
    let mut seen = 0;
    for (repository, rows) in repositories() {
        for row in rows {
            let Some(expected) = recorded.get(&row.digest) else { continue };
            let served = reader.manifest(&repository, &row.tag).await;
            assert_eq!(served.digest, row.digest, "{repository}:{}", row.tag);
            assert_eq!(
                served.media_type,
                "application/vnd.docker.distribution.manifest.list.v2+json"
            );
            assert_eq!(served.body, expected["body"].as_str().expect("each has a body").as_bytes());
            assert_eq!(
                served.json()["manifests"][0]["platform"]["os.version"],
                expected["os_version"]
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 327, "rows of the catalogue that name a recorded index");
}

#[test]
fn made_up_indexes_have_the_form_of_the_recorded_ones() {
    let recorded = include_str!("../data/verified_indexes.jsonl").lines();
    let recorded =
        recorded.map(|line| serde_json::from_str::<Value>(line).expect("one JSON object a line"));
    let mut compact = 0;
    for recorded in recorded {
        let text = |member: &str| recorded[member].as_str().expect("a text").to_owned();
        let body = text("body");
        // Indexes from before May 2022 are indented and name no features.
        if body.contains('\n') {
            continue;
        }
        let win32k = text("repository") == "mcr.microsoft.com/windows/servercore";
        let entry = Entry {
            media_type: DOCKER_MANIFEST,
            size: recorded["manifest_size"]
                .as_u64()
                .and_then(|size| size.try_into().ok())
                .expect("a size"),
            digest: text("manifest_digest"),
            platform: Some(Platform::windows("amd64", Some(&text("os_version")), win32k)),
            annotations: None,
        };
        assert_eq!(String::from_utf8_lossy(&index(DOCKER_LIST, vec![entry])), body);
        compact += 1;
    }
    assert!(compact > 200, "only {compact} recorded indexes are compact");
}

#[tokio::test]
async fn every_tag_says_the_version_that_the_catalogue_has_for_it() {
    let reader = Reader::start();
    for (repository, rows) in repositories() {
        for row in rows.iter().filter(|row| !row.os_version.is_empty()) {
            let body = reader.manifest(&repository, &row.tag).await.json();
            let version = match body.get("config") {
                Some(_) => reader.config(&repository, &body).await["os.version"].clone(),
                None => body["manifests"][0]["platform"]["os.version"].clone(),
            };
            assert_eq!(version, *row.os_version, "{repository}:{}", row.tag);
        }
    }
}

#[tokio::test]
async fn tags_of_one_version_share_one_digest() {
    let reader = Reader::start();
    let groups: [(&str, &[&str]); 6] = [
        // Recorded indexes.
        ("windows/nanoserver", &["1809", "10.0.17763.8389"]),
        ("windows/servercore", &["1809-KB5059091", "10.0.17763.7249"]),
        // Made-up ones: versions the catalogue knows, and versions taken off a KB or from the
        // newest build tag.
        ("windows", &["1809", "ltsc2019", "1809-KB5066586", "10.0.17763.7919"]),
        ("windows/server", &["ltsc2022-KB5005039", "10.0.20348.169"]),
        ("windows/servercore", &["1803", "1803-KB4503286", "10.0.17134.829"]),
        ("windows/servercore", &["1607-KB4503267", "10.0.14393.3025"]),
    ];
    for (repository, tags) in groups {
        let mut digests = BTreeSet::new();
        for tag in tags {
            digests.insert(reader.manifest(repository, tag).await.digest);
        }
        assert_eq!(digests.len(), 1, "{repository} {tags:?}");
    }
}

#[tokio::test]
async fn an_amd64_tag_is_the_image_in_the_index_and_its_config_has_the_version() {
    let reader = Reader::start();
    let index = reader.manifest("windows/servercore", "10.0.17763.557").await.json();
    let image = reader.manifest("windows/servercore", "10.0.17763.557-amd64").await;
    assert_eq!(image.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(index["manifests"][0]["digest"], *image.digest);
    assert_eq!(index["manifests"][0]["size"], image.body.len());

    let config = &image.json()["config"];
    assert_eq!(config["mediaType"], "application/vnd.docker.container.image.v1+json");
    let config = reader.config("windows/servercore", &image.json()).await;
    assert_eq!(config["os"], "windows");
    assert_eq!(config["architecture"], "amd64");
    assert_eq!(config["os.version"], "10.0.17763.557");
    assert_eq!(config["os.features"], serde_json::json!(["win32k"]));
}

#[tokio::test]
async fn tags_with_other_endings_are_images_of_their_own() {
    let reader = Reader::start();
    for (repository, tag, architecture, version) in [
        ("windows/servercore", "10.0.14393.1066_de-de", "amd64", "10.0.14393.1066"),
        ("windows/servercore", "10.0.14393.2906-amd64-de-de", "amd64", "10.0.14393.2906"),
        ("windows/servercore", "1809_KB4464455_amd64", "amd64", "10.0.17763.107"),
        ("windows/nanoserver", "1809-arm32v7", "arm", "10.0.17763.8389"),
        ("windows/nanoserver", "ltsc2025-arm64", "arm64", "10.0.26100.33438"),
    ] {
        let image = reader.manifest(repository, tag).await.json();
        let config = reader.config(repository, &image).await;
        assert_eq!(
            (&config["architecture"], &config["os.version"]),
            (&architecture.into(), &version.into()),
            "{tag}"
        );
    }
}

#[tokio::test]
async fn where_nothing_is_known_the_version_is_only_a_build() {
    let reader = Reader::start();
    for (repository, tag, version) in [
        ("windows/nanoserver", "1803", "10.0.17134"),
        ("windows/server", "win10-21h1-preview", "10.0.20348"),
        ("windows/servercore/iis", "20191112-windowsservercore-ltsc2019", "10.0.17763"),
        ("windows/servercore/iis", "latest", "10.0.26100"),
    ] {
        let index = reader.manifest(repository, tag).await.json();
        assert_eq!(index["manifests"][0]["platform"]["os.version"], version, "{repository}:{tag}");
    }
}

#[tokio::test]
async fn the_special_repositories_have_the_forms_they_are_named_after() {
    let reader = Reader::start();
    let platforms = |index: &Value| -> Vec<String> {
        let entries = index["manifests"].as_array().expect("an index has entries");
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let of = |entry: &Value| {
            let platform = &entry["platform"];
            [&platform["os"], &platform["architecture"], &platform["os.version"]]
                .map(text)
                .join(" ")
        };
        entries.iter().map(of).collect()
    };
    for (repository, expected) in [
        ("test/no-os-version", &["windows amd64 -"][..]),
        ("test/linux", &["linux amd64 -", "linux arm64 -"]),
        ("test/attestation", &["windows amd64 10.0.20348.3566", "unknown unknown -"]),
        ("test/nested", &["- - -"]),
        (
            "test/mixed",
            &[
                "linux amd64 -",
                "linux arm64 -",
                "windows amd64 10.0.17763.7249",
                "windows amd64 10.0.20348.3566",
            ],
        ),
    ] {
        let index = reader.manifest(repository, "1").await.json();
        assert_eq!(platforms(&index), expected, "{repository}");
        for entry in index["manifests"].as_array().expect("an index has entries") {
            let child =
                reader.manifest(repository, entry["digest"].as_str().expect("a digest")).await;
            assert_eq!(entry["size"], child.body.len(), "{repository}");
            assert_eq!(entry["mediaType"], *child.media_type, "{repository}");
        }
    }
    let list = reader.manifest("dotnet/framework/runtime", "4.8").await;
    assert_eq!(
        list.digest,
        "sha256:186c1ff97d14ba1be2cad3de094d6326b58e4e97f75d80479190e15f0e8911b6"
    );
    assert_eq!(platforms(&list.json()).len(), 4);

    let image = reader.manifest("test/image-20348-473", "1").await;
    assert_eq!(
        image.digest,
        "sha256:5ec4722ef299457d69a7186d3da503a947584aa1a5bfc0bfc021fe115dc2a76b"
    );
    let config = reader.config("test/image-20348-473", &image.json()).await;
    assert_eq!(config["os.version"], "10.0.20348.473");
}

#[tokio::test]
async fn requests_are_read_off_the_access_log() {
    let reader = Reader::start();
    assert_eq!(
        reader.registry.requests(),
        Vec::<String>::new(),
        "the fixture's own requests are not counted"
    );
    reader.tags("windows/nanoserver").await;
    reader.manifest("windows/nanoserver", "ltsc2022").await;
    let expected =
        ["GET /v2/windows/nanoserver/tags/list", "GET /v2/windows/nanoserver/manifests/ltsc2022"];
    assert_eq!(reader.registry.settled_requests(), expected);
}

#[tokio::test]
async fn content_can_change_while_the_registry_runs() {
    let first = include_bytes!("../data/manifests/index-servercore-ltsc2022-10.0.20348.2113.json");
    let second =
        include_bytes!("../data/manifests/index-nanoserver-ltsc2025-10.0.26100.33296.json");
    let repository = "windows/changing";

    let mut content = Content::default();
    let first_digest = content.tag(repository, "floating", first);
    content.tag(repository, "fixed", first);
    let reader = Reader::of(DockerRegistry::start_holding(content));
    assert_eq!(reader.manifest(repository, "floating").await.digest, first_digest);

    let mut content = Content::default();
    let second_digest = content.tag(repository, "floating", second);
    reader.registry.add(&content);
    assert_eq!(reader.manifest(repository, "floating").await.digest, second_digest);

    reader.registry.remove_tag(repository, "floating");
    assert_eq!(reader.tags(repository).await, BTreeSet::from(["fixed".to_owned()]));
}

#[tokio::test]
async fn behind_a_login_only_its_user_may_read() {
    let registry = DockerRegistry::start_behind_login("reader", "correct horse");
    let url = registry.url("/v2/windows/nanoserver/tags/list");
    let client = Client::new();
    let ask = |login: Option<(&'static str, &'static str)>| {
        let request = client.get(&url);
        let request = match login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        async move { request.send().await.expect("the registry answers") }
    };
    let refused = ask(None).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["www-authenticate"], r#"Basic realm="wintag-tests""#);
    assert_eq!(ask(Some(("reader", "wrong"))).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(("reader", "correct horse"))).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn skopeo_reads_it() {
    let reader = Reader::start();
    let skopeo = |arguments: &[&str]| {
        let output = tool("skopeo", "skopeo", arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let repository = format!("docker://{}/windows/nanoserver", reader.registry.host());
    let listed = skopeo(&["list-tags", "--tls-verify=false", &repository]);
    let listed: Value = serde_json::from_slice(&listed).expect("skopeo writes JSON");
    assert_eq!(tag_set(&listed["Tags"]), reader.tags("windows/nanoserver").await);

    let tag = format!("{repository}:10.0.26100.33296");
    let index = skopeo(&["inspect", "--raw", "--tls-verify=false", &tag]);
    assert_eq!(
        index,
        include_bytes!("../data/manifests/index-nanoserver-ltsc2025-10.0.26100.33296.json")
    );
}

//! X01 to X11: other hosts that a question or a registry points at, and content that is not what it
//! says.

use std::sync::Arc;

use serde_json::{Value, json};

use super::bed::{Bed, case_of, check_faults, check_of, nonsense, tags_of};
use crate::support::docker_registry::bodies::{DOCKER_LIST, DOCKER_MANIFEST, Platform};
use crate::support::docker_registry::storage::digest_of;
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry, Script};

#[tokio::test]
async fn x01_only_configured_registries_are_asked() {
    let bed = Bed::start(|_| Behaviour::status(404)).await;
    let port = bed.registry.port();
    let images = [
        "169.254.169.254/latest/meta-data",
        "localhost:8500/x",
        &format!("127.0.0.1:{port}/x"),
        &format!("localhost:{port}/x"),
        &format!("[::1]:{port}/x"),
        &format!("0x7f.1:{port}/x"),
        &format!("2130706433:{port}/x"),
        "127%E3%80%820%E3%80%820%E3%80%821/x",
        "user:pw@c0.example/x",
        "xn--c0-example.example/x",
        "c0.example./case/0",
        "c0.example:22/case/0",
        "C0%00.example/x",
        "http://c0.example/x",
    ];
    for image in images {
        for path in [format!("/tags?image={image}"), format!("/check?image={image}:1&host=20348")] {
            let answer = bed.get(&path).await;
            assert!(
                [400, 403, 404].contains(&answer.status.as_u16()),
                "{path}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
    assert_eq!(bed.registry.connections(), 0);
}

/// An image whose configuration is at the other end of a redirect: what the service answers.
async fn redirected(target: &str) -> u16 {
    redirected_with(target, "").await
}

/// The same, with settings of the registry.
async fn redirected_with(target: &str, settings: &str) -> u16 {
    let mut holdings = Holdings::default();
    let manifest =
        holdings.put_image("x", &Platform::windows("amd64", Some("10.0.20348.1"), false));
    holdings.tag("ltsc2022", DOCKER_MANIFEST, &manifest);
    let target = target.to_owned();
    let script = move |asked: &_| match Asked::path(asked).contains("/blobs/") {
        true => Behaviour::redirect(&target),
        false if asked.header("authorization").is_empty() => {
            Behaviour::unauthorized("Basic realm=\"x\"")
        }
        false => holdings.answer(asked),
    };
    let bed = Bed::start_with_credentials_and(settings, script).await;
    bed.get(&check_of(0)).await.status.as_u16()
}

#[tokio::test]
async fn x02_a_blob_is_not_fetched_from_within_the_network() {
    let trap = MisbehavingRegistry::trap("127.0.0.2", Behaviour::json("{}")).await;
    let own = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json("{}")).await;
    let (port, own_port) = (trap.port(), own.port());
    for target in [
        format!("http://127.0.0.2:{port}/x"),
        format!("http://[::ffff:127.0.0.2]:{port}/x"),
        format!("http://2130706434:{port}/x"),
        // Another port of the registry's own host.
        format!("http://127.0.0.1:{own_port}/x"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[fd00:ec2::254]/latest/meta-data".to_owned(),
        "http://100.100.100.200/latest/meta-data".to_owned(),
        "http://10.0.0.1/x".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        assert_eq!(redirected(&target).await, 502, "{target}");
    }
    assert_eq!((trap.connections(), own.connections()), (0, 0));
}

#[tokio::test]
async fn x02_redirects_end() {
    let mut holdings = Holdings::default();
    let manifest =
        holdings.put_image("x", &Platform::windows("amd64", Some("10.0.20348.1"), false));
    holdings.tag("ltsc2022", DOCKER_MANIFEST, &manifest);
    let bed = Bed::start(move |asked| {
        match asked.path().rsplit('/').next().and_then(|last| last.parse::<u32>().ok()) {
            Some(hop) => Behaviour::redirect(&format!("/hop/{}", hop + 1)),
            None if asked.path().contains("/blobs/") => Behaviour::redirect("/hop/1"),
            None => holdings.answer(asked),
        }
    })
    .await;
    assert_eq!(bed.get(&check_of(0)).await.status.as_u16(), 502);
    assert_eq!(bed.registry.count("/hop/"), 3);
}

#[tokio::test]
async fn x02_lists_and_manifests_are_not_redirected_at_all() {
    let trap = MisbehavingRegistry::trap("127.0.0.1", tag_list(&["evil"]).into()).await;
    let target = format!("http://{}/x", trap.authority());
    let bed = Bed::start_with_credentials(move |_| Behaviour::redirect(&target)).await;
    for path in [tags_of(0), check_of(0)] {
        assert_eq!(bed.get(&path).await.status.as_u16(), 502, "{path}");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn x03_a_name_is_judged_by_the_address_that_is_dialled() {
    // A name, not an address: it passes the resolver, whose answer is the one that is checked and
    // dialled.
    let trap = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json("{}")).await;
    assert_eq!(redirected(&format!("http://localhost:{}/x", trap.port())).await, 502);
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn x06_a_redirect_leaves_the_password_behind() {
    // Another port of the registry's own host, where blobs were said to be.
    let trap = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json("{}")).await;
    // The body is not that of the digest.
    let allowed = format!("blob_hosts = [\"{}\"]\n", trap.authority());
    assert_eq!(redirected_with(&format!("http://{}/x", trap.authority()), &allowed).await, 502);
    assert_eq!(trap.requests().len(), 1);
}

#[tokio::test]
async fn x07_the_next_page_is_at_the_same_endpoint() {
    let trap = MisbehavingRegistry::trap("127.0.0.2", tag_list(&["evil"]).into()).await;
    let other = trap.authority();
    let targets = [
        format!("http://{other}/v2/case/0/tags/list?last=a"),
        format!("//{other}/v2/case/0/tags/list?last=a"),
        "ftp://c0.example/v2/case/0/tags/list".to_owned(),
        "/v2/other/repository/tags/list?last=a".to_owned(),
        "/v2/_catalog".to_owned(),
        "http://[".to_owned(),
    ];
    let count = targets.len();
    let bed = Bed::start_with_credentials(move |asked| {
        let link = format!("<{}>; rel=\"next\"", targets[case_of(asked).unwrap_or(0)]);
        tag_list(&["ltsc2022"]).header("link", link).into()
    })
    .await;
    for case in 0..count {
        assert_eq!(bed.get(&tags_of(case)).await.status.as_u16(), 502, "{case}");
    }
    assert_eq!((trap.connections(), bed.registry.requests().len()), (0, count));
}

#[tokio::test]
async fn x08_urls_within_a_manifest_are_left_alone() {
    let trap = MisbehavingRegistry::trap("127.0.0.1", Behaviour::json("{}")).await;
    let url = format!("http://{}/x", trap.authority());
    let mut holdings = Holdings::default();
    let image = holdings.put_image("x", &Platform::windows("amd64", Some("10.0.20348.1"), false));
    let mut manifest: Value = serde_json::from_slice(&image).expect("it was made here");
    for part in ["/config", "/layers/0"] {
        let part = manifest.pointer_mut(part).expect("images have it");
        part["urls"] = json!([url]);
        part["data"] = json!("e30=");
    }
    let digest = digest_of(b"{}");
    manifest["subject"] =
        json!({ "mediaType": DOCKER_MANIFEST, "size": 2, "digest": digest, "urls": [url] });
    holdings.tag("ltsc2022", DOCKER_MANIFEST, manifest.to_string().as_bytes());
    let bed = Bed::start(move |asked| holdings.answer(asked)).await;
    assert_eq!(bed.service.json(&check_of(0)).await["entries"][0]["os_version"], "10.0.20348.1");
    assert_eq!(trap.connections(), 0);
    assert_eq!(bed.registry.requests().len(), 2, "{:?}", bed.registry.targets());
}

/// The usual content, with the manifests changed; the lists of tags are no lists.
fn manifests(change: impl Fn(Response) -> Response + Send + Sync + 'static) -> Script {
    let holdings = Holdings::usual();
    Arc::new(move |asked: &Asked| match holdings.answer(asked) {
        Behaviour::Answer(response) if asked.path().contains("/manifests/") => {
            change(response).into()
        }
        _ => Behaviour::json("{}"),
    })
}

#[tokio::test]
async fn x09_content_is_what_its_digest_says() {
    let announcing = |name: &str, digest: String| {
        nonsense(
            name,
            manifests(move |response| response.header("docker-content-digest", digest.clone())),
        )
    };
    check_faults(vec![
        announcing("the digest of something else", digest_of(b"other")),
        announcing("another algorithm", format!("sha512:{}", "0".repeat(128))),
        announcing("a path", "sha256:../../../etc/passwd".to_owned()),
        announcing("nothing", String::new()),
    ])
    .await;
}

#[tokio::test]
async fn x09_what_is_asked_for_by_digest_has_that_digest() {
    let holdings = Holdings::usual();
    let wanted = digest_of(b"something else");
    let body = manifests(|response| response);
    let served = move |asked: &Asked| match asked.path().contains("/manifests/") {
        true => holdings
            .answer(&Asked { target: "/v2/x/manifests/ltsc2022".to_owned(), ..asked.clone() }),
        false => body(asked),
    };
    let bed = Bed::start(served).await;
    let answer = bed.get(&format!("/check?image=c0.example/case/0@{wanted}&host=20348")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (502, &"upstream-invalid".into()));
    let answer = bed.get("/check?image=c0.example/case/0@sha256:..%2f..%2fetc&host=20348").await;
    assert_eq!(answer.status.as_u16(), 400);
}

#[tokio::test]
async fn x10_one_answer_decides() {
    // Each request for the tag gets another image; the configurations of all are there.
    let mut holdings = Holdings::default();
    let image = |holdings: &mut Holdings, revision: u32| {
        let platform = Platform::windows("amd64", Some(&format!("10.0.20348.{revision}")), false);
        holdings.put_image(&revision.to_string(), &platform)
    };
    let (first, second) = (image(&mut holdings, 1), image(&mut holdings, 2));
    let digest = digest_of(&first);
    let asked_before = std::sync::atomic::AtomicBool::new(false);
    let bed = Bed::start(move |asked| {
        if !asked.path().ends_with("/manifests/ltsc2022") {
            return holdings.answer(asked);
        }
        let again = asked_before.swap(true, std::sync::atomic::Ordering::SeqCst);
        let body = if again { &second } else { &first };
        Response::new(200, body.clone()).header("content-type", DOCKER_MANIFEST).into()
    })
    .await;
    let answer = bed.service.json(&check_of(0)).await;
    assert_eq!(answer["image"]["digest"], digest);
    assert_eq!(answer["entries"][0]["os_version"], "10.0.20348.1");
    assert_eq!(bed.registry.count("/manifests/"), 1);
}

#[tokio::test]
async fn x11_a_manifest_of_two_kinds_is_refused() {
    let both = json!({
        "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [], "layers": [],
        "config": { "mediaType": "x", "size": 2, "digest": digest_of(b"{}") },
    });
    let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [] });
    let served = |name: &str, media_type: &'static str, body: &Value| {
        let body = body.to_string();
        nonsense(
            name,
            manifests(move |_| Response::new(200, body.clone()).header("content-type", media_type)),
        )
    };
    check_faults(vec![
        served("both", DOCKER_LIST, &both),
        served("both, as an image", DOCKER_MANIFEST, &both),
        served("a list that is announced as an image", DOCKER_MANIFEST, &list),
        served("an unknown kind", "text/html", &json!({ "schemaVersion": 2, "manifests": [] })),
        served("an obsolete kind", DOCKER_LIST, &json!({ "schemaVersion": 1, "history": [] })),
    ])
    .await;
}

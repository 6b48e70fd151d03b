//! S05 to S13: answers without end, and questions without measure.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wintag::catalogue::{Catalogue, CatalogueSettings, Deadline, Wanted};
use wintag::clock::Clock;
use wintag::images::Repository;
use wintag::registry::{Registries, RegistriesSettings, RegistrySettings};
use wintag::telemetry::Metrics;
use wintag::windows::Tables;

use super::bed::{Bed, always, check_faults, check_of, nonsense};
use crate::support::docker_registry::bodies::{DOCKER_LIST, DOCKER_MANIFEST, Platform};
use crate::support::docker_registry::storage::digest_of;
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry, Script};
use crate::support::raw_client::{RawClient, exchange};
use crate::support::service::Service;

/// More than any cap, in bytes.
const FLOOD_BYTES: usize = 100 << 20;

#[tokio::test]
async fn s05_what_is_not_allowed_costs_the_registry_nothing() {
    let bed = Bed::start(|_| Behaviour::status(404)).await;
    let asked = (0..1000).map(|number| {
        let path = match number % 2 {
            0 => format!("/tags?image=unknown{number}.example/a/b"),
            _ => format!("/tags?image=nanoserver&unknown{number}=1"),
        };
        let bed = &bed;
        async move { bed.get(&path).await.status.as_u16() }
    });
    let mut asked = asked.enumerate();
    loop {
        // A slow machine would be too slow to send all of them in the time that a request has.
        let some: Vec<_> = asked.by_ref().take(100).collect();
        if some.is_empty() {
            break;
        }
        for (number, status) in
            join_all(some.into_iter().map(async |(number, asked)| (number, asked.await))).await
        {
            assert_eq!(status, [403, 400][number % 2], "{number}");
        }
    }
    assert_eq!(bed.registry.connections(), 0);
}

/// A page for a list of tags, and no manifest at all.
fn pages(page: impl Fn(&Asked, u64) -> Response + Send + Sync + 'static) -> Script {
    Arc::new(move |asked| {
        let position = asked.parameter("last").and_then(|last| last.parse().ok()).unwrap_or(0);
        match asked.path().ends_with("/tags/list") {
            true => page(asked, position).into(),
            false => Behaviour::json("{}"),
        }
    })
}

#[tokio::test]
async fn s06_lists_without_end_are_given_up() {
    let next = |target: String| format!("<{target}>; rel=\"next\"");
    check_faults(vec![
        nonsense(
            "pages without end",
            pages(move |_, position| {
                tag_list(&[&format!("t{position}")])
                    .header("link", next(format!("?last={}", position + 1)))
            }),
        ),
        nonsense(
            "the same page",
            pages(move |asked, _| tag_list(&["a"]).header("link", next(asked.target.clone()))),
        ),
        nonsense(
            "the same position",
            pages(move |_, position| {
                tag_list(&[&format!("t{position}")]).header("link", next("?last=1".to_owned()))
            }),
        ),
        nonsense(
            "pages with nothing new",
            pages(move |_, position| {
                tag_list(&["a"]).header("link", next(format!("?last={}", position + 1)))
            }),
        ),
        nonsense(
            "empty pages",
            pages(move |_, position| {
                tag_list(&[]).header("link", next(format!("?last={}", position + 1)))
            }),
        ),
        nonsense("more names than any registry has", pages(|_, _| tag_list(&["a"; 100_001]))),
    ])
    .await;
}

#[tokio::test]
async fn s07_bodies_are_cut_off() {
    let announcing = |length: &str| Response::json("{}").header("content-length", length);
    let packed = |encoding: &str| always(tag_list(&["a"]).header("content-encoding", encoding));
    check_faults(vec![
        nonsense("too long, and announced so", always(announcing("104857600"))),
        nonsense("longer than there are numbers for", always(announcing("9999999999999"))),
        nonsense("chunks without end", always(Behaviour::Flood(Response::json(""), FLOOD_BYTES))),
        nonsense("gzip", packed("gzip")),
        nonsense("zstd", packed("zstd")),
        nonsense("brotli", packed("br")),
    ])
    .await;
}

/// Serves this as the manifest of every tag, and `holdings` beside it.
async fn check_manifest(
    holdings: Holdings,
    media_type: &'static str,
    body: Vec<u8>,
) -> crate::support::service::Answer {
    let bed = Bed::start(move |asked| match asked.path().ends_with("/manifests/ltsc2022") {
        true => Response::new(200, body.clone()).header("content-type", media_type).into(),
        false => holdings.answer(asked),
    })
    .await;
    bed.get(&check_of(0)).await
}

#[tokio::test]
async fn s08_an_index_is_read_to_a_depth_and_a_length() {
    let descriptor = |media_type: &str, rest: serde_json::Value| {
        let mut descriptor =
            json!({ "mediaType": media_type, "size": 2, "digest": digest_of(b"{}") });
        descriptor
            .as_object_mut()
            .expect("it is one")
            .append(rest.clone().as_object_mut().expect("it is one"));
        descriptor
    };
    let index = |manifests: serde_json::Value| {
        json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": manifests })
            .to_string()
            .into_bytes()
    };
    let none = Holdings::default;

    let nested = index(json!([descriptor(DOCKER_LIST, json!({}))]));
    let answer = check_manifest(none(), DOCKER_LIST, nested).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["entries"][0]["reasons"][0]),
        (200, &"not-an-image".into())
    );

    let long = index(json!(vec![descriptor(DOCKER_MANIFEST, json!({})); 10_000]));
    let large = index(json!([descriptor(DOCKER_MANIFEST, json!({ "data": "A".repeat(5 << 20) }))]));
    let mut holdings = Holdings::default();
    let image = holdings.put_image("x", &Platform::windows("amd64", Some("10.0.20348.1"), false));
    let mut lying: serde_json::Value = serde_json::from_slice(&image).expect("it was made here");
    lying["config"]["size"] = json!(lying["config"]["size"].as_u64().expect("it is a number") + 1);
    for (name, holdings, media_type, body) in [
        ("long", none(), DOCKER_LIST, long),
        ("large", none(), DOCKER_LIST, large),
        ("another size", holdings, DOCKER_MANIFEST, lying.to_string().into_bytes()),
    ] {
        let answer = check_manifest(holdings, media_type, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (502, &"upstream-invalid".into()),
            "{name}"
        );
    }
}

/// A catalogue in front of this registry, with a clock that stands still.
fn catalogue(registry: &MisbehavingRegistry, clock: &Clock) -> Catalogue {
    catalogue_that_waits(registry, clock, None)
}

/// The same, with this time for an exchange.
fn catalogue_that_waits(
    registry: &MisbehavingRegistry,
    clock: &Clock,
    timeout: Option<Duration>,
) -> Catalogue {
    let mirror = Some(format!("http://{}", registry.authority()).parse().expect("it is a URL"));
    let settings = RegistrySettings { mirror, timeout, ..RegistrySettings::default() };
    let settings = RegistriesSettings {
        registries: [("a.example".to_owned(), settings)].into(),
        docker_config: Some("/nonexistent/config.json".into()),
    };
    let registries = Arc::new(Registries::new(settings).expect("the settings are good"));
    let behaviour =
        CatalogueSettings { offline: false, fresh_for: Duration::from_secs(900), state_dir: None };
    Catalogue::new(
        registries,
        Tables::embedded().clone(),
        clock.clone(),
        Arc::new(Metrics::new()),
        &behaviour,
    )
}

fn clock() -> Clock {
    Clock::manual("2026-08-12T00:00:00Z".parse().expect("it is a moment"))
}

fn repository() -> Repository {
    Repository::parse("a.example/x/y").expect("it is a name")
}

#[tokio::test]
async fn s09_a_flood_of_tags_that_are_not_there_leaves_the_others() {
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await;
    let clock = clock();
    let catalogue = catalogue(&registry, &clock);
    let deadline = Deadline::begin(&clock);
    let known = Wanted::Tag("ltsc2022".to_owned());
    catalogue.tags(&repository(), &deadline).await.expect("it has tags");
    catalogue
        .manifest(&repository(), known.clone(), false, &deadline)
        .await
        .expect("it has the tag");
    let repository = repository();
    // More than the failures that are remembered.
    for chunk in (0..11_000).collect::<Vec<_>>().chunks(50) {
        let wanted = chunk.iter().map(|number| Wanted::Tag(format!("none{number}")));
        let asked = wanted.map(|wanted| catalogue.manifest(&repository, wanted, false, &deadline));
        assert!(join_all(asked).await.iter().all(Result::is_err));
    }
    let before = registry.requests().len();
    catalogue.tags(&repository, &deadline).await.expect("it is kept");
    catalogue.manifest(&repository, known, false, &deadline).await.expect("it is kept");
    assert_eq!(registry.requests().len(), before);
}

#[tokio::test]
async fn f20_an_outage_of_three_days_is_bridged() {
    const STEP: Duration = Duration::from_secs(600);
    const STEPS: u32 = 72 * 6;
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await;
    let clock = clock();
    let catalogue = catalogue(&registry, &clock);
    let ask = async || {
        let deadline = Deadline::begin(&clock);
        let tags =
            catalogue.tags(&repository(), &deadline).await.map(|found| found.freshness.stale);
        let wanted = Wanted::Tag("ltsc2022".to_owned());
        (
            tags,
            catalogue
                .manifest(&repository(), wanted, false, &deadline)
                .await
                .map(|found| found.freshness.stale),
        )
    };
    assert_eq!(ask().await, (Ok(false), Ok(false)));
    registry.behave(|_| Behaviour::status(503));
    let before = registry.requests().len();
    for step in 1..=STEPS {
        clock.advance(STEP);
        let stale = STEP * step > Duration::from_secs(900);
        assert_eq!(ask().await, (Ok(stale), Ok(stale)), "after {:?}", STEP * step);
    }
    // Each of the two was tried once a step at most, because a failure is remembered within it.
    assert!(registry.requests().len() - before <= 2 * STEPS as usize);
    let before = registry.requests().len();
    for _ in 0..3 {
        ask().await.0.expect("it is still kept");
    }
    assert_eq!(registry.requests().len(), before);
    clock.advance(STEP);
    assert!(matches!(ask().await, (Err(_), Err(_))), "what is too old is not answered");
}

#[tokio::test]
async fn f04_nothing_is_left_of_slow_exchanges() {
    const ASKED: usize = 8;
    let holdings = Holdings::usual();
    let registry = MisbehavingRegistry::start(move |asked| match holdings.answer(asked) {
        Behaviour::Answer(response) if asked.path().ends_with("ltsc2022") => {
            Behaviour::Trickle(response)
        }
        _ => Behaviour::Silence,
    })
    .await;
    // A separate runtime, so that all its tasks belong to the service.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let clock = clock();
    let catalogue = {
        let _inside = runtime.enter();
        Arc::new(catalogue_that_waits(&registry, &clock, Some(Duration::from_millis(300))))
    };
    let tasks = runtime.metrics();
    let base = tasks.num_alive_tasks();
    let asked = (0..ASKED).map(|number| {
        let (catalogue, clock) = (catalogue.clone(), clock.clone());
        let tag = if number % 2 == 0 { "ltsc2022".to_owned() } else { format!("silent{number}") };
        runtime.spawn(async move {
            let deadline = Deadline::begin(&clock);
            catalogue.manifest(&repository(), Wanted::Tag(tag), false, &deadline).await.is_err()
        })
    });
    let asked: Vec<_> = asked.collect();
    registry.arrived(1).await;
    assert!(tasks.num_alive_tasks() > base);
    assert!(join_all(asked).await.into_iter().all(|failed| failed.expect("nothing panics")));
    let ended = async {
        while tasks.num_alive_tasks() > base {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(ended.is_ok(), "{} tasks are left", tasks.num_alive_tasks() - base);
    runtime.shutdown_background();
}

#[tokio::test]
async fn s10_slow_and_large_requests_are_refused() {
    let service = Service::offline();
    let mut slow = RawClient::connect(service.address()).await;
    slow.send("GET /livez HTTP/1.1\r\nhost: x\r\nx-slow").await;
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let many =
        exchange(service.address(), format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await;
    assert!(many.is_none_or(|answer| (400..500).contains(&answer.status)));
    let endless = exchange(
        service.address(),
        "GET /livez HTTP/1.1\r\nx-long: ".to_owned() + &"y".repeat(200 << 10),
    )
    .await;
    assert!(endless.is_none_or(|answer| (400..500).contains(&answer.status)));
    assert_eq!(slow.answer().await.map(|answer| answer.status), Some(408));
    assert_eq!(service.get("/livez").await.status.as_u16(), 200);
}

#[tokio::test]
async fn s13_hostile_host_texts_are_refused() {
    let service = Service::offline();
    let texts = [
        "((a%2B)%2B)%2B".repeat(100),
        "9".repeat(2000),
        "%E2%80%AE".repeat(200),
        "%00".repeat(500),
        "%1b[31m".repeat(200),
    ];
    for text in texts {
        let answer = service.get(&format!("/identify?host={text}")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{text}: {}", answer.text);
        assert!(!answer.text.chars().any(char::is_control), "{text}: {}", answer.text);
    }
}

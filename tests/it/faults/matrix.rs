//! F21: what is known, what fails, what is asked for and how the registry is entered, each with
//! each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use wintag::catalogue::{
    Catalogue, CatalogueSettings, Deadline, FoundImage, Miss, Provenance, RegistryError, Wanted,
};
use wintag::clock::Clock;
use wintag::images::Repository;
use wintag::registry::{Credentials, Registries, RegistriesSettings, RegistrySettings, Secret};
use wintag::telemetry::Metrics;
use wintag::windows::Tables;

use crate::support::docker_registry::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, index,
};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Response};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry};

/// What is known before the failure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Fresh,
    Stale,
    Snapshot,
    Embedded,
    Gone,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Unreachable,
    Limited,
    Missing,
    Garbage,
    Refused,
    Redirect,
    Slow,
}

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Thing {
    List,
    Index,
    NestedIndex,
    Image,
    Digest,
}

/// How the registry is entered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entrance {
    Open,
    Token,
    /// A token for those with the password: then what the registry says may be private.
    Password,
}

const KNOWN: [Known; 5] =
    [Known::Fresh, Known::Stale, Known::Snapshot, Known::Embedded, Known::Gone];
const FAILURES: [Failure; 7] = [
    Failure::Unreachable,
    Failure::Limited,
    Failure::Missing,
    Failure::Garbage,
    Failure::Refused,
    Failure::Redirect,
    Failure::Slow,
];
const THINGS: [Thing; 5] =
    [Thing::List, Thing::Index, Thing::NestedIndex, Thing::Image, Thing::Digest];
const ENTRANCES: [Entrance; 3] = [Entrance::Open, Entrance::Token, Entrance::Password];

/// Tags that the embedded catalogue has of servercore too.
const INDEX: &str = "ltsc2019";
const NESTED: &str = "ltsc2022";
const IMAGE: &str = "ltsc2025";

const HOUR: Duration = Duration::from_secs(3600);
/// The time of an exchange with a registry that never answers.
const SLOW: Duration = Duration::from_secs(1);

/// One case: a part of the registry under its own name.
#[derive(Clone, Copy, Debug)]
struct World {
    known: Known,
    failure: Failure,
    entrance: Entrance,
}

/// The source and whether it is stale, or the kind of refusal.
type Outcome = Result<(Provenance, bool), &'static str>;

const UNKNOWN: &str = "there is no such thing, or it is not shown";
const UNAVAILABLE: &str = "unavailable";
const INVALID: &str = "invalid";
const TIMEOUT: &str = "timeout";

impl World {
    /// Its place among all worlds.
    fn number(self) -> usize {
        (self.known as usize * FAILURES.len() + self.failure as usize) * ENTRANCES.len()
            + self.entrance as usize
    }

    fn registry(self) -> String {
        format!("w{}.example", self.number())
    }

    fn repository(self) -> String {
        format!("{}/x/y", self.registry())
    }

    /// What the rules say.
    fn expected(self, thing: Thing) -> Outcome {
        let is_private = self.entrance == Entrance::Password;
        let refusal = Err(match self.failure {
            Failure::Unreachable | Failure::Limited => UNAVAILABLE,
            Failure::Missing | Failure::Refused => UNKNOWN,
            Failure::Garbage | Failure::Redirect => INVALID,
            Failure::Slow => TIMEOUT,
        });
        match self.known {
            // No request is sent.
            Known::Fresh => Ok((Provenance::Cache, false)),
            // Private facts are served only while the registry permits it.
            Known::Stale if is_private && self.failure == Failure::Refused => refusal,
            // Anything else leaves it, also the first 404.
            Known::Stale => Ok((Provenance::Cache, true)),
            // Private facts are not written to disk.
            Known::Snapshot if is_private => refusal,
            Known::Snapshot => Ok((Provenance::Snapshot, true)),
            // That a repository of the catalogue is gone is not believed the first time.
            Known::Embedded if self.failure == Failure::Missing && thing == Thing::List => {
                Ok((Provenance::Embedded, true))
            }
            // Who says that there is no such thing has answered; and the catalogue has no
            // manifests.
            Known::Embedded if self.failure == Failure::Missing || thing == Thing::Digest => {
                refusal
            }
            Known::Embedded => Ok((Provenance::Embedded, true)),
            // It is too old to be used, and still the first 404 is not believed.
            Known::Gone if self.failure == Failure::Missing => Err(UNAVAILABLE),
            Known::Gone => refusal,
        }
    }

    /// What the registry does once it fails.
    fn fail(self, challenge: Behaviour) -> Behaviour {
        match self.failure {
            Failure::Unreachable => Behaviour::ResetAfter(tag_list(&[]), 0),
            Failure::Limited => Response::new(429, "{}").header("retry-after", "60").into(),
            Failure::Missing => Behaviour::status(404),
            Failure::Garbage => Behaviour::json("{\"tags\""),
            Failure::Refused => challenge,
            Failure::Redirect => Behaviour::redirect("http://127.0.0.1:1/x"),
            Failure::Slow => Behaviour::Silence,
        }
    }
}

/// What all worlds hold.
fn holdings() -> Holdings {
    let mut holdings = Holdings::of(&[(INDEX, "10.0.17763.5000")]);
    let platform = Platform::windows("amd64", Some("10.0.20348.2113"), false);
    let inner = index(DOCKER_LIST, Vec::new());
    holdings.tag(
        NESTED,
        DOCKER_LIST,
        &index(DOCKER_LIST, vec![Entry::of(DOCKER_LIST, &inner, platform)]),
    );
    let image =
        holdings.put_image(IMAGE, &Platform::windows("amd64", Some("10.0.26100.4061"), false));
    holdings.tag(IMAGE, DOCKER_MANIFEST, &image);
    holdings
}

/// The answer of a world's part of the registry; `target` is what comes after the name of the
/// world.
fn answer(
    asked: &Asked,
    target: &str,
    prefix: &str,
    world: World,
    is_failing: bool,
    holdings: &Holdings,
) -> Behaviour {
    let challenge = match world.entrance {
        Entrance::Open => Behaviour::status(401),
        Entrance::Token | Entrance::Password => {
            let realm = format!("http://{}/{prefix}/token", asked.header("host"));
            Behaviour::unauthorized(&format!(r#"Bearer realm="{realm}",service="x""#))
        }
    };
    // A registry that refuses access still gives tokens.
    if is_failing && world.failure != Failure::Refused {
        return world.fail(challenge);
    }
    if target.starts_with("/token") {
        let has_password = asked.header("authorization").starts_with("Basic ");
        return match has_password == (world.entrance == Entrance::Password) {
            true => Behaviour::json(r#"{"token":"good","expires_in":300}"#),
            false => Behaviour::status(401),
        };
    }
    let is_in = world.entrance == Entrance::Open || asked.header("authorization") == "Bearer good";
    match is_in && !is_failing {
        true => holdings.answer(&Asked { target: target.to_owned(), ..asked.clone() }),
        false => challenge,
    }
}

/// A catalogue for all worlds in which the same is known.
struct Bed {
    catalogue: Catalogue,
    clock: Clock,
    holdings: Holdings,
}

impl Bed {
    fn new(registries: &Arc<Registries>, clock: &Clock, state_dir: Option<PathBuf>) -> Self {
        let settings = CatalogueSettings { offline: false, fresh_for: HOUR / 4, state_dir };
        let metrics = Arc::new(Metrics::new());
        let catalogue = Catalogue::new(
            registries.clone(),
            Tables::embedded().clone(),
            clock.clone(),
            metrics,
            &settings,
        );
        Self { catalogue, clock: clock.clone(), holdings: holdings() }
    }

    /// Asks, and looks whether an answer from the registry is the right one, however old.
    async fn ask(&self, repository: &Repository, thing: Thing) -> Outcome {
        let deadline = Deadline::begin(&self.clock);
        let (tag, wanted) = match thing {
            Thing::List => {
                let found = self.catalogue.tags(repository, &deadline).await.map_err(in_short)?;
                assert!(
                    found.freshness.provenance == Provenance::Embedded || found.value.len() == 3
                );
                return Ok((found.freshness.provenance, found.freshness.stale));
            }
            Thing::Index => (INDEX, Wanted::Tag(INDEX.to_owned())),
            Thing::NestedIndex => (NESTED, Wanted::Tag(NESTED.to_owned())),
            Thing::Image => (IMAGE, Wanted::Tag(IMAGE.to_owned())),
            Thing::Digest => (
                INDEX,
                Wanted::Digest(self.holdings.digest(INDEX).parse().expect("it is a digest")),
            ),
        };
        let freshness =
            match self.catalogue.image(repository, wanted, &deadline).await.map_err(in_short)? {
                FoundImage::Manifest(found) => {
                    assert_eq!(found.value.digest.as_str(), self.holdings.digest(tag));
                    found.freshness
                }
                FoundImage::Observation(found) => found.freshness,
            };
        Ok((freshness.provenance, freshness.stale))
    }

    /// Asks for everything, and compares what comes with what is expected.
    async fn check(&self, repository: &str, world: World, expected: impl Fn(Thing) -> Outcome) {
        let repository = Repository::parse(repository).expect("it is a name");
        let asked = THINGS.map(|thing| self.ask(&repository, thing));
        for (thing, outcome) in THINGS.into_iter().zip(join_all(asked).await) {
            assert_eq!(outcome, expected(thing), "{world:?}, {thing:?}");
        }
    }
}

fn in_short(miss: Miss) -> &'static str {
    match miss {
        Miss::Registry(RegistryError::NotFound { .. } | RegistryError::Refused { .. }) => UNKNOWN,
        Miss::Registry(
            RegistryError::Unavailable { .. }
            | RegistryError::RateLimited { .. }
            | RegistryError::Suspended { .. },
        ) => UNAVAILABLE,
        Miss::Registry(RegistryError::Invalid { .. }) => INVALID,
        Miss::Registry(RegistryError::TimedOut) => TIMEOUT,
        other => panic!("{other}"),
    }
}

/// Registries of which each name leads to the part of one world.
fn registries(authority: &str, worlds: impl Iterator<Item = (World, String)>) -> Arc<Registries> {
    let settings = worlds.map(|(world, name)| {
        let mirror =
            Some(format!("http://{authority}/w{}", world.number()).parse().expect("it is a URL"));
        let credentials = (world.entrance == Entrance::Password)
            .then(|| Credentials { username: "me".to_owned(), password: Secret::new("pw") });
        let timeout = (world.failure == Failure::Slow).then_some(SLOW);
        (name, RegistrySettings { mirror, credentials, timeout, ..RegistrySettings::default() })
    });
    let registries: BTreeMap<_, _> = settings.collect();
    let settings =
        RegistriesSettings { registries, docker_config: Some("/nonexistent/config.json".into()) };
    Arc::new(Registries::new(settings).expect("the settings are good"))
}

/// All worlds of one kind of knowledge: learns what is known, fails, and asks.
async fn check_known(known: Known, registries: &Arc<Registries>, fail: impl Fn(World)) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clock = Clock::manual("2026-08-12T00:00:00Z".parse().expect("it is a moment"));
    let make = || Bed::new(registries, &clock, Some(folder.path().to_owned()));
    let mut bed = make();
    let worlds = |failure| ENTRANCES.map(|entrance| World { known, failure, entrance });
    for failure in FAILURES {
        let new = |_| Ok((Provenance::Registry, false));
        let bed = &bed;
        join_all(
            worlds(failure)
                .map(|world| async move { bed.check(&world.repository(), world, new).await }),
        )
        .await;
    }
    if known == Known::Snapshot {
        bed.catalogue.save_snapshot();
        bed = make();
        bed.catalogue.load_snapshot();
    }
    clock.advance(match known {
        Known::Fresh | Known::Embedded => Duration::ZERO,
        Known::Stale | Known::Snapshot => HOUR,
        Known::Gone => 73 * HOUR,
    });
    for failure in FAILURES {
        worlds(failure).into_iter().for_each(&fail);
        let bed = &bed;
        join_all(
            worlds(failure)
                .map(|world| async move { check_failing(bed, &world.repository(), world).await }),
        )
        .await;
    }
    FAILURES.len() * ENTRANCES.len()
}

/// The second time the negative cache or the open circuit answers, and the rules are the same.
async fn check_failing(bed: &Bed, repository: &str, world: World) {
    for _ in 0..2 {
        bed.check(repository, world, |thing| world.expected(thing)).await;
    }
}

#[tokio::test]
async fn f21_every_failure_meets_everything_that_is_known_and_asked() {
    let worlds: Vec<World> = KNOWN
        .iter()
        .flat_map(|&known| FAILURES.map(|failure| (known, failure)))
        .flat_map(|(known, failure)| ENTRANCES.map(|entrance| World { known, failure, entrance }))
        .collect();
    let is_failing: Arc<Vec<AtomicBool>> =
        Arc::new(worlds.iter().map(|_| AtomicBool::new(false)).collect());
    let (script_failing, script_worlds, holdings) =
        (is_failing.clone(), worlds.clone(), holdings());
    let registry = MisbehavingRegistry::start(move |asked| {
        let whole = asked.target.strip_prefix("/w").and_then(|rest| rest.split_once('/'));
        let Some((number, target)) = whole else { return Behaviour::status(500) };
        let at: usize = number.parse().expect("the name of a world");
        let is_failing = script_failing[at].load(Ordering::SeqCst);
        answer(
            asked,
            &format!("/{target}"),
            &format!("w{at}"),
            script_worlds[at],
            is_failing,
            &holdings,
        )
    })
    .await;
    let fail = |world: World| is_failing[world.number()].store(true, Ordering::SeqCst);
    let authority = registry.authority();

    let common = registries(&authority, worlds.iter().map(|world| (*world, world.registry())));
    let learnt = [Known::Fresh, Known::Stale, Known::Snapshot, Known::Gone];
    let mut checked: usize =
        join_all(learnt.map(|known| check_known(known, &common, fail))).await.into_iter().sum();
    for world in worlds.into_iter().filter(|world| world.known == Known::Embedded) {
        // The catalogue has repositories of one registry only, so that each case needs its own.
        let own = registries(&authority, [(world, "mcr.microsoft.com".to_owned())].into_iter());
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().expect("it is a moment"));
        fail(world);
        check_failing(&Bed::new(&own, &clock, None), "mcr.microsoft.com/windows/servercore", world)
            .await;
        checked += 1;
    }
    assert_eq!(checked, KNOWN.len() * FAILURES.len() * ENTRANCES.len());
}

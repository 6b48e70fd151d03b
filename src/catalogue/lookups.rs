//! The catalogue: its lookups and what it falls back on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::cache::{Cache, EntryTtl, Lookup};
use super::deadline::Deadline;
use super::embedded::Embedded;
use super::entries::CacheEntry;
use super::fetch::{Before, Fetcher};
use super::freshness::{Found, Freshness, Provenance};
use super::history::History;
use super::known_tag::KnownTag;
use super::list_memory::MAX_TAG_BYTES;
use super::metrics;
use super::miss::Miss;
use super::shrinkage::{self, ShrinkageCheck};
use super::snapshot::Snapshot;
use super::store::FetchPolicy;
use super::tags::RepositoryTags;
use super::weight::manifest_weight;
use crate::clock::Clock;
use crate::images::Repository;
use crate::registry::{Manifest, Registries, RegistryError, Wanted};
use crate::telemetry::{CacheLayer, Metrics};
use crate::windows::Tables;

/// How long a stale entry is used when it cannot be refreshed; longer where its TTL is longer. RFC
/// 8767 recommends one to three days for stale data in DNS.
const DEFAULT_USABLE_TTL: Duration = Duration::from_secs(72 * 3600);
/// The memory for manifests. One takes about 1 kB.
pub const MAX_MANIFEST_BYTES: u64 = 10 << 20;

/// An image that was found.
#[derive(Clone, Debug)]
pub enum FoundImage {
    /// The manifest in the registry.
    Manifest(Found<Manifest>),
    /// The observation of the tag in the embedded catalogue.
    Observation(Found<KnownTag>),
}

/// The settings of the catalogue.
#[derive(Clone, Debug)]
pub struct CatalogueSettings {
    /// Never query a registry.
    pub offline: bool,
    /// How long an entry of the cache is used without fetching it again.
    pub fresh_for: Duration,
    /// The directory of the snapshot; without one there is no snapshot.
    pub state_dir: Option<PathBuf>,
}

/// The content of each repository. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Catalogue {
    pub(super) registries: Arc<Registries>,
    pub(super) tables: Arc<Tables>,
    pub(super) embedded: Arc<Embedded>,
    pub(super) tags: Arc<Cache<Repository, RepositoryTags>>,
    pub(super) manifests: Arc<Cache<(Repository, Wanted), Manifest>>,
    pub(super) fetcher: Fetcher,
    pub(super) offline: bool,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) history: Arc<History>,
    pub(super) metrics: Arc<Metrics>,
}

impl Catalogue {
    /// A catalogue with the embedded data only.
    pub fn new(
        registries: Arc<Registries>,
        tables: Arc<Tables>,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: &CatalogueSettings,
    ) -> Self {
        let ttl = EntryTtl {
            fresh: settings.fresh_for,
            usable: DEFAULT_USABLE_TTL.max(settings.fresh_for),
        };
        let history = Arc::new(History::default());
        let fetcher = Fetcher {
            history: history.clone(),
            registries: registries.clone(),
            tables: tables.clone(),
            shrinkage: ShrinkageCheck::default(),
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        Self {
            registries,
            embedded: Arc::new(Embedded::read(tables.clone())),
            tables,
            tags: Arc::new(Cache::new(
                MAX_TAG_BYTES as u64,
                RepositoryTags::weight,
                clock.clone(),
                ttl,
            )),
            manifests: Arc::new(Cache::new(MAX_MANIFEST_BYTES, manifest_weight, clock, ttl)),
            fetcher,
            offline: settings.offline,
            snapshot: settings.state_dir.clone().map(Snapshot::new).map(Arc::new),
            history,
            metrics,
        }
    }

    /// Whether the registry of this repository may be queried at all.
    pub fn allows(&self, repository: &Repository) -> bool {
        self.registries.allows(repository.registry())
    }

    /// The tags of a repository.
    ///
    /// # Errors
    /// When the registry is not allowed, has no such repository, or cannot be queried while nothing
    /// older is known.
    pub async fn tags(
        &self,
        repository: &Repository,
        deadline: &Deadline,
    ) -> Result<Found<RepositoryTags>, Miss> {
        self.check_allowed(repository)?;
        let facts_as_of = self.tables.as_of();
        let embedded = self.embedded.tags(repository);
        let present = |found: Found<RepositoryTags>| Found {
            value: self.with_present_tables(repository, found.value),
            ..found
        };
        let cached = self.tags.peek(repository);
        if self.offline {
            return match (cached, embedded) {
                (Some(entry), _) => found(Lookup::Stale(entry), facts_as_of).map(present),
                (None, Some(tags)) => Ok(self.as_embedded(tags, &Miss::Offline)),
                (None, None) => Err(Miss::Offline),
            };
        }
        let is_mirrored = self.registries.is_mirrored(repository.registry());
        let has_most = self.embedded.has_most_of(repository);
        let last = self.tags.last(repository);
        let expected_count = shrinkage::expected_count(
            last.as_ref().map(|entry| entry.value.len()),
            embedded.as_ref().filter(|_| has_most).map(|tags| tags.len()),
            is_mirrored,
        );
        let has_fallback = cached.is_some() || embedded.is_some();
        let policy = FetchPolicy {
            is_expected: embedded.is_some(),
            ..self.policy(repository, has_fallback, deadline)
        };
        let purpose = self.purpose_of_list(repository, cached.is_some());
        let before = Before {
            expected_count,
            list: last.filter(|entry| !entry.is_private).map(|entry| entry.value),
            is_reserved: policy.is_reserved,
        };
        let fetch = || self.fetcher.clone().tags(repository.clone(), before, purpose);
        let lookup = self.tags.get(repository.clone(), policy, fetch).await;
        metrics::count_lookup(&self.metrics, CacheLayer::Tags, &lookup);
        match (found(lookup, facts_as_of).map(present), embedded) {
            // Also after a 404: a mirror says nothing about the registry, and registries have
            // answered so in an outage.
            (Err(miss), Some(tags)) => Ok(self.as_embedded(tags, &miss)),
            (found, _) => found,
        }
    }

    /// The tags of a repository as [`Self::tags`] gives them, and this one if its name alone says
    /// what it is: the embedded catalogue has only some tags, and only of some repositories.
    ///
    /// # Errors
    /// As there.
    pub async fn tags_and(
        &self,
        named: Option<&str>,
        repository: &Repository,
        deadline: &Deadline,
    ) -> Result<Found<RepositoryTags>, Miss> {
        let found = self.tags(repository, deadline).await;
        let Some(named) = named.and_then(|named| self.known_by_name(repository, named)) else {
            return found;
        };
        match found {
            Ok(found)
                if found.freshness.provenance == Provenance::Embedded
                    && found.value.find(&named.text).is_none() =>
            {
                let tags = found.value.iter().cloned().chain([named]).collect();
                Ok(Found { value: Arc::new(RepositoryTags::new(tags)), ..found })
            }
            Err(miss) if miss == Miss::Offline => {
                Ok(self.as_embedded(Arc::new(RepositoryTags::new(vec![named])), &miss))
            }
            found => found,
        }
    }

    /// Whether the tags of a repository are in the cache and need not be fetched.
    pub fn has_fresh_tags(&self, repository: &Repository) -> bool {
        self.tags.peek(repository).is_some_and(|entry| self.tags.is_fresh(&entry))
    }

    /// The manifest that a tag or digest selects. The embedded catalogue has none; what it knows of
    /// a tag is in its [`KnownTag::observation`].
    ///
    /// With `has_fallback` the caller can answer without the manifest, and waits less for it.
    ///
    /// # Errors
    /// As [`Self::tags`].
    pub async fn manifest(
        &self,
        repository: &Repository,
        wanted: Wanted,
        has_fallback: bool,
        deadline: &Deadline,
    ) -> Result<Found<Manifest>, Miss> {
        self.manifest_of(repository, wanted, None, has_fallback, deadline).await
    }

    /// As [`Self::manifest`]. If the image is one of those of the shared tag, whose manifest is
    /// known or being fetched, that one describes it and spares a request; the description of
    /// another image is not fetched, so that a question about a shared tag takes three requests.
    ///
    /// # Errors
    /// As [`Self::tags`].
    pub async fn manifest_of(
        &self,
        repository: &Repository,
        wanted: Wanted,
        shared: Option<&str>,
        has_fallback: bool,
        deadline: &Deadline,
    ) -> Result<Found<Manifest>, Miss> {
        self.check_allowed(repository)?;
        let facts_as_of = self.tables.as_of();
        let key = self.key(repository, wanted, shared);
        let wanted = key.1.clone();
        let cached = self.manifests.peek(&key);
        if self.offline {
            return cached
                .map_or(Err(Miss::Offline), |entry| found(Lookup::Stale(entry), facts_as_of));
        }
        if cached.is_none()
            && let Some(error) = self.unlisted(repository, &wanted)
        {
            return Err(error.into());
        }
        let is_listed = wanted.tag().is_some_and(|tag| {
            self.known_tags(repository).is_some_and(|tags| tags.find(tag).is_some())
        });
        let policy = FetchPolicy {
            is_expected: self.embedded.has(repository) && (cached.is_some() || is_listed),
            ..self.policy(repository, cached.is_some() || has_fallback, deadline)
        };
        let index = self.index(repository, shared);
        let purpose = self.purpose_of_manifest(repository, &wanted, cached.is_some());
        let place = (repository.clone(), policy.is_reserved);
        let fetch = || self.fetcher.clone().manifest(place, wanted, index, purpose);
        let lookup = self.manifests.get(key, policy, fetch).await;
        metrics::count_lookup(&self.metrics, CacheLayer::Manifests, &lookup);
        found(lookup, facts_as_of)
    }

    /// Starts to fetch the manifest of a tag that is likely to be needed, and waits for nothing.
    /// The shared tag is as in [`Self::manifest_of`].
    pub fn prefetch_manifest(
        &self,
        repository: &Repository,
        tag: String,
        shared: Option<&str>,
        deadline: &Deadline,
    ) {
        if self.offline || !self.allows(repository) {
            return;
        }
        let key = self.key(repository, Wanted::Tag(tag), shared);
        let wanted = key.1.clone();
        let policy = self.policy(repository, true, deadline);
        let index = self.index(repository, shared);
        let purpose = self.purpose_of_manifest(repository, &wanted, false);
        let place = (repository.clone(), policy.is_reserved);
        let fetch = || self.fetcher.clone().manifest(place, wanted, index, purpose);
        self.manifests.prefetch(key, policy, fetch);
    }

    /// The image that a tag or digest selects: its manifest, or, when the registry cannot be
    /// queried, the tag in the embedded catalogue or by its name.
    ///
    /// # Errors
    /// As [`Self::tags`].
    pub async fn image(
        &self,
        repository: &Repository,
        wanted: Wanted,
        deadline: &Deadline,
    ) -> Result<FoundImage, Miss> {
        let tags = self.embedded.tags(repository);
        let embedded = tags.and_then(|tags| match &wanted {
            Wanted::Digest(digest) => tags.iter().find(|tag| tag.was_seen_at(digest)).cloned(),
            _ => wanted.tag().and_then(|tag| tags.find(tag)).cloned(),
        });
        let has_fallback = embedded.is_some();
        let by_name = wanted.tag().and_then(|tag| self.known_by_name(repository, tag));
        let miss = match self.manifest(repository, wanted, has_fallback, deadline).await {
            Ok(found) => return Ok(FoundImage::Manifest(found)),
            Err(miss) => miss,
        };
        // A repository of which nothing is known may not even exist.
        let may_exist =
            miss == Miss::Offline || (miss.is_silence() && self.embedded.has(repository));
        match embedded.filter(|_| miss.is_silence()).or(by_name.filter(|_| may_exist)) {
            Some(tag) => Ok(FoundImage::Observation(self.as_embedded(Arc::new(tag), &miss))),
            None => Err(miss),
        }
    }

    /// The manifest of a shared tag, as soon as it is known.
    fn index(
        &self,
        repository: &Repository,
        shared: Option<&str>,
    ) -> impl Future<Output = Option<Arc<Manifest>>> + Send + use<> {
        let wanted = |tag: &str| (repository.clone(), Wanted::Tag(tag.to_owned()));
        let index = shared.map(|tag| self.manifests.soon(&wanted(tag)));
        async move { index?.await }
    }

    fn check_allowed(&self, repository: &Repository) -> Result<(), Miss> {
        if self.allows(repository) {
            return Ok(());
        }
        Err(RegistryError::NotAllowed { registry: repository.registry().to_owned() }.into())
    }

    pub(super) fn freshness_of_embedded(&self) -> Freshness {
        Freshness {
            provenance: Provenance::Embedded,
            as_of: self.embedded.as_of(),
            stale: true,
            facts_as_of: self.tables.as_of(),
            is_private: false,
        }
    }

    fn as_embedded<V>(&self, value: Arc<V>, instead_of: &Miss) -> Found<V> {
        let instead_of = Some(instead_of).filter(|miss| **miss != Miss::Offline).cloned();
        Found { value, freshness: self.freshness_of_embedded(), instead_of }
    }
}

pub(super) fn provenance_in_cache<V>(entry: &CacheEntry<V>) -> Provenance {
    match entry.age_when_loaded {
        Some(_) => Provenance::Snapshot,
        None => Provenance::Cache,
    }
}

pub(super) fn freshness_of<V>(
    provenance: Provenance,
    entry: &CacheEntry<V>,
    stale: bool,
    facts_as_of: Date,
) -> Freshness {
    let (as_of, is_private) = (entry.learnt.utc, entry.is_private);
    Freshness { provenance, as_of, stale, facts_as_of, is_private }
}

fn found<V>(lookup: Lookup<V>, facts_as_of: Date) -> Result<Found<V>, Miss> {
    let (provenance, entry, stale) = match lookup {
        Lookup::Fetched(entry) => (Provenance::Registry, entry, false),
        Lookup::Fresh(entry) => (provenance_in_cache(&entry), entry, false),
        Lookup::Stale(entry) => (provenance_in_cache(&entry), entry, true),
        Lookup::Failed(error) => return Err(error.into()),
        Lookup::Overloaded => return Err(Miss::Overloaded),
    };
    let freshness = freshness_of(provenance, &entry, stale, facts_as_of);
    Ok(Found { value: entry.value, freshness, instead_of: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A catalogue that queries no registry and whose cache is empty.
    fn offline(clock: &Clock, fresh_for: Duration) -> Catalogue {
        let registries =
            Arc::new(Registries::new(crate::registry::RegistriesSettings::default()).unwrap());
        let settings = CatalogueSettings { offline: true, fresh_for, state_dir: None };
        Catalogue::new(
            registries,
            Tables::embedded().clone(),
            clock.clone(),
            Arc::new(Metrics::new()),
            &settings,
        )
    }

    fn hours(count: u64) -> Duration {
        Duration::from_secs(count * 3600)
    }

    #[tokio::test]
    async fn an_entry_past_its_usable_ttl_is_not_shown() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let catalogue = offline(&clock, hours(1));
        let (kept, unknown) = ("mcr.microsoft.com/windows/nanoserver", "a.example/x");
        for repository in [kept, unknown].map(|name| Repository::parse(name).unwrap()) {
            catalogue.tags.load(
                repository.clone(),
                Arc::new(RepositoryTags::new(Vec::new())),
                clock.now().utc,
                false,
            );
        }
        let seen = |name: &str| {
            let repository = Repository::parse(name).unwrap();
            let count = catalogue.known_tags(&repository).map(|tags| tags.len());
            (catalogue.freshness(&repository).map(|freshness| freshness.provenance), count)
        };
        clock.advance(hours(72));
        assert_eq!(seen(kept), (Some(Provenance::Snapshot), Some(0)));
        assert_eq!(seen(unknown), (Some(Provenance::Snapshot), Some(0)));
        clock.advance(hours(1));
        assert!(matches!(seen(kept), (Some(Provenance::Embedded), Some(count)) if count > 0));
        assert_eq!(seen(unknown), (None, None));
    }

    #[tokio::test]
    async fn a_list_is_read_again_with_newer_tables() {
        let clock = Clock::manual("2026-11-20T00:00:00Z".parse().unwrap());
        let older = offline(&clock, hours(1));
        let repository = Repository::parse("mcr.microsoft.com/windows/nanoserver").unwrap();
        let names =
            ["ltsc2022-KB5999999".to_owned()].map(|it| KnownTag::new(it, None, &older.tables));
        let mut tags = RepositoryTags::new(names.into());
        tags.tables = Some(older.tables.clone());
        older.tags.load(repository.clone(), Arc::new(tags), clock.now().utc, false);
        let releases = include_str!("../windows/data/releases.csv");
        let row = "build,revision,kb,released,kind_of_release,os_type,source\n\
                   20348,5900,KB5999999,2026-11-10,Standard,server,a test\n";
        let newer = older.with_tables(Arc::new(Tables::from_csv(releases, row).unwrap()));
        let revision = |catalogue: &Catalogue| {
            catalogue.known_tags(&repository).unwrap().iter().next().unwrap().revision()
        };
        // In this order: a question that began with the older tables ends with them.
        assert_eq!(
            [&older, &newer, &newer, &older].map(revision),
            [None, Some(5900), Some(5900), None]
        );
        newer.read_lists_again();
        let cached = older.tags.peek(&repository).unwrap().value;
        assert!(cached.tables.as_ref().is_some_and(|tables| Arc::ptr_eq(tables, &newer.tables)));
        assert_eq!(
            older.freshness(&repository).map(|it| it.provenance),
            Some(Provenance::Snapshot)
        );
    }

    #[tokio::test]
    async fn a_fresh_entry_is_usable() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let catalogue = offline(&clock, hours(168));
        let repository = Repository::parse("a.example/x").unwrap();
        catalogue.tags.load(
            repository.clone(),
            Arc::new(RepositoryTags::new(Vec::new())),
            clock.now().utc,
            false,
        );
        clock.advance(hours(168));
        assert_eq!(catalogue.freshness(&repository).map(|freshness| freshness.stale), Some(false));
    }
}

//! What each repository holds, and since when that is known: from memory while fresh, from the
//! registry, from memory when stale, and at last from the embedded catalogue. A snapshot on disk
//! brings what was in memory over a restart.

// In reading order.

mod freshness;
mod tags;
mod embedded;
mod snapshot;
mod shrunk;
mod shelf;
mod reporting;
mod deadline;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Now};
use crate::images::Repository;
use crate::registry::Registries;
use crate::telemetry::{CacheLayer, Metrics, Operation};
use crate::windows::{Tables, WindowsVersion};

pub use crate::registry::{Entry, EntryMismatch, EntryRole, Manifest, RegistryError, Wanted};
pub use deadline::Deadline;
use embedded::Embedded;
pub use freshness::{Found, Freshness, Provenance};
pub use shelf::MAX_FLIGHTS;
use shelf::{Got, Kept, Lifetimes, Shelf, Terms};
use shrunk::Shrunk;
use snapshot::Snapshot;
pub use snapshot::SnapshotState;
#[cfg(fuzzing)]
pub use snapshot::check_snapshot;
pub use tags::{KnownTag, Observation, RepositoryTags};

/// For how long an answer that cannot be renewed is given, marked as stale; longer, where it is
/// fresh for longer. RFC 8767 advises one to three days for the like in DNS.
const USABLE_FOR: Duration = Duration::from_secs(72 * 3600);
/// The memory that tag lists may take. Twenty repositories of 3,000 tags take 24 MB.
const MAX_TAG_BYTES: u64 = 48 << 20;
/// The memory that manifests may take. One takes about 1 kB.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// Why there is no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// The registry said so, or it was not asked because of a rule.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Registries may not be asked, and the embedded catalogue does not have it.
    #[error("registries are not asked (--offline), and the embedded catalogue does not have it")]
    Offline,
    /// Too much waits for registries already, and the registry was not asked.
    #[error(
        "too many requests wait for registries, so that this one is not asked; ask again a little \
         later"
    )]
    Overloaded,
}

impl Miss {
    /// Whether older knowledge may answer instead: the registry said nothing that could be used.
    /// One that says there is no such thing has answered, and one that may not be asked stays
    /// unasked.
    pub fn is_silence(&self) -> bool {
        !matches!(
            self,
            Self::Registry(RegistryError::NotFound { .. } | RegistryError::NotAllowed { .. })
        )
    }
}

/// An image that was looked for.
#[derive(Clone, Debug)]
pub enum FoundImage {
    /// What the registry has.
    Manifest(Found<Manifest>),
    /// What the embedded catalogue saw of the tag.
    Observation(Found<KnownTag>),
}

/// How the catalogue behaves.
#[derive(Clone, Debug)]
pub struct CatalogueSettings {
    /// Never ask a registry.
    pub offline: bool,
    /// How long a registry's answer is used without asking again.
    pub fresh_for: Duration,
    /// The directory of the snapshot; none is read or written without one.
    pub state_dir: Option<PathBuf>,
}

/// What each repository holds.
pub struct Catalogue {
    registries: Arc<Registries>,
    tables: &'static Tables,
    embedded: Embedded,
    tags: Shelf<Repository, RepositoryTags>,
    manifests: Shelf<(Repository, Wanted), Manifest>,
    offline: bool,
    snapshot: Option<Snapshot>,
    shrunk: Shrunk,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Catalogue {
    /// A catalogue that knows only what is embedded, until it asks.
    pub fn new(
        registries: Arc<Registries>,
        tables: &'static Tables,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: &CatalogueSettings,
    ) -> Self {
        let lifetimes = Lifetimes {
            fresh_for: settings.fresh_for,
            usable_for: USABLE_FOR.max(settings.fresh_for),
        };
        Self {
            embedded: Embedded::read(tables),
            tags: Shelf::new(MAX_TAG_BYTES, RepositoryTags::weight, clock.clone(), lifetimes),
            manifests: Shelf::new(MAX_MANIFEST_BYTES, weight_of_manifest, clock.clone(), lifetimes),
            registries,
            tables,
            offline: settings.offline,
            snapshot: settings.state_dir.clone().map(Snapshot::new),
            shrunk: Shrunk::default(),
            clock,
            metrics,
        }
    }

    /// Whether this registry may be asked at all.
    pub fn allows(&self, repository: &Repository) -> bool {
        self.registries.allows(repository.registry())
    }

    /// The tags of a repository, for a question that waits so long.
    ///
    /// # Errors
    /// When the registry is not allowed, says there is no such repository, or cannot be asked while
    /// nothing older is known.
    pub async fn tags(
        &self,
        repository: &Repository,
        deadline: &Deadline,
    ) -> Result<Found<RepositoryTags>, Miss> {
        self.refuse_unless_allowed(repository)?;
        let embedded = self.embedded.tags(repository);
        if self.offline {
            let kept = self.tags.peek(repository).map(|kept| found(Got::Stale(kept)));
            return kept.unwrap_or_else(|| {
                embedded.map(|value| self.as_embedded(value)).ok_or(Miss::Offline)
            });
        }
        let kept = self.tags.peek(repository);
        let last = self.tags.last(repository).map(|kept| kept.value.len());
        let is_mirrored = self.registries.is_mirrored(repository.registry());
        let before = shrunk::expected(last, embedded.as_ref().map(|tags| tags.len()), is_mirrored);
        let is_expected = embedded.is_some();
        let terms = self.terms(repository, kept.is_some() || is_expected, deadline);
        let terms = Terms { is_expected, ..terms };
        let fetch = || {
            let (registries, tables, repository) =
                (self.registries.clone(), self.tables, repository.clone());
            let (shrunk, metrics, clock) =
                (self.shrunk.clone(), self.metrics.clone(), self.clock.clone());
            async move {
                let listed = registries.list_tags(&repository).await;
                reporting::report_fetch(
                    &metrics,
                    clock.now(),
                    &repository,
                    Operation::Tags,
                    &listed,
                );
                let texts = listed?;
                shrunk.judge(&repository, before, texts.len())?;
                let tags =
                    texts.into_iter().map(|text| KnownTag::new(text, None, tables)).collect();
                Ok(RepositoryTags::new(tags))
            }
        };
        let got = self.tags.get(repository.clone(), terms, fetch).await;
        reporting::count_lookup(&self.metrics, CacheLayer::Tags, &got);
        match (found(got), embedded) {
            (Err(miss), Some(value)) if miss.is_silence() => Ok(self.as_embedded(value)),
            (found, _) => found,
        }
    }

    /// The manifest that a tag or digest selects. The embedded catalogue has none: what it knows of
    /// a tag is in its [`KnownTag::observation`].
    ///
    /// `has_fallback` says that the caller has something else to answer with, and waits less.
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
        self.refuse_unless_allowed(repository)?;
        let kept = self.manifests.peek(&(repository.clone(), wanted.clone()));
        if self.offline {
            return kept.map_or(Err(Miss::Offline), |kept| found(Got::Stale(kept)));
        }
        let fetch = || {
            let (registries, repository, wanted) =
                (self.registries.clone(), repository.clone(), wanted.clone());
            let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
            async move {
                let manifest = registries.manifest(&repository, &wanted).await;
                reporting::report_fetch(
                    &metrics,
                    clock.now(),
                    &repository,
                    Operation::Manifest,
                    &manifest,
                );
                manifest
            }
        };
        let terms = self.terms(repository, kept.is_some() || has_fallback, deadline);
        let got = self.manifests.get((repository.clone(), wanted.clone()), terms, fetch).await;
        reporting::count_lookup(&self.metrics, CacheLayer::Manifests, &got);
        found(got)
    }

    /// The image that a tag or digest selects: its manifest, or the tag that the embedded catalogue
    /// saw there when the registry cannot be asked.
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
            Wanted::Tag(tag) => tags.find(tag).cloned(),
            Wanted::Digest(digest) => tags.iter().find(|tag| tag.was_seen_at(digest)).cloned(),
        });
        match (self.manifest(repository, wanted, embedded.is_some(), deadline).await, embedded) {
            (Ok(found), _) => Ok(FoundImage::Manifest(found)),
            (Err(miss), Some(tag)) if miss.is_silence() => {
                Ok(FoundImage::Observation(self.as_embedded(Arc::new(tag))))
            }
            (Err(miss), _) => Err(miss),
        }
    }

    /// What a tag or digest selects if that is in memory and may still be used; nobody is asked.
    pub fn known_manifest(&self, repository: &Repository, wanted: Wanted) -> Option<Arc<Manifest>> {
        self.manifests.peek(&(repository.clone(), wanted)).map(|kept| kept.value)
    }

    /// The tags of a repository that are in memory and may still be used, else the embedded ones;
    /// nobody is asked.
    pub fn known_tags(&self, repository: &Repository) -> Option<Arc<RepositoryTags>> {
        self.tags.peek(repository).map(|kept| kept.value).or_else(|| self.embedded.tags(repository))
    }

    /// The version that a tag stands for by its name alone.
    pub fn version_of_name(&self, tag: &str) -> Option<WindowsVersion> {
        KnownTag::new(tag.to_owned(), None, self.tables).version
    }

    /// How fresh the tags of a repository are now; nobody is asked.
    pub fn freshness(&self, repository: &Repository) -> Option<Freshness> {
        match self.tags.peek(repository) {
            Some(kept) => Some(self.freshness_in_memory(&kept)),
            None => self.embedded.tags(repository).map(|value| self.as_embedded(value).freshness),
        }
    }

    /// The repositories whose tags are in memory, by name, and how fresh they are now.
    pub fn in_memory(&self) -> Vec<(Repository, Freshness)> {
        let known = self.tags.usable().into_iter();
        let mut known: Vec<_> =
            known.map(|(key, kept)| (key, self.freshness_in_memory(&kept))).collect();
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        known
    }

    /// Tells what registries are asked for now, and which of them are left alone.
    pub fn report_state(&self) {
        for (layer, (flights, waiters)) in [
            (CacheLayer::Tags, self.tags.under_way()),
            (CacheLayer::Manifests, self.manifests.under_way()),
        ] {
            self.metrics.tell_flights(layer, flights, waiters);
        }
        for (registry, is_left_alone) in self.registries.left_alone() {
            self.metrics.tell_circuit(registry, is_left_alone);
        }
    }

    fn freshness_in_memory(&self, kept: &Kept<RepositoryTags>) -> Freshness {
        let stale = !self.tags.is_fresh(kept);
        Freshness { provenance: provenance_in_memory(kept), as_of: kept.learnt.utc, stale }
    }

    fn terms(&self, repository: &Repository, has_fallback: bool, deadline: &Deadline) -> Terms {
        let is_private = self.registries.has_credentials(repository.registry());
        Terms {
            patience: deadline.left(has_fallback),
            has_fallback,
            is_expected: false,
            is_private,
        }
    }

    fn refuse_unless_allowed(&self, repository: &Repository) -> Result<(), Miss> {
        if self.allows(repository) {
            return Ok(());
        }
        Err(RegistryError::NotAllowed { registry: repository.registry().to_owned() }.into())
    }

    fn as_embedded<V>(&self, value: Arc<V>) -> Found<V> {
        let freshness = Freshness {
            provenance: Provenance::Embedded,
            as_of: self.embedded.as_of(),
            stale: true,
        };
        Found { value, freshness }
    }
}

/// About how much memory a manifest takes, in bytes. The registry decides how many texts there are
/// and how long, so that they are measured.
fn weight_of_manifest(manifest: &Manifest) -> usize {
    /// Its digest, its key, and its place in the store.
    const BYTES: usize = 200;
    BYTES + manifest.entries.iter().map(weight_of_entry).sum::<usize>()
}

fn weight_of_entry(entry: &Entry) -> usize {
    let Entry { digest, operating_system, architecture, variant, os_version, os_features, role: _ } =
        entry;
    let platform = [operating_system, architecture, variant, os_version]
        .into_iter()
        .flatten()
        .map(String::len);
    let features = os_features.iter().map(|feature| size_of::<String>() + feature.len());
    size_of::<Entry>() + digest.as_str().len() + platform.chain(features).sum::<usize>()
}

/// Where a fact in memory came from.
fn provenance_in_memory<V>(kept: &Kept<V>) -> Provenance {
    if kept.age_when_loaded.is_some() { Provenance::Snapshot } else { Provenance::Cache }
}

fn found<V>(got: Got<V>) -> Result<Found<V>, Miss> {
    let make = |provenance, kept: Kept<V>, stale| {
        let Now { utc, .. } = kept.learnt;
        Ok(Found { value: kept.value, freshness: Freshness { provenance, as_of: utc, stale } })
    };
    match got {
        Got::New(kept) => make(Provenance::Registry, kept, false),
        Got::Fresh(kept) => make(provenance_in_memory(&kept), kept, false),
        Got::Stale(kept) => make(provenance_in_memory(&kept), kept, true),
        Got::Nothing(error) => Err(error.into()),
        Got::Overloaded => Err(Miss::Overloaded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Digest;

    #[test]
    fn s08_a_manifest_weighs_what_its_texts_take() {
        /// The most that is taken from one platform: four texts and the features, each of 128
        /// bytes.
        const TEXT_BYTES: usize = 128;
        const FEATURES: usize = 32;
        let text = || Some("x".repeat(TEXT_BYTES));
        let entry = Entry {
            digest: Digest::of(b""),
            operating_system: text(),
            architecture: text(),
            variant: text(),
            os_version: text(),
            os_features: vec!["x".repeat(TEXT_BYTES); FEATURES],
            role: EntryRole::Image,
        };
        let weight = |count| {
            let entries = vec![entry.clone(); count];
            weight_of_manifest(&Manifest { digest: Digest::of(b""), is_index: true, entries })
        };
        assert!(weight(1) > (4 + FEATURES) * TEXT_BYTES, "{}", weight(1));
        assert_eq!(weight(256) - weight(0), 256 * (weight(1) - weight(0)));
        assert!(weight(0) < 1000, "{}", weight(0));
    }

    /// A catalogue that asks no registry, in which nothing is kept yet.
    fn offline(clock: &Clock, fresh_for: Duration) -> Catalogue {
        let registries =
            Arc::new(Registries::new(crate::registry::RegistriesSettings::default()).unwrap());
        let settings = CatalogueSettings { offline: true, fresh_for, state_dir: None };
        Catalogue::new(
            registries,
            Tables::embedded(),
            clock.clone(),
            Arc::new(Metrics::new()),
            &settings,
        )
    }

    fn hours(count: u64) -> Duration {
        Duration::from_secs(count * 3600)
    }

    #[tokio::test]
    async fn what_may_not_be_used_any_more_is_not_shown() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let catalogue = offline(&clock, hours(1));
        let (kept, unknown) = ("mcr.microsoft.com/windows/nanoserver", "a.example/x");
        for repository in [kept, unknown].map(|name| Repository::parse(name).unwrap()) {
            catalogue.tags.load(
                repository.clone(),
                Arc::new(RepositoryTags::new(Vec::new())),
                clock.now().utc,
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
    async fn what_is_fresh_may_be_used() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let catalogue = offline(&clock, hours(168));
        let repository = Repository::parse("a.example/x").unwrap();
        catalogue.tags.load(
            repository.clone(),
            Arc::new(RepositoryTags::new(Vec::new())),
            clock.now().utc,
        );
        clock.advance(hours(168));
        assert_eq!(catalogue.freshness(&repository).map(|freshness| freshness.stale), Some(false));
    }
}

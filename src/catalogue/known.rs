//! What the catalogue knows without a query, and of the servers that it queries.

use std::sync::Arc;

use super::cache::noted;
use super::embedded::Embedded;
use super::entries::CacheEntry;
use super::fetch::Fetcher;
use super::freshness::Freshness;
use super::known_tag::{KnownTag, Observation};
use super::lookups::{Catalogue, freshness_of, provenance_in_cache};
use super::tags::RepositoryTags;
use crate::images::{self, Repository, TagKind};
use crate::registry::{Manifest, Registries, RegistryError, Wanted};
use crate::telemetry::CacheLayer;
use crate::windows::{Tables, WindowsVersion};

/// The registry of the base images.
const MCR: &str = "mcr.microsoft.com";

impl Catalogue {
    /// The repositories of the embedded catalogue, in the order of their names.
    pub fn embedded_repositories(&self) -> impl Iterator<Item = Repository> {
        self.embedded.repositories()
    }

    /// Whether the embedded catalogue has this repository.
    pub fn has_embedded(&self, repository: &Repository) -> bool {
        self.embedded.has(repository)
    }

    /// The server that is queried for this repository, as messages name it.
    pub fn server_of(&self, repository: &Repository) -> String {
        self.registries.server_of(repository.registry())
    }

    /// The mirror that is queried for this repository, as messages name it.
    pub fn mirror_of(&self, repository: &Repository) -> Option<String> {
        self.registries.mirror_of(repository.registry())
    }

    /// The servers whose last answer was an error, as messages name them, and the error.
    pub fn failing_servers(&self) -> impl Iterator<Item = (String, RegistryError)> {
        self.registries.failures()
    }

    /// The usable manifest in the cache for a tag or digest; no registry is queried.
    pub fn known_manifest(&self, repository: &Repository, wanted: Wanted) -> Option<Arc<Manifest>> {
        self.manifests.peek(&(repository.clone(), wanted)).map(|entry| entry.value)
    }

    /// The usable manifests in the cache for the tags of a repository; no registry is queried. It
    /// takes as long as the cache is large, however many tags the repository has.
    pub fn known_manifests(&self, repository: &Repository) -> Vec<(String, Arc<Manifest>)> {
        let all = self.manifests.usable().filter(|(key, _)| key.0 == *repository);
        let tags = all.filter_map(|(key, entry)| match &key.1 {
            Wanted::Tag(tag) => Some((tag.clone(), noted(entry).value)),
            Wanted::DigestOfTag(_) | Wanted::Digest(_) => None,
        });
        tags.collect()
    }

    /// The key of a manifest in the cache: beside a shared tag the digest is enough, unless more is
    /// known already.
    pub(super) fn key(
        &self,
        repository: &Repository,
        wanted: Wanted,
        shared: Option<&str>,
    ) -> (Repository, Wanted) {
        let key = (repository.clone(), wanted);
        match (shared, &key.1) {
            (Some(_), Wanted::Tag(tag)) if !self.has_fresh_manifest(&key) => {
                (key.0, Wanted::DigestOfTag(tag.clone()))
            }
            _ => key,
        }
    }

    fn has_fresh_manifest(&self, key: &(Repository, Wanted)) -> bool {
        self.manifests.peek(key).is_some_and(|entry| self.manifests.is_fresh(&entry))
    }

    /// Each tag of a base image whose manifest is in the cache and which anybody may read; no
    /// registry is queried.
    pub fn known_base_images(&self) -> impl Iterator<Item = (Repository, String, Arc<Manifest>)> {
        let all = self.manifests.usable().filter(|(key, entry)| {
            !entry.is_private && key.0.registry() == MCR && self.is_reserved(&key.0)
        });
        all.filter_map(|(key, entry)| match &key.1 {
            Wanted::Tag(tag) => Some((key.0.clone(), tag.clone(), entry.value)),
            _ => None,
        })
    }

    /// Grows whenever a registry gives another manifest.
    pub fn manifests_revision(&self) -> u64 {
        self.manifests.revision()
    }

    /// As [`Self::known_manifest`], for a question of a cluster: from now on, questions of other
    /// clients do not push this manifest out of the cache.
    pub fn known_manifest_of_cluster(
        &self,
        repository: &Repository,
        wanted: Wanted,
    ) -> Option<Arc<Manifest>> {
        let entry = self.manifests.peek_and_reserve(&(repository.clone(), wanted));
        entry.map(|entry| entry.value)
    }

    /// The usable tags in the cache for a repository, else the embedded ones; no registry is
    /// queried.
    pub fn known_tags(&self, repository: &Repository) -> Option<Arc<RepositoryTags>> {
        let cached = self.tags.peek(repository);
        let cached = cached.map(|entry| self.with_present_tables(repository, entry.value));
        cached.or_else(|| self.embedded.tags(repository))
    }

    /// The observation of a tag in the embedded catalogue.
    pub fn observation(&self, repository: &Repository, tag: &str) -> Option<Box<Observation>> {
        self.embedded.tags(repository)?.find(tag)?.observation.clone()
    }

    /// The version that a tag stands for by its name alone.
    pub fn version_of_name(&self, tag: &str) -> Option<WindowsVersion> {
        KnownTag::new(tag.to_owned(), None, &self.tables).version
    }

    /// A tag that names a Windows release, as far as its name tells. Of base images the catalogue
    /// has nearly all tags, so that only one of a newer update is believed.
    pub(super) fn known_by_name(&self, repository: &Repository, tag: &str) -> Option<KnownTag> {
        let tag = KnownTag::new(tag.to_owned(), None, &self.tables);
        let version = tag.version?;
        let is_newer = || {
            let known = self.embedded.tags(repository);
            let of_build = |it: &&KnownTag| it.version.is_some_and(|it| it.build == version.build);
            let newest = known.and_then(|known| {
                known.iter().filter(of_build).filter_map(KnownTag::revision).max()
            });
            // A build without any tag is one that the repository ended before.
            newest.is_some()
                && (tag.kind() == TagKind::Build && tag.revision() > newest
                    || tag.kind() == TagKind::Kb
                        && tag.revision().is_none_or(|it| Some(it) > newest))
        };
        let is_plausible = images::is_plausible(repository)
            && (!self.embedded.has_most_of(repository) || is_newer());
        is_plausible.then_some(tag)
    }

    /// A catalogue of the same facts that reads names with these tables.
    pub fn with_tables(&self, tables: Arc<Tables>) -> Self {
        let embedded = Arc::new(Embedded::read(tables.clone()));
        let fetcher = Fetcher { tables: tables.clone(), ..self.fetcher.clone() };
        Self { tables, embedded, fetcher, ..self.clone() }
    }

    /// A catalogue of the same facts that queries these registries.
    pub fn with_registries(&self, registries: Arc<Registries>) -> Self {
        let fetcher = Fetcher { registries: registries.clone(), ..self.fetcher.clone() };
        Self { registries, fetcher, ..self.clone() }
    }

    /// Reads the names of all lists in the cache with the present tables. Questions do the same
    /// with a list that they come to first.
    pub fn read_lists_again(&self) {
        for (repository, entry) in self.tags.usable() {
            self.with_present_tables(&repository, entry.value);
        }
    }

    /// This list from the cache, or the same one read with the present tables, which then replaces
    /// it there. A fetch that began before the tables changed brings one of the older ones.
    pub(super) fn with_present_tables(
        &self,
        repository: &Repository,
        tags: Arc<RepositoryTags>,
    ) -> Arc<RepositoryTags> {
        if tags.tables.as_ref().is_none_or(|tables| Arc::ptr_eq(tables, &self.tables)) {
            return tags;
        }
        let read = Arc::new(tags.read_with(&self.tables));
        let is_reserved = self.is_reserved(repository);
        self.tags.replace_value(repository, &tags, read.clone(), is_reserved);
        read
    }

    /// How fresh the known tags of a repository are now; no registry is queried.
    pub fn freshness(&self, repository: &Repository) -> Option<Freshness> {
        match self.tags.peek(repository) {
            Some(entry) => Some(self.freshness_in_cache(&entry)),
            None => self.embedded.tags(repository).map(|_| self.freshness_of_embedded()),
        }
    }

    /// The repositories whose tags are in the cache, by name, and how fresh they are now.
    pub fn in_memory(&self) -> Vec<(Repository, Freshness)> {
        let mut known: Vec<_> = self
            .tags
            .usable()
            .map(|(key, entry)| ((*key).clone(), self.freshness_in_cache(&entry)))
            .collect();
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        known
    }

    /// Sets the metrics of the fetches under way and of the circuit breakers.
    pub fn report_state(&self) {
        for (layer, (fetches, waiting)) in [
            (CacheLayer::Tags, self.tags.in_flight()),
            (CacheLayer::Manifests, self.manifests.in_flight()),
        ] {
            self.metrics.set_fetches(layer, fetches, waiting);
        }
        for (registry, is_open) in self.registries.circuits() {
            self.metrics.set_circuit(registry, is_open);
        }
    }

    fn freshness_in_cache(&self, entry: &CacheEntry<RepositoryTags>) -> Freshness {
        let is_stale = !self.tags.is_fresh(entry);
        freshness_of(provenance_in_cache(entry), entry, is_stale, self.tables.as_of())
    }
}

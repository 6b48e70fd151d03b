//! Fetches from registries: the results are counted, logged and checked for plausibility.

use std::sync::Arc;

use super::history::History;
use super::known_tag::KnownTag;
use super::list_memory::{ListMemory, MAX_NEW_LIST_BYTES};
use super::metrics;
use super::shrinkage::ShrinkageCheck;
use super::tags::RepositoryTags;
use crate::clock::Clock;
use crate::images::Repository;
use crate::registry::{Manifest, Purpose, Received, Registries, RegistryError, TagNames, Wanted};
use crate::telemetry::{Metrics, Operation};
use crate::windows::Tables;

/// What a tag takes at most.
const MAX_BYTES_PER_TAG: usize = RepositoryTags::BYTES_PER_TAG + RepositoryTags::BYTES_PER_SOFTWARE;

/// Everything that a fetch needs. Cheap to clone, so that a fetch can outlive its caller.
#[derive(Clone)]
pub struct Fetcher {
    pub registries: Arc<Registries>,
    pub tables: Arc<Tables>,
    pub shrinkage: ShrinkageCheck,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub history: Arc<History>,
}

/// What is known of a repository before its list is fetched.
pub struct Before {
    /// How many tags it should have.
    pub expected_count: usize,
    /// Its last list, if anybody may read it.
    pub list: Option<Arc<RepositoryTags>>,
    /// Whether it is of base images.
    pub is_reserved: bool,
}

impl Fetcher {
    /// The tags of a repository.
    pub async fn tags(
        self,
        repository: Repository,
        before: Before,
        purpose: Purpose,
    ) -> Result<Received<RepositoryTags>, RegistryError> {
        let listed = self.registries.list_tags(&repository, purpose).await;
        self.report(&repository, Operation::Tags, &listed);
        let Received { value: TagNames { names: texts, held: _held_texts }, with_credentials } =
            listed?;
        self.shrinkage.check(&repository, before.expected_count, texts.len())?;
        let bytes = texts.len().saturating_mul(MAX_BYTES_PER_TAG).min(MAX_NEW_LIST_BYTES);
        let memory = ListMemory::acquire(bytes).await?;
        let tags = texts.into_iter().map(|text| KnownTag::new(text, None, &self.tables));
        let mut value = RepositoryTags::new(tags.collect());
        let weight = value.weight();
        if weight > MAX_NEW_LIST_BYTES {
            return Err(RegistryError::Invalid {
                detail: "the list of tags takes too much memory".to_owned(),
            });
        }
        value.memory = Some(Arc::new(memory.shrunk_to(weight)));
        value.tables = Some(self.tables);
        if !with_credentials {
            let (place, now) = ((&repository, before.is_reserved), self.clock.now().utc);
            self.history.listed(place, &value, before.list.as_deref(), now);
        }
        Ok(Received { value, with_credentials })
    }

    /// The manifest that a tag or digest selects; the index may describe its image.
    pub async fn manifest(
        self,
        (repository, is_reserved): (Repository, bool),
        wanted: Wanted,
        index: impl Future<Output = Option<Arc<Manifest>>> + Send,
        purpose: Purpose,
    ) -> Result<Received<Manifest>, RegistryError> {
        let manifest = self.registries.manifest(&repository, &wanted, index, purpose).await;
        self.report(&repository, Operation::Manifest, &manifest);
        if let (Wanted::Tag(tag), Ok(Received { value, with_credentials: false })) =
            (&wanted, &manifest)
        {
            let place = (&repository, is_reserved);
            self.history.saw(place, tag, value, self.clock.now().utc);
        }
        manifest
    }

    fn report<V>(
        &self,
        repository: &Repository,
        operation: Operation,
        result: &Result<V, RegistryError>,
    ) {
        metrics::report_fetch(&self.metrics, self.clock.now(), repository, operation, result);
    }
}

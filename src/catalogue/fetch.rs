//! Fetches from registries: the results are counted, logged and checked for plausibility.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::known_tag::KnownTag;
use super::metrics;
use super::shrinkage::ShrinkageCheck;
use super::tags::RepositoryTags;
use crate::clock::Clock;
use crate::images::Repository;
use crate::registry::{Manifest, Purpose, Received, Registries, RegistryError, TagNames, Wanted};
use crate::telemetry::{Metrics, Operation};
use crate::windows::Tables;

/// The memory for lists that have come and are not in the cache yet. One list may take all of it:
/// 100,000 tags of base images, or 40,000 of other software. Ours.
pub const MAX_NEW_LIST_BYTES: usize = 40 << 20;
/// What a tag takes at most.
const MAX_BYTES_PER_TAG: usize = RepositoryTags::BYTES_PER_TAG + RepositoryTags::BYTES_PER_SOFTWARE;

static NEW_LISTS: Semaphore = Semaphore::const_new(MAX_NEW_LIST_BYTES);

/// Everything that a fetch needs. Cheap to clone, so that a fetch can outlive its caller.
#[derive(Clone)]
pub struct Fetcher {
    pub registries: Arc<Registries>,
    pub tables: &'static Tables,
    pub shrinkage: ShrinkageCheck,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

impl Fetcher {
    /// The tags of a repository, which should have `expected_count` tags.
    pub async fn tags(
        self,
        repository: Repository,
        expected_count: usize,
        purpose: Purpose,
    ) -> Result<Received<RepositoryTags>, RegistryError> {
        let listed = self.registries.list_tags(&repository, purpose).await;
        self.report(&repository, Operation::Tags, &listed);
        let Received { value: TagNames { names: texts, held: _held_texts }, with_credentials } =
            listed?;
        self.shrinkage.check(&repository, expected_count, texts.len())?;
        // One after the other if they are large. It takes no time but that of the processor.
        let bytes = texts.len().saturating_mul(MAX_BYTES_PER_TAG).min(MAX_NEW_LIST_BYTES);
        let _held = NEW_LISTS.acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX)).await;
        let tags = texts.into_iter().map(|text| KnownTag::new(text, None, self.tables));
        let value = RepositoryTags::new(tags.collect());
        if value.weight() > MAX_NEW_LIST_BYTES {
            return Err(RegistryError::Invalid {
                detail: "the list of tags takes too much memory".to_owned(),
            });
        }
        Ok(Received { value, with_credentials })
    }

    /// The manifest that a tag or digest selects; the index may describe its image.
    pub async fn manifest(
        self,
        repository: Repository,
        wanted: Wanted,
        index: impl Future<Output = Option<Arc<Manifest>>> + Send,
        purpose: Purpose,
    ) -> Result<Received<Manifest>, RegistryError> {
        let manifest = self.registries.manifest(&repository, &wanted, index, purpose).await;
        self.report(&repository, Operation::Manifest, &manifest);
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

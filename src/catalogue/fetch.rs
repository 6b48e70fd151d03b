//! Fetches from registries: the results are counted, logged and checked for plausibility.

use std::sync::Arc;

use super::known_tag::KnownTag;
use super::metrics;
use super::shrinkage::ShrinkageCheck;
use super::tags::RepositoryTags;
use crate::clock::Clock;
use crate::images::Repository;
use crate::registry::{Manifest, Purpose, Received, Registries, RegistryError, Wanted};
use crate::telemetry::{Metrics, Operation};
use crate::windows::Tables;

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
        let Received { value: texts, with_credentials } = listed?;
        self.shrinkage.check(&repository, expected_count, texts.len())?;
        let tags = texts.into_iter().map(|text| KnownTag::new(text, None, self.tables));
        Ok(Received { value: RepositoryTags::new(tags.collect()), with_credentials })
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

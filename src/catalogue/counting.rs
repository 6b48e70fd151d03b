//! How what happens here is counted.

use super::shelf::Got;
use crate::images::Repository;
use crate::registry::RegistryError;
use crate::telemetry::{CacheLayer, CacheResult, Metrics, Operation, UpstreamOutcome};

/// Counts that a registry was asked, at the end.
pub fn count_fetch<V>(
    metrics: &Metrics,
    repository: &Repository,
    operation: Operation,
    outcome: &Result<V, RegistryError>,
) {
    let outcome = match outcome {
        Ok(_) => UpstreamOutcome::Ok,
        Err(RegistryError::NotFound { .. }) => UpstreamOutcome::NotFound,
        Err(RegistryError::NotAllowed { .. } | RegistryError::Refused { .. }) => UpstreamOutcome::Refused,
        Err(RegistryError::RateLimited { .. }) => UpstreamOutcome::RateLimited,
        Err(RegistryError::Unavailable { .. }) => UpstreamOutcome::Unavailable,
        Err(RegistryError::TimedOut) => UpstreamOutcome::Timeout,
        Err(RegistryError::Invalid { .. }) => UpstreamOutcome::Invalid,
    };
    metrics.count_upstream_request(repository.registry(), operation, outcome);
}

/// Counts what was found in memory.
pub fn count_lookup<V>(metrics: &Metrics, layer: CacheLayer, got: &Got<V>) {
    let result = match got {
        Got::New(_) => CacheResult::New,
        Got::Fresh(_) => CacheResult::Fresh,
        Got::Stale(_) => CacheResult::Stale,
        Got::Nothing(_) => CacheResult::Nothing,
    };
    metrics.count_cache_request(layer, result);
}

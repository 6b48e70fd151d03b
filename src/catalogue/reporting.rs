//! How what happens here is counted and logged.

use super::shelf::Got;
use crate::clock::Now;
use crate::images::Repository;
use crate::registry::RegistryError;
use crate::telemetry::{CacheLayer, CacheResult, Metrics, Operation, UpstreamOutcome};

/// Counts that a registry was asked, which ended now, and logs if it failed: here all callers that wait for
/// the answer are one.
pub fn report_fetch<V>(
    metrics: &Metrics,
    now: Now,
    repository: &Repository,
    operation: Operation,
    fetched: &Result<V, RegistryError>,
) {
    let outcome = match fetched {
        Ok(_) => UpstreamOutcome::Ok,
        Err(RegistryError::NotFound { .. }) => UpstreamOutcome::NotFound,
        Err(RegistryError::NotAllowed { .. } | RegistryError::Refused { .. }) => UpstreamOutcome::Refused,
        Err(RegistryError::RateLimited { .. }) => UpstreamOutcome::RateLimited,
        Err(RegistryError::Unavailable { .. }) => UpstreamOutcome::Unavailable,
        Err(RegistryError::TimedOut) => UpstreamOutcome::Timeout,
        Err(RegistryError::Invalid { .. }) => UpstreamOutcome::Invalid,
    };
    if let Err(error) = fetched {
        let (registry, path, error) = (repository.registry(), repository.path(), error.to_string());
        let operation = operation.as_str();
        let is_left_alone = matches!(fetched, Err(RegistryError::Unavailable { retry_after: Some(_), .. }));
        if outcome == UpstreamOutcome::NotFound {
            // Somebody mistyped; that is no trouble of ours or of the registry.
            tracing::debug!(registry, repository = path, operation, error, "the registry does not have it");
        } else if is_left_alone {
            // The failures that led to this were told; callers must not be able to fill the log with the rest.
            tracing::debug!(registry, repository = path, operation, error, "the registry is left alone for a while");
        } else {
            tracing::warn!(registry, repository = path, operation, error, "asking the registry failed");
        }
    }
    if outcome == UpstreamOutcome::Ok {
        metrics.tell_refresh(repository.registry(), now.utc.as_duration().as_secs_f64());
    }
    metrics.count_upstream_request(repository.registry(), operation, outcome);
}

/// Counts what was found in memory.
pub fn count_lookup<V>(metrics: &Metrics, layer: CacheLayer, got: &Got<V>) {
    let result = match got {
        Got::New(_) => CacheResult::New,
        Got::Fresh(_) => CacheResult::Fresh,
        Got::Stale(_) => CacheResult::Stale,
        Got::Nothing(_) => CacheResult::Nothing,
        Got::Crowded => CacheResult::Crowded,
    };
    metrics.count_cache_request(layer, result);
}

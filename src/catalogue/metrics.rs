//! Metrics and logs of fetches and lookups.

use super::cache::Lookup;
use crate::clock::Now;
use crate::images::Repository;
use crate::registry::RegistryError;
use crate::telemetry::{CacheLayer, CacheResult, Metrics, Operation, UpstreamOutcome};

/// Counts a fetch that ended now, and logs its failure: once, however many callers wait for it. A
/// request that was never sent is not counted.
pub fn report_fetch<V>(
    metrics: &Metrics,
    now: Now,
    repository: &Repository,
    operation: Operation,
    result: &Result<V, RegistryError>,
) {
    if let Err(error) = result {
        log_failure(repository, operation, error);
    }
    let Some(outcome) = outcome_of(result) else { return };
    if outcome == UpstreamOutcome::Ok {
        metrics.set_last_refresh(repository.registry(), now.utc.as_duration().as_secs_f64());
    }
    metrics.count_upstream_request(repository.registry(), operation, outcome);
}

/// How the request ended; `None` where none was sent.
fn outcome_of<V>(result: &Result<V, RegistryError>) -> Option<UpstreamOutcome> {
    Some(match result {
        Ok(_) => UpstreamOutcome::Ok,
        Err(RegistryError::NotFound { .. }) => UpstreamOutcome::NotFound,
        Err(RegistryError::NotAllowed { .. } | RegistryError::Refused { .. }) => {
            UpstreamOutcome::Refused
        }
        Err(RegistryError::RateLimited { .. }) => UpstreamOutcome::RateLimited,
        Err(RegistryError::Unavailable { .. }) => UpstreamOutcome::Unavailable,
        Err(RegistryError::Suspended { .. }) => return None,
        Err(RegistryError::TimedOut) => UpstreamOutcome::Timeout,
        Err(RegistryError::Invalid { .. }) => UpstreamOutcome::Invalid,
    })
}

fn log_failure(repository: &Repository, operation: Operation, failure: &RegistryError) {
    let (registry, path, error) = (repository.registry(), repository.path(), failure.to_string());
    let operation = operation.as_str();
    match failure {
        RegistryError::NotFound { .. } => {
            // A typing error of a caller, not a problem of the registry.
            tracing::debug!(
                registry,
                repository = path,
                operation,
                error,
                "the registry has no such repository, tag or digest"
            );
        }
        RegistryError::Suspended { .. } => {
            // The failures before this were logged; callers must not be able to fill the log with
            // the rest.
            tracing::debug!(
                registry,
                repository = path,
                operation,
                error,
                "requests to the registry are suspended"
            );
        }
        _ => tracing::warn!(
            registry,
            repository = path,
            operation,
            error,
            "querying the registry failed"
        ),
    }
}

/// Counts the result of a lookup.
pub fn count_lookup<V>(metrics: &Metrics, layer: CacheLayer, lookup: &Lookup<V>) {
    let result = match lookup {
        Lookup::Fetched(_) => CacheResult::New,
        Lookup::Fresh(_) => CacheResult::Fresh,
        Lookup::Stale(_) => CacheResult::Stale,
        Lookup::Failed(_) => CacheResult::Nothing,
        Lookup::Overloaded => CacheResult::Crowded,
    };
    metrics.count_cache_request(layer, result);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    /// The lines of the metric of requests after a failed fetch.
    fn counted(error: RegistryError) -> Vec<String> {
        let metrics = Metrics::new();
        let repository = Repository::parse("a.example/x/y").unwrap();
        let now = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap()).now();
        report_fetch::<()>(&metrics, now, &repository, Operation::Tags, &Err(error));
        let text = metrics.text().unwrap();
        text.lines()
            .filter(|line| line.starts_with("wintag_upstream_requests_total{"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_request_that_was_never_sent_is_not_counted() {
        let retry_after = Duration::from_secs(7);
        let outage = RegistryError::Unavailable {
            detail: "down".to_owned(),
            retry_after: Some(retry_after),
            is_answer: false,
        };
        let lines = counted(outage);
        assert!(lines.len() == 1 && lines[0].contains("unavailable"), "{lines:?}");
        assert_eq!(
            counted(RegistryError::Suspended { detail: "shut", retry_after, is_of_client: false }),
            Vec::<String>::new()
        );
    }
}

//! How what happens here is counted and logged.

use super::shelf::Got;
use crate::clock::Now;
use crate::images::Repository;
use crate::registry::RegistryError;
use crate::telemetry::{CacheLayer, CacheResult, Metrics, Operation, UpstreamOutcome};

/// Counts that a registry was asked, which ended now, and logs if it failed: here all callers that
/// wait for the answer are one. What was never asked is not counted.
pub fn report_fetch<V>(
    metrics: &Metrics,
    now: Now,
    repository: &Repository,
    operation: Operation,
    fetched: &Result<V, RegistryError>,
) {
    if let Err(error) = fetched {
        log_failure(repository, operation, error);
    }
    let Some(outcome) = outcome_of(fetched) else { return };
    if outcome == UpstreamOutcome::Ok {
        metrics.tell_refresh(repository.registry(), now.utc.as_duration().as_secs_f64());
    }
    metrics.count_upstream_request(repository.registry(), operation, outcome);
}

/// How asking ended; `None` where nobody was asked.
fn outcome_of<V>(fetched: &Result<V, RegistryError>) -> Option<UpstreamOutcome> {
    Some(match fetched {
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
            // Somebody mistyped; that is no trouble of ours or of the registry.
            tracing::debug!(
                registry,
                repository = path,
                operation,
                error,
                "the registry does not have it"
            );
        }
        RegistryError::Suspended { .. } => {
            // The failures that led to this were told; callers must not be able to fill the log
            // with the rest.
            tracing::debug!(
                registry,
                repository = path,
                operation,
                error,
                "the registry is left alone for a while"
            );
        }
        _ => tracing::warn!(
            registry,
            repository = path,
            operation,
            error,
            "asking the registry failed"
        ),
    }
}

/// Counts what was found in memory.
pub fn count_lookup<V>(metrics: &Metrics, layer: CacheLayer, got: &Got<V>) {
    let result = match got {
        Got::New(_) => CacheResult::New,
        Got::Fresh(_) => CacheResult::Fresh,
        Got::Stale(_) => CacheResult::Stale,
        Got::Nothing(_) => CacheResult::Nothing,
        Got::Overloaded => CacheResult::Crowded,
    };
    metrics.count_cache_request(layer, result);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    /// The lines of the metric of requests after a fetch that failed so.
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
    fn what_was_never_asked_is_not_counted() {
        let retry_after = Duration::from_secs(7);
        let outage = RegistryError::Unavailable {
            detail: "down".to_owned(),
            retry_after: Some(retry_after),
        };
        let lines = counted(outage);
        assert!(lines.len() == 1 && lines[0].contains("unavailable"), "{lines:?}");
        assert_eq!(
            counted(RegistryError::Suspended { detail: "shut", retry_after }),
            Vec::<String>::new()
        );
    }
}

//! The memory of a cache: its entries, bounded in size, and a negative cache.
//!
//! Freshness is our own arithmetic on [`Now`], and moka only bounds the memory: a cache that drops
//! entries by age cannot give the stale answer that an outage needs, and it cannot be tested with a
//! clock that stands still. Failures go into the negative cache, so that a registry that is down is
//! not queried again for every request.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::entries::{CacheEntry, Entries};
use crate::clock::Now;
use crate::registry::{Received, RegistryError};

/// The most failures in the negative cache. A failure is small, and forgetting one costs a request.
const MAX_FAILURES: u64 = 10_000;

/// How long a failure is answered from the negative cache: what is missing may be published at any
/// time, credentials are mended by people, and anything else may pass at once.
const NOT_FOUND_TTL: Duration = Duration::from_secs(300);
const REFUSED_TTL: Duration = Duration::from_secs(60);
const TROUBLE_TTL: Duration = Duration::from_secs(30);

/// A registry that keeps saying for this time that something known is gone is believed.
pub const GONE_CONFIRMATION_INTERVAL: Duration = Duration::from_secs(30);

/// How long a caller waits for a fetch.
#[derive(Clone, Copy, Debug)]
pub struct WaitLimits {
    /// When there is a fallback to answer with.
    pub with_fallback: Duration,
    /// When there is none.
    pub without_fallback: Duration,
}

/// How one fact is fetched, and what its failure means.
#[derive(Clone, Copy, Debug)]
pub struct FetchPolicy {
    /// How long the caller waits.
    pub wait: WaitLimits,
    /// Whether the caller has a fallback when the cache has nothing.
    pub has_fallback: bool,
    /// Whether the fact exists as far as the embedded catalogue knows, which outlasts any 404.
    pub is_expected: bool,
    /// Whether the fact goes into the reserved part of the cache.
    pub is_reserved: bool,
}

/// The memory of a cache, which fetches write to. Cheap to clone; clones share it.
pub struct Store<K, V> {
    pub entries: Entries<K, V>,
    /// The negative cache: each failure, and until when it is answered.
    failures: moka::sync::Cache<K, (RegistryError, Duration)>,
    /// Since when a registry says that something is gone which it had or should have, on the
    /// monotonic clock.
    missing_since: moka::sync::Cache<K, Duration>,
    /// Grows with each change of the entries.
    pub revision: Arc<AtomicU64>,
}

// A derived `Clone` would ask for `V: Clone`.
impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            failures: self.failures.clone(),
            missing_since: self.missing_since.clone(),
            revision: self.revision.clone(),
        }
    }
}

impl<K, V> Store<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub fn new(max_bytes: u64, weigh: fn(&V) -> usize) -> Self {
        Self {
            entries: Entries::new(max_bytes, weigh),
            failures: moka::sync::Cache::new(MAX_FAILURES),
            missing_since: moka::sync::Cache::new(MAX_FAILURES),
            revision: Arc::default(),
        }
    }

    /// The failure in the negative cache for this key, with the time that is left of it.
    pub fn failure(&self, key: &K, now: Now) -> Option<RegistryError> {
        let (error, until) = self.failures.get(key).filter(|(_, until)| now.elapsed < *until)?;
        Some(error.with_time_left(until.saturating_sub(now.elapsed)))
    }

    pub fn record_success(
        &self,
        key: K,
        received: Received<V>,
        policy: FetchPolicy,
        now: Now,
    ) -> CacheEntry<V> {
        let Received { value, with_credentials: is_private } = received;
        let value = Arc::new(value);
        let entry = CacheEntry { value, learnt: now, age_when_loaded: None, is_private };
        self.failures.invalidate(&key);
        self.missing_since.invalidate(&key);
        self.entries.insert(key, entry.clone(), policy.is_reserved);
        self.revision.fetch_add(1, Ordering::Relaxed);
        entry
    }

    /// Puts a failure into the negative cache, and evicts the entry where the failure says that
    /// there is nothing to know any more. Returns the failure as callers get it.
    pub fn record_failure(
        &self,
        key: K,
        error: RegistryError,
        policy: FetchPolicy,
        now: Now,
    ) -> RegistryError {
        if matches!(error, RegistryError::Suspended { is_of_client: true, .. }) {
            // Other clients may ask for it.
            return error;
        }
        let error = self.confirmed(&key, error, policy, now);
        let is_gone = match error {
            RegistryError::NotFound { .. } => !policy.is_expected,
            RegistryError::Refused { .. } => {
                self.entries.get(&key).is_some_and(|entry| entry.is_private)
            }
            _ => false,
        };
        if is_gone {
            // Otherwise it would come back as soon as the registry does not answer.
            self.entries.remove(&key);
            self.revision.fetch_add(1, Ordering::Relaxed);
        }
        let ttl = match error {
            RegistryError::NotFound { .. } if policy.is_expected => TROUBLE_TTL,
            _ => failure_ttl(&error),
        };
        self.failures.insert(key, (error.clone(), now.elapsed + ttl));
        error
    }

    /// A 404 for something that the registry had counts only when it is repeated after a while:
    /// registries have answered 404 in an outage.
    fn confirmed(
        &self,
        key: &K,
        error: RegistryError,
        policy: FetchPolicy,
        now: Now,
    ) -> RegistryError {
        let is_known = self.entries.has(key);
        let is_absence = matches!(error, RegistryError::NotFound { .. });
        if !is_known || !is_absence || policy.is_expected {
            return error;
        }
        let since = self.missing_since.get_with(key.clone(), || now.elapsed);
        if now.elapsed.saturating_sub(since) >= GONE_CONFIRMATION_INTERVAL {
            return error;
        }
        RegistryError::Unavailable {
            detail: "it says for the first time that this is gone".to_owned(),
            retry_after: Some(GONE_CONFIRMATION_INTERVAL),
            is_answer: false,
        }
    }
}

/// How long a failure is answered from the negative cache.
fn failure_ttl(error: &RegistryError) -> Duration {
    match error {
        RegistryError::NotFound { .. } => NOT_FOUND_TTL,
        RegistryError::Refused { .. } => REFUSED_TTL,
        RegistryError::RateLimited { retry_after }
        | RegistryError::Unavailable { retry_after, .. } => retry_after.unwrap_or(TROUBLE_TTL),
        RegistryError::Suspended { retry_after, .. } => *retry_after,
        RegistryError::NotAllowed { .. }
        | RegistryError::TimedOut
        | RegistryError::Invalid { .. } => TROUBLE_TTL,
    }
}

//! The circuit breaker for one registry: it opens when the registry fails repeatedly or asks for a
//! pause, lets few requests through at a time, and keeps to the rate limit.
//!
//! A registry that limits its clients must not be made worse by us, and one that is down must not
//! cost every caller the whole deadline. A request that is rejected here costs nothing, and its
//! error says when to retry.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::RegistryError;
use super::rate_limit::{OverLimit, Purpose, RetryBudget, UpstreamRateLimit, UpstreamRateLimiter};

/// Consecutive failures that open the circuit (Envoy's outlier detection has the same figure).
const MAX_FAILURES: u32 = 5;
/// How long the circuit is open the first time; each further time twice as long.
const MIN_OPEN_INTERVAL: Duration = Duration::from_secs(30);
/// The circuit is never open for longer than this, unless the registry asks for it. Also the
/// longest wait that a request over the rate limit is given.
const MAX_OPEN_INTERVAL: Duration = Duration::from_secs(300);
/// Concurrent requests to one registry (regclient's default).
const MAX_CONCURRENT: usize = 3;

/// Why a request is rejected.
const CIRCUIT_OPEN: &str = "no requests are sent for a while, because it failed repeatedly or \
                            asked for a pause";
const RATE_LIMITED: &str = "wintag's limit on requests to it is reached";
const CLIENT_RATE_LIMITED: &str = "this client has used its part of wintag's limit on requests to \
                                   it";

/// The circuit breaker for one registry.
pub(super) struct CircuitBreaker {
    // One lock for the circuit and the limits: a request is checked and counted in one step.
    state: Mutex<CircuitState>,
    slots: Semaphore,
}

/// Closed while `open_until` is empty, open until that moment, and half-open after it: then one
/// probe finds out whether the registry is back.
struct CircuitState {
    failures: u32,
    open_until: Option<Instant>,
    next_open_interval: Duration,
    is_probing: bool,
    rate_limiter: UpstreamRateLimiter,
    retries: RetryBudget,
}

/// Permission to send one request. Dropping it frees the slot.
pub(super) struct Permit<'a> {
    circuit: &'a CircuitBreaker,
    is_probe: bool,
    _slot: SemaphorePermit<'a>,
}

impl CircuitBreaker {
    /// A closed circuit with a full budget.
    pub(super) fn new(limit: UpstreamRateLimit, now: Instant) -> Self {
        let state = CircuitState {
            failures: 0,
            open_until: None,
            next_open_interval: MIN_OPEN_INTERVAL,
            is_probing: false,
            rate_limiter: UpstreamRateLimiter::new(limit, now),
            retries: RetryBudget::new(),
        };
        Self { state: Mutex::new(state), slots: Semaphore::new(MAX_CONCURRENT) }
    }

    /// Waits for a free slot and takes it.
    ///
    /// # Errors
    /// When the circuit is open or the rate limit reached; the error says when to retry.
    pub(super) async fn acquire(&self, purpose: Purpose) -> Result<Permit<'_>, RegistryError> {
        // Before the wait, so that callers do not queue for an open circuit, and again after it.
        self.lock().reject_if_open(Instant::now())?;
        let slot =
            self.slots.acquire().await.map_err(|_| RegistryError::unavailable(CIRCUIT_OPEN))?;
        let is_probe = self.admit(purpose, Instant::now())?;
        Ok(Permit { circuit: self, is_probe, _slot: slot })
    }

    /// Whether a failed request may be retried; if so, the retry is taken off the budget.
    pub(super) fn may_retry(&self) -> bool {
        let mut state = self.lock();
        state.open_until.is_none() && state.retries.try_take()
    }

    /// Whether requests are rejected now because of earlier failures.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.lock().open_until(now).is_some()
    }

    /// Counts a request and returns whether it is the probe. It checks and counts under one lock,
    /// so that concurrent callers get one probe between them.
    fn admit(&self, purpose: Purpose, now: Instant) -> Result<bool, RegistryError> {
        let mut state = self.lock();
        state.reject_if_open(now)?;
        state.rate_limiter.try_take(purpose, now).map_err(|over| {
            let (detail, wait, is_of_client) = match over {
                OverLimit::Registry(wait) => (RATE_LIMITED, wait, false),
                OverLimit::Client(wait) => (CLIENT_RATE_LIMITED, wait, true),
            };
            suspended(detail, wait.min(MAX_OPEN_INTERVAL), is_of_client)
        })?;
        state.retries.count_request();
        state.is_probing = state.open_until.is_some();
        Ok(state.is_probing)
    }

    fn lock(&self) -> MutexGuard<'_, CircuitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CircuitState {
    /// Until when the circuit is open, if it is. While the probe is under way it counts as open.
    fn open_until(&self, now: Instant) -> Option<Instant> {
        self.open_until.filter(|until| now < *until || self.is_probing)
    }

    fn reject_if_open(&self, now: Instant) -> Result<(), RegistryError> {
        match self.open_until(now) {
            Some(until) => {
                Err(suspended(CIRCUIT_OPEN, until.saturating_duration_since(now), false))
            }
            None => Ok(()),
        }
    }

    fn close(&mut self) {
        self.failures = 0;
        self.open_until = None;
        self.next_open_interval = MIN_OPEN_INTERVAL;
    }
}

impl Permit<'_> {
    /// Records how the request ended.
    pub(super) fn record(self, error: Option<&RegistryError>, now: Instant) {
        let mut state = self.circuit.lock();
        let (requested_pause, is_rate_limited) = match error {
            Some(RegistryError::RateLimited { retry_after }) => (*retry_after, true),
            Some(RegistryError::Unavailable { retry_after, .. }) => (*retry_after, false),
            Some(RegistryError::TimedOut) => (None, false),
            // The registry works: it answered, even if with a refusal.
            _ => return state.close(),
        };
        state.failures = state.failures.saturating_add(1);
        if let Some(pause) = requested_pause {
            // The registry knows how long it needs; several requests for a second are no reason for
            // minutes.
            state.open_until = Some(now + pause);
        } else if !self.is_probe && state.open_until.is_some_and(|until| now < until) {
            // It was under way when another request opened the circuit, so it adds nothing new.
        } else if is_rate_limited || self.is_probe || state.failures >= MAX_FAILURES {
            state.open_until = Some(now + state.next_open_interval);
            state.next_open_interval = (state.next_open_interval * 2).min(MAX_OPEN_INTERVAL);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // Also when the request was cancelled before it ended.
        if self.is_probe {
            self.circuit.lock().is_probing = false;
        }
    }
}

fn suspended(detail: &'static str, wait: Duration, is_of_client: bool) -> RegistryError {
    // Whole seconds, as the header has them, and never zero.
    let retry_after = Duration::from_secs(wait.as_secs() + 1);
    RegistryError::Suspended { detail, retry_after, is_of_client }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Missing;

    const LIMIT: UpstreamRateLimit = UpstreamRateLimit { burst: 100.0, per_hour: 3600.0 };

    fn down() -> RegistryError {
        RegistryError::unavailable("down")
    }

    const ANY: Purpose = Purpose::Other { client: None };

    async fn fails(circuit: &CircuitBreaker, error: &RegistryError) {
        circuit.acquire(ANY).await.unwrap().record(Some(error), Instant::now());
    }

    #[tokio::test]
    async fn f07_failures_in_a_row_open_it_and_one_probe_closes_it() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        for _ in 0..MAX_FAILURES {
            fails(&circuit, &down()).await;
        }
        assert!(
            matches!(circuit.acquire(ANY).await, Err(RegistryError::Suspended { retry_after, .. })
            if retry_after <= MIN_OPEN_INTERVAL + Duration::from_secs(1))
        );
        // The time is over: one request goes through, and no other beside it.
        circuit.lock().open_until = Some(Instant::now());
        let probe = circuit.acquire(ANY).await.unwrap();
        assert!(circuit.acquire(ANY).await.is_err() && circuit.is_open(Instant::now()));
        probe.record(None, Instant::now());
        assert!(!circuit.is_open(Instant::now()));
        circuit.acquire(ANY).await.unwrap().record(None, Instant::now());
    }

    #[test]
    fn f07_concurrent_callers_get_one_probe() {
        const ROUNDS: usize = 200;
        const CALLERS: usize = 8;
        for _ in 0..ROUNDS {
            let now = Instant::now();
            let circuit = CircuitBreaker::new(LIMIT, now);
            circuit.lock().open_until = Some(now);
            let start = std::sync::Barrier::new(CALLERS);
            let probes = std::thread::scope(|scope| {
                let call = || {
                    start.wait();
                    circuit.admit(ANY, now).is_ok()
                };
                let calls: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
                calls
                    .into_iter()
                    .filter_map(|call| call.join().ok())
                    .filter(|was_admitted| *was_admitted)
                    .count()
            });
            assert_eq!(probes, 1);
        }
    }

    #[tokio::test]
    async fn a_probe_that_fails_opens_it_for_twice_as_long() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        for _ in 0..MAX_FAILURES {
            fails(&circuit, &down()).await;
        }
        let now = Instant::now();
        circuit.lock().open_until = Some(now);
        circuit.acquire(ANY).await.unwrap().record(Some(&down()), now);
        assert_eq!(circuit.lock().open_until, Some(now + MIN_OPEN_INTERVAL * 2));
    }

    #[tokio::test]
    async fn a_cancelled_probe_lets_the_next_one_through() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        circuit.lock().open_until = Some(Instant::now());
        drop(circuit.acquire(ANY).await.unwrap());
        assert!(circuit.acquire(ANY).await.is_ok());
    }

    #[tokio::test]
    async fn f05_a_requested_pause_is_kept_at_once() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let now = Instant::now();
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        circuit.acquire(ANY).await.unwrap().record(Some(&limited), now);
        assert_eq!(circuit.lock().open_until, Some(now + Duration::from_secs(7)));
        assert!(circuit.acquire(ANY).await.is_err());
    }

    #[tokio::test]
    async fn f05_short_requested_pauses_do_not_add_up() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::ZERO) };
        for _ in 0..20 {
            fails(&circuit, &limited).await;
        }
        let now = Instant::now();
        circuit.acquire(ANY).await.unwrap().record(Some(&down()), now);
        assert_eq!(circuit.lock().open_until, Some(now + MIN_OPEN_INTERVAL));
    }

    #[tokio::test]
    async fn f07_concurrent_failures_open_it_once() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        for _ in 1..MAX_FAILURES {
            fails(&circuit, &down()).await;
        }
        let together = [
            circuit.acquire(ANY).await.unwrap(),
            circuit.acquire(ANY).await.unwrap(),
            circuit.acquire(ANY).await.unwrap(),
        ];
        let now = Instant::now();
        for permit in together {
            permit.record(Some(&down()), now);
        }
        assert_eq!(circuit.lock().open_until, Some(now + MIN_OPEN_INTERVAL));
    }

    #[tokio::test]
    async fn what_is_missing_is_no_failure() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let missing = RegistryError::NotFound { what: Missing::Manifest };
        for _ in 0..20 {
            fails(&circuit, &missing).await;
        }
        assert!(circuit.acquire(ANY).await.is_ok());
    }

    #[test]
    fn requests_over_the_rate_limit_are_rejected_with_a_bounded_wait() {
        let now = Instant::now();
        let circuit = CircuitBreaker::new(UpstreamRateLimit { burst: 0.0, per_hour: 0.0 }, now);
        let longest = MAX_OPEN_INTERVAL + Duration::from_secs(1);
        for later in [Duration::ZERO, Duration::from_secs(3600)] {
            let rejected = circuit.admit(ANY, now + later).unwrap_err();
            assert_eq!(rejected.retry_after(), Some(longest));
        }
    }
}

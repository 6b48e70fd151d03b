//! The circuit breaker for one registry: it opens when the registry fails repeatedly or asks for a
//! pause, lets few requests through at a time, and keeps to the rate limit. Each repository has a
//! circuit of its own within it.
//!
//! A registry that limits its clients must not be made worse by us, and one that is down must not
//! cost every caller the whole deadline. A request that is rejected here costs nothing, and its
//! error says when to retry.
//!
//! The circuit of the registry is for what no name can cause: that it cannot be reached, does not
//! answer in time, or asks for a pause. An answer with status 5xx may be due to the name: mirrors
//! answer so for names that their own source does not have. It therefore counts for the repository;
//! for the registry it counts only where the same question was answered before, and only together
//! with such answers for other repositories. A client that makes up names, tags or repositories
//! has no such question.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::RegistryError;
use super::failures::{
    AnsweredQuestions, Failures, MAX_FAILURES, MAX_OPEN_INTERVAL, RepositoryFailures,
};
use super::rate_limit::{OverLimit, Purpose, RetryBudget, UpstreamRateLimit, UpstreamRateLimiter};

/// Repositories whose known questions must all have been answered with 5xx to open the circuit of
/// the registry. Ours.
const MIN_FAILING_REPOSITORIES: usize = 3;
/// How long only a question that was answered before may be the probe of an open circuit, because
/// any other may fail for its name alone. Ours: longer than the second by which callers are given
/// a too long wait, and short beside the time that the circuit was open.
const KNOWN_PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// Concurrent requests to one registry (regclient's default).
const MAX_CONCURRENT: usize = 3;

/// Why a request is rejected.
const CIRCUIT_OPEN: &str = "no requests are sent for a while, because it failed repeatedly or \
                            asked for a pause";
const REPOSITORY_CIRCUIT_OPEN: &str = "no requests for this repository are sent for a while, \
                                       because they failed repeatedly";
const RATE_LIMITED: &str = "wintag's limit on requests to it is reached";
const CLIENT_RATE_LIMITED: &str = "this client has used its part of wintag's limit on requests to \
                                   it";

/// The circuit breaker for one registry.
pub(super) struct CircuitBreaker {
    // One lock for the circuits and the limits: a request is checked and counted in one step.
    state: Mutex<CircuitState>,
    slots: Semaphore,
}

/// A request as the circuits see it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub repository: &'a str,
    /// The path of the URL.
    pub path: &'a str,
    pub purpose: Purpose,
}

/// The circuit of the registry is half-open after its time: then one probe finds out whether the
/// registry is back.
struct CircuitState {
    registry: Failures,
    is_probing: bool,
    /// Answers with 5xx to known questions, and their repositories, since the registry last
    /// answered well.
    server_errors: u32,
    failing_repositories: Vec<String>,
    repositories: RepositoryFailures,
    answered: AnsweredQuestions,
    rate_limiter: UpstreamRateLimiter,
    retries: RetryBudget,
}

/// Permission to send one request. Dropping it frees the slot.
pub(super) struct Permit<'a> {
    circuit: &'a CircuitBreaker,
    question: Question<'a>,
    is_probe: bool,
    _slot: SemaphorePermit<'a>,
}

impl CircuitBreaker {
    /// Closed circuits with a full budget.
    pub(super) fn new(limit: UpstreamRateLimit, now: Instant) -> Self {
        let state = CircuitState {
            registry: Failures::default(),
            is_probing: false,
            server_errors: 0,
            failing_repositories: Vec::new(),
            repositories: RepositoryFailures::default(),
            answered: AnsweredQuestions::new(),
            rate_limiter: UpstreamRateLimiter::new(limit, now),
            retries: RetryBudget::new(),
        };
        Self { state: Mutex::new(state), slots: Semaphore::new(MAX_CONCURRENT) }
    }

    /// Waits for a free slot and takes it.
    ///
    /// # Errors
    /// When a circuit is open or the rate limit reached; the error says when to retry.
    pub(super) async fn acquire<'a>(
        &'a self,
        question: Question<'a>,
    ) -> Result<Permit<'a>, RegistryError> {
        // Before the wait, so that callers do not queue for an open circuit, and again after it.
        self.lock().reject_if_open(question, Instant::now())?;
        let slot =
            self.slots.acquire().await.map_err(|_| RegistryError::unavailable(CIRCUIT_OPEN))?;
        let is_probe = self.admit(question, Instant::now())?;
        Ok(Permit { circuit: self, question, is_probe, _slot: slot })
    }

    /// Whether a failed request may be retried; if so, the retry is taken off the budget.
    pub(super) fn may_retry(&self, repository: &str) -> bool {
        let mut state = self.lock();
        state.registry.open_until.is_none()
            && state.repositories.open_until(repository).is_none()
            && state.retries.try_take()
    }

    /// Whether requests are rejected now because of earlier failures of the registry.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.lock().open_until(Duration::ZERO, now).is_some()
    }

    /// Counts a request and returns whether it is the probe. It checks and counts under one lock,
    /// so that concurrent callers get one probe between them.
    fn admit(&self, question: Question<'_>, now: Instant) -> Result<bool, RegistryError> {
        let mut state = self.lock();
        state.reject_if_open(question, now)?;
        state.rate_limiter.try_take(question.purpose, now).map_err(|over| {
            let (detail, wait, is_of_client) = match over {
                OverLimit::Registry(wait) => (RATE_LIMITED, wait, false),
                OverLimit::Client(wait) => (CLIENT_RATE_LIMITED, wait, true),
            };
            suspended(detail, wait.min(MAX_OPEN_INTERVAL), is_of_client)
        })?;
        state.retries.count_request();
        state.is_probing = state.registry.open_until.is_some();
        Ok(state.is_probing)
    }

    fn lock(&self) -> MutexGuard<'_, CircuitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CircuitState {
    /// Until when the circuit of the registry is open, if it is, for a question that waits for so
    /// much longer. While the probe is under way it counts as open.
    fn open_until(&self, longer: Duration, now: Instant) -> Option<Instant> {
        let until = self.registry.open_until.map(|until| until + longer);
        until.filter(|until| now < *until || self.is_probing)
    }

    fn reject_if_open(&self, question: Question<'_>, now: Instant) -> Result<(), RegistryError> {
        let may_probe = self.registry.is_requested
            || self.answered.is_empty
            || self.answered.contains(question.path);
        let longer = if may_probe { Duration::ZERO } else { KNOWN_PROBE_INTERVAL };
        let repository = self.repositories.open_until(question.repository);
        let repository = repository.filter(|until| now < *until);
        let (until, detail) = match (self.open_until(longer, now), repository) {
            (Some(until), _) => (until, CIRCUIT_OPEN),
            (None, Some(until)) => (until, REPOSITORY_CIRCUIT_OPEN),
            (None, None) => return Ok(()),
        };
        Err(suspended(detail, until.saturating_duration_since(now), false))
    }

    /// The registry works: it answered, even if with a refusal.
    fn close(&mut self, repository: &str) {
        self.registry = Failures::default();
        self.server_errors = 0;
        self.failing_repositories.clear();
        self.repositories.close(repository);
    }

    fn record_server_error(&mut self, question: Question<'_>, now: Instant) {
        self.repositories.add(question.repository, now);
        if !self.answered.contains(question.path) {
            return;
        }
        self.server_errors += 1;
        let failing = &mut self.failing_repositories;
        if failing.len() < MIN_FAILING_REPOSITORIES
            && !failing.iter().any(|repository| repository == question.repository)
        {
            failing.push(question.repository.to_owned());
        }
        if failing.len() >= MIN_FAILING_REPOSITORIES && self.server_errors >= MAX_FAILURES {
            self.registry.add(true, now);
        }
    }
}

impl Permit<'_> {
    /// Records how the request ended.
    pub(super) fn record(self, error: Option<&RegistryError>, now: Instant) {
        let mut state = self.circuit.lock();
        match error {
            Some(
                RegistryError::RateLimited { retry_after: Some(pause) }
                | RegistryError::Unavailable { retry_after: Some(pause), .. },
            ) => state.registry.pause(now + *pause),
            Some(RegistryError::RateLimited { .. }) => state.registry.add(true, now),
            Some(RegistryError::Unavailable { is_answer: true, .. }) => {
                state.record_server_error(self.question, now);
            }
            Some(RegistryError::Unavailable { .. } | RegistryError::TimedOut) => {
                state.registry.add(self.is_probe, now);
            }
            _ => state.close(self.question.repository),
        }
        if error.is_none() {
            state.answered.add(self.question.path);
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
    use crate::registry::failures::MIN_OPEN_INTERVAL;

    const LIMIT: UpstreamRateLimit = UpstreamRateLimit { burst: 100.0, per_hour: 3600.0 };

    fn down() -> RegistryError {
        RegistryError::unavailable("down")
    }

    const ANY: Purpose = Purpose::Other { client: None };

    const ASKED: Question<'static> = about("x/y", "/v2/x/y/tags/list");

    const fn about<'a>(repository: &'a str, path: &'a str) -> Question<'a> {
        Question { repository, path, purpose: ANY }
    }

    async fn fails(circuit: &CircuitBreaker, error: &RegistryError) {
        circuit.acquire(ASKED).await.unwrap().record(Some(error), Instant::now());
    }

    #[tokio::test]
    async fn f07_failures_in_a_row_open_it_and_one_probe_closes_it() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        for _ in 0..MAX_FAILURES {
            fails(&circuit, &down()).await;
        }
        assert!(
            matches!(circuit.acquire(ASKED).await, Err(RegistryError::Suspended { retry_after, .. })
            if retry_after <= MIN_OPEN_INTERVAL + Duration::from_secs(1))
        );
        // The time is over: one request goes through, and no other beside it.
        circuit.lock().registry.open_until = Some(Instant::now());
        let probe = circuit.acquire(ASKED).await.unwrap();
        assert!(circuit.acquire(ASKED).await.is_err() && circuit.is_open(Instant::now()));
        probe.record(None, Instant::now());
        assert!(!circuit.is_open(Instant::now()));
        circuit.acquire(ASKED).await.unwrap().record(None, Instant::now());
    }

    #[test]
    fn f07_concurrent_callers_get_one_probe() {
        const ROUNDS: usize = 200;
        const CALLERS: usize = 8;
        for _ in 0..ROUNDS {
            let now = Instant::now();
            let circuit = CircuitBreaker::new(LIMIT, now);
            circuit.lock().registry.open_until = Some(now);
            let start = std::sync::Barrier::new(CALLERS);
            let probes = std::thread::scope(|scope| {
                let call = || {
                    start.wait();
                    circuit.admit(ASKED, now).is_ok()
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
        circuit.lock().registry.open_until = Some(now);
        circuit.acquire(ASKED).await.unwrap().record(Some(&down()), now);
        assert_eq!(circuit.lock().registry.open_until, Some(now + MIN_OPEN_INTERVAL * 2));
    }

    #[tokio::test]
    async fn a_cancelled_probe_lets_the_next_one_through() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        circuit.lock().registry.open_until = Some(Instant::now());
        drop(circuit.acquire(ASKED).await.unwrap());
        assert!(circuit.acquire(ASKED).await.is_ok());
    }

    #[tokio::test]
    async fn f05_a_requested_pause_is_kept_at_once() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let now = Instant::now();
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        circuit.acquire(ASKED).await.unwrap().record(Some(&limited), now);
        assert_eq!(circuit.lock().registry.open_until, Some(now + Duration::from_secs(7)));
        assert!(circuit.acquire(ASKED).await.is_err());
    }

    #[tokio::test]
    async fn f05_short_requested_pauses_do_not_add_up() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::ZERO) };
        for _ in 0..20 {
            fails(&circuit, &limited).await;
        }
        let now = Instant::now();
        circuit.acquire(ASKED).await.unwrap().record(Some(&down()), now);
        assert_eq!(circuit.lock().registry.open_until, Some(now + MIN_OPEN_INTERVAL));
    }

    #[tokio::test]
    async fn f07_concurrent_failures_open_it_once() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        for _ in 1..MAX_FAILURES {
            fails(&circuit, &down()).await;
        }
        let together = [
            circuit.acquire(ASKED).await.unwrap(),
            circuit.acquire(ASKED).await.unwrap(),
            circuit.acquire(ASKED).await.unwrap(),
        ];
        let now = Instant::now();
        for permit in together {
            permit.record(Some(&down()), now);
        }
        assert_eq!(circuit.lock().registry.open_until, Some(now + MIN_OPEN_INTERVAL));
    }

    #[tokio::test]
    async fn what_is_missing_is_no_failure() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let missing = RegistryError::NotFound { what: Missing::Manifest };
        for _ in 0..20 {
            fails(&circuit, &missing).await;
        }
        assert!(circuit.acquire(ASKED).await.is_ok());
    }

    fn server_error() -> RegistryError {
        let detail = "it answered with status 500".to_owned();
        RegistryError::Unavailable { detail, retry_after: None, is_answer: true }
    }

    /// Asks about repository `repository`, by the path of its tag `tag`.
    async fn ends(
        circuit: &CircuitBreaker,
        (repository, tag): (&str, &str),
        error: Option<&RegistryError>,
    ) -> Result<(), RegistryError> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        circuit.acquire(about(repository, &path)).await?.record(error, Instant::now());
        Ok(())
    }

    #[tokio::test]
    async fn h07_errors_for_one_repository_open_its_circuit_only() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let (known, error) = (("a", "1"), server_error());
        ends(&circuit, known, None).await.unwrap();
        for _ in 0..MAX_FAILURES {
            ends(&circuit, known, Some(&error)).await.unwrap();
        }
        let rejected = ends(&circuit, ("a", "2"), None).await.unwrap_err();
        assert!(rejected.to_string().contains("this repository"), "{rejected}");
        assert!(!circuit.is_open(Instant::now()) && !circuit.may_retry("a"));
        assert!(circuit.may_retry("b"));
        ends(&circuit, ("b", "1"), None).await.unwrap();
        // The answer for the other repository says nothing about this one.
        assert!(ends(&circuit, known, None).await.is_err());
    }

    #[tokio::test]
    async fn h07_made_up_names_and_tags_do_not_open_the_circuit_of_the_registry() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let error = server_error();
        for known in ["a", "b", "c"] {
            ends(&circuit, (known, "1"), None).await.unwrap();
        }
        for number in 0..20 {
            let name = format!("made/up{number}");
            ends(&circuit, (&name, "1"), Some(&error)).await.unwrap();
        }
        for known in ["a", "b", "c"] {
            for _ in 0..MAX_FAILURES {
                ends(&circuit, (known, "made-up"), Some(&error)).await.unwrap();
            }
        }
        assert!(!circuit.is_open(Instant::now()));
        ends(&circuit, ("d", "1"), None).await.unwrap();
    }

    #[tokio::test]
    async fn h07_errors_for_known_questions_of_several_repositories_open_it() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let (known, error) = ([("a", "1"), ("b", "1"), ("c", "1")], server_error());
        for question in known {
            ends(&circuit, question, None).await.unwrap();
        }
        for question in [known[0], known[1], known[0], known[1], known[0], known[1]] {
            ends(&circuit, question, Some(&error)).await.unwrap();
        }
        assert!(!circuit.is_open(Instant::now()));
        ends(&circuit, known[2], Some(&error)).await.unwrap();
        assert!(circuit.is_open(Instant::now()));
        // The probe gets the same: it is open for longer.
        let now = Instant::now();
        circuit.lock().registry.open_until = Some(now);
        ends(&circuit, known[2], Some(&error)).await.unwrap();
        let until = circuit.lock().registry.open_until.unwrap();
        assert!(until >= now + MIN_OPEN_INTERVAL * 2);
        // An answer starts the count anew.
        circuit.lock().registry.open_until = Some(Instant::now());
        ends(&circuit, known[2], None).await.unwrap();
        ends(&circuit, known[2], Some(&error)).await.unwrap();
        assert!(!circuit.is_open(Instant::now()));
    }

    #[tokio::test]
    async fn h07_a_known_question_is_the_probe_before_any_other() {
        let circuit = CircuitBreaker::new(LIMIT, Instant::now());
        let (known, unknown, error) = (("a", "1"), ("made/up", "1"), server_error());
        ends(&circuit, known, None).await.unwrap();
        let opened_until = |until| {
            let mut state = circuit.lock();
            for _ in 0..MAX_FAILURES {
                state.registry.add(false, Instant::now());
            }
            state.registry.open_until = Some(until);
        };
        opened_until(Instant::now());
        assert!(ends(&circuit, unknown, None).await.is_err());
        ends(&circuit, known, None).await.unwrap();
        ends(&circuit, unknown, Some(&error)).await.unwrap();
        // After a while without one, another may be it. Errors of one repository open nothing.
        let until = Instant::now() - KNOWN_PROBE_INTERVAL;
        opened_until(until);
        for question in [("made/up2", "1"), known] {
            ends(&circuit, question, Some(&error)).await.unwrap();
            assert_eq!(circuit.lock().registry.open_until, Some(until));
        }
        ends(&circuit, known, None).await.unwrap();
        assert_eq!(circuit.lock().registry.open_until, None);
    }

    #[test]
    fn requests_over_the_rate_limit_are_rejected_with_a_bounded_wait() {
        let now = Instant::now();
        let circuit = CircuitBreaker::new(UpstreamRateLimit { burst: 0.0, per_hour: 0.0 }, now);
        let longest = MAX_OPEN_INTERVAL + Duration::from_secs(1);
        for later in [Duration::ZERO, Duration::from_secs(3600)] {
            let rejected = circuit.admit(ASKED, now + later).unwrap_err();
            assert_eq!(rejected.retry_after(), Some(longest));
        }
    }
}

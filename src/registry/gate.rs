//! The gate before one registry: it stays shut while the registry is in trouble or asks to be left
//! alone, lets few requests through at a time, and keeps to a budget of requests.
//!
//! A registry that limits its callers must not be made worse by us, and one that is down must not
//! cost every caller the whole wait. What is refused here costs nothing and says when to come back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::RegistryError;

/// So many failures in a row shut the gate (Envoy's outlier detection has the same figure).
const FAILURES_TO_SHUT: u32 = 5;
/// For so long it is shut the first time; each further time twice as long.
const FIRST_SHUT: Duration = Duration::from_secs(30);
/// It is never shut for longer than this, unless the registry asks for it.
const LONGEST_SHUT: Duration = Duration::from_secs(300);
/// So many requests to one registry are under way at a time (regclient's default).
const CONCURRENT: usize = 3;
/// Retries may be a tenth of all requests (Google's SRE book, "Handling Overload"), and a few at
/// once. Counted in tenths: a request adds one, a retry costs ten.
const TENTHS_A_RETRY: u32 = 10;
const MOST_TENTHS: u32 = 3 * TENTHS_A_RETRY;

/// Why no request is sent now.
const SHUT: &str = "it is left alone for a while after it failed or asked for that";
const SPENT: &str = "the budget of requests to it is used up for now";

/// The gate before one registry.
pub(super) struct Gate {
    state: Mutex<State>,
    places: Semaphore,
    budget: Budget,
}

/// How many requests a registry may get.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Budget {
    /// At once, after a quiet time.
    pub burst: f64,
    /// In an hour, over time.
    pub an_hour: f64,
}

struct State {
    failures: u32,
    shut_until: Option<Instant>,
    next_shut: Duration,
    /// Whether one request is on its way to see if the registry is back.
    is_probing: bool,
    requests_left: f64,
    counted_at: Instant,
    retry_tenths: u32,
}

/// Leave to send one request; dropping it makes room for another.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    is_probe: bool,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    /// An open gate with a full budget.
    pub(super) fn new(budget: Budget, now: Instant) -> Self {
        let state = State {
            failures: 0,
            shut_until: None,
            next_shut: FIRST_SHUT,
            is_probing: false,
            requests_left: budget.burst,
            counted_at: now,
            retry_tenths: MOST_TENTHS,
        };
        Self { state: Mutex::new(state), places: Semaphore::new(CONCURRENT), budget }
    }

    /// Waits for a place and takes it.
    ///
    /// # Errors
    /// When the gate is shut or the budget spent; the error says when to come back.
    pub(super) async fn pass(&self) -> Result<Pass<'_>, RegistryError> {
        // Refused before the wait, so that callers do not queue before a shut gate, and after it.
        self.lock().refuse_if_shut(Instant::now())?;
        let place = self.places.acquire().await.map_err(|_| RegistryError::unavailable(SHUT))?;
        let is_probe = self.admit(Instant::now())?;
        Ok(Pass { gate: self, is_probe, _place: place })
    }

    /// Whether a failed request may be tried once more; a retry that may is taken off the budget.
    pub(super) fn may_retry(&self) -> bool {
        let mut state = self.lock();
        let may = state.retry_tenths >= TENTHS_A_RETRY && state.shut_until.is_none();
        if may {
            state.retry_tenths -= TENTHS_A_RETRY;
        }
        may
    }

    /// Whether requests are refused now because of how others ended.
    pub(super) fn is_shut(&self, now: Instant) -> bool {
        self.lock().shut_until(now).is_some()
    }

    /// Counts a request, and tells whether it is the probe. It looks and decides under one lock, so
    /// that there is one probe however many ask at once.
    fn admit(&self, now: Instant) -> Result<bool, RegistryError> {
        let mut state = self.lock();
        state.refuse_if_shut(now)?;
        let a_second = self.budget.an_hour / 3600.0;
        let since = now.saturating_duration_since(state.counted_at).as_secs_f64();
        state.requests_left = (state.requests_left + since * a_second).min(self.budget.burst);
        state.counted_at = now;
        if state.requests_left < 1.0 {
            // A budget that never comes back is a wait that no duration holds.
            let wait = Duration::try_from_secs_f64((1.0 - state.requests_left) / a_second)
                .unwrap_or(LONGEST_SHUT);
            return Err(come_back(SPENT, wait.min(LONGEST_SHUT)));
        }
        state.requests_left -= 1.0;
        state.retry_tenths = (state.retry_tenths + 1).min(MOST_TENTHS);
        state.is_probing = state.shut_until.is_some();
        Ok(state.is_probing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Until when the gate is shut, if it is. Once that time is over it is shut while one request
    /// finds out.
    fn shut_until(&self, now: Instant) -> Option<Instant> {
        self.shut_until.filter(|until| now < *until || self.is_probing)
    }

    fn refuse_if_shut(&self, now: Instant) -> Result<(), RegistryError> {
        match self.shut_until(now) {
            Some(until) => Err(come_back(SHUT, until.saturating_duration_since(now))),
            None => Ok(()),
        }
    }
}

impl Pass<'_> {
    /// Notes how the request ended.
    pub(super) fn ended(self, error: Option<&RegistryError>, now: Instant) {
        let mut state = self.gate.lock();
        let asked_for = match error {
            Some(
                RegistryError::RateLimited { retry_after }
                | RegistryError::Unavailable { retry_after, .. },
            ) => *retry_after,
            _ => None,
        };
        let is_rate_limited = matches!(error, Some(RegistryError::RateLimited { .. }));
        let is_failure = matches!(
            error,
            Some(
                RegistryError::RateLimited { .. }
                    | RegistryError::Unavailable { .. }
                    | RegistryError::TimedOut
            )
        );
        if !is_failure {
            state.failures = 0;
            state.shut_until = None;
            state.next_shut = FIRST_SHUT;
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if let Some(wait) = asked_for {
            // The registry knows how long it needs; that it asked for a second several times is no
            // reason for minutes.
            state.shut_until = Some(now + wait);
        } else if !self.is_probe && state.shut_until.is_some_and(|until| now < until) {
            // It was under way when another one shut the gate, and tells nothing new.
        } else if is_rate_limited || self.is_probe || state.failures >= FAILURES_TO_SHUT {
            state.shut_until = Some(now + state.next_shut);
            state.next_shut = (state.next_shut * 2).min(LONGEST_SHUT);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // Also when the request was given up before it ended.
        if self.is_probe {
            self.gate.lock().is_probing = false;
        }
    }
}

fn come_back(detail: &'static str, wait: Duration) -> RegistryError {
    // Whole seconds, as the header has them, and never none.
    RegistryError::Suspended { detail, retry_after: Duration::from_secs(wait.as_secs() + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Missing;

    const BUDGET: Budget = Budget { burst: 100.0, an_hour: 3600.0 };

    fn down() -> RegistryError {
        RegistryError::unavailable("down")
    }

    async fn fails(gate: &Gate, error: &RegistryError) {
        gate.pass().await.unwrap().ended(Some(error), Instant::now());
    }

    #[tokio::test]
    async fn f07_failures_in_a_row_shut_it_and_one_probe_opens_it() {
        let gate = Gate::new(BUDGET, Instant::now());
        for _ in 0..FAILURES_TO_SHUT {
            fails(&gate, &down()).await;
        }
        assert!(matches!(gate.pass().await, Err(RegistryError::Suspended { retry_after, .. })
            if retry_after <= FIRST_SHUT + Duration::from_secs(1)));
        // The time is over: one request goes through, and no other beside it.
        gate.lock().shut_until = Some(Instant::now());
        let probe = gate.pass().await.unwrap();
        assert!(gate.pass().await.is_err() && gate.is_shut(Instant::now()));
        probe.ended(None, Instant::now());
        assert!(!gate.is_shut(Instant::now()));
        gate.pass().await.unwrap().ended(None, Instant::now());
    }

    #[test]
    fn f07_of_many_that_ask_at_once_one_is_the_probe() {
        const ROUNDS: usize = 200;
        const ASKING: usize = 8;
        for _ in 0..ROUNDS {
            let now = Instant::now();
            let gate = Gate::new(BUDGET, now);
            gate.lock().shut_until = Some(now);
            let start = std::sync::Barrier::new(ASKING);
            let probes = std::thread::scope(|scope| {
                let ask = || {
                    start.wait();
                    gate.admit(now).is_ok()
                };
                let asking: Vec<_> = (0..ASKING).map(|_| scope.spawn(ask)).collect();
                asking
                    .into_iter()
                    .filter_map(|asked| asked.join().ok())
                    .filter(|was_admitted| *was_admitted)
                    .count()
            });
            assert_eq!(probes, 1);
        }
    }

    #[tokio::test]
    async fn a_probe_that_fails_shuts_it_for_twice_as_long() {
        let gate = Gate::new(BUDGET, Instant::now());
        for _ in 0..FAILURES_TO_SHUT {
            fails(&gate, &down()).await;
        }
        let now = Instant::now();
        gate.lock().shut_until = Some(now);
        gate.pass().await.unwrap().ended(Some(&down()), now);
        assert_eq!(gate.lock().shut_until, Some(now + FIRST_SHUT * 2));
    }

    #[tokio::test]
    async fn a_probe_that_is_given_up_lets_the_next_one_through() {
        let gate = Gate::new(BUDGET, Instant::now());
        gate.lock().shut_until = Some(Instant::now());
        drop(gate.pass().await.unwrap());
        assert!(gate.pass().await.is_ok());
    }

    #[tokio::test]
    async fn f05_a_registry_that_asks_for_time_gets_it_at_once() {
        let gate = Gate::new(BUDGET, Instant::now());
        let now = Instant::now();
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        gate.pass().await.unwrap().ended(Some(&limited), now);
        assert_eq!(gate.lock().shut_until, Some(now + Duration::from_secs(7)));
        assert!(gate.pass().await.is_err());
    }

    #[tokio::test]
    async fn f05_short_pauses_that_are_asked_for_do_not_add_up() {
        let gate = Gate::new(BUDGET, Instant::now());
        let limited = RegistryError::RateLimited { retry_after: Some(Duration::ZERO) };
        for _ in 0..20 {
            fails(&gate, &limited).await;
        }
        let now = Instant::now();
        gate.pass().await.unwrap().ended(Some(&down()), now);
        assert_eq!(gate.lock().shut_until, Some(now + FIRST_SHUT));
    }

    #[tokio::test]
    async fn f07_failures_at_the_same_time_shut_it_once() {
        let gate = Gate::new(BUDGET, Instant::now());
        for _ in 1..FAILURES_TO_SHUT {
            fails(&gate, &down()).await;
        }
        let together =
            [gate.pass().await.unwrap(), gate.pass().await.unwrap(), gate.pass().await.unwrap()];
        let now = Instant::now();
        for pass in together {
            pass.ended(Some(&down()), now);
        }
        assert_eq!(gate.lock().shut_until, Some(now + FIRST_SHUT));
    }

    #[tokio::test]
    async fn what_is_missing_is_no_failure() {
        let gate = Gate::new(BUDGET, Instant::now());
        let missing = RegistryError::NotFound { what: Missing::Manifest };
        for _ in 0..20 {
            fails(&gate, &missing).await;
        }
        assert!(gate.pass().await.is_ok());
    }

    #[tokio::test]
    async fn the_budget_holds_and_comes_back() {
        let start = Instant::now();
        let gate = Gate::new(Budget { burst: 2.0, an_hour: 3600.0 }, start);
        assert!(gate.admit(start).is_ok() && gate.admit(start).is_ok());
        assert!(matches!(gate.admit(start), Err(RegistryError::Suspended { .. })));
        assert!(gate.admit(start + Duration::from_secs(1)).is_ok());
        assert!(gate.admit(start + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_budget_of_nothing_lets_nothing_through() {
        let now = Instant::now();
        let gate = Gate::new(Budget { burst: 0.0, an_hour: 0.0 }, now);
        let longest = LONGEST_SHUT + Duration::from_secs(1);
        for later in [Duration::ZERO, Duration::from_secs(3600)] {
            let refused = gate.admit(now + later).unwrap_err();
            assert_eq!(refused.retry_after(), Some(longest));
        }
    }

    #[test]
    fn retries_are_few() {
        let gate = Gate::new(BUDGET, Instant::now());
        let retries = (0..10).filter(|_| gate.may_retry()).count();
        assert_eq!(retries, 3);
        for _ in 0..10 {
            gate.admit(Instant::now()).unwrap();
        }
        assert!(gate.may_retry());
    }
}

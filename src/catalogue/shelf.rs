//! A store in memory for one kind of fact: bounded, fresh for a while, one fetch at a time for a
//! key.
//!
//! The freshness is our own arithmetic on [`Now`]; moka only bounds the memory. A fetch runs in a
//! task of its own, so that a caller that goes away cannot stop it, and its outcome, good or bad,
//! reaches all callers that wait for it. A failure is remembered for a short while, so that a
//! registry that is down is not asked again by every request.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use moka::sync::Cache;
use tokio::runtime::Handle;

use crate::clock::{Clock, Now};
use crate::registry::RegistryError;
use crate::telemetry::in_current_trace;

/// A fact and when it was learnt.
#[derive(Debug)]
pub struct Kept<V> {
    /// The fact.
    pub value: Arc<V>,
    /// When the registry said it. Of a loaded fact, `elapsed` is the moment of loading.
    pub learnt: Now,
    /// How old a fact from a snapshot was when it was loaded, by the wall clock; `None` for what a
    /// registry said to this process.
    pub age_when_loaded: Option<Duration>,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<V> Kept<V> {
    fn age(&self, now: Now) -> Duration {
        now.elapsed
            .saturating_sub(self.learnt.elapsed)
            .saturating_add(self.age_when_loaded.unwrap_or_default())
    }
}

/// What the shelf has for a key.
#[derive(Debug)]
pub enum Got<V> {
    /// Asked for just now.
    New(Kept<V>),
    /// Kept, and still fresh.
    Fresh(Kept<V>),
    /// Kept and no longer fresh; the registry did not answer, or not yet.
    Stale(Kept<V>),
    /// Nothing: the registry refused, failed or did not answer in time.
    Nothing(RegistryError),
    /// Nothing, and the registry was not asked: [`MAX_FLIGHTS`] are under way.
    Overloaded,
}

/// So many different things are asked for at a time on one shelf; any number of callers may wait
/// for each. A registry gets three requests at a time and takes about a tenth of a second for each,
/// so that within the ten seconds that a caller waits about as many are answered: who came after
/// them would wait for nothing.
pub const MAX_FLIGHTS: usize = 256;

/// How long the caller waits for a registry.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When there is something else to answer with.
    pub with_fallback: Duration,
    /// When there is not.
    pub without_fallback: Duration,
}

/// How one fact is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the caller waits.
    pub patience: Patience,
    /// Whether the caller has something else to answer with when nothing is kept.
    pub has_fallback: bool,
    /// Whether it is known from elsewhere that there is such a thing, so that the first 404 is not
    /// believed.
    pub is_expected: bool,
    /// Whether the fact is for those only who have the credentials: it is forgotten when they are
    /// refused.
    pub is_private: bool,
}

/// How long facts are fresh and usable.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// For so long a fact is used without asking again.
    pub fresh_for: Duration,
    /// For so long a fact is used when the registry cannot be asked.
    pub usable_for: Duration,
}

type Outcome<V> = Result<Kept<V>, RegistryError>;
/// A fetch under way, and when it began.
struct Flight<V> {
    outcome: Shared<BoxFuture<'static, Outcome<V>>>,
    began: Duration,
}

impl<V> Clone for Flight<V> {
    fn clone(&self) -> Self {
        Self { outcome: self.outcome.clone(), began: self.began }
    }
}

type Flights<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// The store.
pub struct Shelf<K, V> {
    kept: Cache<K, Kept<V>>,
    failures: Cache<K, (RegistryError, Duration)>,
    /// Since when a registry says that something is gone which it had or should have, on the
    /// monotonic clock.
    missing_since: Cache<K, Duration>,
    flights: Flights<K, V>,
    waiters: AtomicUsize,
    learnt_count: Arc<AtomicU64>,
    clock: Clock,
    lifetimes: Lifetimes,
    runtime: Handle,
}

impl<K, V> Shelf<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// At most so many failures are remembered; a failure is small, and one more costs a request.
    const MAX_FAILURES: u64 = 10_000;

    /// A store of at most `max_bytes`, as `weigh` weighs its values. Fetches run on the runtime
    /// that is current now, which must outlive those that ask.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(max_bytes: u64, weigh: fn(&V) -> usize, clock: Clock, lifetimes: Lifetimes) -> Self {
        let kept = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(move |_, kept: &Kept<V>| u32::try_from(weigh(&kept.value)).unwrap_or(u32::MAX))
            .build();
        let (failures, missing_since) =
            (Cache::new(Self::MAX_FAILURES), Cache::new(Self::MAX_FAILURES));
        let runtime = Handle::current();
        let (flights, waiters, learnt_count) =
            (Flights::default(), AtomicUsize::new(0), Arc::default());
        Self {
            kept,
            failures,
            missing_since,
            flights,
            waiters,
            learnt_count,
            clock,
            lifetimes,
            runtime,
        }
    }

    /// Puts in a fact that another process learnt, as old as the wall clock says. One from the
    /// future is taken as of now, and one that is too old to be used is left out.
    pub fn load(&self, key: K, value: Arc<V>, learnt: Timestamp) {
        let now = self.clock.now();
        let learnt = learnt.min(now.utc);
        let age = Duration::try_from(now.utc.duration_since(learnt)).unwrap_or_default();
        if age <= self.lifetimes.usable_for {
            let learnt = Now { utc: learnt, elapsed: now.elapsed };
            self.kept.insert(key, Kept { value, learnt, age_when_loaded: Some(age) });
        }
    }

    /// Everything that may still be used.
    pub fn usable(&self) -> Vec<(K, Kept<V>)> {
        let now = self.clock.now();
        let all = self.kept.iter().map(|(key, kept)| (K::clone(&key), kept));
        all.filter(|(_, kept)| kept.age(now) <= self.lifetimes.usable_for).collect()
    }

    /// Grows whenever a registry says something that changes what is kept.
    pub fn learnt_count(&self) -> u64 {
        self.learnt_count.load(Ordering::Relaxed)
    }

    /// What is kept for the key and may still be used, without asking anybody.
    pub fn peek(&self, key: &K) -> Option<Kept<V>> {
        self.usable_at(key, self.clock.now())
    }

    /// What was kept for the key last, although it may be too old to be used.
    pub fn last(&self, key: &K) -> Option<Kept<V>> {
        self.kept.get(key)
    }

    fn usable_at(&self, key: &K, now: Now) -> Option<Kept<V>> {
        self.kept.get(key).filter(|kept| kept.age(now) <= self.lifetimes.usable_for)
    }

    /// How many flights are under way, and how many callers wait for one.
    pub fn under_way(&self) -> (usize, usize) {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner).len();
        (flights, self.waiters.load(Ordering::Relaxed))
    }

    /// Whether this would be used without asking again.
    pub fn is_fresh(&self, kept: &Kept<V>) -> bool {
        kept.age(self.clock.now()) <= self.lifetimes.fresh_for
    }

    /// The fact for this key: kept if fresh, else from `fetch`, which runs at most once at a time.
    pub async fn get<F>(&self, key: K, terms: Terms, fetch: impl FnOnce() -> F) -> Got<V>
    where
        F: Future<Output = Result<V, RegistryError>> + Send + 'static,
    {
        let now = self.clock.now();
        let kept = self.usable_at(&key, now);
        if let Some(kept) = &kept
            && kept.age(now) <= self.lifetimes.fresh_for
        {
            // A key in use is asked for again shortly before it is no longer fresh, so that nobody
            // waits for it.
            if kept.age(now) >= self.renew_after() && self.failed(&key, now).is_none() {
                drop(self.join(key, now, terms, fetch));
            }
            return Got::Fresh(kept.clone());
        }
        let outcome = match self.failed(&key, now) {
            Some(error) => Err(error),
            None => {
                let Some(flight) = self.join(key.clone(), now, terms, fetch) else {
                    return kept.map_or(Got::Overloaded, Got::Stale);
                };
                let Terms { patience, has_fallback, .. } = terms;
                let wait = if has_fallback || kept.is_some() {
                    // Who comes late to a slow flight has waited with the others already.
                    patience.with_fallback.saturating_sub(now.elapsed.saturating_sub(flight.began))
                } else {
                    patience.without_fallback
                };
                let _waiting = Waiting::begin(&self.waiters);
                tokio::time::timeout(wait, flight.outcome)
                    .await
                    .unwrap_or(Err(RegistryError::TimedOut))
            }
        };
        match outcome {
            Ok(kept) => Got::New(kept),
            // What was forgotten meanwhile, because it is gone or access was refused, is not used
            // any more.
            Err(error) => match kept.filter(|_| self.kept.contains_key(&key)) {
                Some(kept) => Got::Stale(kept),
                None => Got::Nothing(error),
            },
        }
    }

    /// The failure that is remembered for this key, and for how long it still is.
    fn failed(&self, key: &K, now: Now) -> Option<RegistryError> {
        let (error, until) = self.failures.get(key).filter(|(_, until)| now.elapsed < *until)?;
        Some(error.with_time_left(until.saturating_sub(now.elapsed)))
    }

    /// At this age a fact in use is renewed: in the last tenth of its freshness (as unbound
    /// prefetches), at a place of its own, so that keys learnt together are not renewed
    /// together.
    fn renew_after(&self) -> Duration {
        self.lifetimes.fresh_for.mul_f64(0.9 + 0.1 * fastrand::f64())
    }

    /// The flight for this key: the one under way, or a new one unless there are too many.
    fn join<F>(
        &self,
        key: K,
        now: Now,
        terms: Terms,
        fetch: impl FnOnce() -> F,
    ) -> Option<Flight<V>>
    where
        F: Future<Output = Result<V, RegistryError>> + Send + 'static,
    {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return Some(flight.clone());
        }
        // A flight that landed just now, between the caller's look and this one, is not flown
        // again.
        if let Some(kept) = self
            .kept
            .get(&key)
            .filter(|kept| kept.learnt.elapsed >= now.elapsed && kept.age_when_loaded.is_none())
        {
            return Some(Flight {
                outcome: std::future::ready(Ok(kept)).boxed().shared(),
                began: now.elapsed,
            });
        }
        if flights.len() >= MAX_FLIGHTS {
            return None;
        }
        let landing = Landing {
            key: key.clone(),
            flights: self.flights.clone(),
            kept: self.kept.clone(),
            failures: self.failures.clone(),
            missing_since: self.missing_since.clone(),
            learnt_count: self.learnt_count.clone(),
            terms,
        };
        let (fetch, clock) = (fetch(), self.clock.clone());
        let fetch = in_current_trace(fetch);
        let task = self.runtime.spawn(async move { landing.land(fetch.await, clock.now()) });
        let outcome = async move {
            task.await.unwrap_or_else(|_| {
                Err(RegistryError::Invalid {
                    detail: "reading the registry's answer failed inside wintag".to_owned(),
                })
            })
        }
        .boxed()
        .shared();
        let flight = Flight { outcome, began: now.elapsed };
        flights.insert(key, flight.clone());
        Some(flight)
    }
}

/// A caller that waits, counted until it is dropped: it may have been answered, or have gone away.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiters: &'a AtomicUsize) -> Self {
        waiters.fetch_add(1, Ordering::Relaxed);
        Self(waiters)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends a flight: keeps its outcome, and clears the key however the fetch ends, also by a panic.
struct Landing<K: Eq + Hash, V> {
    key: K,
    flights: Flights<K, V>,
    kept: Cache<K, Kept<V>>,
    failures: Cache<K, (RegistryError, Duration)>,
    missing_since: Cache<K, Duration>,
    learnt_count: Arc<AtomicU64>,
    terms: Terms,
}

impl<K, V> Landing<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn land(self, fetched: Result<V, RegistryError>, now: Now) -> Outcome<V> {
        match fetched {
            Ok(value) => {
                let kept = Kept { value: Arc::new(value), learnt: now, age_when_loaded: None };
                self.failures.invalidate(&self.key);
                self.missing_since.invalidate(&self.key);
                self.kept.insert(self.key.clone(), kept.clone());
                self.learnt_count.fetch_add(1, Ordering::Relaxed);
                Ok(kept)
            }
            Err(error) => {
                let error = self.believed(error, now);
                let is_gone = matches!(error, RegistryError::NotFound { .. })
                    || (self.terms.is_private && matches!(error, RegistryError::Refused { .. }));
                if is_gone {
                    // Otherwise it would be there again as soon as the registry falls silent.
                    self.kept.invalidate(&self.key);
                    self.learnt_count.fetch_add(1, Ordering::Relaxed);
                }
                self.failures.insert(
                    self.key.clone(),
                    (error.clone(), now.elapsed + remembered_for(&error)),
                );
                Err(error)
            }
        }
    }

    /// What a registry says the first time of something that it had, or that is known from
    /// elsewhere: that it is gone is believed when it says so again after a while. Registries
    /// have answered 404 in an outage.
    fn believed(&self, error: RegistryError, now: Now) -> RegistryError {
        let is_known = self.terms.is_expected || self.kept.contains_key(&self.key);
        if !is_known || !matches!(error, RegistryError::NotFound { .. }) {
            return error;
        }
        let since = self.missing_since.get_with(self.key.clone(), || now.elapsed);
        if now.elapsed.saturating_sub(since) >= BELIEVED_AFTER {
            return error;
        }
        let detail = "it says for the first time that this is gone".to_owned();
        RegistryError::Unavailable { detail, retry_after: Some(BELIEVED_AFTER) }
    }
}

/// A registry that says for so long that something is gone is believed.
const BELIEVED_AFTER: Duration = Duration::from_secs(30);

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// For how long a failure is answered without asking again.
fn remembered_for(error: &RegistryError) -> Duration {
    /// A tag or repository that is not there may be published at any time.
    const NOT_FOUND: Duration = Duration::from_secs(300);
    /// Credentials are mended by people.
    const REFUSED: Duration = Duration::from_secs(60);
    /// Anything else is trouble that may pass at once.
    const TROUBLE: Duration = Duration::from_secs(30);
    match error {
        RegistryError::NotFound { .. } => NOT_FOUND,
        RegistryError::Refused { .. } => REFUSED,
        RegistryError::RateLimited { retry_after }
        | RegistryError::Unavailable { retry_after, .. } => retry_after.unwrap_or(TROUBLE),
        RegistryError::Suspended { retry_after, .. } => *retry_after,
        RegistryError::NotAllowed { .. }
        | RegistryError::TimedOut
        | RegistryError::Invalid { .. } => TROUBLE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::registry::Missing;

    const PATIENCE: Patience = Patience {
        with_fallback: Duration::from_millis(50),
        without_fallback: Duration::from_secs(5),
    };
    const ALONE: Terms =
        Terms { patience: PATIENCE, has_fallback: false, is_expected: false, is_private: false };
    const WITH_FALLBACK: Terms = Terms { has_fallback: true, ..ALONE };

    fn shelf(clock: &Clock) -> Arc<Shelf<&'static str, u32>> {
        let lifetimes = Lifetimes {
            fresh_for: Duration::from_secs(900),
            usable_for: Duration::from_secs(7200),
        };
        Arc::new(Shelf::new(1 << 20, |_| 4, clock.clone(), lifetimes))
    }

    fn clock() -> Clock {
        Clock::manual("2026-08-12T00:00:00Z".parse().unwrap())
    }

    async fn failing() -> Result<u32, RegistryError> {
        Err(RegistryError::TimedOut)
    }

    #[tokio::test]
    async fn a_fact_is_new_then_fresh_then_stale_then_gone() {
        let clock = clock();
        let shelf = shelf(&clock);
        let get = || shelf.get("key", ALONE, failing);
        assert!(
            matches!(shelf.get("key", ALONE, || async { Ok(7) }).await, Got::New(kept) if *kept.value == 7)
        );
        clock.advance(Duration::from_secs(900));
        assert!(matches!(get().await, Got::Fresh(_)));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(get().await, Got::Stale(_)));
        assert!(shelf.peek(&"key").is_some());
        clock.advance(Duration::from_secs(7200));
        assert!(matches!(get().await, Got::Nothing(RegistryError::TimedOut)));
        assert!(shelf.peek(&"key").is_none());
    }

    #[tokio::test]
    async fn many_callers_make_one_fetch_and_share_its_failure() {
        let shelf = shelf(&clock());
        let fetches = Arc::new(AtomicUsize::new(0));
        let calls = (0..1000).map(|_| {
            let (shelf, fetches) = (shelf.clone(), fetches.clone());
            tokio::spawn(async move {
                let fetch = || async move {
                    fetches.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(RegistryError::Refused { status: 403 })
                };
                shelf.get("key", ALONE, fetch).await
            })
        });
        for call in futures_util::future::join_all(calls).await {
            assert!(matches!(call.unwrap(), Got::Nothing(RegistryError::Refused { .. })));
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_fetch_outlives_the_caller_that_started_it() {
        let shelf = shelf(&clock());
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(7)
        };
        // With something else to answer with, the caller leaves after 50 ms.
        assert!(matches!(
            shelf.get("key", WITH_FALLBACK, slow).await,
            Got::Nothing(RegistryError::TimedOut)
        ));
        let joined = shelf.get("key", ALONE, failing).await;
        assert!(matches!(joined, Got::New(kept) if *kept.value == 7));
    }

    #[tokio::test]
    async fn who_comes_late_to_a_slow_flight_does_not_wait_again() {
        let clock = clock();
        let shelf = shelf(&clock);
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(7)
        };
        let _ = shelf.get("key", WITH_FALLBACK, slow).await;
        clock.advance(PATIENCE.with_fallback);
        let late = shelf.get("key", WITH_FALLBACK, failing);
        // Not a measure of time: a wait would never end before this one does.
        let answered = tokio::time::timeout(Duration::ZERO, late).await;
        assert!(matches!(answered, Ok(Got::Nothing(RegistryError::TimedOut))));
    }

    #[tokio::test]
    async fn a_failure_is_asked_again_only_after_a_while() {
        let clock = clock();
        let shelf = shelf(&clock);
        let _ = shelf.get("key", ALONE, failing).await;
        assert!(matches!(shelf.get("key", ALONE, || async { Ok(7) }).await, Got::Nothing(_)));
        clock.advance(Duration::from_secs(30));
        assert!(matches!(shelf.get("key", ALONE, || async { Ok(7) }).await, Got::New(_)));
    }

    #[tokio::test]
    async fn a_fetch_that_panics_does_not_block_its_key() {
        let clock = clock();
        let shelf = shelf(&clock);
        let fetch = || async { panic!("as a defect would") };
        assert!(matches!(shelf.get("key", ALONE, fetch).await, Got::Nothing(_)));
        assert!(matches!(shelf.get("key", ALONE, || async { Ok(7) }).await, Got::New(_)));
    }

    #[tokio::test]
    async fn f11_what_is_gone_is_gone_when_the_registry_says_so_twice() {
        let clock = clock();
        let shelf = shelf(&clock);
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Manifest }) };
        let _ = shelf.get("key", ALONE, || async { Ok(7) }).await;
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(shelf.get("key", ALONE, gone).await, Got::Stale(_)));
        clock.advance(BELIEVED_AFTER);
        assert!(matches!(
            shelf.get("key", ALONE, gone).await,
            Got::Nothing(RegistryError::NotFound { .. })
        ));
        // It does not come back because the registry falls silent.
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(
            shelf.get("key", ALONE, failing).await,
            Got::Nothing(RegistryError::TimedOut)
        ));
    }

    #[tokio::test]
    async fn f11_what_is_known_from_elsewhere_is_not_gone_at_the_first_word() {
        let clock = clock();
        let shelf = shelf(&clock);
        let terms = Terms { is_expected: true, ..WITH_FALLBACK };
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Repository }) };
        assert!(matches!(
            shelf.get("key", terms, gone).await,
            Got::Nothing(RegistryError::Unavailable { .. })
        ));
        clock.advance(BELIEVED_AFTER);
        assert!(matches!(
            shelf.get("key", terms, gone).await,
            Got::Nothing(RegistryError::NotFound { .. })
        ));
        // What was said in between counts from the beginning.
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(shelf.get("key", terms, || async { Ok(7) }).await, Got::New(_)));
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(shelf.get("key", terms, gone).await, Got::Stale(_)));
    }

    #[tokio::test]
    async fn x13_private_facts_are_forgotten_when_access_is_refused_and_public_ones_are_not() {
        for is_private in [false, true] {
            let clock = clock();
            let shelf = shelf(&clock);
            let terms = Terms { is_private, ..ALONE };
            let refused = || async { Err(RegistryError::Refused { status: 403 }) };
            let _ = shelf.get("key", terms, || async { Ok(7) }).await;
            clock.advance(Duration::from_secs(1000));
            assert_eq!(
                matches!(shelf.get("key", terms, refused).await, Got::Nothing(_)),
                is_private
            );
            assert_eq!(shelf.peek(&"key").is_none(), is_private);
        }
    }

    #[tokio::test]
    async fn a_fact_in_use_is_renewed_before_it_is_no_longer_fresh() {
        let clock = clock();
        let shelf = shelf(&clock);
        let _ = shelf.get("key", ALONE, || async { Ok(7) }).await;
        clock.advance(Duration::from_secs(899));
        // Nobody waits for it, and the next one has it; the place in the last tenth is drawn each
        // time.
        for _ in 0..1000 {
            assert!(matches!(shelf.get("key", ALONE, || async { Ok(8) }).await, Got::Fresh(_)));
            tokio::task::yield_now().await;
        }
        assert!(
            matches!(shelf.get("key", ALONE, failing).await, Got::Fresh(kept) if *kept.value == 8)
        );
    }

    #[tokio::test]
    async fn a_loaded_fact_is_as_old_as_it_says() {
        let clock = clock();
        clock.advance(Duration::from_secs(100_000));
        let get = async |age: i64, later: u64| {
            let shelf = shelf(&clock);
            shelf.load("key", Arc::new(7), clock.now().utc - jiff::SignedDuration::from_secs(age));
            clock.advance(Duration::from_secs(later));
            shelf.get("key", ALONE, failing).await
        };
        assert!(matches!(get(0, 0).await, Got::Fresh(kept) if kept.age_when_loaded.is_some()));
        assert!(matches!(get(900, 0).await, Got::Fresh(_)));
        assert!(matches!(get(899, 2).await, Got::Stale(kept) if *kept.value == 7));
        assert!(matches!(get(7199, 0).await, Got::Stale(_)));
        assert!(matches!(get(7201, 0).await, Got::Nothing(_)));
        assert!(matches!(get(7199, 2).await, Got::Nothing(_)));
        // From the future: of now, and growing older from now on.
        assert!(matches!(get(-50_000, 0).await, Got::Fresh(_)));
        assert!(matches!(get(-50_000, 901).await, Got::Stale(_)));
    }

    #[tokio::test]
    async fn s12_beyond_so_many_flights_only_what_is_kept_is_given() {
        const KEPT: usize = MAX_FLIGHTS;
        let clock = clock();
        let lifetimes = Lifetimes {
            fresh_for: Duration::from_secs(900),
            usable_for: Duration::from_secs(7200),
        };
        let shelf = Arc::new(Shelf::<usize, u32>::new(1 << 20, |_| 4, clock.clone(), lifetimes));
        assert!(matches!(shelf.get(KEPT, ALONE, || async { Ok(7) }).await, Got::New(_)));
        clock.advance(Duration::from_secs(901));
        let never = std::future::pending::<Result<u32, RegistryError>>;
        for key in 0..MAX_FLIGHTS {
            let shelf = shelf.clone();
            tokio::spawn(async move { shelf.get(key, ALONE, never).await });
        }
        while shelf.flights.lock().unwrap().len() < MAX_FLIGHTS {
            tokio::task::yield_now().await;
        }
        assert_eq!(shelf.under_way(), (MAX_FLIGHTS, MAX_FLIGHTS));
        assert!(matches!(shelf.get(KEPT + 1, ALONE, never).await, Got::Overloaded));
        assert!(
            matches!(shelf.get(KEPT, ALONE, never).await, Got::Stale(kept) if *kept.value == 7)
        );
        // Who asks for something that is under way may still wait for it.
        assert!(matches!(
            shelf.get(0, WITH_FALLBACK, never).await,
            Got::Nothing(RegistryError::TimedOut)
        ));
        assert_eq!(shelf.under_way(), (MAX_FLIGHTS, MAX_FLIGHTS), "who has gone does not wait");
    }

    #[tokio::test]
    async fn what_a_registry_says_replaces_what_was_loaded() {
        let clock = clock();
        let shelf = shelf(&clock);
        shelf.load("key", Arc::new(7), clock.now().utc - jiff::SignedDuration::from_secs(1000));
        assert_eq!(shelf.learnt_count(), 0);
        assert!(matches!(shelf.get("key", ALONE, || async { Ok(8) }).await, Got::New(_)));
        let kept = shelf.peek(&"key").unwrap();
        assert_eq!((*kept.value, kept.age_when_loaded, shelf.learnt_count()), (8, None, 1));
    }
}

//! A store in memory for one kind of fact: bounded, fresh for a while, one fetch at a time for a key.
//!
//! The freshness is our own arithmetic on [`Now`]; moka only bounds the memory. A fetch runs in a task
//! of its own, so that a caller that goes away cannot stop it, and its outcome, good or bad, reaches
//! all callers that wait for it. A failure is remembered for a short while, so that a registry that is
//! down is not asked again by every request.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use moka::sync::Cache;
use tokio::runtime::Handle;

use crate::clock::{Clock, Now};
use crate::registry::RegistryError;

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
        Self { value: self.value.clone(), learnt: self.learnt, age_when_loaded: self.age_when_loaded }
    }
}

impl<V> Kept<V> {
    fn age(&self, now: Now) -> Duration {
        now.elapsed.saturating_sub(self.learnt.elapsed).saturating_add(self.age_when_loaded.unwrap_or_default())
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
}

/// How long the caller waits for a registry.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When there is something else to answer with.
    pub with_fallback: Duration,
    /// When there is not.
    pub without_fallback: Duration,
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
type Flight<V> = Shared<BoxFuture<'static, Outcome<V>>>;
type Flights<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// The store.
pub struct Shelf<K, V> {
    kept: Cache<K, Kept<V>>,
    failures: Cache<K, (RegistryError, Duration)>,
    flights: Flights<K, V>,
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

    /// A store of at most `max_bytes`, as `weigh` weighs its values. Fetches run on the runtime that is
    /// current now, which must outlive those that ask.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(max_bytes: u64, weigh: fn(&V) -> usize, clock: Clock, lifetimes: Lifetimes) -> Self {
        let kept = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(move |_, kept: &Kept<V>| u32::try_from(weigh(&kept.value)).unwrap_or(u32::MAX))
            .build();
        let failures = Cache::new(Self::MAX_FAILURES);
        let runtime = Handle::current();
        Self { kept, failures, flights: Flights::default(), learnt_count: Arc::default(), clock, lifetimes, runtime }
    }

    /// Puts in a fact that another process learnt, as old as the wall clock says. One from the future is
    /// taken as of now, and one that is too old to be used is left out.
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

    /// What is kept for the key, whatever its age, without asking anybody.
    pub fn peek(&self, key: &K) -> Option<Kept<V>> {
        self.kept.get(key)
    }

    /// Whether this would be used without asking again.
    pub fn is_fresh(&self, kept: &Kept<V>) -> bool {
        kept.age(self.clock.now()) <= self.lifetimes.fresh_for
    }

    /// The fact for this key: kept if fresh, else from `fetch`, which runs at most once at a time.
    pub async fn get<F>(&self, key: K, patience: Patience, has_fallback: bool, fetch: impl FnOnce() -> F) -> Got<V>
    where
        F: Future<Output = Result<V, RegistryError>> + Send + 'static,
    {
        let now = self.clock.now();
        let kept = self.kept.get(&key).filter(|kept| kept.age(now) <= self.lifetimes.usable_for);
        if let Some(kept) = &kept
            && kept.age(now) <= self.lifetimes.fresh_for
        {
            return Got::Fresh(kept.clone());
        }
        let failed = self.failures.get(&key).filter(|(_, until)| now.elapsed < *until);
        let outcome = match failed {
            Some((error, _)) => Err(error),
            None => {
                let wait =
                    if has_fallback || kept.is_some() { patience.with_fallback } else { patience.without_fallback };
                let flight = self.join(key, fetch);
                tokio::time::timeout(wait, flight).await.unwrap_or(Err(RegistryError::TimedOut))
            }
        };
        match (outcome, kept) {
            (Ok(kept), _) => Got::New(kept),
            // What the registry says is gone is gone; only silence and trouble leave the old fact in use.
            (Err(error @ RegistryError::NotFound { .. }), _) | (Err(error), None) => Got::Nothing(error),
            (Err(_), Some(kept)) => Got::Stale(kept),
        }
    }

    /// The flight for this key: the one under way, or a new one.
    fn join<F>(&self, key: K, fetch: impl FnOnce() -> F) -> Flight<V>
    where
        F: Future<Output = Result<V, RegistryError>> + Send + 'static,
    {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let landing = Landing {
            key: key.clone(),
            flights: self.flights.clone(),
            kept: self.kept.clone(),
            failures: self.failures.clone(),
            learnt_count: self.learnt_count.clone(),
        };
        let (fetch, clock) = (fetch(), self.clock.clone());
        let task = self.runtime.spawn(async move { landing.land(fetch.await, clock.now()) });
        let flight = async move {
            task.await.unwrap_or_else(|_| {
                Err(RegistryError::Invalid { detail: "reading the registry's answer failed inside wintag".to_owned() })
            })
        }
        .boxed()
        .shared();
        flights.insert(key, flight.clone());
        flight
    }
}

/// Ends a flight: keeps its outcome, and clears the key however the fetch ends, also by a panic.
struct Landing<K: Eq + Hash, V> {
    key: K,
    flights: Flights<K, V>,
    kept: Cache<K, Kept<V>>,
    failures: Cache<K, (RegistryError, Duration)>,
    learnt_count: Arc<AtomicU64>,
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
                self.kept.insert(self.key.clone(), kept.clone());
                self.learnt_count.fetch_add(1, Ordering::Relaxed);
                Ok(kept)
            }
            Err(error) => {
                if matches!(error, RegistryError::NotFound { .. }) {
                    // Otherwise it would be there again as soon as the registry falls silent.
                    self.kept.invalidate(&self.key);
                    self.learnt_count.fetch_add(1, Ordering::Relaxed);
                }
                self.failures.insert(self.key.clone(), (error.clone(), now.elapsed + remembered_for(&error)));
                Err(error)
            }
        }
    }
}

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
        RegistryError::RateLimited { retry_after } | RegistryError::Unavailable { retry_after, .. } => {
            retry_after.unwrap_or(TROUBLE)
        }
        RegistryError::NotAllowed { .. } | RegistryError::TimedOut | RegistryError::Invalid { .. } => TROUBLE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::registry::Missing;

    const PATIENCE: Patience =
        Patience { with_fallback: Duration::from_millis(50), without_fallback: Duration::from_secs(5) };

    fn shelf(clock: &Clock) -> Arc<Shelf<&'static str, u32>> {
        let lifetimes = Lifetimes { fresh_for: Duration::from_secs(900), usable_for: Duration::from_secs(7200) };
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
        let get = || shelf.get("key", PATIENCE, false, failing);
        assert!(
            matches!(shelf.get("key", PATIENCE, false, || async { Ok(7) }).await, Got::New(kept) if *kept.value == 7)
        );
        clock.advance(Duration::from_secs(900));
        assert!(matches!(get().await, Got::Fresh(_)));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(get().await, Got::Stale(_)));
        clock.advance(Duration::from_secs(7200));
        assert!(matches!(get().await, Got::Nothing(RegistryError::TimedOut)));
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
                shelf.get("key", PATIENCE, false, fetch).await
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
        assert!(matches!(shelf.get("key", PATIENCE, true, slow).await, Got::Nothing(RegistryError::TimedOut)));
        let joined = shelf.get("key", PATIENCE, false, failing).await;
        assert!(matches!(joined, Got::New(kept) if *kept.value == 7));
    }

    #[tokio::test]
    async fn a_failure_is_asked_again_only_after_a_while() {
        let clock = clock();
        let shelf = shelf(&clock);
        let _ = shelf.get("key", PATIENCE, false, failing).await;
        assert!(matches!(shelf.get("key", PATIENCE, false, || async { Ok(7) }).await, Got::Nothing(_)));
        clock.advance(Duration::from_secs(30));
        assert!(matches!(shelf.get("key", PATIENCE, false, || async { Ok(7) }).await, Got::New(_)));
    }

    #[tokio::test]
    async fn a_fetch_that_panics_does_not_block_its_key() {
        let clock = clock();
        let shelf = shelf(&clock);
        let fetch = || async { panic!("as a defect would") };
        assert!(matches!(shelf.get("key", PATIENCE, false, fetch).await, Got::Nothing(_)));
        assert!(matches!(shelf.get("key", PATIENCE, false, || async { Ok(7) }).await, Got::New(_)));
    }

    #[tokio::test]
    async fn what_is_gone_is_not_answered_from_memory() {
        let clock = clock();
        let shelf = shelf(&clock);
        let _ = shelf.get("key", PATIENCE, false, || async { Ok(7) }).await;
        clock.advance(Duration::from_secs(1000));
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Manifest }) };
        assert!(matches!(shelf.get("key", PATIENCE, false, gone).await, Got::Nothing(RegistryError::NotFound { .. })));
        clock.advance(Duration::from_secs(300));
        assert!(matches!(shelf.get("key", PATIENCE, false, failing).await, Got::Nothing(RegistryError::TimedOut)));
        assert!(shelf.usable().is_empty());
    }

    /// Ages in seconds: fresh for 900, usable for 7200.
    #[tokio::test]
    async fn a_loaded_fact_is_as_old_as_it_says() {
        let clock = clock();
        clock.advance(Duration::from_secs(100_000));
        let get = async |age: i64, later: u64| {
            let shelf = shelf(&clock);
            shelf.load("key", Arc::new(7), clock.now().utc - jiff::SignedDuration::from_secs(age));
            clock.advance(Duration::from_secs(later));
            shelf.get("key", PATIENCE, false, failing).await
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
    async fn what_a_registry_says_replaces_what_was_loaded() {
        let clock = clock();
        let shelf = shelf(&clock);
        shelf.load("key", Arc::new(7), clock.now().utc - jiff::SignedDuration::from_secs(1000));
        assert_eq!(shelf.learnt_count(), 0);
        assert!(matches!(shelf.get("key", PATIENCE, false, || async { Ok(8) }).await, Got::New(_)));
        let kept = shelf.peek(&"key").unwrap();
        assert_eq!((*kept.value, kept.age_when_loaded, shelf.learnt_count()), (8, None, 1));
    }
}

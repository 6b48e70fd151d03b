//! A cache for one kind of fact: each entry is fresh for a while, and there is one fetch at a time
//! for a key.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::caller::note_private;
use super::entries::CacheEntry;
use super::single_flight::{Flight, Key, NoOutcome, SingleFlight};
use super::store::{FetchPolicy, Store};
use crate::clock::{Clock, Now};
use crate::registry::{Received, RegistryError};

/// The result of a lookup.
#[derive(Debug)]
pub enum Lookup<V> {
    /// Not in the cache; fetched just now.
    Fetched(CacheEntry<V>),
    /// In the cache, and still fresh.
    Fresh(CacheEntry<V>),
    /// In the cache and no longer fresh; the registry did not answer, or not yet.
    Stale(CacheEntry<V>),
    /// Not in the cache; the registry refused, failed or did not answer in time.
    Failed(RegistryError),
    /// Not in the cache and not fetched: too many fetches are under way at the registry
    /// (`MAX_FLIGHTS_PER_REGISTRY`).
    Overloaded,
}

/// How long entries are fresh and usable.
#[derive(Clone, Copy, Debug)]
pub struct EntryTtl {
    /// How long an entry is used without fetching it again.
    pub fresh: Duration,
    /// How long an entry is used when it cannot be fetched again.
    pub usable: Duration,
}

type Outcome<V> = Result<CacheEntry<V>, RegistryError>;

/// The cache.
pub struct Cache<K, V> {
    store: Store<K, V>,
    flights: SingleFlight<K, Outcome<V>>,
    clock: Clock,
    ttl: EntryTtl,
}

impl<K: Key, V> Cache<K, V>
where
    V: Send + Sync + 'static,
{
    /// A cache of at most `max_bytes`, as `weigh` weighs its values. Fetches run on the current
    /// runtime, which must outlive the callers.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(max_bytes: u64, weigh: fn(&V) -> usize, clock: Clock, ttl: EntryTtl) -> Self {
        Self { store: Store::new(max_bytes, weigh), flights: SingleFlight::new(), clock, ttl }
    }

    /// Puts in a fact that another process learnt, as old as the wall clock says. The age of one
    /// from the future is unknown, so that it is stale; one that is too old to be used is left out.
    pub fn load(&self, key: K, value: Arc<V>, learnt: Timestamp, is_reserved: bool) {
        let now = self.clock.now();
        let just_stale = self.ttl.fresh.saturating_add(Duration::from_secs(1));
        let (learnt, age) = match Duration::try_from(now.utc.duration_since(learnt)) {
            Ok(age) => (learnt, age),
            Err(_) => {
                // So that the snapshot is written anew, and the next process knows that age.
                self.store.revision.fetch_add(1, Ordering::Relaxed);
                (now.utc.saturating_sub(just_stale).unwrap_or(Timestamp::MIN), just_stale)
            }
        };
        if age <= self.ttl.usable {
            let learnt = Now { utc: learnt, elapsed: now.elapsed };
            let is_private = false;
            let entry = CacheEntry { value, learnt, age_when_loaded: Some(age), is_private };
            self.store.entries.insert(key, entry, is_reserved);
        }
    }

    /// Replaces a value by another form of the same fact, unless there is a newer one by now.
    pub fn replace_value(&self, key: &K, old: &Arc<V>, new: Arc<V>, is_reserved: bool) {
        if let Some(entry) = self.last(key).filter(|entry| Arc::ptr_eq(&entry.value, old)) {
            self.store.entries.insert(key.clone(), CacheEntry { value: new, ..entry }, is_reserved);
        }
    }

    /// All entries that may still be used. They are gathered as the iterator advances.
    pub fn usable(&self) -> impl Iterator<Item = (Arc<K>, CacheEntry<V>)> {
        let now = self.clock.now();
        self.store.entries.iter().filter(move |(_, entry)| entry.age(now) <= self.ttl.usable)
    }

    /// Grows whenever a registry gives something that changes the entries.
    pub fn revision(&self) -> u64 {
        self.store.revision.load(Ordering::Relaxed)
    }

    /// The entry for the key if it may still be used, without fetching anything.
    pub fn peek(&self, key: &K) -> Option<CacheEntry<V>> {
        self.usable_at(key, self.clock.now())
    }

    /// As [`Self::peek`]; the entry, also a later one, goes into the reserved part of the cache.
    pub fn peek_and_reserve(&self, key: &K) -> Option<CacheEntry<V>> {
        self.store.entries.reserve(key);
        self.peek(key)
    }

    /// The usable value for the key, or the one that is being fetched, without fetching anything.
    pub fn soon(&self, key: &K) -> impl Future<Output = Option<Arc<V>>> + Send + use<K, V> {
        let flight = self.flights.under_way(key);
        let entry = self.peek(key);
        async move {
            let entry = match flight {
                Some(flight) => flight.outcome.await?.ok(),
                None => entry,
            };
            entry.map(|entry| entry.value)
        }
    }

    /// The value for the key, if the registry gave it less than this time ago.
    pub fn younger_than(&self, key: &K, age: Duration) -> Option<Arc<V>> {
        let now = self.clock.now();
        self.store.entries.get(key).filter(|entry| entry.age(now) < age).map(|entry| entry.value)
    }

    /// The last entry for the key, even if it is too old to be used.
    pub fn last(&self, key: &K) -> Option<CacheEntry<V>> {
        self.store.entries.get(key)
    }

    /// Whether this entry would be used without fetching it again.
    pub fn is_fresh(&self, entry: &CacheEntry<V>) -> bool {
        entry.age(self.clock.now()) <= self.ttl.fresh
    }

    /// How many fetches are under way, and how many callers wait for one.
    pub fn in_flight(&self) -> (usize, usize) {
        self.flights.counts()
    }

    /// The fact for this key: from the cache if fresh, else from `fetch`, which runs at most once
    /// at a time.
    pub async fn get<F>(&self, key: K, policy: FetchPolicy, fetch: impl FnOnce() -> F) -> Lookup<V>
    where
        F: Future<Output = Result<Received<V>, RegistryError>> + Send + 'static,
    {
        let now = self.clock.now();
        let entry = self.usable_at(&key, now);
        if let Some(entry) = entry.as_ref().filter(|entry| entry.age(now) <= self.ttl.fresh) {
            // An entry in use is refreshed in the background shortly before its TTL ends, so that
            // no caller waits for it.
            if entry.age(now) >= self.refresh_age() && self.store.failure(&key, now).is_none() {
                drop(self.fetch_once(key, now, policy, fetch));
            }
            return Lookup::Fresh(entry.clone());
        }
        let outcome = match self.store.failure(&key, now) {
            Some(error) => Err(error),
            None => {
                let Some(flight) = self.fetch_once(key.clone(), now, policy, fetch) else {
                    return entry.map_or(Lookup::Overloaded, Lookup::Stale);
                };
                let limit = if policy.has_fallback || entry.is_some() {
                    // A caller that joins a slow flight late does not wait the whole time again.
                    let since = now.elapsed.saturating_sub(flight.started);
                    policy.wait.with_fallback.saturating_sub(since)
                } else {
                    policy.wait.without_fallback
                };
                match self.flights.wait(flight, limit).await {
                    Ok(outcome) => outcome,
                    Err(NoOutcome::Panicked) => Err(RegistryError::Invalid {
                        detail: "reading the registry's answer failed inside wintag".to_owned(),
                    }),
                    Err(NoOutcome::TimedOut) => Err(RegistryError::TimedOut),
                }
            }
        };
        match outcome {
            Ok(entry) => Lookup::Fetched(noted(entry)),
            // An entry that was evicted meanwhile, because the fact is gone or access was refused,
            // is not used any more.
            Err(error) => match entry.filter(|_| self.store.entries.has(&key)) {
                Some(entry) => Lookup::Stale(entry),
                None => Lookup::Failed(error),
            },
        }
    }

    /// Starts to fetch a fact that is neither fresh nor in the negative cache, and waits for
    /// nothing.
    pub fn prefetch<F>(&self, key: K, policy: FetchPolicy, fetch: impl FnOnce() -> F)
    where
        F: Future<Output = Result<Received<V>, RegistryError>> + Send + 'static,
    {
        let now = self.clock.now();
        let is_fresh = |entry: CacheEntry<V>| entry.age(now) <= self.ttl.fresh;
        if !self.usable_at(&key, now).is_some_and(is_fresh)
            && self.store.failure(&key, now).is_none()
        {
            drop(self.fetch_once(key, now, policy, fetch));
        }
    }

    /// The fetch for this key: the one under way, or a new one unless there are too many.
    fn fetch_once<F>(
        &self,
        key: K,
        now: Now,
        policy: FetchPolicy,
        fetch: impl FnOnce() -> F,
    ) -> Option<Flight<Outcome<V>>>
    where
        F: Future<Output = Result<Received<V>, RegistryError>> + Send + 'static,
    {
        let just_fetched = || {
            let entry = self.store.entries.get(&key)?;
            let is_new = entry.learnt.elapsed >= now.elapsed && entry.age_when_loaded.is_none();
            is_new.then_some(Ok(entry))
        };
        let (store, clock, of_store) = (self.store.clone(), self.clock.clone(), key.clone());
        let work = || {
            let fetch = fetch();
            async move {
                match fetch.await {
                    Ok(received) => {
                        Ok(store.record_success(of_store, received, policy, clock.now()))
                    }
                    Err(error) => Err(store.record_failure(of_store, error, policy, clock.now())),
                }
            }
        };
        self.flights.join(key.clone(), now.elapsed, just_fetched, work)
    }

    fn usable_at(&self, key: &K, now: Now) -> Option<CacheEntry<V>> {
        self.store.entries.get(key).filter(|entry| entry.age(now) <= self.ttl.usable).map(noted)
    }

    /// The age at which an entry in use is refreshed: in the last tenth of its TTL (as unbound
    /// prefetches), at a random point, so that entries learnt together are not refreshed together.
    fn refresh_age(&self) -> Duration {
        self.ttl.fresh.mul_f64(0.9 + 0.1 * fastrand::f64())
    }
}

/// The entry, after a note for the caller that it is private if it is.
pub fn noted<V>(entry: CacheEntry<V>) -> CacheEntry<V> {
    if entry.is_private {
        note_private();
    }
    entry
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::catalogue::single_flight::MAX_FLIGHTS_PER_REGISTRY;
    use crate::catalogue::store::{GONE_CONFIRMATION_INTERVAL, WaitLimits};
    use crate::registry::Missing;

    /// The registry is what is before the slash.
    impl Key for &'static str {
        fn registry(&self) -> &str {
            self.split('/').next().unwrap_or_default()
        }
    }

    /// All are of one registry.
    impl Key for usize {
        fn registry(&self) -> &str {
            ""
        }
    }

    const WAIT: WaitLimits = WaitLimits {
        with_fallback: Duration::from_millis(50),
        without_fallback: Duration::from_secs(5),
    };
    const ALONE: FetchPolicy =
        FetchPolicy { wait: WAIT, has_fallback: false, is_expected: false, is_reserved: false };
    const WITH_FALLBACK: FetchPolicy = FetchPolicy { has_fallback: true, ..ALONE };

    fn cache(clock: &Clock) -> Arc<Cache<&'static str, u32>> {
        let ttl = EntryTtl { fresh: Duration::from_secs(900), usable: Duration::from_secs(7200) };
        Arc::new(Cache::new(1 << 20, |_| 4, clock.clone(), ttl))
    }

    fn clock() -> Clock {
        Clock::manual("2026-08-12T00:00:00Z".parse().unwrap())
    }

    type Fetched = Result<Received<u32>, RegistryError>;

    fn public(value: u32) -> Fetched {
        Ok(Received { value, with_credentials: false })
    }

    async fn failing() -> Fetched {
        Err(RegistryError::TimedOut)
    }

    #[tokio::test]
    async fn a_fact_is_new_then_fresh_then_stale_then_gone() {
        let clock = clock();
        let cache = cache(&clock);
        let get = || cache.get("key", ALONE, failing);
        let first = cache.get("key", ALONE, || async { public(7) }).await;
        assert!(matches!(first, Lookup::Fetched(entry) if *entry.value == 7));
        clock.advance(Duration::from_secs(900));
        assert!(matches!(get().await, Lookup::Fresh(_)));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(get().await, Lookup::Stale(_)));
        assert!(cache.peek(&"key").is_some());
        clock.advance(Duration::from_secs(7200));
        assert!(matches!(get().await, Lookup::Failed(RegistryError::TimedOut)));
        assert!(cache.peek(&"key").is_none());
    }

    #[tokio::test]
    async fn many_callers_make_one_fetch_and_share_its_failure() {
        let cache = cache(&clock());
        let fetches = Arc::new(AtomicUsize::new(0));
        let calls = (0..1000).map(|_| {
            let (cache, fetches) = (cache.clone(), fetches.clone());
            tokio::spawn(async move {
                let fetch = || async move {
                    fetches.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(RegistryError::Refused { status: 403 })
                };
                cache.get("key", ALONE, fetch).await
            })
        });
        for call in futures_util::future::join_all(calls).await {
            assert!(matches!(call.unwrap(), Lookup::Failed(RegistryError::Refused { .. })));
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_fetch_outlives_the_caller_that_started_it() {
        let cache = cache(&clock());
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            public(7)
        };
        // With something else to answer with, the caller leaves after 50 ms.
        assert!(matches!(
            cache.get("key", WITH_FALLBACK, slow).await,
            Lookup::Failed(RegistryError::TimedOut)
        ));
        let joined = cache.get("key", ALONE, failing).await;
        assert!(matches!(joined, Lookup::Fetched(entry) if *entry.value == 7));
    }

    #[tokio::test]
    async fn a_caller_that_joins_a_slow_flight_late_does_not_wait_again() {
        let clock = clock();
        let cache = cache(&clock);
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            public(7)
        };
        let _ = cache.get("key", WITH_FALLBACK, slow).await;
        clock.advance(WAIT.with_fallback);
        let late = cache.get("key", WITH_FALLBACK, failing);
        assert!(matches!(late.now_or_never(), Some(Lookup::Failed(RegistryError::TimedOut))));
    }

    #[tokio::test]
    async fn a_failure_is_retried_only_after_its_ttl() {
        let clock = clock();
        let cache = cache(&clock);
        let _ = cache.get("key", ALONE, failing).await;
        assert!(matches!(cache.get("key", ALONE, || async { public(7) }).await, Lookup::Failed(_)));
        clock.advance(Duration::from_secs(30));
        assert!(matches!(
            cache.get("key", ALONE, || async { public(7) }).await,
            Lookup::Fetched(_)
        ));
    }

    #[tokio::test]
    async fn h04_the_limit_of_one_client_is_no_failure_for_another() {
        let cache = cache(&clock());
        let retry_after = Duration::from_secs(60);
        let over = RegistryError::Suspended { detail: "over", retry_after, is_of_client: true };
        let over = cache.get("key", ALONE, || async { Err(over) }).await;
        assert!(matches!(over, Lookup::Failed(RegistryError::Suspended { .. })));
        assert!(matches!(
            cache.get("key", ALONE, || async { public(7) }).await,
            Lookup::Fetched(_)
        ));
    }

    #[tokio::test]
    async fn a_fetch_that_panics_does_not_block_its_key() {
        let clock = clock();
        let cache = cache(&clock);
        let fetch = || async { panic!("as a defect would") };
        assert!(matches!(cache.get("key", ALONE, fetch).await, Lookup::Failed(_)));
        assert!(matches!(
            cache.get("key", ALONE, || async { public(7) }).await,
            Lookup::Fetched(_)
        ));
    }

    #[tokio::test]
    async fn f11_a_404_is_believed_when_the_registry_repeats_it() {
        let clock = clock();
        let cache = cache(&clock);
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Manifest }) };
        let _ = cache.get("key", ALONE, || async { public(7) }).await;
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(cache.get("key", ALONE, gone).await, Lookup::Stale(_)));
        clock.advance(GONE_CONFIRMATION_INTERVAL);
        assert!(matches!(
            cache.get("key", ALONE, gone).await,
            Lookup::Failed(RegistryError::NotFound { .. })
        ));
        // It does not come back when the registry stops answering.
        clock.advance(Duration::from_secs(1000));
        assert!(matches!(
            cache.get("key", ALONE, failing).await,
            Lookup::Failed(RegistryError::TimedOut)
        ));
    }

    #[tokio::test]
    async fn f11_the_first_404_for_an_expected_fact_is_not_believed() {
        let cache = cache(&clock());
        let policy = FetchPolicy { is_expected: true, ..ALONE };
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Repository }) };
        cache.load(
            "key",
            Arc::new(7),
            cache.clock.now().utc - jiff::SignedDuration::from_hours(1),
            false,
        );
        assert!(matches!(cache.get("key", policy, gone).await, Lookup::Stale(_)));
    }

    #[tokio::test]
    async fn h13_no_404_removes_an_expected_fact_and_the_registry_is_soon_asked_again() {
        let clock = clock();
        let cache = cache(&clock);
        let policy = FetchPolicy { is_expected: true, ..ALONE };
        let gone = || async { Err(RegistryError::NotFound { what: Missing::Repository }) };
        let _ = cache.get("key", policy, || async { public(7) }).await;
        clock.advance(Duration::from_secs(1000));
        for _ in 0..3 {
            assert!(matches!(cache.get("key", policy, gone).await, Lookup::Stale(_)));
            clock.advance(GONE_CONFIRMATION_INTERVAL);
        }
        let back = cache.get("key", policy, || async { public(8) }).await;
        assert!(matches!(back, Lookup::Fetched(entry) if *entry.value == 8));
        // Also where the embedded catalogue answers and the cache has nothing.
        let cold = cache.get("cold", policy, gone).await;
        assert!(matches!(cold, Lookup::Failed(RegistryError::NotFound { .. })));
        clock.advance(GONE_CONFIRMATION_INTERVAL);
        assert!(matches!(
            cache.get("cold", policy, || async { public(8) }).await,
            Lookup::Fetched(_)
        ));
    }

    #[tokio::test]
    async fn x13_private_facts_are_evicted_when_access_is_refused_and_public_ones_are_not() {
        for is_private in [false, true] {
            let clock = clock();
            let cache = cache(&clock);
            let refused = || async { Err(RegistryError::Refused { status: 403 }) };
            let received = Ok(Received { value: 7, with_credentials: is_private });
            let _ = cache.get("key", ALONE, || async { received }).await;
            clock.advance(Duration::from_secs(1000));
            assert_eq!(
                matches!(cache.get("key", ALONE, refused).await, Lookup::Failed(_)),
                is_private
            );
            assert_eq!(cache.peek(&"key").is_none(), is_private);
        }
    }

    #[tokio::test]
    async fn a_fact_in_use_is_refreshed_before_its_ttl_ends() {
        let clock = clock();
        let cache = cache(&clock);
        let _ = cache.get("key", ALONE, || async { public(7) }).await;
        clock.advance(Duration::from_secs(899));
        // No caller waits for it, and a later one gets it; the point in the last tenth is random.
        for _ in 0..1000 {
            assert!(matches!(
                cache.get("key", ALONE, || async { public(8) }).await,
                Lookup::Fresh(_)
            ));
            tokio::task::yield_now().await;
        }
        let last = cache.get("key", ALONE, failing).await;
        assert!(matches!(last, Lookup::Fresh(entry) if *entry.value == 8));
    }

    #[tokio::test]
    async fn a_loaded_fact_is_as_old_as_it_says() {
        let clock = clock();
        clock.advance(Duration::from_secs(100_000));
        let get = async |age: i64, later: u64| {
            let cache = cache(&clock);
            cache.load(
                "key",
                Arc::new(7),
                clock.now().utc - jiff::SignedDuration::from_secs(age),
                false,
            );
            clock.advance(Duration::from_secs(later));
            cache.get("key", ALONE, failing).await
        };
        assert!(matches!(get(0, 0).await, Lookup::Fresh(entry) if entry.age_when_loaded.is_some()));
        assert!(matches!(get(900, 0).await, Lookup::Fresh(_)));
        assert!(matches!(get(899, 2).await, Lookup::Stale(entry) if *entry.value == 7));
        assert!(matches!(get(7199, 0).await, Lookup::Stale(_)));
        assert!(matches!(get(7201, 0).await, Lookup::Failed(_)));
        assert!(matches!(get(7199, 2).await, Lookup::Failed(_)));
    }

    #[tokio::test]
    async fn s12_beyond_the_limit_of_flights_only_cached_entries_are_given() {
        const MAX_FLIGHTS: usize = MAX_FLIGHTS_PER_REGISTRY;
        const CACHED: usize = MAX_FLIGHTS;
        let clock = clock();
        let ttl = EntryTtl { fresh: Duration::from_secs(900), usable: Duration::from_secs(7200) };
        let cache = Arc::new(Cache::<usize, u32>::new(1 << 20, |_| 4, clock.clone(), ttl));
        assert!(matches!(
            cache.get(CACHED, ALONE, || async { public(7) }).await,
            Lookup::Fetched(_)
        ));
        clock.advance(Duration::from_secs(901));
        let never = std::future::pending::<Fetched>;
        for key in 0..MAX_FLIGHTS {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get(key, ALONE, never).await });
        }
        while cache.in_flight().0 < MAX_FLIGHTS {
            tokio::task::yield_now().await;
        }
        assert_eq!(cache.in_flight(), (MAX_FLIGHTS, MAX_FLIGHTS));
        assert!(matches!(cache.get(CACHED + 1, ALONE, never).await, Lookup::Overloaded));
        let stale = cache.get(CACHED, ALONE, never).await;
        assert!(matches!(stale, Lookup::Stale(entry) if *entry.value == 7));
        // A caller may still wait for a fetch that is under way.
        assert!(matches!(
            cache.get(0, WITH_FALLBACK, never).await,
            Lookup::Failed(RegistryError::TimedOut)
        ));
        assert_eq!(
            cache.in_flight(),
            (MAX_FLIGHTS, MAX_FLIGHTS),
            "a caller that has left is not counted"
        );
    }

    #[tokio::test]
    async fn h18_a_loaded_fact_from_the_future_is_stale_and_grows_older() {
        let (clock, later) = (clock(), jiff::SignedDuration::from_hours(24 * 30));
        let cache = cache(&clock);
        cache.load("key", Arc::new(7), clock.now().utc + later, false);
        let loaded = cache.get("key", ALONE, failing).await;
        assert!(matches!(&loaded, Lookup::Stale(entry) if *entry.value == 7));
        let Lookup::Stale(entry) = loaded else { return };
        assert!(entry.learnt.utc < clock.now().utc);
        assert_eq!(cache.revision(), 1, "it is written anew");
        clock.advance(Duration::from_secs(7200 - 900 - 1));
        assert!(cache.peek(&"key").is_some());
        clock.advance(Duration::from_secs(1));
        assert!(cache.peek(&"key").is_none());
    }

    #[tokio::test]
    async fn h08_each_registry_has_its_own_flights() {
        let cache = cache(&clock());
        let never = std::future::pending::<Fetched>;
        for number in 0..MAX_FLIGHTS_PER_REGISTRY {
            cache.prefetch(format!("slow/{number}").leak(), ALONE, never);
        }
        assert!(matches!(cache.get("slow/more", ALONE, never).await, Lookup::Overloaded));
        let other = cache.get("well/x", ALONE, || async { public(7) }).await;
        assert!(matches!(other, Lookup::Fetched(_)));
    }

    #[tokio::test]
    async fn a_fetched_fact_replaces_a_loaded_one() {
        let clock = clock();
        let cache = cache(&clock);
        cache.load(
            "key",
            Arc::new(7),
            clock.now().utc - jiff::SignedDuration::from_secs(1000),
            false,
        );
        assert_eq!(cache.revision(), 0);
        assert!(matches!(
            cache.get("key", ALONE, || async { public(8) }).await,
            Lookup::Fetched(_)
        ));
        let entry = cache.peek(&"key").unwrap();
        assert_eq!((*entry.value, entry.age_when_loaded, cache.revision()), (8, None, 1));
    }
}

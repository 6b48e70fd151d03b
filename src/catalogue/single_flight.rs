//! Single flight: of all callers that want the same thing at the same time, one starts the work and
//! all of them share its outcome.
//!
//! The work runs in a task of its own, so that it outlives the caller that started it: a client
//! that hangs up must neither cancel what others wait for nor make them start over. The functions
//! of moka do one or the other: `and_try_compute_with` repeats a failed fetch for each waiter, and
//! `try_get_with` starts over when its first caller is dropped.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::runtime::Handle;

use crate::images::Repository;
use crate::registry::Wanted;
use crate::telemetry::in_current_trace;

/// The most flights for one registry at a time; any number of callers may wait for each. A registry
/// gets three requests at a time, so that one that takes half a second for each answers about as
/// many within the ten seconds that a caller waits: any more would wait in vain. Each registry has
/// its own, so that a slow one takes nothing from the others.
pub const MAX_FLIGHTS_PER_REGISTRY: usize = 64;

/// What facts are kept by.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// The registry that has the fact.
    fn registry(&self) -> &str;
}

impl Key for Repository {
    fn registry(&self) -> &str {
        self.registry()
    }
}

impl Key for (Repository, Wanted) {
    fn registry(&self) -> &str {
        self.0.registry()
    }
}

type Flights<K, T> = Arc<Mutex<HashMap<K, Flight<T>>>>;

/// The work under way, by key.
pub struct SingleFlight<K, T> {
    flights: Flights<K, T>,
    waiting: AtomicUsize,
    runtime: Handle,
}

/// Why a caller gets no outcome.
#[derive(Clone, Copy, Debug)]
pub enum NoOutcome {
    TimedOut,
    Panicked,
}

/// Work under way or just done.
#[derive(Clone)]
pub struct Flight<T> {
    /// `None` when the work panicked.
    pub outcome: Shared<BoxFuture<'static, Option<T>>>,
    /// When it started, on the monotonic clock of the caller.
    pub started: Duration,
}

impl<K: Key, T> SingleFlight<K, T>
where
    T: Clone + Send + Sync + 'static,
{
    /// No flights yet. Work runs on the current runtime, which must outlive the callers.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new() -> Self {
        Self {
            flights: Flights::default(),
            waiting: AtomicUsize::new(0),
            runtime: Handle::current(),
        }
    }

    /// The flight for this key: the one under way or a new one; `None` when
    /// [`MAX_FLIGHTS_PER_REGISTRY`] are under way.
    ///
    /// `just_done` is asked under the lock, so that work which ended between the caller's own look
    /// and this call is not done again: work stores its outcome before its flight is removed.
    pub fn join<F>(
        &self,
        key: K,
        now: Duration,
        just_done: impl FnOnce() -> Option<T>,
        work: impl FnOnce() -> F,
    ) -> Option<Flight<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key) {
            return Some(flight.clone());
        }
        if let Some(outcome) = just_done() {
            let outcome = std::future::ready(Some(outcome)).boxed().shared();
            return Some(Flight { outcome, started: now });
        }
        let of_registry = flights.keys().filter(|other| other.registry() == key.registry());
        if of_registry.count() >= MAX_FLIGHTS_PER_REGISTRY {
            return None;
        }
        let removal = RemoveOnDrop { key: key.clone(), flights: Arc::clone(&self.flights) };
        let work = in_current_trace(work());
        let task = self.runtime.spawn(async move {
            let _removal = removal;
            work.await
        });
        let outcome = async { task.await.ok() }.boxed().shared();
        let flight = Flight { outcome, started: now };
        flights.insert(key, flight.clone());
        Some(flight)
    }

    /// The flight for this key that is under way.
    pub fn under_way(&self, key: &K) -> Option<Flight<T>> {
        lock(&self.flights).get(key).cloned()
    }

    /// Waits for the outcome of a flight, at most for this time.
    ///
    /// # Errors
    /// When the time is over first, in which case the flight goes on, or when the work panicked.
    pub async fn wait(&self, flight: Flight<T>, limit: Duration) -> Result<T, NoOutcome> {
        let _counted = CountWhileAlive::new(&self.waiting);
        let outcome = if limit.is_zero() {
            // A timer would still wait for its next tick.
            flight.outcome.now_or_never().ok_or(NoOutcome::TimedOut)?
        } else {
            let waited = tokio::time::timeout(limit, flight.outcome).await;
            waited.map_err(|_| NoOutcome::TimedOut)?
        };
        outcome.ok_or(NoOutcome::Panicked)
    }

    /// How many flights are under way, and how many callers wait for one.
    pub fn counts(&self) -> (usize, usize) {
        (lock(&self.flights).len(), self.waiting.load(Ordering::Relaxed))
    }
}

/// Removes a flight however its work ends, also by a panic or with the runtime.
struct RemoveOnDrop<K: Eq + Hash, T> {
    key: K,
    flights: Flights<K, T>,
}

impl<K: Eq + Hash, T> Drop for RemoveOnDrop<K, T> {
    fn drop(&mut self) {
        lock(&self.flights).remove(&self.key);
    }
}

/// Counts a caller until it has its outcome or goes away.
struct CountWhileAlive<'a>(&'a AtomicUsize);

impl<'a> CountWhileAlive<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for CountWhileAlive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A map of flights is never left half changed, so one whose holder panicked is still good.
fn lock<K, T>(flights: &Flights<K, T>) -> MutexGuard<'_, HashMap<K, Flight<T>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

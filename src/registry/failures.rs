//! Failures in a row: of a registry, and of each of its repositories.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// Consecutive failures that open a circuit (Envoy's outlier detection has the same figure).
pub(super) const MAX_FAILURES: u32 = 5;
/// How long a circuit is open the first time; each further time twice as long.
pub(super) const MIN_OPEN_INTERVAL: Duration = Duration::from_secs(30);
/// A circuit is never open for longer than this, unless the registry asks for it. Also the longest
/// wait that a request over the rate limit is given.
pub(super) const MAX_OPEN_INTERVAL: Duration = Duration::from_secs(300);

/// Repositories of a registry whose failures are counted. One more replaces the one whose circuit
/// closes first, which then costs the registry a few requests more. Ours.
const MAX_REPOSITORIES: usize = 256;
/// Slots for questions that were answered. Of two questions for one slot the last is kept. Ours: a
/// refresh of all repositories in use takes about 100 questions.
const ANSWERED_SLOTS: usize = 2048;

/// Failures in a row, and until when the circuit is open because of them.
pub(super) struct Failures {
    count: u32,
    /// Empty while the circuit is closed. After that moment the circuit is half-open.
    pub open_until: Option<Instant>,
    /// Whether the registry asked for that.
    pub is_requested: bool,
    next_open_interval: Duration,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            count: 0,
            open_until: None,
            is_requested: false,
            next_open_interval: MIN_OPEN_INTERVAL,
        }
    }
}

impl Failures {
    /// Counts a failure; opens the circuit after too many, or `at_once`.
    pub(super) fn add(&mut self, at_once: bool, now: Instant) {
        self.count = self.count.saturating_add(1);
        // Otherwise it was under way when another request opened the circuit, and adds nothing.
        let is_news = self.open_until.is_none_or(|until| now >= until);
        if is_news && (at_once || self.count >= MAX_FAILURES) {
            self.open_until = Some(now + self.next_open_interval);
            self.is_requested = false;
            self.next_open_interval = (self.next_open_interval * 2).min(MAX_OPEN_INTERVAL);
        }
    }

    /// Keeps to the time for which the registry asked: it knows how long it needs, and several
    /// requests for a second are no reason for minutes.
    pub(super) fn pause(&mut self, until: Instant) {
        self.open_until = Some(until);
        self.is_requested = true;
    }
}

/// The failures of each repository that failed last.
#[derive(Default)]
pub(super) struct RepositoryFailures(HashMap<String, Failures>);

impl RepositoryFailures {
    /// Until when the circuit of this repository is or was open.
    pub(super) fn open_until(&self, repository: &str) -> Option<Instant> {
        self.0.get(repository)?.open_until
    }

    /// Counts a failure of this repository.
    pub(super) fn add(&mut self, repository: &str, now: Instant) {
        if let Some(failures) = self.0.get_mut(repository) {
            return failures.add(false, now);
        }
        if self.0.len() >= MAX_REPOSITORIES {
            let first = self.0.iter().min_by_key(|(_, failures)| failures.open_until);
            let first = first.map(|(repository, _)| repository.clone());
            first.and_then(|repository| self.0.remove(&repository));
        }
        self.0.entry(repository.to_owned()).or_default().add(false, now);
    }

    /// Closes the circuit of this repository.
    pub(super) fn close(&mut self, repository: &str) {
        self.0.remove(repository);
    }
}

/// The questions to a registry, by the path of their URL, that were answered with content: what is
/// there, and not a name that a client made up.
pub(super) struct AnsweredQuestions {
    slots: Box<[Option<u64>]>,
    hasher: RandomState,
    pub is_empty: bool,
}

impl AnsweredQuestions {
    pub(super) fn new() -> Self {
        let slots = vec![None; ANSWERED_SLOTS].into_boxed_slice();
        Self { slots, hasher: RandomState::new(), is_empty: true }
    }

    /// Remembers a question.
    pub(super) fn add(&mut self, path: &str) {
        let (slot, hash) = self.place(path);
        self.slots[slot] = Some(hash);
        self.is_empty = false;
    }

    /// Whether this question was answered, as far as it is remembered.
    pub(super) fn contains(&self, path: &str) -> bool {
        let (slot, hash) = self.place(path);
        self.slots[slot] == Some(hash)
    }

    fn place(&self, path: &str) -> (usize, u64) {
        let hash = self.hasher.hash_one(path);
        (hash as usize % ANSWERED_SLOTS, hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h07_the_repositories_are_bounded_and_open_circuits_are_kept() {
        let now = Instant::now();
        let mut failures = RepositoryFailures::default();
        for _ in 0..MAX_FAILURES {
            failures.add("open", now);
        }
        for number in 0..MAX_REPOSITORIES * 2 {
            failures.add(&number.to_string(), now);
        }
        assert_eq!(failures.0.len(), MAX_REPOSITORIES);
        assert_eq!(failures.open_until("open"), Some(now + MIN_OPEN_INTERVAL));
        // All are open: the first to close makes room.
        let later = now + MIN_OPEN_INTERVAL / 2;
        for number in 0..MAX_REPOSITORIES {
            for _ in 0..MAX_FAILURES {
                failures.add(&format!("later {number}"), later);
            }
        }
        assert_eq!((failures.0.len(), failures.open_until("open")), (MAX_REPOSITORIES, None));
    }

    #[test]
    fn h07_the_last_answered_questions_are_remembered() {
        let mut answered = AnsweredQuestions::new();
        assert!(answered.is_empty && !answered.contains("/v2/a/tags/list"));
        for number in 0..ANSWERED_SLOTS * 4 {
            let path = format!("/v2/{number}/tags/list");
            answered.add(&path);
            assert!(!answered.is_empty && answered.contains(&path));
        }
        assert_eq!(answered.slots.len(), ANSWERED_SLOTS);
    }
}

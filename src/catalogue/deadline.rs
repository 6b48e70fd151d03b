//! The deadline of one question, which all facts that it needs share.

use std::sync::OnceLock;
use std::time::Duration;

use super::store::WaitLimits;
use crate::clock::Clock;

/// How long a question waits when it has a fallback (unbound has the same limit,
/// serve-expired-client-timeout).
const TIMEOUT_WITH_FALLBACK: Duration = Duration::from_millis(1800);
/// How long it waits when it has none: the timeout of one exchange with a registry.
const TIMEOUT_WITHOUT_FALLBACK: Duration = Duration::from_secs(10);

/// The deadline of one question. The facts that it needs share the time, so that a registry that
/// hangs delays it once and not once for each fact.
pub struct Deadline {
    clock: Clock,
    started: Duration,
    /// When it first waited for a fact while it had a fallback.
    fallback_since: OnceLock<Duration>,
}

impl Deadline {
    /// The deadline of a question that starts now.
    pub fn begin(clock: &Clock) -> Self {
        Self { started: clock.now().elapsed, clock: clock.clone(), fallback_since: OnceLock::new() }
    }

    /// The time left for the next fact. The shorter limit starts with the first fact that has a
    /// fallback: a registry that answered a query without one is alive and gets the whole of it.
    pub(super) fn left(&self, has_fallback: bool) -> WaitLimits {
        let now = self.clock.now().elapsed;
        let left = |limit: Duration, since| limit.saturating_sub(now.saturating_sub(since));
        let without_fallback = left(TIMEOUT_WITHOUT_FALLBACK, self.started);
        let since = if has_fallback { *self.fallback_since.get_or_init(|| now) } else { now };
        WaitLimits {
            with_fallback: left(TIMEOUT_WITH_FALLBACK, since).min(without_fallback),
            without_fallback,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_the_facts_of_a_question_share_its_time() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let deadline = Deadline::begin(&clock);
        let left = |has_fallback| {
            let WaitLimits { with_fallback, without_fallback } = deadline.left(has_fallback);
            (with_fallback.as_millis(), without_fallback.as_millis())
        };
        assert_eq!(left(false), (1800, 10_000));
        clock.advance(Duration::from_secs(5));
        // The list came late, so the manifest gets its own full time.
        assert_eq!(left(true), (1800, 5000));
        clock.advance(Duration::from_secs(1));
        assert_eq!(left(true), (800, 4000));
        clock.advance(Duration::from_secs(1));
        assert_eq!(left(true), (0, 3000));
        clock.advance(Duration::from_secs(4));
        assert_eq!(left(false), (0, 0));
    }

    #[test]
    fn f04_no_question_waits_longer_because_it_has_a_fallback() {
        let clock = Clock::manual("2026-08-12T00:00:00Z".parse().unwrap());
        let deadline = Deadline::begin(&clock);
        clock.advance(Duration::from_secs(9));
        assert_eq!(deadline.left(true).with_fallback, Duration::from_secs(1));
    }
}

//! How long one question waits for registries, however many facts it needs.

use std::sync::OnceLock;
use std::time::Duration;

use super::shelf::Patience;
use crate::clock::Clock;

/// How long a question waits when there is an older answer to give: resolvers give up at this point
/// too (unbound, serve-expired-client-timeout).
const WITH_FALLBACK: Duration = Duration::from_millis(1800);
/// How long it waits when there is nothing else: the time one exchange with a registry may take.
const WITHOUT_FALLBACK: Duration = Duration::from_secs(10);

/// The waiting of one question. The facts that it needs share the time, so that a registry which
/// hangs holds it up once and not once for each fact.
pub struct Deadline {
    clock: Clock,
    began: Duration,
    /// When it first waited for a fact while it had something else to answer with.
    fallback_since: OnceLock<Duration>,
}

impl Deadline {
    /// The waiting of a question that is asked now.
    pub fn begin(clock: &Clock) -> Self {
        Self { began: clock.now().elapsed, clock: clock.clone(), fallback_since: OnceLock::new() }
    }

    /// What is left of it for the next fact. A registry that gave what there was no older answer
    /// for is alive, and gets the whole time of an answer with a fallback for what it is asked
    /// then.
    pub(super) fn left(&self, has_fallback: bool) -> Patience {
        let now = self.clock.now().elapsed;
        let left = |patience: Duration, since| patience.saturating_sub(now.saturating_sub(since));
        let without_fallback = left(WITHOUT_FALLBACK, self.began);
        let since = if has_fallback { *self.fallback_since.get_or_init(|| now) } else { now };
        Patience {
            with_fallback: left(WITH_FALLBACK, since).min(without_fallback),
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
            let Patience { with_fallback, without_fallback } = deadline.left(has_fallback);
            (with_fallback.as_millis(), without_fallback.as_millis())
        };
        assert_eq!(left(false), (1800, 10_000));
        clock.advance(Duration::from_secs(5));
        // The list came late, and the tag is asked for with the time that such a question has.
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

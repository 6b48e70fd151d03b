//! The only file that reads the time.
//!
//! Ages are measured on a monotonic clock, so that a step of the wall clock never makes data fresh
//! or stale; the wall clock is for display. All other code takes [`Now`] as an argument.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, for people and for dates of support.
    pub utc: Timestamp,
    /// The monotonic clock, since its creation; only differences have a meaning.
    pub elapsed: Duration,
}

impl Now {
    /// The date in UTC.
    pub fn date(self) -> Date {
        self.utc.to_zoned(jiff::tz::TimeZone::UTC).date()
    }
}

/// The wall clock, for headers that give a time of day.
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// A source of moments.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System { started: Instant },
    Manual(Arc<Mutex<Now>>),
}

impl Clock {
    /// The clocks of the machine.
    pub fn system() -> Self {
        Self(Kind::System { started: Instant::now() })
    }

    /// A clock for tests, which moves only by [`Clock::advance`].
    pub fn manual(utc: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new(Now { utc, elapsed: Duration::ZERO }))))
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        match &self.0 {
            Kind::System { started } => Now { utc: Timestamp::now(), elapsed: started.elapsed() },
            Kind::Manual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The present moment on the monotonic clock alone, at half the cost.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::Manual(_) => self.now().elapsed,
        }
    }

    /// Moves a manual clock; it has no effect on the clocks of the machine.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(now) = &self.0 {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            now.elapsed += by;
            now.utc = now.utc.saturating_add(by).unwrap_or(now.utc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_when_set() {
        let clock = Clock::manual("2026-08-12T23:00:00Z".parse().unwrap());
        clock.advance(Duration::from_secs(7200));
        assert_eq!(clock.now().elapsed, Duration::from_secs(7200));
        assert_eq!(clock.now().date().to_string(), "2026-08-13");
    }
}

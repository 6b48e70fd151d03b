//! The one place that reads the time.
//!
//! Ages are measured on a monotonic clock, so that a step of the wall clock never makes data fresh
//! or stale; the wall clock is for display. Everything else takes [`Now`] as an argument.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;

/// A moment, as both clocks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For people, and for dates of support.
    pub utc: Timestamp,
    /// Since the clock was made; only differences mean something.
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

/// Where moments come from.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System { started: Instant },
    Manual(Arc<Mutex<Now>>),
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self(Kind::System { started: Instant::now() })
    }

    /// A clock that stands still until it is told to go on, for tests.
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

    /// The present moment on the monotonic clock alone, which costs half.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::Manual(_) => self.now().elapsed,
        }
    }

    /// Moves a manual clock on; the machine's clocks do not listen.
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
    fn a_manual_clock_moves_when_told() {
        let clock = Clock::manual("2026-08-12T23:00:00Z".parse().unwrap());
        clock.advance(Duration::from_secs(7200));
        assert_eq!(clock.now().elapsed, Duration::from_secs(7200));
        assert_eq!(clock.now().date().to_string(), "2026-08-13");
    }
}

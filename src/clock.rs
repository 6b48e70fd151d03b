//! The only file that reads the time.
//!
//! Ages are measured on a monotonic clock, so that a step of the wall clock never makes data fresh
//! or stale; the wall clock is for display. On Linux the time during which the machine was
//! suspended counts. All other code takes [`Now`] as an argument.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

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
    /// When the clock was created, on the monotonic clock.
    System {
        started: Duration,
    },
    Manual(Arc<Mutex<Now>>),
}

impl Clock {
    /// The clocks of the machine.
    pub fn system() -> Self {
        Self(Kind::System { started: monotonic() })
    }

    /// A clock for tests, which moves only by [`Clock::advance`].
    pub fn manual(utc: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Mutex::new(Now { utc, elapsed: Duration::ZERO }))))
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        match &self.0 {
            Kind::System { .. } => Now { utc: Timestamp::now(), elapsed: self.elapsed() },
            Kind::Manual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The present moment on the monotonic clock alone, at half the cost.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => monotonic().saturating_sub(*started),
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

/// The monotonic clock: the time since the machine was started, suspended or not.
#[cfg(target_os = "linux")]
fn monotonic() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since_boot).unwrap_or_default()
}

/// The monotonic clock: the time since its first use.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
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

    #[cfg(target_os = "linux")]
    #[test]
    fn h19_time_in_suspension_counts() {
        // The sum of the kernel, which has it too. Some kernels give whole seconds.
        let uptime = || -> f64 {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        };
        let (before, clock, after) = (uptime(), monotonic().as_secs_f64(), uptime());
        assert!(before - 1.0 < clock && clock < after + 1.0, "{before} {clock} {after}");
    }
}

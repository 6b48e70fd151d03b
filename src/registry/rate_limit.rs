//! How many requests one registry gets: a token bucket for all requests, and a budget for retries.

use std::time::{Duration, Instant};

/// Retries may be a tenth of all requests (Google's SRE book, "Handling Overload"), and three at
/// once. The budget counts in tenths of a retry: a request adds one, a retry costs ten.
const TENTHS_PER_RETRY: u32 = 10;
const MAX_RETRY_TENTHS: u32 = 3 * TENTHS_PER_RETRY;

/// The rate at which a registry may be queried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UpstreamRateLimit {
    /// Requests at once, after a quiet time.
    pub burst: f64,
    /// Requests over time.
    pub per_hour: f64,
}

/// A token bucket.
pub(super) struct UpstreamRateLimiter {
    limit: UpstreamRateLimit,
    tokens: f64,
    refilled_at: Instant,
}

impl UpstreamRateLimiter {
    /// A full bucket.
    pub(super) fn new(limit: UpstreamRateLimit, now: Instant) -> Self {
        Self { limit, tokens: limit.burst, refilled_at: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there is none: the time until the next one.
    pub(super) fn try_take(&mut self, now: Instant) -> Result<(), Duration> {
        let per_second = self.limit.per_hour / 3600.0;
        let since = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min(self.limit.burst);
        self.refilled_at = now;
        if self.tokens < 1.0 {
            // A limit of nothing is a wait that no duration holds.
            let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / per_second);
            return Err(wait.unwrap_or(Duration::MAX));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// How many retries are left, so that retries cannot multiply the load on a failing registry.
pub(super) struct RetryBudget {
    tenths: u32,
}

impl RetryBudget {
    /// A full budget.
    pub(super) fn new() -> Self {
        Self { tenths: MAX_RETRY_TENTHS }
    }

    /// Earns a tenth of a retry.
    pub(super) fn count_request(&mut self) {
        self.tenths = (self.tenths + 1).min(MAX_RETRY_TENTHS);
    }

    /// Takes a retry off the budget if there is one.
    pub(super) fn try_take(&mut self) -> bool {
        let left = self.tenths.checked_sub(TENTHS_PER_RETRY);
        self.tenths = left.unwrap_or(self.tenths);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_empties_and_refills() {
        let start = Instant::now();
        let limit = UpstreamRateLimit { burst: 2.0, per_hour: 3600.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, start);
        assert!(limiter.try_take(start).is_ok() && limiter.try_take(start).is_ok());
        assert_eq!(limiter.try_take(start), Err(Duration::from_secs(1)));
        assert!(limiter.try_take(start + Duration::from_secs(1)).is_ok());
        assert!(limiter.try_take(start + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_limit_of_nothing_lets_nothing_through() {
        let now = Instant::now();
        let limit = UpstreamRateLimit { burst: 0.0, per_hour: 0.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, now);
        for later in [Duration::ZERO, Duration::from_secs(3600)] {
            assert_eq!(limiter.try_take(now + later), Err(Duration::MAX));
        }
    }

    #[test]
    fn retries_are_few() {
        let mut budget = RetryBudget::new();
        assert_eq!((0..10).filter(|_| budget.try_take()).count(), 3);
        for _ in 0..9 {
            budget.count_request();
        }
        assert!(!budget.try_take());
        budget.count_request();
        assert!(budget.try_take());
    }
}

//! How many requests one registry gets: a token bucket for all requests, of which a part is
//! reserved and a client gets a part of the rest; and a budget for retries.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The purpose of a request to a registry, which decides how much of the rate limit it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Families of base images, and renewals of known facts. It may use the whole limit.
    Reserved,
    /// Anything else. It leaves the reserved half of the limit alone.
    Other {
        /// The client that caused the request, by any key that tells clients apart. A client may
        /// use a tenth of the half that is not reserved; without a key only the half applies.
        client: Option<u64>,
    },
}

/// The part of the burst that is kept for [`Purpose::Reserved`]. Ours.
const RESERVED_PART: f64 = 0.5;
/// The part of the rest that one client may use. Ours.
const CLIENT_PART: f64 = 0.1;
/// The least that one client may use, whatever the limit: a list, a manifest and a configuration
/// answer one question. Ours.
const MIN_CLIENT_REQUESTS: f64 = 3.0;
/// Clients whose use is counted. Of more clients, those that used least are forgotten. At most some
/// thirty can have used up their part at a time, because then the limit is used up. Ours.
const MAX_CLIENTS: usize = 1024;

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
    clients: ClientLimiter,
}

/// Why a request gets no token, and the time until there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverLimit {
    /// Too few tokens are left for this purpose.
    Registry(Duration),
    /// The client has used its part.
    Client(Duration),
}

impl UpstreamRateLimiter {
    /// A full bucket.
    pub(super) fn new(limit: UpstreamRateLimit, now: Instant) -> Self {
        let clients = ClientLimiter::new(limit);
        Self { limit, tokens: limit.burst, refilled_at: now, clients }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there is none for this purpose.
    pub(super) fn try_take(&mut self, purpose: Purpose, now: Instant) -> Result<(), OverLimit> {
        let per_second = self.limit.per_hour / 3600.0;
        let since = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min(self.limit.burst);
        self.refilled_at = now;
        let needed = match purpose {
            Purpose::Reserved => 1.0,
            // Whole tokens, so that a limit of one request is not reserved altogether.
            Purpose::Other { .. } => 1.0 + (self.limit.burst * RESERVED_PART).floor(),
        };
        if self.tokens < needed {
            return Err(OverLimit::Registry(seconds((needed - self.tokens) / per_second)));
        }
        if let Purpose::Other { client: Some(client) } = purpose {
            self.clients.try_take(client, now).map_err(OverLimit::Client)?;
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// The parts of the clients.
struct ClientLimiter {
    /// The time in which a client that used its whole part gets it back.
    refill_time: Duration,
    /// How much of that time one request costs.
    cost: Duration,
    /// When each client has its whole part again (the theoretical arrival time of GCRA).
    whole_at: HashMap<u64, Instant>,
}

impl ClientLimiter {
    fn new(limit: UpstreamRateLimit) -> Self {
        let refill_seconds = limit.burst / limit.per_hour * 3600.0;
        let part = limit.burst * (1.0 - RESERVED_PART) * CLIENT_PART;
        Self {
            refill_time: seconds(refill_seconds),
            cost: seconds(refill_seconds / part.max(MIN_CLIENT_REQUESTS)),
            whole_at: HashMap::new(),
        }
    }

    /// Counts a request of this client.
    ///
    /// # Errors
    /// When its part is used: the time until it may send one.
    fn try_take(&mut self, client: u64, now: Instant) -> Result<(), Duration> {
        let whole_at = self.whole_at.get(&client);
        let used = whole_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let wait = (used + self.cost).saturating_sub(self.refill_time);
        if !wait.is_zero() {
            return Err(wait);
        }
        if whole_at.is_none() && self.whole_at.len() >= MAX_CLIENTS {
            self.forget(now);
        }
        self.whole_at.insert(client, now + used + self.cost);
        Ok(())
    }

    /// Forgets the clients that have their whole part, or else the one that used least.
    fn forget(&mut self, now: Instant) {
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.len() >= MAX_CLIENTS {
            let least = self.whole_at.iter().min_by_key(|(_, whole_at)| **whole_at);
            let least = least.map(|(client, _)| *client);
            least.and_then(|client| self.whole_at.remove(&client));
        }
    }
}

/// A limit of nothing is a wait that no duration holds.
fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX)
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

    fn of(client: u64) -> Purpose {
        Purpose::Other { client: Some(client) }
    }

    #[test]
    fn the_bucket_empties_and_refills() {
        let start = Instant::now();
        let limit = UpstreamRateLimit { burst: 2.0, per_hour: 3600.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, start);
        let mut take = |now| limiter.try_take(Purpose::Reserved, now);
        let second = Duration::from_secs(1);
        assert!(take(start).is_ok() && take(start).is_ok());
        assert_eq!(take(start), Err(OverLimit::Registry(second)));
        assert!(take(start + second).is_ok());
        assert!(take(start + second).is_err());
    }

    #[test]
    fn a_limit_of_nothing_lets_nothing_through() {
        let now = Instant::now();
        let limit = UpstreamRateLimit { burst: 0.0, per_hour: 0.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, now);
        for later in [Duration::ZERO, Duration::from_secs(3600)] {
            for purpose in [Purpose::Reserved, of(1)] {
                let refused = limiter.try_take(purpose, now + later);
                assert_eq!(refused, Err(OverLimit::Registry(Duration::MAX)));
            }
        }
    }

    #[test]
    fn h04_half_of_the_limit_is_reserved() {
        let start = Instant::now();
        let limit = UpstreamRateLimit { burst: 60.0, per_hour: 10.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, start);
        let any = Purpose::Other { client: None };
        let taken = (0..100).filter(|_| limiter.try_take(any, start).is_ok()).count();
        assert_eq!(taken, 30);
        let wait = Duration::from_secs(360);
        assert_eq!(limiter.try_take(any, start), Err(OverLimit::Registry(wait)));
        assert!(limiter.try_take(any, start + wait).is_ok());
        let reserved =
            (0..100).filter(|_| limiter.try_take(Purpose::Reserved, start + wait).is_ok()).count();
        assert_eq!(reserved, 30);
        // A limit of one request is not reserved altogether.
        let limit = UpstreamRateLimit { burst: 1.0, per_hour: 1.0 };
        assert!(UpstreamRateLimiter::new(limit, start).try_take(any, start).is_ok());
    }

    #[test]
    fn h04_a_client_gets_a_tenth_of_what_is_not_reserved() {
        let start = Instant::now();
        // Each with the requests of one client, and the minutes until it gets one back.
        for (burst, per_hour, part, minutes) in
            [(600.0, 600.0, 30, 2), (60.0, 10.0, 3, 120), (10.0, 10.0, 3, 20)]
        {
            let mut limiter =
                UpstreamRateLimiter::new(UpstreamRateLimit { burst, per_hour }, start);
            let mut take = |client, now| limiter.try_take(of(client), now);
            assert_eq!((0..100).filter(|_| take(1, start).is_ok()).count(), part, "{burst}");
            let Err(OverLimit::Client(wait)) = take(1, start) else { panic!("{burst}") };
            assert_eq!(wait.as_secs_f64().round(), f64::from(minutes * 60), "{burst}");
            assert!(take(2, start).is_ok(), "{burst}");
            assert!(take(1, start + wait).is_ok() && take(1, start + wait).is_err(), "{burst}");
        }
    }

    #[test]
    fn h04_the_clients_are_bounded_and_the_greediest_are_kept() {
        let start = Instant::now();
        let mut clients = ClientLimiter::new(UpstreamRateLimit { burst: 600.0, per_hour: 600.0 });
        while clients.try_take(0, start).is_ok() {}
        for client in 1..=2 * MAX_CLIENTS as u64 {
            assert_eq!(clients.try_take(client, start), Ok(()));
        }
        assert_eq!(clients.whole_at.len(), MAX_CLIENTS);
        assert!(clients.try_take(0, start).is_err());
        let later = start + Duration::from_secs(3600);
        assert_eq!(clients.try_take(u64::MAX, later), Ok(()));
        assert_eq!(clients.whole_at.len(), 1);
    }

    #[test]
    fn h04_a_client_over_its_part_takes_nothing_from_the_others() {
        let start = Instant::now();
        let limit = UpstreamRateLimit { burst: 600.0, per_hour: 600.0 };
        let mut limiter = UpstreamRateLimiter::new(limit, start);
        for _ in 0..1000 {
            let _ = limiter.try_take(of(1), start);
        }
        assert_eq!(limiter.tokens, 570.0);
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

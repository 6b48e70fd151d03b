//! The rate limiter: requests a minute for each client. A request that costs more counts as
//! several.
//!
//! Clients share a table of fixed size, so that no number of addresses makes it grow. The bucket of
//! a client depends on a secret of this process; two clients with the same bucket share its limit.
//! An attacker trying to use up the limits of others must keep their buckets full: at the
//! default limit that takes a hundred answered requests a second for each bucket, which for one
//! bucket in a hundred is more than this service can answer at all. There is no lock, and nothing
//! to clean up.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::clients::{Client, Clients};
use super::reply;
use crate::answers::Contexts;
use crate::api::problem::Problem;

/// The table takes half a mebibyte then.
const BUCKETS: usize = 1 << 16;
/// The limit is for a minute, and may be used up at its beginning.
const WINDOW: Duration = Duration::from_secs(60);
/// Probes must always get through.
const UNLIMITED_PATHS: [&str; 2] = ["/livez", "/readyz"];
/// The name of the limit in `RateLimit` headers.
const POLICY: &str = "ip";

/// The limit, and what clients have used of it.
pub struct RateLimiter {
    clients: Arc<Clients>,
    secret: RandomState,
    buckets: Box<[Bucket]>,
}

/// What the clients of one bucket have used: when their requests so far are paid for, in
/// nanoseconds of the clock. It is the one number of the "generic cell rate algorithm" (ITU-T
/// I.371).
#[derive(Default)]
struct Bucket {
    paid_until: AtomicU64,
}

/// A client over its limit.
struct Exceeded {
    limit: NonZeroU32,
    seconds: u64,
    detail: String,
}

impl RateLimiter {
    /// A rate limiter that has seen no client.
    pub fn new(clients: Arc<Clients>) -> Self {
        Self {
            clients,
            secret: RandomState::new(),
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
        }
    }

    /// Charges the client for a request that costs as much as this many further ones.
    ///
    /// # Errors
    /// When that is over its limit.
    pub fn charge(request: &HttpRequest, requests: usize) -> Result<(), Problem> {
        let limiter = request.app_data::<Data<Self>>().filter(|_| requests > 0);
        let now = request.app_data::<Data<Contexts>>().map(|contexts| contexts.elapsed());
        let (Some(limiter), Some(now)) = (limiter, now) else { return Ok(()) };
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        limiter
            .pay(request, requests, now)
            .map_err(|exceeded| Problem::of_quota(POLICY, exceeded.detail, exceeded.seconds))
    }

    /// The refusal of a request whose client is over its limit. `now` is on the monotonic clock.
    pub fn refuse(&self, request: &HttpRequest, now: Duration) -> Option<HttpResponse> {
        if UNLIMITED_PATHS.contains(&request.path()) {
            return None;
        }
        let Exceeded { limit, seconds, detail } = self.pay(request, 1, now).err()?;
        let mut response = reply::problem(request, &Problem::of_quota(POLICY, detail, seconds));
        let policy = format!("\"{POLICY}\";q={limit};w={}", WINDOW.as_secs());
        for (name, value) in
            [("ratelimit-policy", policy), ("ratelimit", format!("\"{POLICY}\";r=0;t={seconds}"))]
        {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        Some(response)
    }

    /// Pays for this many requests of the client.
    fn pay(&self, request: &HttpRequest, requests: u32, now: Duration) -> Result<(), Exceeded> {
        let limit = self.clients.limits().requests_a_minute;
        let (Some(limit), Some(peer)) = (limit, request.peer_addr()) else { return Ok(()) };
        let address = self.clients.address(peer.ip(), request.headers());
        if !self.clients.is_limited(address) {
            return Ok(());
        }
        let Some(bucket) = self.buckets.get(self.bucket_of(Client::of(address))) else {
            return Ok(());
        };
        bucket.pay(limit, requests, now).map_err(|wait| Exceeded {
            limit,
            // Whole seconds, rounded up: at least one, and never more than the window.
            seconds: wait.as_secs() + 1,
            detail: format!(
                "{address} has sent more than {limit} requests in a minute, of which large ones \
                 count as several; try again later. If it is a proxy, name it with \
                 --trusted-proxy, so that its clients are limited one by one"
            ),
        })
    }

    fn bucket_of(&self, client: Client) -> usize {
        // The remainder fits: it is below the number of buckets.
        (self.secret.hash_one(client) % BUCKETS as u64) as usize
    }
}

impl Bucket {
    /// Pays for this many requests, or gives the time until that is possible. More than the limit
    /// cannot be paid for, and counts as the limit.
    fn pay(&self, limit: NonZeroU32, requests: u32, now: Duration) -> Result<(), Duration> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let price = nanoseconds(WINDOW / limit.get() * requests.min(limit.get()));
        let latest = nanoseconds(now.saturating_add(WINDOW));
        let paid = |until: u64| until.max(nanoseconds(now)).saturating_add(price);
        self.paid_until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                Some(paid(until)).filter(|paid| *paid <= latest)
            })
            .map(drop)
            .map_err(|until| Duration::from_nanos(paid(until) - latest))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::config::ClientLimits;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn s11_a_minutes_worth_may_be_spent_at_once_and_comes_back_evenly() {
        let (bucket, limit) = (Bucket::default(), NonZeroU32::new(60).unwrap());
        let start = seconds(1000.0);
        for _ in 0..60 {
            assert_eq!(bucket.pay(limit, 1, start), Ok(()));
        }
        assert_eq!(bucket.pay(limit, 1, start), Err(seconds(1.0)));
        assert_eq!(bucket.pay(limit, 1, start + seconds(0.75)), Err(seconds(0.25)));
        // A refused request is not paid for.
        assert_eq!(bucket.pay(limit, 1, start + seconds(1.0)), Ok(()));
        assert!(bucket.pay(limit, 1, start + seconds(1.0)).is_err());
        let later = start + seconds(3600.0);
        assert_eq!((0..100).filter(|_| bucket.pay(limit, 1, later).is_ok()).count(), 60);
    }

    #[test]
    fn h05_a_request_may_cost_as_much_as_several() {
        let (bucket, limit) = (Bucket::default(), NonZeroU32::new(60).unwrap());
        let start = seconds(1000.0);
        assert_eq!(bucket.pay(limit, 40, start), Ok(()));
        assert_eq!(bucket.pay(limit, 40, start), Err(seconds(20.0)));
        assert_eq!(bucket.pay(limit, 20, start), Ok(()));
        // What can never be paid for takes all that there is.
        assert_eq!(bucket.pay(limit, 1000, start + seconds(60.0)), Ok(()));
    }

    #[test]
    fn s11_the_wait_is_never_longer_than_a_minute() {
        let (bucket, once) = (Bucket::default(), NonZeroU32::MIN);
        assert_eq!(bucket.pay(once, 1, seconds(5.0)), Ok(()));
        assert_eq!(bucket.pay(once, 1, seconds(5.0)), Err(seconds(60.0)));
        let often = Bucket::default();
        assert!((0..100_000).all(|_| often.pay(NonZeroU32::MAX, 1, seconds(5.0)).is_ok()));
    }

    #[test]
    fn s11_clients_are_spread_over_the_buckets() {
        let limiter = RateLimiter::new(Arc::new(Clients::new(ClientLimits::default())));
        let spread: std::collections::BTreeSet<usize> = (0..1000)
            .map(|number| limiter.bucket_of(Client::of(IpAddr::V4(number.into()))))
            .collect();
        assert!(spread.len() > 900, "{}", spread.len());
    }
}

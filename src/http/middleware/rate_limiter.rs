//! The rate limiter: requests a minute, and a share of all connections, for each client.
//!
//! Clients share a table of fixed size, so that no number of addresses makes it grow. The bucket of
//! a client depends on a secret of this process; two clients with the same bucket share its limit.
//! An attacker trying to use up the limits of others must keep their buckets full: at the
//! default limit that takes a hundred answered requests a second for each bucket, which for one
//! bucket in a hundred is more than this service can answer at all. There is no lock, and nothing
//! to clean up.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::problem::Problem;
use crate::config::ClientLimits;
use crate::http::reply;

/// The table takes one mebibyte then.
const BUCKETS: usize = 1 << 16;
/// The limit is for a minute, and may be used up at its beginning.
const WINDOW: Duration = Duration::from_secs(60);
/// One client may have a fourth of all connections.
const CONNECTION_SHARES: u32 = 4;
/// Probes must always get through.
const UNLIMITED_PATHS: [&str; 2] = ["/livez", "/readyz"];
/// Where proxies write the address of their client.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The name of the limit in `RateLimit` headers.
const POLICY: &str = "ip";

/// The limits, and what clients have used of them.
pub struct RateLimiter {
    limits: ClientLimits,
    secret: RandomState,
    buckets: Box<[Bucket]>,
}

/// What the clients of one bucket have used.
#[derive(Default)]
struct Bucket {
    /// When the requests so far are paid for, in nanoseconds of the clock: the one number of the
    /// "generic cell rate algorithm" (ITU-T I.371).
    paid_until: AtomicU64,
    connections: AtomicU32,
}

/// A connection, counted for its client until it ends.
struct Connection {
    limiter: Arc<RateLimiter>,
    bucket: usize,
    is_excess: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(bucket) = self.limiter.buckets.get(self.bucket) {
            bucket.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl RateLimiter {
    /// A rate limiter that has seen no client.
    pub fn new(limits: ClientLimits) -> Self {
        Self {
            limits,
            secret: RandomState::new(),
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
        }
    }

    /// Counts a new connection of this peer until it ends.
    pub fn count_connection(self: &Arc<Self>, peer: Option<SocketAddr>, data: &mut Extensions) {
        let client = peer.map(|peer| peer.ip().to_canonical());
        // A proxy has the connections of many clients.
        if let Some(client) =
            client.filter(|client| self.is_limited(*client) && !self.trusts(*client))
        {
            let at = self.bucket_of(client);
            let Some(bucket) = self.buckets.get(at) else { return };
            let max = (self.limits.max_connections.get() / CONNECTION_SHARES).max(1);
            let is_excess = bucket.connections.fetch_add(1, Ordering::Relaxed) >= max;
            data.insert(Connection { limiter: self.clone(), bucket: at, is_excess });
        }
    }

    /// The refusal of a request whose client is over its limit. `now` is on the monotonic clock.
    pub fn refuse(&self, request: &HttpRequest, now: Duration) -> Option<HttpResponse> {
        if UNLIMITED_PATHS.contains(&request.path()) {
            return None;
        }
        if request.conn_data::<Connection>().is_some_and(|connection| connection.is_excess) {
            let detail = "too many connections are open from this address; use fewer".to_owned();
            let mut response =
                reply::problem(request, &Problem::of_quota("connections", detail, 1));
            response.head_mut().set_connection_type(ConnectionType::Close);
            return Some(response);
        }
        let limit = self.limits.requests_a_minute?;
        let client = self.client(request.peer_addr()?.ip(), request.headers());
        if !self.is_limited(client) {
            return None;
        }
        let wait = self.buckets.get(self.bucket_of(client))?.pay(limit, now).err()?;
        // Whole seconds, rounded up: at least one, and never more than the window.
        let seconds = wait.as_secs() + 1;
        let detail = format!(
            "{client} has sent more than {limit} requests in a minute; try again later. If it is a \
             proxy, name it with --trusted-proxy, so that its clients are limited one by one"
        );
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

    /// The client: the peer, or the address that it names if it is a trusted proxy. Each proxy adds
    /// the address of its peer at the end, so that anything to the left of the first untrusted
    /// address can be made up.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.trusts(client) {
            let lines: Vec<&[u8]> =
                headers.get_all(FORWARDED_FOR).map(|line| line.as_bytes()).collect();
            // Each name is read by itself: what the client made up must not hide what the proxy
            // saw.
            let names = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
            for named in names {
                let named =
                    std::str::from_utf8(named).ok().and_then(|named| read_address(named.trim()));
                let Some(named) = named else { break };
                client = named;
                if !self.trusts(client) {
                    break;
                }
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.limits.trusted_proxies.iter().any(|proxy| proxy.contains(&address))
    }

    fn is_limited(&self, client: IpAddr) -> bool {
        self.limits.requests_a_minute.is_some()
            && (self.limits.includes_this_machine || !client.is_loopback())
    }

    fn bucket_of(&self, client: IpAddr) -> usize {
        // The remainder fits: it is below the number of buckets.
        (self.secret.hash_one(network_of(client)) % BUCKETS as u64) as usize
    }
}

impl Bucket {
    /// Pays for a request, or gives the time until that is possible.
    fn pay(&self, limit: NonZeroU32, now: Duration) -> Result<(), Duration> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let price = nanoseconds(WINDOW / limit.get());
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

/// What counts as one client: an IPv4 address, or an IPv6 network of the size that one customer
/// gets, who can use any address of it.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(_) => client,
    }
}

/// An address as proxies write it, some of them with a port.
fn read_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip()).ok();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(with_port)
        .or_else(in_brackets)
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(limit: u32, proxies: &[&str]) -> RateLimiter {
        RateLimiter::new(ClientLimits {
            requests_a_minute: NonZeroU32::new(limit),
            includes_this_machine: false,
            trusted_proxies: proxies.iter().map(|proxy| proxy.parse().unwrap()).collect(),
            max_connections: NonZeroU32::new(8).unwrap(),
        })
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn s11_a_minutes_worth_may_be_spent_at_once_and_comes_back_evenly() {
        let (bucket, limit) = (Bucket::default(), NonZeroU32::new(60).unwrap());
        let start = seconds(1000.0);
        for _ in 0..60 {
            assert_eq!(bucket.pay(limit, start), Ok(()));
        }
        assert_eq!(bucket.pay(limit, start), Err(seconds(1.0)));
        assert_eq!(bucket.pay(limit, start + seconds(0.75)), Err(seconds(0.25)));
        // A refused request is not paid for.
        assert_eq!(bucket.pay(limit, start + seconds(1.0)), Ok(()));
        assert!(bucket.pay(limit, start + seconds(1.0)).is_err());
        let later = start + seconds(3600.0);
        assert_eq!((0..100).filter(|_| bucket.pay(limit, later).is_ok()).count(), 60);
    }

    #[test]
    fn s11_the_wait_is_never_longer_than_a_minute() {
        let (bucket, once) = (Bucket::default(), NonZeroU32::MIN);
        assert_eq!(bucket.pay(once, seconds(5.0)), Ok(()));
        assert_eq!(bucket.pay(once, seconds(5.0)), Err(seconds(60.0)));
        let often = Bucket::default();
        assert!((0..100_000).all(|_| often.pay(NonZeroU32::MAX, seconds(5.0)).is_ok()));
    }

    #[test]
    fn s11_only_trusted_proxies_name_their_clients() {
        let limiter = limiter(1, &["10.0.0.0/8", "fd00::1/128"]);
        let client = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(
                    HeaderName::from_static(FORWARDED_FOR),
                    HeaderValue::from_bytes(line.as_bytes()).unwrap(),
                );
            }
            limiter.client(peer.parse().unwrap(), &headers).to_string()
        };
        for (peer, lines, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "127.0.0.1"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.1.1.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["198.51.100.7"], "198.51.100.7"),
            // What the client made up stands to the left of what a proxy saw.
            ("10.1.1.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["203.0.113.9,198.51.100.7,10.2.2.2"], "198.51.100.7"),
            ("10.1.1.1", &["\u{ff}, 198.51.100.7"], "198.51.100.7"),
            ("10.1.1.1", &["203.0.113.9", "198.51.100.7", "10.2.2.2, 10.3.3.3"], "198.51.100.7"),
            ("10.1.1.1", &["10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", &["198.51.100.7, unknown"], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.7, ,10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", &["198.51.100.7:1234"], "198.51.100.7"),
            ("10.1.1.1", &["[2001:db8:1:2:3::4]:1234"], "2001:db8:1:2:3::4"),
            ("10.1.1.1", &["[2001:db8:1:2:3::4]"], "2001:db8:1:2:3::4"),
            ("2001:db8:1:2:ffff::1", &[], "2001:db8:1:2:ffff::1"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn s11_this_machine_is_limited_on_request() {
        let mut limiter = limiter(1, &[]);
        let all = ["127.0.0.1", "::1", "192.0.2.1"]
            .map(|peer| limiter.client(peer.parse().unwrap(), &HeaderMap::new()));
        assert_eq!(all.map(|client| limiter.is_limited(client)), [false, false, true]);
        limiter.limits.includes_this_machine = true;
        assert_eq!(all.map(|client| limiter.is_limited(client)), [true, true, true]);
        limiter.limits.requests_a_minute = None;
        assert_eq!(all.map(|client| limiter.is_limited(client)), [false, false, false]);
    }

    #[test]
    fn s11_a_network_of_one_customer_is_one_client() {
        let limiter = Arc::new(limiter(60, &["2001:db8:1:2::3/128"]));
        let bucket = |client: &str| limiter.bucket_of(client.parse().unwrap());
        assert_eq!(bucket("2001:db8:1:2::4"), bucket("2001:db8:1:2:3:4:5:6"));
        // Of eight connections one client may have two.
        let mut connections: Vec<_> = (0..3)
            .map(|number: u16| {
                let peer = IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, 4 + number]);
                let mut data = Extensions::new();
                limiter.count_connection(Some((peer, 1).into()), &mut data);
                data
            })
            .collect();
        let is_excess = |data: &Extensions| {
            data.get::<Connection>().is_some_and(|connection| connection.is_excess)
        };
        assert_eq!(connections.iter().map(is_excess).collect::<Vec<_>>(), [false, false, true]);
        connections.clear();
        let mut proxy = Extensions::new();
        limiter.count_connection(
            Some(("2001:db8:1:2::3".parse::<IpAddr>().unwrap(), 1).into()),
            &mut proxy,
        );
        assert!(proxy.get::<Connection>().is_none(), "a proxy has the connections of many");
    }

    #[test]
    fn s11_clients_are_spread_over_the_buckets() {
        let limiter = limiter(1, &[]);
        let spread: std::collections::BTreeSet<usize> =
            (0..1000).map(|number| limiter.bucket_of(IpAddr::V4(number.into()))).collect();
        assert!(spread.len() > 900, "{}", spread.len());
    }
}

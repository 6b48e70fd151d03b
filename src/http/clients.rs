//! What each client may take: so many requests a minute, and a part of all connections.
//!
//! Clients share a table of fixed size, so that no number of addresses makes it grow. Where a
//! client is in it depends on a secret of this process; two clients in one place share what one may
//! take. Who wants to spend the share of others must keep their places spent: at the usual limit
//! that takes a hundred answered requests a second for each place, which for one place in a hundred
//! is more than this service can answer at all. There is no lock, and nothing to clean up.

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

use super::reply;
use crate::api::problem::Problem;
use crate::config::ClientLimits;

/// The places of the table, which is one mebibyte then.
const PLACES: usize = 1 << 16;
/// What one client may do is counted over a minute, and may all be done at its beginning.
const WINDOW: Duration = Duration::from_secs(60);
/// One client may have this part of all connections.
const SHARE_OF_CONNECTIONS: u32 = 4;
/// The paths that are not limited: who watches the service must always see it.
const NOT_LIMITED: [&str; 2] = ["/livez", "/readyz"];
/// Where proxies write for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The name of the limit in `RateLimit` headers.
const POLICY: &str = "ip";

/// All clients, and what they may take.
pub struct Clients {
    limits: ClientLimits,
    secret: RandomState,
    places: Box<[Place]>,
}

/// What the clients of one place have taken.
#[derive(Default)]
struct Place {
    /// The requests so far are paid for until then, in nanoseconds of the clock: the one number of
    /// the "generic cell rate algorithm" (ITU-T I.371).
    paid_until: AtomicU64,
    connections: AtomicU32,
}

/// A connection, counted for its client until it ends.
struct Connection {
    clients: Arc<Clients>,
    at: usize,
    is_excess: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(place) = self.clients.places.get(self.at) {
            place.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Clients {
    /// Clients that have taken nothing yet.
    pub fn new(limits: ClientLimits) -> Self {
        Self {
            limits,
            secret: RandomState::new(),
            places: (0..PLACES).map(|_| Place::default()).collect(),
        }
    }

    /// Counts a connection that this peer made just now.
    pub fn connected(self: &Arc<Self>, peer: Option<SocketAddr>, data: &mut Extensions) {
        let client = peer.map(|peer| peer.ip().to_canonical());
        // A proxy brings the connections of many.
        if let Some(client) =
            client.filter(|client| self.is_limited(*client) && !self.trusts(*client))
        {
            let at = self.place_of(client);
            let Some(place) = self.places.get(at) else { return };
            let most = (self.limits.max_connections.get() / SHARE_OF_CONNECTIONS).max(1);
            let is_excess = place.connections.fetch_add(1, Ordering::Relaxed) >= most;
            data.insert(Connection { clients: self.clone(), at, is_excess });
        }
    }

    /// Why a request is not answered, when its client has taken too much. `now` is on the monotonic
    /// clock.
    pub fn refuse(&self, request: &HttpRequest, now: Duration) -> Option<HttpResponse> {
        if NOT_LIMITED.contains(&request.path()) {
            return None;
        }
        if request.conn_data::<Connection>().is_some_and(|connection| connection.is_excess) {
            let detail =
                "there are too many connections from this address at a time; use fewer".to_owned();
            let mut response =
                reply::problem(request, &Problem::of_quota("connections", detail, 1));
            response.head_mut().set_connection_type(ConnectionType::Close);
            return Some(response);
        }
        let most = self.limits.requests_a_minute?;
        let client = self.client(request.peer_addr()?.ip(), request.headers());
        if !self.is_limited(client) {
            return None;
        }
        let wait = self.places.get(self.place_of(client))?.pay(most, now).err()?;
        // Whole seconds, rounded up; never none, and never more than the window.
        let seconds = wait.as_secs() + 1;
        let detail = format!(
            "{client} has asked more than {most} times in a minute; ask again later. If that is a \
             proxy, name it with --trusted-proxy, so that the clients behind it are told apart"
        );
        let mut response = reply::problem(request, &Problem::of_quota(POLICY, detail, seconds));
        let policy = format!("\"{POLICY}\";q={most};w={}", WINDOW.as_secs());
        for (name, value) in
            [("ratelimit-policy", policy), ("ratelimit", format!("\"{POLICY}\";r=0;t={seconds}"))]
        {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        Some(response)
    }

    /// Who asks: the peer, or whom it names if it is a proxy that is trusted. Each proxy adds the
    /// address it was asked by at the end, so that what stands before the first one that is not
    /// trusted can be made up.
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

    fn place_of(&self, client: IpAddr) -> usize {
        // The remainder fits: it is below the number of places.
        (self.secret.hash_one(network_of(client)) % PLACES as u64) as usize
    }
}

impl Place {
    /// Pays for a request, or tells after which time that is possible.
    fn pay(&self, most: NonZeroU32, now: Duration) -> Result<(), Duration> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let price = nanoseconds(WINDOW / most.get());
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

/// What counts as one client: an address, or a network of IPv6 of the size that one customer gets,
/// who can use any address of it.
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

    fn clients(most: u32, proxies: &[&str]) -> Clients {
        Clients::new(ClientLimits {
            requests_a_minute: NonZeroU32::new(most),
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
        let (place, most) = (Place::default(), NonZeroU32::new(60).unwrap());
        let start = seconds(1000.0);
        for _ in 0..60 {
            assert_eq!(place.pay(most, start), Ok(()));
        }
        assert_eq!(place.pay(most, start), Err(seconds(1.0)));
        assert_eq!(place.pay(most, start + seconds(0.75)), Err(seconds(0.25)));
        // Who is refused has not paid.
        assert_eq!(place.pay(most, start + seconds(1.0)), Ok(()));
        assert!(place.pay(most, start + seconds(1.0)).is_err());
        let later = start + seconds(3600.0);
        assert_eq!((0..100).filter(|_| place.pay(most, later).is_ok()).count(), 60);
    }

    #[test]
    fn s11_the_wait_is_never_longer_than_a_minute() {
        let (place, once) = (Place::default(), NonZeroU32::MIN);
        assert_eq!(place.pay(once, seconds(5.0)), Ok(()));
        assert_eq!(place.pay(once, seconds(5.0)), Err(seconds(60.0)));
        let often = Place::default();
        assert!((0..100_000).all(|_| often.pay(NonZeroU32::MAX, seconds(5.0)).is_ok()));
    }

    #[test]
    fn s11_only_trusted_proxies_say_for_whom_they_ask() {
        let clients = clients(1, &["10.0.0.0/8", "fd00::1/128"]);
        let client = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(
                    HeaderName::from_static(FORWARDED_FOR),
                    HeaderValue::from_bytes(line.as_bytes()).unwrap(),
                );
            }
            clients.client(peer.parse().unwrap(), &headers).to_string()
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
    fn s11_this_machine_is_limited_when_that_was_asked_for() {
        let mut clients = clients(1, &[]);
        let all = ["127.0.0.1", "::1", "192.0.2.1"]
            .map(|peer| clients.client(peer.parse().unwrap(), &HeaderMap::new()));
        assert_eq!(all.map(|client| clients.is_limited(client)), [false, false, true]);
        clients.limits.includes_this_machine = true;
        assert_eq!(all.map(|client| clients.is_limited(client)), [true, true, true]);
        clients.limits.requests_a_minute = None;
        assert_eq!(all.map(|client| clients.is_limited(client)), [false, false, false]);
    }

    #[test]
    fn s11_a_network_of_one_customer_is_one_client() {
        let clients = Arc::new(clients(60, &["2001:db8:1:2::3/128"]));
        let place = |client: &str| clients.place_of(client.parse().unwrap());
        assert_eq!(place("2001:db8:1:2::4"), place("2001:db8:1:2:3:4:5:6"));
        // Of eight connections one client may have two.
        let mut connections: Vec<_> = (0..3)
            .map(|number: u16| {
                let peer = IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, 4 + number]);
                let mut data = Extensions::new();
                clients.connected(Some((peer, 1).into()), &mut data);
                data
            })
            .collect();
        let is_excess = |data: &Extensions| {
            data.get::<Connection>().is_some_and(|connection| connection.is_excess)
        };
        assert_eq!(connections.iter().map(is_excess).collect::<Vec<_>>(), [false, false, true]);
        connections.clear();
        let mut proxy = Extensions::new();
        clients
            .connected(Some(("2001:db8:1:2::3".parse::<IpAddr>().unwrap(), 1).into()), &mut proxy);
        assert!(proxy.get::<Connection>().is_none(), "a proxy brings the connections of many");
    }

    #[test]
    fn s11_clients_are_spread_over_the_places() {
        let clients = clients(1, &[]);
        let spread: std::collections::BTreeSet<usize> =
            (0..1000).map(|number| clients.place_of(IpAddr::V4(number.into()))).collect();
        assert!(spread.len() > 900, "{}", spread.len());
    }
}

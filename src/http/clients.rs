//! Who a client is: the peer of a connection, or the client that a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;

use crate::config::ClientLimits;

/// Where proxies write the address of their client.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A client: an IPv4 address, or an IPv6 network of the size that one customer gets, who can use
/// any address of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(IpAddr);

/// Recognises clients.
#[derive(Debug)]
pub struct Clients {
    limits: ClientLimits,
}

impl Clients {
    /// Clients with these limits.
    pub fn new(limits: ClientLimits) -> Self {
        Self { limits }
    }

    /// The limits.
    pub fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    /// The client that a connection counts for, if its share is limited. A proxy has the
    /// connections of many clients.
    pub fn of_connection(&self, peer: IpAddr) -> Option<Client> {
        let peer = peer.to_canonical();
        let is_limited = self.limits.has_shares && self.is_limited(peer) && !self.trusts(peer);
        is_limited.then(|| Client::of(peer))
    }

    /// The client of a request, if its share is limited.
    pub fn of_request(request: &HttpRequest) -> Option<Client> {
        request.app_data::<Data<Self>>()?.client(request)
    }

    /// As [`Self::of_request`].
    pub fn client(&self, request: &HttpRequest) -> Option<Client> {
        let address = self.address(request.peer_addr()?.ip(), request.headers());
        (self.limits.has_shares && self.is_limited(address)).then(|| Client::of(address))
    }

    /// The address of the client: that of the peer, or the one that the peer names if it is a
    /// trusted proxy. Each proxy adds the address of its peer at the end, so that anything to the
    /// left of the first untrusted address can be made up.
    pub fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
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

    /// Whether the request names this service by one of its configured names; without any, each is
    /// allowed.
    pub fn allows_host(&self, request: &HttpRequest) -> bool {
        let allowed = &self.limits.allowed_hosts;
        let named = request.headers().get_all(header::HOST).map(|host| host.to_str());
        let in_target = request.uri().authority().map(|authority| Ok(authority.as_str()));
        allowed.is_empty()
            || named.chain(in_target).all(|host| {
                let name = host.map(without_port).unwrap_or_default();
                allowed.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
            })
    }

    /// Whether clients at this address have limits.
    pub fn is_limited(&self, address: IpAddr) -> bool {
        self.limits.includes_this_machine || !address.is_loopback()
    }

    /// Whether this is the address of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.limits.trusted_proxies.iter().any(|proxy| proxy.contains(&address))
    }
}

impl Client {
    /// A number that no other client has: an IPv4 address, or the network of an IPv6 address.
    pub fn key(self) -> u64 {
        match self.0 {
            IpAddr::V4(address) => address.to_bits().into(),
            // The lower half is empty.
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        }
    }

    /// The client at this address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            IpAddr::V4(_) => address,
        })
    }
}

/// The name in a `Host` header, without the port.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
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
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn clients(proxies: &[&str]) -> Clients {
        Clients::new(ClientLimits {
            trusted_proxies: proxies.iter().map(|proxy| proxy.parse().unwrap()).collect(),
            ..ClientLimits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn s11_only_trusted_proxies_name_their_clients() {
        let clients = clients(&["10.0.0.0/8", "fd00::1/128"]);
        let client = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(
                    HeaderName::from_static(FORWARDED_FOR),
                    HeaderValue::from_bytes(line.as_bytes()).unwrap(),
                );
            }
            clients.address(address(peer), &headers).to_string()
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
    fn s11_a_network_of_one_customer_is_one_client() {
        let of = |text: &str| Client::of(address(text));
        assert_eq!(of("2001:db8:1:2::4"), of("2001:db8:1:2:3:4:5:6"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn s11_this_machine_is_limited_on_request() {
        let mut clients = clients(&["192.0.2.1/32"]);
        let limited = |clients: &Clients| {
            ["127.0.0.1", "::1", "192.0.2.1", "::ffff:192.0.2.2"]
                .map(|peer| clients.of_connection(address(peer)).is_some())
        };
        assert_eq!(limited(&clients), [false, false, false, true]);
        clients.limits.includes_this_machine = true;
        assert_eq!(limited(&clients), [true, true, false, true]);
        clients.limits.has_shares = false;
        assert_eq!(limited(&clients), [false; 4]);
    }
}

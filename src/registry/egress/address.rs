//! Which addresses and names are public, and a resolver that yields no other addresses.
//!
//! A URL from a registry (a redirect, a token service) must not lead into the private network of
//! this service. The check sits in the resolver, so that the address that was checked is the one
//! that is dialled, even if the name resolves differently the next time. Where a proxy resolves the
//! name, its address is never seen here, so names that are private by themselves are refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Resolves names as the system does and keeps only public addresses.
pub struct PublicOnly {
    proxy_hosts: Vec<String>,
}

/// A name has no public address.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
pub struct NotPublic;

impl PublicOnly {
    /// A resolver that knows the proxies of this system. A proxy usually has a private address; it
    /// is the operator's choice and must stay reachable. Where a proxy resolves the target's name,
    /// its own rules apply.
    pub fn of_system() -> Self {
        Self { proxy_hosts: system_proxy_hosts(|name| std::env::var(name).ok()) }
    }

    /// Whether the host of this URL may be dialled through this resolver. Names are checked again
    /// when they are resolved, unless a proxy does that; literal addresses never reach a resolver,
    /// so they are checked here.
    pub fn admits(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Domain(name)) => {
                is_public_name(name) && !self.proxy_hosts.iter().any(|host| host == name)
            }
            Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
            None => false,
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy_hosts.iter().any(|host| host == name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept = if is_proxy { found.collect() } else { only_public(found)? };
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Keeps the addresses of one lookup that may be dialled.
fn only_public(found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
    let kept: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
    if kept.is_empty() { Err(NotPublic) } else { Ok(kept) }
}

/// The last labels of names in private networks: those that are reserved (RFC 6761, RFC 6762, the
/// decision of ICANN's board of 29 July 2024 on `internal`), those of RFC 6762, appendix G, and
/// `svc` of a Kubernetes cluster.
const PRIVATE_LABELS: [&str; 10] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "localdomain",
    "svc",
];

/// Names for home networks (RFC 8375).
const HOME_DOMAIN: &str = "home.arpa";

/// Whether a name, in lower case, can belong to the public internet. One label is looked up in the
/// domains that this machine or the proxy searches.
fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_home = name
        .strip_suffix(HOME_DOMAIN)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'));
    !is_home && name.rsplit_once('.').is_some_and(|(_, last)| !PRIVATE_LABELS.contains(&last))
}

/// Whether an address belongs to the public internet, by the IANA special-purpose address
/// registries.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, private, loopback.
        [0 | 10 | 127, ..] => true,
        // Shared address space of carriers (RFC 6598); some clouds serve their metadata there.
        [100, second, ..] => (64..128).contains(&second),
        // Link-local, which is also where clouds serve their metadata.
        [169, 254, ..] => true,
        [172, second, ..] => (16..32).contains(&second),
        // Protocol assignments, documentation, 6to4 relays, private.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..] => true,
        // Benchmarks (RFC 2544), documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): the last 32 bits are the IPv4 address that is dialled.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation, 6to4.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast is 2000::/3. Everything else, such as ::1, fe80::, fc00::, ff00:: and the
        // mapped ::ffff:a.b.c.d, is not.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// The hosts of the proxies that `reqwest` takes from the environment.
fn system_proxy_hosts(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .filter_map(variable)
        .filter_map(|value| {
            let url = if value.contains("://") { value } else { format!("http://{value}") };
            Url::parse(&url).ok()?.host_str().map(str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, public: bool) {
        assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
    }

    #[test]
    fn x02_only_the_public_internet_is_public() {
        for address in [
            "1.1.1.1",
            "20.60.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1",
            "64:ff9b::101:101",
        ] {
            check(address, true);
        }
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
        ] {
            check(address, false);
        }
    }

    #[test]
    fn literal_addresses_are_decided_before_dialling() {
        let resolver = PublicOnly { proxy_hosts: vec!["proxy.corp".to_owned()] };
        for (url, admitted) in [
            ("https://blobs.example/x", true),
            ("https://1.1.1.1/x", true),
            ("https://169.254.169.254/latest", false),
            ("https://0x7f.1/", false),
            ("https://2130706433/", false),
            ("https://127。0。0。1/", false),
            ("https://[::1]/", false),
            ("https://[::ffff:169.254.169.254]/", false),
            ("http://proxy.corp:3128/", false),
        ] {
            assert_eq!(resolver.admits(&Url::parse(url).unwrap()), admitted, "{url}");
        }
    }

    #[test]
    fn h17_private_names_are_refused_also_where_a_proxy_would_resolve_them() {
        let resolver = PublicOnly { proxy_hosts: vec!["proxy.corp.example".to_owned()] };
        for (host, is_admitted) in [
            ("blobs.example", true),
            ("blobs.example.", true),
            ("internal.blobs.example", true),
            ("localhost.example", true),
            ("myhome.arpa", true),
            ("localhost", false),
            ("LOCALHOST.", false),
            ("a.localhost", false),
            ("intranet", false),
            ("intranet.", false),
            ("metadata.google.internal", false),
            ("metadata.google.internal.", false),
            ("METADATA.google.INTERNAL", false),
            ("printer.local", false),
            ("nas.lan", false),
            ("router.home.arpa", false),
            ("home.arpa", false),
            ("kubernetes.default.svc", false),
            ("kubernetes.default.svc.cluster.local", false),
            ("10.0.0.5.", false),
            ("0xa9fea9fe", false),
            ("ｌocalhost", false),
        ] {
            for scheme in ["http", "https"] {
                let url = Url::parse(&format!("{scheme}://{host}:8080/x")).unwrap();
                assert_eq!(resolver.admits(&url), is_admitted, "{url}");
            }
        }
    }

    #[test]
    fn x03_what_each_look_up_gives_is_judged_anew() {
        let look_up = |addresses: &[&str]| {
            let found =
                addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            only_public(found)
                .ok()
                .map(|kept| kept.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(look_up(&["1.1.1.1"]), Some(vec!["1.1.1.1".to_owned()]));
        assert_eq!(look_up(&["169.254.169.254"]), None);
        assert_eq!(look_up(&["10.0.0.1", "1.1.1.1", "::1"]), Some(vec!["1.1.1.1".to_owned()]));
        assert_eq!(look_up(&[]), None);
    }

    #[test]
    fn proxies_are_read_from_the_environment() {
        let hosts = system_proxy_hosts(|name| match name {
            "HTTPS_PROXY" => Some("http://u:p@proxy.corp:3128".to_owned()),
            "all_proxy" => Some("other.corp:8080".to_owned()),
            "http_proxy" => Some("::::".to_owned()),
            _ => None,
        });
        assert_eq!(hosts, ["proxy.corp", "other.corp"]);
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let resolve = |proxy_hosts: Vec<String>| {
            PublicOnly { proxy_hosts }.resolve("localhost".parse().unwrap())
        };
        assert!(resolve(Vec::new()).await.err().unwrap().is::<NotPublic>());
        assert!(resolve(vec!["localhost".to_owned()]).await.is_ok());
    }
}

//! What clients may take of the service, and which peers speak for others.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use ipnet::IpNet;

/// The requests a minute that one client may make when nothing is said: a hundred a second. Behind
/// one address there can be a whole build farm; three thousand jobs that start in the same minute
/// and ask twice each are within it. It is also a small part of what the service answers from
/// memory, so that one client alone does not crowd out the others.
pub const DEFAULT_RATE_LIMIT: NonZeroU32 = NonZeroU32::new(6000).expect("it is not zero");
/// The connections at a time when nothing is said: more than the 10,000 callers that may wait for
/// the same answer, and few enough for 256 MiB of memory while requests are of the usual length
/// (measured: 15 KiB for each).
pub const DEFAULT_MAX_CONNECTIONS: NonZeroU32 = NonZeroU32::new(12_000).expect("it is not zero");

/// What clients may take.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// The requests a minute that one client may make; without it, clients have no limits of their
    /// own.
    pub requests_a_minute: Option<NonZeroU32>,
    /// Whether clients on this machine have limits too.
    pub includes_this_machine: bool,
    /// The peers that say in `X-Forwarded-For` for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// The connections of all clients at a time.
    pub max_connections: NonZeroU32,
}

impl ClientLimits {
    /// The limits as they were asked for. Who asks for a rate wants it for everybody; the usual one
    /// spares this machine, where tests of load and proxies that nobody told us of are.
    pub(super) fn new(
        rate_limit: Option<RateLimit>,
        trusted_proxies: Vec<TrustedProxy>,
        max_connections: Option<NonZeroU32>,
    ) -> Self {
        Self {
            requests_a_minute: match rate_limit {
                Some(RateLimit::Off) => None,
                Some(RateLimit::RequestsAMinute(most)) => Some(most),
                None => Some(DEFAULT_RATE_LIMIT),
            },
            includes_this_machine: rate_limit.is_some(),
            trusted_proxies: trusted_proxies.into_iter().map(|TrustedProxy(net)| net).collect(),
            max_connections: max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
        }
    }
}

/// How often one client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// As often as it likes.
    Off,
    /// So often in a minute.
    RequestsAMinute(NonZeroU32),
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            _ => text
                .parse()
                .map(Self::RequestsAMinute)
                .map_err(|_| "write a number of requests a minute, such as 600, or off".to_owned()),
        }
    }
}

/// A proxy, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxy(IpNet);

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let one = text.parse::<IpAddr>().map(IpNet::from);
        one.or_else(|_| text.parse())
            .map(Self)
            .map_err(|_| "write an address or a network, such as 10.0.0.7 or 10.0.0.0/8".to_owned())
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("off".parse(), Ok(RateLimit::Off));
        assert_eq!("600".parse(), Ok(RateLimit::RequestsAMinute(NonZeroU32::new(600).unwrap())));
        for text in ["", "0", "-1", "1.5", "600/m", "99999999999", "OFF"] {
            assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        for text in ["10.0.0.7", "10.0.0.0/8", "::1", "fd00::/8"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text:?}");
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "proxy.example", "10.0.0.7:80", "*"] {
            assert!(text.parse::<TrustedProxy>().is_err(), "{text:?}");
        }
    }
}

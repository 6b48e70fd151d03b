//! The types of single settings, and how they are written.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::SignedDuration;
use url::Url;

use crate::images::{Repository, canonical_registry};
use crate::words::words;

words! {
    /// The format of the log.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// A JSON object per line, for machines.
        Json = "json",
    }
}

/// A longer duration would be a typing error; the limit also keeps sums far from overflow.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Reads a duration: `90s`, `15m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let duration: SignedDuration =
        text.parse().map_err(|_| "write a number and a unit: 90s, 15m or 1h")?;
    if duration > MAX_DURATION {
        return Err("must be at most 168h");
    }
    Duration::try_from(duration).map_err(|_| "must not be negative")
}

/// Reads the address of a proxy, or a network of proxies.
pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = text.trim().parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.trim().parse())
        .map_err(|_| "write an address or a network, such as 10.0.0.7 or 10.0.0.0/8")
}

/// The address of the listener for metrics and detailed health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// No listener.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromStr for AdminListen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        off_or(text, Self::Off, Self::At)
            .ok_or("write an address and port, such as 127.0.0.1:9090, or off")
    }
}

/// How many requests one client may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// Any number.
    Off,
    /// This many per minute.
    RequestsPerMinute(NonZeroU32),
}

impl FromStr for RateLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        off_or(text, Self::Off, Self::RequestsPerMinute)
            .ok_or("write a number of requests per minute, such as 600, or off")
    }
}

fn off_or<T, V: FromStr>(text: &str, off: T, on: fn(V) -> T) -> Option<T> {
    if text == "off" { Some(off) } else { text.parse().ok().map(on) }
}

/// A registry and where its requests are sent instead: `mcr.microsoft.com=http://127.0.0.1:5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub(super) registry: String,
    pub(super) url: Url,
}

impl FromStr for Mirror {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = "write REGISTRY=URL, such as mcr.microsoft.com=http://127.0.0.1:5000";
        let (registry, url) = text.trim().split_once('=').ok_or(example)?;
        let registry = registry_name(registry).ok_or(example)?;
        Ok(Self { registry, url: mirror_url(url)? })
    }
}

/// A registry host as references name it, with its port if it has one.
pub(super) fn registry_name(text: &str) -> Option<String> {
    let probe = Repository::parse(&format!("{text}/x")).ok()?;
    (probe.registry() == canonical_registry(text)).then(|| probe.registry().to_owned())
}

pub(super) fn mirror_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{error}; write it like http://127.0.0.1:5000"))?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_plain {
        Ok(url)
    } else {
        Err("must be an http or https URL with a host and at most a path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("168h", 604_800), ("1h 30m", 5400)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "15", "m", "-1s", "169h", "99999999999999999999h", "1 fortnight", "1d"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn rates_are_read() {
        assert_eq!("off".parse(), Ok(RateLimit::Off));
        assert_eq!("600".parse(), Ok(RateLimit::RequestsPerMinute(NonZeroU32::new(600).unwrap())));
        for text in ["", "0", "-1", "1.5", "600/m", "99999999999", "OFF"] {
            assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        for text in ["10.0.0.7", "10.0.0.0/8", "::1", "fd00::/8"] {
            assert!(network(text).is_ok(), "{text:?}");
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "proxy.example", "10.0.0.7:80", "*"] {
            assert!(network(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn mirrors_are_read() {
        let mirror: Mirror = "mcr.microsoft.com=http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(
            (mirror.registry.as_str(), mirror.url.as_str()),
            ("mcr.microsoft.com", "http://127.0.0.1:5000/")
        );
        let mirror: Mirror = "MCR.microsoft.com:443=http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(mirror.registry, "mcr.microsoft.com");
        for text in [
            "",
            "mcr.microsoft.com",
            "a/b=http://x",
            "x.y=ftp://x",
            "x.y=http://u:p@x",
            "=http://x",
            "x.y=http://x/?a=b",
        ] {
            assert!(text.parse::<Mirror>().is_err(), "{text:?}");
        }
    }
}

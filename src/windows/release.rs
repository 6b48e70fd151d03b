//! Releases of Windows: names, builds, and until when each is supported.
//!
//! A build is not a release: 17763 is Windows Server 2019, Windows Server, version 1809, and
//! Windows 10, version 1809, and each of the three has its own end of support.

use jiff::civil::Date;

use crate::words::words;

words! {
    /// Whether a host runs Windows Server or a client Windows (Windows 10 and 11).
    pub enum HostKind {
        /// Windows Server, Datacenter and Standard alike.
        Server = "server",
        /// Windows 10 or Windows 11.
        Client = "client",
    }

    /// The servicing channel that a release belongs to. The order is the order of preference where
    /// two server releases share a build: the long-term release is the one that lives on.
    pub enum Channel {
        /// Long-Term Servicing Channel (LTSC): Windows Server 2016, 2019, 2022, 2025.
        LongTerm = "LTSC",
        /// Semi-Annual Channel (SAC): Windows Server, version 1709 to 20H2.
        SemiAnnual = "SAC",
        /// Annual Channel (AC): Windows Server, version 23H2.
        Annual = "AC",
        /// General Availability Channel (GAC): clients.
        GeneralAvailability = "GAC",
    }
}

/// One release of Windows, a row of `data/releases.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Server or client.
    pub kind: HostKind,
    /// The full name, such as `Windows Server 2019` or `Windows 10, version 22H2`.
    pub name: String,
    /// The version name, such as `1809` or `22H2`. Not unique: 21H2 is three different builds.
    pub version: String,
    /// The internal code name, such as `RS5`; empty where it is not public.
    pub codename: String,
    /// The build number.
    pub build: u32,
    /// The servicing channel.
    pub channel: Channel,
    /// The first day of availability.
    pub available: Date,
    /// The last day of mainstream support; for clients, of the Home and Pro editions.
    pub mainstream_end: Option<Date>,
    /// The last day of extended support; for clients, of the Enterprise and Education editions.
    pub extended_end: Option<Date>,
    /// The last day of the long-term edition (LTSB, LTSC) of a client release.
    pub long_term_end: Option<Date>,
    /// The last day of the paid Extended Security Updates.
    pub security_updates_end: Option<Date>,
    /// The words that tags use for this release, preferred first: `ltsc2019`, `1809`, `sac2019`.
    pub lines: Vec<String>,
    /// The last day of support of the Nano Server images.
    pub nanoserver_end: Option<Date>,
    /// The last day of support of the Server Core images.
    pub servercore_end: Option<Date>,
    /// Notes, mostly on sources that contradict each other.
    pub note: String,
    /// Where the facts come from.
    pub source: String,
}

words! {
    /// How far a release is supported on a day.
    pub enum Support {
        /// The release is not out yet.
        NotYetAvailable = "not-yet-available",
        /// Full support.
        Mainstream = "mainstream",
        /// A server past its mainstream end: security updates only, free of charge.
        Extended = "extended",
        /// A client past its Home and Pro end: Enterprise and Education are still supported.
        EnterpriseOnly = "enterprise-only",
        /// A client of which only the long-term edition (LTSB, LTSC) is still supported.
        LongTermEditionsOnly = "long-term-editions-only",
        /// Only paid Extended Security Updates are left.
        ExtendedSecurityUpdates = "extended-security-updates",
        /// No support of any kind.
        Ended = "ended",
    }
}

words! {
    /// The base that an image is built on; it decides how long the image is supported.
    pub enum Base {
        /// Nano Server.
        Nanoserver = "nanoserver",
        /// Server Core, and every image with the same lifetime: server, windows, IIS.
        Servercore = "windowsservercore",
    }
}

impl Release {
    /// The state of support on that day. A last day of support is a supported day.
    ///
    /// A release without any known end is taken to be in full support.
    pub fn support(&self, on: Date) -> Support {
        if on < self.available {
            return Support::NotYetAvailable;
        }
        let phases = self.phases();
        if phases.iter().all(|(_, last_day)| last_day.is_none()) {
            return Support::Mainstream;
        }
        phases
            .into_iter()
            .find(|(_, last_day)| last_day.is_some_and(|last_day| on <= last_day))
            .map_or(Support::Ended, |(support, _)| support)
    }

    /// The last day of support, when every kind of support is over on that day. A release of which
    /// only the long-term editions or paid updates are left has not ended.
    pub fn support_ended(&self, on: Date) -> Option<Date> {
        let last_day = self.phases().into_iter().filter_map(|(_, last_day)| last_day).max()?;
        (self.support(on) == Support::Ended).then_some(last_day)
    }

    /// The phases of support in the order in which they follow each other, with their last days.
    fn phases(&self) -> [(Support, Option<Date>); 4] {
        let after_mainstream = match self.kind {
            HostKind::Server => Support::Extended,
            HostKind::Client => Support::EnterpriseOnly,
        };
        [
            (Support::Mainstream, self.mainstream_end),
            (after_mainstream, self.extended_end),
            (Support::LongTermEditionsOnly, self.long_term_end),
            (Support::ExtendedSecurityUpdates, self.security_updates_end),
        ]
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::windows::Tables;

    fn release(name: &str) -> &'static Release {
        Tables::embedded().releases().iter().find(|release| release.name == name).unwrap()
    }

    #[test]
    fn a_last_day_of_support_is_supported() {
        let cases = [
            ("Windows Server, version 1709", date(2017, 10, 16), Support::NotYetAvailable, None),
            ("Windows Server, version 1709", date(2017, 10, 17), Support::Mainstream, None),
            ("Windows Server, version 1709", date(2019, 4, 9), Support::Mainstream, None),
            (
                "Windows Server, version 1709",
                date(2019, 4, 10),
                Support::Ended,
                Some(date(2019, 4, 9)),
            ),
            ("Windows Server 2016", date(2022, 1, 11), Support::Mainstream, None),
            ("Windows Server 2016", date(2022, 1, 12), Support::Extended, None),
            ("Windows Server 2016", date(2027, 1, 13), Support::ExtendedSecurityUpdates, None),
            ("Windows Server 2016", date(2030, 1, 13), Support::Ended, Some(date(2030, 1, 12))),
            ("Windows 10, version 1809", date(2021, 1, 1), Support::EnterpriseOnly, None),
            ("Windows 10, version 1809", date(2026, 11, 23), Support::LongTermEditionsOnly, None),
            ("Windows 10, version 1809", date(2029, 1, 10), Support::Ended, Some(date(2029, 1, 9))),
            (
                "Windows 10, version 22H2",
                date(2026, 11, 23),
                Support::ExtendedSecurityUpdates,
                None,
            ),
        ];
        for (name, on, support, ended) in cases {
            assert_eq!(release(name).support(on), support, "{name} on {on}");
            assert_eq!(release(name).support_ended(on), ended, "{name} on {on}");
        }
    }

    #[test]
    fn a_release_without_known_ends_is_supported() {
        let mut unknown = release("Windows Server 2025").clone();
        unknown.mainstream_end = None;
        unknown.extended_end = None;
        assert_eq!(unknown.support(date(2099, 1, 1)), Support::Mainstream);
        assert_eq!(unknown.support_ended(date(2099, 1, 1)), None);
    }
}

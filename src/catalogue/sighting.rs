//! What is remembered of a tag: at which image it was seen, and when.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, TimestampRound, ToSpan as _, Unit};
use serde::{Serialize, Serializer};

use crate::images::Digest;
use crate::windows::{Base, WindowsVersion};

/// A moment, as precisely as it is recorded or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Some time in the month of this day.
    Month(Date),
    /// Some time on this day, in UTC.
    Day(Date),
    /// This second.
    At(Timestamp),
}

impl Moment {
    /// This moment, to the second that has begun.
    pub fn at(moment: Timestamp) -> Self {
        let seconds = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
        Self::At(moment.round(seconds).unwrap_or(moment))
    }

    /// The first second that it may be.
    pub fn earliest(self) -> Timestamp {
        match self {
            Self::Month(day) => midnight(day.first_of_month()),
            Self::Day(day) => midnight(day),
            Self::At(moment) => moment,
        }
    }

    /// The last second that it may be.
    pub fn latest(self) -> Timestamp {
        let end_of = |day: Date| {
            let next = day.tomorrow().map_or(Timestamp::MAX, midnight);
            next.checked_sub(1.second()).unwrap_or(next)
        };
        match self {
            Self::Month(day) => end_of(day.last_of_month()),
            Self::Day(day) => end_of(day),
            Self::At(moment) => moment,
        }
    }

    /// The last day that it may be.
    pub fn day(self) -> Date {
        self.latest().to_zoned(TimeZone::UTC).date()
    }

    /// The moment by which it is certain, as answers date what they say: a month or a day is known
    /// only at its end, and a day is written as its midnight.
    pub fn as_of(self) -> Timestamp {
        match self {
            Self::Month(_) | Self::Day(_) => midnight(self.day()),
            Self::At(moment) => moment,
        }
    }
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(day) => write!(f, "{}", day.strftime("%Y-%m")),
            Self::Day(day) => write!(f, "{day}"),
            Self::At(moment) => write!(f, "{moment}"),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a day, such as 2024-03-01, or a moment, such as 2024-03-01T12:00:00Z")]
pub struct ParseMomentError;

impl FromStr for Moment {
    type Err = ParseMomentError;

    fn from_str(text: &str) -> Result<Self, ParseMomentError> {
        const MONTH_BYTES: usize = 7;
        const DAY_BYTES: usize = 10;
        // As long as RFC 3339 is written, with nanoseconds.
        const MAX_BYTES: usize = 35;
        let day = |text: &str| text.parse::<Date>().map_err(|_| ParseMomentError);
        match text.len() {
            MONTH_BYTES => day(&format!("{text}-01")).map(Self::Month),
            DAY_BYTES => day(text).map(Self::Day),
            ..=MAX_BYTES => text.parse().map(Self::at).map_err(|_| ParseMomentError),
            _ => Err(ParseMomentError),
        }
    }
}

/// A tag seen at one image, from a first to a last time with nothing else seen between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The digest that the tag pointed to; `None` if it is not recorded.
    pub digest: Option<Digest>,
    /// The version of its image; `None` if it is not recorded, or if there are several.
    pub os_version: Option<WindowsVersion>,
    /// The Windows builds of its images, if there are several.
    pub builds: Vec<u32>,
    /// The base of its images, if it is recorded.
    pub base: Option<Base>,
    /// The first and the last time; `None` if no time is recorded.
    pub seen: Option<(Moment, Moment)>,
    /// `registry` if this service saw it; else the kind of evidence, whose words are explained
    /// beside the data.
    pub evidence: &'static str,
}

impl Sighting {
    /// The evidence of what this service saw itself.
    pub const OWN: &'static str = "registry";

    /// Whether only the existence of the tag is recorded.
    pub fn is_bare(&self) -> bool {
        self.digest.is_none() && self.os_version.is_none() && self.builds.is_empty()
    }

    /// Whether both are the same image, as far as it is recorded.
    fn is_same_image(&self, other: &Self) -> bool {
        self.digest == other.digest
            && self.os_version == other.os_version
            && self.builds == other.builds
    }
}

/// All that is remembered of one tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagHistory {
    /// The images it was seen at, the oldest first; neighbours differ.
    pub sightings: Vec<Sighting>,
    /// Images it was seen at some time that is not recorded.
    pub undated: Vec<Sighting>,
    /// The first time that it is known to have existed.
    pub existed: Option<Moment>,
    /// When a registry first had it no more.
    pub gone: Option<Moment>,
}

impl TagHistory {
    /// Puts sightings in order, and joins those of the same image.
    pub fn new(all: Vec<Sighting>) -> Self {
        let mut history = Self::default();
        let first = |sighting: &Sighting| sighting.seen.map(|(first, _)| first);
        history.existed = all.iter().filter_map(first).min_by_key(|first| first.latest());
        let mut dated: Vec<(Moment, Moment, Sighting)> = Vec::new();
        for sighting in all.into_iter().filter(|sighting| !sighting.is_bare()) {
            match sighting.seen {
                Some((first, last)) => dated.push((first, last, sighting)),
                None => history.undated.push(sighting),
            }
        }
        dated.sort_by_key(|(first, last, _)| (last.latest(), first.latest()));
        for (first, last, sighting) in dated {
            match history.sightings.last_mut().filter(|before| before.is_same_image(&sighting)) {
                Some(before) => {
                    let since = before.seen.map_or(first, |(since, _)| since);
                    *before = Sighting { seen: Some((since, last)), ..sighting };
                }
                None => history.sightings.push(sighting),
            }
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(version: &str, first: &str, last: &str) -> Sighting {
        Sighting {
            digest: Some(Digest::of(version.as_bytes())),
            os_version: version.parse().ok(),
            builds: Vec::new(),
            base: None,
            seen: Some((first.parse().unwrap(), last.parse().unwrap())),
            evidence: "a test",
        }
    }

    #[test]
    fn a_moment_is_no_more_precise_than_it_is_written() {
        for (text, earliest, latest, as_of) in [
            ("2018-03", "2018-03-01T00:00:00Z", "2018-03-31T23:59:59Z", "2018-03-31T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "2024-02-29T00:00:00Z"),
            (
                "2024-03-01T12:00:00Z",
                "2024-03-01T12:00:00Z",
                "2024-03-01T12:00:00Z",
                "2024-03-01T12:00:00Z",
            ),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.to_string(), text);
            let expected = [earliest, latest, as_of].map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!([moment.earliest(), moment.latest(), moment.as_of()], expected, "{text}");
        }
        for text in ["", "2024", "2024-13-01", "2023-02-29", "2024-03-01T12:00", "1 March 2024"] {
            assert_eq!(text.parse::<Moment>(), Err(ParseMomentError), "{text}");
        }
    }

    #[test]
    fn sightings_are_joined_where_nothing_else_was_seen_between() {
        let (old, new) = ("10.0.20348.1", "10.0.20348.2");
        let bare =
            Sighting { digest: None, os_version: None, ..sighting(old, "2022-01", "2022-01") };
        let history = TagHistory::new(vec![
            sighting(new, "2024-03-13", "2024-03-13"),
            sighting(old, "2024-02-14", "2024-02-14"),
            bare,
            sighting(old, "2024-02-20", "2024-03-01"),
            Sighting { seen: None, ..sighting(new, "2024-01", "2024-01") },
        ]);
        assert_eq!(
            history.sightings,
            [sighting(old, "2024-02-14", "2024-03-01"), sighting(new, "2024-03-13", "2024-03-13")]
        );
        assert_eq!(history.undated.len(), 1);
        assert_eq!(history.existed, Some("2022-01".parse().unwrap()));
    }
}

//! Windows version numbers and KB numbers.
//!
//! The first two parts of every Windows version that can run containers are `10.0`, so only the
//! build and the revision are kept. Both are 32-bit: revisions reached 33296 in August 2026 and
//! have no documented ceiling, so 16 bits (as in hcsshim) would not do.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A Windows version `10.0.build` or `10.0.build.revision`.
///
/// The order is numeric: by build, then by revision, an unknown revision first. Comparing versions
/// as text is wrong (`10.0.14393.206` is older than `10.0.14393.2007`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowsVersion {
    /// The build number, such as 17763. It names the Windows release.
    pub build: u32,
    /// The revision (update build revision), such as 1039, when it is known.
    pub revision: Option<u32>,
}

impl WindowsVersion {
    /// The longest text that is looked at: `10.0.` and two ten-digit numbers.
    pub const MAX_TEXT_BYTES: usize = 26;

    /// A version whose revision is not known.
    pub const fn of_build(build: u32) -> Self {
        Self { build, revision: None }
    }

    /// A version with its revision.
    pub const fn new(build: u32, revision: u32) -> Self {
        Self { build, revision: Some(revision) }
    }

    /// This version without its revision.
    pub const fn without_revision(self) -> Self {
        Self::of_build(self.build)
    }
}

impl fmt::Display for WindowsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "10.0.{}.{revision}", self.build),
            None => write!(f, "10.0.{}", self.build),
        }
    }
}

impl Serialize for WindowsVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not a Windows version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseVersionError {
    /// The text does not begin with `10.0.`.
    #[error("a Windows version that runs containers begins with 10.0., such as 10.0.17763.1039")]
    NotTenZero,
    /// The text does not have three or four parts.
    #[error("a Windows version has three or four parts, such as 10.0.17763 or 10.0.17763.1039")]
    Parts,
    /// A part is empty, not decimal, has leading zeros, or is larger than 32 bits.
    #[error("each part of a Windows version is a decimal number without leading zeros")]
    Number,
}

impl FromStr for WindowsVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX_TEXT_BYTES {
            return Err(ParseVersionError::Parts);
        }
        let rest = text.strip_prefix("10.0.").ok_or(ParseVersionError::NotTenZero)?;
        let mut parts = rest.split('.');
        let build = parts.next().ok_or(ParseVersionError::Parts).and_then(parse_number)?;
        let revision = parts.next().map(parse_number).transpose()?;
        if parts.next().is_some() {
            return Err(ParseVersionError::Parts);
        }
        Ok(Self { build, revision })
    }
}

/// A decimal number as Windows prints it: ASCII digits, no sign, no leading zero.
fn parse_number(text: &str) -> Result<u32, ParseVersionError> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return Err(ParseVersionError::Number);
    }
    text.parse().map_err(|_| ParseVersionError::Number)
}

/// The number of a Microsoft Knowledge Base article that is a Windows update, such as KB4043961.
///
/// One KB can cover several builds (KB5008212: 19041 to 19044) and several revisions of one build
/// (KB5005625: 17763.2210 and 17763.2213); one revision can have several KBs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kb(pub u32);

impl Kb {
    /// Every KB of a Windows 10 era update has seven digits.
    const DIGITS: usize = 7;
}

impl fmt::Display for Kb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KB{}", self.0)
    }
}

impl Serialize for Kb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not a KB number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a KB is written KB and seven digits, such as KB4043961")]
pub struct ParseKbError;

impl FromStr for Kb {
    type Err = ParseKbError;

    /// Reads `KB4043961`; the letters in either case, or left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("kb") => &text[2..],
            _ => text,
        };
        let canonical = digits.len() == Self::DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if !canonical {
            return Err(ParseKbError);
        }
        digits.parse().map(Kb).map_err(|_| ParseKbError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_and_print() {
        for text in ["10.0.17763", "10.0.14393.0", "10.0.26100.33296", "10.0.99999.70000"] {
            assert_eq!(text.parse::<WindowsVersion>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in [
            "",
            "10.0.",
            "10.0",
            "6.3.9600",
            "10.0.1.2.3",
            "10.0.01",
            "10.0.+1",
            "10.0.17763.",
            "10.0.4294967296",
            "10.0.1 ",
        ] {
            assert!(text.parse::<WindowsVersion>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn order_is_numeric() {
        let mut versions: Vec<WindowsVersion> = [
            "10.0.26100.32230",
            "10.0.14393.2007",
            "10.0.26100.7462",
            "10.0.14393.206",
            "10.0.14393",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        versions.sort();
        let sorted: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(
            sorted,
            [
                "10.0.14393",
                "10.0.14393.206",
                "10.0.14393.2007",
                "10.0.26100.7462",
                "10.0.26100.32230"
            ]
        );
    }

    #[test]
    fn kbs_read_and_print() {
        for text in ["KB4043961", "kb4043961", "4043961"] {
            assert_eq!(text.parse::<Kb>().unwrap().to_string(), "KB4043961");
        }
        for text in ["", "KB", "KB404396", "KB40439610", "KB0043961", "KB404396x", "é043961"] {
            assert!(text.parse::<Kb>().is_err(), "{text:?}");
        }
    }
}

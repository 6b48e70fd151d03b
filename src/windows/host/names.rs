//! Which releases go by the names in a host string.

use super::clues::Clues;
use crate::windows::builds::{BUILD_2016, BUILD_2019, BUILD_2025};
use crate::windows::release::{HostKind, Release};

/// Whether a release goes by every name in the text and is the product that it says.
pub(super) fn is_named(release: &Release, clues: &Clues) -> bool {
    let numbered = clues.windows_number.is_none_or(|number| {
        release
            .name
            .strip_prefix("Windows ")
            .is_some_and(|rest| rest.starts_with(&format!("{number},")))
    });
    numbered && has_names(release, clues)
}

/// Whether a release goes by every name in the text, whatever product that says.
pub(super) fn has_names(release: &Release, clues: &Clues) -> bool {
    clues.names.iter().all(|name| goes_by(release, name, clues.long_term))
}

/// Whether a release goes by that name: its version, its code name, a word of its tags, or the year
/// of a Windows Server or of a long-term edition.
fn goes_by(release: &Release, name: &str, long_term: bool) -> bool {
    release.version.eq_ignore_ascii_case(name)
        || release.codename.eq_ignore_ascii_case(name)
        || release.lines.iter().any(|line| line.eq_ignore_ascii_case(name))
        || release.name.strip_prefix("Windows Server ") == Some(name)
        || (release.kind == HostKind::Client
            && name == LAST_RELEASE_ID
            && release.build >= FIRST_BUILD_OF_LAST_RELEASE_ID)
        || (release.kind == HostKind::Client
            && long_term
            && LONG_TERM_CLIENTS.contains(&(name, release.build)))
}

/// The years of the long-term client editions (LTSB 2016, LTSC 2019 and so on) and their builds,
/// as their release notes name them.
const LONG_TERM_CLIENTS: [(&str, u32); 4] =
    [("2016", BUILD_2016), ("2019", BUILD_2019), ("2021", 19044), ("2024", BUILD_2025)];

/// Clients from 20H2 on all print `Version 2009`, because the registry value stopped changing.
const LAST_RELEASE_ID: &str = "2009";
const FIRST_BUILD_OF_LAST_RELEASE_ID: u32 = 19042;

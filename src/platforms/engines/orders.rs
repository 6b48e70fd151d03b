//! Orders: which of the entries that match an engine takes. All sorts are stable, so that equal
//! entries stay in the order of the index.

use std::cmp::Reverse;

use super::entry::{Host, IndexEntry};
use crate::images::Architecture;
use crate::words::words;

words! {
    /// The order in which an engine prefers the entries that match.
    #[derive(serde::Deserialize)]
    pub enum Order {
        /// The order of the index, the better variant of the architecture first.
        Index = "index",
        /// As `index`; of the same variant, the entry with more os.features first.
        IndexWithFeatures = "index-with-features",
        /// The os.version as text, the largest first: revision 4061 before 33296.
        Text = "text",
        /// The revision, the highest first, whatever the build.
        Revision = "revision",
        /// Entries of the host's build first, then the order of the index.
        OwnBuild = "own-build",
        /// Windows, the better variant, the os.version asked for, the highest os.version.
        Regctl = "regctl",
    }
}

impl Order {
    /// The preference in a sentence, without its beginning.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Index => "of several it takes the first in the index",
            Self::IndexWithFeatures => {
                "of several it takes the one with more os.features (Server Core before Nano \
                 Server), then the first in the index"
            }
            Self::Text => {
                "of several it takes the largest os.version as text: the newest build, but \
                 revision 4061 before 33296"
            }
            Self::Revision => "of several it takes the highest revision, whatever the build",
            Self::OwnBuild => {
                "of several it takes the first with the host's build, else the first in the index"
            }
            Self::Regctl => "of several it takes the highest os.version",
        }
    }

    /// Whether the engine takes older architectures and variants of the host's too.
    pub(super) const fn takes_lower(self) -> bool {
        matches!(self, Self::Index | Self::IndexWithFeatures)
    }

    /// Sorts entries with their positions and the rank of their architecture.
    pub(super) fn sort(self, found: &mut [Found<'_>], host: &Host<'_>) {
        let own_build = host.windows.map(|(build, _)| format!("10.0.{build}."));
        let version = |found: &Found<'_>| found.entry.os_version.unwrap_or_default().to_owned();
        match self {
            Self::Index => found.sort_by_key(|found| found.rank),
            Self::IndexWithFeatures => {
                found.sort_by_key(|found| (found.rank, Reverse(found.entry.os_features.len())))
            }
            Self::Text => found.sort_by_key(|found| Reverse(version(found))),
            Self::Revision => found.sort_by_key(|found| Reverse(revision(found.entry.os_version))),
            Self::OwnBuild => found.sort_by_key(|found| {
                let is_own = own_build.as_ref().is_some_and(|own| version(found).starts_with(own));
                (!found.entry.is_for("windows"), !is_own)
            }),
            Self::Regctl => {
                // Compared pairwise, as regctl does: versions of different lengths have no order.
                for at in 1..found.len() {
                    if is_better_for_regctl(&found[at], &found[0], host) {
                        found.swap(0, at);
                    }
                }
            }
        }
    }
}

/// An entry that matches.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub position: usize,
    pub entry: IndexEntry<'a>,
    /// How well the architecture fits, 0 best.
    pub rank: usize,
}

/// How well the entry's architecture fits the host's: 0 is best, `None` is another one. `lower`
/// is whether older architectures and variants count (containerd/platforms, compare.go,
/// `platformVector`).
pub(super) fn rank_of(
    entry: &IndexEntry<'_>,
    architecture: Architecture,
    cpu_level: u8,
    lower: bool,
) -> Option<usize> {
    let (of_entry, variant) = entry.normal_architecture();
    let level = |variant: &str| match variant {
        "" => Some(1),
        _ => variant.strip_prefix('v')?.parse::<u8>().ok(),
    };
    let below = |top: u8, bottom: u8| {
        let level = level(variant).filter(|level| (bottom..=top).contains(level))?;
        (lower || level == top).then_some(usize::from(top - level))
    };
    match (architecture, of_entry) {
        (Architecture::Amd64, "amd64") => {
            let level = level(variant).filter(|level| (1..=cpu_level).contains(level))?;
            Some(usize::from(cpu_level - level))
        }
        (Architecture::Amd64, "386") => lower.then_some(usize::from(cpu_level)),
        (Architecture::Arm64, "arm64") => variant.is_empty().then_some(0),
        (Architecture::Arm64, "arm") if lower => below(8, 5).map(|rank| rank + 1),
        (Architecture::Arm, "arm") => below(7, 5),
        _ => None,
    }
}

/// The fourth part of a version as a number; 0 if there is none.
fn revision(os_version: Option<&str>) -> u64 {
    let part = os_version.and_then(|text| text.split('.').nth(3));
    part.and_then(|part| part.parse().ok()).unwrap_or_default()
}

/// regclient, types/platform/compare.go, `Better`.
fn is_better_for_regctl(found: &Found<'_>, best: &Found<'_>, host: &Host<'_>) -> bool {
    let is_windows = |found: &Found<'_>| found.entry.is_for("windows");
    if is_windows(found) != is_windows(best) {
        return is_windows(found);
    }
    if found.rank != best.rank {
        return found.rank < best.rank;
    }
    let asked = host.windows.map(|(_, os_version)| os_version);
    let is_equal = |found: &Found<'_>| found.entry.os_version == asked;
    if is_equal(found) != is_equal(best) {
        return is_equal(found);
    }
    let numbers = |found: &Found<'_>| -> Vec<u64> {
        let parts = found.entry.os_version.unwrap_or_default().split('.');
        parts.map(|part| part.parse().unwrap_or_default()).collect()
    };
    let (of_found, of_best) = (numbers(found), numbers(best));
    let shared = of_found.len().min(of_best.len());
    of_found[..shared] > of_best[..shared]
}

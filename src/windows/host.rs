//! Host strings: whatever a machine prints about itself, or what people call it, becomes a version
//! and a kind of host.
//!
//! Numbers win over names: `Version 2009 (OS Build 22000.282)` is build 22000, because Windows kept
//! printing 2009 long after 20H2. Names must agree with each other. What could be several builds is
//! not decided by guessing, except that a server is preferred to a client. Server or client follows
//! from the words, else from the version: a revision that only clients have is a client's.

use super::host_clues::Clues;
use super::release::{HostKind, Release};
use super::spelling::edit_distance;
use super::tables::Tables;
use super::version::WindowsVersion;

/// The edition of a client, as far as it matters: Home has no containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Windows 10 Home, Windows 11 Home.
    Home,
    /// Any other edition, or not said.
    Other,
}

/// A Windows host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The text as it was given.
    pub requested: String,
    /// The version; the revision where the text has it.
    pub version: WindowsVersion,
    /// Server or client.
    pub kind: HostKind,
    /// The edition.
    pub edition: Edition,
    /// The name of the release, where the tables have the build for that kind. Where two server
    /// releases share the build, the long-term one, unless the text has the full name of the
    /// other.
    pub name: Option<String>,
}

/// One release that a text could mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostCandidate {
    /// The build number.
    pub build: u32,
    /// Server or client.
    pub kind: HostKind,
    /// The name of the release; `None` for a build that the tables do not have for that kind.
    pub name: Option<String>,
}

/// What a text says about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReading {
    /// The host; `None` when the text names several builds and nothing decides.
    pub host: Option<Host>,
    /// Everything that the text could mean, the chosen one first. Never empty.
    pub could_mean: Vec<HostCandidate>,
}

/// Why a text is not a host. The messages never repeat the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text has no letter and no digit.
    #[error("the host is empty; {HOW_TO_SAY}")]
    Empty,
    /// The text is longer than [`MAX_HOST_TEXT_BYTES`].
    #[error("the host is longer than {MAX_HOST_TEXT_BYTES} bytes; {HOW_TO_SAY}")]
    TooLong,
    /// `auto`.
    #[error("auto cannot work, because wintag cannot see the host; {HOW_TO_SAY}")]
    Automatic,
    /// A Linux kernel or another operating system.
    #[error(
        "this is not Windows but looks like Linux or another system; Windows containers need a \
         Windows host. If it came from docker, switch it to Windows containers; {HOW_TO_SAY}"
    )]
    NotWindows,
    /// A Windows from before containers.
    #[error(
        "{what} cannot run containers; the first versions that can are Windows Server 2016 and \
         Windows 10, version 1607 (build 14393)"
    )]
    TooOld {
        /// What the text names, such as `Windows Server 2012`.
        what: String,
    },
    /// What `docker version` prints, which has no Windows version.
    #[error(
        "docker version does not tell the Windows build; give what docker info prints, or docker \
         version --format '{{{{json .}}}}'"
    )]
    DockerVersion,
    /// The text names several builds, each in full, as a list of nodes does.
    #[error("several hosts were found in this text ({}); give one of them", listed(.versions))]
    Several {
        /// The first version of each build, in the order of the text; a few of them.
        versions: Vec<WindowsVersion>,
    },
    /// The text is none of the known forms, contradicts itself, or names what never existed.
    #[error("no Windows host is known by this text{}; {HOW_TO_SAY}", did_you_mean(.suggestions))]
    Unknown {
        /// What might have been meant, best first; each is accepted as a host.
        suggestions: Vec<String>,
    },
}

/// The longest text that is read. A whole `docker info` fits.
pub const MAX_HOST_TEXT_BYTES: usize = 4096;

/// Reads what a machine prints about itself: `10.0.17763.557`, `ltsc2019`, `Windows 10 22H2`,
/// docker's `10.0 16299 (16299.15.amd64fre.rs3_release.170928-1534)`, and so on.
///
/// `host_type` settles whether it is a server or a client, even against the text.
pub fn read_host(
    text: &str,
    host_type: Option<HostKind>,
    tables: &Tables,
) -> Result<HostReading, HostError> {
    if text.len() > MAX_HOST_TEXT_BYTES {
        return Err(HostError::TooLong);
    }
    let clues = Clues::of(text);
    if clues.words == 0 {
        return Err(HostError::Empty);
    }
    if clues.automatic {
        return Err(HostError::Automatic);
    }
    let kind = host_type.or(clues.kind());
    let (version, mut could_mean) = if let Some(version) = version_of(&clues)? {
        (Some(version), candidates_of_version(version, kind, tables))
    } else if let Some(what) = clues.too_old {
        return Err(HostError::TooOld { what });
    } else {
        candidates_of_names(&clues, host_type, tables)?
    };
    keep_full_names(&mut could_mean, text);
    let host = version.zip(could_mean.first()).map(|(version, chosen)| Host {
        requested: text.to_owned(),
        version,
        kind: chosen.kind,
        edition: if clues.home && chosen.kind == HostKind::Client {
            Edition::Home
        } else {
            Edition::Other
        },
        name: chosen.name.clone(),
    });
    Ok(HostReading { host, could_mean })
}

/// The version that the numbers in the text say. The most certain form decides; two builds in that
/// form are two hosts.
fn version_of(clues: &Clues) -> Result<Option<WindowsVersion>, HostError> {
    if clues.stated.is_empty() && clues.branches.is_empty() && clues.foreign && !clues.names_windows
    {
        return Err(HostError::NotWindows);
    }
    if clues.docker_version && clues.stated.is_empty() && clues.branches.is_empty() {
        return Err(HostError::DockerVersion);
    }
    let by_certainty = [&clues.stated, &clues.bare, &clues.branches];
    let Some(versions) = by_certainty.into_iter().find(|versions| !versions.is_empty()) else {
        return Ok(None);
    };
    let Some(first) = versions.first() else { return Ok(None) };
    let first_of_each = first_of_each_build(versions);
    if !clues.is_trustworthy() {
        return Err(HostError::Unknown {
            suggestions: first_of_each.iter().map(ToString::to_string).collect(),
        });
    }
    if first_of_each.len() > 1 {
        return Err(HostError::Several { versions: first_of_each });
    }
    // A revision in a less certain form still counts.
    let revision = only_one(clues.update_revisions.iter().copied()).or_else(|| {
        by_certainty.into_iter().find_map(|versions| {
            only_one(
                versions
                    .iter()
                    .filter(|version| version.build == first.build)
                    .filter_map(|v| v.revision),
            )
        })
    });
    Ok(Some(WindowsVersion { build: first.build, revision: revision.flatten() }))
}

/// The first version of each build, of a few builds.
fn first_of_each_build(versions: &[WindowsVersion]) -> Vec<WindowsVersion> {
    let mut firsts: Vec<WindowsVersion> = Vec::new();
    for version in versions {
        if firsts.len() < MOST_SUGGESTIONS
            && firsts.iter().all(|first| first.build != version.build)
        {
            firsts.push(*version);
        }
    }
    firsts
}

/// The one revision that a form says, `Some(None)` where it says several: then none of them is the
/// host's.
fn only_one(mut revisions: impl Iterator<Item = u32>) -> Option<Option<u32>> {
    let first = revisions.next()?;
    Some(revisions.all(|other| other == first).then_some(first))
}

/// The releases of a build. Without a kind, a build that is known only as a client is a client, a
/// revision that is known of one kind says that kind, and any other is a server.
fn candidates_of_version(
    version: WindowsVersion,
    kind: Option<HostKind>,
    tables: &Tables,
) -> Vec<HostCandidate> {
    let build = version.build;
    let mut known: Vec<HostCandidate> =
        tables.releases_of_build(build).map(HostCandidate::of).collect();
    match kind {
        Some(kind) => {
            let (mut of_kind, _): (Vec<_>, Vec<_>) =
                known.into_iter().partition(|candidate| candidate.kind == kind);
            if of_kind.is_empty() {
                of_kind.push(HostCandidate { build, kind, name: None });
            }
            of_kind
        }
        None if known.is_empty() => {
            vec![HostCandidate { build, kind: HostKind::Server, name: None }]
        }
        None => {
            // Servers come first in the tables.
            if let Some(kind) = tables.kind_of_revision(version) {
                known.sort_by_key(|candidate| candidate.kind != kind);
            }
            known
        }
    }
}

/// The releases that all names in the text agree on, and the version if these are one build.
fn candidates_of_names(
    clues: &Clues,
    host_type: Option<HostKind>,
    tables: &Tables,
) -> Result<(Option<WindowsVersion>, Vec<HostCandidate>), HostError> {
    let kind = host_type.or(clues.kind());
    let says_something = !clues.names.is_empty()
        || (clues.names_windows && (clues.windows_number.is_some() || clues.kind().is_some()));
    let named: Vec<&Release> = if says_something && clues.is_trustworthy() {
        tables.releases().iter().filter(|release| is_named(release, clues)).collect()
    } else {
        Vec::new()
    };
    let mut candidates: Vec<HostCandidate> = named
        .iter()
        .filter(|release| kind.is_none_or(|kind| release.kind == kind))
        .map(|release| HostCandidate::of(release))
        .collect();
    if let (true, Some(kind)) = (candidates.is_empty(), host_type) {
        // The caller knows better than the text which kind it is; the build stays.
        for release in named {
            let name = tables.release_for(release.build, kind).map(|release| release.name.clone());
            let candidate = HostCandidate { build: release.build, kind, name };
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
    }
    let Some(first) = candidates.first() else {
        let foreign = clues.foreign && clues.names.is_empty();
        return Err(if foreign {
            HostError::NotWindows
        } else {
            HostError::Unknown { suggestions: suggest(clues, tables) }
        });
    };
    // Servers come first in the tables, so the kind of the first candidate is the preferred one.
    let (build, preferred) = (first.build, first.kind);
    let decided = candidates
        .iter()
        .filter(|candidate| candidate.kind == preferred)
        .all(|other| other.build == build);
    Ok((decided.then_some(WindowsVersion::of_build(build)), candidates))
}

/// Keeps those releases whose full name is in the text, if there are any. `Windows Server, version
/// 1809` is not Windows Server 2019, which older engines print as `Microsoft Windows Server Version
/// 1809`: the comma is the difference.
fn keep_full_names(could_mean: &mut Vec<HostCandidate>, text: &str) {
    let text = text.to_lowercase();
    let is_in_text = |candidate: &HostCandidate| {
        candidate.name.as_ref().is_some_and(|name| text.contains(&name.to_lowercase()))
    };
    if could_mean.iter().any(is_in_text) {
        could_mean.retain(is_in_text);
    }
}

impl HostCandidate {
    fn of(release: &Release) -> Self {
        Self { build: release.build, kind: release.kind, name: Some(release.name.clone()) }
    }
}

/// Whether a release goes by every name in the text and is the product that it says.
fn is_named(release: &Release, clues: &Clues) -> bool {
    let numbered = clues.windows_number.is_none_or(|number| {
        release
            .name
            .strip_prefix("Windows ")
            .is_some_and(|rest| rest.starts_with(&format!("{number},")))
    });
    numbered && has_names(release, clues)
}

/// Whether a release goes by every name in the text, whatever product that says.
fn has_names(release: &Release, clues: &Clues) -> bool {
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

/// What might have been meant by words that mean nothing.
fn suggest(clues: &Clues, tables: &Tables) -> Vec<String> {
    // Names that exist, but not together (`Windows 10 23H2`).
    let mut suggestions: Vec<String> = Vec::new();
    if !clues.names.is_empty() {
        let named = tables.releases().iter().filter(|release| has_names(release, clues));
        suggestions.extend(named.map(|release| release.name.clone()));
    }
    if suggestions.is_empty() {
        let mut near: Vec<(usize, u32, String)> = Vec::new();
        for word in clues
            .names
            .iter()
            .chain(&clues.unknown)
            .filter(|word| word.len() <= LONGEST_WORD_COMPARED)
        {
            // The year of a long-term release was cut off its word.
            let is_year = clues.long_term && word.bytes().all(|byte| byte.is_ascii_digit());
            let word = if is_year { format!("ltsc{word}") } else { word.clone() };
            for (known, name) in tables.releases().iter().flat_map(words_for) {
                let distance = edit_distance(&word, &known.to_ascii_lowercase());
                if distance <= MOST_EDITS && distance * 2 < word.len() {
                    near.push((
                        distance,
                        digits_of(&word).abs_diff(digits_of(known)),
                        name.to_owned(),
                    ));
                }
            }
        }
        near.sort();
        near.dedup();
        suggestions.extend(near.into_iter().map(|(_, _, name)| name));
    }
    suggestions.truncate(MOST_SUGGESTIONS);
    suggestions
}

/// The words that people use for a release, each with what it is suggested as: a year alone says
/// little.
fn words_for(release: &Release) -> impl Iterator<Item = (&str, &str)> {
    let year = release.name.strip_prefix("Windows Server ").filter(|rest| rest.len() == 4);
    let words =
        release.lines.iter().chain([&release.version]).map(|word| (word.as_str(), word.as_str()));
    words.chain(year.map(|year| (year, release.name.as_str())))
}

/// The digits of a word as one number: `22h2` is 222. Only for comparing words of one form.
fn digits_of(word: &str) -> u32 {
    word.chars()
        .filter_map(|character| character.to_digit(10))
        .fold(0, |number, digit| number.wrapping_mul(10).wrapping_add(digit))
}

fn listed(versions: &[WindowsVersion]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", suggestions.join(", "))
    }
}

const HOW_TO_SAY: &str = "give a build (17763 or 10.0.17763.557), a release (1809, ltsc2019, \
                          20H2), a name (Windows Server 2019, Windows 10 22H2), or what the \
                          machine itself prints: cmd /c ver, docker info --format \
                          '{{.OSVersion}}', or kubectl get node NAME -o \
                          jsonpath='{.status.nodeInfo.kernelVersion}'";

/// The years of the long-term client editions (LTSB 2016, LTSC 2019 and so on) and their builds,
/// as their release notes name them.
const LONG_TERM_CLIENTS: [(&str, u32); 4] =
    [("2016", 14393), ("2019", 17763), ("2021", 19044), ("2024", 26100)];

/// Clients from 20H2 on all print `Version 2009`, because the registry value stopped changing.
const LAST_RELEASE_ID: &str = "2009";
const FIRST_BUILD_OF_LAST_RELEASE_ID: u32 = 19042;

const MOST_SUGGESTIONS: usize = 3;
const MOST_EDITS: usize = 2;
const LONGEST_WORD_COMPARED: usize = 12;

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;

//! Reads a host string: weighs its clues, and finds the releases that it could mean.

use super::clues::Clues;
use super::error::{HostError, MAX_HOST_TEXT_BYTES};
use super::facts::{Edition, Host, HostCandidate, HostReading};
use super::names::is_named;
use super::suggest::{MAX_SUGGESTIONS, suggest};
use super::vocabulary::MovingName;
use crate::windows::release::{HostKind, Release};
use crate::windows::tables::Tables;
use crate::windows::version::WindowsVersion;

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
    } else if let Some(moving) = clues.moving.filter(|_| clues.names.is_empty()) {
        let MovingName { name, meaning, instead, .. } = *moving;
        return Err(HostError::Moving { name, meaning, instead });
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
    let certain = by_certainty.into_iter().find(|versions| !versions.is_empty());
    // The version of a file says the build where nothing else does, names included.
    let Some(versions) = certain.or(Some(&clues.files).filter(|_| clues.names.is_empty())) else {
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
        if firsts.len() < MAX_SUGGESTIONS && firsts.iter().all(|first| first.build != version.build)
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
    let revision = only_one(clues.update_revisions.iter().copied()).flatten();
    Ok((decided.then_some(WindowsVersion { build, revision }), candidates))
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

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

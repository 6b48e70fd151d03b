//! What a host is: the part of an answer that describes it, and the remarks that follow from it.

use jiff::civil::Date;

use crate::windows::{Host, HostCandidate, HostKind, Kb, Release, Support, Tables, WindowsVersion};

use super::question::AskedHost;
use super::remark::Remark;

/// A host, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDescription {
    /// What was asked for.
    pub requested: String,
    /// Build and revision.
    pub version: WindowsVersion,
    /// Server or client.
    pub kind: HostKind,
    /// The version name of the release, such as `1709`; `None` for a build in no table.
    pub release: Option<String>,
    /// The name of the release.
    pub name: Option<String>,
    /// How far it is supported today.
    pub support: Option<Support>,
    /// The day on which support ended, when it has.
    pub support_ended: Option<Date>,
}

impl HostDescription {
    /// Describes a version.
    pub fn new(
        requested: &str,
        version: WindowsVersion,
        kind: HostKind,
        tables: &Tables,
        today: Date,
    ) -> Self {
        Self::of_release(requested, version, kind, tables.release_for(version.build, kind), today)
    }

    /// Describes a host that was read.
    pub fn of_host(host: &Host, tables: &Tables, today: Date) -> Self {
        let release = release_named(host.name.as_deref(), host.version.build, tables);
        Self::of_release(&host.requested, host.version, host.kind, release, today)
    }

    /// Describes one of the releases that a text could mean. `version` is that of its build.
    pub fn of_candidate(
        requested: &str,
        version: WindowsVersion,
        candidate: &HostCandidate,
        tables: &Tables,
        today: Date,
    ) -> Self {
        let release = release_named(candidate.name.as_deref(), candidate.build, tables);
        Self::of_release(requested, version, candidate.kind, release, today)
    }

    fn of_release(
        requested: &str,
        version: WindowsVersion,
        kind: HostKind,
        release: Option<&Release>,
        today: Date,
    ) -> Self {
        Self {
            requested: requested.to_owned(),
            version,
            kind,
            release: release.map(|release| release.version.clone()),
            name: release.map(|release| release.name.clone()),
            support: release.map(|release| release.support(today)),
            support_ended: release.and_then(|release| release.support_ended(today)),
        }
    }

    /// Describes a host that was asked for.
    pub fn of(asked: &AskedHost, tables: &Tables, today: Date) -> Self {
        Self::of_host(&asked.host, tables, today)
    }

    /// What a caller should know of this host.
    pub fn remarks(&self, asked: &AskedHost, tables: &Tables) -> Vec<Remark> {
        let mut remarks = Vec::new();
        match (&self.name, self.support, self.support_ended) {
            (Some(name), _, Some(ended)) => remarks.push(Remark::host_out_of_support(name, ended)),
            (Some(name), Some(support), None) => {
                let limited = [
                    Support::LongTermEditionsOnly,
                    Support::ExtendedSecurityUpdates,
                    Support::NotYetAvailable,
                ];
                if limited.contains(&support) {
                    remarks.push(Remark::host_support_limited(name, support.as_str()));
                }
            }
            _ => remarks.push(match tables.releases_of_build(self.version.build).next() {
                Some(known) => Remark::host_contradicts_kind(known, self.kind),
                None => Remark::host_build_not_listed(self.version.build),
            }),
        }
        let others: Vec<String> = asked
            .could_mean
            .iter()
            .filter(|other| other.build != self.version.build)
            .map(|other| {
                format!(
                    "{} ({})",
                    other.name.as_deref().unwrap_or("a build in no table"),
                    other.build
                )
            })
            .collect();
        if !others.is_empty() {
            let chosen = self.name.as_deref().unwrap_or("that build");
            remarks.push(Remark::host_ambiguous(
                &format!("{chosen} ({})", self.version.build),
                &others.join(", "),
            ));
        }
        remarks
    }
}

/// The release of that name. A build can be two releases, each with its own end of support.
fn release_named<'t>(name: Option<&str>, build: u32, tables: &'t Tables) -> Option<&'t Release> {
    tables.releases_of_build(build).find(|release| Some(release.name.as_str()) == name)
}

/// The KB that brought this version; the newest where there are several.
pub fn kb_of_version(version: WindowsVersion, tables: &Tables) -> Option<Kb> {
    tables.kbs_of(version).last().map(|entry| entry.kb)
}

/// The day on which this version was released.
pub fn released(version: WindowsVersion, tables: &Tables) -> Option<Date> {
    tables.kbs_of(version).iter().filter_map(|entry| entry.released).min()
}

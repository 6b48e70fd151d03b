//! The description of a host in answers, and the warnings that follow from it.

use std::fmt::Display;

use jiff::civil::Date;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::windows::{HostCandidate, HostKind, Kb, Release, Support, Tables, WindowsVersion};

use super::question::AskedHost;
use super::remark::Remark;

/// A host, or a Windows version described like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Host)]
pub struct HostDescription {
    /// The text as given.
    #[schema(example = "16299")]
    pub requested: String,
    /// The build number.
    #[schema(example = 16299)]
    pub build: u32,
    /// The revision; null if it is not known.
    #[schema(example = 1087)]
    pub revision: Option<u32>,
    /// The version: three parts, or four if the revision is known.
    #[schema(value_type = String, example = "10.0.16299")]
    pub os_version: WindowsVersion,
    /// The version name of the release; null for a build in no table.
    #[schema(example = "1709")]
    pub release: Option<String>,
    /// The name of the release; null for a build in no table.
    #[schema(example = "Windows Server, version 1709")]
    pub name: Option<String>,
    /// Server or client.
    pub kind: HostKind,
    /// The support status of the release today: `mainstream`, `extended`, `enterprise-only`,
    /// `long-term-editions-only`, `extended-security-updates`, `ended` or `not-yet-available`;
    /// null for a build in no table.
    #[schema(value_type = Option<String>, example = "ended")]
    pub support: Option<Support>,
    /// The last day of support, if support has ended.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, example = "2019-04-09", format = Date)]
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

    /// Describes the host of a question.
    pub fn of(host: &AskedHost, tables: &Tables, today: Date) -> Self {
        let release = release_named(host.name.as_deref(), host.version.build, tables);
        Self::of_release(&host.requested, host.version, host.kind, release, today)
    }

    /// Describes one of the releases that a text could mean. `version` is of the same build.
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
            build: version.build,
            revision: version.revision,
            os_version: version,
            release: release.map(|release| release.version.clone()),
            name: release.map(|release| release.name.clone()),
            kind,
            support: release.map(|release| release.support(today)),
            support_ended: release.and_then(|release| release.support_ended(today)),
        }
    }

    /// The warnings about this host.
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
            _ => remarks.push(match tables.releases_of_build(self.build).next() {
                Some(known) => Remark::host_contradicts_kind(known, self.kind),
                None => Remark::host_build_not_listed(self.build),
            }),
        }
        let others: Vec<String> = asked
            .could_mean
            .iter()
            .filter(|other| other.build != self.build)
            .map(|other| {
                let name = other.name.as_deref().unwrap_or("a build in no table");
                format!("{name} ({})", other.build)
            })
            .collect();
        if !others.is_empty() {
            let chosen = self.name.as_deref().unwrap_or("that build");
            let chosen = format!("{chosen} ({})", self.build);
            remarks.push(Remark::host_ambiguous(&chosen, &others.join(", ")));
        }
        remarks
    }
}

/// Serialises a value, such as a date, as it is displayed.
pub fn as_text<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(to)
}

/// The release with this name. A build can be two releases, each with its own end of support.
fn release_named<'t>(name: Option<&str>, build: u32, tables: &'t Tables) -> Option<&'t Release> {
    tables.releases_of_build(build).find(|release| Some(release.name.as_str()) == name)
}

/// The KB that brought this version; the newest if there are several.
pub fn kb_of_version(version: WindowsVersion, tables: &Tables) -> Option<Kb> {
    tables.kbs_of(version).last().and_then(|entry| entry.kb)
}

/// The day on which this version was released.
pub fn released(version: WindowsVersion, tables: &Tables) -> Option<Date> {
    tables.kbs_of(version).iter().filter_map(|entry| entry.released).min()
}

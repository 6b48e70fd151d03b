//! The use cases behind `/identify`, `/releases` and `/images`: the tables, as lists.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::context::{Context, Renewed};
use super::host::{HostDescription, as_text, kb_of_version, released};
use super::question::AskedHost;
use crate::catalogue::{Catalogue, Freshness};
use crate::facts::{Conclusions, Contradiction, LearntUpdate, Source};
use crate::images::{Families, Repository};
use crate::windows::{
    Channel, HostCandidate, HostKind, HostReading, Kb, Release, Support, Tables, WindowsVersion,
};

/// The answer of `/identify`: which Windows a host string is. If the text could be several builds,
/// the first fields are null and `could_mean` lists them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Identity {
    /// The text as given.
    #[schema(example = "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)")]
    pub requested: String,
    /// The build number.
    #[schema(example = 14393)]
    pub build: Option<u32>,
    /// The revision; null if it is not known.
    #[schema(example = 1715)]
    pub revision: Option<u32>,
    /// The version: three parts, or four if the revision is known.
    #[schema(value_type = Option<String>, example = "10.0.14393.1715")]
    pub os_version: Option<WindowsVersion>,
    /// The version name of the release; null for a build in no table.
    #[schema(example = "1607")]
    pub release: Option<String>,
    /// The name of the release; null for a build in no table.
    #[schema(example = "Windows Server 2016")]
    pub name: Option<String>,
    /// Server or client.
    pub kind: Option<HostKind>,
    /// The support status of the release today; the values are those of `/resolve`.
    #[schema(value_type = Option<String>, example = "extended")]
    pub support: Option<Support>,
    /// The last day of support, if support has ended.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, format = Date)]
    pub support_ended: Option<Date>,
    /// The KB of that revision; null if it is not known.
    #[schema(value_type = Option<String>, example = "KB4038782")]
    pub kb: Option<Kb>,
    /// The release date of that revision; null if it is not known.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, example = "2017-09-12", format = Date)]
    pub released: Option<Date>,
    /// Every host that the text could mean, the chosen one first.
    pub could_mean: Vec<HostDescription>,
}

impl Identity {
    /// Describes what was read from a text.
    pub fn new(requested: String, reading: HostReading, tables: &Tables, today: Date) -> Self {
        let version = reading.host.as_ref().map(|host| host.version);
        let describe = |candidate: &HostCandidate| {
            // A revision in the text belongs to its build, whichever release that is.
            let version = version
                .filter(|version| version.build == candidate.build)
                .unwrap_or(WindowsVersion::of_build(candidate.build));
            HostDescription::of_candidate(&requested, version, candidate, tables, today)
        };
        let could_mean = reading.could_mean.iter().map(describe).collect();
        let host = reading.host.map(|host| AskedHost::new(host, Vec::new()));
        let host = host.map(|host| HostDescription::of(&host, tables, today));
        Self {
            requested,
            build: version.map(|version| version.build),
            revision: version.and_then(|version| version.revision),
            os_version: version,
            kind: host.as_ref().map(|host| host.kind),
            support: host.as_ref().and_then(|host| host.support),
            support_ended: host.as_ref().and_then(|host| host.support_ended),
            kb: version.and_then(|version| kb_of_version(version, tables)),
            released: version.and_then(|version| released(version, tables)),
            could_mean,
            release: host.as_ref().and_then(|host| host.release.clone()),
            name: host.and_then(|host| host.name),
        }
    }
}

/// The answer of `/releases`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Releases {
    /// The releases: servers first, then by build.
    pub releases: Vec<ReleaseToday>,
    /// How many there are.
    pub total: usize,
    /// Up to when updates are known, and what was learnt since the tables were made.
    pub facts: KnownFacts,
}

/// What is known of updates beyond the tables that the program was built with, or was given.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnownFacts {
    /// The day up to which updates are known: that of the newest one, or that on which Microsoft's
    /// release information was last read.
    #[schema(value_type = String, example = "2026-11-10", format = Date)]
    pub as_of: Date,
    /// The updates that were learnt. KBs and revisions of all answers include them.
    pub learnt: Vec<LearntUpdate>,
    /// Statements of sources that differ from others or from the tables. They are not used.
    pub contradictions: Vec<Contradiction>,
    /// Builds that a source names and that have no release here. Nothing is derived from them.
    #[schema(example = json!([]))]
    pub unknown_builds: BTreeSet<u32>,
    /// When each source was last read; without those that were not.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({}))]
    pub last_read: BTreeMap<Source, Timestamp>,
}

impl KnownFacts {
    /// Those of this context.
    pub fn of(context: &Context) -> Self {
        let Renewed { conclusions, unknown_builds, last_read } = (*context.renewed).clone();
        let Conclusions { learnt, contradictions } = conclusions;
        let as_of = context.tables.as_of();
        Self { as_of, learnt, contradictions, unknown_builds, last_read }
    }
}

/// A release of Windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseToday {
    /// Server or client.
    pub kind: HostKind,
    /// The name.
    #[schema(example = "Windows Server 2022")]
    pub name: String,
    /// The version name. Not unique: 21H2 is three different builds.
    #[schema(example = "21H2")]
    pub release: String,
    /// The build number.
    #[schema(example = 20348)]
    pub build: u32,
    /// The servicing channel: `long-term`, `semi-annual`, `annual` or `general-availability`.
    #[schema(value_type = String, example = "long-term")]
    pub channel: &'static str,
    /// The first day of availability.
    #[schema(example = "2021-08-18", format = Date)]
    pub available: String,
    /// The last day of mainstream support; for clients, of Home and Pro.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, example = "2026-10-13", format = Date)]
    pub mainstream_end: Option<Date>,
    /// The last day of extended support; for clients, of Enterprise and Education.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, example = "2031-10-14", format = Date)]
    pub extended_end: Option<Date>,
    /// The last day of support of the long-term edition of a client.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, format = Date)]
    pub long_term_end: Option<Date>,
    /// The last day of paid security updates.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = Option<String>, format = Date)]
    pub security_updates_end: Option<Date>,
    /// The support status today.
    #[schema(value_type = String, example = "extended")]
    pub support: Support,
    /// The words for this release in tags, the preferred one first; empty for releases without
    /// images of their own.
    #[schema(example = json!(["ltsc2022"]))]
    pub tags: Vec<String>,
    /// A note, mostly about sources that contradict each other.
    pub note: Option<String>,
    /// The source of the facts.
    pub source: String,
}

impl ReleaseToday {
    fn new(release: &Release, today: Date) -> Self {
        Self {
            kind: release.kind,
            name: release.name.clone(),
            release: release.version.clone(),
            build: release.build,
            // The words of the enum itself are the abbreviations of the table.
            channel: match release.channel {
                Channel::LongTerm => "long-term",
                Channel::SemiAnnual => "semi-annual",
                Channel::Annual => "annual",
                Channel::GeneralAvailability => "general-availability",
            },
            available: release.available.to_string(),
            mainstream_end: release.mainstream_end,
            extended_end: release.extended_end,
            long_term_end: release.long_term_end,
            security_updates_end: release.security_updates_end,
            support: release.support(today),
            tags: release.lines.clone(),
            note: Some(release.note.clone()).filter(|note| !note.is_empty()),
            source: release.source.clone(),
        }
    }
}

impl Releases {
    /// Every release in the tables.
    pub fn new(context: &Context, today: Date) -> Self {
        let tables = &context.tables;
        let releases = tables.releases().iter().map(|release| ReleaseToday::new(release, today));
        let facts = KnownFacts::of(context);
        Self { total: releases.len(), releases: releases.collect(), facts }
    }
}

/// The answer of `/images`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Images {
    /// The families of base images.
    pub images: Vec<ListedFamily>,
    /// How many there are.
    pub total: usize,
    /// Other repositories of which tags are known without a registry; any other repository can be
    /// named as well.
    pub repositories: Vec<ListedRepository>,
}

/// A repository of images that are built on base images.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Repository)]
pub struct ListedRepository {
    /// The repository, with its registry.
    #[schema(value_type = String, example = "docker.io/library/golang")]
    pub repository: Repository,
    /// How fresh the tag list in memory is; null if there is none.
    pub freshness: Option<Freshness>,
}

/// A family of base images.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Family)]
pub struct ListedFamily {
    /// The short name.
    #[schema(example = "nanoserver")]
    pub family: String,
    /// The repository of its images.
    #[schema(value_type = String, example = "mcr.microsoft.com/windows/nanoserver")]
    pub repository: Repository,
    /// Its other names.
    #[schema(example = json!(["nanoserver", "windows/nanoserver"]))]
    pub names: Vec<String>,
    /// The Docker Hub names that it replaced.
    #[schema(example = json!(["microsoft/nanoserver"]))]
    pub legacy_names: Vec<String>,
    /// How fresh the tag list in memory is; null if there is none.
    pub freshness: Option<Freshness>,
}

impl Images {
    /// Every family and known repository.
    pub fn new(families: &Families, catalogue: &Catalogue) -> Self {
        let families = families.iter().map(|family| ListedFamily {
            family: family.name.clone(),
            repository: family.repository.clone(),
            names: family.names.clone(),
            legacy_names: family.legacy_names.clone(),
            freshness: catalogue.freshness(&family.repository),
        });
        let images: Vec<ListedFamily> = families.collect();
        let is_family = |it: &Repository| images.iter().any(|family| family.repository == *it);
        let others = catalogue.embedded_repositories().filter(|it| !is_family(it));
        let repositories = others
            .map(|repository| ListedRepository {
                freshness: catalogue.freshness(&repository),
                repository,
            })
            .collect();
        Self { total: images.len(), images, repositories }
    }
}

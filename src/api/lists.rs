//! `/identify`, `/releases` and `/images` on the wire.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::common::{FreshnessObject, HostKindWord, HostObject};
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use super::resolve::HostTypeChoice;
use crate::answers::{HostDescription, kb_of_version, released};
use crate::catalogue::Catalogue;
use crate::images::{Families, Family};
use crate::windows::{Channel, Release, Tables, WindowsVersion};

/// The parameters of `/identify`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IdentifyParams {
    /// Whatever a machine prints about itself.
    #[param(
        example = "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)",
        min_length = 1,
        pattern = "[0-9A-Za-z]"
    )]
    pub host: String,
    /// Settles whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostTypeChoice>,
}

/// An operation that takes no parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NoParams {}

/// The answer of `/identify`: what a host string is. Where the text leaves it open which of several
/// builds it is, the first fields are null and `could_mean` lists them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityObject {
    /// The text as it was given.
    #[schema(example = "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)")]
    pub requested: String,
    /// The build number.
    #[schema(example = 14393)]
    pub build: Option<u32>,
    /// The revision, or null when it is not known.
    #[schema(example = 1715)]
    pub revision: Option<u32>,
    /// The version with three parts, or four when the revision is known.
    #[schema(example = "10.0.14393.1715")]
    pub os_version: Option<String>,
    /// The version name of the release, or null for a build in no table.
    #[schema(example = "1607")]
    pub release: Option<String>,
    /// The name of the release, or null for a build in no table.
    #[schema(example = "Windows Server 2016")]
    pub name: Option<String>,
    /// Server or client.
    pub kind: Option<HostKindWord>,
    /// How far the release is supported today; the words are those of `/resolve`.
    #[schema(example = "extended")]
    pub support: Option<String>,
    /// The last day of support, when support has ended.
    #[schema(format = Date)]
    pub support_ended: Option<String>,
    /// The KB of that revision, or null when it is not known.
    #[schema(example = "KB4038782")]
    pub kb: Option<String>,
    /// The day on which that revision was released, or null when it is not known.
    #[schema(example = "2017-09-12", format = Date)]
    pub released: Option<String>,
    /// Every host that the text could mean, the chosen one first.
    pub could_mean: Vec<HostObject>,
}

/// Reads the parameters of `/identify` and answers.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_identify(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
    today: Date,
) -> Result<IdentityObject, Problem> {
    let mut params = Params::new::<IdentifyParams>(pairs);
    let answer = reading.host_reading(&mut params);
    let requested = params.optional("host").unwrap_or_default();
    params.finish()?;
    let Some(answer) = answer else {
        return Err(Problem::new(
            super::problem::ProblemKind::Internal,
            "a parameter was lost".to_owned(),
        ));
    };
    let tables = reading.tables;
    let version = answer.host.as_ref().map(|host| host.version);
    // A revision in the text is that of its build, whatever release that is.
    let version_of = |build| {
        version.filter(|version| version.build == build).unwrap_or(WindowsVersion::of_build(build))
    };
    let could_mean: Vec<HostObject> = answer
        .could_mean
        .iter()
        .map(|candidate| {
            let version = version_of(candidate.build);
            (&HostDescription::of_candidate(&requested, version, candidate, tables, today)).into()
        })
        .collect();
    let host =
        answer.host.map(|host| HostObject::from(&HostDescription::of_host(&host, tables, today)));
    let of = |read: fn(&HostObject) -> Option<String>| host.as_ref().and_then(read);
    Ok(IdentityObject {
        build: host.as_ref().map(|host| host.build),
        revision: host.as_ref().and_then(|host| host.revision),
        os_version: of(|host| Some(host.os_version.clone())),
        release: of(|host| host.release.clone()),
        name: of(|host| host.name.clone()),
        kind: host.as_ref().map(|host| host.kind),
        support: of(|host| host.support.clone()),
        support_ended: of(|host| host.support_ended.clone()),
        kb: version.and_then(|version| kb_of_version(version, tables)).map(|kb| kb.to_string()),
        released: version
            .and_then(|version| released(version, tables))
            .map(|date| date.to_string()),
        requested,
        could_mean,
    })
}

/// The answer of `/releases`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Releases)]
pub struct ReleasesObject {
    /// The releases: servers first, then by build.
    pub releases: Vec<ReleaseObject>,
    /// How many there are.
    pub total: usize,
}

/// A release of Windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseObject {
    /// Server or client.
    pub kind: HostKindWord,
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
    #[schema(example = "long-term")]
    pub channel: String,
    /// The first day of availability.
    #[schema(example = "2021-08-18", format = Date)]
    pub available: String,
    /// The last day of mainstream support; for clients, of Home and Pro.
    #[schema(example = "2026-10-13", format = Date)]
    pub mainstream_end: Option<String>,
    /// The last day of extended support; for clients, of Enterprise and Education.
    #[schema(example = "2031-10-14", format = Date)]
    pub extended_end: Option<String>,
    /// The last day of the long-term edition of a client.
    #[schema(format = Date)]
    pub long_term_end: Option<String>,
    /// The last day of paid security updates.
    #[schema(format = Date)]
    pub security_updates_end: Option<String>,
    /// How far it is supported today.
    #[schema(example = "extended")]
    pub support: String,
    /// The words that tags have for it, the preferred one first; empty for releases without images
    /// of their own.
    #[schema(example = json!(["ltsc2022"]))]
    pub tags: Vec<String>,
    /// What else is to know, mostly where sources contradict each other.
    pub note: Option<String>,
    /// Where the facts come from.
    pub source: String,
}

impl ReleaseObject {
    fn new(release: &Release, today: Date) -> Self {
        let text = |date: Option<Date>| date.map(|date| date.to_string());
        let channel = match release.channel {
            Channel::LongTerm => "long-term",
            Channel::SemiAnnual => "semi-annual",
            Channel::Annual => "annual",
            Channel::GeneralAvailability => "general-availability",
        };
        Self {
            kind: release.kind.into(),
            name: release.name.clone(),
            release: release.version.clone(),
            build: release.build,
            channel: channel.to_owned(),
            available: release.available.to_string(),
            mainstream_end: text(release.mainstream_end),
            extended_end: text(release.extended_end),
            long_term_end: text(release.long_term_end),
            security_updates_end: text(release.security_updates_end),
            support: release.support(today).as_str().to_owned(),
            tags: release.lines.clone(),
            note: Some(release.note.clone()).filter(|note| !note.is_empty()),
            source: release.source.clone(),
        }
    }
}

impl ReleasesObject {
    /// Every release in the tables.
    pub fn new(tables: &Tables, today: Date) -> Self {
        let releases: Vec<_> =
            tables.releases().iter().map(|release| ReleaseObject::new(release, today)).collect();
        Self { total: releases.len(), releases }
    }
}

/// The answer of `/images`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Images)]
pub struct ImagesObject {
    /// The families of base images.
    pub images: Vec<FamilyObject>,
    /// How many there are.
    pub total: usize,
}

/// A family of base images.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Family)]
pub struct FamilyObject {
    /// The short name.
    #[schema(example = "nanoserver")]
    pub family: String,
    /// The repository that has its images.
    #[schema(example = "mcr.microsoft.com/windows/nanoserver")]
    pub repository: String,
    /// What else it may be called.
    #[schema(example = json!(["nanoserver", "windows/nanoserver"]))]
    pub names: Vec<String>,
    /// The Docker Hub names that it replaced.
    #[schema(example = json!(["microsoft/nanoserver"]))]
    pub legacy_names: Vec<String>,
    /// How fresh the tag list in memory is, or null when there is none.
    pub freshness: Option<FreshnessObject>,
}

impl ImagesObject {
    /// Every family.
    pub fn new(families: &Families, catalogue: &Catalogue) -> Self {
        let object = |family: &std::sync::Arc<Family>| FamilyObject {
            family: family.name.clone(),
            repository: family.repository.to_string(),
            names: family.names.clone(),
            legacy_names: family.legacy_names.clone(),
            freshness: catalogue.freshness(&family.repository).map(FreshnessObject::from),
        };
        let images: Vec<FamilyObject> = families.iter().map(object).collect();
        Self { total: images.len(), images }
    }
}

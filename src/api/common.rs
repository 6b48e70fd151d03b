//! Objects that several answers have.

use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::{Alternative, HostDescription};
use crate::catalogue::{Freshness, Provenance};
use crate::images::NamedImage;
use crate::windows::{HostKind, Isolation, Verdict};

/// The image that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImageObject {
    /// The name as it was given.
    #[schema(example = "microsoft/nanoserver")]
    pub requested: String,
    /// The family, or null when the image is not of a known family.
    #[schema(example = "nanoserver")]
    pub family: Option<String>,
    /// The repository that answers, with its registry.
    #[schema(example = "mcr.microsoft.com/windows/nanoserver")]
    pub repository: String,
}

impl From<&NamedImage> for ImageObject {
    fn from(image: &NamedImage) -> Self {
        Self {
            requested: image.requested.clone(),
            family: image.family.as_ref().map(|family| family.name.clone()),
            repository: image.repository.to_string(),
        }
    }
}

/// A host, or a Windows version described like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HostObject {
    /// The text as it was given.
    #[schema(example = "16299")]
    pub requested: String,
    /// The build number.
    #[schema(example = 16299)]
    pub build: u32,
    /// The revision, or null when it is not known.
    #[schema(example = 1087)]
    pub revision: Option<u32>,
    /// The version with three parts, or four when the revision is known.
    #[schema(example = "10.0.16299")]
    pub os_version: String,
    /// The version name of the release, or null for a build in no table.
    #[schema(example = "1709")]
    pub release: Option<String>,
    /// The name of the release, or null for a build in no table.
    #[schema(example = "Windows Server, version 1709")]
    pub name: Option<String>,
    /// Server or client.
    pub kind: HostKindWord,
    /// How far the release is supported today: `mainstream`, `extended`, `enterprise-only`,
    /// `long-term-editions-only`, `extended-security-updates`, `ended` or `not-yet-available`;
    /// null for a build in no table.
    #[schema(example = "ended")]
    pub support: Option<String>,
    /// The last day of support, when support has ended.
    #[schema(example = "2019-04-09", format = Date)]
    pub support_ended: Option<String>,
}

impl From<&HostDescription> for HostObject {
    fn from(host: &HostDescription) -> Self {
        Self {
            requested: host.requested.clone(),
            build: host.version.build,
            revision: host.version.revision,
            os_version: host.version.to_string(),
            release: host.release.clone(),
            name: host.name.clone(),
            kind: host.kind.into(),
            support: host.support.map(|support| support.as_str().to_owned()),
            support_ended: host.support_ended.map(|ended| ended.to_string()),
        }
    }
}

/// Server or client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HostKind)]
pub enum HostKindWord {
    /// Windows Server.
    Server,
    /// Windows 10, Windows 11.
    Client,
}

impl From<HostKind> for HostKindWord {
    fn from(kind: HostKind) -> Self {
        match kind {
            HostKind::Server => Self::Server,
            HostKind::Client => Self::Client,
        }
    }
}

/// How a container is isolated from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Isolation)]
pub enum IsolationWord {
    /// The container shares the host's kernel.
    Process,
    /// The container has a kernel of its own in a small virtual machine.
    Hyperv,
}

impl From<Isolation> for IsolationWord {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Process => Self::Process,
            Isolation::HyperV => Self::Hyperv,
        }
    }
}

/// Whether an image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Verdict)]
pub enum VerdictWord {
    /// It runs.
    Yes,
    /// It does not run.
    No,
    /// It runs if a condition holds, which the reasons name.
    Conditional,
    /// Nobody can tell.
    Unknown,
}

impl From<Verdict> for VerdictWord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Yes => Self::Yes,
            Verdict::No => Self::No,
            Verdict::Conditional => Self::Conditional,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// Where an answer comes from, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FreshnessObject {
    /// `registry`: asked for this answer. `cache`: asked before. `snapshot`: asked before the
    /// service was started. `embedded`: the catalogue inside the program.
    pub source: SourceWord,
    /// When the source said it.
    #[schema(example = "2026-08-12T00:00:00Z", format = DateTime)]
    pub as_of: String,
    /// Whether it should have been renewed and could not be.
    pub stale: bool,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Source)]
pub enum SourceWord {
    /// A registry was asked for this answer.
    Registry,
    /// A registry was asked before; the answer was in memory.
    Cache,
    /// A registry was asked before the service was started; the answer was in the snapshot on disk.
    Snapshot,
    /// The catalogue inside the program.
    Embedded,
}

impl From<Freshness> for FreshnessObject {
    fn from(freshness: Freshness) -> Self {
        let source = match freshness.provenance {
            Provenance::Registry => SourceWord::Registry,
            Provenance::Cache => SourceWord::Cache,
            Provenance::Snapshot => SourceWord::Snapshot,
            Provenance::Embedded => SourceWord::Embedded,
        };
        // Whole seconds: a registry's answer is not dated finer than that anyway.
        let as_of = freshness.as_of.round(jiff::Unit::Second).unwrap_or(freshness.as_of);
        Self { source, as_of: as_of.to_string(), stale: freshness.stale }
    }
}

/// A tag that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Alternative)]
pub struct AlternativeObject {
    /// The tag.
    #[schema(example = "ltsc2016")]
    pub tag: String,
    /// The isolation mode it runs in, or null when it runs in none.
    pub isolation: Option<IsolationWord>,
    /// The Windows version that its name stands for.
    #[schema(example = "10.0.14393")]
    pub os_version: String,
    /// Why it runs, or why it falls short, as codes.
    pub reasons: Vec<String>,
}

impl From<&Alternative> for AlternativeObject {
    fn from(alternative: &Alternative) -> Self {
        Self {
            tag: alternative.tag.clone(),
            isolation: alternative.isolation.map(IsolationWord::from),
            os_version: alternative.os_version.to_string(),
            reasons: alternative.reasons.iter().map(|code| (*code).to_owned()).collect(),
        }
    }
}

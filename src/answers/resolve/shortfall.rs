//! The tags that were not chosen, and why.

use serde::Serialize;
use utoipa::ToSchema;

use crate::images::Pin;
use crate::windows::{Isolation, Kb, WindowsVersion};

/// A tag that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alternative {
    /// The tag.
    #[schema(example = "ltsc2016")]
    pub tag: String,
    /// The isolation mode it runs in; null if it runs in none.
    pub isolation: Option<Isolation>,
    /// The Windows version that its name stands for.
    #[schema(value_type = String, example = "10.0.14393")]
    pub os_version: WindowsVersion,
    /// Why it runs or falls short, as codes.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<&'static str>,
}

/// The tag of each form; null if the repository has none that fits the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pins {
    /// The floating tag of the release.
    #[schema(example = "1709")]
    pub release: Option<String>,
    /// The newest KB tag that is not above the host's revision.
    #[schema(example = "1709-KB4493441")]
    pub kb: Option<String>,
    /// The newest build tag that is not above the host's revision.
    #[schema(example = "10.0.16299.1087")]
    pub build: Option<String>,
}

/// Why no tag fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The repository has no tag for this architecture, and of the requested software, that names
    /// a Windows release.
    NoTags,
    /// The tags name versions of a software, and the question names none.
    VersionNeeded {
        /// The stems with a tag that runs on the host, the newest first.
        stems: Vec<String>,
    },
    /// There are tags, but none runs on the host as requested.
    NoneRuns {
        /// The nearest tags, and why each falls short.
        nearest: Vec<Alternative>,
        /// The tags that should have run by their names, and why they were skipped.
        skipped: Vec<String>,
        /// The image of a sister family that runs on the host.
        sister: Option<String>,
    },
    /// The build that runs has no tag of the requested form.
    NoSuchForm {
        /// The build.
        build: u32,
        /// The requested form.
        pin: Pin,
        /// Whether there are tags of that form, all of them above the host's revision.
        above_ceiling: bool,
        /// The other forms of that build, and other builds.
        nearest: Vec<Alternative>,
    },
    /// No tag names this KB.
    KbNotFound {
        /// The KBs of the builds that run on the host, the newest first.
        available: Vec<Kb>,
    },
}

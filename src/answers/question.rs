//! What a caller wants to know, as types.

use std::sync::Arc;

use crate::images::{NamedImage, TagArchitecture};
use crate::windows::{Edition, Host, HostCandidate, HostFacts, Isolation, Kb, Platform};

/// The architecture of the image that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Architecture {
    /// 64-bit x86.
    #[default]
    Amd64,
    /// 64-bit ARM; images from ltsc2025 on.
    Arm64,
    /// 32-bit ARM; only a few nanoserver 1809 images.
    Arm,
}

impl Architecture {
    /// The word of image indexes and configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
        }
    }

    /// How well a tag fits: 0 is best; `None` when it is for another architecture. A tag that names
    /// no architecture is an index, and those of the base images hold amd64 only, so that for
    /// ARM only tags that say so are taken.
    pub const fn rank_of(self, named: Option<TagArchitecture>) -> Option<usize> {
        match (self, named) {
            (Self::Amd64, None)
            | (Self::Arm64, Some(TagArchitecture::Arm64))
            | (Self::Arm, Some(TagArchitecture::Arm32v7)) => Some(0),
            (Self::Amd64, Some(TagArchitecture::Amd64))
            | (Self::Arm, Some(TagArchitecture::Arm)) => Some(1),
            _ => None,
        }
    }
}

/// Which form of tag is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Pin {
    /// The floating tag of the release, which has the latest patches.
    #[default]
    Release,
    /// The tag that names the KB.
    Kb,
    /// The tag that names the whole version.
    Build,
}

impl Pin {
    /// The word in parameters and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Kb => "kb",
            Self::Build => "build",
        }
    }
}

/// A host that was read, and what else its text could have meant.
#[derive(Clone, Debug)]
pub struct AskedHost {
    /// The host.
    pub host: Host,
    /// Everything the text could mean, the host itself first.
    pub could_mean: Vec<HostCandidate>,
}

impl AskedHost {
    /// What the compatibility rule needs of it.
    pub fn facts(&self) -> HostFacts {
        HostFacts { version: self.host.version, kind: self.host.kind, edition: self.host.edition }
    }

    /// Whether this edition runs containers at all.
    pub fn runs_containers(&self) -> bool {
        self.host.edition != Edition::Home
    }
}

/// The question of `/resolve`: which tag of this image runs on this host?
#[derive(Clone, Debug)]
pub struct ResolveQuestion {
    /// The image.
    pub image: Arc<NamedImage>,
    /// The host.
    pub host: AskedHost,
    /// The isolation mode that is wanted, when only one will do.
    pub isolation: Option<Isolation>,
    /// The form of tag.
    pub pin: Pin,
    /// The very patch that is wanted.
    pub kb: Option<Kb>,
    /// Where the container runs.
    pub platform: Platform,
    /// The architecture of the image.
    pub architecture: Architecture,
}

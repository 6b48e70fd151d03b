//! The questions as types.

use std::sync::Arc;

use crate::catalogue::Moment;
use crate::images::{Architecture, Core, NamedImage, Pin, Software, Tag, TagBase};
use crate::platforms::engines::{Engine, Requested};
use crate::windows::{
    Base, Edition, Host, HostCandidate, HostFacts, HostKind, Isolation, Kb, Platform,
    WindowsVersion,
};

/// The host of a question, and what else its text could mean.
#[derive(Clone, Debug)]
pub struct AskedHost {
    /// The text as given.
    pub requested: String,
    /// The version; with its revision if the text has one.
    pub version: WindowsVersion,
    /// Server or client.
    pub kind: HostKind,
    /// The edition.
    pub edition: Edition,
    /// The name of the release; `None` for a build in no table.
    pub name: Option<String>,
    /// Every release that the text could mean, the chosen one first; empty if the host does not
    /// come from a text.
    pub could_mean: Vec<HostCandidate>,
}

impl AskedHost {
    /// The host, chosen among what its text could mean.
    pub fn new(host: Host, could_mean: Vec<HostCandidate>) -> Self {
        let Host { requested, version, kind, edition, name } = host;
        Self { requested, version, kind, edition, name, could_mean }
    }

    /// The facts that the compatibility rule works on.
    pub const fn facts(&self) -> HostFacts {
        HostFacts { version: self.version, kind: self.kind, edition: self.edition }
    }

    /// Whether this edition runs containers at all.
    pub fn runs_containers(&self) -> bool {
        self.edition != Edition::Home
    }

    /// The highest revision of this build to pin: the host's revision, on a server of the same
    /// build. Client builds have had revision numbers of their own since January 2026, which
    /// compare with nothing.
    pub fn ceiling(&self, build: u32) -> Option<u32> {
        self.version
            .revision
            .filter(|_| self.kind == HostKind::Server && self.version.build == build)
    }
}

/// The question of `/resolve`: which tag of this image runs on this host?
#[derive(Clone, Debug)]
pub struct ResolveQuestion {
    /// The image.
    pub image: Arc<NamedImage>,
    /// The tag whose software is wanted; `None` for a base image of any tag.
    pub tag: Option<Tag>,
    /// The host.
    pub host: AskedHost,
    /// The only acceptable isolation mode; `None` if both are acceptable.
    pub isolation: Option<Isolation>,
    /// The form of tag.
    pub pin: Pin,
    /// The update that the image must contain.
    pub kb: Option<Kb>,
    /// Where the container runs.
    pub platform: Platform,
    /// The architecture of the image.
    pub architecture: Architecture,
    /// The engine that pulls the image; `None` if that does not matter.
    pub engine: Option<&'static Engine>,
    /// The platform in the command of that engine.
    pub requested: Requested,
    /// The former day that the question is about; `None` for now.
    pub as_of: Option<Moment>,
}

impl ResolveQuestion {
    /// The question for this image and host, with the default of every other parameter.
    pub fn new(image: Arc<NamedImage>, host: AskedHost) -> Self {
        Self {
            image,
            tag: None,
            host,
            isolation: None,
            pin: Pin::default(),
            kb: None,
            platform: Platform::default(),
            architecture: Architecture::default(),
            engine: None,
            requested: Requested::default(),
            as_of: None,
        }
    }

    /// The software whose tags may be the answer.
    pub fn software(&self) -> Software {
        self.tag.as_ref().map(Tag::software).unwrap_or_default()
    }

    /// The tag, if it names no Windows release, so that only its index tells which builds it has.
    pub fn shared_tag(&self) -> Option<&Tag> {
        self.tag.as_ref().filter(|tag| tag.core == Core::None)
    }

    /// The base that decides how long the image is supported.
    pub fn base(&self) -> Base {
        let named = self.tag.as_ref().and_then(|tag| tag.base).and_then(TagBase::base);
        named.unwrap_or_else(|| self.image.base())
    }
}

//! A host: the result of reading a host string.

use std::collections::BTreeMap;

use crate::windows::release::{HostKind, Release};
use crate::windows::version::WindowsVersion;

/// The most hosts of a fleet, and of other lists of hosts: twice as many as there are builds in the
/// tables.
pub const MAX_FLEET_HOSTS: usize = 64;

/// Hosts that belong together, by the name of their fleet.
pub type Fleets = BTreeMap<String, Vec<Host>>;

/// The edition of a client, as far as it matters: Home has no containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Windows 10 Home, Windows 11 Home.
    Home,
    /// Any other edition, or not said.
    Other,
}

/// The facts about a host that the compatibility rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostFacts {
    /// Build, and revision where it is known.
    pub version: WindowsVersion,
    /// Server or client.
    pub kind: HostKind,
    /// Whether it is an edition that can run containers at all.
    pub edition: Edition,
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

impl Host {
    /// The facts that the compatibility rule needs.
    pub const fn facts(&self) -> HostFacts {
        HostFacts { version: self.version, kind: self.kind, edition: self.edition }
    }

    /// Whether this edition runs containers at all.
    pub fn runs_containers(&self) -> bool {
        self.edition != Edition::Home
    }
}

impl HostCandidate {
    pub(super) fn of(release: &Release) -> Self {
        Self { build: release.build, kind: release.kind, name: Some(release.name.clone()) }
    }
}

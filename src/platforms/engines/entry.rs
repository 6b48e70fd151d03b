//! The question: an image, as its index lists it, and the host that pulls it.

use crate::images::Architecture;

/// An image as its manifest describes it.
#[derive(Clone, Copy, Debug)]
pub enum Image<'a> {
    /// An index, with its entries in their order.
    Index(&'a [IndexEntry<'a>]),
    /// The manifest of one image; its platform is that of the configuration.
    Single(IndexEntry<'a>),
}

/// The platform of an entry; what the index leaves out is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexEntry<'a> {
    pub operating_system: Option<&'a str>,
    /// The architecture as Go names it.
    pub architecture: Option<&'a str>,
    pub variant: Option<&'a str>,
    pub os_version: Option<&'a str>,
    pub os_features: &'a [String],
}

impl IndexEntry<'_> {
    /// Whether the index says nothing of its platform, as of an index inside the index. Engines
    /// then read what the entry refers to.
    pub fn is_undescribed(&self) -> bool {
        self.operating_system.is_none() && self.architecture.is_none()
    }

    /// Whether it is for this operating system.
    pub fn is_for(&self, operating_system: &str) -> bool {
        self.operating_system == Some(operating_system)
    }

    /// The architecture and variant without those words that change nothing (containerd/platforms,
    /// database.go, `normalizeArch`).
    pub(super) fn normal_architecture(&self) -> (&str, &str) {
        match (self.architecture.unwrap_or_default(), self.variant.unwrap_or_default()) {
            ("amd64", "v1") => ("amd64", ""),
            ("arm64", "v8" | "8") => ("arm64", ""),
            ("arm", "") => ("arm", "v7"),
            other => other,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// Its build and its os.version, with the revision where that is known; `None` for a computer
    /// without Windows, such as a Linux builder.
    pub windows: Option<(u32, &'a str)>,
    pub architecture: Architecture,
    /// The level of an amd64 processor, 1 to 4 (x86-64 psABI).
    pub cpu_level: u8,
    pub requested: Requested,
}

/// The platform in the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requested {
    /// None: the engine takes the host's.
    #[default]
    Default,
    /// `windows/amd64`, or the host's architecture.
    Windows,
    /// `windows(10.0.BUILD)/amd64`.
    Build(u32),
    /// The host's whole os.version, as `crane`, `oras` and `regctl` take it.
    WholeVersion,
}

impl Requested {
    /// Reads a platform as Docker and BuildKit do, but Windows and three parts of a version only.
    pub fn read(text: &str) -> Option<(Self, Architecture)> {
        let (system, architecture) = text.strip_prefix("windows")?.split_once('/')?;
        let requested = match system {
            "" => Self::Windows,
            version => {
                let build = version.strip_prefix("(10.0.")?.strip_suffix(')')?;
                let is_number = build.bytes().all(|byte| byte.is_ascii_digit());
                Self::Build(build.parse::<u16>().ok().filter(|_| is_number)?.into())
            }
        };
        Some((requested, architecture.parse().ok()?))
    }

    /// The platform as it is written in a command for this architecture; `None` without one.
    pub fn written(self, architecture: Architecture) -> Option<String> {
        match self {
            Self::Default | Self::WholeVersion => None,
            Self::Windows => Some(format!("windows/{architecture}")),
            Self::Build(build) => Some(format!("windows(10.0.{build})/{architecture}")),
        }
    }
}

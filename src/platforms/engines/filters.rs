//! Filters: may an entry with this os.version run on this host, as the engine sees it?

use crate::windows::{BUILD_2022, BUILD_2025};
use crate::words::words;

words! {
    /// Which os.version an engine accepts.
    #[derive(serde::Deserialize)]
    pub enum Filter {
        /// It begins with the host's build as text; an entry without one is refused.
        ExactStrict = "exact-strict",
        /// It begins with the host's build as text, or is missing.
        Exact = "exact",
        /// The stable interface: the host's own build below 20348, from 20348 up to the host's
        /// from there on; or it is missing.
        Abi1 = "abi-1",
        /// As `abi-1`, but hosts above 26100 refuse builds below 26100 (moby issue 53397).
        Abi2 = "abi-2",
        /// As `abi-1`, with the floor at the long-term release before the host's last one.
        Abi3 = "abi-3",
        /// Only entries without one.
        WithoutVersion = "without-version",
        /// Any.
        None = "none",
        /// The build is not above the host's, or cannot be read, or is missing.
        NotNewer = "not-newer",
        /// The host's build.
        EqualBuild = "equal-build",
        /// Equal as text to the one asked for; any if none is.
        EqualText = "equal-text",
    }
}

impl Filter {
    /// The rule in a sentence, without its end.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::ExactStrict => "takes images of the host's build; one without os.version never",
            Self::Exact => "takes images of the host's build, or without os.version",
            Self::Abi1 => {
                "takes images of the host's build; from 20348 on also older builds down to 20348"
            }
            Self::Abi2 => {
                "takes images of the host's build; from 20348 on also older builds down to 20348, \
                 but above 26100 only down to 26100"
            }
            Self::Abi3 => {
                "takes images of the host's build; from 20348 on also older builds down to the \
                 long-term release before the host's last one"
            }
            Self::WithoutVersion => "takes images without os.version only",
            Self::None => "takes Windows images of any build",
            Self::NotNewer => "takes images of any build that is not above the host's",
            Self::EqualBuild => {
                "takes images of the host's build; Linux images match too, as the last choice"
            }
            Self::EqualText => {
                "takes Windows images of any build; with an os.version in the platform, only those \
                 with the same text"
            }
        }
    }

    /// Whether this os.version passes on a host of this build. `wraps` is whether the engine keeps
    /// only 16 bits of a build (containerd/platforms up to v0.2.1).
    pub(super) fn accepts(self, os_version: Option<&str>, build: u32, wraps: bool) -> bool {
        let own = || format!("10.0.{build}");
        let floor = match self {
            Self::None | Self::EqualText => return true,
            Self::WithoutVersion => return os_version.is_none_or(|text| parts(text).is_none()),
            Self::ExactStrict => return os_version.is_some_and(|text| text.starts_with(&own())),
            Self::Exact => return os_version.is_none_or(|text| text.starts_with(&own())),
            Self::EqualBuild => {
                return os_version.is_some_and(|text| text.split('.').take(3).eq(own().split('.')));
            }
            Self::NotNewer => {
                let of_entry = os_version.and_then(parts);
                return of_entry.is_none_or(|[_, _, of_entry]| of_entry <= build.into());
            }
            Self::Abi1 => BUILD_2022,
            Self::Abi2 if build > BUILD_2025 => BUILD_2025,
            // The long-term release before 26100 is the first of the era.
            Self::Abi2 | Self::Abi3 => BUILD_2022,
        };
        let Some(os_version) = os_version else { return true };
        let Some([10, 0, of_entry]) = parts(os_version) else { return false };
        let of_entry = match u16::try_from(of_entry) {
            Ok(small) => u32::from(small),
            Err(_) if wraps => of_entry as u32 & u32::from(u16::MAX),
            Err(_) => return false,
        };
        if build < BUILD_2022 { of_entry == build } else { (floor..=build).contains(&of_entry) }
    }
}

/// The first three parts of a version. What follows them does not matter.
fn parts(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.splitn(4, '.').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    });
    Some([parts.next()??, parts.next()??, parts.next()??])
}

//! Why a text is not a host, in sentences that say how to name one.

use crate::windows::version::WindowsVersion;

/// Why a text is not a host. The messages never repeat the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text has no letter and no digit.
    #[error("the host is empty; {ACCEPTED_FORMS}")]
    Empty,
    /// The text is longer than [`MAX_HOST_TEXT_BYTES`].
    #[error("the host is longer than {MAX_HOST_TEXT_BYTES} bytes; {ACCEPTED_FORMS}")]
    TooLong,
    /// `auto`.
    #[error("auto is not supported, because wintag cannot see the host; {ACCEPTED_FORMS}")]
    Automatic,
    /// A Linux kernel or another operating system.
    #[error(
        "this looks like Linux or another system, not Windows; Windows containers require a \
         Windows host. If it is output of Docker, switch Docker to Windows containers; \
         {ACCEPTED_FORMS}"
    )]
    NotWindows,
    /// A Windows from before containers.
    #[error(
        "{what} cannot run containers; the first versions that can are Windows Server 2016 and \
         Windows 10, version 1607 (build 14393)"
    )]
    TooOld {
        /// The Windows that the text names, such as `Windows Server 2012`.
        what: String,
    },
    /// The output of `docker version`, which has no Windows version.
    #[error(
        "the output of docker version does not contain the Windows build; give the output of \
         docker info, or of docker version --format '{{{{json .}}}}'"
    )]
    DockerVersion,
    /// A name that means another Windows after a while, such as `windows-latest`.
    #[error("{name} moves to newer versions of Windows: {meaning}; give {}", .instead.join(" or "))]
    Moving {
        /// The name.
        name: &'static str,
        /// What it means, and since when.
        meaning: &'static str,
        /// What to give instead; each is accepted as a host.
        instead: &'static [&'static str],
    },
    /// The text names several builds, each in full, as a list of nodes does.
    #[error("this text names several hosts ({}); give one of them", listed(.versions))]
    Several {
        /// The first version of each build, in the order of the text; a few of them.
        versions: Vec<WindowsVersion>,
    },
    /// The text is none of the known forms, contradicts itself, or names what never existed.
    #[error(
        "could not recognise a Windows version in this text{}; {ACCEPTED_FORMS}",
        did_you_mean(.suggestions)
    )]
    Unknown {
        /// Likely intended names, best first; each is accepted as a host.
        suggestions: Vec<String>,
    },
}

/// The longest text that is read. A whole `systeminfo` of a machine with many network adapters and
/// updates fits, which has 8 KiB.
pub const MAX_HOST_TEXT_BYTES: usize = 16 * 1024;

fn listed(versions: &[WindowsVersion]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", suggestions.join(", "))
    }
}

const ACCEPTED_FORMS: &str = "give a build (17763 or 10.0.17763.557), a release (1809, ltsc2019, \
                              20H2), a name (Windows Server 2019, Windows 10 22H2), or the \
                              output of cmd /c ver, docker info --format '{{.OSVersion}}', or \
                              kubectl get node NAME -o \
                              jsonpath='{.status.nodeInfo.kernelVersion}'";

//! An image reference in a file.

use std::ops::Range;

use crate::words::words;

use super::traced::Traced;

words! {
    /// The kind of place that names an image.
    pub enum Place {
        /// `FROM` of a Dockerfile.
        From = "dockerfile-from",
        /// `COPY --from` of a Dockerfile.
        CopyFrom = "dockerfile-copy-from",
        /// `RUN --mount=from=` of a Dockerfile.
        Mount = "dockerfile-mount",
        /// The image of a Compose service.
        Compose = "compose-service",
        /// The image of a container in a Kubernetes object.
        Kubernetes = "kubernetes-container",
        /// An image among the values of a Helm chart.
        Helm = "helm-values",
        /// The image of a job, service or step of a GitHub workflow.
        GitHub = "github-workflow",
        /// The image of a job or service of GitLab CI.
        GitLab = "gitlab-ci",
        /// A container of Azure Pipelines.
        Azure = "azure-pipelines",
        /// A base image that a bake file replaces.
        Bake = "bake-context",
        /// The image of a dev container.
        DevContainer = "dev-container",
    }

    /// The operating system that a file says an image is for.
    pub enum System {
        /// Windows.
        Windows = "windows",
        /// Linux, and any other that is not Windows.
        Linux = "linux",
    }
}

/// The most images of one file. Ours: several times those of the largest charts.
pub(super) const MAX_MENTIONS: usize = 2_000;

/// An image reference in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The kind of place.
    pub place: Place,
    /// The bytes of the file that name the image, with variables as they are written.
    pub span: Range<usize>,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte in characters, from 1.
    pub column: usize,
    /// The column after the last byte, if that is on the same line.
    pub end_column: usize,
    /// The reference as it is written.
    pub written: String,
    /// The reference with its variables replaced, or the name of the variable that has no value.
    pub image: Result<Traced, String>,
    /// The operating system, if the file says which.
    pub system: Option<System>,
    /// Images of one group of a file run on the same operating system: the stages of a Dockerfile,
    /// the containers of a pod.
    pub group: usize,
    /// What a comment silences on this line.
    pub ignored: Vec<Ignore>,
}

/// A comment `wintag:ignore CODE reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The code of the findings that it silences.
    pub code: String,
    /// Why; never empty.
    pub reason: String,
}

/// A reference that a reader found, before its place in the lines of the file is known.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) span: Range<usize>,
    pub(super) image: Result<Traced, String>,
    pub(super) system: Option<System>,
    pub(super) group: usize,
}

/// The system of a platform such as `windows/amd64`.
pub(super) fn system_of(platform: &str) -> Option<System> {
    let system = platform.split('/').next().unwrap_or_default();
    match system {
        "" => None,
        _ if system.contains('$') => None,
        _ if system.eq_ignore_ascii_case("windows") => Some(System::Windows),
        _ => Some(System::Linux),
    }
}

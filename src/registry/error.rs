//! What can go wrong: when the room is set up, and when a registry is asked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Why a registry did not give what was asked for.
///
/// The texts are ours: no body, header or credential of an exchange is ever part of them. The value
/// is `Clone` because one failed exchange is shared by all who waited for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry is not in the allow-list. Nothing was sent and no name was looked up.
    #[error("registry {registry} is not one of the configured registries")]
    NotAllowed {
        /// The registry as the reference names it.
        registry: String,
    },
    /// The registry answered, and says that there is no such thing (status 404).
    #[error("the registry has no such {what}")]
    NotFound {
        /// What is missing.
        what: Missing,
    },
    /// The registry (or its token service) refused, after authentication was tried where it was
    /// asked for. Docker Hub answers so for repositories that do not exist, too.
    #[error("the registry refused access with status {status}")]
    Refused {
        /// 401 or 403.
        status: u16,
    },
    /// The registry asks to be left alone for a while (status 429).
    #[error("the registry limits the rate of requests")]
    RateLimited {
        /// How long it wants to be left alone, between one second and 15 minutes; `None` where it
        /// does not say.
        retry_after: Option<Duration>,
    },
    /// The registry cannot be reached or is out of order: a status of 5xx, no connection, no such
    /// host, a connection that broke.
    #[error("the registry is unavailable: {detail}")]
    Unavailable {
        /// What happened, in our words.
        detail: String,
        /// As in [`RegistryError::RateLimited`].
        retry_after: Option<Duration>,
    },
    /// The registry was not asked, because it is to be left alone now: after failures, because it
    /// asked for that, or because its budget of requests is used up.
    #[error("the registry is unavailable: {detail}")]
    Suspended {
        /// Why, in our words.
        detail: &'static str,
        /// After how long it may be asked again.
        retry_after: Duration,
    },
    /// The connection or the whole exchange took longer than it may.
    #[error("the registry did not answer in time")]
    TimedOut,
    /// The registry answered with something that must not be used: not in the format, too large, of
    /// another digest, or pointing where we do not go.
    #[error("the registry gave an unusable answer: {detail}")]
    Invalid {
        /// What is wrong with it, in our words.
        detail: String,
    },
}

impl RegistryError {
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into() }
    }

    /// After how long it is worth asking again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            Self::Suspended { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// The same error for one who learns of it later, when nobody is asked for `left`.
    pub fn with_time_left(mut self, left: Duration) -> Self {
        match &mut self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after = Some(left)
            }
            Self::Suspended { retry_after, .. } => *retry_after = left,
            _ => {}
        }
        self
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { detail: detail.into(), retry_after: None }
    }
}

/// What a registry does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The repository.
    Repository,
    /// The manifest: no such tag or digest in the repository, or no such repository.
    Manifest,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repository => "repository",
            Self::Manifest => "manifest",
        })
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A key of the registries is not a registry as references name them.
    #[error(
        "{name:?} is not the name of a registry; write the host as references do, such as \
         mcr.microsoft.com"
    )]
    Name {
        /// The key.
        name: String,
    },
    /// The mirror of a registry is not usable.
    #[error(
        "the mirror of registry {registry} must be an http or https address without user, \
         password, query or fragment"
    )]
    Mirror {
        /// Whose mirror.
        registry: String,
    },
    /// The CA file of a registry cannot be read.
    #[error("cannot read the CA file {path} of registry {registry}", path = path.display())]
    CaFile {
        /// Whose CA file.
        registry: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The CA file of a registry holds no certificate in PEM.
    #[error("the CA file {path} of registry {registry} holds no usable certificate in PEM", path = path.display())]
    CaCertificate {
        /// Whose CA file.
        registry: String,
        /// The file.
        path: PathBuf,
    },
    /// The HTTP client cannot be made.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

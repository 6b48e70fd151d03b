//! Errors: of the setup, and of queries to a registry.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Why a query to a registry failed.
///
/// The texts are ours: they never contain a body, header or credential of an exchange. The value is
/// `Clone` because all callers that wait for one exchange share its failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry is not in the allow-list. Nothing was sent, and no name was resolved.
    #[error("registry {registry} is not one of the configured registries")]
    NotAllowed {
        /// The registry as the reference names it.
        registry: String,
    },
    /// The registry answered that there is no such thing (status 404).
    #[error("the registry has no such {what}")]
    NotFound {
        /// What is missing.
        what: Missing,
    },
    /// The registry or its token service refused access, also after authentication where that was
    /// possible. Docker Hub answers so for repositories that do not exist, too.
    #[error("the registry refused access with status {status}")]
    Refused {
        /// 401 or 403.
        status: u16,
    },
    /// The registry asks for a pause (status 429).
    #[error("the rate limit of the registry is exceeded")]
    RateLimited {
        /// The pause that it asks for, between one second and 15 minutes; `None` where it gives
        /// none.
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
        /// Whether the registry or its token service answered so, with a status of 5xx. That may
        /// be due to the name in the question.
        is_answer: bool,
    },
    /// No request was sent: the circuit breaker is open, after failures or because the registry
    /// asked for a pause, or the rate limit for this registry is reached.
    #[error("the registry is unavailable: {detail}")]
    Suspended {
        /// Why, in our words.
        detail: &'static str,
        /// When a request may be sent again.
        retry_after: Duration,
        /// Whether only the client that caused the request is over its limit, so that the error
        /// says nothing about the registry and must not be given to other clients.
        is_of_client: bool,
    },
    /// The connection or the whole exchange exceeded its timeout.
    #[error("the registry did not answer in time")]
    TimedOut,
    /// The response must not be used: it is not in the format, too large, has another digest, or
    /// points at a forbidden address.
    #[error("the registry sent an unusable response: {detail}")]
    Invalid {
        /// What is wrong, in our words.
        detail: String,
    },
}

impl RegistryError {
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into() }
    }

    /// When a retry makes sense, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            Self::Suspended { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// The same error for a caller that gets it later, when no request is sent for `left`.
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
        Self::Unavailable { detail: detail.into(), retry_after: None, is_answer: false }
    }
}

/// The thing that a registry does not have.
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
    /// A key of the registries is not a registry name as in image references.
    #[error(
        "{name:?} is not the name of a registry; write the host as in image references, such as \
         mcr.microsoft.com"
    )]
    Name {
        /// The key.
        name: String,
    },
    /// The mirror of a registry cannot be used.
    #[error(
        "the mirror of registry {registry} must be an http or https URL without user name, \
         password, query or fragment"
    )]
    Mirror {
        /// The registry.
        registry: String,
    },
    /// The CA file of a registry cannot be read.
    #[error("cannot read the CA file {path} of registry {registry}", path = path.display())]
    CaFile {
        /// The registry.
        registry: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The CA file of a registry holds no certificate in PEM.
    #[error(
        "the CA file {path} of registry {registry} contains no usable PEM certificate",
        path = path.display()
    )]
    CaCertificate {
        /// The registry.
        registry: String,
        /// The file.
        path: PathBuf,
    },
    /// The HTTP client cannot be built.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

//! Why the catalogue has no answer.

use super::sighting::Moment;
use crate::registry::RegistryError;

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// The query to the registry failed, or a rule forbids it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Registries may not be queried, and the embedded catalogue has no entry.
    #[error("registries are not queried (--offline), and the embedded catalogue has no such entry")]
    Offline,
    /// Nothing was seen of it by the day of the question.
    #[error(
        "nothing was seen of it by {as_of}{}",
        first.map_or_else(String::new, |first| format!("; the first observation is of {first}"))
    )]
    NotSeen {
        /// The day.
        as_of: Moment,
        /// The first observation after that day.
        first: Option<Moment>,
    },
    /// Too many requests wait for registries already, so that no query was sent.
    #[error("too many requests are waiting for registries; retry later")]
    Overloaded,
}

impl Miss {
    /// Whether the registry says that there is no such thing.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::NotFound { .. }))
    }

    /// Whether older knowledge may answer instead, because the registry gave no usable answer. A
    /// registry that reports 404 has answered, and a forbidden one stays forbidden.
    pub fn is_silence(&self) -> bool {
        !matches!(
            self,
            Self::NotSeen { .. }
                | Self::Registry(RegistryError::NotFound { .. } | RegistryError::NotAllowed { .. })
        )
    }
}

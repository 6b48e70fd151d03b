//! What a request to a registry is for: strangers use up neither what the families of base images
//! need nor what other clients may ask.

use std::sync::Arc;
use std::time::Duration;

use super::caller::Caller;
use super::deadline::Deadline;
use super::lookups::Catalogue;
use super::store::FetchPolicy;
use super::tags::RepositoryTags;
use crate::images::{Repository, TagKind};
use crate::registry::{Missing, Purpose, RegistryError, Wanted};

/// How long a list answers that a tag does not exist: as long as a registry's 404 for it would.
const UNLISTED_TTL: Duration = Duration::from_secs(300);

impl Catalogue {
    /// How a fact of this repository is fetched.
    pub(super) fn policy(
        &self,
        repository: &Repository,
        has_fallback: bool,
        deadline: &Deadline,
    ) -> FetchPolicy {
        FetchPolicy {
            wait: deadline.left(has_fallback),
            has_fallback,
            is_expected: false,
            is_reserved: self.is_reserved(repository),
        }
    }

    /// Whether a repository is of base images: a part of the cache, and of the requests to its
    /// registry, is for these alone.
    pub(super) fn is_reserved(&self, repository: &Repository) -> bool {
        self.embedded.has_most_of(repository)
    }

    /// The purpose of a request for the list of a repository.
    pub(super) fn purpose_of_list(&self, repository: &Repository, is_known: bool) -> Purpose {
        purpose(is_known || self.is_reserved(repository))
    }

    /// The purpose of a request for a manifest. A family has some dozen release tags, and thousands
    /// of others.
    pub(super) fn purpose_of_manifest(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        is_known: bool,
    ) -> Purpose {
        let is_release = |tags: Arc<RepositoryTags>| {
            let listed = wanted.tag().and_then(|tag| tags.find(tag));
            listed.is_some_and(|tag| tag.kind() == TagKind::Release)
        };
        let is_expected =
            || self.is_reserved(repository) && self.known_tags(repository).is_some_and(is_release);
        purpose(is_known || is_expected())
    }

    /// The error for a tag that a new list of the registry does not have, so that it is not asked
    /// for. A mirror may list only what it holds already.
    pub(super) fn unlisted(
        &self,
        repository: &Repository,
        wanted: &Wanted,
    ) -> Option<RegistryError> {
        let tag = wanted.tag()?;
        if self.registries.is_mirrored(repository.registry()) {
            return None;
        }
        let list = self.tags.younger_than(repository, UNLISTED_TTL)?;
        list.find(tag).is_none().then_some(RegistryError::NotFound { what: Missing::Manifest })
    }
}

fn purpose(is_reserved: bool) -> Purpose {
    if is_reserved {
        Purpose::Reserved
    } else {
        Purpose::Other { client: Caller::current().client() }
    }
}

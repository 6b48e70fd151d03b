//! What is remembered of tags: what this service saw, after what others recorded before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::embedded_history;
use super::lookups::Catalogue;
use super::sighting::{Moment, Sighting, TagHistory};
use super::tags::RepositoryTags;
use crate::images::Repository;

/// All that is remembered of a repository.
#[derive(Debug, Default)]
pub struct RepositoryHistory {
    /// The tags of which there is anything to say.
    pub tags: BTreeMap<String, TagHistory>,
    /// The list of tags now, and since when all changes of it are known.
    pub list: Option<(Moment, Arc<RepositoryTags>)>,
}

impl Catalogue {
    /// What is remembered of a tag; no registry is queried.
    pub fn tag_history(&self, repository: &Repository, tag: &str) -> TagHistory {
        let recorded = embedded_history::of_repository(repository, Some(tag)).remove(tag);
        let embedded = self.embedded.tags(repository);
        let of_catalogue =
            embedded.as_ref().and_then(|tags| embedded_history::of_catalogue(tags.find(tag)?));
        let known = recorded.into_iter().flatten().chain(of_catalogue).collect();
        self.history.of_tag(repository, tag).complete(known)
    }

    /// What is remembered of the tags of a repository; no registry is queried.
    pub fn repository_history(&self, repository: &Repository) -> RepositoryHistory {
        let mut known: BTreeMap<String, Vec<Sighting>> =
            embedded_history::of_repository(repository, None)
                .into_iter()
                .map(|(tag, sightings)| (tag.to_owned(), sightings))
                .collect();
        let embedded = self.embedded.tags(repository);
        for tag in embedded.iter().flat_map(|tags| tags.iter()) {
            if let Some(sighting) = embedded_history::of_catalogue(tag) {
                known.entry(tag.text.clone()).or_default().push(sighting);
            }
        }
        let mut record = self.history.of_repository(repository);
        let listed_since = record.listed_since.map(Moment::at);
        let list = self.tags.peek(repository).filter(|entry| !entry.is_private);
        for tag in record.tags.keys() {
            known.entry(tag.clone()).or_default();
        }
        let tags = known.into_iter().map(|(tag, known)| {
            let record = record.tags.remove(&tag).unwrap_or_default();
            let history = record.complete(known);
            (tag, history)
        });
        RepositoryHistory {
            tags: tags.collect(),
            list: listed_since.zip(list.map(|entry| entry.value)),
        }
    }
}

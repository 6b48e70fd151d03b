//! The embedded catalogue: the tags of the base images that were known when the program was built.
//! It is the last fallback when no registry can be queried, and is always marked as such.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::images::{Digest, Repository};
use crate::windows::Tables;

use super::tags::{KnownTag, Observation, RepositoryTags};

const CATALOGUE: &str = include_str!("../images/data/catalogue.csv");

/// The parsed embedded catalogue.
pub struct Embedded {
    repositories: HashMap<Repository, Arc<RepositoryTags>>,
    as_of: Timestamp,
}

#[derive(serde::Deserialize)]
struct Row {
    repository: String,
    tag: String,
    os_version: String,
    digest: String,
    observed: String,
    evidence: String,
}

impl Embedded {
    /// Reads the catalogue.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn read(tables: &Tables) -> Self {
        let mut repositories: HashMap<Repository, Vec<KnownTag>> = HashMap::new();
        let mut as_of = Date::MIN;
        for row in csv::Reader::from_reader(CATALOGUE.as_bytes()).deserialize::<Row>() {
            let row = row.expect("the embedded catalogue is read by a test");
            if let Ok(observed) = row.observed.parse::<Date>() {
                as_of = as_of.max(observed);
            }
            let repository = Repository::parse(&row.repository)
                .expect("the embedded catalogue names repositories; a test reads it");
            let observation = Observation {
                os_version: row.os_version.parse().ok(),
                digest: row.digest.parse::<Digest>().ok(),
                observed: row.observed,
                evidence: row.evidence,
            };
            repositories.entry(repository).or_default().push(KnownTag::new(
                row.tag,
                Some(Box::new(observation)),
                tables,
            ));
        }
        let repositories = repositories
            .into_iter()
            .map(|(name, tags)| (name, Arc::new(RepositoryTags::new(tags))))
            .collect();
        let as_of = as_of
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp());
        Self { repositories, as_of }
    }

    /// The tags of a repository, when the catalogue has it.
    pub fn tags(&self, repository: &Repository) -> Option<Arc<RepositoryTags>> {
        self.repositories.get(repository).cloned()
    }

    /// The latest day on which anything in the catalogue was observed.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_read_whole() {
        let embedded = Embedded::read(Tables::embedded());
        let tags: usize = embedded.repositories.values().map(|tags| tags.iter().count()).sum();
        assert_eq!((tags, embedded.repositories.len()), (1449, 11));
        assert_eq!(embedded.as_of().to_string(), "2026-08-12T00:00:00Z");
    }

    #[test]
    fn every_row_holds_what_its_columns_promise() {
        for row in csv::Reader::from_reader(CATALOGUE.as_bytes()).deserialize::<Row>() {
            let row = row.unwrap();
            assert!(
                row.os_version.is_empty()
                    || row.os_version.parse::<crate::windows::WindowsVersion>().is_ok()
            );
            assert!(row.digest.is_empty() || row.digest.parse::<Digest>().is_ok());
            assert!(!row.evidence.is_empty(), "{}", row.tag);
        }
    }

    /// The few real tags that the grammar does not cover, by name.
    #[test]
    fn every_tag_is_in_the_grammar_or_named_here() {
        const OUTSIDE: [&str; 1] = ["win10-21h1-preview"];
        let embedded = Embedded::read(Tables::embedded());
        for tag in embedded.repositories.values().flat_map(|tags| tags.iter()) {
            match &tag.parsed {
                Some(parsed) => assert_eq!(parsed.to_string(), tag.text),
                None => assert!(OUTSIDE.contains(&tag.text.as_str()), "{}", tag.text),
            }
        }
    }
}

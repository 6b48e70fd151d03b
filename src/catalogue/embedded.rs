//! The embedded catalogue: the tags of the base images that were known when the program was built.
//! It is the last fallback when no registry can be queried, and is always marked as such.
//!
//! A command needs one repository of it, or none, so that each is parsed when it is first used.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::images::{Digest, Repository};
use crate::windows::Tables;

use super::known_tag::{KnownTag, Observation};
use super::tags::RepositoryTags;

const CATALOGUE: &str = include_str!("../images/data/catalogue.csv");

/// The embedded catalogue.
pub struct Embedded {
    repositories: HashMap<Repository, LazyTags>,
    as_of: Timestamp,
    tables: &'static Tables,
}

/// The rows of a repository, and its tags once they are parsed.
struct LazyTags {
    rows: Vec<Row>,
    tags: OnceLock<Arc<RepositoryTags>>,
}

/// One row of the catalogue.
struct Row {
    repository: &'static str,
    tag: &'static str,
    os_version: &'static str,
    digest: &'static str,
    observed: &'static str,
    evidence: &'static str,
}

impl Row {
    /// Reads a line. Commas and quotes are in its last column only, the source, which is not used
    /// here; a test compares this with a CSV reader.
    fn of(line: &'static str) -> Option<Self> {
        let mut columns = line.split(',');
        Some(Self {
            repository: columns.next()?,
            tag: columns.next()?,
            os_version: columns.next()?,
            digest: columns.next()?,
            // After `digest_kind` and `architecture`.
            observed: columns.nth(2)?,
            evidence: columns.next()?,
        })
    }

    fn known_tag(&self, tables: &Tables) -> KnownTag {
        let observation = Observation {
            os_version: self.os_version.parse().ok(),
            digest: self.digest.parse::<Digest>().ok(),
            observed: self.observed.to_owned(),
            evidence: self.evidence.to_owned(),
        };
        KnownTag::new(self.tag.to_owned(), Some(Box::new(observation)), tables)
    }
}

fn rows() -> impl Iterator<Item = Row> {
    CATALOGUE.lines().skip(1).filter_map(Row::of)
}

impl Embedded {
    /// Finds the repositories of the catalogue.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn read(tables: &'static Tables) -> Self {
        let mut by_name: HashMap<&str, Vec<Row>> = HashMap::new();
        // Days that are known only as a month say nothing about the whole.
        let mut last_day = "";
        for row in rows() {
            if row.observed.len() == DAY_BYTES {
                last_day = last_day.max(row.observed);
            }
            by_name.entry(row.repository).or_default().push(row);
        }
        let repository = |(name, rows): (&str, Vec<Row>)| {
            let repository = Repository::parse(name)
                .expect("the embedded catalogue names repositories; a test reads it");
            (repository, LazyTags { rows, tags: OnceLock::new() })
        };
        let repositories = by_name.into_iter().map(repository).collect();
        let as_of = last_day
            .parse::<Date>()
            .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC))
            .map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp());
        Self { repositories, as_of, tables }
    }

    /// The tags of a repository, when the catalogue has it.
    pub fn tags(&self, repository: &Repository) -> Option<Arc<RepositoryTags>> {
        let LazyTags { rows, tags } = self.repositories.get(repository)?;
        let parse = || {
            Arc::new(RepositoryTags::new(
                rows.iter().map(|row| row.known_tag(self.tables)).collect(),
            ))
        };
        Some(tags.get_or_init(parse).clone())
    }

    /// The latest day on which anything in the catalogue was observed.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }
}

/// The length of a whole date: `2026-08-12`.
const DAY_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all_tags(embedded: &Embedded) -> Vec<Arc<RepositoryTags>> {
        embedded.repositories.keys().filter_map(|name| embedded.tags(name)).collect()
    }

    #[test]
    fn the_catalogue_is_read_whole() {
        let embedded = Embedded::read(Tables::embedded());
        let tags: usize = all_tags(&embedded).iter().map(|tags| tags.len()).sum();
        assert_eq!((tags, embedded.repositories.len()), (1449, 11));
        assert_eq!(embedded.as_of().to_string(), "2026-08-12T00:00:00Z");
    }

    #[test]
    fn every_row_holds_what_its_columns_promise() {
        let mut reader = csv::Reader::from_reader(CATALOGUE.as_bytes());
        for (row, record) in rows().zip(reader.records()) {
            let columns = [row.repository, row.tag, row.os_version, row.digest];
            let record = record.unwrap();
            assert!(record.iter().take(4).eq(columns), "{record:?}");
            assert!(record.iter().skip(6).take(2).eq([row.observed, row.evidence]), "{record:?}");
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
        let all = all_tags(&embedded);
        for tag in all.iter().flat_map(|tags| tags.iter()) {
            match &tag.parsed {
                Some(parsed) => assert_eq!(parsed.to_string(), tag.text),
                None => assert!(OUTSIDE.contains(&tag.text.as_str()), "{}", tag.text),
            }
        }
    }
}

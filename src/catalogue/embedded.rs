//! The embedded catalogue: the tags that were known when the program was built, of base images and
//! of images that are built on them. It is the last fallback when no registry can be queried, and
//! is always marked as such. Of base images it has nearly all tags, of others only some.
//!
//! A command needs one repository of it, or none, so that each is parsed when it is first used.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::images::{Digest, Repository, SOFTWARE};
use crate::windows::Tables;

use super::known_tag::{KnownTag, Observation};
use super::tags::RepositoryTags;

const BASE_IMAGES: &str = include_str!("../images/data/catalogue.csv");

/// The embedded catalogue.
pub struct Embedded {
    repositories: BTreeMap<&'static str, LazyTags>,
    as_of: OnceLock<Timestamp>,
    tables: Arc<Tables>,
}

/// The lines of a repository, and its tags once they are parsed.
struct LazyTags {
    lines: &'static str,
    read: fn(&'static str) -> Option<Row>,
    /// Whether the lines have only some of the tags.
    is_sample: bool,
    tags: OnceLock<Arc<RepositoryTags>>,
}

/// One row of either table: the columns that both have at the same place.
struct Row {
    tag: &'static str,
    os_version: &'static str,
    digest: &'static str,
    /// The builds of a shared tag, and its base.
    builds: &'static str,
    base: &'static str,
    observed: &'static str,
    evidence: &'static str,
}

impl Row {
    /// Reads a line of the table of base images. Commas and quotes are in its last column only, the
    /// source, which is not used here; a test compares this with a CSV reader.
    fn of_base_image(line: &'static str) -> Option<Self> {
        Some(Self { builds: "", base: "", ..Self::of_software(line)? })
    }

    /// Reads a line of the table of other images; its columns for people are the last ones too.
    fn of_software(line: &'static str) -> Option<Self> {
        let mut columns = line.split(',');
        Some(Self {
            // After the repository.
            tag: columns.nth(1)?,
            os_version: columns.next()?,
            digest: columns.next()?,
            builds: columns.next()?,
            base: columns.next()?,
            observed: columns.next()?,
            evidence: columns.next()?,
        })
    }

    fn known_tag(&self, tables: &Tables) -> KnownTag {
        let observation = Observation {
            os_version: self.os_version.parse().ok(),
            digest: self.digest.parse::<Digest>().ok(),
            base: self.base.parse().ok(),
            builds: self.builds.split(';').filter_map(|build| build.parse().ok()).collect(),
            observed: self.observed.to_owned(),
            evidence: self.evidence,
            then: None,
        };
        KnownTag::new(self.tag.to_owned(), Some(Box::new(observation)), tables)
    }
}

/// The repositories of a table and the lines of each, which are together.
fn by_repository(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rest = table.split_once('\n').map_or("", |(_, rows)| rows);
    std::iter::from_fn(move || {
        let (name, _) = rest.split_once(',')?;
        let is_of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|it| it.starts_with(','));
        let end = rest.split_inclusive('\n').take_while(is_of_name).map(str::len).sum();
        let (lines, after) = rest.split_at_checked(end)?;
        rest = after;
        Some((name, lines))
    })
}

impl Embedded {
    /// Finds the repositories of the catalogue.
    pub fn read(tables: Arc<Tables>) -> Self {
        let lazy = |lines, is_sample| {
            let read = if is_sample { Row::of_software } else { Row::of_base_image };
            LazyTags { lines, read, is_sample, tags: OnceLock::new() }
        };
        let of_software = by_repository(SOFTWARE).map(|(name, lines)| (name, lazy(lines, true)));
        // IIS is in both tables.
        let of_bases = by_repository(BASE_IMAGES).map(|(name, lines)| (name, lazy(lines, false)));
        let repositories = of_software.chain(of_bases).collect();
        Self { repositories, as_of: OnceLock::new(), tables }
    }

    /// The tags of a repository, when the catalogue has it.
    pub fn tags(&self, repository: &Repository) -> Option<Arc<RepositoryTags>> {
        let LazyTags { lines, read, tags, .. } =
            self.repositories.get(repository.to_string().as_str())?;
        let parse = || {
            Arc::new(RepositoryTags::new(
                lines.lines().filter_map(read).map(|row| row.known_tag(&self.tables)).collect(),
            ))
        };
        Some(tags.get_or_init(parse).clone())
    }

    /// Whether the catalogue has this repository.
    pub fn has(&self, repository: &Repository) -> bool {
        self.repositories.contains_key(repository.to_string().as_str())
    }

    /// Whether the catalogue has nearly all tags of this repository.
    pub fn has_most_of(&self, repository: &Repository) -> bool {
        self.repositories.get(repository.to_string().as_str()).is_some_and(|tags| !tags.is_sample)
    }

    /// The repositories, in the order of their names.
    pub fn repositories(&self) -> impl Iterator<Item = Repository> {
        // A test reads all of them.
        self.repositories.keys().filter_map(|name| Repository::parse(name).ok())
    }

    /// The latest day on which a base image was observed. Days that are known only as a month say
    /// nothing about the whole.
    pub fn as_of(&self) -> Timestamp {
        *self.as_of.get_or_init(|| {
            let days =
                BASE_IMAGES.lines().filter_map(|line| Some(Row::of_base_image(line)?.observed));
            days.filter(|day| day.len() == DAY_BYTES)
                .max()
                .and_then(|day| day.parse::<Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok())
                .map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp())
        })
    }
}

/// The length of a whole date: `2026-08-12`.
const DAY_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all_tags(embedded: &Embedded) -> Vec<Arc<RepositoryTags>> {
        embedded.repositories().filter_map(|name| embedded.tags(&name)).collect()
    }

    #[test]
    fn the_catalogue_is_read_whole() {
        let embedded = Embedded::read(Tables::embedded().clone());
        let tags: usize = all_tags(&embedded).iter().map(|tags| tags.len()).sum();
        assert_eq!((tags, embedded.repositories.len()), (3141, 43));
        assert_eq!(embedded.as_of().to_string(), "2026-09-18T00:00:00Z");
    }

    #[test]
    fn every_row_holds_what_its_columns_promise() {
        type Read = fn(&'static str) -> Option<Row>;
        let tables: [(&str, Read); 2] =
            [(BASE_IMAGES, Row::of_base_image), (SOFTWARE, Row::of_software)];
        let of_table = |(table, read): (&'static str, Read)| {
            let records = csv::Reader::from_reader(table.as_bytes()).into_records();
            table.lines().skip(1).filter_map(read).zip(records)
        };
        for (row, record) in tables.into_iter().flat_map(of_table) {
            let columns = [row.tag, row.os_version, row.digest];
            let record = record.unwrap();
            assert!(record.iter().skip(1).take(3).eq(columns), "{record:?}");
            assert!(record.iter().skip(6).take(2).eq([row.observed, row.evidence]), "{record:?}");
            assert!(
                row.builds.is_empty() || record.iter().nth(4) == Some(row.builds),
                "{record:?}"
            );
            // A shared tag has several.
            for version in row.os_version.split(';').filter(|version| !version.is_empty()) {
                assert!(version.parse::<crate::windows::WindowsVersion>().is_ok(), "{version}");
            }
            assert!(row.digest.is_empty() || row.digest.parse::<Digest>().is_ok());
            assert!(!row.evidence.is_empty(), "{}", row.tag);
        }
    }

    /// The few real tags that the grammar does not cover, by name.
    #[test]
    fn every_tag_is_in_the_grammar_or_named_here() {
        const OUTSIDE: [&str; 1] = ["win10-21h1-preview"];
        let embedded = Embedded::read(Tables::embedded().clone());
        let all = all_tags(&embedded);
        for tag in all.iter().flat_map(|tags| tags.iter()) {
            match &tag.parsed {
                Some(parsed) => assert_eq!(parsed.to_string(), tag.text),
                None => assert!(OUTSIDE.contains(&tag.text.as_str()), "{}", tag.text),
            }
        }
    }
}

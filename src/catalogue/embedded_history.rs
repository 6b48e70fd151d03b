//! The embedded history: what others recorded of the tags of base images before this program
//! existed, and since when the embedded catalogue knows each tag.
//!
//! Few questions need it, and each of one repository only, so that it is parsed for each of them.

use std::collections::BTreeMap;

use super::known_tag::KnownTag;
use super::sighting::{Moment, Sighting};
use crate::images::Repository;

const HISTORY: &str = include_str!("../images/data/history.csv");

/// Kinds of evidence of the embedded catalogue that are no observation of the tag itself.
const INFERRED: [&str; 4] =
    ["derived-from-index", "legacy-repository", "mention", "mention-with-sibling"];

/// The recorded sightings of a repository's tags, or of this one only.
pub fn of_repository(
    repository: &Repository,
    only: Option<&str>,
) -> BTreeMap<&'static str, Vec<Sighting>> {
    let name = repository.to_string();
    let mut sightings: BTreeMap<&str, Vec<Sighting>> = BTreeMap::new();
    let lines = HISTORY.lines().filter_map(|line| line.strip_prefix(name.as_str()));
    for (tag, sighting) in lines.filter_map(read_line) {
        if only.is_none_or(|only| only == tag) {
            sightings.entry(tag).or_default().push(sighting);
        }
    }
    sightings
}

/// Reads a line without its first column. Commas and quotes are in its last column only, the
/// source, which is not used here; a test compares this with a CSV reader.
fn read_line(line: &'static str) -> Option<(&'static str, Sighting)> {
    let mut columns = line.strip_prefix(',')?.split(',');
    let (tag, os_version, digest) = (columns.next()?, columns.next()?, columns.next()?);
    let (first, last, evidence) = (columns.next()?, columns.next()?, columns.next()?);
    let sighting = Sighting {
        digest: digest.parse().ok(),
        os_version: os_version.parse().ok(),
        builds: Vec::new(),
        base: None,
        seen: first.parse().ok().zip(last.parse().ok()),
        evidence,
    };
    Some((tag, sighting))
}

/// What the embedded catalogue observed of a tag, if it did.
pub fn of_catalogue(tag: &KnownTag) -> Option<Sighting> {
    let seen = tag.observation.as_deref()?;
    let day: Moment = seen.observed.parse().ok()?;
    let is_shared = seen.builds.len() > 1;
    (!INFERRED.contains(&seen.evidence)).then(|| Sighting {
        digest: seen.digest.clone(),
        os_version: seen.os_version,
        builds: if is_shared { seen.builds.clone() } else { Vec::new() },
        base: seen.base,
        seen: Some((day, day)),
        evidence: seen.evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_holds_what_its_columns_promise() {
        let records = csv::Reader::from_reader(HISTORY.as_bytes()).into_records();
        let mut rows = 0;
        for (line, record) in HISTORY.lines().skip(1).zip(records) {
            let record = record.unwrap();
            let rest = line.strip_prefix(&record[0]).unwrap();
            let (tag, sighting) = read_line(rest).unwrap();
            let text = |value: Option<String>| value.unwrap_or_default();
            let digest = text(sighting.digest.as_ref().map(ToString::to_string));
            let (first, last) = sighting.seen.unzip();
            let read = [
                tag.to_owned(),
                text(sighting.os_version.map(|version| version.to_string())),
                digest,
                text(first.map(|moment| moment.to_string())),
                text(last.map(|moment| moment.to_string())),
                sighting.evidence.to_owned(),
            ];
            assert!(record.iter().skip(1).take(6).eq(&read), "{record:?}");
            assert!(!record[7].is_empty(), "{record:?}");
            assert!(sighting.seen.is_none_or(|(first, last)| first.earliest() <= last.latest()));
            assert!(sighting.seen.is_some() || sighting.digest.is_some(), "{record:?}");
            rows += 1;
        }
        assert_eq!(rows, 1036);
    }

    #[test]
    fn no_tag_was_seen_at_an_update_before_its_release() {
        let tables = crate::windows::Tables::embedded();
        for line in HISTORY.lines().skip(1) {
            let rest = &line[line.find(',').unwrap()..];
            let (tag, sighting) = read_line(rest).unwrap();
            let entries = sighting.os_version.map(|version| tables.kbs_of(version));
            let released = entries.into_iter().flatten().filter_map(|entry| entry.released).min();
            if let (Some((first, _)), Some(released)) = (sighting.seen, released) {
                assert!(first.day() >= released, "{tag} {sighting:?}");
            }
        }
    }
}

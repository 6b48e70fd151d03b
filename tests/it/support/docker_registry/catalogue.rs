//! The recorded facts that the test registry is filled from.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One row of the catalogue, as far as it is needed here.
#[derive(Deserialize)]
pub struct Row {
    pub repository: String,
    pub tag: String,
    pub os_version: String,
    pub digest: String,
}

/// One recorded index, byte for byte.
#[derive(Deserialize)]
pub struct VerifiedIndex {
    pub digest: String,
    pub body: String,
}

/// The rows of the repositories on Microsoft's registry, by repository path (`windows/nanoserver`).
pub fn rows_by_repository() -> BTreeMap<String, Vec<Row>> {
    let mut repositories = BTreeMap::<String, Vec<Row>>::new();
    for row in csv_rows::<Row>(include_str!("../../../../src/images/data/catalogue.csv")) {
        if let Some(path) = row.repository.strip_prefix("mcr.microsoft.com/") {
            repositories.entry(path.to_owned()).or_default().push(row);
        }
    }
    repositories
}

/// The recorded indexes.
pub fn verified_indexes() -> Vec<VerifiedIndex> {
    include_str!("../../../data/verified_indexes.jsonl")
        .lines()
        .map(|line| {
            serde_json::from_str(line).expect("verified_indexes.jsonl holds one object a line")
        })
        .collect()
}

/// The revision of a build that a KB made.
pub fn revisions_of_updates() -> HashMap<(u32, String), u32> {
    csv_rows::<(u32, u32, String)>(include_str!("../../../data/kb.csv"))
        .map(|(build, revision, kb)| ((build, kb), revision))
        .collect()
}

pub fn csv_rows<T: DeserializeOwned>(text: &'static str) -> impl Iterator<Item = T> {
    csv::Reader::from_reader(text.as_bytes())
        .into_deserialize()
        .map(|row| row.expect("the data files of this repository are well-formed"))
}

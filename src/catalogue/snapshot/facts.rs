//! The content of a snapshot, as domain types.

use std::sync::Arc;

use jiff::Timestamp;

use crate::images::Repository;
use crate::registry::{Manifest, Wanted};

/// The facts in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFacts {
    pub tags: Vec<DatedFact<Repository, Vec<String>>>,
    pub manifests: Vec<DatedFact<(Repository, Wanted), Arc<Manifest>>>,
}

/// A fact, and when a registry gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedFact<K, V> {
    pub key: K,
    pub value: V,
    pub learnt: Timestamp,
}

//! What each repository holds, and since when that is known: from the cache while fresh, from the
//! registry, from the cache when stale, and at last from the embedded catalogue. A snapshot on disk
//! keeps the cache over a restart.

// In reading order.

mod lookups;
mod known;
mod freshness;
mod miss;
mod known_tag;
mod candidates;
mod tags;
mod deadline;
mod caller;
mod purpose;
mod fetch;
mod cache;
mod single_flight;
mod store;
mod entries;
mod weight;
mod shrinkage;
mod metrics;
mod embedded;
mod persistence;
mod snapshot;

pub use crate::registry::{Entry, EntryMismatch, EntryRole, Manifest, RegistryError, Wanted};
pub use caller::Caller;
pub use candidates::{BuildTags, Candidates};
pub use deadline::Deadline;
#[cfg(test)]
pub use fetch::MAX_NEW_LIST_BYTES;
pub use freshness::{Found, Freshness, Provenance};
pub use known_tag::{KnownTag, Observation};
pub use lookups::{Catalogue, CatalogueSettings, FoundImage};
#[cfg(test)]
pub use lookups::{MAX_MANIFEST_BYTES, MAX_TAG_BYTES};
pub use miss::Miss;
pub use single_flight::MAX_FLIGHTS_PER_REGISTRY;
pub use snapshot::SnapshotState;
#[cfg(fuzzing)]
pub use snapshot::check_snapshot;
pub use tags::RepositoryTags;

//! What each repository holds, and since when that is known: from the cache while fresh, from the
//! registry, from the cache when stale, and at last from the embedded catalogue. A snapshot on disk
//! keeps the cache over a restart.

// In reading order.

mod lookups;
mod known;
mod freshness;
mod sighting;
mod miss;
mod known_tag;
mod candidates;
mod tags;
mod deadline;
mod caller;
mod purpose;
mod list_memory;
mod fetch;
mod cache;
mod single_flight;
mod store;
mod entries;
mod weight;
mod shrinkage;
mod metrics;
mod embedded;
mod embedded_history;
mod history;
mod remembered;
mod persistence;
mod snapshot;

pub use crate::registry::{
    Entry, EntryMismatch, EntryRole, Manifest, RegistryError, Wanted, is_tag,
};
pub use caller::Caller;
pub use candidates::{BuildTags, Candidates};
pub use deadline::Deadline;
pub use freshness::{Found, Freshness, Provenance};
#[cfg(test)]
pub use history::MAX_HISTORY_BYTES;
pub use known_tag::{Basis, KnownTag, Observation, Then};
pub use list_memory::ListMemory;
#[cfg(test)]
pub use list_memory::{MAX_NEW_LIST_BYTES, MAX_TAG_BYTES};
#[cfg(test)]
pub use lookups::MAX_MANIFEST_BYTES;
pub use lookups::{Catalogue, CatalogueSettings, FoundImage};
pub use miss::Miss;
pub use remembered::RepositoryHistory;
pub use sighting::{Moment, ParseMomentError, Sighting, TagHistory};
pub use single_flight::MAX_FLIGHTS_PER_REGISTRY;
#[cfg(fuzzing)]
pub use snapshot::check_snapshot;
pub use snapshot::{SnapshotState, export_state, import_state};
pub use tags::RepositoryTags;

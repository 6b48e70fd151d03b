//! How the catalogue and its snapshot on disk meet.
//!
//! Facts that were got with credentials stay in memory only; they may be private.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::cache::Cache;
use super::history::RepositoryRecord;
use super::known_tag::KnownTag;
use super::list_memory::ListMemory;
use super::lookups::Catalogue;
use super::single_flight::Key;
use super::snapshot::{DatedFact, SnapshotFacts, SnapshotState};
use super::tags::RepositoryTags;

impl Catalogue {
    /// Loads the snapshot into the cache. Each fact is as old as it was learnt: usable if not too
    /// old, and fresh only within its TTL. Blocks while it reads the file.
    pub fn load_snapshot(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        let SnapshotFacts { tags, manifests } = snapshot.load();
        for DatedFact { key, value, learnt } in tags {
            if self.allows(&key) {
                let tags = value.into_iter().map(|text| KnownTag::new(text, None, &self.tables));
                let (is_reserved, mut tags) =
                    (self.is_reserved(&key), RepositoryTags::new(tags.collect()));
                tags.memory = ListMemory::try_acquire(tags.weight()).map(Arc::new);
                tags.tables = Some(self.tables.clone());
                if tags.memory.is_some() {
                    self.tags.load(key, Arc::new(tags), learnt, is_reserved);
                }
            }
        }
        for DatedFact { key, value, learnt } in manifests {
            if self.allows(&key.0) {
                let is_reserved = self.is_reserved(&key.0);
                self.manifests.load(key, value, learnt, is_reserved);
            }
        }
        for (repository, record) in snapshot.load_history() {
            let is_reserved = self.is_reserved(&repository);
            self.history.load(&repository, RepositoryRecord { is_reserved, ..record });
        }
    }

    /// Writes the snapshot if the cache has changed since it was written or loaded. Blocks while it
    /// writes.
    pub fn save_snapshot(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        // Read before the facts are gathered: a change in between is written the next time.
        let revision = self.tags.revision().wrapping_add(self.manifests.revision());
        let history = self.history.revision();
        let saved = [
            snapshot.save(revision, dated(&self.tags, Texts), dated(&self.manifests, |it| it)),
            snapshot.save_history(history, || self.history.all()),
        ];
        if saved.contains(&Err(())) {
            self.metrics.count_snapshot_write_failure();
        }
    }

    /// What was learnt about Windows, from the state directory. Blocks while it reads the file.
    pub fn load_facts<T: DeserializeOwned + Default>(&self) -> T {
        self.snapshot.as_ref().map(|snapshot| snapshot.load_facts()).unwrap_or_default()
    }

    /// Writes what was learnt about Windows. Blocks while it writes.
    pub fn save_facts(&self, facts: &impl Serialize) {
        let saved = self.snapshot.as_ref().map(|snapshot| snapshot.save_facts(facts));
        if saved.is_some_and(|saved| saved.is_err()) {
            self.metrics.count_snapshot_write_failure();
        }
    }

    /// The state of the snapshot.
    pub fn snapshot_state(&self) -> SnapshotState {
        self.snapshot.as_ref().map_or(SnapshotState::Off, |snapshot| snapshot.state())
    }
}

/// The usable facts that are not private.
fn dated<K: Key, V: Send + Sync + 'static, T>(
    cache: &Cache<K, V>,
    stored: impl Fn(Arc<V>) -> T,
) -> impl Iterator<Item = DatedFact<Arc<K>, T>> {
    cache.usable().filter(|(_, entry)| !entry.is_private).map(move |(key, entry)| DatedFact {
        key,
        learnt: entry.learnt.utc,
        value: stored(entry.value),
    })
}

/// The tags of a list as texts.
struct Texts(Arc<RepositoryTags>);

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|tag| &tag.text))
    }
}

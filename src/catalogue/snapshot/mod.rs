//! The snapshot on disk: what registries said, so that a service that starts while they are down
//! still knows it. It can only help: no failure to read or write it stops anything.
//!
//! Facts of a registry for which the configuration has credentials are kept in memory only; they
//! may be private. Whether credentials of a docker configuration open a repository shows only when
//! it is asked, so those do not count: the file holds names, digests and platforms, and only its
//! owner may read it.

mod file;
mod stored;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::shelf::Kept;
use super::{Catalogue, KnownTag, RepositoryTags};
use crate::images::Repository;
use crate::registry::{Manifest, Wanted};
use file::{Content, SnapshotFile};
#[cfg(fuzzing)]
pub use stored::check_any as check_snapshot;

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    tags: Vec<Dated<Repository, Vec<String>>>,
    manifests: Vec<Dated<(Repository, Wanted), Arc<Manifest>>>,
}

/// A fact, and when a registry said it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dated<K, V> {
    key: K,
    value: V,
    learnt: Timestamp,
}

/// How it stands with the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// None is wanted.
    Off,
    /// The last reading or writing succeeded, or there was nothing to do yet.
    Ok,
    /// The last reading or writing failed; why.
    Failed(String),
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Ok => f.write_str("ok"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// The snapshot of a catalogue.
#[derive(Debug)]
pub(super) struct Snapshot {
    file: SnapshotFile,
    state: Mutex<SnapshotState>,
    /// How much had been learnt when it was last written.
    written: AtomicU64,
}

impl Snapshot {
    pub(super) fn new(directory: PathBuf) -> Self {
        let state = Mutex::new(SnapshotState::Ok);
        Self { file: SnapshotFile::new(directory), state, written: AtomicU64::new(0) }
    }

    fn state(&self) -> SnapshotState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how it went. A failure is told when it begins, not each time that it is tried again.
    fn note(&self, outcome: Result<(), String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => *state = SnapshotState::Ok,
            Err(why) => {
                if *state == SnapshotState::Ok {
                    tracing::warn!("{why}; requests are answered as before");
                }
                *state = SnapshotState::Failed(why);
            }
        }
    }

    /// The facts of the file. One that cannot be used is set aside and gives none.
    fn read(&self) -> Facts {
        let path = self.file.path();
        let why = match self.file.read() {
            Ok(Content::Absent) => return Facts::default(),
            Ok(Content::Bytes(bytes)) => match stored::decode(&bytes) {
                Ok(facts) => return facts,
                Err(error) => error.to_string(),
            },
            Ok(Content::Unusable(why)) => why,
            Err(error) => {
                self.note(Err(format!("cannot read the snapshot {}: {error}", path.display())));
                return Facts::default();
            }
        };
        let told = format!("the snapshot {} is not used: {why}", path.display());
        match self.file.set_aside() {
            Ok(aside) => tracing::warn!("{told}; it is now {}", aside.display()),
            Err(error) => self.note(Err(format!("{told}; it cannot be renamed: {error}"))),
        }
        Facts::default()
    }

    fn write(&self, facts: Facts) -> Result<(), String> {
        let why = |error: std::io::Error| {
            format!("cannot write the snapshot {}: {error}", self.file.path().display())
        };
        let bytes = stored::encode(facts).map_err(|error| why(error.into()))?;
        self.file.replace(&bytes).map_err(why)
    }
}

impl Catalogue {
    /// Takes in what the snapshot holds, as old as it is: usable if not too old, and fresh only if
    /// a registry would not have been asked again by now. Blocks while it reads the file.
    pub fn load_snapshot(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        let Facts { tags, manifests } = snapshot.read();
        for Dated { key, value, learnt } in
            tags.into_iter().filter(|dated| self.is_kept_on_disk(&dated.key))
        {
            let tags =
                value.into_iter().map(|text| KnownTag::new(text, None, self.tables)).collect();
            self.tags.load(key, Arc::new(RepositoryTags::new(tags)), learnt);
        }
        for Dated { key, value, learnt } in
            manifests.into_iter().filter(|dated| self.is_kept_on_disk(&dated.key.0))
        {
            self.manifests.load(key, value, learnt);
        }
    }

    /// Writes the snapshot if anything was learnt since it was written or read. Blocks while it
    /// writes.
    pub fn save_snapshot(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        // Counted before the facts are gathered: what is learnt meanwhile is written the next time.
        let learnt = self.tags.learnt_count().wrapping_add(self.manifests.learnt_count());
        if snapshot.written.load(Ordering::Relaxed) == learnt {
            return;
        }
        let outcome = snapshot.write(self.facts());
        if outcome.is_ok() {
            snapshot.written.store(learnt, Ordering::Relaxed);
        } else {
            self.metrics.count_snapshot_write_failure();
        }
        snapshot.note(outcome);
    }

    /// How it stands with the snapshot.
    pub fn snapshot_state(&self) -> SnapshotState {
        self.snapshot.as_ref().map_or(SnapshotState::Off, Snapshot::state)
    }

    fn is_kept_on_disk(&self, repository: &Repository) -> bool {
        self.allows(repository) && !self.registries.has_credentials(repository.registry())
    }

    fn facts(&self) -> Facts {
        let texts =
            |kept: Kept<RepositoryTags>| kept.value.iter().map(|tag| tag.text.clone()).collect();
        let tags = self.tags.usable().into_iter().filter(|(key, _)| self.is_kept_on_disk(key));
        let manifests =
            self.manifests.usable().into_iter().filter(|(key, _)| self.is_kept_on_disk(&key.0));
        Facts {
            tags: tags
                .map(|(key, kept)| Dated { key, learnt: kept.learnt.utc, value: texts(kept) })
                .collect(),
            manifests: manifests
                .map(|(key, kept)| Dated { key, learnt: kept.learnt.utc, value: kept.value })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f15_a_failure_lasts_until_it_is_mended() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("state");
        std::fs::write(&path, "in the way").unwrap();
        let snapshot = Snapshot::new(path.clone());
        snapshot.note(snapshot.write(Facts::default()));
        let state = snapshot.state().to_string();
        assert!(state.starts_with("failed: cannot write the snapshot "), "{state}");
        std::fs::remove_file(&path).unwrap();
        snapshot.note(snapshot.write(Facts::default()));
        assert_eq!(snapshot.state(), SnapshotState::Ok);
    }
}

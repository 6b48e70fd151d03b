//! The snapshot on disk: the facts of registries, so that a service that starts while they are down
//! still has them. It is an optimisation: a failure to read or write it never fails a request.

mod bundle;
mod facts;
mod file;
mod history;
mod sealed;
mod stored;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::history::RepositoryRecord;
use crate::images::Repository;
use crate::registry::{Manifest, Wanted};

pub use bundle::{export as export_state, import as import_state};
pub use facts::{DatedFact, SnapshotFacts};
use file::{CATALOGUE, FACTS, FileContent, HISTORY, SnapshotFile};
use sealed::{Kind, Unreadable};
#[cfg(fuzzing)]
pub use stored::check_any as check_snapshot;

/// The header of the file of what was learnt about Windows.
const FACTS_KIND: Kind = Kind { magic: "wintag-facts", version: 1 };

/// The state of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// No directory is configured.
    Off,
    /// The last read or write succeeded, or there was none yet.
    Ok,
    /// The last read or write failed, with the reason.
    Failed(String),
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Ok => f.write_str("ok"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

/// The snapshot in a directory.
#[derive(Debug)]
pub struct Snapshot {
    file: SnapshotFile,
    /// What was seen of tags, in a file of its own: it is worth more than the rest, which a
    /// registry can tell again.
    history: SnapshotFile,
    /// What was learnt about Windows, in a file of its own.
    facts: SnapshotFile,
    /// The lock of the directory, once this process has it.
    lock: OnceLock<File>,
    state: Mutex<SnapshotState>,
    /// The revision of the cache in the file.
    saved_revision: AtomicU64,
    /// The revision of what was seen in its file.
    saved_history: AtomicU64,
}

impl Snapshot {
    /// The snapshot in this directory, not yet read.
    pub fn new(directory: PathBuf) -> Self {
        let state = Mutex::new(SnapshotState::Ok);
        Self {
            file: SnapshotFile::new(directory.clone(), CATALOGUE),
            history: SnapshotFile::new(directory.clone(), HISTORY),
            facts: SnapshotFile::new(directory, FACTS),
            lock: OnceLock::new(),
            state,
            saved_revision: AtomicU64::new(0),
            saved_history: AtomicU64::new(0),
        }
    }

    /// How the last reading or writing ended.
    pub fn state(&self) -> SnapshotState {
        self.lock().clone()
    }

    /// The facts in the file. A file that cannot be used is renamed and gives none. If another
    /// process uses the directory, as in a rolling update, its file is read but not changed, until
    /// that process has ended.
    pub fn load(&self) -> SnapshotFacts {
        self.read(&self.file, stored::decode)
    }

    /// What was seen of tags, as [`Self::load`].
    pub fn load_history(&self) -> Vec<(Repository, RepositoryRecord)> {
        self.read(&self.history, history::decode)
    }

    /// What was learnt about Windows, as [`Self::load`].
    pub fn load_facts<T: DeserializeOwned + Default>(&self) -> T {
        self.read(&self.facts, |bytes| {
            let body = sealed::open(FACTS_KIND, bytes)?;
            let content =
                |error: serde_json::Error| Unreadable::Content { detail: error.to_string() };
            serde_json::from_slice(body).map_err(content)
        })
    }

    fn read<T: Default>(
        &self,
        file: &SnapshotFile,
        decode: fn(&[u8]) -> Result<T, Unreadable>,
    ) -> T {
        let path = file.path();
        if let Err(error) = self.lock_directory()
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.note_failure(format!("cannot write the snapshot {}: {error}", path.display()));
        }
        let reason = match file.read() {
            Ok(FileContent::Absent) => return T::default(),
            Ok(FileContent::Bytes(bytes)) => match decode(&bytes) {
                Ok(facts) => return facts,
                Err(error) => error.to_string(),
            },
            Ok(FileContent::Unusable(reason)) => reason,
            Err(error) => {
                self.note_failure(format!("cannot read the snapshot {}: {error}", path.display()));
                return T::default();
            }
        };
        let message = format!("the snapshot {} is not used: {reason}", path.display());
        if self.lock.get().is_none() {
            tracing::warn!("{message}");
            return T::default();
        }
        match file.set_aside() {
            Ok(aside) => tracing::warn!("{message}; it was renamed to {}", aside.display()),
            Err(error) => self.note_failure(format!("{message}; it cannot be renamed: {error}")),
        }
        T::default()
    }

    /// Writes the facts unless the file already has this revision of them. The tags of a list are
    /// anything that is written as a list of texts.
    ///
    /// # Errors
    /// When the file cannot be written; the state has the reason.
    pub fn save<T: Serialize>(
        &self,
        revision: u64,
        tags: impl Iterator<Item = DatedFact<Arc<Repository>, T>>,
        manifests: impl Iterator<Item = DatedFact<Arc<(Repository, Wanted)>, Arc<Manifest>>>,
    ) -> Result<(), ()> {
        self.write_new(&self.file, &self.saved_revision, revision, |file| {
            stored::encode(tags, manifests, file)
        })
    }

    /// Writes what was seen of tags, as [`Self::save`].
    ///
    /// # Errors
    /// As there.
    pub fn save_history(
        &self,
        revision: u64,
        records: impl FnOnce() -> BTreeMap<Repository, RepositoryRecord>,
    ) -> Result<(), ()> {
        self.write_new(&self.history, &self.saved_history, revision, |file| {
            history::encode(&records(), file)
        })
    }

    /// Writes a file unless it already has this revision.
    fn write_new(
        &self,
        file: &SnapshotFile,
        saved: &AtomicU64,
        revision: u64,
        encode: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), ()> {
        if saved.load(Ordering::Relaxed) == revision {
            return Ok(());
        }
        self.write(file, encode)?;
        saved.store(revision, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what was learnt about Windows.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_facts(&self, facts: &impl Serialize) -> Result<(), ()> {
        self.write(&self.facts, |file| sealed::seal(FACTS_KIND, facts, file))
    }

    fn write(
        &self,
        file: &SnapshotFile,
        encode: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), ()> {
        let write = || {
            self.lock_directory()?;
            file.replace(encode)
        };
        match write() {
            Ok(()) => {
                *self.lock() = SnapshotState::Ok;
                Ok(())
            }
            Err(error) => {
                let path = file.path();
                self.note_failure(format!("cannot write the snapshot {}: {error}", path.display()));
                Err(())
            }
        }
    }

    /// Locks the directory unless this process has locked it before.
    fn lock_directory(&self) -> io::Result<()> {
        if self.lock.get().is_none() {
            let _ = self.lock.set(self.file.lock()?);
        }
        Ok(())
    }

    /// Logs a failure when it begins, not each time that it is repeated.
    fn note_failure(&self, reason: String) {
        let mut state = self.lock();
        if *state == SnapshotState::Ok {
            tracing::warn!("{reason}; requests are answered as before");
        }
        *state = SnapshotState::Failed(reason);
    }

    fn lock(&self) -> MutexGuard<'_, SnapshotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f15_a_failure_lasts_until_a_write_succeeds() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("state");
        std::fs::write(&path, "in the way").unwrap();
        let snapshot = Snapshot::new(path.clone());
        let save = || snapshot.save::<Vec<String>>(1, std::iter::empty(), std::iter::empty());
        assert!(save().is_err());
        let state = snapshot.state().to_string();
        assert!(state.starts_with("failed: cannot write the snapshot "), "{state}");
        std::fs::remove_file(&path).unwrap();
        assert!(save().is_ok());
        assert_eq!(snapshot.state(), SnapshotState::Ok);
    }
}

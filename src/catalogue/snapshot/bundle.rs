//! The whole state in one file, to move it to a site without a way out: what registries said,
//! what was seen of tags, and what was learnt about Windows, under one checksum.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::{CATALOGUE, FACTS, FileContent, HISTORY, SnapshotFile};
use super::sealed::{self, Kind};

const KIND: Kind = Kind { magic: "wintag-state", version: 1 };
/// The files of the state. Each has a checksum of its own, which is checked when it is loaded.
const FILES: [&str; 3] = [CATALOGUE, FACTS, HISTORY];
/// The largest bundle that is read: the largest files, whose quotes are escaped. Ours.
const MAX_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    files: BTreeMap<String, String>,
}

/// Writes the files of the state into one; returns their names. A service may use the directory.
///
/// # Errors
/// I/O errors, and when the directory has no state.
pub fn export(directory: &Path, target: &Path) -> io::Result<Vec<String>> {
    let mut files = BTreeMap::new();
    for name in FILES {
        match SnapshotFile::new(directory.to_owned(), name).read()? {
            FileContent::Absent => {}
            FileContent::Unusable(reason) => {
                return Err(io::Error::other(format!("{name}: {reason}")));
            }
            FileContent::Bytes(bytes) => {
                let text = String::from_utf8(bytes);
                let text = text.map_err(|_| io::Error::other(format!("{name} is damaged")))?;
                files.insert(name.to_owned(), text);
            }
        }
    }
    if files.is_empty() {
        let reason = format!("{} has no state of wintag", directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, reason));
    }
    let names = files.keys().cloned().collect();
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
    sealed::seal(KIND, &Bundle { files }, file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(names)
}

/// Replaces the files of the state by those of a bundle; returns their names. Those that the bundle
/// does not have stay.
///
/// # Errors
/// I/O errors; when the file is no whole bundle, in which case nothing is changed; and when a
/// process uses the directory.
pub fn import(source: &Path, directory: &Path) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(source)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_BYTES) {
        return Err(io::Error::other("the file is too large for a state of wintag"));
    }
    let body = sealed::open(KIND, &bytes).map_err(io::Error::other)?;
    let Bundle { files } = serde_json::from_slice(body)?;
    if let Some(other) = files.keys().find(|name| !FILES.contains(&name.as_str())) {
        return Err(io::Error::other(format!("{other} is unknown to this version of wintag")));
    }
    let file = |name| SnapshotFile::new(PathBuf::from(directory), name);
    let _lock = file(CATALOGUE).lock()?;
    for name in FILES {
        if let Some(text) = files.get(name) {
            file(name).replace(|target| io::Write::write_all(target, text.as_bytes()))?;
        }
    }
    Ok(files.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_moved_whole_or_not_at_all() {
        let place = tempfile::TempDir::new().unwrap();
        let at = |name: &str| place.path().join(name);
        let (from, to, bundle) = (at("from"), at("to"), at("bundle"));
        std::fs::create_dir(&from).unwrap();
        assert_eq!(export(&from, &bundle).unwrap_err().kind(), io::ErrorKind::NotFound);
        let texts = ["lists \"and\" manifests\n", "facts", "history"];
        for (name, text) in FILES.into_iter().zip(texts) {
            std::fs::write(from.join(name), text).unwrap();
        }
        assert_eq!(export(&from, &bundle).unwrap(), FILES);
        assert_eq!(import(&bundle, &to).unwrap(), FILES);
        for name in FILES {
            assert_eq!(
                std::fs::read(from.join(name)).unwrap(),
                std::fs::read(to.join(name)).unwrap()
            );
        }
        // A directory that a process uses, and a file that is damaged anywhere.
        let lock = SnapshotFile::new(to.clone(), CATALOGUE).lock().unwrap();
        assert_eq!(import(&bundle, &to).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        let whole = std::fs::read(&bundle).unwrap();
        let other = at("other");
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            std::fs::write(&bundle, &damaged).unwrap();
            assert!(import(&bundle, &other).is_err(), "{position}");
            std::fs::write(&bundle, &whole[..position]).unwrap();
            assert!(import(&bundle, &other).is_err(), "{position}");
        }
        assert!(!other.exists());
    }
}

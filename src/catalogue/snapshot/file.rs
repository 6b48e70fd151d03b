//! The file of the snapshot: it has a fixed name, is never reached through a link, and is replaced
//! atomically.
//!
//! A directory belongs to one process, which locks it: two would replace each other's file.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The file of lists and manifests. No part of a name comes from outside.
pub const CATALOGUE: &str = "catalogue.snapshot";
/// The file of what was seen of tags.
pub const HISTORY: &str = "history.snapshot";
/// The file of what was learnt about Windows.
pub const FACTS: &str = "facts.snapshot";
/// What the name of a file ends with while it is being written.
const UNFINISHED: &str = ".unfinished";
/// What the name of the last file ends with that could not be used, kept for inspection.
const REJECTED: &str = ".rejected";
/// The file that is locked. It is empty, and stays.
const LOCK: &str = "catalogue.lock";
/// The largest file that is read or written. The full cache needs about a third of it.
const MAX_BYTES: u64 = 64 << 20;

/// The file of the snapshot in its directory.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    directory: PathBuf,
    name: &'static str,
    max_bytes: u64,
}

/// The content of the file.
#[derive(Debug)]
pub enum FileContent {
    /// No file.
    Absent,
    /// A file that cannot be a snapshot: not a regular file, or too large.
    Unusable(String),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl SnapshotFile {
    /// The file of this name in this directory, which need not exist yet.
    pub fn new(directory: PathBuf, name: &'static str) -> Self {
        Self { directory, name, max_bytes: MAX_BYTES }
    }

    /// The path of the file, for messages.
    pub fn path(&self) -> PathBuf {
        self.directory.join(self.name)
    }

    /// Locks the directory for this process, until the file that this returns is closed, however
    /// the process ends.
    ///
    /// # Errors
    /// I/O errors; of the kind `WouldBlock` if another process has locked it.
    pub fn lock(&self) -> io::Result<File> {
        make_directory(&self.directory)?;
        let file = system::open_lock(&self.directory.join(LOCK))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "another process uses the directory, and alone writes its snapshot",
            )),
            // A file system without locks is used as it is.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// Reads the file. A link is not followed, and a pipe or device does not block.
    ///
    /// # Errors
    /// I/O errors.
    pub fn read(&self) -> io::Result<FileContent> {
        let path = self.path();
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(FileContent::Absent);
            }
            Err(error) => return Err(error),
        };
        if !kind.is_file() {
            return Ok(FileContent::Unusable("it is not a regular file".to_owned()));
        }
        // The file may have been replaced since, so the open one is checked too.
        let file = system::open_itself(&path)?;
        if !file.metadata()?.is_file() {
            return Ok(FileContent::Unusable("it is not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(self.max_bytes + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > self.max_bytes) {
            return Ok(FileContent::Unusable(format!(
                "it is larger than {} bytes",
                self.max_bytes
            )));
        }
        Ok(FileContent::Bytes(bytes))
    }

    /// Renames the file, replacing the one that was renamed before.
    ///
    /// # Errors
    /// I/O errors.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.directory.join(format!("{}{REJECTED}", self.name));
        fs::rename(self.path(), &aside)?;
        Ok(aside)
    }

    /// Replaces the file with what `write` writes. After a failure, or if the process ends at any
    /// point, the old one is still there.
    ///
    /// # Errors
    /// I/O errors, or that the snapshot is too large.
    pub fn replace(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        make_directory(&self.directory)?;
        // Left by a process that was killed. The name is fixed so that such files do not pile up. A
        // link of this name is removed, not followed.
        let unfinished = format!("{}{UNFINISHED}", self.name);
        match fs::remove_file(self.directory.join(&unfinished)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Created anew and for the owner alone; deleted again on failure, so that what did not fit
        // does not keep a full disk full.
        let mut file = tempfile::Builder::new()
            .prefix(&unfinished)
            .rand_bytes(0)
            .tempfile_in(&self.directory)?;
        write(file.as_file_mut())?;
        if file.as_file().metadata()?.len() > self.max_bytes {
            return Err(io::Error::other(format!(
                "the snapshot would be larger than {} bytes",
                self.max_bytes
            )));
        }
        file.as_file().sync_all()?;
        file.persist(self.path())?;
        system::sync_directory(&self.directory)
    }
}

/// Creates the directory, but none above it: a wrong path should not grow a tree.
fn make_directory(directory: &Path) -> io::Result<()> {
    match system::create_directory(directory) {
        Err(_) if directory.is_dir() => Ok(()),
        created => created,
    }
}

#[cfg(unix)]
mod system {
    //! The file operations that differ between systems, on Unix.

    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    use std::path::Path;

    /// Opens the file of this name, not the target of a link, and does not wait for a pipe.
    pub fn open_itself(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
    }

    /// Opens the file of this name for the owner alone, as [`open_itself`]; creates it if needed.
    pub fn open_lock(path: &Path) -> io::Result<File> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
    }

    /// Creates a directory for the owner alone.
    pub fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    /// A new name is durable only when its directory is on disk too.
    pub fn sync_directory(directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    //! The file operations that differ between systems, on Windows. Not tested.

    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::os::windows::fs::OpenOptionsExt as _;
    use std::path::Path;

    /// `FILE_FLAG_OPEN_REPARSE_POINT` of the Windows API: a link is opened itself.
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

    /// Opens the file of this name, not the target of a link.
    pub fn open_itself(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(OPEN_REPARSE_POINT).open(path)
    }

    /// Opens the file of this name, as [`open_itself`]; creates it if needed.
    pub fn open_lock(path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).custom_flags(OPEN_REPARSE_POINT).open(path)
    }

    /// Creates a directory, which inherits the access rights of the one above.
    pub fn create_directory(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    /// NTFS writes names in order by itself, and a directory cannot be opened as a file.
    pub fn sync_directory(_directory: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn in_new_directory() -> (tempfile::TempDir, SnapshotFile) {
        let directory = tempfile::TempDir::new().unwrap();
        let file = SnapshotFile::new(directory.path().join("state"), CATALOGUE);
        (directory, file)
    }

    fn put(file: &SnapshotFile, bytes: &[u8]) -> io::Result<()> {
        file.replace(|file| file.write_all(bytes))
    }

    fn names(file: &SnapshotFile) -> Vec<String> {
        let entries = fs::read_dir(&file.directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_written_is_read() {
        let (_directory, file) = in_new_directory();
        assert!(matches!(file.read(), Ok(FileContent::Absent)));
        put(&file, b"one").unwrap();
        put(&file, b"two").unwrap();
        assert!(matches!(file.read(), Ok(FileContent::Bytes(bytes)) if bytes == b"two"));
        assert_eq!(names(&file), [CATALOGUE]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, file) = in_new_directory();
        put(&file, b"x").unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&file.directory).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn there_is_a_bound_on_its_size() {
        let (_directory, file) = in_new_directory();
        let small = SnapshotFile { max_bytes: 3, ..file.clone() };
        put(&small, b"abc").unwrap();
        assert!(matches!(small.read(), Ok(FileContent::Bytes(_))));
        assert!(put(&small, b"abcd").is_err());
        put(&file, b"abcd").unwrap();
        assert!(matches!(small.read(), Ok(FileContent::Unusable(_))));
    }

    #[cfg(unix)]
    #[test]
    fn f16_no_link_is_followed() {
        let (directory, file) = in_new_directory();
        fs::create_dir(&file.directory).unwrap();
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        std::os::unix::fs::symlink(
            &elsewhere,
            file.directory.join(format!("{CATALOGUE}{UNFINISHED}")),
        )
        .unwrap();
        assert!(matches!(file.read(), Ok(FileContent::Unusable(_))));
        assert!(system::open_itself(&file.path()).is_err());
        put(&file, b"snapshot").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"mine");
        assert!(fs::symlink_metadata(file.path()).unwrap().is_file());
        assert_eq!(names(&file), [CATALOGUE]);
    }

    #[test]
    fn a_directory_of_that_name_is_refused_and_set_aside() {
        let (_directory, file) = in_new_directory();
        fs::create_dir_all(file.path()).unwrap();
        assert!(matches!(file.read(), Ok(FileContent::Unusable(_))));
        file.set_aside().unwrap();
        assert_eq!(names(&file), [format!("{CATALOGUE}{REJECTED}")]);
    }

    #[test]
    fn f15_a_directory_that_cannot_be_made_is_an_error() {
        let (directory, _) = in_new_directory();
        assert!(put(&SnapshotFile::new(directory.path().join("a/b"), CATALOGUE), b"x").is_err());
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(put(&SnapshotFile::new(directory.path().join("file"), CATALOGUE), b"x").is_err());
    }
}

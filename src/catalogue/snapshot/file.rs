//! The snapshot's file: found by one fixed name, never through a link, and replaced in one step.
//!
//! A directory belongs to one service. Two that share one would replace each other's file; whatever
//! comes of that, the checksum tells.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file. No part of the name comes from outside.
const NAME: &str = "catalogue.snapshot";
/// What is being written.
const UNFINISHED: &str = "catalogue.snapshot.unfinished";
/// The last file that could not be used, for people to look at.
const REJECTED: &str = "catalogue.snapshot.rejected";
/// The largest file that is read or written, in bytes. All that the catalogue may hold in memory
/// makes about a third of it.
const MAX_BYTES: u64 = 64 << 20;

/// The place of the snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    directory: PathBuf,
    max_bytes: u64,
}

/// What there is.
#[derive(Debug)]
pub enum Content {
    /// No file.
    Absent,
    /// A file that cannot be a snapshot: not a regular file, or too large.
    Unusable(String),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl SnapshotFile {
    /// The snapshot in this directory, which need not exist yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, max_bytes: MAX_BYTES }
    }

    /// The path of the file, for messages.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Reads the file. A link is not followed, and a pipe or device not waited for.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Content> {
        let path = self.path();
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
            Err(error) => return Err(error),
        };
        if !kind.is_file() {
            return Ok(Content::Unusable("it is not a regular file".to_owned()));
        }
        // What was just looked at may have been changed, so the file itself is asked again.
        let file = open_itself(&path)?;
        if !file.metadata()?.is_file() {
            return Ok(Content::Unusable("it is not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(self.max_bytes + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > self.max_bytes) {
            return Ok(Content::Unusable(format!("it is larger than {} bytes", self.max_bytes)));
        }
        Ok(Content::Bytes(bytes))
    }

    /// Gives the file another name, in place of the one that had it before.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.directory.join(REJECTED);
        fs::rename(self.path(), &aside)?;
        Ok(aside)
    }

    /// Replaces the file. After a failure, or the end of the process at any point, the old one is
    /// still there.
    ///
    /// # Errors
    /// What the system says, or that the snapshot is too large.
    pub fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        if u64::try_from(bytes.len()).is_ok_and(|length| length > self.max_bytes) {
            return Err(io::Error::other(format!(
                "the snapshot would be larger than {} bytes",
                self.max_bytes
            )));
        }
        make_directory(&self.directory)?;
        let unfinished = self.directory.join(UNFINISHED);
        let written = self.write_and_rename(&unfinished, bytes);
        if written.is_err() {
            // A full disk is not to be kept full by what did not fit.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn write_and_rename(&self, unfinished: &Path, bytes: &[u8]) -> io::Result<()> {
        // Left by a process that was killed; a link of this name is removed, not followed.
        match fs::remove_file(unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(unfinished, self.path())?;
        sync_directory(&self.directory)
    }
}

/// Opens the file of this name and not what it links to.
fn open_itself(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Makes a file that was not there, which only the owner may read.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the directory, but none above it: a path that is wrong should not grow a tree.
fn make_directory(directory: &Path) -> io::Result<()> {
    let builder = &mut fs::DirBuilder::new();
    builder.mode(0o700);
    match builder.create(directory) {
        Err(_) if directory.is_dir() => Ok(()),
        made => made,
    }
}

/// A new name is safe only when its directory is on disk too.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_new_directory() -> (tempfile::TempDir, SnapshotFile) {
        let directory = tempfile::TempDir::new().unwrap();
        let file = SnapshotFile::new(directory.path().join("state"));
        (directory, file)
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
        assert!(matches!(file.read(), Ok(Content::Absent)));
        file.replace(b"one").unwrap();
        file.replace(b"two").unwrap();
        assert!(matches!(file.read(), Ok(Content::Bytes(bytes)) if bytes == b"two"));
        assert_eq!(names(&file), [NAME]);
    }

    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, file) = in_new_directory();
        file.replace(b"x").unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&file.directory).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn there_is_a_bound_on_its_size() {
        let (_directory, file) = in_new_directory();
        let small = SnapshotFile { max_bytes: 3, ..file.clone() };
        small.replace(b"abc").unwrap();
        assert!(matches!(small.read(), Ok(Content::Bytes(_))));
        assert!(small.replace(b"abcd").is_err());
        file.replace(b"abcd").unwrap();
        assert!(matches!(small.read(), Ok(Content::Unusable(_))));
    }

    #[test]
    fn f16_no_link_is_followed() {
        let (directory, file) = in_new_directory();
        fs::create_dir(&file.directory).unwrap();
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.directory.join(UNFINISHED)).unwrap();
        assert!(matches!(file.read(), Ok(Content::Unusable(_))));
        assert!(open_itself(&file.path()).is_err());
        file.replace(b"snapshot").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"mine");
        assert!(fs::symlink_metadata(file.path()).unwrap().is_file());
        assert_eq!(names(&file), [NAME]);
    }

    #[test]
    fn a_directory_of_that_name_is_refused_and_set_aside() {
        let (_directory, file) = in_new_directory();
        fs::create_dir_all(file.path()).unwrap();
        assert!(matches!(file.read(), Ok(Content::Unusable(_))));
        file.set_aside().unwrap();
        assert_eq!(names(&file), [REJECTED]);
    }

    #[test]
    fn f15_a_directory_that_cannot_be_made_is_an_error() {
        let (directory, _) = in_new_directory();
        assert!(SnapshotFile::new(directory.path().join("a/b")).replace(b"x").is_err());
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(SnapshotFile::new(directory.path().join("file")).replace(b"x").is_err());
    }
}

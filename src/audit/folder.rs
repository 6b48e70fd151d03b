//! The files of a folder that may name images.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::kind::{MAX_FILE_BYTES, is_of_interest};

/// How deep folders are read. Ours: more than paths of build systems have.
const MAX_DEPTH: usize = 64;
/// The most files of one audit. Ours: ten times a large repository.
const MAX_FILES: usize = 20_000;
/// The largest file that another one names. Ours: a Dockerfile has some kilobytes, and it may be
/// read for each of many services.
const MAX_BESIDE_BYTES: u64 = 256 << 10;
/// Folders with files of others.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// A file and what it holds, or why it could not be read.
pub type FileBytes = (PathBuf, Result<Vec<u8>, String>);

/// The files at a path: itself, if it is a file, else all below it that may name images, in order.
/// `read` is called for each, with the folder out of which nothing is read, so that one file at a
/// time is in memory.
///
/// # Errors
/// When the path itself cannot be read.
pub fn find_files(path: &Path, read: &mut dyn FnMut(&Path, FileBytes)) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        let bytes = read_file(path)?;
        let place = path.canonicalize()?;
        read(place.parent().unwrap_or(&place), (path.to_owned(), Ok(bytes)));
        return Ok(());
    }
    let root = path.canonicalize()?;
    let mut walk = Walk { root: &root, read: &mut |file| read(&root, file), count: 0 };
    walk.folder(path, 0)
}

/// A file that another one names, by its path from the folder of that one; `None` if it is no small
/// text, or not below `root`.
pub fn read_beside(root: &Path, file: &Path, path: &str) -> Option<String> {
    let path = file.parent()?.join(path).canonicalize().ok()?;
    let metadata = fs::metadata(&path).ok()?;
    let is_small = metadata.is_file() && metadata.len() <= MAX_BESIDE_BYTES;
    if !is_small || !path.starts_with(root) {
        return None;
    }
    String::from_utf8(read_file(&path).ok()?).ok()
}

struct Walk<'r> {
    root: &'r Path,
    read: &'r mut dyn FnMut(FileBytes),
    count: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let path = folder.join(&name);
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
                let inner = if depth < MAX_DEPTH {
                    self.folder(&path, depth + 1).map_err(|error| error.to_string())
                } else {
                    Err(format!("deeper than {MAX_DEPTH} folders"))
                };
                if let Err(why) = inner {
                    (self.read)((path, Err(why)));
                }
            } else if !kind.is_dir() && is_of_interest(&name.to_string_lossy()) {
                self.file(path, kind);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, kind: fs::FileType) {
        if kind.is_symlink() {
            // What it leads to inside the folder is read where it lies.
            let is_inside = path.canonicalize().is_ok_and(|target| target.starts_with(self.root));
            if !is_inside {
                let why = "a symbolic link that leads out of the folder, or to nothing";
                (self.read)((path, Err(why.to_owned())));
            }
            return;
        }
        self.count += 1;
        let bytes = match self.count {
            _ if !kind.is_file() => Err("not a regular file".to_owned()),
            count if count <= MAX_FILES => read_file(&path).map_err(|error| error.to_string()),
            count if count == MAX_FILES + 1 => {
                Err(format!("more than {MAX_FILES} files; the rest was not read"))
            }
            _ => return,
        };
        (self.read)((path, bytes));
    }
}

/// Reads at most one byte more than a file may have.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

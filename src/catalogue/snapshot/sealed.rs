//! The header of the files of the state: a word, a version, and a checksum over the rest.

use std::io::{self, BufWriter, Seek, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::images::Digest;

/// The header has a word, a number and a digest; a longer first line is not a header.
const MAX_HEADER_BYTES: usize = 128;

/// What a file is, by its header.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The first word of the file.
    pub magic: &'static str,
    /// The version of everything after the first word. It grows with any change that an older
    /// program would misread.
    pub version: u32,
}

/// Why bytes are not a usable file of the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The first line is not the header of such a file.
    #[error("it is not a wintag snapshot")]
    NotASnapshot,
    /// Another version of wintag wrote it.
    #[error("it has format {found}, but this version of wintag reads format {known}")]
    OtherFormat {
        /// Its version.
        found: u32,
        /// The one that is read.
        known: u32,
    },
    /// The checksum does not match: the file is damaged or truncated.
    #[error("its checksum does not match: it is damaged or truncated")]
    Checksum,
    /// The checksum matches, but a value is invalid.
    #[error("its content is invalid: {detail}")]
    Content {
        /// What is wrong.
        detail: String,
    },
}

impl Unreadable {
    /// The error for a value that is invalid.
    pub fn content(what: &str) -> Self {
        Self::Content { detail: format!("{what} is invalid") }
    }
}

/// Writes a value as JSON after its header, to the start of an empty file.
///
/// # Errors
/// I/O errors.
pub fn seal(kind: Kind, value: &impl Serialize, mut file: impl Write + Seek) -> io::Result<()> {
    // The digest is known only at the end, and takes as many bytes as any other.
    write_header(kind, &mut file, &Digest::of(b""))?;
    let mut hashing = Hashing { inner: BufWriter::new(file), hasher: Sha256::new() };
    serde_json::to_writer(&mut hashing, value)?;
    let Hashing { inner, hasher } = hashing;
    let mut file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    write_header(kind, &mut file, &Digest::of_hashed(hasher))
}

fn write_header(kind: Kind, file: &mut impl Write, digest: &Digest) -> io::Result<()> {
    file.write_all(format!("{} {} {digest}\n", kind.magic, kind.version).as_bytes())
}

/// Hashes what is written.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The JSON in the bytes of a file, whose checksum fits.
///
/// # Errors
/// When the file is of another kind or version, or damaged.
pub fn open(kind: Kind, bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let end = bytes
        .iter()
        .take(MAX_HEADER_BYTES)
        .position(|byte| *byte == b'\n')
        .ok_or(Unreadable::NotASnapshot)?;
    let (header, body) = bytes.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let header = std::str::from_utf8(header).map_err(|_| Unreadable::NotASnapshot)?;
    let mut words = header.split(' ');
    if words.next() != Some(kind.magic) {
        return Err(Unreadable::NotASnapshot);
    }
    let version: u32 =
        words.next().and_then(|word| word.parse().ok()).ok_or(Unreadable::NotASnapshot)?;
    if version != kind.version {
        return Err(Unreadable::OtherFormat { found: version, known: kind.version });
    }
    let digest: Digest =
        words.next().and_then(|word| word.parse().ok()).ok_or(Unreadable::NotASnapshot)?;
    if words.next().is_some() {
        return Err(Unreadable::NotASnapshot);
    }
    if Digest::of(body) != digest {
        return Err(Unreadable::Checksum);
    }
    Ok(body)
}

//! The snapshot as bytes: a line with the version and the checksum, then JSON. The types here
//! belong to the file alone, so that a change of the domain cannot change the file unnoticed.
//!
//! A file may be damaged or written by another version, so every value passes the checks of the
//! domain again, and one invalid value rejects the whole file.

use std::borrow::Borrow;
use std::cell::Cell;
use std::io::{self, Seek, Write};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::facts::{DatedFact, SnapshotFacts};
use super::sealed::{Kind, Unreadable, open, seal};
use crate::images::{Digest, Repository};
use crate::registry::{Entry, Manifest, Wanted, is_tag};

/// What the file is.
const KIND: Kind = Kind { magic: "wintag-snapshot", version: 1 };
/// Tag lists and manifests together. The memory of the cache has room for 80,000 manifests at most.
const MAX_ENTRIES: usize = 100_000;
/// The longest text of a platform; the registry room has the same bound.
const MAX_TEXT_BYTES: usize = 128;

#[derive(Serialize, Deserialize)]
struct StoredSnapshot<T, M> {
    tags: T,
    manifests: M,
}

#[derive(Serialize, Deserialize)]
struct StoredTags<T> {
    repository: String,
    learnt: String,
    tags: T,
}

#[derive(Serialize, Deserialize)]
struct StoredManifest {
    repository: String,
    wanted: StoredWanted,
    learnt: String,
    digest: String,
    is_index: bool,
    entries: Vec<StoredEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredWanted {
    Tag(String),
    DigestOfTag(String),
    Digest(String),
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    digest: String,
    operating_system: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    os_version: Option<String>,
    os_features: Vec<String>,
    /// A word of [`crate::registry::EntryRole`].
    role: String,
}

/// Writes the facts to the start of an empty file, one at a time: all of them at once would be a
/// second copy of the cache. If there are too many, the first are kept.
///
/// # Errors
/// I/O errors.
pub fn encode<T: Serialize>(
    tags: impl Iterator<Item = DatedFact<impl Borrow<Repository>, T>>,
    manifests: impl Iterator<Item = DatedFact<impl Borrow<(Repository, Wanted)>, Arc<Manifest>>>,
    file: impl Write + Seek,
) -> io::Result<()> {
    let left = Cell::new(MAX_ENTRIES);
    let has_room = || left.replace(left.get().saturating_sub(1)) > 0;
    let snapshot = StoredSnapshot {
        tags: Streamed::new(tags.take_while(|_| has_room()).map(|dated| StoredTags {
            repository: dated.key.borrow().to_string(),
            learnt: dated.learnt.to_string(),
            tags: dated.value,
        })),
        manifests: Streamed::new(
            manifests.take_while(|_| has_room()).map(|dated| stored_manifest(&dated)),
        ),
    };
    seal(KIND, &snapshot, file)
}

/// A sequence that is made while it is written, once.
struct Streamed<I>(Cell<Option<I>>);

impl<I> Streamed<I> {
    fn new(items: I) -> Self {
        Self(Cell::new(Some(items)))
    }
}

impl<I: Iterator<Item: Serialize>> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

/// The facts in the bytes of a file.
///
/// # Errors
/// When any value is invalid; there is no partial snapshot.
pub fn decode(bytes: &[u8]) -> Result<SnapshotFacts, Unreadable> {
    let snapshot: StoredSnapshot<Vec<StoredTags<Vec<String>>>, Vec<StoredManifest>> =
        serde_json::from_slice(open(KIND, bytes)?)
            .map_err(|error| Unreadable::Content { detail: error.to_string() })?;
    if snapshot.tags.len().saturating_add(snapshot.manifests.len()) > MAX_ENTRIES {
        return Err(Unreadable::Content { detail: format!("more than {MAX_ENTRIES} entries") });
    }
    Ok(SnapshotFacts {
        tags: snapshot.tags.into_iter().map(DatedFact::try_from).collect::<Result<_, _>>()?,
        manifests: snapshot
            .manifests
            .into_iter()
            .map(DatedFact::try_from)
            .collect::<Result<_, _>>()?,
    })
}

impl TryFrom<StoredTags<Vec<String>>> for DatedFact<Repository, Vec<String>> {
    type Error = Unreadable;

    fn try_from(stored: StoredTags<Vec<String>>) -> Result<Self, Unreadable> {
        if !stored.tags.iter().all(|tag| is_tag(tag)) {
            return Err(bad("a tag"));
        }
        Ok(Self {
            key: repository(&stored.repository)?,
            value: stored.tags,
            learnt: moment(&stored.learnt)?,
        })
    }
}

fn stored_manifest(
    dated: &DatedFact<impl Borrow<(Repository, Wanted)>, Arc<Manifest>>,
) -> StoredManifest {
    let (repository, wanted) = dated.key.borrow();
    StoredManifest {
        repository: repository.to_string(),
        wanted: match wanted {
            Wanted::Tag(tag) => StoredWanted::Tag(tag.clone()),
            Wanted::DigestOfTag(tag) => StoredWanted::DigestOfTag(tag.clone()),
            Wanted::Digest(digest) => StoredWanted::Digest(digest.to_string()),
        },
        learnt: dated.learnt.to_string(),
        digest: dated.value.digest.to_string(),
        is_index: dated.value.is_index,
        entries: dated.value.entries.iter().map(StoredEntry::from).collect(),
    }
}

impl TryFrom<StoredManifest> for DatedFact<(Repository, Wanted), Arc<Manifest>> {
    type Error = Unreadable;

    fn try_from(stored: StoredManifest) -> Result<Self, Unreadable> {
        let digest_of_manifest = digest(&stored.digest)?;
        let wanted = match stored.wanted {
            StoredWanted::Tag(tag) if is_tag(&tag) => Wanted::Tag(tag),
            StoredWanted::DigestOfTag(tag) if is_tag(&tag) => Wanted::DigestOfTag(tag),
            StoredWanted::Tag(_) | StoredWanted::DigestOfTag(_) => return Err(bad("a tag")),
            StoredWanted::Digest(text) => match digest(&text)? {
                wanted if wanted == digest_of_manifest => Wanted::Digest(wanted),
                _ => return Err(bad("the digest of a manifest")),
            },
        };
        let manifest = Manifest {
            digest: digest_of_manifest,
            is_index: stored.is_index,
            entries: stored.entries.into_iter().map(Entry::try_from).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            key: (repository(&stored.repository)?, wanted),
            value: Arc::new(manifest),
            learnt: moment(&stored.learnt)?,
        })
    }
}

impl From<&Entry> for StoredEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            digest: entry.digest.to_string(),
            operating_system: entry.operating_system.clone(),
            architecture: entry.architecture.clone(),
            variant: entry.variant.clone(),
            os_version: entry.os_version.clone(),
            os_features: entry.os_features.clone(),
            role: entry.role.to_string(),
        }
    }
}

impl TryFrom<StoredEntry> for Entry {
    type Error = Unreadable;

    fn try_from(stored: StoredEntry) -> Result<Self, Unreadable> {
        let digest = digest(&stored.digest)?;
        let texts =
            [&stored.operating_system, &stored.architecture, &stored.variant, &stored.os_version];
        if !texts.into_iter().flatten().chain(&stored.os_features).all(|text| is_plain(text)) {
            return Err(bad("a text of a platform"));
        }
        Ok(Self {
            digest,
            operating_system: stored.operating_system,
            architecture: stored.architecture,
            variant: stored.variant,
            os_version: stored.os_version,
            os_features: stored.os_features,
            role: stored.role.parse().map_err(|_| bad("the role of an entry"))?,
        })
    }
}

fn bad(what: &str) -> Unreadable {
    Unreadable::content(what)
}

pub(super) fn repository(text: &str) -> Result<Repository, Unreadable> {
    Repository::parse(text).map_err(|_| bad("a repository"))
}

pub(super) fn digest(text: &str) -> Result<Digest, Unreadable> {
    text.parse().map_err(|_| bad("a digest"))
}

pub(super) fn moment(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse().map_err(|_| bad("a time"))
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_TEXT_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The bytes of a file with these facts.
#[cfg(any(test, fuzzing))]
fn encode_all(facts: SnapshotFacts) -> Vec<u8> {
    let mut file = io::Cursor::new(Vec::new());
    encode(facts.tags.into_iter(), facts.manifests.into_iter(), &mut file)
        .expect("plain values can be written");
    file.into_inner()
}

/// Checks that any bytes, with and without a matching checksum, are rejected or survive a round
/// trip. The tests and the fuzz target of the snapshot call this.
#[cfg(any(test, fuzzing))]
pub fn check_any(bytes: &[u8]) {
    let mut sealed =
        format!("{} {} {}\n", KIND.magic, KIND.version, Digest::of(bytes)).into_bytes();
    sealed.extend_from_slice(bytes);
    for file in [bytes, &sealed] {
        if let Ok(facts) = decode(file) {
            let written = encode_all(facts);
            let again = decode(&written).expect("what was written can be read");
            assert_eq!(encode_all(again), written);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;
    use crate::registry::EntryRole;

    fn facts() -> SnapshotFacts {
        let repository = Repository::parse("mcr.microsoft.com/windows/nanoserver").unwrap();
        let learnt: Timestamp = "2026-08-12T01:02:03.5Z".parse().unwrap();
        let digest = Digest::of(b"manifest");
        let entry = Entry {
            digest: Digest::of(b"entry"),
            operating_system: Some("windows".to_owned()),
            architecture: Some("amd64".to_owned()),
            variant: None,
            os_version: Some("10.0.17763.1039".to_owned()),
            os_features: vec!["win32k".to_owned()],
            role: EntryRole::Image,
        };
        let manifest =
            Arc::new(Manifest { digest: digest.clone(), is_index: true, entries: vec![entry] });
        let of = |wanted| DatedFact {
            key: (repository.clone(), wanted),
            value: manifest.clone(),
            learnt,
        };
        SnapshotFacts {
            tags: vec![DatedFact {
                key: repository.clone(),
                value: vec!["1809".to_owned(), "ltsc2019".to_owned()],
                learnt,
            }],
            manifests: vec![of(Wanted::Tag("1809".to_owned())), of(Wanted::Digest(digest))],
        }
    }

    /// A file whose checksum fits.
    fn sealed(body: &str) -> Vec<u8> {
        format!("{} {} {}\n{body}", KIND.magic, KIND.version, Digest::of(body.as_bytes()))
            .into_bytes()
    }

    /// Earlier releases wrote these words.
    #[test]
    fn roles_are_spelt_as_they_always_were() {
        assert_eq!(EntryRole::WORDS, ["image", "attestation", "other"]);
    }

    #[test]
    fn facts_come_back_as_they_were() {
        assert_eq!(decode(&encode_all(facts())), Ok(facts()));
        assert_eq!(decode(&encode_all(SnapshotFacts::default())), Ok(SnapshotFacts::default()));
    }

    #[test]
    fn h06_facts_are_written_one_at_a_time() {
        // Each fact is asked for only when those before it are in the file, but for a small buffer.
        let file = RefCell::new(io::Cursor::new(Vec::new()));
        let large = vec!["x".repeat(100); 1000];
        let tags = (0..3).map(|number| {
            assert!(file.borrow().get_ref().len() >= number * 90_000);
            let key = Repository::parse(&format!("a.example/{number}")).unwrap();
            let learnt = Timestamp::UNIX_EPOCH;
            DatedFact { key, value: large.clone(), learnt }
        });
        encode(tags, SnapshotFacts::default().manifests.into_iter(), Shared(&file)).unwrap();
        assert_eq!(decode(file.into_inner().get_ref()).map(|facts| facts.tags.len()), Ok(3));
    }

    /// A file that is looked at while it is written.
    struct Shared<'a>(&'a RefCell<io::Cursor<Vec<u8>>>);

    impl Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Shared<'_> {
        fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
            self.0.borrow_mut().seek(position)
        }
    }

    #[test]
    fn f16_a_file_that_was_cut_off_anywhere_is_refused() {
        let whole = encode_all(facts());
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
    }

    #[test]
    fn f16_a_flipped_bit_anywhere_is_noticed() {
        let whole = encode_all(facts());
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn f16_other_formats_are_named() {
        let text = String::from_utf8(encode_all(facts())).unwrap();
        for found in [0, 2, 4_000_000_000] {
            let other = text.replacen(" 1 ", &format!(" {found} "), 1);
            assert_eq!(decode(other.as_bytes()), Err(Unreadable::OtherFormat { found, known: 1 }));
        }
        for garbage in [
            "",
            "\n",
            "wintag-snapshot\n",
            "wintag-snapshot one x\n{}",
            "{\"tags\":[]}",
            &"x".repeat(9000),
        ] {
            assert_eq!(decode(garbage.as_bytes()), Err(Unreadable::NotASnapshot), "{garbage:.40}");
        }
    }

    #[test]
    fn content_is_checked_although_its_checksum_fits() {
        let text = String::from_utf8(encode_all(facts())).unwrap();
        let body = text.split_once('\n').unwrap().1;
        assert_eq!(decode(&sealed(body)), Ok(facts()));
        for (from, to) in [
            ("mcr.microsoft.com/windows/nanoserver", "../../nanoserver"),
            ("\"ltsc2019\"", "\"$(id)\""),
            ("\"1809\"", "\"\""),
            ("sha256:", "sha512:"),
            ("2026-08-12", "2026-13-12"),
            ("\"windows\"", "\"win\\n\""),
            ("\"image\"", "\"icon\""),
            ("{", "["),
        ] {
            let changed = body.replace(from, to);
            assert_ne!(changed, body, "{from}");
            assert!(matches!(decode(&sealed(&changed)), Err(Unreadable::Content { .. })), "{from}");
        }
    }

    #[test]
    fn there_is_a_bound_on_the_entries() {
        let tags =
            "{\"repository\":\"a.example/x\",\"learnt\":\"2026-08-12T00:00:00Z\",\"tags\":[]}";
        let of = |count| {
            sealed(&format!("{{\"tags\":[{}],\"manifests\":[]}}", vec![tags; count].join(",")))
        };
        assert!(decode(&of(10)).is_ok());
        assert!(matches!(decode(&of(MAX_ENTRIES + 1)), Err(Unreadable::Content { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(decode(&bytes).is_err());
            check_any(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(
            at in any::<prop::sample::Index>(),
            with in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let text = String::from_utf8(encode_all(facts())).unwrap();
            let mut body = text.split_once('\n').unwrap().1.as_bytes().to_vec();
            let at = at.index(body.len());
            body.splice(at..at, with);
            check_any(&body);
        }
    }
}

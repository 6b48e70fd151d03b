//! What was seen of tags, as bytes. The types here belong to the file alone.

use std::collections::BTreeMap;
use std::io::{self, Seek, Write};

use serde::{Deserialize, Serialize};

use super::sealed::{Kind, Unreadable, open, seal};
use super::stored::{digest, moment, repository};
use crate::catalogue::history::{RepositoryRecord, SeenImage, TagRecord};
use crate::images::Repository;
use crate::registry::is_tag;

/// What the file is.
const KIND: Kind = Kind { magic: "wintag-history", version: 1 };

#[derive(Serialize, Deserialize)]
struct StoredHistory {
    repositories: Vec<StoredRepository>,
}

#[derive(Serialize, Deserialize)]
struct StoredRepository {
    repository: String,
    listed_since: Option<String>,
    tags: Vec<StoredTag>,
}

#[derive(Serialize, Deserialize)]
struct StoredTag {
    tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appeared: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<String>,
    seen: Vec<StoredImage>,
}

#[derive(Serialize, Deserialize)]
struct StoredImage {
    digest: String,
    os_version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    builds: Vec<u32>,
    first: String,
    last: String,
}

/// Writes the records to the start of an empty file.
///
/// # Errors
/// I/O errors.
pub fn encode(
    records: &BTreeMap<Repository, RepositoryRecord>,
    file: impl Write + Seek,
) -> io::Result<()> {
    let image = |seen: &SeenImage| StoredImage {
        digest: seen.digest.to_string(),
        os_version: seen.os_version.map(|version| version.to_string()),
        builds: seen.builds.clone(),
        first: seen.first.to_string(),
        last: seen.last.to_string(),
    };
    let tag = |(tag, record): (&String, &TagRecord)| StoredTag {
        tag: tag.clone(),
        appeared: record.appeared.map(|moment| moment.to_string()),
        gone: record.gone.map(|moment| moment.to_string()),
        seen: record.seen.iter().map(image).collect(),
    };
    let repositories = records.iter().map(|(repository, record)| StoredRepository {
        repository: repository.to_string(),
        listed_since: record.listed_since.map(|moment| moment.to_string()),
        tags: record.tags.iter().map(tag).collect(),
    });
    seal(KIND, &StoredHistory { repositories: repositories.collect() }, file)
}

/// The records in the bytes of a file. How many are kept is decided where they go.
///
/// # Errors
/// When any value is invalid; there is no partial history.
pub fn decode(bytes: &[u8]) -> Result<Vec<(Repository, RepositoryRecord)>, Unreadable> {
    let stored: StoredHistory = serde_json::from_slice(open(KIND, bytes)?)
        .map_err(|error| Unreadable::Content { detail: error.to_string() })?;
    stored.repositories.into_iter().map(read_repository).collect()
}

fn read_repository(stored: StoredRepository) -> Result<(Repository, RepositoryRecord), Unreadable> {
    let optional = |text: Option<String>| text.map(|text| moment(&text)).transpose();
    let image = |stored: StoredImage| {
        let version = stored.os_version.map(|text| text.parse());
        Ok(SeenImage {
            digest: digest(&stored.digest)?,
            os_version: version.transpose().map_err(|_| Unreadable::content("a version"))?,
            builds: stored.builds,
            first: moment(&stored.first)?,
            last: moment(&stored.last)?,
        })
    };
    let tag = |stored: StoredTag| {
        if !is_tag(&stored.tag) {
            return Err(Unreadable::content("a tag"));
        }
        let record = TagRecord {
            appeared: optional(stored.appeared)?,
            gone: optional(stored.gone)?,
            seen: stored.seen.into_iter().map(image).collect::<Result<_, _>>()?,
        };
        Ok((stored.tag, record))
    };
    let record = RepositoryRecord {
        is_reserved: false,
        listed_since: optional(stored.listed_since)?,
        tags: stored.tags.into_iter().map(tag).collect::<Result<_, _>>()?,
    };
    Ok((repository(&stored.repository)?, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Digest;

    fn bytes() -> Vec<u8> {
        let at = |text: &str| text.parse().unwrap();
        let seen = SeenImage {
            digest: Digest::of(b"index"),
            os_version: "10.0.20348.5622".parse().ok(),
            builds: Vec::new(),
            first: at("2026-09-09T00:00:00Z"),
            last: at("2026-09-18T00:00:00Z"),
        };
        let shared = SeenImage { os_version: None, builds: vec![17763, 20348], ..seen.clone() };
        let tags = [
            ("ltsc2022", TagRecord { seen: vec![seen], ..TagRecord::default() }),
            (
                "4.8",
                TagRecord {
                    appeared: Some(at("2026-09-08T00:00:00Z")),
                    gone: Some(at("2026-09-28T00:00:00Z")),
                    seen: vec![shared],
                },
            ),
        ];
        let record = RepositoryRecord {
            is_reserved: false,
            listed_since: Some(at("2026-09-01T00:00:00Z")),
            tags: tags.into_iter().map(|(tag, record)| (tag.to_owned(), record)).collect(),
        };
        let repository = Repository::parse("mcr.microsoft.com/windows/servercore").unwrap();
        let mut file = io::Cursor::new(Vec::new());
        encode(&BTreeMap::from([(repository, record)]), &mut file).unwrap();
        file.into_inner()
    }

    #[test]
    fn records_come_back_as_they_were() {
        let read = decode(&bytes()).unwrap();
        assert_eq!(read[0].1.tags["4.8"].seen[0].builds, [17763, 20348]);
        let mut file = io::Cursor::new(Vec::new());
        encode(&read.into_iter().collect(), &mut file).unwrap();
        assert_eq!(file.into_inner(), bytes());
    }

    #[test]
    fn damage_is_noticed_and_content_is_checked() {
        let whole = bytes();
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length}");
        }
        let text = String::from_utf8(whole).unwrap();
        let body = text.split_once('\n').unwrap().1;
        for (from, to) in [
            ("\"4.8\"", "\"$(id)\""),
            ("sha256:", "sha512:"),
            ("10.0.20348.5622", "11"),
            ("2026-09-18T", "2026-13-18T"),
            ("mcr.microsoft.com/windows", "../.."),
        ] {
            let body = body.replace(from, to);
            let sealed = format!("wintag-history 1 {}\n{body}", Digest::of(body.as_bytes()));
            let read = decode(sealed.as_bytes());
            assert!(matches!(read, Err(Unreadable::Content { .. })), "{from}");
        }
        let newer = text.replacen(" 1 ", " 2 ", 1);
        let read = decode(newer.as_bytes());
        assert_eq!(read, Err(Unreadable::OtherFormat { found: 2, known: 1 }));
    }
}

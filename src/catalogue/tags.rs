//! The tags of a repository, parsed once when the list arrives.

use std::cmp::Reverse;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::images::{Digest, Tag, TagKind};
use crate::windows::{Tables, WindowsVersion};

/// A tag and the meaning of its name.
#[derive(Clone, Debug)]
pub struct KnownTag {
    /// The tag as the registry has it.
    pub text: String,
    /// Its parts, when it is in the grammar.
    pub parsed: Option<Tag>,
    /// The Windows version that the name stands for: with its revision for a build tag and for a
    /// KB tag whose revision is known, without for a release tag.
    pub version: Option<WindowsVersion>,
    /// The observation in the embedded catalogue; `None` for a list from a registry.
    pub observation: Option<Box<Observation>>,
}

/// An observation of a tag from the time when the embedded catalogue was gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The os.version of its image.
    pub os_version: Option<WindowsVersion>,
    /// The digest that the tag pointed to.
    pub digest: Option<Digest>,
    /// The date, as `2026-08-12` or `2018-03`; empty when it is not known.
    pub observed: String,
    /// The kind of evidence; the words are explained beside the data.
    pub evidence: String,
}

impl Observation {
    /// Whether the only evidence is a mention of the tag in public code.
    pub fn is_a_mention(&self) -> bool {
        self.evidence.starts_with("mention")
    }
}

/// The tags of one repository.
#[derive(Clone, Debug)]
pub struct RepositoryTags {
    tags: Vec<KnownTag>,
    /// The index of each tag, found by its text; the text itself is only in the tag.
    by_text: HashTable<usize>,
    state: RandomState,
}

impl KnownTag {
    /// Parses a tag with the help of the Windows tables.
    pub fn new(text: String, observation: Option<Box<Observation>>, tables: &Tables) -> Self {
        let parsed = Tag::parse(&text);
        let version = parsed.as_ref().and_then(|tag| tag.version(tables));
        Self { text, parsed, version, observation }
    }

    /// Whether the tag was seen to point to this digest. A digest always names the same image, and a
    /// mere mention proves nothing.
    pub fn was_seen_at(&self, digest: &Digest) -> bool {
        self.observation
            .as_deref()
            .is_some_and(|seen| seen.digest.as_ref() == Some(digest) && !seen.is_a_mention())
    }

    /// The form of the tag. One that names a release outside the tables is `Other` too.
    pub fn kind(&self) -> TagKind {
        match (&self.parsed, self.version) {
            (Some(tag), Some(_)) => tag.kind(),
            _ => TagKind::Other,
        }
    }
}

/// The position of a tag in the list, before its text decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    build: Option<u32>,
    is_release: bool,
    version: Option<WindowsVersion>,
}

impl SortKey {
    fn of(tag: &KnownTag) -> Self {
        let build = tag.version.map(|version| version.build);
        Self { build, is_release: tag.kind() == TagKind::Release, version: tag.version }
    }
}

impl RepositoryTags {
    /// The memory of one tag, in bytes, for the bound on the whole cache: the text, its parts,
    /// which repeat it, and its slot in the index. A generous estimate.
    const BYTES_PER_TAG: usize = 400;

    /// Sorts and indexes a list.
    pub fn new(mut tags: Vec<KnownTag>) -> Self {
        // A tag is large, so the list is first sorted by its small keys, which moves each tag once;
        // tags with the same key are few, except those outside the grammar.
        tags.sort_by_cached_key(|tag| Reverse(SortKey::of(tag)));
        for equal in tags.chunk_by_mut(|a, b| SortKey::of(a) == SortKey::of(b)) {
            equal.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        }
        let state = RandomState::new();
        let mut by_text = HashTable::with_capacity(tags.len());
        for (at, tag) in tags.iter().enumerate() {
            // The capacity suffices, so that nothing is ever hashed again.
            by_text.insert_unique(state.hash_one(tag.text.as_str()), at, |_| 0);
        }
        Self { tags, by_text, state }
    }

    /// All tags: the newest build first, and of each the release tags, then the newest revision
    /// first; those of no version last.
    pub fn iter(&self) -> impl Iterator<Item = &KnownTag> {
        self.tags.iter()
    }

    /// How many tags there are.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// The tag with this text.
    pub fn find(&self, text: &str) -> Option<&KnownTag> {
        let is_it = |at: &usize| self.tags.get(*at).is_some_and(|tag| tag.text == text);
        self.by_text.find(self.state.hash_one(text), is_it).and_then(|at| self.tags.get(*at))
    }

    /// The approximate memory of this list, in bytes.
    pub fn weight(&self) -> usize {
        self.tags.len().saturating_mul(Self::BYTES_PER_TAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_and_in_order() {
        const SORTED: [&str; 9] = [
            "ltsc2022",
            "ltsc2022-amd64",
            "10.0.20348.10",
            "10.0.20348.9",
            "10.0.20348.9-amd64",
            "ltsc2019",
            "10.0.17763.1",
            "latest",
            "not of the grammar",
        ];
        let read = |text: &&str| KnownTag::new((*text).to_owned(), None, Tables::embedded());
        for turn in 0..SORTED.len() {
            let mut given = SORTED;
            given.rotate_left(turn);
            let tags = RepositoryTags::new(given.iter().map(read).collect());
            assert_eq!(tags.iter().map(|tag| tag.text.as_str()).collect::<Vec<_>>(), SORTED);
            for text in SORTED {
                assert_eq!(tags.find(text).map(|tag| tag.text.as_str()), Some(text));
            }
            assert!(tags.find("ltsc2025").is_none());
        }
    }
}

//! The tags of a repository, parsed once when the list arrives.

use std::cmp::Reverse;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, OnceLock};

use hashbrown::HashTable;

use super::candidates::{Candidates, SoftwareIndex};
use super::known_tag::KnownTag;
use super::list_memory::ListMemory;
use crate::images::{Architecture, Software, TagKind};
use crate::windows::{Tables, WindowsVersion};

/// The tags of one repository.
#[derive(Debug)]
pub struct RepositoryTags {
    tags: Vec<KnownTag>,
    /// The index of each tag, found by its text; the text itself is only in the tag.
    by_text: HashTable<usize>,
    state: RandomState,
    /// Once a question needs it.
    by_software: OnceLock<SoftwareIndex>,
    /// The memory of this list; none for the embedded catalogue.
    pub memory: Option<Arc<ListMemory>>,
    /// The tables that the names were read with; none for the embedded catalogue, which is read
    /// with those of its context.
    pub tables: Option<Arc<Tables>>,
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
    pub const BYTES_PER_TAG: usize = 400;
    /// The same for a tag of its own software, which has two groups in the index by software.
    pub const BYTES_PER_SOFTWARE: usize = 600;

    /// The same for the list itself, its key and the cache's own bookkeeping: also empty lists must
    /// be bounded in number.
    const BYTES_PER_LIST: usize = 1000;

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
        Self { tags, by_text, state, by_software: OnceLock::new(), memory: None, tables: None }
    }

    /// The same tags, their names read with these tables. Both lists share their memory: the older
    /// one is soon dropped.
    pub fn read_with(&self, tables: &Arc<Tables>) -> Self {
        let read = |tag: &KnownTag| KnownTag::new(tag.text.clone(), None, tables);
        let tags = self.tags.iter().map(read).collect();
        Self { memory: self.memory.clone(), tables: Some(tables.clone()), ..Self::new(tags) }
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

    /// The tags of this software to choose from for this architecture.
    pub fn candidates(
        &self,
        software: &Software,
        architecture: Architecture,
        tables: &Tables,
    ) -> Candidates<'_> {
        let index = self.by_software.get_or_init(|| SoftwareIndex::new(&self.tags));
        index.candidates(&self.tags, software, architecture, tables)
    }

    /// The stems that have a tag of a build that `runs`, the newest version first.
    pub fn stems(
        &self,
        architecture: Architecture,
        tables: &Tables,
        runs: impl Fn(u32) -> bool,
    ) -> Vec<String> {
        let index = self.by_software.get_or_init(|| SoftwareIndex::new(&self.tags));
        index.stems(&self.tags, architecture, tables, runs)
    }

    /// The tag with this text.
    pub fn find(&self, text: &str) -> Option<&KnownTag> {
        self.position(text).and_then(|at| self.tags.get(at))
    }

    /// Where the tag with this text is in the list.
    pub fn position(&self, text: &str) -> Option<usize> {
        let is_it = |at: &usize| self.tags.get(*at).is_some_and(|tag| tag.text == text);
        self.by_text.find(self.state.hash_one(text), is_it).copied()
    }

    /// The approximate memory of this list, in bytes.
    pub fn weight(&self) -> usize {
        let has_stem =
            |tag: &&KnownTag| tag.parsed.as_ref().is_some_and(|tag| !tag.stem.is_empty());
        let of_software = self.tags.iter().filter(has_stem).count();
        let of_tags = self.tags.len().saturating_mul(Self::BYTES_PER_TAG);
        let of_software = of_software.saturating_mul(Self::BYTES_PER_SOFTWARE);
        Self::BYTES_PER_LIST.saturating_add(of_tags).saturating_add(of_software)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h06_the_number_of_empty_lists_is_bounded() {
        assert!(RepositoryTags::new(Vec::new()).weight() > size_of::<RepositoryTags>());
    }

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

//! The tags of a repository, read into their parts once when the list arrives.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::images::{Digest, Tag, TagKind};
use crate::windows::{Tables, WindowsVersion};

/// A tag and what its name says.
#[derive(Clone, Debug)]
pub struct KnownTag {
    /// The tag as the registry has it.
    pub text: String,
    /// Its parts, when it is in the grammar.
    pub parsed: Option<Tag>,
    /// The Windows version that the name stands for: with its revision for a build tag and for a
    /// KB tag whose revision is known, without for a release tag.
    pub version: Option<WindowsVersion>,
    /// What the embedded catalogue knows of it; absent for a list that a registry gave.
    pub observation: Option<Box<Observation>>,
}

/// What was seen of a tag when the embedded catalogue was gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The os.version of its image.
    pub os_version: Option<WindowsVersion>,
    /// What the tag pointed to.
    pub digest: Option<Digest>,
    /// When, as `2026-08-12` or `2018-03`; empty when nobody wrote it down.
    pub observed: String,
    /// On what evidence; the words are explained beside the data.
    pub evidence: String,
}

impl Observation {
    /// Whether the tag is known only because somebody's public code names it.
    pub fn is_a_mention(&self) -> bool {
        self.evidence.starts_with("mention")
    }
}

/// The tags of one repository.
#[derive(Clone, Debug)]
pub struct RepositoryTags {
    tags: Vec<KnownTag>,
    /// Where each tag is, found by its text; the text itself is only in the tag.
    by_text: HashTable<usize>,
    state: RandomState,
}

impl KnownTag {
    /// Reads a tag with the help of the Windows tables.
    pub fn new(text: String, observation: Option<Box<Observation>>, tables: &Tables) -> Self {
        let parsed = Tag::parse(&text);
        let version = parsed.as_ref().and_then(|tag| tag.version(tables));
        Self { text, parsed, version, observation }
    }

    /// Whether the tag was seen to point to this digest. A digest is the same image for ever, and a
    /// mere mention proves nothing.
    pub fn was_seen_at(&self, digest: &Digest) -> bool {
        self.observation
            .as_deref()
            .is_some_and(|seen| seen.digest.as_ref() == Some(digest) && !seen.is_a_mention())
    }

    /// The form of the tag. One that names a release which no table knows is `Other` too.
    pub fn kind(&self) -> TagKind {
        match (&self.parsed, self.version) {
            (Some(tag), Some(_)) => tag.kind(),
            _ => TagKind::Other,
        }
    }
}

/// What decides about the place of a tag in the list, before its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    build: Option<u32>,
    is_release: bool,
    version: Option<WindowsVersion>,
}

impl Place {
    fn of(tag: &KnownTag) -> Self {
        let build = tag.version.map(|version| version.build);
        Self { build, is_release: tag.kind() == TagKind::Release, version: tag.version }
    }
}

impl RepositoryTags {
    /// The largest weight of one tag in memory, in bytes, for the bound on the whole store: the
    /// text, its parts, which repeat it, and its place in the index. Measured generously.
    const BYTES_A_TAG: usize = 400;

    /// Indexes a list.
    pub fn new(mut tags: Vec<KnownTag>) -> Self {
        // What decides is reckoned once for each tag, and the tags themselves, which are large,
        // stay where they are meanwhile.
        let mut order: Vec<(Place, &str, usize)> =
            tags.iter().zip(0..).map(|(tag, at)| (Place::of(tag), tag.text.as_str(), at)).collect();
        order.sort_unstable_by(|(a, a_text, _), (b, b_text, _)| {
            b.cmp(a).then_with(|| a_text.cmp(b_text))
        });
        let order: Vec<usize> = order.into_iter().map(|(_, _, at)| at).collect();
        // Before the tags are moved their texts lie one after the other.
        let state = RandomState::new();
        let hashes: Vec<u64> = tags.iter().map(|tag| state.hash_one(tag.text.as_str())).collect();
        let hash_at = |place: &usize| {
            order.get(*place).and_then(|at| hashes.get(*at)).copied().unwrap_or_default()
        };
        let mut by_text = HashTable::with_capacity(tags.len());
        for place in 0..tags.len() {
            by_text.insert_unique(hash_at(&place), place, hash_at);
        }
        put_in_order(&mut tags, order);
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

    /// About how much memory this takes, in bytes.
    pub fn weight(&self) -> usize {
        self.tags.len().saturating_mul(Self::BYTES_A_TAG)
    }
}

/// Puts the items in the order in which their places are named, where each is named once.
fn put_in_order<T>(items: &mut [T], mut order: Vec<usize>) {
    for place in 0..items.len() {
        let mut at = place;
        // Each round of items that take each other's places, once.
        while let Some(from) = order.get_mut(at).map(|from| std::mem::replace(from, at)) {
            if from == place || from == at {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_are_put_in_the_order_that_is_named(order in (0..40usize).prop_flat_map(|count| {
            Just((0..count).collect::<Vec<usize>>()).prop_shuffle()
        })) {
            let mut items: Vec<usize> = (100..100 + order.len()).collect();
            let expected: Vec<usize> = order.iter().map(|at| 100 + at).collect();
            put_in_order(&mut items, order);
            prop_assert_eq!(items, expected);
        }
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

//! The tags of a repository, read into their parts once when the list arrives.

use std::collections::HashMap;

use crate::images::{Core, Digest, Tag, TagKind};
use crate::windows::{Tables, WindowsVersion};

/// A tag and what its name says.
#[derive(Clone, Debug)]
pub struct KnownTag {
    /// The tag as the registry has it.
    pub text: String,
    /// Its parts, when it is in the grammar.
    pub parsed: Option<Tag>,
    /// The Windows version that the name stands for: with its revision for a build tag and for a KB
    /// tag whose revision is known, without for a release tag.
    pub version: Option<WindowsVersion>,
    /// What the embedded catalogue knows of it; absent for a list that a registry gave.
    pub observation: Option<Observation>,
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
    by_text: HashMap<String, usize>,
}

impl KnownTag {
    /// Reads a tag with the help of the Windows tables.
    pub fn new(text: String, observation: Option<Observation>, tables: &Tables) -> Self {
        let parsed = Tag::parse(&text);
        let version = parsed.as_ref().and_then(|tag| version_of(tag, tables));
        Self { text, parsed, version, observation }
    }

    /// The form of the tag. One that names a release which no table knows is `Other` too.
    pub fn kind(&self) -> TagKind {
        match (&self.parsed, self.version) {
            (Some(tag), Some(_)) => tag.kind(),
            _ => TagKind::Other,
        }
    }
}

impl RepositoryTags {
    /// The largest weight of one tag in memory, in bytes, for the bound on the whole store: the text
    /// twice, its parts, its place in the index. Measured generously.
    const BYTES_A_TAG: usize = 400;

    /// Indexes a list.
    pub fn new(mut tags: Vec<KnownTag>) -> Self {
        tags.sort_by(|a, b| {
            let order = |tag: &KnownTag| {
                (tag.version.map(|version| version.build), tag.kind() == TagKind::Release, tag.version)
            };
            order(b).cmp(&order(a)).then_with(|| a.text.cmp(&b.text))
        });
        let by_text = tags.iter().enumerate().map(|(at, tag)| (tag.text.clone(), at)).collect();
        Self { tags, by_text }
    }

    /// All tags: the newest build first, and of each the release tags, then the newest revision first; those of
    /// no version last.
    pub fn iter(&self) -> impl Iterator<Item = &KnownTag> {
        self.tags.iter()
    }

    /// The tag with this text.
    pub fn find(&self, text: &str) -> Option<&KnownTag> {
        self.by_text.get(text).and_then(|at| self.tags.get(*at))
    }

    /// About how much memory this takes, in bytes.
    pub fn weight(&self) -> usize {
        self.tags.len().saturating_mul(Self::BYTES_A_TAG)
    }
}

fn version_of(tag: &Tag, tables: &Tables) -> Option<WindowsVersion> {
    match &tag.core {
        Core::Build(version) => Some(*version),
        Core::Line(line) => tables.build_of_line(line).map(WindowsVersion::of_build),
        Core::Kb { line, kb, .. } => {
            let build = tables.build_of_line(line)?;
            let mut revisions = tables.versions_of(*kb).into_iter().map(|entry| entry.version);
            let of_build: Vec<WindowsVersion> = revisions.by_ref().filter(|version| version.build == build).collect();
            match of_build.as_slice() {
                // A KB with two revisions of one build does not say which of them the image has.
                [one] => Some(*one),
                _ => Some(WindowsVersion::of_build(build)),
            }
        }
        Core::None => None,
    }
}

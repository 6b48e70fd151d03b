//! A tag of a list, and the meaning of its name.

use crate::images::{Core, Digest, Tag, TagKind};
use crate::windows::{Base, Kb, Tables, WindowsVersion};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The os.version of its image.
    pub os_version: Option<WindowsVersion>,
    /// The digest that the tag pointed to.
    pub digest: Option<Digest>,
    /// The Windows builds of its images, if they are recorded.
    pub builds: Vec<u32>,
    /// The base of its images, if it is recorded.
    pub base: Option<Base>,
    /// The date, as `2026-08-12` or `2018-03`; empty when it is not known.
    pub observed: String,
    /// The kind of evidence; the words are explained beside the data.
    pub evidence: &'static str,
}

impl Observation {
    /// Whether the only evidence is a mention of the tag in public code.
    pub fn is_a_mention(&self) -> bool {
        self.evidence.starts_with("mention")
    }
}

impl KnownTag {
    /// Parses a tag with the help of the Windows tables.
    pub fn new(text: String, observation: Option<Box<Observation>>, tables: &Tables) -> Self {
        let parsed = Tag::parse(&text);
        let version = parsed.as_ref().and_then(|tag| tag.version(tables));
        Self { text, parsed, version, observation }
    }

    /// Whether the tag was seen to point to this digest. A digest always names the same image; a
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

    /// The base that the tag names.
    pub fn base(&self) -> Option<Base> {
        self.parsed.as_ref()?.base?.base()
    }

    /// The KB that the tag names.
    pub fn kb(&self) -> Option<Kb> {
        match &self.parsed.as_ref()?.core {
            Core::Kb { kb, .. } => Some(*kb),
            _ => None,
        }
    }

    /// The revision that the name stands for.
    pub fn revision(&self) -> Option<u32> {
        self.version.and_then(|version| version.revision)
    }
}

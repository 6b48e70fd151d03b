//! A tag of a list, and the meaning of its name.

use super::sighting::Moment;
use crate::images::{Core, Digest, Tag, TagKind};
use crate::windows::{Base, Kb, Tables, WindowsVersion};
use crate::words::words;

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
    /// What is known of the tag on the day of a question; `None` for what is known of it now.
    pub then: Option<Then>,
}

words! {
    /// Why it is known what a tag pointed to on a former day.
    pub enum Basis {
        /// It was seen there on that day, or before and after it with nothing else between.
        Seen = "seen",
        /// It was seen there before, and no updates came out between: tags move with them.
        ByUpdates = "by-updates",
        /// It was seen there after the end of support, since when it has not moved.
        AfterSupport = "after-support",
        /// It was seen there before, and its name is of one update or day only.
        Fixed = "fixed",
        /// It is not known.
        Unknown = "unknown",
    }
}

/// What is known of a tag on a former day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// The day.
    pub as_of: Moment,
    /// Why that is known.
    pub basis: Basis,
    /// The observation that it rests on.
    pub observed: Option<Moment>,
    /// The observations of an image before and after that day, and their versions.
    pub around: [Option<(Moment, Option<WindowsVersion>)>; 2],
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

//! What one source says about one update, and what a document that is read gives.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::windows::{HostKind, Kb, WindowsVersion};
use crate::words::words;

words! {
    /// Who says that an update brought a revision.
    pub enum Source {
        /// A registry of Microsoft's images: tags of one image prove it.
        Registry = "registry",
        /// Microsoft's pages of release information, for servers and for clients.
        ReleaseInformation = "release-information",
        /// The monthly documents of the Microsoft Security Response Center (CVRF).
        Msrc = "msrc",
        /// CVE records, which Microsoft writes too. They name no update, so that they only confirm.
        Cve = "cve",
    }
}

words! {
    /// What became of a document.
    pub enum DocumentOutcome {
        /// It was read.
        Ok = "ok",
        /// It is the one that was read before.
        Unchanged = "unchanged",
        /// It, or a table in it, is not of the form that is known.
        Refused = "refused",
        /// It could not be got within the limits.
        Unavailable = "unavailable",
    }
}

impl Source {
    /// The voice that a source has when sources are counted. Microsoft's security response writes
    /// both the CVRF documents and the CVE records: together they are one.
    pub fn voice(self) -> Self {
        if self == Self::Cve { Self::Msrc } else { self }
    }
}

/// One statement: this update brought this revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Claim {
    /// The version; its revision is always known.
    #[schema(value_type = String)]
    pub version: WindowsVersion,
    /// The update, where the source names it.
    #[schema(value_type = Option<String>)]
    pub kb: Option<Kb>,
    /// The day of release, where the source names it.
    #[schema(value_type = Option<String>, format = Date)]
    pub released: Option<Date>,
    /// The day of the document that says so, by which a claim from another time is left out.
    #[schema(value_type = Option<String>, format = Date)]
    pub named: Option<Date>,
    /// The kind of release, in the words of `windows/data/kb.csv`.
    pub release_type: Option<String>,
    /// The kind of host that the update is for, where the source says so.
    pub kind: Option<HostKind>,
    /// Who says so.
    pub source: Source,
    /// Where exactly: a page and its date, a document, or tags and their digest.
    pub evidence: String,
}

impl Claim {
    /// Whether it is a hotpatch, which is a revision of hosts and never of images.
    pub fn is_hotpatch(&self) -> bool {
        self.release_type.as_deref() == Some(HOTPATCH)
    }
}

/// The kinds of release, as `windows/data/kb.csv` spells them.
pub(super) const STANDARD: &str = "Standard";
pub(super) const PREVIEW: &str = "Preview";
pub(super) const OUT_OF_BAND: &str = "Out-of-band";
pub(super) const HOTPATCH: &str = "Hotpatch";

/// What a document gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub claims: Vec<Claim>,
    /// The parts of it that were refused whole, and why.
    pub refused: Vec<String>,
}

/// Why a document is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Refused {
    pub(super) fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// Whether the revision of a version is known.
pub(super) fn has_revision(version: &WindowsVersion) -> bool {
    version.revision.is_some()
}

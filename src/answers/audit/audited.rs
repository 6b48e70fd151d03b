//! The answer of an audit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::host::HostDescription;
use crate::audit::{Edit, Place, Reading};
use crate::windows::Isolation;

use super::finding::Finding;

/// A file and what it names.
#[derive(Clone, Debug)]
pub struct AuditFile {
    /// Its path, as it is shown.
    pub path: String,
    /// What it names.
    pub reading: Reading,
}

/// The answer of an audit.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub struct Audited {
    /// The hosts.
    pub hosts: Vec<HostDescription>,
    /// The findings, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// Every image reference for Windows, and how it runs.
    pub references: Vec<Reference>,
    /// Images that could not be checked, each once.
    pub unchecked: Vec<Unchecked>,
    /// Files that could not be read, or not to their end.
    pub problems: Vec<FileProblem>,
    /// Counts of files, references and findings.
    pub counts: Counts,
    /// The changes of files that write the replacements.
    #[serde(skip)]
    #[schema(ignore)]
    pub edits: BTreeMap<String, BTreeSet<Edit>>,
    /// Whether a registry failed, so that an image could not be checked, or the kind of a file is
    /// not known.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_incomplete: bool,
}

/// Counts of files, references and findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditCounts)]
pub struct Counts {
    /// Files that name images, or that could not be read to their end.
    pub files: usize,
    /// Image references of these files.
    pub references: usize,
    /// Of these, images for Linux, which are skipped.
    pub linux: usize,
    /// Of these, images for Windows and Linux, where nothing says that Windows is meant; they are
    /// skipped too.
    pub either: usize,
    /// Findings of the level `error` that no comment silences.
    pub errors: usize,
    /// The same of the level `warning`.
    pub warnings: usize,
    /// The same of the level `note`.
    pub notes: usize,
    /// Findings that a comment silences.
    pub ignored: usize,
}

/// An image reference of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditReference)]
pub struct Reference {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The kind of place.
    pub place: Place,
    /// The reference as it is written.
    pub written: String,
    /// The image, with variables replaced.
    pub image: String,
    /// How it runs, in the order of `hosts`.
    pub verdicts: Vec<HostVerdict>,
    /// A reference that works on all hosts; null if none is needed or known.
    pub replacement: Option<String>,
}

/// How an image runs on one host.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditVerdict)]
pub struct HostVerdict {
    /// The host as it was given.
    pub host: String,
    /// Whether it runs; null if that is not known.
    pub runs: Option<bool>,
    /// The isolation mode to use; null if it does not run.
    pub isolation: Option<Isolation>,
    /// The reference to use on this host instead; null if none is needed or known.
    pub instead: Option<String>,
}

/// An image that could not be checked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditUnchecked)]
pub struct Unchecked {
    /// The image.
    pub image: String,
    /// Why.
    pub why: String,
}

/// A file that could not be read, or not to its end.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditProblem)]
pub struct FileProblem {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

//! What is known about one image, for every place that names it.

use crate::catalogue::Miss;
use crate::windows::Isolation;

use super::finding::FindingCode;

/// For which systems an image is, as its registry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Windows,
    Other,
    Both,
}

/// How an image runs on one host.
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    pub(super) runs: Option<bool>,
    pub(super) isolation: Option<Isolation>,
    pub(super) instead: Option<String>,
}

/// A statement about an image, for every mention of it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) code: FindingCode,
    pub(super) message: String,
    /// The hosts, by their numbers.
    pub(super) hosts: Vec<usize>,
}

/// What is known about an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Judgement {
    /// For each host; empty if the image could not be checked.
    pub(super) verdicts: Vec<Verdicts>,
    pub(super) statements: Vec<Statement>,
    pub(super) replacement: Option<String>,
    /// Why it could not be checked.
    pub(super) miss: Option<Miss>,
    /// Whether the name of an image that could not be checked is one for Windows.
    pub(super) names_windows: bool,
}

impl Judgement {
    /// That of an image that does not exist, or of a text that is none.
    pub(super) fn unknown(message: String, replacement: Option<String>) -> Self {
        let statement = Statement { code: FindingCode::UnknownImage, message, hosts: Vec::new() };
        Self { statements: vec![statement], replacement, ..Self::default() }
    }
}

//! Findings of an audit: their codes and levels.

use serde::Serialize;
use utoipa::ToSchema;

use crate::words::words;

words! {
    /// How serious a finding is.
    #[derive(Default)]
    pub enum Level {
        /// Worth knowing.
        Note = "note",
        /// It works under a condition, or not for long.
        Warning = "warning",
        /// It does not work.
        #[default]
        Error = "error",
    }

    /// The codes of findings.
    pub enum FindingCode {
        /// The image runs on some host in neither isolation mode.
        DoesNotRun = "does-not-run",
        /// The image runs on some host in Hyper-V isolation only.
        NeedsHyperV = "needs-hyperv",
        /// The revision of the image is above that of some host, where it may fail.
        RevisionNewerThanHost = "revision-newer-than-host",
        /// The image receives no updates any more.
        OutOfSupport = "out-of-support",
        /// An engine takes another image of the index than the one that the rule would take.
        EnginePicksOther = "engine-picks-other",
        /// The shared tag held an image for some host, and holds none any more.
        SharedTagMoved = "shared-tag-moved",
        /// The image does not say for which Windows it is.
        NoOsVersion = "no-os-version",
        /// The registry has no such image, or the text is not an image reference.
        UnknownImage = "unknown-image",
        /// The name is one of Docker Hub that was given up.
        LegacyName = "legacy-name",
        /// A variable has no value in the file, so that the image is not known.
        UnresolvedVariable = "unresolved-variable",
    }
}

impl FindingCode {
    /// How serious findings with this code are.
    pub const fn level(self) -> Level {
        match self {
            Self::DoesNotRun | Self::SharedTagMoved | Self::UnknownImage => Level::Error,
            Self::NeedsHyperV
            | Self::RevisionNewerThanHost
            | Self::OutOfSupport
            | Self::EnginePicksOther
            | Self::NoOsVersion
            | Self::LegacyName => Level::Warning,
            Self::UnresolvedVariable => Level::Note,
        }
    }

    /// The rule as a sentence, for reports that list rules.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::DoesNotRun => "The image does not run on a host",
            Self::NeedsHyperV => "The image runs on a host in Hyper-V isolation only",
            Self::RevisionNewerThanHost => "The image is newer than the updates of a host",
            Self::OutOfSupport => "The image receives no updates any more",
            Self::EnginePicksOther => "An engine takes another image of the index",
            Self::SharedTagMoved => "The shared tag no longer has an image for a host",
            Self::NoOsVersion => "The image does not say for which Windows it is",
            Self::UnknownImage => "The image does not exist",
            Self::LegacyName => "The name was replaced by one of Microsoft's registry",
            Self::UnresolvedVariable => "A variable of the image has no value in the file",
        }
    }
}

/// A finding about one image reference of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditFinding)]
pub struct Finding {
    /// The stable code.
    pub code: FindingCode,
    /// How serious it is.
    pub level: Level,
    /// The message for people; its wording may change.
    pub message: String,
    /// The hosts that it is about, as they were given; empty if it is about all.
    pub hosts: Vec<String>,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The column after the reference.
    pub end_column: usize,
    /// The first byte of the reference in the file.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The image, with variables replaced; null if one has no value.
    pub image: Option<String>,
    /// A reference that works on all hosts; null if none is known.
    pub replacement: Option<String>,
    /// The reason of the comment that silences the finding; null if there is none.
    pub ignored: Option<String>,
}

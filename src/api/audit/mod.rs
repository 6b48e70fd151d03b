//! The formats of an audit: for people, for code scanning, for pipelines, and as a patch.

// In reading order.

mod params;
mod request;
mod table;
mod text;
mod markdown;
mod sarif;
mod github;
mod junit;
mod patch;

use crate::answers::{Audited, Counts};
use crate::words::words;

pub use params::{AuditParams, read_target};
pub use patch::{apply, patch};
pub use request::AuditRequest;

words! {
    /// The formats of `wintag audit`.
    #[derive(Default)]
    pub enum AuditFormat {
        /// A table and the findings, for people.
        #[default]
        Text = "text",
        /// Everything, as JSON.
        Json = "json",
        /// SARIF 2.1.0, for code scanning.
        Sarif = "sarif",
        /// Annotations of GitHub Actions.
        GitHub = "github",
        /// JUnit's XML, for test reports.
        Junit = "junit",
        /// A table in Markdown, for comments.
        Markdown = "markdown",
        /// A unified diff with the replacements.
        Patch = "patch",
    }
}

words! {
    /// From which level on findings are a failure.
    #[derive(Default)]
    pub enum FailOn {
        /// All findings.
        Note = "note",
        /// Warnings and errors.
        Warning = "warning",
        /// Errors.
        #[default]
        Error = "error",
        /// No finding.
        Never = "never",
    }
}

impl FailOn {
    /// Whether an audit has a finding at or above the level that no comment silences.
    pub fn is_reached(self, audited: &Audited) -> bool {
        let Counts { errors, warnings, notes, .. } = audited.counts;
        let count = match self {
            Self::Note => errors + warnings + notes,
            Self::Warning => errors + warnings,
            Self::Error => errors,
            Self::Never => 0,
        };
        count > 0
    }
}

/// Writes an audit in one of the formats that need nothing but the answer; `None` for `patch`,
/// which needs the files.
///
/// # Errors
/// When it cannot be written as JSON, which does not happen.
pub fn audit_text(
    audited: &Audited,
    format: AuditFormat,
    has_colour: bool,
) -> Result<Option<String>, serde_json::Error> {
    Ok(Some(match format {
        AuditFormat::Text => text::text(audited, has_colour),
        AuditFormat::Json => serde_json::to_string_pretty(audited)?,
        AuditFormat::Sarif => serde_json::to_string_pretty(&sarif::sarif(audited))?,
        AuditFormat::GitHub => github::annotations(audited),
        AuditFormat::Junit => junit::junit(audited),
        AuditFormat::Markdown => markdown::markdown(audited),
        AuditFormat::Patch => return Ok(None),
    }))
}

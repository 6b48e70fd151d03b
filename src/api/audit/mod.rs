//! The formats of an audit: for people, for code scanning, for pipelines, and as a patch.

// In reading order.

mod params;
mod text;
mod markdown;
mod sarif;
mod github;
mod junit;
mod patch;

use crate::answers::{Audited, Counts, HostVerdict, Reference};
use crate::words::words;

pub use params::{AuditParams, read_target};
pub use patch::{apply, patch};

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

/// How many there are, in words.
fn summary(audited: &Audited) -> String {
    let counts = &audited.counts;
    let mut text = format!(
        "errors: {}, warnings: {}, notes: {}; files: {}, images: {}",
        counts.errors, counts.warnings, counts.notes, counts.files, counts.references
    );
    let others = [
        (counts.linux, "for Linux, skipped"),
        (counts.either, "for Windows and Linux in files that do not say which, skipped"),
        (counts.ignored, "findings silenced by comments"),
        (audited.unchecked.len(), "images not checked"),
    ];
    for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("; {what}: {count}"));
    }
    text
}

/// The cells of the table of references: file and line, image, a cell for each host, replacement.
fn rows(audited: &Audited) -> Vec<Vec<String>> {
    let row = |reference: &Reference| {
        let mode = |verdict: &HostVerdict| match (verdict.runs, verdict.isolation) {
            (_, Some(isolation)) => isolation.to_string(),
            (Some(_), None) => "no".to_owned(),
            (None, None) => "unknown".to_owned(),
        };
        let mut row = vec![format!("{}:{}", reference.file, reference.line)];
        row.push(reference.image.clone());
        row.extend(reference.verdicts.iter().map(mode));
        row.push(reference.replacement.clone().unwrap_or_default());
        row
    };
    audited.references.iter().map(row).collect()
}

/// The headings of these columns.
fn headings(audited: &Audited) -> Vec<String> {
    let hosts = audited.hosts.iter().map(|host| host.requested.clone());
    let before = ["file", "image"].map(str::to_owned).into_iter();
    before.chain(hosts).chain(["write instead".to_owned()]).collect()
}

//! An audit as Markdown, for comments on changes.

use super::table::{headings, rows, summary};
use crate::answers::Audited;
use crate::api::markdown::{code, table};

/// The table of references and the findings.
pub(super) fn markdown(audited: &Audited) -> String {
    let mut lines = vec![format!("**wintag audit**: {}", summary(audited)), String::new()];
    if !audited.references.is_empty() {
        let headings: Vec<String> = headings(audited).iter().map(|text| code(text)).collect();
        lines.push(table(&headings, &rows(audited)));
        lines.push(String::new());
    }
    for finding in audited.findings.iter().filter(|finding| finding.ignored.is_none()) {
        let place = code(&format!("{}:{}", finding.file, finding.line));
        lines.push(format!(
            "- {place} **{}** {}: {}",
            finding.level,
            finding.code,
            code(&finding.message)
        ));
    }
    for unchecked in &audited.unchecked {
        lines.push(format!("- {} not checked: {}", code(&unchecked.image), code(&unchecked.why)));
    }
    for problem in &audited.problems {
        lines.push(format!("- {} not read: {}", code(&problem.file), code(&problem.why)));
    }
    lines.join("\n")
}

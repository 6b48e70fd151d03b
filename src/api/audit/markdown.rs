//! An audit as Markdown, for comments on changes.

use super::table::{headings, rows, summary};
use crate::answers::Audited;

/// The table of references and the findings.
pub(super) fn markdown(audited: &Audited) -> String {
    let mut lines = vec![format!("**wintag audit**: {}", summary(audited)), String::new()];
    if !audited.references.is_empty() {
        let headings = headings(audited);
        lines.push(row(&headings));
        lines.push(format!("|{}", "---|".repeat(headings.len())));
        lines.extend(rows(audited).iter().map(|cells| row(cells)));
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
    lines.join("\n")
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|cell| if cell.is_empty() { String::new() } else { code(cell) }).collect();
    format!("| {} |", cells.join(" | "))
}

/// Text that Markdown shows as it is.
fn code(text: &str) -> String {
    let plain = |c: char| if c == '`' || c.is_control() { '\'' } else { c };
    format!("`{}`", text.chars().map(plain).collect::<String>().replace('|', "\\|"))
}

//! An audit for people.

use std::fmt::Write as _;

use super::table::{headings, rows, summary};
use crate::answers::{Audited, Finding, Level};
use crate::words::visible;

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const BLUE: &str = "\u{1b}[34m";
const PLAIN: &str = "\u{1b}[0m";

/// The table of references, the findings, and the counts.
pub(super) fn text(audited: &Audited, has_colour: bool) -> String {
    let mut text = String::new();
    if !audited.references.is_empty() {
        let headings = headings(audited);
        let rows = rows(audited);
        let all = || std::iter::once(&headings).chain(&rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..headings.len()).filter_map(width).collect();
        for row in all() {
            let cells = row.iter().zip(&widths);
            let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            let _ = writeln!(text, "{}", visible(line.join("  ").trim_end()));
        }
        text.push('\n');
    }
    for finding in audited.findings.iter().filter(|finding| finding.ignored.is_none()) {
        let Finding { file, line, column, level, code, message, hosts, .. } = finding;
        let (on, off) = match level {
            _ if !has_colour => ("", ""),
            Level::Error => (RED, PLAIN),
            Level::Warning => (YELLOW, PLAIN),
            Level::Note => (BLUE, PLAIN),
        };
        let message = visible(message);
        let file = visible(file);
        let _ = write!(text, "{file}:{line}:{column}: {on}{level}{off} {code}: {message}");
        if hosts.len() > 1 {
            let _ = write!(text, " (hosts: {})", visible(&hosts.join(", ")));
        }
        text.push('\n');
        if let Some(replacement) = &finding.replacement {
            let _ = writeln!(text, "  write instead: {replacement}");
        }
    }
    for unchecked in &audited.unchecked {
        let (image, why) = (visible(&unchecked.image), visible(&unchecked.why));
        let _ = writeln!(text, "not checked: {image}: {why}");
    }
    for problem in &audited.problems {
        let _ = writeln!(text, "not read: {}: {}", visible(&problem.file), visible(&problem.why));
    }
    text.push_str(&summary(audited));
    text
}

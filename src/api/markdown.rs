//! Tables and texts in Markdown.

use crate::words::is_unsafe;

/// A table with these headings, which are Markdown, and rows, which are text.
pub(super) fn table(headings: &[String], rows: &[Vec<String>]) -> String {
    let mut lines = vec![
        format!("| {} |", headings.join(" | ")),
        format!("|{}", "---|".repeat(headings.len())),
    ];
    lines.extend(rows.iter().map(|cells| row(cells)));
    lines.join("\n")
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|cell| if cell.is_empty() { String::new() } else { code(cell) }).collect();
    format!("| {} |", cells.join(" | "))
}

/// Text that Markdown shows as it is.
pub(super) fn code(text: &str) -> String {
    let plain = |c: char| if c == '`' || is_unsafe(c) { '\'' } else { c };
    format!("`{}`", text.chars().map(plain).collect::<String>().replace('|', "\\|"))
}

//! An audit as annotations of GitHub Actions
//! (docs.github.com/actions/reference/workflow-commands-for-github-actions).

use super::table::summary;
use crate::answers::{Audited, Level};
use crate::words::visible;

/// A command for each finding.
pub(super) fn annotations(audited: &Audited) -> String {
    let mut lines = Vec::new();
    for finding in audited.findings.iter().filter(|finding| finding.ignored.is_none()) {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let instead = finding.replacement.as_ref();
        let instead = instead.map_or_else(String::new, |text| format!("; write instead: {text}"));
        lines.push(format!(
            "::{command} file={},line={},col={},endColumn={},title={}::{}",
            property(&finding.file),
            finding.line,
            finding.column,
            finding.end_column,
            property(finding.code.as_str()),
            data(&format!("{}{instead}", finding.message)),
        ));
    }
    for problem in &audited.problems {
        let file = property(&problem.file);
        lines.push(format!(
            "::warning file={file}::{}",
            data(&format!("not read: {}", problem.why))
        ));
    }
    for unchecked in &audited.unchecked {
        let text = format!("{} was not checked: {}", unchecked.image, unchecked.why);
        lines.push(format!("::warning::{}", data(&text)));
    }
    lines.push(data(&summary(audited)));
    lines.join("\n")
}

/// No text of a file may begin a line of its own, or control the terminal of a runner.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

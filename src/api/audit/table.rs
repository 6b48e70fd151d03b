//! What several formats have: the table of references, and the counts in words.

use crate::answers::{Audited, HostVerdict, Reference};

/// How many there are, in words.
pub(super) fn summary(audited: &Audited) -> String {
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
pub(super) fn rows(audited: &Audited) -> Vec<Vec<String>> {
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
pub(super) fn headings(audited: &Audited) -> Vec<String> {
    let hosts = audited.hosts.iter().map(|host| host.requested.clone());
    let before = ["file", "image"].map(str::to_owned).into_iter();
    before.chain(hosts).chain(["write instead".to_owned()]).collect()
}

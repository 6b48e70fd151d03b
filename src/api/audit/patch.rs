//! The replacements of an audit as changes of files.

use std::collections::BTreeSet;

use similar::TextDiff;

use crate::audit::Edit;

/// The text with these changes. Every other byte stays as it is.
pub fn apply(text: &str, edits: &BTreeSet<Edit>) -> Option<String> {
    let mut changed = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        changed.push_str(text.get(at..edit.start)?);
        changed.push_str(&edit.text);
        at = edit.end;
    }
    changed.push_str(text.get(at..)?);
    Some(changed)
}

/// A unified diff of one file, as `git apply` and `patch -p1` read it.
pub fn patch(path: &str, before: &str, after: &str) -> String {
    let (old, new) = (format!("a/{path}"), format!("b/{path}"));
    TextDiff::from_lines(before, after).unified_diff().header(&old, &new).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_changed_bytes_differ() {
        let text = "FROM a:1\r\nFROM b:1";
        let edit = |start, end, text: &str| Edit { start, end, text: text.to_owned() };
        let edits = [edit(5, 8, "a:22"), edit(15, 18, "b:2")].into_iter().collect();
        let after = apply(text, &edits).expect("the edits are inside");
        assert_eq!(after, "FROM a:22\r\nFROM b:2");
        let diff = patch("x/Dockerfile", text, &after);
        assert!(diff.starts_with("--- a/x/Dockerfile\n+++ b/x/Dockerfile\n@@ -1,2 +1,2 @@\n"));
        assert!(diff.contains("-FROM a:1\r\n") && diff.contains("\\ No newline at end of file"));
        assert_eq!(apply("x", &[edit(0, 9, "")].into_iter().collect()), None);
    }
}

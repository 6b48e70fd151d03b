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
    // As Git has it, a carriage return alone does not end a line.
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
    let (old, new) = (lines(before), lines(after));
    let diff = TextDiff::configure().newline_terminated(true).diff_slices(&old, &new);
    diff.unified_diff().header(&name("a", path), &name("b", path)).to_string()
}

/// A name as Git writes it in a patch: one with quotes, backslashes or control characters in
/// quotes and with octal bytes, so that it cannot end its line; after one with a space, a tab ends
/// it.
fn name(side: &str, path: &str) -> String {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    if path.bytes().all(is_plain) {
        let end = if path.contains(' ') { "\t" } else { "" };
        return format!("{side}/{path}{end}");
    }
    let mut quoted = format!("\"{side}/");
    for byte in path.bytes() {
        if is_plain(byte) {
            quoted.push(byte.into());
        } else {
            quoted.push_str(&format!("\\{byte:03o}"));
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_and_no_line_end_breaks_a_patch() {
        assert_eq!(name("a", "x/é \n\"\\"), r#""a/x/\303\251 \012\042\134""#);
        assert_eq!(name("b", "a b"), "b/a b\t");
        // Git counts this as one line.
        assert!(patch("x", "# a\rb\nFROM a:1\n", "# a\rb\nFROM a:2\n").contains("@@ -1,2 +1,2 @@"));
    }

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

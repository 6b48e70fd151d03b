//! An audit as JUnit's XML: a test for each image reference and for each other finding, and a
//! skipped one for each file that was not read and each image that was not checked.

use std::collections::BTreeMap;

use crate::answers::{Audited, Finding, Level};
use crate::words::is_unsafe;

/// The report. Errors are failures; all else is output of a test that passed.
pub(super) fn junit(audited: &Audited) -> String {
    let mut cases: BTreeMap<(&str, usize, usize, &str), Vec<&Finding>> = BTreeMap::new();
    for it in &audited.references {
        cases.entry((&it.file, it.line, it.column, &it.image)).or_default();
    }
    for it in audited.findings.iter().filter(|finding| finding.ignored.is_none()) {
        let image = it.image.as_deref().unwrap_or("an image that is not known");
        cases.entry((&it.file, it.line, it.column, image)).or_default().push(it);
    }
    let is_failure = |findings: &Vec<&Finding>| findings.iter().any(|it| it.level == Level::Error);
    let failures = cases.values().filter(|findings| is_failure(findings)).count();
    let not_read = audited.problems.iter().map(|it| (&it.file, "not read", &it.why));
    let not_checked = audited.unchecked.iter().map(|it| (&it.image, "not checked", &it.why));
    let skipped: Vec<_> = not_read.chain(not_checked).collect();
    let mut lines = vec![
        r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned(),
        "<testsuites>".to_owned(),
        format!(
            r#"  <testsuite name="wintag audit" tests="{}" failures="{failures}" errors="0""#,
            cases.len() + skipped.len(),
        ) + &format!(r#" skipped="{}">"#, skipped.len(),),
    ];
    for ((file, line, column, image), findings) in &cases {
        let name = escape(&format!("{file}:{line}:{column} {image}"));
        lines.push(format!(r#"    <testcase classname="{}" name="{name}">"#, escape(file)));
        let texts: Vec<String> =
            findings.iter().map(|it| format!("{} {}: {}", it.level, it.code, it.message)).collect();
        let text = escape(&texts.join("\n"));
        if is_failure(findings) {
            let first = findings.iter().find(|it| it.level == Level::Error);
            let code = first.map_or("", |it| it.code.as_str());
            lines
                .push(format!(r#"      <failure message="{text}" type="{code}">{text}</failure>"#));
        } else if !text.is_empty() {
            lines.push(format!("      <system-out>{text}</system-out>"));
        }
        lines.push("    </testcase>".to_owned());
    }
    for (name, what, why) in skipped {
        let (name, why) = (escape(name), escape(why));
        lines.push(format!(r#"    <testcase classname="{name}" name="{name}">"#));
        lines.push(format!(r#"      <skipped message="{what}: {why}"/>"#));
        lines.push("    </testcase>".to_owned());
    }
    lines.extend(["  </testsuite>".to_owned(), "</testsuites>".to_owned()]);
    lines.join("\n")
}

/// Text for XML 1.0, which has no control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if is_unsafe(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

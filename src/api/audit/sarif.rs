//! An audit as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0).

use serde_json::{Value, json};

use crate::answers::{Audited, Finding, FindingCode};

/// The log with one run.
pub(super) fn sarif(audited: &Audited) -> Value {
    let rules: Vec<Value> = FindingCode::ALL
        .iter()
        .map(|code| {
            json!({
                "id": code,
                "shortDescription": {"text": code.summary()},
                "defaultConfiguration": {"level": code.level()},
            })
        })
        .collect();
    let results: Vec<Value> =
        audited.findings.iter().map(|finding| result(audited, finding)).collect();
    let of_files = audited.problems.iter().map(|problem| {
        json!({
            "level": "warning",
            "message": {"text": format!("not read: {}", problem.why)},
            "locations": [{"physicalLocation": {"artifactLocation": artifact(&problem.file)}}],
        })
    });
    let of_images = audited.unchecked.iter().map(|unchecked| {
        let text = format!("{} was not checked: {}", unchecked.image, unchecked.why);
        json!({"level": "warning", "message": {"text": text}})
    });
    let notifications: Vec<Value> = of_files.chain(of_images).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "wintag",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": !audited.is_incomplete,
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn result(audited: &Audited, finding: &Finding) -> Value {
    let region = json!({
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.end_column,
        "byteOffset": finding.start,
        "byteLength": finding.end - finding.start,
    });
    let location = artifact(&finding.file);
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": finding.code as usize,
        "level": finding.level,
        "message": {"text": finding.message},
        "locations": [{
            "physicalLocation": {"artifactLocation": location, "region": region},
        }],
    });
    let edits = audited.edits.get(&finding.file);
    let own = |edit: &&crate::audit::Edit| edit.start >= finding.start && edit.end <= finding.end;
    if let Some(edit) = edits.and_then(|edits| edits.iter().find(own)) {
        result["fixes"] = json!([{
            "description": {"text": format!("Write {}", edit.text)},
            "artifactChanges": [{
                "artifactLocation": location,
                "replacements": [{
                    "deletedRegion": {
                        "byteOffset": edit.start,
                        "byteLength": edit.end - edit.start,
                    },
                    "insertedContent": {"text": edit.text},
                }],
            }],
        }]);
    }
    if let Some(reason) = &finding.ignored {
        result["suppressions"] = json!([{"kind": "inSource", "justification": reason}]);
    }
    result
}

/// A path as a URI: a relative one, or one of a file if it begins at the root.
fn artifact(path: &str) -> Value {
    let path = path.replace('\\', "/");
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            _ if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    json!({"uri": uri})
}

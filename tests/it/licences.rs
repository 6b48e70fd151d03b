//! What the build is made of: every licence and every source is one that `.deny.toml` allows.
//!
//! `cargo deny` checks the same and more where it is installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

#[test]
fn o12_every_licence_and_source_is_allowed() {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(top.join(".deny.toml")).expect("it is committed");
    let rules: toml::Table = text.parse().expect("it is TOML");
    let words = |section: &str, name: &str| -> BTreeSet<String> {
        let list = rules[section][name].as_array().expect("a list");
        list.iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
    };
    let (licences, sources) = (words("licenses", "allow"), words("sources", "allow-registry"));

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(&top)
        .output()
        .expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &licences) {
            wrong.push(format!("{} {}: licence {licence:?}", package["name"], package["version"]));
        }
        let source =
            package["source"].as_str().map(|source| source.trim_start_matches("registry+"));
        if source.is_some_and(|source| !sources.contains(source)) {
            wrong.push(format!("{} {}: from {source:?}", package["name"], package["version"]));
        }
    }
    assert!(wrong.is_empty(), "not allowed by .deny.toml:\n{}", wrong.join("\n"));
}

/// Whether an SPDX expression can be met with these licences. A slash is an old way to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(" WITH ", "~WITH~");
    let tokens: Vec<String> =
        spaced.split_whitespace().map(|token| token.replace("~WITH~", " WITH ")).collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(tokens: &mut &[String], allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(tokens, allowed);
    while let [or, rest @ ..] = *tokens
        && or == "OR"
    {
        *tokens = rest;
        met |= all_of(tokens, allowed);
    }
    met
}

fn all_of(tokens: &mut &[String], allowed: &BTreeSet<String>) -> bool {
    let mut met = one(tokens, allowed);
    while let [and, rest @ ..] = *tokens
        && and == "AND"
    {
        *tokens = rest;
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut &[String], allowed: &BTreeSet<String>) -> bool {
    let [first, rest @ ..] = *tokens else { return false };
    *tokens = rest;
    if first != "(" {
        return allowed.contains(first);
    }
    let met = any_of(tokens, allowed);
    let closed = tokens.first().is_some_and(|token| token == ")");
    *tokens = tokens.get(1..).unwrap_or_default();
    met && closed
}

#[test]
fn o12_licence_expressions_are_understood() {
    let allowed: BTreeSet<String> =
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for expression in [
        "MIT",
        "GPL-3.0/MIT",
        "GPL-3.0 OR MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "Apache-2.0",
        "(MIT",
        "MIT)",
        "MIT AND (GPL-3.0 OR BSD-1)",
    ] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}

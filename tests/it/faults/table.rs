//! The table of all rows is complete: each is covered by tests that exist, or says why it is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The groups of the catalogue of faults, and how many rows each has.
const GROUPS: [(char, usize); 5] = [('F', 22), ('S', 14), ('X', 18), ('O', 14), ('H', 27)];

#[derive(Deserialize)]
struct Row {
    id: String,
    /// Names of test functions, separated by spaces.
    covered_by: String,
    /// What of the row is not covered, and why.
    not_covered: String,
}

fn rows() -> Vec<Row> {
    let table = include_str!("rows.csv");
    csv::Reader::from_reader(table.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the table is in the format")
}

#[test]
fn each_row_is_there_once() {
    let all = GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number:02}")));
    let listed: Vec<String> = rows().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, all.collect::<Vec<_>>());
}

#[test]
fn each_row_is_covered_or_says_why_not() {
    let tests = test_names();
    for row in rows() {
        assert!(!row.covered_by.is_empty() || !row.not_covered.is_empty(), "{}", row.id);
        for name in row.covered_by.split(' ').filter(|name| !name.is_empty()) {
            assert!(tests.contains(name), "{}: there is no test {name}", row.id);
        }
    }
}

#[test]
fn each_test_with_an_id_is_in_its_row() {
    let listed: Vec<(String, String)> =
        rows().into_iter().map(|row| (row.id.to_lowercase(), row.covered_by)).collect();
    for test in test_names() {
        let ids = test.split('_').take_while(|part| listed.iter().any(|(id, _)| id == part));
        for id in ids {
            let named = listed
                .iter()
                .any(|(row, names)| row == id && names.split(' ').any(|name| name == test));
            assert!(named, "row {id} does not name {test}");
        }
    }
}

/// The names of all test functions of the sources.
fn test_names() -> BTreeSet<String> {
    let top = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let mut names = BTreeSet::new();
    for folder in ["src", "tests"] {
        collect_test_names(&top.join(folder), &mut names);
    }
    names
}

fn collect_test_names(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("they can be listed").path();
        if path.is_dir() {
            collect_test_names(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("the sources are text");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_test = |line: &str| {
                line.starts_with("#[") && (line.ends_with("test]") || line.contains("::test("))
            };
            let after = lines.windows(2).filter(|pair| is_test(pair[0])).map(|pair| pair[1]);
            names.extend(
                after.filter_map(|line| {
                    Some(line.split_once("fn ")?.1.split_once('(')?.0.to_owned())
                }),
            );
        }
    }
}

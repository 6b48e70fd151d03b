//! Suggestions for a host string that names no release.

use strsim::osa_distance;

use super::clues::Clues;
use super::names::has_names;
use crate::windows::release::Release;
use crate::windows::tables::Tables;

/// More suggestions would hide the likely one.
pub(super) const MAX_SUGGESTIONS: usize = 3;
/// Two slips are a typing error; more make another word.
const MAX_EDITS: usize = 2;
/// The longest word that is compared, in bytes; no word for a release is longer.
const MAX_COMPARED_BYTES: usize = 12;

/// The names that the text might mean, best first: of releases that go by every name in it
/// (`Windows 10 23H2` exists for Windows 11), else those spelt like one of its words.
pub(super) fn suggest(clues: &Clues, tables: &Tables) -> Vec<String> {
    let mut suggestions: Vec<String> = Vec::new();
    if !clues.names.is_empty() {
        let named = tables.releases().iter().filter(|release| has_names(release, clues));
        suggestions.extend(named.map(|release| release.name.clone()));
    }
    if suggestions.is_empty() {
        suggestions = spelt_alike(clues, tables);
    }
    suggestions.truncate(MAX_SUGGESTIONS);
    suggestions
}

fn spelt_alike(clues: &Clues, tables: &Tables) -> Vec<String> {
    let mut near: Vec<(usize, u32, &str)> = Vec::new();
    let words = clues.names.iter().chain(&clues.unknown);
    for word in words.filter(|word| word.len() <= MAX_COMPARED_BYTES) {
        // The year of a long-term release was cut off its word.
        let is_year = clues.long_term && word.bytes().all(|byte| byte.is_ascii_digit());
        let word = if is_year { format!("ltsc{word}") } else { word.clone() };
        for (known, name) in tables.releases().iter().flat_map(words_for) {
            let distance = osa_distance(&word, &known.to_ascii_lowercase());
            if distance <= MAX_EDITS && distance * 2 < word.len() {
                near.push((distance, digits_of(&word).abs_diff(digits_of(known)), name));
            }
        }
    }
    near.sort_unstable();
    near.dedup();
    near.into_iter().map(|(_, _, name)| name.to_owned()).collect()
}

/// The words that people use for a release, each with its suggestion: a year alone says little.
pub(super) fn words_for(release: &Release) -> impl Iterator<Item = (&str, &str)> {
    let year = release.name.strip_prefix("Windows Server ").filter(|rest| rest.len() == 4);
    let words =
        release.lines.iter().chain([&release.version]).map(|word| (word.as_str(), word.as_str()));
    words.chain(year.map(|year| (year, release.name.as_str())))
}

/// The digits of a word as one number: `22h2` is 222. Only for comparing words of one form.
fn digits_of(word: &str) -> u32 {
    word.chars()
        .filter_map(|character| character.to_digit(10))
        .fold(0, |number, digit| number.wrapping_mul(10).wrapping_add(digit))
}

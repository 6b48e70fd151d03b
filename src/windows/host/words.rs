//! Cuts a host string into words.

/// A word of a host string, in lower case.
pub(super) struct Word {
    /// The word; never empty.
    pub text: String,
    /// A colon follows, so the word is a heading.
    pub before_colon: bool,
}

/// Cuts the text into words of letters, digits and dots.
///
/// Hyphens and underscores part words (`Windows_Server-2019-English`, `win10-22h2`), except in
/// words that begin with a digit and have dots: these are versions, and `170906-1810` or
/// `0-1053-azure` at their ends belong to them. A number right after a known word is a word of its
/// own (`ltsc2019`).
pub(super) fn words_of(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word_character) {
        let (_, from_word) = rest.split_at(start);
        let end =
            from_word.find(|character| !is_word_character(character)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        let words_before = words.len();
        push_parts(word, &mut words);
        if let Some(last) = words.get_mut(words_before..).and_then(<[Word]>::last_mut) {
            last.before_colon = after.starts_with(':');
        }
        rest = after;
    }
    words
}

fn push_parts(word: &str, words: &mut Vec<Word>) {
    let word = word.trim_matches(['.', '-', '_']).to_lowercase();
    let (prefix, number) = without_prefix(&word);
    push(prefix, words);
    if number.contains('.') && number.starts_with(|first: char| first.is_ascii_digit()) {
        push(number, words);
        return;
    }
    for part in number.split(['-', '_']) {
        let (prefix, number) = without_prefix(part);
        push(prefix, words);
        push(number, words);
    }
}

fn push(text: &str, words: &mut Vec<Word>) {
    if !text.is_empty() {
        words.push(Word { text: text.to_owned(), before_colon: false });
    }
}

/// Parts `ltsc2019` into `ltsc` and `2019`; other words stay whole, with nothing before them.
fn without_prefix(word: &str) -> (&str, &str) {
    let letters =
        word.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(word.len());
    let (prefix, number) = word.split_at(letters);
    if PREFIXES.contains(&prefix) && number.starts_with(|first: char| first.is_ascii_digit()) {
        (prefix, number)
    } else {
        ("", word)
    }
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '-' | '_')
}

/// Words that a number can follow without a space.
const PREFIXES: &[&str] = &[
    "windows",
    "win",
    "ws",
    "server",
    "windowsserver",
    "winserver",
    "windowsservercore",
    "servercore",
    "nanoserver",
    "ltsc",
    "ltsb",
    "sac",
    "version",
    "ver",
    "v",
    "release",
    "build",
    "osbuild",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut() {
        let cases: [(&str, &[&str]); 8] = [
            ("Windows Server, version 1709", &["windows", "server", "version", "1709"]),
            ("[Version 10.0.17763.557]", &["version", "10.0.17763.557"]),
            ("Windows_Server-LTSC2019", &["windows", "server", "ltsc", "2019"]),
            (
                "14393.1715.amd64fre.rs1_release.170906-1810",
                &["14393.1715.amd64fre.rs1_release.170906-1810"],
            ),
            ("Windows-10-10.0.19045-SP0", &["windows", "10", "10.0.19045", "sp0"]),
            ("v1709. Win8.1", &["v", "1709", "win", "8.1"]),
            ("-_. --", &[]),
            ("版本20h2", &["版本20h2"]),
        ];
        for (text, expected) in cases {
            let words: Vec<String> = words_of(text).into_iter().map(|word| word.text).collect();
            assert_eq!(words, expected, "{text:?}");
        }
    }

    #[test]
    fn headings_are_before_a_colon() {
        let headings: Vec<bool> =
            words_of("Server Version: 24.0 -:").iter().map(|word| word.before_colon).collect();
        assert_eq!(headings, [false, true, false]);
    }
}

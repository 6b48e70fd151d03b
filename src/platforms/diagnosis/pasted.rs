//! The text given, in two readable forms: clean, without colours and control characters, and
//! tight, without anything that terminals, logs and JSON change.
//!
//! People paste terminal output: lines broken in the middle of a word, colours, carriage returns,
//! quotation marks that a log has escaped. The tight form contains none of that, so errors are
//! matched there, and each character keeps the position it came from.

use std::ops::Range;

/// A text given, in two readable forms.
pub(super) struct Pasted<'t> {
    given: &'t str,
    /// The text line by line, without escape sequences, control characters and the backslashes of
    /// JSON.
    pub clean: String,
    /// The visible ASCII characters in lower case, without quotation marks and backslashes.
    pub tight: String,
    /// For each byte of `clean`, and for its end: the position in the text given.
    clean_from: Vec<usize>,
    /// For each byte of `tight`, and for its end: the position in `clean`.
    tight_from: Vec<usize>,
}

impl<'t> Pasted<'t> {
    pub fn new(given: &'t str) -> Self {
        let (clean, clean_from) = clean(given);
        let (mut tight, mut tight_from) =
            (String::with_capacity(clean.len()), Vec::with_capacity(clean.len() + 1));
        let mut at_line_start = true;
        for (at, character) in clean.char_indices() {
            // Mail and Markdown quote with it.
            let is_quote = at_line_start && character == '>';
            at_line_start = character == '\n' || (at_line_start && (character == ' ' || is_quote));
            if character.is_ascii_graphic() && !is_quotation_mark(character) && !is_quote {
                tight.push(character.to_ascii_lowercase());
                tight_from.push(at);
            }
        }
        tight_from.push(clean.len());
        Self { given, clean, tight, clean_from, tight_from }
    }

    /// The range of the clean form that a range of the tight form came from.
    pub fn in_clean(&self, tight: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.tight_from.get(index).copied().unwrap_or(self.clean.len());
        // The end is that of the last character, so that white space after it does not count.
        at(tight.start)..tight.end.checked_sub(1).map_or(0, |last| at(last) + 1)
    }

    /// The range of the text given, in characters, that a range of the clean form came from.
    pub fn in_given(&self, clean: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.clean_from.get(index).copied().unwrap_or(self.given.len());
        let characters =
            |index: usize| self.given.get(..index).map_or(0, |before| before.chars().count());
        let start = characters(at(clean.start));
        let last = clean.end.saturating_sub(1);
        let length = self
            .given
            .get(at(last)..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        start..characters(at(last) + length).max(start)
    }
}

/// Whether terminals, logs and JSON add or escape this character; a backslash escapes.
pub(super) const fn is_quotation_mark(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '\\')
}

/// The clean text, and the position that each of its bytes came from.
fn clean(given: &str) -> (String, Vec<usize>) {
    // A JSON string on one line has its line breaks escaped. In any other text `\n` may be part of
    // a path, such as `C:\new`.
    let is_one_line = !given.trim_end().contains('\n');
    let (mut clean, mut from) =
        (String::with_capacity(given.len()), Vec::with_capacity(given.len() + 1));
    let mut rest = given;
    while let Some(first) = rest.chars().next() {
        let at = given.len() - rest.len();
        let (length, character) = match first {
            '\u{1b}' => (escape_sequence(rest, 1), None),
            '\\' => escaped(rest, is_one_line),
            '\r' if rest.starts_with("\r\n") => (1, None),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => (first.len_utf8(), Some('\n')),
            '\t' | '\u{a0}' => (first.len_utf8(), Some(' ')),
            '“' | '”' => (first.len_utf8(), Some('"')),
            '‘' | '’' => (first.len_utf8(), Some('\'')),
            _ if first.is_control() || is_invisible(first) => (first.len_utf8(), None),
            _ => (first.len_utf8(), Some(first)),
        };
        if let Some(character) = character {
            clean.push(character);
            from.extend(std::iter::repeat_n(at, character.len_utf8()));
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    from.push(given.len());
    (clean, from)
}

/// The length in bytes of an escape by backslash, and the character that it stands for.
fn escaped(rest: &str, is_one_line: bool) -> (usize, Option<char>) {
    match rest.as_bytes() {
        [_, b'"', ..] => (2, Some('"')),
        [_, b'\\', ..] => (2, Some('\\')),
        [_, b'n', ..] if is_one_line => (2, Some('\n')),
        [_, b'r' | b't', ..] if is_one_line => (2, Some(' ')),
        [_, b'u', b'0', b'0', b'1', b'b' | b'B', ..] => {
            (escape_sequence(rest, "\\u001b".len()), None)
        }
        _ => (1, Some('\\')),
    }
}

/// The length in bytes of an ANSI escape sequence, including its introducer.
fn escape_sequence(rest: &str, introducer: usize) -> usize {
    let after = rest.as_bytes().get(introducer..).unwrap_or_default();
    let body = match after.first() {
        // A control sequence ends with a letter after parameters in this range.
        Some(b'[') => {
            let parameters = after
                .iter()
                .skip(1)
                .take(MAX_SEQUENCE_BYTES)
                .take_while(|byte| matches!(byte, 0x20..=0x3f))
                .count();
            let is_ended =
                after.get(1 + parameters).is_some_and(|byte| matches!(byte, 0x40..=0x7e));
            1 + parameters + usize::from(is_ended)
        }
        // Titles and links end with a bell, or with another escape sequence, which is read next.
        Some(b']') => {
            let text = after
                .iter()
                .take(MAX_SEQUENCE_BYTES)
                .take_while(|byte| !matches!(byte, 0x07 | 0x1b | b'\n'));
            text.count()
        }
        Some(0x20..=0x7e) => 1,
        _ => 0,
    };
    // The sequence must not end inside a character.
    (introducer + body..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len())
}

/// Characters without a glyph, and those that change the direction of others.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// No useful escape sequence is longer; what continues beyond this is text.
const MAX_SEQUENCE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_by_terminals_and_logs_are_undone() {
        let cases = [
            ("does not ma\r\ntch the  host", "doesnotmatchthehost"),
            ("\u{1b}[31mimage \u{1b}[1;4moperating\u{1b}[0m system", "imageoperatingsystem"),
            ("\u{1b}]0;title\u{7}no match", "nomatch"),
            (r#"image \"windows\" \u001b[31mcannot be\nused"#, "imagewindowscannotbeused"),
            ("> The container\n> operating system", "thecontaineroperatingsystem"),
            ("“no\u{200b} match”\u{202e}\0", "nomatch"),
        ];
        for (text, tight) in cases {
            assert_eq!(Pasted::new(text).tight, tight, "{text:?}");
        }
    }

    #[test]
    fn positions_lead_back_to_the_text_given() {
        let text = "é \u{1b}[31mno ma\r\ntch\u{1b}[0m";
        let pasted = Pasted::new(text);
        let clean = pasted.in_clean(0..pasted.tight.len());
        assert_eq!(&pasted.clean[clean.clone()], "no ma\ntch");
        let given = pasted.in_given(clean);
        assert_eq!(
            text.chars().skip(given.start).take(given.len()).collect::<String>(),
            "no ma\r\ntch"
        );
    }
}

//! The text given, in two readable forms: clean, without colours and control characters, and
//! tight, without anything that terminals, logs and JSON change.
//!
//! People paste terminal output: lines broken in the middle of a word, colours, carriage returns,
//! quotation marks that a log has escaped. The tight form contains none of that, so errors are
//! matched there, and each character keeps the position it came from.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// More mentions of one form than any output that people paste.
pub(super) const MAX_MENTIONS: usize = 128;

/// A text given, in two readable forms.
pub(super) struct Pasted<'t> {
    given: &'t str,
    /// The text line by line, without escape sequences, control characters, the backslashes of
    /// JSON, and what logs write before a line.
    pub clean: String,
    /// The visible ASCII characters and the letters of any language in lower case, without
    /// quotation marks and backslashes.
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
            let is_visible = character.is_ascii_graphic() || character.is_alphanumeric();
            if is_visible && !is_quotation_mark(character) && !is_quote {
                tight.extend(character.to_lowercase());
                tight_from.resize(tight.len(), at);
            }
        }
        tight_from.push(clean.len());
        Self { given, clean, tight, clean_from, tight_from }
    }

    /// The range of the clean form that a range of the tight form came from.
    pub fn in_clean(&self, tight: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.tight_from.get(index).copied().unwrap_or(self.clean.len());
        // The end is that of the last character, so that white space after it does not count.
        let last = tight.end.checked_sub(1).map_or(0, at);
        let length =
            self.clean.get(last..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        at(tight.start)..if tight.end == 0 { 0 } else { last + length }
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
    let (mut at_line_start, mut is_json) = (true, is_one_line);
    while let Some(first) = rest.chars().next() {
        if at_line_start && let Some(prefix) = PREFIX.find(rest).filter(|it| !it.is_empty()) {
            rest = rest.get(prefix.end()..).unwrap_or_default();
            continue;
        }
        if at_line_start {
            is_json = is_one_line || JSON_LINE.is_match(rest);
        }
        let at = given.len() - rest.len();
        let (length, character) = match first {
            '\u{1b}' => (escape_sequence(rest, 1), None),
            '\\' => escaped(rest, is_json),
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
            at_line_start = character == '\n';
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    from.push(given.len());
    (clean, from)
}

/// What logs write before each line, also in the middle of a sentence that they wrap: the time of
/// CI systems and journals, the head of Kubernetes' logs, the step of BuildKit, the name of
/// Compose.
static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        // ASCII only: the letters of all languages would make the expression too large.
        r"(?-u)^(?:",
        // `2024-03-14T04:36:20.1541741Z `, `[2024-03-14 04:36:20 +0000] `.
        r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?\]?[ \t]+",
        // `04:36:20 `, of Jenkins.
        r"|\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?[ \t]+",
        // `Mar 14 04:36:20 node1 dockerd[812]: `.
        r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [!-~]{1,64} [\w.@/-]{1,64}(?:\[\d{1,9}\])?: ",
        // `E1001 14:29:03.759095    8072 remote_runtime.go:105] `.
        r"|[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} +\d{1,9} [\w./-]{1,99}:\d{1,6}\] ",
        // `#12 0.312 `.
        r"|#\d{1,4} (?:\d{1,6}\.\d{1,3} )?",
        // `##[error]` of Azure Pipelines and GitHub.
        r"|##\[[a-z]{1,16}\]",
        // `web-1  | ` of Compose, `web.1.q2…@node    | ` of Swarm.
        r"|(?:[A-Za-z0-9][\w.-]{0,62}[-_]\d{1,4}",
        r"|[\w.-]{1,64}\.\d{1,6}\.[a-z0-9]{12,25}@[\w.-]{1,64})",
        r" +\|[ ]?",
        r")",
    );
    Regex::new(pattern).expect("a test compiles the pattern")
});

/// The beginning of a line of JSON, in which line breaks of strings are escaped.
static JSON_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?-u)^[ \t]*[{\[]?[ \t]*\{?[ \t]*"[\w.@/-]{1,64}"[ \t]*:"#)
        .expect("a test compiles the pattern")
});

/// The length in bytes of an escape by backslash, and the character that it stands for.
fn escaped(rest: &str, is_json: bool) -> (usize, Option<char>) {
    match rest.as_bytes() {
        [_, b'"', ..] => (2, Some('"')),
        [_, b'\\', ..] => (2, Some('\\')),
        [_, b'n', ..] if is_json => (2, Some('\n')),
        [_, b'r' | b't', ..] if is_json => (2, Some(' ')),
        [_, b'u', b'0', b'0', b'1', b'b' | b'B', ..] => {
            (escape_sequence(rest, "\\u001b".len()), None)
        }
        [_, b'u', ..] => unicode_escape(rest).unwrap_or((1, Some('\\'))),
        _ => (1, Some('\\')),
    }
}

/// `\u0027`: PowerShell and Go escape quotation marks and angle brackets like this.
fn unicode_escape(rest: &str) -> Option<(usize, Option<char>)> {
    const LENGTH: usize = "\\u0027".len();
    let digits = rest.get("\\u".len()..LENGTH)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let character = char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?)?;
    (!character.is_control()).then_some((LENGTH, Some(character)))
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
            ("Über  \u{5bb9}\u{5668}", "über\u{5bb9}\u{5668}"),
            ("{\"a\": \"does\\nnot\\u0027\"}\nC:\\new", "{a:doesnot}c:new"),
            ("2024-03-14T04:36:20.1541741Z does\n2024-03-14T04:36:20.1541941Z not", "doesnot"),
            ("##[error]does\n##[error]not", "doesnot"),
            ("[2024-03-14 04:36:20] does\n[2024-03-14 04:36:20] not", "doesnot"),
            ("04:36:20 does\n04:36:21.001 not", "doesnot"),
            (
                "E1001 14:29:03.7    8072 a_b.go:68] does\nE1001 14:29:03.7 8072 a.go:6] not",
                "doesnot",
            ),
            ("#12 0.312 does\n#12 0.314 not", "doesnot"),
            ("\u{1b}[36mweb-1  |\u{1b}[0m does\nweb-1  | not", "doesnot"),
            ("Mar 14 04:36:20 n1 dockerd[8]: does\nMar  4 04:36:20 n1 k3s: not", "doesnot"),
            ("| Kernel | 10.0 |", "|kernel|10.0|"),
        ];
        for (text, tight) in cases {
            assert_eq!(Pasted::new(text).tight, tight, "{text:?}");
        }
    }

    #[test]
    fn positions_lead_back_to_the_text_given() {
        let text = "→ \u{1b}[31mno ma\r\ntch\u{1b}[0m";
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

//! The table of error texts, and how each is found in a text that was given.
//!
//! The texts are templates, so that a row of the table is readable and needs no code. This is the
//! whole language; a template is made tight (`pasted.rs`) before it is read.
//!
//! | in a template | stands for |
//! |---|---|
//! | `…` between words | up to 300 characters of anything |
//! | `…` at the end | nothing, but the text given must be cut off there: `…` or `...` follows |
//! | `{id}` | the identity of a container, or whatever replaces it, without a colon |
//! | `{host}`, `{image}` | the Windows version of the host or image, which may be absent |
//! | `^` at the beginning | nothing stands before it in the text given |
//! | `$` at the end | nothing but a full stop stands after it |
//! | digits only | a whole number: no other digit stands before or after it |
//! | anything else | itself |

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use super::cause::Cause;
use super::pasted::{Pasted, is_quotation_mark};
use crate::windows::WindowsVersion;

/// The embedded rows; `data/README.md` describes the columns.
const ERRORS: &str = include_str!("data/errors.csv");
/// The holes of a template with the expressions that replace them. Between two parts of one
/// message stands at most a container's identity, a path, or an image reference: 300 characters
/// are enough. An identity has 64 digits, or is a placeholder of similar length.
const HOLES: [(&str, &str); 4] = [
    ("…", ".{0,300}?"),
    ("{id}", "[^:]{0,80}"),
    ("{host}", r"(?P<host>10\.0\.\d{5,6}(?:\.\d{1,6})?)?"),
    ("{image}", r"(?P<image>10\.0\.\d{5,6}(?:\.\d{1,6})?)?"),
];
/// At the end of a template: the text given must be cut off there.
const ELLIPSIS: char = '…';
/// In `needs`: a word about containers must be near the match.
const NEAR_CONTAINERS: &str = "{containers}";
/// How far around a match the words of `unless` count: about a sentence before it, and the rest of
/// a long message after it.
const UNLESS_BEFORE_BYTES: usize = 100;
const UNLESS_AFTER_BYTES: usize = 400;
/// How far around a match a word about containers counts, in the clean text: as much as the engine
/// or the kubelet prints about one container.
const NEAR_BEFORE_BYTES: usize = 2000;
const NEAR_AFTER_BYTES: usize = 1000;
/// The same error is printed again at every attempt; only a different image or host makes another
/// finding.
const MAX_MATCHES_PER_ROW: usize = 16;

/// A row of the table, ready for use.
struct ErrorText {
    cause: Cause,
    pattern: Pattern,
    needs: Vec<String>,
    /// Whether a word about containers must be near.
    is_generic: bool,
    /// Whether an ellipsis must follow.
    is_cut_off: bool,
    unless: Vec<String>,
}

/// A template, compiled when a text first contains its beginning: most of the rows never match
/// anything.
struct Pattern {
    /// What stands before the first hole.
    beginning: String,
    expression: String,
    regex: OnceLock<Regex>,
}

/// An error in the text.
pub(super) struct ErrorMatch {
    pub cause: Cause,
    /// Its position in the tight text.
    pub span: Range<usize>,
    /// The host's version that the error names.
    pub host: Option<WindowsVersion>,
    /// The image's version that the error names.
    pub image: Option<WindowsVersion>,
}

#[derive(serde::Deserialize)]
struct Row {
    cause: String,
    text: String,
    needs: String,
    unless: String,
    source: String,
}

/// Every error in the text, in the order of the text.
pub(super) fn errors(pasted: &Pasted<'_>) -> Vec<ErrorMatch> {
    let tight = pasted.tight.as_str();
    let mut errors: Vec<ErrorMatch> = Vec::new();
    for error in table() {
        if !error.needs.is_empty() && !error.needs.iter().any(|word| tight.contains(word)) {
            continue;
        }
        let Some(regex) = error.pattern.regex(tight) else { continue };
        for found in regex.captures_iter(tight).take(MAX_MATCHES_PER_ROW) {
            let Some(text) = found.name("text") else { continue };
            let start = text.start().saturating_sub(UNLESS_BEFORE_BYTES);
            let end = (text.end() + UNLESS_AFTER_BYTES).min(tight.len());
            let around = tight
                .get(tight.floor_char_boundary(start)..tight.floor_char_boundary(end))
                .unwrap_or_default();
            if error.unless.iter().any(|word| around.contains(word))
                || error.is_generic && !is_about_containers(pasted, text.range())
                || error.is_cut_off && !is_cut_off(pasted, text.range())
            {
                continue;
            }
            let version = |group: &str| found.name(group)?.as_str().parse().ok();
            errors.push(ErrorMatch {
                cause: error.cause,
                span: text.range(),
                host: version("host"),
                image: version("image"),
            });
        }
    }
    errors.sort_by_key(|error| (error.span.start, error.span.end));
    errors
}

/// Whether the text around a match is about containers at all: other programs print the same codes
/// and general words.
fn is_about_containers(pasted: &Pasted<'_>, tight: Range<usize>) -> bool {
    let clean = pasted.in_clean(tight);
    let start = pasted.clean.floor_char_boundary(clean.start.saturating_sub(NEAR_BEFORE_BYTES));
    let end = pasted.clean.floor_char_boundary(clean.end.saturating_add(NEAR_AFTER_BYTES));
    pasted.clean.get(start..end).is_some_and(|around| CONTAINER_WORDS.is_match(around))
}

/// Whether the text given was cut off after a match.
fn is_cut_off(pasted: &Pasted<'_>, tight: Range<usize>) -> bool {
    let after = pasted.clean.get(pasted.in_clean(tight).end..).unwrap_or_default();
    after.starts_with(ELLIPSIS) || after.starts_with("...")
}

/// The words for containers, for the programs that run them, and for those that build them.
static CONTAINER_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?i:\b(?:docker[a-z]*|containers?|containerd|images?|pods?|kubelet|kubectl",
        r"|kubernetes|k8s|hcs|hcsshim|crictl|nerdctl|buildkit",
        r"|nanoserver|servercore|windowsservercore)\b",
        r"|returned\s+a\s+non-zero\s+code)",
        r"|(?m:^[ ]*FROM[ ])",
    );
    Regex::new(pattern).expect("a test compiles the pattern")
});

fn table() -> &'static [ErrorText] {
    static TABLE: OnceLock<Vec<ErrorText>> = OnceLock::new();
    TABLE.get_or_init(|| read(ERRORS).expect("a test reads the embedded error texts"))
}

fn read(csv: &str) -> Result<Vec<ErrorText>, String> {
    let rows = csv::Reader::from_reader(csv.as_bytes()).into_deserialize::<Row>().enumerate();
    rows.map(|(at, row)| {
        row.map_err(|error| error.to_string())
            .and_then(read_row)
            .map_err(|bad| format!("row {}: {bad}", at + 1))
    })
    .collect()
}

fn read_row(row: Row) -> Result<ErrorText, String> {
    let cause = row.cause.parse().map_err(|_| format!("unknown cause {}", row.cause))?;
    if row.source.is_empty() {
        return Err("the source is missing".to_owned());
    }
    let tight = |character: &char| !character.is_whitespace() && !is_quotation_mark(*character);
    let template = row.text.chars().filter(tight).collect::<String>().to_lowercase();
    let (template, is_cut_off) = match template.strip_suffix(ELLIPSIS) {
        Some(before) => (before, true),
        None => (template.as_str(), false),
    };
    let (containers, needs): (Vec<String>, Vec<String>) =
        words(&row.needs).partition(|word| word == NEAR_CONTAINERS);
    Ok(ErrorText {
        cause,
        pattern: Pattern::new(template)?,
        needs,
        is_generic: !containers.is_empty(),
        is_cut_off,
        unless: words(&row.unless).collect(),
    })
}

/// The words of a list in a cell.
fn words(list: &str) -> impl Iterator<Item = String> {
    list.split(';').filter(|word| !word.is_empty()).map(str::to_owned)
}

impl Pattern {
    fn new(template: &str) -> Result<Self, String> {
        let (start, body) = template.strip_prefix('^').map_or(("", template), |body| ("^", body));
        let (end, body) = body.strip_suffix('$').map_or(("", body), |body| (r"\.?$", body));
        let beginning = body.split(['…', '{']).next().unwrap_or_default().to_owned();
        if beginning.is_empty() {
            return Err("the text must begin with words".to_owned());
        }
        let mut text = regex::escape(body);
        for (hole, expression) in HOLES {
            text = text.replace(&regex::escape(hole), expression);
        }
        let is_number = body.bytes().all(|byte| byte.is_ascii_digit());
        let (before, after) = if is_number { ("(?:^|[^0-9])", "(?:[^0-9]|$)") } else { ("", "") };
        let expression = format!("{before}(?P<text>{start}{text}{end}){after}");
        Ok(Self { beginning, expression, regex: OnceLock::new() })
    }

    /// The expression, unless the tight text cannot match it.
    fn regex(&self, tight: &str) -> Option<&Regex> {
        let compile = || Regex::new(&self.expression).expect("a test compiles every row");
        tight.contains(&self.beginning).then(|| self.regex.get_or_init(compile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_cause_has_a_text() {
        let table = read(ERRORS).unwrap();
        for cause in Cause::ALL {
            assert!(table.iter().any(|error| error.cause == cause), "{cause}");
        }
        for ErrorText { pattern, .. } in &table {
            assert!(pattern.regex(&pattern.beginning).is_some(), "{}", pattern.expression);
            assert!(pattern.regex("-").is_none(), "{}", pattern.expression);
        }
    }

    #[test]
    fn codes_that_other_programs_print_need_a_word_of_containers_near() {
        let count = |text: &str| errors(&Pasted::new(text)).len();
        for text in [
            "the command returned a non-zero code: 3221225785",
            "FROM contoso/app\nexit code 3221225785",
            "docker inspect: ExitCode: 3221226505",
        ] {
            assert_eq!(count(text), 1, "{text:?}");
        }
        let far = format!("docker {} 3221225785", "x ".repeat(NEAR_BEFORE_BYTES));
        for text in ["child exited 3221225785", "taken from a log: 3221225785", &far] {
            assert_eq!(count(text), 0, "{text:?}");
        }
    }

    #[test]
    fn a_bad_row_is_named() {
        let with =
            |row: &str| read(&format!("cause,text,needs,unless,seen_when,source\n{row}\n")).err();
        assert_eq!(with("nonesuch,a,,,,b"), Some("row 1: unknown cause nonesuch".to_owned()));
        assert_eq!(with("linux-engine,a,,,,"), Some("row 1: the source is missing".to_owned()));
        for text in ["", "…a", "{host}"] {
            let row = format!("linux-engine,{text},,,,b");
            assert_eq!(with(&row), Some("row 1: the text must begin with words".to_owned()));
        }
        assert_eq!(with("linux-engine,a (b,,,,c"), None);
    }
}

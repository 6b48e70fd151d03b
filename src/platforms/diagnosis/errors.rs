//! The table of error texts, and how each is found in a text that was given.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use super::cause::Cause;
use super::pasted::Pasted;
use crate::windows::WindowsVersion;

/// The rows that come with the program; `data/README.md` says what the columns mean.
const ERRORS: &str = include_str!("data/errors.csv");
/// What `…` in a text stands for. Between two parts of one message there is at most a container's
/// identity, a path, or an image reference.
const ANYTHING: &str = "[!-~]{0,300}?";
/// What asks at the end of a text that the text given was cut off there.
const ELLIPSIS: char = '…';
/// What `{id}` stands for: 64 digits, or what somebody wrote in their place.
const IDENTITY: &str = "[!-9;-~]{0,80}";
/// A Windows version in an error text, which may be left out.
const VERSION: &str = r"(10\.0\.\d{5,6}(?:\.\d{1,6})?)?";
/// What asks in `needs` for a word of containers near the text.
const NEAR_CONTAINERS: &str = "{containers}";
/// So far before and after a text the words of `unless` are looked for, in bytes.
const BEFORE: usize = 100;
const AFTER: usize = 400;
/// So far before and after a text a word of containers is looked for, in bytes of the clean text:
/// as much as the engine or the kubelet prints of one container.
const NEAR_BEFORE: usize = 2000;
const NEAR_AFTER: usize = 1000;
/// So many places of one text are looked at: the same error is printed again at every attempt, and
/// only what differs in image or host is told apart.
const MOST_PLACES: usize = 16;

/// A row of the table, ready for use.
struct ErrorText {
    cause: Cause,
    regex: Regex,
    needs: Vec<String>,
    /// Whether a word of containers must be near.
    is_generic: bool,
    /// Whether an ellipsis must follow.
    is_cut_off: bool,
    unless: Vec<String>,
    /// Where in the regex the versions are.
    host: Option<usize>,
    image: Option<usize>,
}

/// A place where an error was found.
pub(super) struct Place {
    pub cause: Cause,
    /// Where in the tight text.
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

/// Every place in the tight text where an error is, in the order of the text.
pub(super) fn places(pasted: &Pasted<'_>) -> Vec<Place> {
    let tight = pasted.tight.as_str();
    let mut places: Vec<Place> = Vec::new();
    for error in table() {
        if !error.needs.is_empty() && !error.needs.iter().any(|word| tight.contains(word)) {
            continue;
        }
        for found in error.regex.captures_iter(tight).take(MOST_PLACES) {
            let Some(whole) = found.name("number").or_else(|| found.get(0)) else { continue };
            let (start, end) =
                (whole.start().saturating_sub(BEFORE), (whole.end() + AFTER).min(tight.len()));
            let around = tight.get(start..end).unwrap_or_default();
            if error.unless.iter().any(|word| around.contains(word)) {
                continue;
            }
            if error.is_generic && !is_about_containers(pasted, whole.range()) {
                continue;
            }
            if error.is_cut_off && !is_cut_off(pasted, whole.range()) {
                continue;
            }
            let version = |group: Option<usize>| found.get(group?)?.as_str().parse().ok();
            places.push(Place {
                cause: error.cause,
                span: whole.range(),
                host: version(error.host),
                image: version(error.image),
            });
        }
    }
    places.sort_by_key(|place| (place.span.start, place.span.end));
    places
}

/// Whether what is around a place is about containers at all: codes and general words come from
/// other programs too.
fn is_about_containers(pasted: &Pasted<'_>, tight: Range<usize>) -> bool {
    let clean = pasted.in_clean(tight);
    let start = pasted.clean.floor_char_boundary(clean.start.saturating_sub(NEAR_BEFORE));
    let end = pasted.clean.floor_char_boundary(clean.end.saturating_add(NEAR_AFTER));
    pasted.clean.get(start..end).is_some_and(|around| CONTAINER_WORDS.is_match(around))
}

/// Whether the text was cut off after a place.
fn is_cut_off(pasted: &Pasted<'_>, tight: Range<usize>) -> bool {
    let after = pasted.clean.get(pasted.in_clean(tight).end..).unwrap_or_default();
    after.starts_with(ELLIPSIS) || after.starts_with("...")
}

/// The words of containers, of what runs them, and of what builds them.
static CONTAINER_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"docker[a-z]*|containers?|containerd|images?|pods?|kubelet|kubectl|kubernetes|k8s|hcs|hcsshim|crictl|nerdctl|buildkit|nanoserver|servercore|windowsservercore";
    let pattern = format!(r"(?i:\b(?:{words})\b|returned\s+a\s+non-zero\s+code)|(?m:^[ ]*FROM[ ])");
    Regex::new(&pattern).expect("the pattern is compiled by a test")
});

fn table() -> &'static [ErrorText] {
    static TABLE: OnceLock<Vec<ErrorText>> = OnceLock::new();
    TABLE.get_or_init(|| read(ERRORS).expect("the embedded error texts are read by a test"))
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
    let cause = Cause::ALL.into_iter().find(|cause| cause.code() == row.cause);
    let cause = cause.ok_or_else(|| format!("no cause is called {}", row.cause))?;
    if row.text.is_empty() || row.source.is_empty() {
        return Err("a row needs a text and its source".to_owned());
    }
    let tight: String = row
        .text
        .chars()
        .filter(|character| !character.is_whitespace() && !"\"'`\\".contains(*character))
        .collect();
    let tight = tight.to_ascii_lowercase();
    let (start, body) = tight.strip_prefix('^').map_or(("", tight.as_str()), |body| ("^", body));
    let (end, body) = body.strip_suffix('$').map_or(("", body), |body| (r"\.?$", body));
    let (is_cut_off, body) = body.strip_suffix(ELLIPSIS).map_or((false, body), |body| (true, body));
    let mut pattern =
        regex::escape(body).replace('…', ANYTHING).replace(&regex::escape("{id}"), IDENTITY);
    // The versions are groups, in the order in which they stand.
    let mut versions: Vec<(usize, &str)> = ["{host}", "{image}"]
        .into_iter()
        .filter_map(|name| Some((body.find(name)?, name)))
        .collect();
    versions.sort_unstable();
    for (_, name) in &versions {
        pattern = pattern.replace(&regex::escape(name), VERSION);
    }
    if body.bytes().all(|byte| byte.is_ascii_digit()) {
        pattern = format!("(?:^|[^0-9])(?P<number>{pattern})(?:[^0-9]|$)");
    }
    let group =
        |wanted: &str| versions.iter().position(|(_, name)| *name == wanted).map(|index| index + 1);
    let regex = Regex::new(&format!("{start}{pattern}{end}")).map_err(|error| error.to_string())?;
    let words = |text: &str| -> Vec<String> {
        text.split(';').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let needs = words(&row.needs);
    Ok(ErrorText {
        cause,
        regex,
        is_cut_off,
        is_generic: needs.iter().any(|word| word == NEAR_CONTAINERS),
        needs: needs.into_iter().filter(|word| word != NEAR_CONTAINERS).collect(),
        unless: words(&row.unless),
        host: group("{host}"),
        image: group("{image}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_cause_has_a_text() {
        let table = read(ERRORS).unwrap();
        for cause in Cause::ALL {
            assert!(table.iter().any(|error| error.cause == cause), "{}", cause.code());
        }
    }

    #[test]
    fn codes_that_other_programs_print_need_a_word_of_containers_near() {
        let count = |text: &str| places(&Pasted::new(text)).len();
        for text in [
            "the command returned a non-zero code: 3221225785",
            "FROM contoso/app\nexit code 3221225785",
            "docker inspect: ExitCode: 3221226505",
        ] {
            assert_eq!(count(text), 1, "{text:?}");
        }
        let far = format!("docker {} 3221225785", "x ".repeat(NEAR_BEFORE));
        for text in ["child exited 3221225785", "taken from a log: 3221225785", &far] {
            assert_eq!(count(text), 0, "{text:?}");
        }
    }

    #[test]
    fn a_bad_row_is_named() {
        let with =
            |row: &str| read(&format!("cause,text,needs,unless,seen_when,source\n{row}\n")).err();
        assert_eq!(with("nonesuch,a,,,,b"), Some("row 1: no cause is called nonesuch".to_owned()));
        assert_eq!(
            with("linux-engine,a,,,,"),
            Some("row 1: a row needs a text and its source".to_owned())
        );
        assert_eq!(with("linux-engine,a (b,,,,c"), None);
    }
}

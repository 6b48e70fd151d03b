//! The parameters of `/releases`, and the calendar of its days.
//!
//! The calendar is iCalendar (RFC 5545): an event of a whole day for each last day of support. The
//! crate icalendar would bring a second library of dates for these few lines; the tests read them
//! with it.

use jiff::civil::Date;
use utoipa::IntoParams;

use super::params::Params;
use super::problem::Problem;
use crate::windows::{HostKind, Release, Tables};
use crate::words::words;

/// The longest line in bytes, without its end (RFC 5545, section 3.1).
const MAX_LINE_BYTES: usize = 75;
/// How a date is written (RFC 5545, section 3.3.4).
const DATE_FORMAT: &str = "%Y%m%d";

words! {
    /// The form of the answer of `/releases`.
    #[derive(Default)]
    pub enum ReleasesFormat {
        /// The whole answer.
        #[default]
        Json = "json",
        /// A calendar of the last days of support, to subscribe to.
        Ics = "ics",
    }
}

/// The parameters of `/releases`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReleasesParams {
    /// The form of the answer; `json` by default.
    #[param(inline)]
    pub format: Option<ReleasesFormat>,
}

/// Reads the parameters of `/releases`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_releases(pairs: Vec<(String, String)>) -> Result<ReleasesFormat, Problem> {
    let mut params = Params::new::<ReleasesParams>(pairs);
    let format = params.word("format").unwrap_or_default();
    params.finish()?;
    Ok(format)
}

/// The last days of support of every release in the tables, as iCalendar. `today` is the day on
/// which the tables were read.
pub fn calendar(tables: &Tables, today: Date) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| push_folded(&mut text, &format!("{name}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//wintag//releases//EN");
    line("X-WR-CALNAME", "Windows support dates");
    for release in tables.releases() {
        for (key, what, day) in last_days(release) {
            let Some(day) = day else { continue };
            let Release { name, build, .. } = release;
            line("BEGIN", "VEVENT");
            // Subscribers know an event by it, also when its day changes.
            let release = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            line("UID", &format!("{release}-{key}@wintag"));
            line("DTSTAMP", &format!("{}T000000Z", today.strftime(DATE_FORMAT)));
            line("DTSTART;VALUE=DATE", &day.strftime(DATE_FORMAT).to_string());
            line("SUMMARY", &escaped(&format!("{name}: last day of {what}")));
            line("DESCRIPTION", &escaped(&format!("Build 10.0.{build}")));
            line("TRANSP", "TRANSPARENT");
            line("END", "VEVENT");
        }
    }
    line("END", "VCALENDAR");
    text
}

/// The last days of a release, each with a key and in words.
const fn last_days(release: &Release) -> [(&'static str, &'static str, Option<Date>); 6] {
    let (mainstream, extended) = match release.kind {
        HostKind::Server => ("mainstream support", "extended support"),
        HostKind::Client => ("support of Home and Pro", "support of Enterprise and Education"),
    };
    [
        ("mainstream", mainstream, release.mainstream_end),
        ("extended", extended, release.extended_end),
        ("long-term", "support of the long-term editions", release.long_term_end),
        ("security-updates", "paid Extended Security Updates", release.security_updates_end),
        ("nanoserver", "support of the Nano Server images", release.nanoserver_end),
        ("servercore", "support of the Server Core images", release.servercore_end),
    ]
}

/// A value of the type TEXT (RFC 5545, section 3.3.11).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Adds a content line; one that is too long goes on in the next after a space. No character is
/// divided.
fn push_folded(text: &mut String, line: &str) {
    let mut bytes = 0;
    for character in line.chars() {
        if bytes + character.len_utf8() > MAX_LINE_BYTES {
            text.push_str("\r\n ");
            bytes = 1;
        }
        text.push(character);
        bytes += character.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_texts_escaped() {
        let mut text = String::new();
        push_folded(&mut text, &format!("SUMMARY:{}", "\u{e9}".repeat(80)));
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [74, 75, 21]);
        assert!(lines[1..].iter().all(|line| line.starts_with(' ')), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', "").len(), 8 + 160);
        assert_eq!(escaped("a,b;c\\d\r\ne"), "a\\,b\\;c\\\\d\\ne");
    }
}

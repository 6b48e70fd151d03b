//! Logs on stderr: text on a terminal, otherwise one JSON object per line.
//!
//! The lines of a traced request end with the ids of its trace and span.
//!
//! Values are written as JSON strings or as quoted text. Characters that end a line, move the
//! cursor or change the direction of text are always escaped, whatever their origin.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets, filter_fn};
use tracing_subscriber::{Layer, Registry};

use super::lines::Lines;
use super::traces::{self, TraceIds};
use crate::config::{LogFormat, LogSettings};
use crate::words::is_unsafe;

/// Creates the layer that writes events.
pub fn layer(
    settings: &LogSettings,
    lines: Lines,
) -> Result<Box<dyn Layer<Registry> + Send + Sync>, ParseError> {
    let filter: Targets = settings.log_level.parse()?;
    // Spans are for traces; lines have their ids.
    let events = filter_fn(|metadata| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE);
    let filter = filter.and(events);
    let is_terminal = io::stderr().is_terminal();
    let format =
        settings.log_format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json });
    let layer = tracing_subscriber::fmt::layer().with_writer(move || Escaped {
        format,
        has_colours: is_terminal,
        lines: lines.clone(),
    });
    Ok(match format {
        LogFormat::Text => layer.with_ansi(is_terminal).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

/// A writer that hands over each event as one escaped line.
struct Escaped {
    format: LogFormat,
    has_colours: bool,
    lines: Lines,
}

impl Write for Escaped {
    /// Writes a whole event, which is how the layer calls it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = escape(text.strip_suffix('\n').unwrap_or(&text), self.format, self.has_colours);
        self.lines.send(match traces::current() {
            Some(ids) => with_ids(&line, self.format, ids),
            None => line.into_owned(),
        });
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Adds the ids of the trace to a line, by the names of OpenTelemetry's "Trace Context in non-OTLP
/// Log Formats".
fn with_ids(line: &str, format: LogFormat, TraceIds { trace_id, span_id }: TraceIds) -> String {
    match (format, line.strip_suffix('}')) {
        (LogFormat::Json, Some(members)) => {
            format!(r#"{members},"trace_id":"{trace_id}","span_id":"{span_id}"}}"#)
        }
        _ => format!("{line} trace_id={trace_id} span_id={span_id}"),
    }
}

/// Escapes unsafe characters by `\u`. The escape sequences of colours are kept if there are any:
/// in values, the layer has already escaped that character.
fn escape(line: &str, format: LogFormat, has_colours: bool) -> Cow<'_, str> {
    let is_escaped =
        |character: char| is_unsafe(character) && !(has_colours && character == '\u{1b}');
    if !line.contains(is_escaped) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        let code = u32::from(character);
        // Writing to a string does not fail.
        let _ = match format {
            _ if !is_escaped(character) => escaped.write_char(character),
            LogFormat::Json => write!(escaped, "\\u{code:04x}"),
            LogFormat::Text => write!(escaped, "\\u{{{code:x}}}"),
        };
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\r\nb\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e}\u{2066}é\t";

    #[test]
    fn a_line_names_its_trace() {
        let ids = || TraceIds { trace_id: 0xa7.into(), span_id: 0xb7.into() };
        let (trace_id, span_id) = ("000000000000000000000000000000a7", "00000000000000b7");
        let read: serde_json::Value =
            serde_json::from_str(&with_ids(r#"{"a":{"b":1}}"#, LogFormat::Json, ids())).unwrap();
        assert_eq!(
            read,
            serde_json::json!({ "a": { "b": 1 }, "trace_id": trace_id, "span_id": span_id })
        );
        let text = with_ids("a b=1", LogFormat::Text, ids());
        assert_eq!(text, format!("a b=1 trace_id={trace_id} span_id={span_id}"));
    }

    #[test]
    fn o02_no_event_holds_what_ends_a_line_or_turns_text() {
        let text = escape(HOSTILE, LogFormat::Text, false);
        assert_eq!(text, r"a\u{d}\u{a}b\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e}\u{2066}é\u{9}");
        assert!(escape(HOSTILE, LogFormat::Text, true).contains("\u{1b}[31m\\u{7f}"));
        let json = serde_json::json!({ "message": HOSTILE }).to_string();
        let escaped = escape(&json, LogFormat::Json, false);
        assert!(!escaped.contains(is_unsafe), "{escaped}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read["message"], HOSTILE);
        assert!(matches!(escape("plain é", LogFormat::Text, false), Cow::Borrowed(_)));
    }
}

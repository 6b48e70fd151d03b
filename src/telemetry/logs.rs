//! Logs on standard error: text for people at a terminal, else a JSON object a line for machines.
//!
//! Values are written as JSON strings or as quoted text, so that nothing in them can end a line or
//! begin a sequence that a terminal obeys.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogFormat, LogSettings};

/// What is logged when nothing is set: what the service does, and trouble in the libraries under it.
const DEFAULT_FILTER: &str = "wintag=info,warn";

/// The layer that writes events.
pub fn layer(settings: &LogSettings) -> Result<Box<dyn Layer<Registry> + Send + Sync>, ParseError> {
    let filter = EnvFilter::builder().parse(settings.level.as_deref().unwrap_or(DEFAULT_FILTER))?;
    let is_terminal = std::io::stderr().is_terminal();
    let format = settings.format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json });
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    Ok(match format {
        LogFormat::Text => layer.with_ansi(is_terminal).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

//! `wintag diagnose`: an error text from a file or from stdin.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::arguments::DiagnoseArguments;
use super::ending::{Ending, explain, print_json, say};
use super::question::build;
use crate::answers;
use crate::api::diagnose::{DiagnosisObject, read_text};
use crate::config::ConfigFile;

/// The maximum length of a text, as over HTTP.
pub(super) const MAX_TEXT_BYTES: u64 = 64 << 10;

/// Prints the findings.
pub(super) async fn diagnose(arguments: DiagnoseArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let bytes = match read_input(arguments.file.as_deref(), MAX_TEXT_BYTES) {
        Ok(bytes) => bytes,
        Err(ending) => return ending,
    };
    let text = match read_text(&bytes) {
        Ok(text) => text,
        Err(problem) => return explain(&problem),
    };
    let diagnosis = answers::diagnose(app.context(), &text).await;
    match print_json(&DiagnosisObject::from(&diagnosis)) {
        Ending::Answered if diagnosis.findings.is_empty() => Ending::No,
        ending => ending,
    }
}

/// What a file holds, or stdin if none is named.
pub(super) fn read_input(file: Option<&Path>, max_bytes: u64) -> Result<Vec<u8>, Ending> {
    let mut bytes = Vec::new();
    let reading = match file {
        Some(file) => {
            File::open(file).and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes))
        }
        None => std::io::stdin().take(max_bytes + 1).read_to_end(&mut bytes),
    };
    if let Err(error) = reading {
        let name = file.map_or("stdin".into(), |file| file.to_string_lossy());
        say(&format!("wintag: {name}: {error}"));
        return Err(Ending::BadArguments);
    }
    if bytes.len() as u64 > max_bytes {
        say(&format!("wintag: the text exceeds {max_bytes} bytes; give the part that matters"));
        return Err(Ending::BadArguments);
    }
    Ok(bytes)
}

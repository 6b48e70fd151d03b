//! `wintag diagnose`: an error text from a file or from stdin.

use std::fs::File;
use std::io::Read as _;

use super::arguments::DiagnoseArguments;
use super::ending::{Ending, explain, print_json, say};
use super::question::build;
use crate::answers;
use crate::api::diagnose::{DiagnosisObject, read_text};
use crate::config::ConfigFile;

/// The maximum length of an error text, as over HTTP.
const MAX_TEXT_BYTES: u64 = 64 << 10;

/// Prints the findings.
pub(super) async fn diagnose(arguments: DiagnoseArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let mut bytes = Vec::new();
    let reading = match &arguments.file {
        Some(file) => {
            File::open(file).and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes))
        }
        None => std::io::stdin().take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes),
    };
    if let Err(error) = reading {
        let name = arguments.file.as_ref().map_or("stdin".into(), |file| file.to_string_lossy());
        say(&format!("wintag: {name}: {error}"));
        return Ending::BadArguments;
    }
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        say(&format!(
            "wintag: the text exceeds {MAX_TEXT_BYTES} bytes; give the part around the error"
        ));
        return Ending::BadArguments;
    }
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

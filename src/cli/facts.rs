//! `wintag facts`: what is known of updates beyond the tables, and reading the sources once.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ending::{Ending, fail, print_json, say};
use crate::answers::KnownFacts;
use crate::app::{App, Renewal};
use crate::config::{ConfigFile, Settings, SourceSettings};
use crate::windows::{Tables, with_updates};

const RELEASES: &str = "releases.csv";
const UPDATES: &str = "kb.csv";

#[derive(Debug, clap::Subcommand)]
pub(super) enum FactsCommand {
    /// Read the sources once; with --tables-dir, write tables that have what was learnt
    Update(FactsArguments),
    /// Print what is known beyond the tables, with its sources
    Show(FactsArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct FactsArguments {
    /// Directory in which a service keeps what it learnt
    #[arg(long, env = "WINTAG_STATE_DIR", value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    source: SourceSettings,
}

/// What `update` prints.
#[derive(Serialize)]
struct Updated {
    documents: Vec<ReadDocument>,
    #[serde(flatten)]
    facts: KnownFacts,
}

#[derive(Serialize)]
struct ReadDocument {
    source: &'static str,
    document: String,
    outcome: &'static str,
    detail: Option<String>,
}

pub(super) async fn show(arguments: FactsArguments, file: ConfigFile) -> Ending {
    match renewal(arguments, file) {
        Ok(renewal) => print_json(&KnownFacts::of(&renewal.context())),
        Err(ending) => ending,
    }
}

/// The exit status says whether every document could be read.
pub(super) async fn update(mut arguments: FactsArguments, file: ConfigFile) -> Ending {
    let directory = arguments.source.tables_dir.clone();
    // An empty directory gets the built-in tables with what was learnt.
    let is_empty = directory.as_deref().is_some_and(|it| !it.join(UPDATES).exists());
    if is_empty {
        arguments.source.tables_dir = None;
    }
    let renewal = match renewal(arguments, file) {
        Ok(renewal) => renewal,
        Err(ending) => return ending,
    };
    let documents = renewal.read_sources().await.into_iter().map(|report| {
        let (source, outcome) = (report.source.as_str(), report.outcome.as_str());
        ReadDocument { source, document: report.path, outcome, detail: report.detail }
    });
    let documents: Vec<_> = documents.collect();
    let facts = KnownFacts::of(&renewal.context());
    if let Some(directory) = directory {
        if let Err(error) = write_tables(&directory, is_empty, &facts, &renewal.context().tables) {
            return fail(Ending::Failed, &error);
        }
        say(&format!("wintag: the tables in {} are up to date", directory.display()));
    }
    let all_read = documents.iter().all(|it| it.detail.is_none());
    match print_json(&Updated { documents, facts }) {
        Ending::Answered if !all_read => Ending::Upstream,
        ending => ending,
    }
}

fn renewal(arguments: FactsArguments, file: ConfigFile) -> Result<Renewal, Ending> {
    let settings = Settings::of_command(&arguments.source, file);
    let settings = settings.map_err(|error| fail(Ending::Failed, &error))?;
    let settings = Settings { state_dir: arguments.state_dir, ..settings };
    let app = App::new(settings).map_err(|error| fail(Ending::Failed, &error))?;
    Ok(app.renewal())
}

/// Writes the tables with everything that was learnt. Each file is replaced whole.
fn write_tables(
    directory: &Path,
    is_empty: bool,
    facts: &KnownFacts,
    tables: &Tables,
) -> std::io::Result<()> {
    let (releases, updates) = match is_empty {
        true => {
            let (releases, updates) = Tables::embedded_csv();
            (releases.to_owned(), updates.to_owned())
        }
        false => (
            std::fs::read_to_string(directory.join(RELEASES))?,
            std::fs::read_to_string(directory.join(UPDATES))?,
        ),
    };
    let learnt = facts.learnt.iter().map(|update| {
        let sources: Vec<&str> =
            update.sources.iter().map(|source| source.evidence.as_str()).collect();
        (update.entry(tables), sources.join(" | "), format!("learnt, {}", update.confidence))
    });
    let updates = with_updates(&updates, learnt).map_err(std::io::Error::other)?;
    // What is written must be readable.
    Tables::replacing(&releases, &updates).map_err(std::io::Error::other)?;
    for (name, text) in [(RELEASES, releases), (UPDATES, updates)] {
        let mut builder = tempfile::Builder::new();
        // The service may run as another user.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(directory.join(name))?;
    }
    Ok(())
}

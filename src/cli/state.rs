//! `wintag state`: the state directory as one file.

use std::path::PathBuf;

use super::ending::{Ending, fail, say};
use crate::app::{export_state, import_state};

#[derive(Debug, clap::Subcommand)]
pub(super) enum StateCommand {
    /// Write lists, manifests and learnt facts of a state directory into one file
    Export(StateArguments),
    /// Replace those of a state directory by the ones of a file; no service may use it meanwhile
    Import(StateArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct StateArguments {
    /// The file
    file: PathBuf,
    /// The directory that a service has as --state-dir
    #[arg(long, env = "WINTAG_STATE_DIR", value_name = "DIRECTORY")]
    state_dir: PathBuf,
}

pub(super) fn state(command: StateCommand) -> Ending {
    let (moved, what) = match &command {
        StateCommand::Export(it) => (export_state(&it.state_dir, &it.file), "wrote"),
        StateCommand::Import(it) => (import_state(&it.file, &it.state_dir), "read"),
    };
    match moved {
        Ok(names) => {
            say(&format!("wintag: {what} {}", names.join(", ")));
            Ending::Answered
        }
        Err(error) => fail(Ending::Failed, &error),
    }
}

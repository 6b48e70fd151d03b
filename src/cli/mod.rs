//! The command line: the same questions as over HTTP, and the same JSON. Results go to stdout,
//! messages to stderr, and the exit status says how the command ended.

// These macros panic when stderr is closed or full; `ending::say` does not.
#![deny(clippy::print_stderr)]

mod list_arguments;
mod ending;
mod arguments;
mod question;
mod audit;
mod diagnose;
mod facts;
mod lists;
mod healthcheck;
mod open_files;
mod serve;
mod state;

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::app;
use crate::config::{ConfigFile, ServiceSettings, Settings};
use crate::telemetry;

pub use arguments::Arguments;
use arguments::Command;
use ending::{Ending, fail, print};
use facts::FactsCommand;

/// How long to wait at the end for work that is still running, such as a credential helper that
/// hangs. No answer depends on it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command that the arguments of the process name.
pub fn run() -> ExitCode {
    let (arguments, file) = match Arguments::of_process() {
        Ok(read) => read,
        Err(ending) => return ending.into(),
    };
    let command = arguments.command.unwrap_or(Command::Serve(arguments.service));
    let ending = match command {
        Command::Openapi => print_document(),
        Command::Healthcheck(settings) => healthcheck::run(settings.listen),
        Command::Serve(settings) => serve(settings, file),
        Command::Resolve(arguments) => answer(question::resolve(arguments, file)),
        Command::Check(arguments) => answer(question::check(arguments, file)),
        Command::Fleet(arguments) => answer(lists::fleet(arguments, file)),
        Command::Hosts(arguments) => answer(lists::hosts(arguments, file)),
        Command::Nodes(arguments) => answer(lists::nodes(arguments, file)),
        Command::Tags(arguments) => answer(lists::tags(arguments, file)),
        Command::History(arguments) => answer(lists::history(arguments, file)),
        Command::Identify(arguments) => answer(lists::identify(arguments, file)),
        Command::Matrix(arguments) => answer(lists::matrix(arguments, file)),
        Command::Facts(FactsCommand::Update(arguments)) => answer(facts::update(arguments, file)),
        Command::Facts(FactsCommand::Show(arguments)) => answer(facts::show(arguments, file)),
        Command::State(command) => state::state(command),
        Command::Audit(arguments) => answer(audit::audit(arguments, file)),
        Command::Diagnose(arguments) => answer(diagnose::diagnose(arguments, file)),
    };
    ending.into()
}

fn print_document() -> Ending {
    match app::document_text() {
        Ok(text) => print(text.trim_end()),
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// Answers one question, for which one thread is enough.
fn answer(work: impl Future<Output = Ending>) -> Ending {
    run_on(Builder::new_current_thread().enable_all().build(), work)
}

fn serve(service: ServiceSettings, file: ConfigFile) -> Ending {
    let settings = match Settings::of_service(&service, file) {
        Ok(settings) => settings,
        Err(error) => return fail(Ending::Failed, &error),
    };
    // Dropped after the runtime, so that the last spans and lines are sent when nothing makes new
    // ones.
    let telemetry = match telemetry::init(&service.log) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(Ending::Failed, &error),
    };
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(app::worker_count()).enable_all().build();
    run_on(runtime, serve::serve(service, settings, &telemetry))
}

fn run_on(runtime: std::io::Result<Runtime>, work: impl Future<Output = Ending>) -> Ending {
    match runtime {
        Ok(runtime) => {
            let ending = runtime.block_on(work);
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            ending
        }
        Err(error) => fail(Ending::Failed, &error),
    }
}

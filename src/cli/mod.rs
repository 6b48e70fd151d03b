//! The command line: the same questions as over HTTP, the same JSON. Standard output is data, standard
//! error is talk, and the exit status says how it ended.

mod healthcheck;

use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::answers;
use crate::api::check::{CheckObject, read_check};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::reading::Reading;
use crate::api::resolve::{Format, ResolutionObject, ResolveRequest};
use crate::app::{self, App, Listeners};
use crate::config::{AdminListen, DEFAULT_ADMIN_LISTEN, ServeArgs, Settings, SourceArgs};
use crate::telemetry::{self, Traces};

const AFTER_HELP: &str = "\
Examples:
  wintag serve
  wintag serve --mirror mcr.microsoft.com=http://127.0.0.1:5000
  wintag resolve nanoserver --host 10.0.17763.1039
  wintag resolve servercore --host \"$(cmd /c ver)\" --format tag
  wintag check mcr.microsoft.com/windows/servercore:ltsc2022 --host 17763

Exit status:
  0  answered; for check: the image runs
  1  check: the image does not run, or nobody can tell
  2  the arguments are wrong, or the host or image is not known
  3  no tag runs as asked, or no tag names the KB
  4  the registry is not configured, cannot be asked, or answers nonsense
  5  the service cannot start or failed, or is not ready (healthcheck)";

/// Tells which tag of a Windows base image runs on a Windows host, and in which isolation mode.
///
/// Without a command it serves, as `wintag serve` does.
#[derive(Debug, Parser)]
#[command(name = "wintag", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP; Swagger UI is at /swagger-ui/
    Serve(ServeArgs),
    /// Print the tag of an image that runs on a host, and the isolation mode
    Resolve(ResolveArguments),
    /// Print whether this very image runs on a host; the exit status tells too
    Check(CheckArguments),
    /// Print the OpenAPI document of the service
    Openapi,
    /// Ask a service on this machine whether it is ready; for container health checks
    Healthcheck(healthcheck::HealthcheckArguments),
}

#[derive(Debug, clap::Args)]
struct HostArguments {
    /// The host, as any machine prints it: 17763, 10.0.17763.1039, ltsc2019, "Windows Server 2019"
    #[arg(long)]
    host: String,
    /// Settles whether the host is a server or a client: server, client
    #[arg(long, value_name = "TYPE")]
    host_type: Option<String>,
    /// Architecture of the image: amd64, arm64, arm [default: amd64]
    #[arg(long)]
    arch: Option<String>,
    /// Where the container runs: docker, kubernetes, swarm [default: docker]
    #[arg(long)]
    platform: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
struct ResolveArguments {
    /// A family (nanoserver, servercore, server, windows, iis) or a repository
    image: String,
    #[command(flatten)]
    host: HostArguments,
    /// Isolation modes that will do: any, process, hyperv [default: any]
    #[arg(long)]
    isolation: Option<String>,
    /// Form of tag: release, kb, build [default: release]
    #[arg(long)]
    pin: Option<String>,
    /// The very patch, such as KB4043961
    #[arg(long)]
    kb: Option<String>,
    /// Form of the answer: json, tag, reference [default: json]
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
struct CheckArguments {
    /// An image reference with a tag or digest
    #[arg(value_name = "REFERENCE")]
    image: String,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    source: SourceArgs,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Answered = 0,
    DoesNotRun = 1,
    BadArguments = 2,
    NoTag = 3,
    Upstream = 4,
    Failed = 5,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

/// Runs the command that the arguments name.
pub fn run(arguments: Arguments) -> ExitCode {
    let command = arguments.command.unwrap_or(Command::Serve(arguments.serve));
    let ending = match command {
        Command::Openapi => print_document(),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Serve(arguments) => serve(&arguments),
        Command::Resolve(arguments) => with_runtime(resolve(arguments)),
        Command::Check(arguments) => with_runtime(check(arguments)),
    };
    ending.into()
}

fn with_runtime(work: impl Future<Output = Ending>) -> Ending {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(Ending::Failed, &error),
    }
}

fn fail(ending: Ending, error: &dyn std::error::Error) -> Ending {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Some errors print their cause themselves.
        if !text.contains(&inner.to_string()) {
            text = format!("{text}: {inner}");
        }
        cause = inner.source();
    }
    eprintln!("wintag: {text}");
    ending
}

fn print(text: &str) -> Ending {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => Ending::Answered,
        // The reader has seen enough, as `head` has: nothing is wrong.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ending::Answered,
        Err(error) => fail(Ending::Failed, &error),
    }
}

fn print_document() -> Ending {
    match app::document_text() {
        Ok(text) => print(text.trim_end()),
        Err(error) => fail(Ending::Failed, &error),
    }
}

fn build(source: &SourceArgs) -> Result<App, Ending> {
    let settings = Settings::of_command(source).map_err(|error| fail(Ending::Failed, &error))?;
    App::new(settings).map_err(|error| fail(Ending::Failed, &error))
}

fn serve(arguments: &ServeArgs) -> Ending {
    let settings = match Settings::of_service(arguments) {
        Ok(settings) => settings,
        Err(error) => return fail(Ending::Failed, &error),
    };
    // It is dropped after the runtime, so that the last spans are sent when nothing makes new ones.
    let telemetry = match telemetry::init(&settings.log) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(Ending::Failed, &error),
    };
    with_runtime(serve_with(settings, telemetry.traces()))
}

async fn serve_with(settings: Settings, traces: Traces) -> Ending {
    let listener = match TcpListener::bind(settings.listen) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("wintag: cannot listen on {}: {error}; choose another address with --listen", settings.listen);
            return Ending::Failed;
        }
    };
    let admin = match bind_admin(settings.admin_listen) {
        Ok(admin) => admin,
        Err(ending) => return ending,
    };
    let app = match App::new(settings) {
        Ok(app) => app,
        Err(error) => return fail(Ending::Failed, &error),
    };
    if let Some(Ok(address)) = admin.as_ref().map(TcpListener::local_addr) {
        tracing::info!("metrics at http://{address}/metrics, health at http://{address}/readyz?verbose");
    }
    if let Ok(address) = listener.local_addr() {
        eprintln!("wintag: listening on http://{address}, Swagger UI at http://{address}/swagger-ui/");
    }
    match app.serve(Listeners { public: listener, admin }, traces).await {
        Ok(()) => Ending::Answered,
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// The socket of the listener for those who run the service. Only where nobody asked for an address
/// does the service go on without.
fn bind_admin(setting: Option<AdminListen>) -> Result<Option<TcpListener>, Ending> {
    let (address, is_wanted) = match setting {
        Some(AdminListen::Off) => return Ok(None),
        Some(AdminListen::At(address)) => (address, true),
        None => (DEFAULT_ADMIN_LISTEN, false),
    };
    match TcpListener::bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_wanted => {
            eprintln!("wintag: cannot listen on {address}: {error}; choose another address with --admin-listen");
            Err(Ending::Failed)
        }
        Err(error) => {
            tracing::warn!("no metrics: cannot listen on {address}: {error}; choose an address with --admin-listen");
            Ok(None)
        }
    }
}

async fn resolve(arguments: ResolveArguments) -> Ending {
    let app = match build(&arguments.source) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let mut pairs = pairs(arguments.image, arguments.host);
    let given = [
        ("isolation", arguments.isolation),
        ("pin", arguments.pin),
        ("kb", arguments.kb),
        ("format", arguments.format),
    ];
    pairs.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let asked = match ResolveRequest::read(pairs, Reading::from(app.context())) {
        Ok(asked) => asked,
        Err(problem) => return explain(&problem),
    };
    match answers::resolve(app.context(), &asked.question).await {
        Err(refusal) => explain(&Problem::of_refusal(&refusal, &asked.question)),
        Ok(resolution) => match asked.format {
            Some(Format::Tag) => print(&resolution.tag),
            Some(Format::Reference) => print(&resolution.reference()),
            Some(Format::Json) | None => print_json(&ResolutionObject::from(&resolution)),
        },
    }
}

async fn check(arguments: CheckArguments) -> Ending {
    let app = match build(&arguments.source) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let question = match read_check(pairs(arguments.image, arguments.host), Reading::from(app.context())) {
        Ok(question) => question,
        Err(problem) => return explain(&problem),
    };
    match answers::check(app.context(), &question).await {
        Err(miss) => explain(&Problem::of_miss(&miss, &question.image)),
        Ok(checked) => match print_json(&CheckObject::from(&checked)) {
            Ending::Answered if checked.isolation.is_none() => Ending::DoesNotRun,
            ending => ending,
        },
    }
}

/// The arguments as the parameters that HTTP has, so that both are read by the same code.
fn pairs(image: String, host: HostArguments) -> Vec<(String, String)> {
    let mut pairs = vec![("image".to_owned(), image), ("host".to_owned(), host.host)];
    let given = [("host_type", host.host_type), ("arch", host.arch), ("platform", host.platform)];
    pairs.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    pairs
}

fn print_json<T: serde::Serialize>(value: &T) -> Ending {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// A problem, for people.
fn explain(problem: &Problem) -> Ending {
    eprintln!("wintag: {}: {}", problem.title, problem.detail);
    for error in problem.errors.iter().filter(|error| !error.allowed.is_empty()) {
        eprintln!("  {}: {}", error.parameter.as_deref().unwrap_or("request"), error.allowed.join(", "));
    }
    for other in &problem.alternatives {
        eprintln!("  {} ({}): {}", other.tag, other.os_version, other.reasons.join(", "));
    }
    if !problem.available_kbs.is_empty() {
        eprintln!("  {}", problem.available_kbs.join(", "));
    }
    match problem.kind() {
        ProblemKind::InvalidParameter | ProblemKind::UnknownImage | ProblemKind::UnknownHost => Ending::BadArguments,
        ProblemKind::NoCompatibleTag | ProblemKind::KbNotFound => Ending::NoTag,
        ProblemKind::RegistryNotAllowed
        | ProblemKind::UpstreamInvalid
        | ProblemKind::UpstreamUnavailable
        | ProblemKind::UpstreamTimeout => Ending::Upstream,
        // Of HTTP alone; none of them can happen here.
        ProblemKind::HostNotAllowed
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::NotAcceptable
        | ProblemKind::PayloadTooLarge
        | ProblemKind::UriTooLong
        | ProblemKind::HeadersTooLarge
        | ProblemKind::Internal => Ending::Failed,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}

//! The command line: the same questions as over HTTP, the same JSON. Standard output is data,
//! standard error is talk, and the exit status says how it ended.

mod arguments;
mod diagnose;
mod healthcheck;
mod open_files;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::answers;
use crate::api::check::read_check;
use crate::api::choices::Format;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::reading::Reading;
use crate::api::resolve::{ResolveRequest, resolution_text};
use crate::app::{self, App, Listeners};
use crate::config::{AdminListen, DEFAULT_ADMIN_LISTEN, ServeArgs, Settings, SourceArgs};
use crate::telemetry::{self, Traces};

pub use arguments::Arguments;
use arguments::{AFTER_HELP, CheckArguments, Command, HostArguments, ResolveArguments};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Answered = 0,
    /// It does not run, or nothing was recognised.
    No = 1,
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
        Command::Diagnose(arguments) => with_runtime(diagnose::diagnose(arguments)),
    };
    ending.into()
}

/// For so long what still runs at the end is waited for; it is nothing that anybody else waits for.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn with_runtime(work: impl Future<Output = Ending>) -> Ending {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let ending = runtime.block_on(work);
            // A credential helper may hang for ever.
            runtime.shutdown_timeout(LAST_WAIT);
            ending
        }
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
    open_files::raise_limit();
    with_runtime(serve_with(settings, telemetry.traces()))
}

async fn serve_with(settings: Settings, traces: Traces) -> Ending {
    let listener = match bind(settings.listen) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!(
                "wintag: cannot listen on {}: {error}; choose another address with --listen",
                settings.listen
            );
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
        tracing::info!(
            "metrics at http://{address}/metrics, health at http://{address}/readyz?verbose"
        );
    }
    if let Ok(address) = listener.local_addr() {
        eprintln!(
            "wintag: listening on http://{address}, Swagger UI at http://{address}/swagger-ui/"
        );
    }
    match app.serve(Listeners { public: listener, admin }, traces).await {
        Ok(()) => Ending::Answered,
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// A listening socket. The standard library would let 128 connections wait; of a crowd that comes
/// at once the others would try again only after a second.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    /// So many connections may wait to be taken: as many as Linux allows, where nobody changed
    /// that.
    const WAITING_CONNECTIONS: u32 = 4096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CONNECTIONS)?.into_std()
}

/// The socket of the listener for those who run the service. Only where nobody asked for an address
/// does the service go on without.
fn bind_admin(setting: Option<AdminListen>) -> Result<Option<TcpListener>, Ending> {
    let (address, is_wanted) = match setting {
        Some(AdminListen::Off) => return Ok(None),
        Some(AdminListen::At(address)) => (address, true),
        None => (DEFAULT_ADMIN_LISTEN, false),
    };
    match bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_wanted => {
            eprintln!(
                "wintag: cannot listen on {address}: {error}; choose another address with \
                 --admin-listen"
            );
            Err(Ending::Failed)
        }
        Err(error) => {
            tracing::warn!(
                "no metrics: cannot listen on {address}: {error}; choose an address with \
                 --admin-listen"
            );
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
            Some(Format::Text(format)) => match resolution_text(&resolution, format) {
                Ok(text) => {
                    // The text has no room for them.
                    for warning in &resolution.warnings {
                        eprintln!("wintag: {}", warning.message);
                    }
                    print(text.trim_end())
                }
                Err(problem) => explain(&problem),
            },
            Some(Format::Json) | None => print_json(&resolution),
        },
    }
}

async fn check(arguments: CheckArguments) -> Ending {
    let app = match build(&arguments.source) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let question =
        match read_check(pairs(arguments.image, arguments.host), Reading::from(app.context())) {
            Ok(question) => question,
            Err(problem) => return explain(&problem),
        };
    match answers::check(app.context(), &question).await {
        Err(unchecked) => explain(&Problem::of_check(&unchecked, &question)),
        Ok(checked) => match print_json(&checked) {
            Ending::Answered if checked.isolation.is_none() => Ending::No,
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
    // What the message has listed is not listed again.
    for error in problem
        .errors
        .iter()
        .filter(|error| !error.allowed.iter().all(|word| error.message.contains(word)))
    {
        eprintln!(
            "  {}: {}",
            error.parameter.as_deref().unwrap_or("request"),
            error.allowed.join(", ")
        );
    }
    for other in &problem.alternatives {
        eprintln!("  {} ({}): {}", other.tag, other.os_version, other.reasons.join(", "));
    }
    if !problem.available_kbs.is_empty() {
        eprintln!("  {}", problem.available_kbs.join(", "));
    }
    match problem.kind() {
        ProblemKind::InvalidParameter | ProblemKind::UnknownImage | ProblemKind::UnknownHost => {
            Ending::BadArguments
        }
        ProblemKind::NoCompatibleTag | ProblemKind::KbNotFound => Ending::NoTag,
        ProblemKind::RegistryNotAllowed
        | ProblemKind::UpstreamInvalid
        | ProblemKind::UpstreamUnavailable
        | ProblemKind::TemporaryReducedCapacity
        | ProblemKind::UpstreamTimeout => Ending::Upstream,
        // Of HTTP alone; none of them can happen here.
        ProblemKind::MalformedRequest
        | ProblemKind::HostNotAllowed
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::NotAcceptable
        | ProblemKind::RequestTimeout
        | ProblemKind::PayloadTooLarge
        | ProblemKind::UnsupportedMediaType
        | ProblemKind::UriTooLong
        | ProblemKind::HeadersTooLarge
        | ProblemKind::QuotaExceeded
        | ProblemKind::Draining
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

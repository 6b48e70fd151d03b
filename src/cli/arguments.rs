//! The arguments of the command line, and what is said when they are wrong.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{diagnose, healthcheck};
use crate::config::{ServeArgs, SourceArgs};

/// What stands below every help text.
pub(super) const AFTER_HELP: &str = "\
Examples:
  wintag serve
  wintag serve --mirror mcr.microsoft.com=http://127.0.0.1:5000
  wintag resolve nanoserver --host 10.0.17763.1039
  wintag resolve servercore --host \"$(cmd /c ver)\" --format tag
  wintag check mcr.microsoft.com/windows/servercore:ltsc2022 --host 17763
  docker service ps --no-trunc SERVICE | wintag diagnose

Exit status:
  0  answered; for check: the image runs; for diagnose: something was recognised
  1  check: the image does not run, or nobody can tell; diagnose: nothing was recognised
  2  the arguments are wrong, or the host or image is not known
  3  no tag runs as asked, or no tag names the KB
  4  the registry is not configured, cannot be asked, or answers nonsense
  5  the service cannot start or failed, or is not ready (healthcheck)";

/// Tells which tag of a Windows base image runs on a Windows host, and in which isolation mode.
///
/// Without a command it serves, as `wintag serve` does.
#[derive(Debug, Parser)]
#[command(name = "wintag", version, after_help = AFTER_HELP, mut_args(also_after_the_command))]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

/// The options that say where knowledge comes from hold before the command as after it.
fn also_after_the_command(arg: clap::Arg) -> clap::Arg {
    let of_source = SourceArgs::augment_args(clap::Command::new("source"));
    let is_of_source = of_source.get_arguments().any(|known| known.get_id() == arg.get_id());
    arg.global(is_of_source)
}

impl Arguments {
    /// Reads the arguments of the process. Where they are wrong, says so and ends the process, as for `--help`.
    pub fn of_process() -> Self {
        let read = Self::command().try_get_matches().and_then(|matches| {
            refuse_misplaced(&matches)?;
            Self::from_arg_matches(&matches)
        });
        read.unwrap_or_else(|error| without_secrets(with_advice(error)).exit())
    }
}

/// An option of `serve` before another command would quietly do nothing.
fn refuse_misplaced(matches: &clap::ArgMatches) -> Result<(), clap::Error> {
    let mut command = Arguments::command();
    command.build();
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let is_given = |arg: &&clap::Arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let misplaced = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set())
        .find(is_given)
        .map(ToString::to_string);
    let Some(option) = misplaced else { return Ok(()) };
    let message = format!(
        "{option} is an option of serve: write it after serve, as in `wintag serve {option}`, not before {name}"
    );
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

/// A URL with a password in it is refused, and the log may be read by more people than the setting.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let is_secret =
        |value: &ContextValue| matches!(value, ContextValue::String(text) if text.contains('@'));
    if error.get(ContextKind::InvalidValue).is_some_and(is_secret) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("[hidden]".to_owned()));
    }
    error
}

/// Says where the other calls are, for those who try one as a command.
fn with_advice(mut error: clap::Error) -> clap::Error {
    /// They may look like a command to clap, as `tags` looks like `diagnose`.
    const CALLS: [&str; 5] = ["matrix", "identify", "releases", "images", "tags"];
    let is_call = |value: &ContextValue| matches!(value, ContextValue::String(name) if CALLS.contains(&name.as_str()));
    if error.kind() == ErrorKind::InvalidSubcommand
        && (error.get(ContextKind::SuggestedSubcommand).is_none()
            || error.get(ContextKind::InvalidSubcommand).is_some_and(is_call))
    {
        error.remove(ContextKind::SuggestedSubcommand);
        let advice = "matrix, identify, releases, images and tags are calls of the service; `wintag serve` starts it";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
    error
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve HTTP; Swagger UI is at /swagger-ui/
    Serve(ServeArgs),
    /// Print the tag of an image that runs on a host, and the isolation mode
    Resolve(ResolveArguments),
    /// Print whether this very image runs on a host; the exit status tells too
    Check(CheckArguments),
    /// Print what an error text says is wrong, and what to do; it is read from a file or standard input
    Diagnose(diagnose::DiagnoseArguments),
    /// Print the OpenAPI document of the service
    Openapi,
    /// Ask a service on this machine whether it is ready; for container health checks
    Healthcheck(healthcheck::HealthcheckArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct HostArguments {
    /// The host, as any machine prints it: 17763, 10.0.17763.1039, ltsc2019, "Windows Server 2019"
    #[arg(long)]
    pub(super) host: String,
    /// Settles whether the host is a server or a client: server, client
    #[arg(long, value_name = "TYPE")]
    pub(super) host_type: Option<String>,
    /// Architecture of the image: amd64, arm64, arm [default: amd64]
    #[arg(long)]
    pub(super) arch: Option<String>,
    /// Where the container runs: docker, kubernetes, swarm [default: docker]
    #[arg(long)]
    pub(super) platform: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ResolveArguments {
    /// A family (nanoserver, servercore, server, windows, iis) or a repository
    pub(super) image: String,
    #[command(flatten)]
    pub(super) host: HostArguments,
    /// Isolation modes that will do: any, process, hyperv [default: any]
    #[arg(long)]
    pub(super) isolation: Option<String>,
    /// Form of tag: release, kb, build [default: release]
    #[arg(long)]
    pub(super) pin: Option<String>,
    /// The very patch, such as KB4043961
    #[arg(long)]
    pub(super) kb: Option<String>,
    /// Form of the answer: json, or text: tag, reference, pinned, env, github, azure, powershell, dockerfile, compose,
    /// swarm, kubernetes [default: json]
    #[arg(long)]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CheckArguments {
    /// An image reference with a tag or digest
    #[arg(value_name = "REFERENCE")]
    pub(super) image: String,
    #[command(flatten)]
    pub(super) host: HostArguments,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

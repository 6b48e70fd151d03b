//! The arguments of the command line, and the messages when they are wrong.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::ending::{Ending, fail};
use super::facts::FactsCommand;
use super::list_arguments::{
    FleetArguments, HistoryArguments, HostsArguments, IdentifyArguments, MatrixArguments,
    NodesArguments, TagsArguments, choices,
};
use super::state::StateCommand;
use crate::api::audit::{AuditFormat, FailOn};
use crate::api::choices::{Format, IsolationChoice};
use crate::config::{ConfigError, ConfigFile, ListenSettings, ServiceSettings, SourceSettings};
use crate::images::{Architecture, Pin};
use crate::windows::Platform;

/// Examples for the help of a command, followed by the exit statuses.
macro_rules! examples {
    ($($example:literal)+) => {
        concat!(
            "Examples:\n", $("  ", $example, "\n",)+
            "\nExit status:
  0  success; for check: the image runs; for diagnose: the error was recognised; for audit:
     nothing at or above --fail-on
  1  check: the image does not run, or it is unknown whether it does; diagnose: nothing was
     recognised; audit: findings at or above --fail-on
  2  invalid arguments, unknown host or unknown image; audit: it could not be done
  3  no tag is compatible, or none for some of the hosts, or no tag names the KB
  4  the registry is not configured, unreachable, or its answer is invalid
  5  the service cannot start, has failed, or is not ready (healthcheck)"
        )
    };
}

/// Find the tag of a Windows base image that runs on a Windows host, and its isolation mode
///
/// Without a command, wintag serves HTTP, as `wintag serve` does. Results go to stdout, messages
/// to stderr.
#[derive(Debug, Parser)]
#[command(
    name = "wintag",
    version,
    after_help = examples![
        "wintag serve"
        "wintag resolve nanoserver --host 10.0.17763.1039"
        "wintag check mcr.microsoft.com/windows/servercore:ltsc2022 --host 17763"
        "docker service ps --no-trunc SERVICE | wintag diagnose"
    ],
    mut_args(also_after_the_command)
)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) service: ServiceSettings,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve HTTP; Swagger UI is at /swagger-ui/
    #[command(after_help = examples![
        "wintag serve"
        "wintag serve --listen 0.0.0.0:8080 --state-dir /var/lib/wintag"
        "wintag serve --mirror mcr.microsoft.com=http://127.0.0.1:5000"
    ])]
    Serve(ServiceSettings),
    /// Find the tag of an image that runs on a host, and the isolation mode
    #[command(after_help = examples![
        "wintag resolve nanoserver --host 10.0.17763.1039"
        "wintag resolve servercore --host \"$(cmd /c ver)\" --format tag"
        "wintag resolve servercore --host ltsc2022 --isolation process --pin kb"
    ])]
    Resolve(ResolveArguments),
    /// Check whether an image runs on a host; the exit status tells the result too
    #[command(after_help = examples![
        "wintag check mcr.microsoft.com/windows/servercore:ltsc2022 --host 17763"
        "wintag check nanoserver:1809 --host \"Windows Server 2022\" --platform kubernetes"
        "wintag check golang:1.26 --host 20348 --engine buildkit --platform windows/amd64"
    ])]
    Check(CheckArguments),
    /// Find the tag for each group of hosts, and one tag for all of them
    #[command(after_help = examples![
        "wintag fleet servercore --hosts ltsc2019,ltsc2022,26100.4061"
        "wintag fleet golang:1.24 --hosts ltsc2019,ltsc2022 --platform kubernetes"
        "wintag fleet servercore --fleet prod --config wintag.toml"
    ])]
    Fleet(FleetArguments),
    /// List every Windows release, and whether an image runs on it
    #[command(after_help = examples![
        "wintag hosts mcr.microsoft.com/windows/servercore:ltsc2022"
        "wintag hosts nanoserver:1809 --platform kubernetes"
    ])]
    Hosts(HostsArguments),
    /// Find the tag for each group of nodes of a cluster, and the labels to set
    #[command(after_help = examples![
        "kubectl get nodes -o json | wintag nodes servercore"
        "docker node inspect $(docker node ls -q) | wintag nodes servercore"
        "kubectl get nodes -o wide | wintag nodes servercore --format markdown"
    ])]
    Nodes(NodesArguments),
    /// List the tags of an image, the newest first
    #[command(after_help = examples![
        "wintag tags servercore --release ltsc2022 --limit 5"
        "wintag tags nanoserver --tag ltsc2022"
    ])]
    Tags(TagsArguments),
    /// Show from when to when a tag was seen at which image
    #[command(after_help = examples![
        "wintag history servercore ltsc2022"
        "wintag history servercore ltsc2022 --format svg > ltsc2022.svg"
    ])]
    History(HistoryArguments),
    /// Find the Windows version in a text; stdin by default
    #[command(after_help = examples![
        "wintag identify \"Windows Server 2022\""
        "systeminfo | wintag identify"
    ])]
    Identify(IdentifyArguments),
    /// Compare hosts with images by the compatibility rule alone
    #[command(after_help = examples![
        "wintag matrix --hosts ltsc2019,ltsc2022 --images ltsc2022,ltsc2025"
        "wintag matrix --platform kubernetes"
    ])]
    Matrix(MatrixArguments),
    /// Read about new updates of Windows, or show what was learnt
    #[command(subcommand, after_help = examples![
        "wintag facts update --tables-dir /etc/wintag/tables"
        "wintag facts show --state-dir /var/lib/wintag"
    ])]
    Facts(FactsCommand),
    /// Move what a service knows to another place, such as a site without a way out
    #[command(subcommand, after_help = examples![
        "wintag state export wintag.state --state-dir /var/lib/wintag"
        "wintag state import wintag.state --state-dir /var/lib/wintag"
    ])]
    State(StateCommand),
    /// Explain an error text from a file or from stdin, and suggest remedies
    #[command(after_help = examples![
        "wintag diagnose error.txt"
        "docker service ps --no-trunc SERVICE | wintag diagnose"
        "kubectl describe pod POD | wintag diagnose"
    ])]
    Diagnose(DiagnoseArguments),
    /// Check the images that files name against hosts, and say what to write instead
    #[command(after_help = examples![
        "wintag audit --hosts ltsc2019,ltsc2022"
        "wintag audit deploy Dockerfile --hosts 10.0.20348.2113 --platform kubernetes"
        "helm template CHART | wintag audit - --hosts ltsc2022 --format sarif"
        "wintag audit --hosts ltsc2022 --fix"
        "kubectl get nodes -o json > nodes.json; wintag audit deploy --nodes nodes.json"
    ])]
    Audit(AuditArguments),
    /// Print the OpenAPI document
    #[command(after_help = examples!["wintag openapi > openapi.json"])]
    Openapi,
    /// Check whether a service on this machine is ready, for container health checks
    #[command(after_help = examples![
        "wintag healthcheck"
        "wintag healthcheck --listen 127.0.0.1:80"
    ])]
    Healthcheck(ListenSettings),
}

#[derive(Debug, clap::Args)]
pub(super) struct ResolveArguments {
    /// Family (nanoserver, servercore, server, windows, iis) or repository
    pub(super) image: String,
    #[command(flatten)]
    pub(super) host: HostArguments,
    #[arg(long, help = choices("Acceptable isolation modes", &IsolationChoice::words(), "any"))]
    pub(super) isolation: Option<String>,
    #[arg(long, help = choices("Kind of tag", Pin::WORDS, "release"))]
    pub(super) pin: Option<String>,
    /// Exact update, such as KB4043961
    #[arg(long)]
    pub(super) kb: Option<String>,
    #[arg(long, help = choices("Output format", &Format::words(), "json"))]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// Image reference with a tag or digest
    #[arg(value_name = "REFERENCE")]
    pub(super) image: String,
    #[command(flatten)]
    pub(super) host: HostArguments,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct HostArguments {
    /// Windows version of the host, in any notation: 17763, 10.0.17763.1039, ltsc2019, "Windows
    /// Server 2019"
    #[arg(long)]
    pub(super) host: String,
    /// Whether the host is a server or a client, where the version does not say: server, client
    #[arg(long, value_name = "TYPE")]
    pub(super) host_type: Option<String>,
    #[arg(long, help = choices("Architecture of the image", Architecture::WORDS, "amd64"))]
    pub(super) arch: Option<String>,
    /// Platform that runs the container: docker, kubernetes, swarm [default: docker]; or, with
    /// --engine, the platform in its command: windows/amd64, windows(10.0.20348)/amd64
    #[arg(long)]
    pub(super) platform: Option<String>,
    /// Engine that pulls the image: docker, docker-29.6.2, containerd-2.1.4, buildkit and others
    #[arg(long)]
    pub(super) engine: Option<String>,
    #[arg(long, help = choices("Image store of Docker", &["classic", "containerd"], "classic"))]
    pub(super) store: Option<String>,
    /// Former day, such as 2024-03-01, or moment: the answer as it was then, from observations
    #[arg(long, value_name = "DAY")]
    pub(super) as_of: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DiagnoseArguments {
    /// File with the error text; stdin by default
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct AuditArguments {
    /// Files and folders; - is stdin
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) paths: Vec<PathBuf>,
    /// Windows versions of the hosts, in any notation, separated by commas
    #[arg(long)]
    pub(super) hosts: Option<String>,
    /// Fleet of the configuration file, instead of --hosts
    #[arg(long, value_name = "NAME")]
    pub(super) fleet: Option<String>,
    /// Engine that pulls the images, as in check [default: all of today's]
    #[arg(long)]
    pub(super) engine: Option<String>,
    #[arg(long, help = choices("Image store of Docker", &["classic", "containerd"], "classic"))]
    pub(super) store: Option<String>,
    /// File with the output of kubectl get nodes -o json or docker node inspect, instead of --hosts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hosts", "fleet"])]
    pub(super) nodes: Option<PathBuf>,
    #[arg(long, help = choices("Architecture of the hosts", Architecture::WORDS, "amd64"))]
    pub(super) arch: Option<String>,
    #[arg(long, help = choices("Platform that runs the containers", Platform::WORDS, "docker"))]
    pub(super) platform: Option<String>,
    /// Value for an ARG of Dockerfiles; repeat the option for several
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(super) build_arg: Vec<(String, String)>,
    #[arg(
        long,
        value_name = "LEVEL",
        default_value_t,
        hide_default_value = true,
        help = choices("Lowest level of findings that fail", FailOn::WORDS, "error")
    )]
    pub(super) fail_on: FailOn,
    #[arg(
        long,
        default_value_t,
        hide_default_value = true,
        help = choices("Output format", AuditFormat::WORDS, "text")
    )]
    pub(super) format: AuditFormat,
    /// Write the replacements into the files, then audit them again
    #[arg(long)]
    pub(super) fix: bool,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The options that name sources of facts may be written before or after the command.
fn also_after_the_command(arg: clap::Arg) -> clap::Arg {
    let of_source = SourceSettings::augment_args(clap::Command::new("source"));
    let is_of_source = of_source.get_arguments().any(|known| known.get_id() == arg.get_id());
    arg.global(is_of_source)
}

/// The arguments with the configuration file that they name, or how the process ends without it.
type ReadArguments = Result<(Arguments, ConfigFile), (Ending, ConfigError)>;

impl Arguments {
    /// Reads the arguments of the process, with the configuration file that they name. If they are
    /// wrong, prints a message and ends the process, as for `--help`.
    ///
    /// # Errors
    /// When the configuration file cannot be used.
    pub(super) fn of_process() -> Result<(Self, ConfigFile), Ending> {
        let read = Self::read_again().unwrap_or_else(|error| error.exit());
        read.map_err(|(ending, error)| fail(ending, &error))
    }

    /// As [`Self::of_process`], without a message and without ending the process.
    ///
    /// # Errors
    /// The outer one when the arguments, or the values of the file, are wrong; the inner one when
    /// the file cannot be used.
    pub(super) fn read_again() -> Result<ReadArguments, clap::Error> {
        let read = |mut command: clap::Command| {
            let matches = command.try_get_matches_from_mut(std::env::args_os());
            let matches = matches.and_then(|matches| refuse_misplaced(&mut command, matches));
            matches.map_err(|error| without_secrets(with_advice(error)))
        };
        let mut matches = read(Self::command())?;
        let file = match config_of(&matches) {
            Some(path) => match (ConfigFile::read(path), matches.subcommand_name()) {
                (Ok(file), _) => file,
                // All that prevents an audit has one exit status.
                (Err(error), Some("audit")) => return Ok(Err((Ending::BadArguments, error))),
                (Err(error), _) => return Ok(Err((Ending::Failed, error))),
            },
            None => ConfigFile::default(),
        };
        if !file.is_empty() {
            matches = read(file.set_defaults(Self::command()))?;
        }
        Ok(Ok((Self::from_arg_matches(&matches)?, file)))
    }
}

/// The configuration file that the arguments name, for the commands that use one.
fn config_of(matches: &ArgMatches) -> Option<&PathBuf> {
    match matches.subcommand() {
        Some(("openapi" | "state", _)) => None,
        Some(("facts", matches)) => matches.subcommand()?.1.get_one("config"),
        Some((_, matches)) => matches.get_one("config"),
        None => matches.get_one("config"),
    }
}

/// Refuses an option of `serve` before another command, where it would do nothing.
fn refuse_misplaced(
    command: &mut clap::Command,
    matches: ArgMatches,
) -> Result<ArgMatches, clap::Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(matches) };
    let misplaced = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set())
        .find(|arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine));
    let Some(option) = misplaced.map(ToString::to_string) else { return Ok(matches) };
    let message = format!(
        "{option} is an option of serve: write it after serve, as in `wintag serve {option}`, not \
         before {name}"
    );
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

/// A URL that holds a password is refused, and more people may read the log than the setting.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let is_secret =
        |value: &ContextValue| matches!(value, ContextValue::String(text) if text.contains('@'));
    if error.get(ContextKind::InvalidValue).is_some_and(is_secret) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("[hidden]".to_owned()));
    }
    error
}

/// Says that the calls of the service are not commands.
fn with_advice(mut error: clap::Error) -> clap::Error {
    /// clap may take them for misspelt commands, such as `tags` for `diagnose`.
    const CALLS: [&str; 3] = ["releases", "images", "renovate"];
    let is_call = |value: &ContextValue| match value {
        ContextValue::String(name) => CALLS.contains(&name.as_str()),
        _ => false,
    };
    if error.kind() == ErrorKind::InvalidSubcommand
        && (error.get(ContextKind::SuggestedSubcommand).is_none()
            || error.get(ContextKind::InvalidSubcommand).is_some_and(is_call))
    {
        error.remove(ContextKind::SuggestedSubcommand);
        let advice = "releases, images and renovate are calls of the service; `wintag serve` \
                      starts it";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}

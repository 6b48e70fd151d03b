//! The settings: each field is an option of the command line, a variable, and a key of the
//! configuration file, with its default and its text for `--help` and for the table of settings.
//!
//! The key is the name of the field. [`file`](super::file) turns the values of the file into
//! defaults of the options, so that an option beats a variable, and a variable beats the file.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use clap::builder::BoolishValueParser;
use ipnet::IpNet;

use super::values::{AdminListen, LogFormat, Mirror, RateLimit, duration, network};
use crate::facts::FactsFrom;
use crate::windows::WindowsVersion;

/// Only this machine by default.
const DEFAULT_LISTEN: SocketAddr = local(8080);
/// Metrics are for operators, by default on this machine. The port is that of Prometheus, which
/// seldom runs on the same machine.
pub const DEFAULT_ADMIN_LISTEN: SocketAddr = local(9090);
/// The default rate limit, in requests per minute: a hundred per second. Behind one address there
/// can be a whole build farm; three thousand jobs that start in the same minute and ask twice each
/// are within it. It is also a small part of what the service answers from memory, so that one
/// client alone does not starve the others.
const DEFAULT_RATE_LIMIT: NonZeroU32 = NonZeroU32::new(6000).expect("it is not zero");
/// Few enough for the sum of all limits to stay below 256 MiB (measured: 15 KiB for each). A
/// connection serves any number of requests one after the other.
const DEFAULT_MAX_CONNECTIONS: NonZeroU32 = NonZeroU32::new(3_000).expect("it is not zero");
/// Load balancers check readiness every few seconds, and Kubernetes needs about as long until its
/// nodes send no more new requests.
const DEFAULT_DRAIN_DELAY: &str = "5s";
/// New tags appear a few times a month; a quarter of an hour is soon enough, and spares the
/// registry.
const DEFAULT_FRESH_FOR: &str = "15m";
/// What the service does, and trouble in the libraries under it. Requests that are not HTTP are
/// left out: a client could fill the log with them.
const DEFAULT_LOG_LEVEL: &str = "wintag=info,actix_http::h1=off,warn";

const fn local(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The settings of the service.
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceSettings {
    /// The public listener.
    #[command(flatten)]
    pub public: ListenSettings,

    /// Address and port for metrics and detailed health, or off [default: 127.0.0.1:9090]
    #[arg(long, env = "WINTAG_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<AdminListen>,

    /// The limits of clients.
    #[command(flatten)]
    pub clients: ClientSettings,

    /// How long to accept requests after SIGTERM, while /readyz answers 503
    #[arg(
        long,
        env = "WINTAG_DRAIN_DELAY",
        value_name = "DURATION",
        value_parser = duration,
        default_value = DEFAULT_DRAIN_DELAY
    )]
    pub drain_delay: Duration,

    /// Directory for the snapshot of registry data and the history of tags; without it, neither is
    /// kept
    #[arg(long, env = "WINTAG_STATE_DIR", value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,

    /// The log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Windows versions of the nodes for which pods are admitted, separated by commas; without
    /// them, any
    #[arg(long, env = "WINTAG_KUBERNETES_HOSTS", value_name = "VERSIONS", value_delimiter = ',')]
    pub kubernetes_hosts: Vec<WindowsVersion>,

    /// The sources of facts.
    #[command(flatten)]
    pub source: SourceSettings,
}

/// Where the service listens.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenSettings {
    /// Address and port of the service
    #[arg(
        long,
        env = "WINTAG_LISTEN",
        value_name = "ADDRESS",
        default_value_t = DEFAULT_LISTEN
    )]
    pub listen: SocketAddr,
}

/// The limits of clients, as they are written.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientSettings {
    /// Maximum number of requests per minute from one client, of which large ones count as several,
    /// or off [default: 6000, no limit for this machine]
    #[arg(long, env = "WINTAG_RATE_LIMIT", value_name = "NUMBER")]
    rate_limit: Option<RateLimit>,

    /// Whether one client may use only a part of the connections, of the memory for requests, and
    /// of the requests to registries [default: true, false for this machine]
    #[arg(
        long,
        env = "WINTAG_CLIENT_SHARES",
        value_name = "BOOLEAN",
        value_parser = BoolishValueParser::new()
    )]
    client_shares: Option<bool>,

    /// Address or network of a proxy whose X-Forwarded-For names the client; repeat the option,
    /// or separate with commas
    #[arg(
        long,
        env = "WINTAG_TRUSTED_PROXY",
        value_name = "NETWORK",
        value_delimiter = ',',
        value_parser = network
    )]
    trusted_proxy: Vec<IpNet>,

    /// Host name by which clients reach the service: answers with data from private registries are
    /// given only to requests with this Host; repeat the option, or separate with commas
    #[arg(long, env = "WINTAG_ALLOWED_HOST", value_name = "NAME", value_delimiter = ',')]
    allowed_host: Vec<String>,

    /// Maximum number of connections, a quarter of which one client may use; when all are in use,
    /// the client with most loses one
    #[arg(
        long,
        env = "WINTAG_MAX_CONNECTIONS",
        value_name = "NUMBER",
        default_value_t = DEFAULT_MAX_CONNECTIONS
    )]
    max_connections: NonZeroU32,
}

/// The log.
#[derive(Clone, Debug, clap::Args)]
pub struct LogSettings {
    /// Format of the log on stderr: text, json [default: text on a terminal, otherwise json]
    #[arg(long, env = "WINTAG_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Events to log: a level, or levels by module
    #[arg(
        long,
        env = "WINTAG_LOG",
        value_name = "FILTER",
        default_value = DEFAULT_LOG_LEVEL
    )]
    pub log_level: String,
}

/// The sources of facts.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceSettings {
    /// Send requests for a registry to this URL instead; repeat the option, or separate with
    /// commas
    #[arg(long, env = "WINTAG_MIRROR", value_name = "REGISTRY=URL", value_delimiter = ',')]
    pub mirror: Vec<Mirror>,

    /// Never contact a registry; answer from the snapshot and the embedded catalogue (true or
    /// false)
    #[arg(
        long,
        env = "WINTAG_OFFLINE",
        value_name = "BOOLEAN",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        value_parser = BoolishValueParser::new()
    )]
    pub offline: bool,

    /// Configuration file, which can also hold credentials and families
    #[arg(long, env = "WINTAG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How long to use data from a registry before asking again
    #[arg(
        long,
        env = "WINTAG_FRESH_FOR",
        value_name = "DURATION",
        value_parser = duration,
        default_value = DEFAULT_FRESH_FOR
    )]
    pub fresh_for: Duration,

    /// Directory with newer Windows tables, releases.csv and kb.csv
    #[arg(long, env = "WINTAG_TABLES_DIR", value_name = "DIRECTORY")]
    pub tables_dir: Option<PathBuf>,

    /// Where to read about new Windows updates: registry, release-information, msrc, cve, each
    /// perhaps with another place as in msrc=URL, or none; repeat the option, or separate with
    /// commas [default: all, none with --offline]
    #[arg(long, env = "WINTAG_FACTS_FROM", value_name = "SOURCE[=URL]", value_delimiter = ',')]
    pub facts_from: Vec<FactsFrom>,

    /// Docker configuration file with credentials for registries [default:
    /// $DOCKER_CONFIG/config.json, otherwise ~/.docker/config.json]
    #[arg(long, env = "WINTAG_DOCKER_CONFIG", value_name = "FILE")]
    pub docker_config: Option<PathBuf>,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            mirror: Vec::new(),
            offline: false,
            config: None,
            fresh_for: duration(DEFAULT_FRESH_FOR).expect("the default is a duration"),
            tables_dir: None,
            facts_from: Vec::new(),
            docker_config: None,
        }
    }
}

/// The limits of clients.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// The requests that one client may make per minute; without it, any number.
    pub requests_a_minute: Option<NonZeroU32>,
    /// Whether one client may have only a part of what all clients share.
    pub has_shares: bool,
    /// Whether clients on this machine have limits too.
    pub includes_this_machine: bool,
    /// The names of this service for answers with private facts; without any, all names are.
    pub allowed_hosts: Vec<String>,
    /// The peers whose `X-Forwarded-For` names the client.
    pub trusted_proxies: Vec<IpNet>,
    /// The connections of all clients at a time.
    pub max_connections: NonZeroU32,
}

impl From<ClientSettings> for ClientLimits {
    /// A configured limit holds for every client; the default ones spare this machine, where load
    /// tests and proxies that are not configured run.
    fn from(settings: ClientSettings) -> Self {
        Self {
            requests_a_minute: match settings.rate_limit {
                Some(RateLimit::Off) => None,
                Some(RateLimit::RequestsPerMinute(most)) => Some(most),
                None => Some(DEFAULT_RATE_LIMIT),
            },
            has_shares: settings.client_shares.unwrap_or(true),
            includes_this_machine: settings.rate_limit.is_some()
                || settings.client_shares.is_some(),
            allowed_hosts: settings.allowed_host,
            trusted_proxies: settings.trusted_proxy,
            max_connections: settings.max_connections,
        }
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self::from(ClientSettings {
            rate_limit: None,
            client_shares: None,
            allowed_host: Vec::new(),
            trusted_proxy: Vec::new(),
            max_connections: DEFAULT_MAX_CONNECTIONS,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    /// These defaults are not those of clap, because it matters whether they were given.
    #[test]
    fn defaults_in_sentences_are_those_of_the_program() {
        let command = ServiceSettings::augment_args(clap::Command::new("serve"));
        for (id, default) in [
            ("admin_listen", DEFAULT_ADMIN_LISTEN.to_string()),
            ("rate_limit", DEFAULT_RATE_LIMIT.to_string()),
        ] {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            let help = arg.and_then(clap::Arg::get_help).expect("each has a text").to_string();
            assert!(help.contains(&format!("[default: {default}")), "{help}");
        }
    }
}

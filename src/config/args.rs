//! The options of the command line that are settings. Their texts are the reference: the README's
//! table is compared with them by a test.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::clients::{RateLimit, TrustedProxy};
use super::{AdminListen, LogFormat, Mirror, Span};
use crate::windows::WindowsVersion;

/// Only this machine, until told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
/// Metrics are for those who run the service, on this machine until told otherwise. The port is
/// that of Prometheus, which is seldom on the same machine.
pub const DEFAULT_ADMIN_LISTEN: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9090));
/// New tags appear a few times a month; a quarter of an hour is soon enough, and spares the
/// registry.
pub const DEFAULT_FRESH_FOR: Span = Span(Duration::from_secs(15 * 60));
/// Load balancers ask for readiness every few seconds, and Kubernetes needs about as long until its
/// nodes send no more new requests.
pub const DEFAULT_DRAIN_DELAY: Span = Span(Duration::from_secs(5));

/// The settings of the service.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "WINTAG_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Address and port of metrics and detailed health, or off [default: 127.0.0.1:9090]
    #[arg(long, env = "WINTAG_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<AdminListen>,

    /// Requests a minute that one client may make, or off, which allows one client all connections
    /// too [default: 6000, and no limit for this machine]
    #[arg(long, env = "WINTAG_RATE_LIMIT", value_name = "NUMBER")]
    pub rate_limit: Option<RateLimit>,

    /// Address or network of a proxy whose X-Forwarded-For names the client; may be repeated, in
    /// the variable separated by commas
    #[arg(long, env = "WINTAG_TRUSTED_PROXY", value_name = "NETWORK", value_delimiter = ',')]
    pub trusted_proxy: Vec<TrustedProxy>,

    /// Connections at a time, of which one client may have a quarter [default: 12000]
    #[arg(long, env = "WINTAG_MAX_CONNECTIONS", value_name = "NUMBER")]
    pub max_connections: Option<NonZeroU32>,

    /// How long requests are still taken after SIGTERM, while /readyz says 503 [default: 5s]
    #[arg(long, env = "WINTAG_DRAIN_DELAY", value_name = "SPAN")]
    pub drain_delay: Option<Span>,

    /// Directory for the snapshot of what registries said; none is kept when not given
    #[arg(long, env = "WINTAG_STATE_DIR", value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,

    /// Form of the log on standard error: text, json [default: text at a terminal, else json]
    #[arg(long, env = "WINTAG_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: a level, or levels by module [default: wintag=info,actix_http::h1=off,warn]
    #[arg(long, env = "WINTAG_LOG", value_name = "FILTER")]
    pub log_level: Option<String>,

    /// Windows versions of the nodes of the Kubernetes cluster whose pods are admitted, separated
    /// by commas; any when not given
    #[arg(long, env = "WINTAG_KUBERNETES_HOSTS", value_name = "VERSIONS", value_delimiter = ',')]
    pub kubernetes_hosts: Vec<WindowsVersion>,

    /// Where knowledge comes from.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// The settings that say where knowledge comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SourceArgs {
    /// Send requests for a registry somewhere else; may be repeated, in the variable separated by
    /// commas
    #[arg(long, env = "WINTAG_MIRROR", value_name = "REGISTRY=URL", value_delimiter = ',')]
    pub mirror: Vec<Mirror>,

    /// Never ask a registry; answer from the snapshot and the embedded catalogue (true or false)
    #[arg(
        long,
        env = "WINTAG_OFFLINE",
        value_name = "BOOLEAN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub offline: Option<bool>,

    /// Configuration file; it also holds what no option does: credentials, families
    #[arg(long, env = "WINTAG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How long a registry's answer is used without asking again [default: 15m]
    #[arg(long, env = "WINTAG_FRESH_FOR", value_name = "SPAN")]
    pub fresh_for: Option<Span>,

    /// Directory with newer Windows tables: releases.csv and kb.csv
    #[arg(long, env = "WINTAG_TABLES_DIR", value_name = "DIRECTORY")]
    pub tables_dir: Option<PathBuf>,

    /// Docker configuration file with credentials for registries [default:
    /// $DOCKER_CONFIG/config.json, else ~/.docker/config.json]
    #[arg(long, env = "WINTAG_DOCKER_CONFIG", value_name = "FILE")]
    pub docker_config: Option<PathBuf>,
}

//! The arguments of the commands that print lists.

use std::path::PathBuf;

use crate::api::fleet::FleetFormat;
use crate::api::history::HistoryFormat;
use crate::config::SourceSettings;
use crate::images::Architecture;
use crate::windows::Platform;

/// The help of an option with a closed set of values.
pub(super) fn choices(purpose: &str, words: &[&str], default: &str) -> String {
    format!("{purpose}: {} [default: {default}]", words.join(", "))
}

#[derive(Debug, clap::Args)]
pub(super) struct FleetArguments {
    /// Family (nanoserver, servercore, server, windows, iis) or repository, also with a tag
    pub(super) image: String,
    /// Windows versions of the hosts, separated by commas, each in any notation
    #[arg(long)]
    pub(super) hosts: Option<String>,
    /// Fleet of the configuration file, instead of --hosts
    #[arg(long, value_name = "NAME")]
    pub(super) fleet: Option<String>,
    #[arg(long, help = choices("Platform that runs the containers", Platform::WORDS, "docker"))]
    pub(super) platform: Option<String>,
    #[arg(long, help = choices("Output format", FleetFormat::WORDS, "json"))]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct HostsArguments {
    /// Image reference with a tag or digest
    #[arg(value_name = "REFERENCE")]
    pub(super) image: String,
    #[arg(long, help = choices("Architecture of the image", Architecture::WORDS, "amd64"))]
    pub(super) arch: Option<String>,
    #[arg(long, help = choices("Platform that runs the containers", Platform::WORDS, "docker"))]
    pub(super) platform: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct NodesArguments {
    /// Family (nanoserver, servercore, server, windows, iis) or repository, also with a tag
    pub(super) image: String,
    /// Output of kubectl get nodes -o json or -o wide, or of docker node inspect; stdin by default
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    #[arg(long, help = choices("Output format", FleetFormat::WORDS, "json"))]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct TagsArguments {
    /// Family (nanoserver, servercore, server, windows, iis) or repository
    pub(super) image: String,
    /// Only tags of this build, such as 20348
    #[arg(long)]
    pub(super) build: Option<u32>,
    /// Only tags of this release, such as ltsc2022 or 21H2
    #[arg(long)]
    pub(super) release: Option<String>,
    /// Only tags that are this update, such as KB5031364
    #[arg(long)]
    pub(super) kb: Option<String>,
    /// Only this tag and those that are the same image
    #[arg(long)]
    pub(super) tag: Option<String>,
    /// Only tags of this software and version, such as 4.8.1 or jdk21
    #[arg(long)]
    pub(super) stem: Option<String>,
    /// Only tags that name this base, such as nanoserver
    #[arg(long)]
    pub(super) base: Option<String>,
    #[arg(long, help = choices("Only tags of this architecture", Architecture::WORDS, "any"))]
    pub(super) arch: Option<String>,
    /// Former day, such as 2024-03-01, or moment: the tags as they were then, from observations
    #[arg(long, value_name = "DAY")]
    pub(super) as_of: Option<String>,
    /// Number of tags to skip [default: 0]
    #[arg(long)]
    pub(super) offset: Option<u32>,
    /// Maximum number of tags [default: 100]
    #[arg(long)]
    pub(super) limit: Option<u32>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct HistoryArguments {
    /// Family (nanoserver, servercore, server, windows, iis) or repository
    pub(super) image: String,
    /// Tag, such as ltsc2022
    pub(super) tag: String,
    #[arg(long, help = choices("Output format", HistoryFormat::WORDS, "json"))]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArguments {
    /// Text that a machine prints about itself; stdin by default
    #[arg(value_name = "TEXT")]
    pub(super) host: Option<String>,
    /// Whether the host is a server or a client, where the text does not say: server, client
    #[arg(long, value_name = "TYPE")]
    pub(super) host_type: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct MatrixArguments {
    /// Windows versions of the hosts, separated by commas [default: all known builds]
    #[arg(long)]
    pub(super) hosts: Option<String>,
    /// Fleet of the configuration file, instead of --hosts
    #[arg(long, value_name = "NAME")]
    pub(super) fleet: Option<String>,
    /// Windows versions of the images, separated by commas [default: all builds with base images]
    #[arg(long)]
    pub(super) images: Option<String>,
    #[arg(long, help = choices("Platform that runs the containers", Platform::WORDS, "docker"))]
    pub(super) platform: Option<String>,
    #[command(flatten)]
    pub(super) source: SourceSettings,
}

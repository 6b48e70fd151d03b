//! The settings: from the command line, from variables, from a file; a flag beats a variable beats
//! the file.

mod args;
mod clients;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::images::{Families, Family, Repository, canonical_registry};
use crate::registry::{Credentials, RegistriesSettings, RegistrySettings, Secret};
use crate::windows::{Base, TableError, Tables, WindowsVersion};

pub use args::{DEFAULT_ADMIN_LISTEN, ServeArgs, SourceArgs};
pub use clients::ClientLimits;

/// The registries that may be asked when nothing is configured: that of the base images, and Docker
/// Hub, where most images that are built on them are.
const DEFAULT_REGISTRIES: [&str; 2] = ["mcr.microsoft.com", "docker.io"];

/// Each is compared with each image of each pod; there are fewer builds of Windows.
const MAX_KUBERNETES_HOSTS: usize = 64;

/// All settings, checked.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics are; [`DEFAULT_ADMIN_LISTEN`], if that is free, when nobody said.
    pub admin_listen: Option<AdminListen>,
    /// What clients may take.
    pub clients: ClientLimits,
    /// How long requests are still taken after the service was told to stop.
    pub drain_delay: Duration,
    /// The directory of the snapshot; none is kept without one.
    pub state_dir: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Never ask a registry.
    pub offline: bool,
    /// How long a registry's answer is used without asking again.
    pub fresh_for: Duration,
    /// The registries that may be asked.
    pub registries: RegistriesSettings,
    /// The versions of the Windows nodes of the Kubernetes cluster whose pods are admitted; none
    /// when nobody said.
    pub kubernetes_hosts: Vec<WindowsVersion>,
    /// The families of images.
    pub families: Families,
    /// The Windows tables.
    pub tables: &'static Tables,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration file is not valid.
    #[error("{}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        detail: String,
    },
    /// A Windows table is not valid.
    #[error("--tables-dir: {0}")]
    Tables(#[from] TableError),
    /// A value is not valid.
    #[error("{setting}: {detail}")]
    Value {
        /// The setting, as it is written.
        setting: String,
        /// What is wrong and what is wanted.
        detail: String,
    },
}

/// A registry and where its requests are sent instead: `mcr.microsoft.com=http://127.0.0.1:5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    registry: String,
    url: Url,
}

impl std::str::FromStr for Mirror {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = "write REGISTRY=URL, such as mcr.microsoft.com=http://127.0.0.1:5000";
        let (registry, url) = text.trim().split_once('=').ok_or(example)?;
        let registry = registry_name(registry).ok_or(example)?;
        Ok(Self { registry, url: mirror_url(url)? })
    }
}

/// Where the listener for those who run the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl std::str::FromStr for AdminListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| {
                "write an address and port, such as 127.0.0.1:9090, or off".to_owned()
            }),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// In which form; what standard error is decides when nobody said.
    pub format: Option<LogFormat>,
    /// Which events: a level, or levels by module.
    pub level: Option<String>,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write text or json".to_owned()),
        }
    }
}

/// A registry host as references name it, with its port if it has one.
fn registry_name(text: &str) -> Option<String> {
    let probe = Repository::parse(&format!("{text}/x")).ok()?;
    (probe.registry() == canonical_registry(text)).then(|| probe.registry().to_owned())
}

fn mirror_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{error}; write it like http://127.0.0.1:5000"))?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_plain {
        Ok(url)
    } else {
        Err("a mirror is an http or https URL of a host and perhaps a path, nothing else"
            .to_owned())
    }
}

/// A span of time as people write it: `90s`, `15m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "write a number and a unit: 90s, 15m or 1h";
        let at = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(wanted)?;
        let (number, unit) = text.split_at(at);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wanted.to_owned()),
        };
        let number: u64 = number.parse().map_err(|_| wanted.to_owned())?;
        // A longer span would be an error of typing; it also keeps the arithmetic far from
        // overflow.
        const MOST_SECONDS: u64 = 7 * 24 * 3600;
        let total = number
            .checked_mul(seconds)
            .filter(|total| *total <= MOST_SECONDS)
            .ok_or("at most 168h")?;
        Ok(Self(Duration::from_secs(total)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => f.write_str("0s"),
            _ if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
            _ if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            _ => write!(f, "{seconds}s"),
        }
    }
}

impl Settings {
    /// Reads what the arguments of the service name, and checks it.
    ///
    /// # Errors
    /// The text names the setting and says what is wanted.
    pub fn of_service(arguments: &ServeArgs) -> Result<Self, ConfigError> {
        Self::load(Some(arguments), &arguments.source)
    }

    /// As [`Self::of_service`], for a command that asks one question and keeps nothing.
    ///
    /// # Errors
    /// As there.
    pub fn of_command(source: &SourceArgs) -> Result<Self, ConfigError> {
        Ok(Self { state_dir: None, ..Self::load(None, source)? })
    }

    /// Where a service with this option and this configuration file listens.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn listen_of(
        option: Option<SocketAddr>,
        config: Option<&Path>,
    ) -> Result<SocketAddr, ConfigError> {
        let in_file = || Ok(config.map(file::read).transpose()?.and_then(|file| file.listen));
        option
            .map_or_else(in_file, |listen| Ok(Some(listen)))
            .map(|listen| listen.unwrap_or(args::DEFAULT_LISTEN))
    }

    fn load(service: Option<&ServeArgs>, source: &SourceArgs) -> Result<Self, ConfigError> {
        let file = match &source.config {
            Some(path) => file::read(path)?,
            None => file::File::default(),
        };
        let tables = match source.tables_dir.as_ref().or(file.tables_dir.as_ref()) {
            Some(directory) => read_tables(directory)?,
            None => Tables::embedded(),
        };
        let mut registries: BTreeMap<String, RegistrySettings> = DEFAULT_REGISTRIES
            .iter()
            .map(|name| ((*name).to_owned(), RegistrySettings::default()))
            .collect();
        let mut named = BTreeSet::new();
        for (written, table) in file.registries {
            let (name, settings) = registry_settings(&written, table)?;
            if !named.insert(name.clone()) {
                let detail = "it is there twice: case makes no difference in a host, and :443 \
                              neither"
                    .to_owned();
                return Err(ConfigError::Value {
                    setting: format!("registries.\"{written}\""),
                    detail,
                });
            }
            registries.insert(name, settings);
        }
        for mirror in &source.mirror {
            registries.entry(mirror.registry.clone()).or_default().mirror =
                Some(mirror.url.clone());
        }
        let mut families = Families::embedded();
        for family in file.families {
            families.add(read_family(family)?);
        }
        Ok(Self {
            listen: service
                .and_then(|service| service.listen)
                .or(file.listen)
                .unwrap_or(args::DEFAULT_LISTEN),
            admin_listen: service.and_then(|service| service.admin_listen).or(file.admin_listen),
            clients: ClientLimits::new(
                service.and_then(|service| service.rate_limit).or(file.rate_limit),
                service
                    .map(|service| service.trusted_proxy.clone())
                    .filter(|proxies| !proxies.is_empty())
                    .unwrap_or(file.trusted_proxy),
                service.and_then(|service| service.max_connections).or(file.max_connections),
            ),
            drain_delay: service
                .and_then(|service| service.drain_delay)
                .or(file.drain_delay)
                .unwrap_or(args::DEFAULT_DRAIN_DELAY)
                .0,
            log: LogSettings {
                format: service.and_then(|service| service.log_format).or(file.log_format),
                level: service.and_then(|service| service.log_level.clone()).or(file.log_level),
            },
            state_dir: service.and_then(|service| service.state_dir.clone()).or(file.state_dir),
            kubernetes_hosts: kubernetes_hosts(service, file.kubernetes_hosts)?,
            offline: source.offline.or(file.offline).unwrap_or(false),
            fresh_for: source.fresh_for.or(file.fresh_for).unwrap_or(args::DEFAULT_FRESH_FOR).0,
            registries: RegistriesSettings {
                registries,
                docker_config: source.docker_config.clone().or(file.docker_config),
            },
            families,
            tables,
        })
    }
}

/// The versions of a cluster's nodes.
fn kubernetes_hosts(
    service: Option<&ServeArgs>,
    of_file: Vec<String>,
) -> Result<Vec<WindowsVersion>, ConfigError> {
    let bad = |detail| ConfigError::Value { setting: "kubernetes_hosts".to_owned(), detail };
    let given =
        service.map(|service| service.kubernetes_hosts.clone()).filter(|given| !given.is_empty());
    let hosts = match given {
        Some(hosts) => hosts,
        None => {
            let read = of_file.iter().map(|text| text.parse::<WindowsVersion>());
            read.collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))?
        }
    };
    if hosts.len() > MAX_KUBERNETES_HOSTS {
        return Err(bad(format!(
            "at most {MAX_KUBERNETES_HOSTS} versions; give each once, not once for each node"
        )));
    }
    Ok(hosts)
}

/// Newer Windows tables, from files named as the embedded ones are. They are read once and live as
/// long as the process.
fn read_tables(directory: &Path) -> Result<&'static Tables, ConfigError> {
    let releases = read_text(&directory.join("releases.csv"))?;
    let kb = read_text(&directory.join("kb.csv"))?;
    Ok(Box::leak(Box::new(Tables::from_csv(&releases, &kb)?)))
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

fn registry_settings(
    name: &str,
    table: file::Registry,
) -> Result<(String, RegistrySettings), ConfigError> {
    let setting = |key: &str| format!("registries.\"{name}\"{key}");
    let bad = |key: &str, detail: &str| ConfigError::Value {
        setting: setting(key),
        detail: detail.to_owned(),
    };
    let name = registry_name(name)
        .ok_or_else(|| bad("", "name a registry host, such as registry.example.com:5000"))?;
    let mirror = match table.mirror {
        Some(text) => Some(mirror_url(&text).map_err(|detail| bad(".mirror", &detail))?),
        None => None,
    };
    let credentials = match (table.username, table.password_file) {
        (Some(username), Some(path)) => {
            let password = read_text(&path)?;
            Some(Credentials {
                username,
                password: Secret::new(password.trim_end_matches(['\r', '\n']).to_owned()),
            })
        }
        (None, None) => None,
        _ => return Err(bad("", "username and password_file belong together")),
    };
    let timeout = table.timeout.map(|Span(timeout)| timeout);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(bad(
            ".timeout",
            "no registry answers in no time; write a span such as 20s, or leave it out",
        ));
    }
    if table.requests_per_hour == Some(0) {
        let detail = "with no requests it is never asked; write 1 or more, or use --offline to \
                      ask no registry at all";
        return Err(bad(".requests_per_hour", detail));
    }
    let settings = RegistrySettings {
        mirror,
        ca_file: table.ca_file,
        credentials,
        token_hosts: table.token_hosts,
        blob_hosts: table.blob_hosts,
        timeout,
        requests_per_hour: table.requests_per_hour,
    };
    Ok((name, settings))
}

fn read_family(family: file::Family) -> Result<Family, ConfigError> {
    let setting = format!("families, {}", family.name);
    let repository = Repository::parse(&family.repository)
        .map_err(|error| ConfigError::Value { setting, detail: error.to_string() })?;
    Ok(Family {
        base: if family.nanoserver { Base::Nanoserver } else { Base::Servercore },
        name: family.name,
        repository,
        names: family.names,
        legacy_names: family.legacy_names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_printed() {
        for text in ["0s", "90s", "15m", "168h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["", "15", "m", "15 m", "-1s", "169h", "99999999999999999999h", "1.5h"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_registry_that_could_never_answer_is_refused() {
        let name = "registry.example.com";
        for (table, key) in [
            (
                file::Registry { requests_per_hour: Some(0), ..Default::default() },
                "requests_per_hour",
            ),
            (
                file::Registry { timeout: Some(Span(Duration::ZERO)), ..Default::default() },
                "timeout",
            ),
        ] {
            let error = registry_settings(name, table).unwrap_err().to_string();
            assert!(error.starts_with(&format!("registries.\"{name}\".{key}: ")), "{error}");
            assert!(error.contains("write"), "{error}");
        }
        let (timeout, requests_per_hour) = (Some(Span(Duration::from_secs(1))), Some(1));
        assert!(
            registry_settings(
                name,
                file::Registry { timeout, requests_per_hour, ..Default::default() }
            )
            .is_ok()
        );
    }

    #[test]
    fn mirrors_are_read() {
        let mirror: Mirror = "mcr.microsoft.com=http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(
            (mirror.registry.as_str(), mirror.url.as_str()),
            ("mcr.microsoft.com", "http://127.0.0.1:5000/")
        );
        let mirror: Mirror = "MCR.microsoft.com:443=http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(mirror.registry, "mcr.microsoft.com");
        for text in [
            "",
            "mcr.microsoft.com",
            "a/b=http://x",
            "x.y=ftp://x",
            "x.y=http://u:p@x",
            "=http://x",
            "x.y=http://x/?a=b",
        ] {
            assert!(text.parse::<Mirror>().is_err(), "{text:?}");
        }
    }
}

//! The settings: options beat variables, and variables beat the configuration file.

mod error;
mod values;
mod options;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::facts::FactsSettings;
use crate::images::{Families, Family, Repository};
use crate::registry::{Credentials, RegistriesSettings, RegistrySettings, Secret};
use crate::windows::{Base, Fleets, Host, MAX_FLEET_HOSTS, Tables, WindowsVersion, read_host};

use file::{FamilyTable, RegistryTable};
use values::{mirror_url, registry_name};

pub use error::ConfigError;
pub use file::{ConfigFile, key_of};
pub use options::{
    ClientLimits, DEFAULT_ADMIN_LISTEN, ListenSettings, LogSettings, ServiceSettings,
    SourceSettings,
};
pub use values::{AdminListen, LogFormat};

/// The registries that may be asked by default: that of the base images, and those where most
/// images that are built on them are.
const DEFAULT_REGISTRIES: [&str; 7] = [
    "mcr.microsoft.com",
    "docker.io",
    "ghcr.io",
    "quay.io",
    "registry.gitlab.com",
    "registry.k8s.io",
    "public.ecr.aws",
];

/// Each is compared with each image of each pod; there are fewer builds of Windows.
const MAX_KUBERNETES_HOSTS: usize = 64;
/// The longest name of a fleet; it is a parameter of requests.
const MAX_FLEET_NAME_BYTES: usize = 64;

/// What answers depend on, checked.
#[derive(Debug)]
pub struct Settings {
    /// The directory of the snapshot; without one, no snapshot is kept.
    pub state_dir: Option<PathBuf>,
    /// The versions of the Windows nodes of the Kubernetes cluster whose pods are admitted; empty
    /// if they are not known.
    pub kubernetes_hosts: Vec<WindowsVersion>,
    /// Never contact a registry.
    pub offline: bool,
    /// How long data from a registry is used before it is asked again.
    pub fresh_for: Duration,
    /// The registries that may be asked.
    pub registries: RegistriesSettings,
    /// The families of images.
    pub families: Families,
    /// The fleets.
    pub fleets: Fleets,
    /// The Windows tables.
    pub tables: Arc<Tables>,
    /// The sources about new updates; without, none is read.
    pub facts: Option<FactsSettings>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<String>,
}

impl Settings {
    /// The settings of a service. Reads the files that they name.
    ///
    /// # Errors
    /// The text names the setting and says what is expected.
    pub fn of_service(service: &ServiceSettings, file: ConfigFile) -> Result<Self, ConfigError> {
        let kubernetes_hosts = service.kubernetes_hosts.clone();
        if kubernetes_hosts.len() > MAX_KUBERNETES_HOSTS {
            return Err(ConfigError::Value {
                setting: "kubernetes_hosts".to_owned(),
                detail: format!(
                    "at most {MAX_KUBERNETES_HOSTS} versions are possible; give each version \
                     once, not once for each node"
                ),
            });
        }
        let state_dir = service.state_dir.clone();
        Ok(Self { state_dir, kubernetes_hosts, ..Self::of_command(&service.source, file)? })
    }

    /// The settings of a command that answers one question and keeps nothing. Reads the files that
    /// they name.
    ///
    /// # Errors
    /// As for [`Self::of_service`].
    pub fn of_command(source: &SourceSettings, file: ConfigFile) -> Result<Self, ConfigError> {
        let tables = match &source.tables_dir {
            Some(directory) => read_tables(directory)?,
            None => Tables::embedded().clone(),
        };
        let bad = |detail| ConfigError::Value { setting: "facts_from".to_owned(), detail };
        let facts = FactsSettings::of(&source.facts_from).map_err(bad)?;
        let mut registries: BTreeMap<String, RegistrySettings> = DEFAULT_REGISTRIES
            .iter()
            .map(|name| ((*name).to_owned(), RegistrySettings::default()))
            .collect();
        let (mut named, mut warnings) = (BTreeSet::new(), Vec::new());
        for (written, table) in file.registries {
            let is_enabled = table.enabled.unwrap_or(true);
            warnings.extend(table.password_file.as_deref().and_then(readable_by_others));
            let (name, settings) = registry_settings(&written, table)?;
            if !named.insert(name.clone()) {
                let setting = format!("registries.\"{written}\"");
                let detail = "this registry is configured twice; hosts are equal without regard \
                              to case and to :443";
                return Err(ConfigError::Value { setting, detail: detail.to_owned() });
            }
            if is_enabled {
                registries.insert(name, settings);
            } else {
                registries.remove(&name);
            }
        }
        for mirror in &source.mirror {
            registries.entry(mirror.registry.clone()).or_default().mirror =
                Some(mirror.url.clone());
        }
        let mut families = Families::embedded();
        for table in file.families {
            families.add(family(table)?);
        }
        let mut fleets = Fleets::new();
        for (name, table) in file.fleets {
            let hosts = fleet(&name, &table.hosts, &tables)?;
            fleets.insert(name, hosts);
        }
        Ok(Self {
            state_dir: None,
            kubernetes_hosts: Vec::new(),
            offline: source.offline,
            fresh_for: source.fresh_for,
            registries: RegistriesSettings {
                registries,
                docker_config: source.docker_config.clone(),
            },
            families,
            fleets,
            tables,
            facts: facts.filter(|_| !source.offline),
            warnings,
        })
    }
}

/// The hosts of a fleet.
fn fleet(name: &str, texts: &[String], tables: &Tables) -> Result<Vec<Host>, ConfigError> {
    let bad = |detail| ConfigError::Value { setting: format!("fleets.{name}"), detail };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > MAX_FLEET_NAME_BYTES || !name.bytes().all(is_plain) {
        let detail = "the name must have 1 to 64 letters, digits, dots, hyphens and underscores";
        return Err(bad(detail.to_owned()));
    }
    if texts.is_empty() || texts.len() > MAX_FLEET_HOSTS {
        let detail = format!(
            "hosts must have 1 to {MAX_FLEET_HOSTS} items; give each version once, not once for \
             each host"
        );
        return Err(bad(detail));
    }
    let read = |text: &String| {
        let reading = read_host(text, None, tables).map_err(|error| bad(error.to_string()))?;
        reading.host.ok_or_else(|| {
            bad(format!("{text:?} could be several Windows versions; give the build"))
        })
    };
    texts.iter().map(read).collect()
}

/// Newer Windows tables, from files named as the embedded ones are.
fn read_tables(directory: &Path) -> Result<Arc<Tables>, ConfigError> {
    let releases = read_text(&directory.join("releases.csv"))?;
    let kb = read_text(&directory.join("kb.csv"))?;
    Ok(Arc::new(Tables::replacing(&releases, &kb)?))
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

fn registry_settings(
    name: &str,
    table: RegistryTable,
) -> Result<(String, RegistrySettings), ConfigError> {
    let bad = |key: &str, detail: &str| ConfigError::Value {
        setting: format!("registries.\"{name}\"{key}"),
        detail: detail.to_owned(),
    };
    let name = registry_name(name)
        .ok_or_else(|| bad("", "must be a registry host, such as registry.example.com:5000"))?;
    let mirror = match table.mirror {
        Some(text) => Some(mirror_url(&text).map_err(|detail| bad(".mirror", &detail))?),
        None => None,
    };
    let credentials = match (table.username, table.password_file) {
        (Some(username), Some(path)) => {
            if username.contains(':') {
                let detail = "must not contain a colon: HTTP Basic ends the user name there (RFC \
                              7617)";
                return Err(bad(".username", detail));
            }
            let password = read_text(&path)?;
            let password = password.trim_end_matches(['\r', '\n']);
            if password.is_empty() {
                let detail = format!(
                    "{} is empty; write the password into it, or leave out username and \
                     password_file",
                    path.display()
                );
                return Err(bad(".password_file", &detail));
            }
            Some(Credentials { username, password: Secret::new(password.to_owned()) })
        }
        (None, None) => None,
        _ => return Err(bad("", "username and password_file must be given together")),
    };
    if table.timeout.is_some_and(|timeout| timeout.is_zero()) {
        let detail = "must not be zero; write a duration such as 20s, or leave it out";
        return Err(bad(".timeout", detail));
    }
    if table.requests_per_hour == Some(0) {
        let detail = "must not be zero; write 1 or more, or use --offline to contact no registry";
        return Err(bad(".requests_per_hour", detail));
    }
    let settings = RegistrySettings {
        mirror,
        ca_file: table.ca_file,
        credentials,
        token_hosts: table.token_hosts,
        blob_hosts: table.blob_hosts,
        timeout: table.timeout,
        requests_per_hour: table.requests_per_hour,
    };
    Ok((name, settings))
}

/// The warning about a file with a secret that all users of the machine may read.
#[cfg(unix)]
fn readable_by_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    /// The bit with which others may read (POSIX, `S_IROTH`).
    const READABLE_BY_OTHERS: u32 = 0o004;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & READABLE_BY_OTHERS != 0).then(|| {
        format!(
            "password_file {} can be read by all users of this machine; allow its owner or group \
             only, such as with chmod 0440",
            path.display()
        )
    })
}

/// Windows has no such bit.
#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> Option<String> {
    None
}

fn family(table: FamilyTable) -> Result<Family, ConfigError> {
    let setting = format!("families, {}", table.name);
    let repository = Repository::parse(&table.repository)
        .map_err(|error| ConfigError::Value { setting, detail: error.to_string() })?;
    Ok(Family {
        base: if table.nanoserver { Base::Nanoserver } else { Base::Servercore },
        name: table.name,
        repository,
        names: table.names,
        legacy_names: table.legacy_names,
        sisters: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_registry_that_could_never_answer_is_refused() {
        let name = "registry.example.com";
        for (table, key) in [
            (
                RegistryTable { requests_per_hour: Some(0), ..Default::default() },
                "requests_per_hour",
            ),
            (RegistryTable { timeout: Some(Duration::ZERO), ..Default::default() }, "timeout"),
        ] {
            let error = registry_settings(name, table).unwrap_err().to_string();
            assert!(error.starts_with(&format!("registries.\"{name}\".{key}: ")), "{error}");
            assert!(error.contains("write"), "{error}");
        }
        let (timeout, requests_per_hour) = (Some(Duration::from_secs(1)), Some(1));
        let table = RegistryTable { timeout, requests_per_hour, ..Default::default() };
        assert!(registry_settings(name, table).is_ok());
    }

    #[test]
    fn h24_credentials_that_cannot_work_are_refused() {
        let file = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let (empty, newline, filled) = (file(""), file("\r\n"), file("p:w\n"));
        let with = |username: &str, file: &tempfile::NamedTempFile| {
            let (username, password_file) =
                (Some(username.to_owned()), Some(file.path().to_owned()));
            let table = RegistryTable { username, password_file, ..Default::default() };
            registry_settings("a.example", table).map(|(_, settings)| settings.credentials)
        };
        for (username, file, key) in [
            ("u", &empty, "password_file"),
            ("u", &newline, "password_file"),
            ("u:x", &filled, "username"),
        ] {
            let error = with(username, file).unwrap_err().to_string();
            assert!(error.starts_with(&format!("registries.\"a.example\".{key}: ")), "{error}");
        }
        assert!(with("u", &filled).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn h24_a_password_that_all_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, is_warned) in [(0o440, false), (0o644, true), (0o604, true)] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(readable_by_others(file.path()).is_some(), is_warned, "{mode:o}");
        }
    }
}

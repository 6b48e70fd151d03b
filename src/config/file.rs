//! The configuration file, in TOML. A key that is not known is an error that names it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::clients::{RateLimit, TrustedProxy};
use super::{AdminListen, ConfigError, LogFormat, Span};

/// A configuration file is a page or two; a larger one is another file by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub listen: Option<SocketAddr>,
    #[serde(deserialize_with = "parsed")]
    pub admin_listen: Option<AdminListen>,
    #[serde(deserialize_with = "parsed")]
    pub rate_limit: Option<RateLimit>,
    pub trusted_proxy: Vec<TrustedProxy>,
    pub max_connections: Option<NonZeroU32>,
    #[serde(deserialize_with = "parsed")]
    pub drain_delay: Option<Span>,
    pub state_dir: Option<PathBuf>,
    #[serde(deserialize_with = "parsed")]
    pub log_format: Option<LogFormat>,
    pub log_level: Option<String>,
    pub kubernetes_hosts: Vec<String>,
    pub offline: Option<bool>,
    #[serde(deserialize_with = "parsed")]
    pub fresh_for: Option<Span>,
    pub tables_dir: Option<PathBuf>,
    pub docker_config: Option<PathBuf>,
    pub registries: BTreeMap<String, Registry>,
    pub families: Vec<Family>,
}

/// How a registry is reached. Naming one allows it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    pub mirror: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub token_hosts: Vec<String>,
    pub blob_hosts: Vec<String>,
    #[serde(deserialize_with = "parsed")]
    pub timeout: Option<Span>,
    pub requests_per_hour: Option<u32>,
}

/// A family of images beside the embedded ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    pub name: String,
    pub repository: String,
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub legacy_names: Vec<String>,
    /// Whether its lifetime is that of Nano Server.
    #[serde(default)]
    pub nanoserver: bool,
}

/// Reads the file.
pub fn read(path: &Path) -> Result<File, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let bad = |detail: String| ConfigError::File { path: path.to_owned(), detail };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(bad(format!("larger than {MAX_FILE_BYTES} bytes; is this the right file?")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| bad(where_and_what(&text, &error)))
}

/// The place of an error and what is wrong there. The line itself is not shown: it may hold a
/// password that was written where none belongs.
fn where_and_what(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
    format!("{}{}", line.unwrap_or_default(), error.message())
}

/// A value that is written as on the command line.
fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let file: File = toml::from_str(
            r#"
            listen = "0.0.0.0:80"
            admin_listen = "off"
            state_dir = "/var/lib/wintag"
            fresh_for = "1h"
            [registries."registry.example.com"]
            mirror = "https://mirror.example.com/x"
            username = "u"
            password_file = "/run/secrets/p"
            timeout = "20s"
            [[families]]
            name = "aspnet"
            repository = "mcr.microsoft.com/dotnet/framework/aspnet"
            "#,
        )
        .unwrap();
        assert_eq!(file.fresh_for.unwrap().to_string(), "1h");
        assert_eq!(file.admin_listen, Some(AdminListen::Off));
        assert_eq!(file.families.len(), 1);
        assert!(file.registries.contains_key("registry.example.com"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = toml::from_str::<File>("fresh-for = '1h'").unwrap_err();
        assert!(error.to_string().contains("fresh-for"), "{error}");
    }
}

//! The configuration file, in TOML.
//!
//! Its keys are the names of the options, whose defaults its values become, and three kinds of
//! tables that no option has. A key that is not known is an error that names it.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, Args as _, Command};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::ConfigError;
use super::options::ServiceSettings;
use super::values::duration;

/// A configuration file is a page or two; a larger one is another file by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The keys of the tables.
const REGISTRIES: &str = "registries";
const FAMILIES: &str = "families";
const FLEETS: &str = "fleets";

/// A configuration file.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// The values of options, by the ids of their arguments.
    values: BTreeMap<String, Vec<String>>,
    pub(super) registries: BTreeMap<String, RegistryTable>,
    pub(super) families: Vec<FamilyTable>,
    pub(super) fleets: BTreeMap<String, FleetTable>,
}

/// How to reach a registry. Naming a registry allows it, unless it is not enabled.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RegistryTable {
    pub enabled: Option<bool>,
    pub mirror: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub token_hosts: Vec<String>,
    pub blob_hosts: Vec<String>,
    #[serde(deserialize_with = "some_duration")]
    pub timeout: Option<Duration>,
    pub requests_per_hour: Option<u32>,
}

/// A family of images beside the embedded ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyTable {
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

/// Hosts that belong together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetTable {
    pub hosts: Vec<String>,
}

/// The key of the configuration file for this option, if it has one: mirrors are part of the
/// tables of registries.
pub fn key_of(arg: &Arg) -> Option<&str> {
    let id = arg.get_id().as_str();
    (arg.get_env().is_some() && id != "config" && id != "mirror").then_some(id)
}

impl ConfigFile {
    /// Reads a file and checks its values.
    ///
    /// # Errors
    /// The text names the file and the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let bad = |detail: String| ConfigError::File { path: path.to_owned(), detail };
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
            return Err(bad(format!(
                "larger than {MAX_FILE_BYTES} bytes; is this the right file?"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(bad)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let described = |error: toml::de::Error| {
            let start = error.span().map(|span| span.start);
            at_line(text, start, error.message())
        };
        let command = ServiceSettings::augment_args(Command::new("serve"));
        let args: BTreeMap<&str, &Arg> =
            command.get_arguments().filter_map(|arg| Some((key_of(arg)?, arg))).collect();
        let mut file = Self::default();
        for (key, value) in DeTable::parse(text).map_err(described)?.into_inner() {
            let name = key.get_ref().as_ref();
            let tables = ValueDeserializer::from(value.clone());
            match (name, args.get(name)) {
                (REGISTRIES, _) => {
                    file.registries = Deserialize::deserialize(tables).map_err(described)?;
                }
                (FAMILIES, _) => {
                    file.families = Deserialize::deserialize(tables).map_err(described)?;
                }
                (FLEETS, _) => {
                    file.fleets = Deserialize::deserialize(tables).map_err(described)?;
                }
                (_, Some(arg)) => {
                    let start = Some(value.span().start);
                    let values = values_of(arg, value.get_ref())
                        .map_err(|detail| at_line(text, start, &format!("{name}: {detail}")))?;
                    file.values.insert(name.to_owned(), values);
                }
                (_, None) => {
                    let known: Vec<String> = args
                        .keys()
                        .copied()
                        .chain([REGISTRIES, FAMILIES, FLEETS])
                        .map(|key| format!("`{key}`"))
                        .collect();
                    let detail =
                        format!("unknown field `{name}`, expected one of {}", known.join(", "));
                    return Err(at_line(text, Some(key.span().start), &detail));
                }
            }
        }
        Ok(file)
    }

    /// Whether it sets no option.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The command with the values of this file as defaults of its options and of those of its
    /// subcommands.
    pub fn set_defaults(&self, command: Command) -> Command {
        command
            .mut_args(|arg| match key_of(&arg).and_then(|key| self.values.get(key)) {
                Some(values) => arg.default_values(values),
                None => arg,
            })
            .mut_subcommands(|subcommand| self.set_defaults(subcommand))
    }
}

/// The line of an error and what is wrong there. The line itself is not shown: it may hold a
/// password that was written where none belongs.
fn at_line(text: &str, start: Option<usize>, detail: &str) -> String {
    let before = start.and_then(|start| text.get(..start));
    let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
    line.unwrap_or_default() + detail
}

/// The values of an option, as they are written on the command line; those that the option would
/// not take are refused.
fn values_of(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let is_list = matches!(arg.get_action(), clap::ArgAction::Append);
    let values = match value {
        DeValue::Array(items) if is_list => {
            items.iter().map(|item| text_of(arg, item.get_ref())).collect()
        }
        _ if is_list => return Err("must be a list".to_owned()),
        one => text_of(arg, one).map(|text| vec![text]),
    };
    let values: Vec<String> = values?;
    let option = arg.get_long().ok_or("not an option")?;
    let written = values.iter().map(|value| format!("--{option}={value}"));
    let probe = Command::new("probe").no_binary_name(true).arg(arg.clone());
    match probe.try_get_matches_from(written) {
        Ok(_) => Ok(values),
        Err(error) => {
            Err(error.source().map_or_else(|| "not valid".to_owned(), ToString::to_string))
        }
    }
}

fn text_of(arg: &Arg, value: &DeValue<'_>) -> Result<String, String> {
    let kind = arg.get_value_names().and_then(|names| names.first()).map(AsRef::as_ref);
    match (value, kind) {
        (DeValue::String(text), kind) if kind != Some("BOOLEAN") => Ok(text.as_ref().to_owned()),
        (DeValue::Boolean(flag), Some("BOOLEAN")) => Ok(flag.to_string()),
        (DeValue::Integer(number), Some("NUMBER")) => Ok(number.as_str().to_owned()),
        (_, Some("BOOLEAN")) => Err("must be true or false".to_owned()),
        (_, Some("NUMBER")) => Err("must be a number".to_owned()),
        _ => Err("must be a text in quotes".to_owned()),
    }
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let file = ConfigFile::parse(
            r#"
            listen = "0.0.0.0:80"
            admin_listen = "off"
            state_dir = "/var/lib/wintag"
            fresh_for = "1h"
            max_connections = 100
            trusted_proxy = ["10.0.0.7", "10.1.0.0/16"]
            offline = true
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
        assert_eq!(file.values["fresh_for"], ["1h"]);
        assert_eq!(file.values["offline"], ["true"]);
        assert_eq!(file.values["max_connections"], ["100"]);
        assert_eq!(file.values["trusted_proxy"], ["10.0.0.7", "10.1.0.0/16"]);
        assert_eq!(file.families.len(), 1);
        let registry = &file.registries["registry.example.com"];
        assert_eq!(registry.timeout, Some(Duration::from_secs(20)));
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong() {
        for (text, error) in [
            ("fresh-for = '1h'", "line 1: unknown field `fresh-for`, expected one of `"),
            ("config = 'x'", "line 1: unknown field `config`"),
            ("\nlisten = 'x'", "line 2: listen: invalid socket address syntax"),
            ("offline = 'true'", "line 1: offline: must be true or false"),
            ("state_dir = 5", "line 1: state_dir: must be a text in quotes"),
            ("max_connections = '0'", "line 1: max_connections: number would be zero"),
            ("rate_limit = 0", "line 1: rate_limit: write a number of requests per minute"),
            ("log_format = 'xml'", "line 1: log_format: must be one of text, json"),
            ("trusted_proxy = '10.0.0.7'", "line 1: trusted_proxy: must be a list"),
            ("trusted_proxy = ['10.0.0']", "line 1: trusted_proxy: write an address or a network"),
            ("[registries.a]\nx = 1", "line 2: unknown field `x`, expected one of `enabled`"),
            ("[registries.a]\ntimeout = '1x'", "line 2: write a number and a unit"),
            ("[[families]]\nname = 'a'", "line 1: missing field `repository`"),
            ("listen = 'x", "line 1: "),
        ] {
            let detail = ConfigFile::parse(text).unwrap_err();
            assert!(detail.starts_with(error), "{text}: {detail}");
        }
    }
}

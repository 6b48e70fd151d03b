//! The registries that may be queried, and how each one is reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// The settings of this room.
#[derive(Clone, Debug, Default)]
pub struct RegistriesSettings {
    /// The registries that may be queried, by the name that references use (`mcr.microsoft.com`,
    /// `docker.io`, `registry.example:5000`). The keys are the allow-list: no other registry is
    /// ever queried.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// A docker configuration file with credentials. `None` means the default one
    /// (`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`); it need not exist.
    pub docker_config: Option<PathBuf>,
}

/// How one registry is reached.
#[derive(Clone, Default)]
pub struct RegistrySettings {
    /// The server that gets the requests for this registry, such as `http://127.0.0.1:5000`. A path
    /// is put before `/v2/`; what follows a `/v2/` in it is put before the repository, as for a
    /// project of Harbor. Credentials of the docker configuration file are then those of this host.
    pub mirror: Option<Url>,
    /// A file with further CA certificates (PEM). They are trusted in exchanges for this registry
    /// only.
    pub ca_file: Option<PathBuf>,
    /// Credentials for this registry. They override those of the docker configuration file.
    pub credentials: Option<Credentials>,
    /// Further hosts, `host` or `host:port`, that may receive the credentials as the token service
    /// of this registry.
    pub token_hosts: Vec<String>,
    /// Further hosts, `host` or `host:port`, from which blobs may be fetched when this registry
    /// redirects to them, although they are in a private network. They never get credentials.
    pub blob_hosts: Vec<String>,
    /// The timeout of one exchange, body included; `None` means the default.
    pub timeout: Option<Duration>,
    /// The rate limit for requests to it; `None` means the default for it.
    pub requests_per_hour: Option<u32>,
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A mirror with a password in it is refused at start, but it may be printed before that.
        let mirror =
            self.mirror.as_ref().map(|mirror| format!("{}{}", origin_text(mirror), mirror.path()));
        f.debug_struct("RegistrySettings")
            .field("mirror", &mirror)
            .field("ca_file", &self.ca_file)
            .field("credentials", &self.credentials)
            .field("token_hosts", &self.token_hosts)
            .field("blob_hosts", &self.blob_hosts)
            .finish()
    }
}

/// A user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password or access token.
    pub password: Secret,
}

/// A secret text. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the code that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Whether one of these hosts, `host` or `host:port`, is the host of the URL.
pub(super) fn lists(hosts: &[String], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
    hosts.iter().any(|listed| listed == host || Some(listed) == with_port.as_ref())
}

/// Scheme, host and port of a URL, without user and password.
fn origin_text(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let settings = RegistriesSettings {
            registries: BTreeMap::from([(
                "a.example".to_owned(),
                RegistrySettings {
                    mirror: Some(Url::parse("http://user:canary@127.0.0.1:5000/p").unwrap()),
                    credentials: Some(Credentials {
                        username: "me".to_owned(),
                        password: Secret::new("canary"),
                    }),
                    ..RegistrySettings::default()
                },
            )]),
            docker_config: None,
        };
        let text = format!("{settings:?}");
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("http://127.0.0.1:5000/p"), "{text}");
    }
}

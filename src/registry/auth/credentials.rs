//! Logins of the docker configuration file, read on demand.

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::registry::error::RegistryError;
use crate::registry::settings::{Credentials, Secret};

/// Time for reading the file, which may be on a network. Ours.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// Concurrent readers of the file: one that hangs must not pile up threads. Ours.
static READERS: Semaphore = Semaphore::const_new(2);

/// The largest configuration file that is read. Ours.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A login for a server.
#[derive(Clone, Debug)]
pub enum Login {
    /// A user name and a password.
    Password(Credentials),
    /// A token that a token service exchanges for others, as `az acr login` leaves it.
    IdentityToken(Secret),
}

/// What the docker configuration has for a server.
#[derive(Debug)]
pub enum DockerLogin {
    /// The login itself.
    Known(Login),
    /// The credential helper that has it: the name of a program on the path.
    Helper(String),
}

/// The login in the docker configuration for a server (`registry.example:5000`), from this
/// file or the default one. `None` where it has none; a file that cannot be read is logged, and
/// requests are then anonymous.
///
/// # Errors
/// When the file cannot be read in time, so that it is unknown whether there are credentials.
pub async fn from_docker_config(
    path: Option<&Path>,
    server: &str,
) -> Result<Option<DockerLogin>, RegistryError> {
    let path = path.map(Path::to_path_buf);
    let name = server.to_owned();
    let reading = async {
        let permit = READERS.acquire().await.ok()?;
        let reading = tokio::task::spawn_blocking(move || {
            let result = read(path, &name);
            drop(permit);
            result
        });
        reading.await.ok()
    };
    let Ok(found) = tokio::time::timeout(FILE_TIMEOUT, reading).await else {
        return Err(RegistryError::unavailable(
            "the docker configuration could not be read in time",
        ));
    };
    Ok(match found {
        Some(Ok(found)) => found,
        Some(Err(error)) => {
            tracing::warn!(
                server,
                reason = reason(&error),
                "cannot use the docker configuration; requests are anonymous"
            );
            None
        }
        None => None,
    })
}

/// The default file, as the docker command line finds it.
fn default_path() -> Option<PathBuf> {
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker")));
    Some(folder?.join("config.json"))
}

fn read(
    path: Option<PathBuf>,
    server: &str,
) -> Result<Option<DockerLogin>, CredentialRetrievalError> {
    let is_optional = path.is_none();
    let Some(path) = path.or_else(default_path) else { return Ok(None) };
    let file = match File::open(path) {
        Ok(file) => file.take(MAX_FILE_BYTES),
        Err(_) if is_optional => return Ok(None),
        Err(_) => return Err(CredentialRetrievalError::ConfigReadError),
    };
    find(serde_json::from_reader(BufReader::new(file)), server)
}

/// The parts of the file that are about credentials.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    auths: Option<Value>,
    creds_store: Option<String>,
    cred_helpers: Option<HashMap<String, String>>,
}

/// The helper of the server comes first, then what the file has itself, then the general helper.
fn find(
    config: Result<DockerConfig, serde_json::Error>,
    server: &str,
) -> Result<Option<DockerLogin>, CredentialRetrievalError> {
    let config = config.map_err(|_| CredentialRetrievalError::ConfigReadError)?;
    let helper = |name: &String| {
        let program = format!("docker-credential-{name}");
        Some(program).filter(|_| !name.is_empty()).map(DockerLogin::Helper)
    };
    if let Some(helper) = config.cred_helpers.iter().find_map(|all| helper(all.get(server)?)) {
        return Ok(Some(helper));
    }
    // Without the helpers, which it would run itself.
    let auths = serde_json::json!({ "auths": config.auths }).to_string();
    match docker_credential::get_credential_from_reader(auths.as_bytes(), server) {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            let password = Secret::new(password);
            Ok(Some(DockerLogin::Known(Login::Password(Credentials { username, password }))))
        }
        Ok(DockerCredential::IdentityToken(token)) => {
            Ok(Some(DockerLogin::Known(Login::IdentityToken(Secret::new(token)))))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => {
            Ok(config.creds_store.as_ref().and_then(helper))
        }
        Err(error) => Err(error),
    }
}

/// The reason in our own words, because the file contains secrets.
fn reason(error: &CredentialRetrievalError) -> &'static str {
    match error {
        CredentialRetrievalError::CredentialDecodingError => "the credentials cannot be decoded",
        CredentialRetrievalError::CredentialMismatchError => {
            "the credentials contradict each other"
        }
        _ => "the file cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(config: &str, server: &str, expected: Option<(&str, &str)>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let found = from_docker_config(Some(file.path()), server).await.unwrap();
        let found = found.as_ref().map(|found| match found {
            DockerLogin::Known(Login::Password(found)) => {
                (found.username.as_str(), found.password.expose())
            }
            DockerLogin::Known(Login::IdentityToken(token)) => ("", token.expose()),
            DockerLogin::Helper(program) => ("helper", program.as_str()),
        });
        assert_eq!(found, expected, "{server} in {config}");
    }

    #[tokio::test]
    async fn credentials_are_found_by_server() {
        // "me:pw" in base64.
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cHc="},
            "a.example:5000":{"auth":"bWU6cHc="}}}"#;
        check(config, "https://index.docker.io/v1/", Some(("me", "pw"))).await;
        check(config, "a.example:5000", Some(("me", "pw"))).await;
        check(config, "a.example", None).await;
        // As `az acr login` writes it: the user name is a row of zeros, and has no password.
        let config = r#"{"auths":{"a.example":{"auth":"MDAwOg==","identitytoken":"x"}}}"#;
        check(config, "a.example", Some(("", "x"))).await;
    }

    #[tokio::test]
    async fn the_helper_of_a_server_comes_before_the_file_and_the_general_one_after_it() {
        let config = r#"{"auths":{"a.example":{"auth":"bWU6cHc="},"b.example":{"auth":"bWU6cHc="}},
            "credHelpers":{"a.example":"of-a"},"credsStore":"general"}"#;
        check(config, "a.example", Some(("helper", "docker-credential-of-a"))).await;
        check(config, "b.example", Some(("me", "pw"))).await;
        check(config, "c.example", Some(("helper", "docker-credential-general"))).await;
    }

    #[tokio::test]
    async fn an_unusable_file_gives_none() {
        for config in [
            "",
            "{",
            "[]",
            r#"{"auths":{"a.example":{"auth":"%"}}}"#,
            r#"{"auths":1}"#,
            r#"{"credHelpers":{"a.example":""}}"#,
        ] {
            check(config, "a.example", None).await;
        }
        let nowhere = Path::new("/nowhere/config.json");
        assert!(from_docker_config(Some(nowhere), "a.example").await.unwrap().is_none());
    }
}

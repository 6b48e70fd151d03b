//! Credentials of the docker configuration file, read on demand.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use tokio::sync::Semaphore;

use crate::registry::error::RegistryError;
use crate::registry::settings::{Credentials, Secret};

/// Time for a credential helper. Some unlock a key ring or query a cloud. Ours.
const HELPER_TIMEOUT: Duration = Duration::from_secs(5);

/// Concurrent readers of files and helpers: one that hangs must not pile up threads. Ours.
static READERS: Semaphore = Semaphore::const_new(2);

/// The largest configuration file that is read. Ours.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the docker configuration has for a server.
#[derive(Debug)]
pub enum Login {
    /// A user name and a password.
    Password(Credentials),
    /// A token that a token service exchanges for others, as `az acr login` leaves it.
    IdentityToken(Secret),
}

/// The login in the docker configuration for a server (`registry.example:5000`), from this
/// file or the default one. `None` where it has none; a file that cannot be read is logged, and
/// requests are then anonymous.
///
/// # Errors
/// When a helper does not answer in time, so that it is unknown whether there are credentials.
pub async fn from_docker_config(
    path: Option<&Path>,
    server: &str,
) -> Result<Option<Login>, RegistryError> {
    let path = path.map(Path::to_path_buf);
    let name = server.to_owned();
    let reading = async {
        let permit = READERS.acquire().await.ok()?;
        // This waits for the helper, which is another program: it must not block an async thread.
        let reading = tokio::task::spawn_blocking(move || {
            let result = read(path, &name);
            drop(permit);
            result
        });
        reading.await.ok()
    };
    let Ok(found) = tokio::time::timeout(HELPER_TIMEOUT, reading).await else {
        return Err(RegistryError::unavailable(
            "the docker credential helper did not answer in time",
        ));
    };
    Ok(match found {
        Some(Ok(DockerCredential::UsernamePassword(username, password))) => {
            Some(Login::Password(Credentials { username, password: Secret::new(password) }))
        }
        Some(Ok(DockerCredential::IdentityToken(token))) => {
            Some(Login::IdentityToken(Secret::new(token)))
        }
        Some(Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound,
        )) => None,
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

fn read(path: Option<PathBuf>, server: &str) -> Result<DockerCredential, CredentialRetrievalError> {
    let Some(path) = path else {
        return docker_credential::get_credential(server).map_err(|error| match error {
            // The default file is optional.
            CredentialRetrievalError::ConfigReadError => CredentialRetrievalError::ConfigNotFound,
            other => other,
        });
    };
    let file = File::open(path).map_err(|_| CredentialRetrievalError::ConfigReadError)?;
    docker_credential::get_credential_from_reader(BufReader::new(file.take(MAX_FILE_BYTES)), server)
}

/// The reason in our own words, because the output of a helper may contain a secret.
fn reason(error: &CredentialRetrievalError) -> &'static str {
    match error {
        CredentialRetrievalError::HelperCommunicationError => "the credential helper cannot be run",
        CredentialRetrievalError::MalformedHelperResponse => {
            "the credential helper printed an invalid answer"
        }
        CredentialRetrievalError::HelperFailure { .. } => {
            "the credential helper has no credentials or failed"
        }
        CredentialRetrievalError::CredentialDecodingError => "the credentials cannot be decoded",
        CredentialRetrievalError::CredentialMismatchError => {
            "the credentials contradict each other"
        }
        CredentialRetrievalError::NoCredentialConfigured
        | CredentialRetrievalError::ConfigNotFound => "there are no credentials",
        CredentialRetrievalError::ConfigReadError => "the file cannot be read",
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
            Login::Password(found) => (found.username.as_str(), found.password.expose()),
            Login::IdentityToken(token) => ("", token.expose()),
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
    async fn an_unusable_file_gives_none() {
        for config in [
            "",
            "{",
            "[]",
            r#"{"auths":{"a.example":{"auth":"%"}}}"#,
            r#"{"credHelpers":{"a.example":"no-such-helper"}}"#,
        ] {
            check(config, "a.example", None).await;
        }
        let nowhere = Path::new("/nowhere/config.json");
        assert!(from_docker_config(Some(nowhere), "a.example").await.unwrap().is_none());
    }
}

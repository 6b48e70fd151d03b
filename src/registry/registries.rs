//! The registries that may be queried: the allow-list and the queries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Certificate;

use super::circuit::CircuitBreaker;
use super::egress::{EgressClient, Observer};
use super::error::{RegistryError, SetupError};
use super::manifest::{Manifest, Wanted};
use super::manifest_fetch;
use super::place::{DOCKER_HUB, Place};
use super::rate_limit::{Purpose, UpstreamRateLimit};
use super::settings::{RegistriesSettings, RegistrySettings};
use super::tags::{self, TagNames};
use super::upstream::{EXCHANGE_TIMEOUT, Received, Upstream};
use crate::images::Repository;

/// All registries that may be queried. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Registries {
    upstreams: Arc<BTreeMap<String, Upstream>>,
    usual_client: EgressClient,
}

impl Registries {
    /// Checks the settings and reads the CA files. Nothing is sent yet.
    ///
    /// # Errors
    /// When a name, a mirror or a CA file cannot be used.
    pub fn new(settings: RegistriesSettings) -> Result<Self, SetupError> {
        Self::build(settings, EXCHANGE_TIMEOUT, None)
    }

    /// As [`Registries::new`]; the observer is called after each request.
    ///
    /// # Errors
    /// As there.
    pub fn observed(settings: RegistriesSettings, observer: Observer) -> Result<Self, SetupError> {
        Self::build(settings, EXCHANGE_TIMEOUT, Some(observer))
    }

    /// Tests of slow registries shorten the timeout.
    pub(super) fn build(
        settings: RegistriesSettings,
        exchange_timeout: Duration,
        observer: Option<Observer>,
    ) -> Result<Self, SetupError> {
        let usual_client = EgressClient::usual(observer.clone());
        let mut upstreams = BTreeMap::new();
        for (name, registry) in settings.registries {
            let place = Place::of(&name, &registry)?;
            let client = match extra_certificates(&name, &registry)? {
                Some(certificates) => EgressClient::build(certificates, observer.clone())?,
                None => usual_client.clone(),
            };
            let exchange_timeout = registry.timeout.unwrap_or(exchange_timeout);
            let circuit = CircuitBreaker::new(rate_limit(&name, &registry), Instant::now());
            let upstream = Upstream::new(
                &name,
                place,
                client,
                registry,
                settings.docker_config.clone(),
                circuit,
                exchange_timeout,
            );
            upstreams.insert(name, upstream);
        }
        Ok(Self { upstreams: Arc::new(upstreams), usual_client })
    }

    /// Builds the HTTP clients now and not for the first request. It takes some milliseconds.
    pub fn prepare(&self) {
        self.usual_client.prepare();
    }

    /// Whether this registry, named as references name it, may be queried.
    pub fn allows(&self, registry: &str) -> bool {
        self.upstreams.contains_key(registry)
    }

    /// Whether requests for this registry are sent to another server, which may hold less.
    pub fn is_mirrored(&self, registry: &str) -> bool {
        self.upstreams.get(registry).is_some_and(Upstream::is_mirror)
    }

    /// The server that is queried for this registry, as messages name it: with its mirror.
    pub fn server_of(&self, registry: &str) -> String {
        let mirror = self.mirror_of(registry).map(|mirror| format!("{mirror} of {registry}"));
        mirror.unwrap_or_else(|| registry.to_owned())
    }

    /// The mirror of this registry, as messages name it.
    pub fn mirror_of(&self, registry: &str) -> Option<String> {
        let mirror = self.upstreams.get(registry).and_then(Upstream::mirror)?;
        Some(format!("the mirror {mirror}"))
    }

    /// The registries that may be queried, in the order of their names.
    pub fn allowed(&self) -> impl Iterator<Item = &str> {
        self.upstreams.keys().map(String::as_str)
    }

    /// The servers whose last answer was an error, as messages name them, and the error.
    pub fn failures(&self) -> impl Iterator<Item = (String, RegistryError)> {
        self.upstreams
            .iter()
            .filter_map(|(name, upstream)| Some((self.server_of(name), upstream.last_failure()?)))
    }

    /// Each registry that may be queried, and whether its circuit breaker is open.
    pub fn circuits(&self) -> impl Iterator<Item = (&str, bool)> {
        self.upstreams.iter().map(|(name, upstream)| (name.as_str(), upstream.is_circuit_open()))
    }

    /// All tags of a repository: every page, in the order received, each name once. What is not a
    /// tag in the grammar of the distribution specification is left out.
    ///
    /// # Errors
    /// As [`RegistryError`] says. There is no partial list: a page that fails fails the list.
    pub async fn list_tags(
        &self,
        repository: &Repository,
        purpose: Purpose,
    ) -> Result<Received<TagNames>, RegistryError> {
        tags::list(self.upstream(repository)?, repository.path(), purpose).await
    }

    /// The manifest of a tag or digest: the entries of an index, or the one image, whose
    /// configuration is then read, because only that says for which system it is, unless the index
    /// describes an image of the same digest.
    ///
    /// # Errors
    /// As [`RegistryError`] says.
    pub async fn manifest(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        index: impl Future<Output = Option<Arc<Manifest>>> + Send,
        purpose: Purpose,
    ) -> Result<Received<Manifest>, RegistryError> {
        let upstream = self.upstream(repository)?;
        manifest_fetch::fetch(upstream, repository.path(), wanted, index, purpose).await
    }

    fn upstream(&self, repository: &Repository) -> Result<&Upstream, RegistryError> {
        let registry = repository.registry();
        self.upstreams
            .get(registry)
            .ok_or_else(|| RegistryError::NotAllowed { registry: registry.to_owned() })
    }
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.allowed()).finish()
    }
}

/// How many requests a registry may get. What is not set follows from what the registries allow:
/// Docker Hub 100 pulls in six hours from one anonymous address, of which 60 are ours; the
/// Microsoft registry publishes no number, and a refresh of all repositories in use takes about 100
/// an hour. A mirror is the operator's own.
fn rate_limit(name: &str, settings: &RegistrySettings) -> UpstreamRateLimit {
    const DEFAULT: UpstreamRateLimit = UpstreamRateLimit { burst: 600.0, per_hour: 600.0 };
    const DEFAULT_OF_DOCKER_HUB: UpstreamRateLimit =
        UpstreamRateLimit { burst: 60.0, per_hour: 10.0 };
    const DEFAULT_OF_MIRRORS: UpstreamRateLimit =
        UpstreamRateLimit { burst: 3600.0, per_hour: 36_000.0 };
    match settings.requests_per_hour {
        Some(number) => UpstreamRateLimit { burst: f64::from(number), per_hour: f64::from(number) },
        None if settings.mirror.is_some() => DEFAULT_OF_MIRRORS,
        None if name == DOCKER_HUB.0 && settings.credentials.is_none() => DEFAULT_OF_DOCKER_HUB,
        None => DEFAULT,
    }
}

/// A CA file larger than this is not one; the bundles of whole systems have about 200 KiB. Ours.
const MAX_CA_FILE_BYTES: u64 = 4 << 20;

fn extra_certificates(
    name: &str,
    settings: &RegistrySettings,
) -> Result<Option<Vec<Certificate>>, SetupError> {
    use std::io::Read as _;

    let Some(path) = &settings.ca_file else { return Ok(None) };
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_CA_FILE_BYTES).read_to_end(&mut pem))
        .map_err(|source| SetupError::CaFile {
        registry: name.to_owned(),
        path: path.clone(),
        source,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err(SetupError::CaCertificate { registry: name.to_owned(), path: path.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_must_hold_a_certificate() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = RegistrySettings {
            ca_file: Some(file.path().to_path_buf()),
            ..RegistrySettings::default()
        };
        assert!(matches!(
            extra_certificates("a.example", &settings),
            Err(SetupError::CaCertificate { .. })
        ));
        let settings = RegistrySettings {
            ca_file: Some("/nowhere/ca.pem".into()),
            ..RegistrySettings::default()
        };
        assert!(matches!(
            extra_certificates("a.example", &settings),
            Err(SetupError::CaFile { .. })
        ));
    }
}

//! The real client against a registry that behaves, and against ones that do not.

mod authentication;
mod budget;
mod hostile;
mod listing;
mod manifests;
mod transport;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oci_distribution::manifest::{
    IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE,
};

use tokio::sync::Notify;

use super::test_server::{Reply, Seen, TestServer};
use super::{
    Credentials, Entry, EntryRole, Manifest, Missing, Purpose, Registries, RegistriesSettings,
    RegistryError, RegistrySettings, Secret, TagNames, Wanted,
};
use crate::images::{Digest, Repository};

const OTHER: Purpose = Purpose::Other { client: None };
const LIST: &str = "/v2/x/y/tags/list";
/// `me:pw` as Basic credentials.
const BASIC: &str = "Basic bWU6cHc=";

fn repository() -> Repository {
    Repository::parse("a.example/x/y").unwrap()
}

/// The registry `a.example`, reached at this server.
fn registries(server: &TestServer) -> Registries {
    with_settings(server, RegistrySettings::default())
}

fn with_credentials(server: &TestServer) -> Registries {
    let credentials = Credentials { username: "me".to_owned(), password: Secret::new("pw") };
    with_settings(
        server,
        RegistrySettings { credentials: Some(credentials), ..RegistrySettings::default() },
    )
}

fn with_settings(server: &TestServer, settings: RegistrySettings) -> Registries {
    with_timeout(server, settings, Duration::from_secs(10))
}

fn with_timeout(
    server: &TestServer,
    settings: RegistrySettings,
    exchange_timeout: Duration,
) -> Registries {
    let mirror = Some(format!("http://{}", server.authority()).parse().unwrap());
    let settings = RegistriesSettings {
        registries: BTreeMap::from([(
            "a.example".to_owned(),
            RegistrySettings { mirror, ..settings },
        )]),
        // Not the one of the person who runs the tests.
        docker_config: Some("/nowhere/config.json".into()),
    };
    Registries::build(settings, exchange_timeout, None).unwrap()
}

async fn tags(registries: &Registries) -> Result<Vec<String>, RegistryError> {
    Ok(registries.list_tags(&repository(), OTHER).await?.value.names)
}

async fn manifest(registries: &Registries) -> Result<Manifest, RegistryError> {
    manifest_of(registries, Wanted::Tag("t".to_owned()), None).await
}

async fn manifest_of(
    registries: &Registries,
    wanted: Wanted,
    index: Option<Manifest>,
) -> Result<Manifest, RegistryError> {
    let index = ready(index.map(Arc::new));
    Ok(registries.manifest(&repository(), &wanted, index, OTHER).await?.value)
}

fn is_invalid<T>(result: Result<T, RegistryError>) -> bool {
    matches!(result, Err(RegistryError::Invalid { .. }))
}

fn unauthorized(challenge: &str) -> Reply {
    Reply::new(401, &[("www-authenticate", challenge)], "{}")
}

#[tokio::test]
async fn x01_a_registry_that_is_not_allowed_is_not_asked() {
    let server = TestServer::start(|_| Reply::ok("{}")).await;
    let registries = registries(&server);
    for name in ["b.example/x", "localhost:5000/x", &format!("{}/x", server.authority()), "x"] {
        let other = Repository::parse(name).unwrap();
        let expected = RegistryError::NotAllowed { registry: other.registry().to_owned() };
        assert_eq!(registries.list_tags(&other, OTHER).await, Err(expected.clone()));
        assert_eq!(
            registries.manifest(&other, &Wanted::Tag("t".to_owned()), ready(None), OTHER).await,
            Err(expected)
        );
    }
    assert_eq!(server.connections(), 0);
    assert!(registries.allows("a.example") && !registries.allows("docker.io"));
    assert_eq!(registries.allowed().collect::<Vec<_>>(), ["a.example"]);
}

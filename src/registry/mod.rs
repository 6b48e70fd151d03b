//! placeholder
use crate::images::*;
use std::time::Duration;
#[derive(Clone)]
pub struct Registries {}
impl Registries {
    pub fn allows(&self, _registry: &str) -> bool {
        true
    }
    pub async fn list_tags(&self, _r: &Repository) -> Result<Vec<String>, RegistryError> {
        Err(RegistryError::TimedOut)
    }
    pub async fn manifest(&self, _r: &Repository, _w: &Wanted) -> Result<Manifest, RegistryError> {
        Err(RegistryError::TimedOut)
    }
}
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    Tag(String),
    Digest(Digest),
}
#[derive(Clone, Debug)]
pub struct Manifest {
    pub digest: Digest,
    pub is_index: bool,
    pub entries: Vec<Entry>,
}
#[derive(Clone, Debug)]
pub struct Entry {
    pub digest: Digest,
    pub operating_system: Option<String>,
    pub architecture: Option<String>,
    pub variant: Option<String>,
    pub os_version: Option<String>,
    pub os_features: Vec<String>,
    pub role: EntryRole,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryRole {
    Image,
    Attestation,
    Other,
}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("a")]
    NotAllowed { registry: String },
    #[error("a")]
    NotFound { what: &'static str },
    #[error("a")]
    Refused { status: u16 },
    #[error("a")]
    RateLimited { retry_after: Option<Duration> },
    #[error("a")]
    Unavailable { detail: String, retry_after: Option<Duration> },
    #[error("a")]
    TimedOut,
    #[error("a")]
    Invalid { detail: String },
}
impl Manifest {
    pub fn weight(&self) -> usize {
        1000
    }
}

#[derive(Clone, Default, Debug)]
pub struct RegistrySettings {
    pub mirror: Option<url::Url>,
    pub ca_file: Option<std::path::PathBuf>,
    pub credentials: Option<Credentials>,
    pub token_hosts: Vec<String>,
    pub timeout: Option<Duration>,
}
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}
#[derive(Clone, Debug)]
pub struct Secret(String);
impl Secret {
    pub fn new(s: String) -> Self {
        Self(s)
    }
}
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub registries: std::collections::BTreeMap<String, RegistrySettings>,
    pub docker_config: Option<std::path::PathBuf>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct SetupError;
impl Registries {
    pub fn new(_s: Settings) -> Result<Self, SetupError> {
        Ok(Self {})
    }
}

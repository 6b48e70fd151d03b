//! Answering a registry that asks who we are.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::challenge::{self, Challenge};
use super::credentials;
use super::egress::{Clients, Reach, Request};
use super::error::RegistryError;
use super::realm;
use super::settings::{Credentials, RegistrySettings};
use super::token::{self, Authorization, Token, TokenStore};
use super::upstream::refusal;

/// The most that is read of a token service's answer (the cap that oras-go uses).
const MAX_TOKEN_ANSWER_BYTES: usize = 128 << 10;

/// How long user and password are sent unasked after the registry asked for them. Ours; it bounds
/// how long credentials that were changed in the docker configuration stay in use.
const BASIC_LIFE: Duration = Duration::from_secs(300);

/// The longest service or scope of a challenge that is passed on to a token service, in bytes.
/// Ours.
const MAX_FIELD_BYTES: usize = 1 << 10;

/// The name under which docker keeps the credentials of Docker Hub.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// What is known about authentication at one registry.
pub(super) struct Authenticator {
    registry: String,
    base: Url,
    configured: Option<Credentials>,
    docker_config: Option<PathBuf>,
    docker_server: String,
    token_hosts: Vec<String>,
    store: Mutex<TokenStore>,
    /// Held while a token is asked for, so that many requests at once ask for one token.
    turn: tokio::sync::Mutex<()>,
}

impl Authenticator {
    /// For the registry of this name, reached at `base`.
    pub(super) fn new(
        registry: &str,
        base: Url,
        settings: RegistrySettings,
        docker_config: Option<PathBuf>,
    ) -> Self {
        let docker_server = match (&settings.mirror, base.host_str()) {
            // A mirror is another server: it must not be given what docker keeps for the registry.
            (Some(_), Some(host)) => {
                base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
            }
            _ if registry == "docker.io" => DOCKER_HUB_SERVER.to_owned(),
            _ => registry.to_owned(),
        };
        Self {
            registry: registry.to_owned(),
            base,
            configured: settings.credentials,
            docker_config,
            docker_server,
            token_hosts: settings.token_hosts,
            store: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Whether the settings, and not only a docker configuration, have credentials.
    pub(super) fn has_credentials(&self) -> bool {
        self.configured.is_some()
    }

    /// What was accepted for this repository before and is still good.
    pub(super) fn known(&self, repository_path: &str) -> Option<Authorization> {
        self.store().find(&pull_scope(repository_path), Instant::now())
    }

    /// Answers the challenge of a 401, which was the answer to a request with `rejected`.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when nothing we have answers it; else what went wrong at the
    /// token service.
    pub(super) async fn answer_challenge(
        &self,
        clients: &Clients,
        headers: &HeaderMap,
        repository_path: &str,
        rejected: Option<&Authorization>,
    ) -> Result<Authorization, RegistryError> {
        let challenges = challenge::parse(headers);
        let _turn = self.turn.lock().await;
        // A token shows less than a password does, so it is preferred.
        for challenge in &challenges {
            let Challenge::Bearer { realm, service, scope } = challenge else { continue };
            let scope = scope.clone().unwrap_or_else(|| pull_scope(repository_path));
            let known = self.store().find(&scope, Instant::now());
            if let Some(known) = known.filter(|known| Some(known) != rejected) {
                return Ok(known);
            }
            let asked_at = Instant::now();
            let token = self.ask_token(clients, realm, service.as_deref(), &scope).await?;
            let authorization = Authorization::Bearer(token.secret);
            self.store().keep(scope, authorization.clone(), token.life, asked_at);
            return Ok(authorization);
        }
        if challenges.contains(&Challenge::Basic)
            && let Some(credentials) = self.credentials().await?
        {
            let authorization = Authorization::Basic(credentials);
            // A second failed login tells nothing new, and some registries lock an account after a
            // few.
            if rejected != Some(&authorization) {
                self.store().keep(
                    pull_scope(repository_path),
                    authorization.clone(),
                    BASIC_LIFE,
                    Instant::now(),
                );
                return Ok(authorization);
            }
        }
        Err(RegistryError::Refused { status: StatusCode::UNAUTHORIZED.as_u16() })
    }

    async fn ask_token(
        &self,
        clients: &Clients,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Token, RegistryError> {
        if service.map_or(0, str::len).max(scope.len()) > MAX_FIELD_BYTES {
            return Err(RegistryError::invalid("the challenge of the registry is too long"));
        }
        let realm::TokenService { mut url, pinned } =
            realm::parse(realm, &self.registry, &self.base, &self.token_hosts)?;
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", scope);
        }
        let authorization = match pinned {
            true => self.credentials().await?.map(Authorization::Basic),
            false => None,
        };
        let request = Request {
            url,
            reach: if pinned { Reach::Configured } else { Reach::PublicOnly },
            accept: None,
            authorization,
            max_body_bytes: MAX_TOKEN_ANSWER_BYTES,
            image: None,
            resends: 0,
        };
        let answer = clients.get(&request).await?;
        match answer.status {
            StatusCode::OK => token::parse(&answer.body),
            StatusCode::NOT_FOUND => {
                Err(RegistryError::unavailable("its token service does not exist"))
            }
            _ => Err(refusal(&answer, None)),
        }
    }

    async fn credentials(&self) -> Result<Option<Credentials>, RegistryError> {
        match &self.configured {
            Some(credentials) => Ok(Some(credentials.clone())),
            None => {
                credentials::from_docker_config(self.docker_config.as_deref(), &self.docker_server)
                    .await
            }
        }
    }

    fn store(&self) -> MutexGuard<'_, TokenStore> {
        // A store is never left half changed, so one whose holder panicked is still good.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is needed to read a repository (distribution, `docs/spec/auth/scope.md`).
fn pull_scope(repository_path: &str) -> String {
    format!("repository:{repository_path}:pull")
}

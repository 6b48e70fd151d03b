//! Answers the authentication challenges of one registry.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::challenge::{self, Challenge};
use super::credentials::{self, DockerLogin, Login};
use super::helper::KeptAnswer;
use super::realm;
use super::token::{self, Token, TokenStore};
use crate::registry::egress::{Authorization, EgressClient, EgressRequest, Reach, Validators};
use crate::registry::error::RegistryError;
use crate::registry::settings::{Credentials, RegistrySettings, Secret};

/// The largest response of a token service (the cap that oras-go uses).
const MAX_TOKEN_RESPONSE_BYTES: usize = 128 << 10;

/// How long user name and password are sent with every request after a challenge. Ours; it bounds
/// how long credentials stay in use after they change in the docker configuration.
const BASIC_TTL: Duration = Duration::from_secs(300);

/// The longest service or scope of a challenge that is passed on to a token service. Ours.
const MAX_FIELD_BYTES: usize = 1 << 10;

/// The name under which docker keeps the credentials of Docker Hub.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// The credentials and tokens for one registry.
pub struct Authenticator {
    registry: String,
    base: Url,
    configured: Option<Credentials>,
    docker_config: Option<PathBuf>,
    docker_server: String,
    token_hosts: Vec<String>,
    store: Mutex<TokenStore>,
    /// Held while a token is fetched, so that concurrent requests fetch one token between them, and
    /// run a credential helper once.
    fetching: tokio::sync::Mutex<KeptAnswer>,
}

impl Authenticator {
    /// For the registry of this name, reached at `base`.
    pub fn new(
        registry: &str,
        base: Url,
        settings: RegistrySettings,
        docker_config: Option<PathBuf>,
    ) -> Self {
        let docker_server = match (&settings.mirror, base.host_str()) {
            // A mirror is another server and must not get the credentials for the registry.
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
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The authorization that was accepted for this repository before and is still valid.
    pub fn known(&self, repository_path: &str) -> Option<Authorization> {
        self.store().find(&pull_scope(repository_path), Instant::now())
    }

    /// Answers the challenge of a 401 to a request with the `rejected` authorization.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when there is no answer; else the failure of the token service.
    pub async fn answer_challenge(
        &self,
        client: &EgressClient,
        headers: &HeaderMap,
        repository_path: &str,
        rejected: Option<&Authorization>,
    ) -> Result<Authorization, RegistryError> {
        let challenges = challenge::parse(headers);
        let mut helper = self.fetching.lock().await;
        let answer = self.answer(client, &challenges, repository_path, rejected, &mut helper).await;
        if matches!(answer, Err(RegistryError::Refused { .. })) {
            helper.was_refused();
        }
        answer
    }

    async fn answer(
        &self,
        client: &EgressClient,
        challenges: &[Challenge],
        repository_path: &str,
        rejected: Option<&Authorization>,
        helper: &mut KeptAnswer,
    ) -> Result<Authorization, RegistryError> {
        // A token reveals less than a password, so it is preferred.
        for challenge in challenges {
            let Challenge::Bearer { realm, service, scope } = challenge else { continue };
            let scope = scope.clone().unwrap_or_else(|| pull_scope(repository_path));
            let known = self.store().find(&scope, Instant::now());
            if let Some(known) = known.filter(|known| Some(known) != rejected) {
                return Ok(known);
            }
            let requested_at = Instant::now();
            let (authorization, ttl) =
                self.fetch_token(client, realm, service.as_deref(), &scope, helper).await?;
            self.store().keep(scope, authorization.clone(), ttl, requested_at);
            return Ok(authorization);
        }
        if challenges.contains(&Challenge::Basic)
            && let Some(Login::Password(credentials)) = self.login(helper).await?
        {
            let authorization = Authorization::Basic(credentials);
            // A second failed login brings nothing, and some registries lock an account after a
            // few.
            if rejected != Some(&authorization) {
                self.store().keep(
                    pull_scope(repository_path),
                    authorization.clone(),
                    BASIC_TTL,
                    Instant::now(),
                );
                return Ok(authorization);
            }
        }
        Err(RegistryError::Refused { status: StatusCode::UNAUTHORIZED.as_u16() })
    }

    /// A token, and how long it is valid.
    async fn fetch_token(
        &self,
        client: &EgressClient,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        helper: &mut KeptAnswer,
    ) -> Result<(Authorization, Duration), RegistryError> {
        if service.map_or(0, str::len).max(scope.len()) > MAX_FIELD_BYTES {
            return Err(RegistryError::invalid("the challenge of the registry is too long"));
        }
        let realm::TokenService { mut url, is_pinned } =
            realm::parse(realm, &self.registry, &self.base, &self.token_hosts)?;
        let login = if is_pinned { self.login(helper).await? } else { None };
        let with_credentials = login.is_some();
        let fields = service.map(|service| ("service", service));
        let fields = fields.into_iter().chain([("scope", scope)]);
        let (mut form, mut authorization) = (Vec::new(), None);
        match login {
            // Only the POST request of distribution, `docs/spec/auth/oauth.md`, takes it.
            Some(Login::IdentityToken(token)) => {
                form.extend(fields.map(|(name, value)| (name, Secret::new(value))));
                form.push(("grant_type", Secret::new("refresh_token")));
                form.push(("client_id", Secret::new(env!("CARGO_PKG_NAME"))));
                form.push(("refresh_token", token));
            }
            login => {
                url.query_pairs_mut().extend_pairs(fields);
                if let Some(Login::Password(credentials)) = login {
                    authorization = Some(Authorization::Basic(credentials));
                }
            }
        }
        let request = EgressRequest {
            form,
            url,
            reach: if is_pinned { Reach::Configured } else { Reach::PublicOnly },
            accept: None,
            authorization,
            max_body_bytes: MAX_TOKEN_RESPONSE_BYTES,
            has_own_memory: false,
            known: Validators::default(),
            image: None,
            resends: 0,
        };
        let response = client.get(&request).await?;
        match response.status {
            StatusCode::OK => {
                let Token { secret, ttl } = token::parse(&response.body)?;
                Ok((Authorization::Bearer { token: secret, with_credentials }, ttl))
            }
            StatusCode::NOT_FOUND => {
                Err(RegistryError::unavailable("its token service does not exist"))
            }
            _ => Err(response.refusal(None)),
        }
    }

    async fn login(&self, helper: &mut KeptAnswer) -> Result<Option<Login>, RegistryError> {
        if let Some(credentials) = &self.configured {
            return Ok(Some(Login::Password(credentials.clone())));
        }
        let server = &self.docker_server;
        match credentials::from_docker_config(self.docker_config.as_deref(), server).await? {
            Some(DockerLogin::Known(login)) => Ok(Some(login)),
            Some(DockerLogin::Helper(program)) => helper.ask(&program, server).await,
            None => Ok(None),
        }
    }

    fn store(&self) -> MutexGuard<'_, TokenStore> {
        // A store is never left half changed, so one whose holder panicked is still good.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The scope for reading a repository (distribution, `docs/spec/auth/scope.md`).
fn pull_scope(repository_path: &str) -> String {
    format!("repository:{repository_path}:pull")
}

//! One registry: an exchange with it, from the first request to an answer that can be used.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tracing::Span;
use url::Url;

use super::authentication::Authenticator;
use super::egress::{Answer, Clients, Reach, Request};
use super::error::{Missing, RegistryError};
use super::gate::Gate;
use super::redirect;
use super::retry_after;
use super::settings::{self, RegistrySettings};
use super::token::Authorization;
use crate::clock::wall_clock;

/// Time for a whole exchange: connection, authentication, redirects and the last byte of the body.
/// Ours; it bounds the transfer and not the pause between two bytes (CVE-2021-43173).
pub(super) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Redirects followed in one exchange. Blob stores take one. Ours.
const MAX_REDIRECTS: usize = 3;

/// So often one thing is asked for (Google's SRE book, "Handling Overload": at most three
/// attempts).
const MAX_ATTEMPTS: u32 = 3;
/// The wait before a retry is between these two. Ours: a caller waits ten seconds at most.
const SHORTEST_RETRY_WAIT: Duration = Duration::from_millis(200);
const LONGEST_RETRY_WAIT: Duration = Duration::from_millis(1500);

/// A registry that may be asked.
pub(super) struct Upstream {
    name: String,
    base: Url,
    clients: Clients,
    authenticator: Authenticator,
    gate: Gate,
    exchange_timeout: Duration,
    /// Hosts in private networks where blobs may be.
    blob_hosts: Vec<String>,
    is_mirror: bool,
}

/// What an exchange asks for.
pub(super) struct Ask<'a> {
    /// The path of the repository, for which access is needed.
    pub repository_path: &'a str,
    /// Where; see [`Upstream::endpoint`].
    pub url: Url,
    /// The media types asked for.
    pub accept: Option<&'static str>,
    /// The most that is read of the body, in bytes.
    pub max_body_bytes: usize,
    /// Whether redirects are followed. Only blobs need that.
    pub follow_redirects: bool,
    /// What a 404 means.
    pub missing: Option<Missing>,
}

/// The answer to an exchange: status 200, and the whole body.
pub(super) struct Document {
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// What a trace tells of the request that brought it.
    pub span: Span,
}

impl Upstream {
    /// The registry of this name, reached at `base`, whose path ends in a slash.
    pub(super) fn new(
        name: &str,
        base: Url,
        clients: Clients,
        mut settings: RegistrySettings,
        docker_config: Option<PathBuf>,
        gate: Gate,
        exchange_timeout: Duration,
    ) -> Self {
        let is_mirror = settings.mirror.is_some();
        let blob_hosts = std::mem::take(&mut settings.blob_hosts);
        let authenticator = Authenticator::new(name, base.clone(), settings, docker_config);
        Self {
            name: name.to_owned(),
            base,
            clients,
            authenticator,
            gate,
            exchange_timeout,
            blob_hosts,
            is_mirror,
        }
    }

    /// Whether it is left alone now, after it failed or asked for that.
    pub(super) fn is_left_alone(&self) -> bool {
        self.gate.is_shut(Instant::now())
    }

    /// Whether it stands for the registry that references name.
    pub(super) fn is_mirror(&self) -> bool {
        self.is_mirror
    }

    /// Whether the settings have credentials for it.
    pub(super) fn has_credentials(&self) -> bool {
        self.authenticator.has_credentials()
    }

    /// The URL of an endpoint of a repository, such as `tags/list`.
    pub(super) fn endpoint(&self, repository_path: &str, endpoint: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}v2/{repository_path}/{endpoint}", self.base.path()));
        url
    }

    /// Asks: once, and again after a short wait while the registry is in trouble and retries are
    /// left.
    ///
    /// # Errors
    /// When the end is not a whole answer with status 200, or the gate is shut.
    pub(super) async fn fetch(&self, ask: Ask<'_>) -> Result<Document, RegistryError> {
        let mut attempt = 1;
        loop {
            let (result, did_answer) = self.attempt(&ask, attempt - 1).await;
            let again = did_answer
                && attempt < MAX_ATTEMPTS
                && result.as_ref().is_err_and(is_worth_a_retry);
            if !again || !self.gate.may_retry() {
                return result;
            }
            // Full jitter: callers that failed together must not come back together.
            tokio::time::sleep(
                LONGEST_RETRY_WAIT.mul_f64(fastrand::f64()).max(SHORTEST_RETRY_WAIT),
            )
            .await;
            attempt += 1;
        }
    }

    /// Asks once, within the time of an exchange; tells also whether the registry answered at all.
    async fn attempt(
        &self,
        ask: &Ask<'_>,
        resends: u32,
    ) -> (Result<Document, RegistryError>, bool) {
        let pass = match self.gate.pass().await {
            Ok(pass) => pass,
            Err(error) => return (Err(error), false),
        };
        let started_at = Instant::now();
        let exchanged =
            tokio::time::timeout(self.exchange_timeout, self.exchange(ask, resends)).await;
        let did_answer = matches!(exchanged, Ok(Ok(_)));
        let result = match exchanged {
            Ok(Ok(answer)) if answer.status == StatusCode::OK => {
                Ok(Document { headers: answer.headers, body: answer.body, span: answer.span })
            }
            Ok(Ok(answer)) => Err(refusal(&answer, ask.missing)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RegistryError::TimedOut),
        };
        pass.ended(result.as_ref().err(), Instant::now());
        tracing::debug!(
            registry = self.name,
            path = ask.url.path(),
            elapsed_ms = started_at.elapsed().as_millis() as u64,
            error = result.as_ref().err().map(tracing::field::display),
            "registry asked"
        );
        (result, did_answer)
    }

    /// Asks with what is known, answers one challenge, and follows redirects where that is wanted.
    async fn exchange(&self, ask: &Ask<'_>, resends: u32) -> Result<Answer, RegistryError> {
        let mut request = Request {
            url: ask.url.clone(),
            reach: Reach::Configured,
            accept: ask.accept,
            authorization: self.authenticator.known(ask.repository_path),
            max_body_bytes: ask.max_body_bytes,
            image: Some(format!("{}/{}", self.name, ask.repository_path)),
            resends,
        };
        let mut answer = self.clients.get(&request).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let authorization =
                self.authorize(ask, &answer, request.authorization.as_ref()).await?;
            request.authorization = Some(authorization);
            request.resends += 1;
            answer = self.clients.get(&request).await?;
        }
        if ask.follow_redirects {
            answer = self.follow(request, answer).await?;
        }
        Ok(answer)
    }

    async fn authorize(
        &self,
        ask: &Ask<'_>,
        answer: &Answer,
        rejected: Option<&Authorization>,
    ) -> Result<Authorization, RegistryError> {
        self.authenticator
            .answer_challenge(&self.clients, &answer.headers, ask.repository_path, rejected)
            .await
    }

    async fn follow(
        &self,
        mut request: Request,
        mut answer: Answer,
    ) -> Result<Answer, RegistryError> {
        for _ in 0..MAX_REDIRECTS {
            if !redirect::is_redirect(answer.status) {
                break;
            }
            let target = redirect::target(&answer.headers, &request.url)?;
            if target.origin() != request.url.origin() {
                // Gone for the rest of the exchange, even if a later redirect leads back.
                request.authorization = None;
            }
            // Another port of the registry's own host is another service, which nobody allowed.
            let is_allowed =
                target.origin() == self.base.origin() || settings::lists(&self.blob_hosts, &target);
            request.reach = if is_allowed { Reach::Configured } else { Reach::PublicOnly };
            request.url = target;
            request.resends += 1;
            answer = self.clients.get(&request).await?;
        }
        Ok(answer)
    }
}

/// Whether the same question may have an answer soon. A registry that says when to come back means
/// it.
fn is_worth_a_retry(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Unavailable { retry_after: None, .. })
}

/// What an answer with another status than 200 means. `missing` is what a 404 is about.
pub(super) fn refusal(answer: &Answer, missing: Option<Missing>) -> RegistryError {
    let retry_after = || retry_after::parse(&answer.headers, wall_clock());
    let status = answer.status.as_u16();
    match (status, missing) {
        (401 | 403, _) => RegistryError::Refused { status },
        (404, Some(what)) => RegistryError::NotFound { what },
        (429, _) => RegistryError::RateLimited { retry_after: retry_after() },
        (408 | 500..=599, _) => RegistryError::Unavailable {
            detail: format!("it answered with status {status}"),
            retry_after: retry_after(),
        },
        (300..=399, _) => {
            RegistryError::invalid(format!("a redirect that is not followed, status {status}"))
        }
        _ => RegistryError::invalid(format!("status {status}")),
    }
}

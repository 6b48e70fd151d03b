//! One registry: an exchange with it, from the first request to a response that can be used.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tracing::Span;
use url::Url;

use super::auth::Authenticator;
use super::circuit::{CircuitBreaker, Question};
use super::egress::{
    Authorization, Body, EgressClient, EgressRequest, EgressResponse, Reach, Validators, redirect,
};
use super::error::{Missing, RegistryError};
use super::place::Place;
use super::rate_limit::Purpose;
use super::settings::{self, RegistrySettings};

/// Time for a whole exchange: connection, authentication, redirects and the last byte of the body.
/// Ours; it bounds the transfer and not the pause between two bytes (CVE-2021-43173).
pub(super) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Redirects followed in one exchange. Blob stores take one. Ours.
const MAX_REDIRECTS: usize = 3;

/// Registries that also redirect lists and manifests, to the storage nearest to the caller
/// (Kubernetes, `registry.k8s.io/cmd/archeio/docs/request-handling.md`).
const REDIRECTING: [&str; 1] = ["registry.k8s.io"];

/// Attempts at one exchange (Google's SRE book, "Handling Overload": at most three).
const MAX_ATTEMPTS: u32 = 3;
/// The wait before a retry is between these two. Ours: a caller waits ten seconds at most.
const MIN_RETRY_INTERVAL: Duration = Duration::from_millis(200);
const MAX_RETRY_INTERVAL: Duration = Duration::from_millis(1500);

/// The error of a request that gets no slot. A slot may become free at any time.
const BUSY: RegistryError = RegistryError::Suspended {
    detail: "too many requests to it are under way",
    retry_after: Duration::from_secs(1),
    is_of_client: false,
};

/// A registry that may be queried.
pub(super) struct Upstream {
    name: String,
    place: Place,
    client: EgressClient,
    authenticator: Authenticator,
    circuit: CircuitBreaker,
    exchange_timeout: Duration,
    /// Hosts in private networks where blobs may be.
    blob_hosts: Vec<String>,
    is_mirror: bool,
    last_failure: Mutex<Option<RegistryError>>,
}

/// The request of an exchange.
pub(super) struct UpstreamRequest<'a> {
    /// How much of the rate limit it may use.
    pub purpose: Purpose,
    /// The path of the repository, for which access is needed.
    pub repository_path: &'a str,
    /// See [`Upstream::endpoint`].
    pub url: Url,
    /// The `Accept` header, if any.
    pub accept: Option<&'static str>,
    /// The largest body that is read.
    pub max_body_bytes: usize,
    /// Whether redirects are followed. Only blobs need that.
    pub follow_redirects: bool,
    /// What a 404 means.
    pub missing: Option<Missing>,
    /// Whether earlier requests of the lookup were answered, which a request that is given up for
    /// want of a slot would make in vain.
    pub is_continuation: bool,
}

/// What a registry answered, and how it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<T> {
    /// The answer.
    pub value: T,
    /// Whether credentials, wherever they came from, were part of an exchange that gave it: with a
    /// request to the registry, or to get its token. It may then be private. An anonymous token
    /// does not count.
    pub with_credentials: bool,
}

/// The response of an exchange: status 200, and the whole body.
pub(super) struct Document {
    pub headers: HeaderMap,
    pub body: Body,
    /// As in [`Received`].
    pub with_credentials: bool,
    /// The span of the request in a trace.
    pub span: Span,
}

impl Upstream {
    /// The registry of this name, reached at `place`.
    pub(super) fn new(
        name: &str,
        place: Place,
        client: EgressClient,
        mut settings: RegistrySettings,
        docker_config: Option<PathBuf>,
        circuit: CircuitBreaker,
        exchange_timeout: Duration,
    ) -> Self {
        let is_mirror = settings.mirror.is_some();
        let blob_hosts = std::mem::take(&mut settings.blob_hosts);
        let authenticator = Authenticator::new(name, place.base.clone(), settings, docker_config);
        Self {
            name: name.to_owned(),
            place,
            client,
            authenticator,
            circuit,
            exchange_timeout,
            blob_hosts,
            is_mirror,
            last_failure: Mutex::default(),
        }
    }

    /// Whether requests are rejected now, because it failed or asked for a pause.
    pub(super) fn is_circuit_open(&self) -> bool {
        self.circuit.is_open(Instant::now())
    }

    /// Whether it stands for the registry that references name.
    pub(super) fn is_mirror(&self) -> bool {
        self.is_mirror
    }

    /// The URL of the mirror, where it is one; it has no credentials in it.
    pub(super) fn mirror(&self) -> Option<String> {
        let Place { base, prefix } = &self.place;
        let prefix = if prefix.is_empty() { "" } else { &format!("v2/{prefix}") };
        self.is_mirror.then(|| format!("{base}{prefix}").trim_end_matches('/').to_owned())
    }

    /// The error that it answered last, if it did not answer anything usable since.
    pub(super) fn last_failure(&self) -> Option<RegistryError> {
        self.failure().clone()
    }

    fn failure(&self) -> MutexGuard<'_, Option<RegistryError>> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of a repository on the server.
    fn path(&self, repository_path: &str) -> String {
        format!("{}{repository_path}", self.place.prefix)
    }

    /// The URL of an endpoint of a repository, such as `tags/list`.
    pub(super) fn endpoint(&self, repository_path: &str, endpoint: &str) -> Url {
        let mut url = self.place.base.clone();
        let path = self.path(repository_path);
        url.set_path(&format!("{}v2/{path}/{endpoint}", self.place.base.path()));
        url
    }

    /// Makes an exchange, and retries it after a short wait while the registry is unavailable and
    /// retries are left.
    ///
    /// # Errors
    /// When the last response is not a whole one with status 200, or the circuit is open.
    pub(super) async fn fetch(
        &self,
        request: UpstreamRequest<'_>,
    ) -> Result<Document, RegistryError> {
        let mut attempt = 1;
        loop {
            let (result, has_answered) = self.attempt(&request, attempt - 1).await;
            let is_retryable = has_answered
                && attempt < MAX_ATTEMPTS
                && result.as_ref().is_err_and(is_worth_a_retry);
            if !is_retryable || !self.circuit.may_retry(request.repository_path) {
                match &result {
                    Ok(_) => *self.failure() = None,
                    // That a tag does not exist is an answer, but no sign that all is well.
                    Err(RegistryError::NotFound { what: Missing::Manifest }) => {}
                    // Nor that a client asks too much.
                    Err(RegistryError::Suspended { is_of_client: true, .. }) => {}
                    Err(error) => *self.failure() = Some(error.clone()),
                }
                return result;
            }
            // Full jitter: callers that failed together must not come back together.
            tokio::time::sleep(MAX_RETRY_INTERVAL.mul_f64(fastrand::f64()).max(MIN_RETRY_INTERVAL))
                .await;
            attempt += 1;
        }
    }

    /// Makes an exchange once, within its timeout. The second value is whether the registry
    /// answered at all.
    async fn attempt(
        &self,
        request: &UpstreamRequest<'_>,
        resends: u32,
    ) -> (Result<Document, RegistryError>, bool) {
        let question = Question {
            repository: request.repository_path,
            path: request.url.path(),
            purpose: request.purpose,
        };
        // The first request of a lookup waits as long as an exchange may take: then its callers
        // have gone.
        let is_first = resends == 0 && !request.is_continuation;
        let slot_timeout = if is_first { self.exchange_timeout } else { Duration::MAX };
        let acquired = tokio::time::timeout(slot_timeout, self.circuit.acquire(question)).await;
        let permit = match acquired.unwrap_or(Err(BUSY)) {
            Ok(permit) => permit,
            Err(error) => return (Err(error), false),
        };
        let started_at = Instant::now();
        let exchanged =
            tokio::time::timeout(self.exchange_timeout, self.exchange(request, resends)).await;
        let has_answered = matches!(exchanged, Ok(Ok(_)));
        let result = match exchanged {
            Ok(Ok((response, with_credentials))) if response.status == StatusCode::OK => {
                let EgressResponse { headers, body, span, .. } = response;
                Ok(Document { headers, body, with_credentials, span })
            }
            Ok(Ok((response, _))) => Err(response.refusal(request.missing)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RegistryError::TimedOut),
        };
        permit.record(result.as_ref().err(), Instant::now());
        tracing::debug!(
            registry = self.name,
            path = request.url.path(),
            elapsed_ms = started_at.elapsed().as_millis() as u64,
            error = result.as_ref().err().map(tracing::field::display),
            "registry queried"
        );
        (result, has_answered)
    }

    /// Sends the request with the known authorization, answers one challenge, and follows redirects
    /// where the request allows it. The second value is whether the registry got credentials.
    async fn exchange(
        &self,
        exchange: &UpstreamRequest<'_>,
        resends: u32,
    ) -> Result<(EgressResponse, bool), RegistryError> {
        let mut request = EgressRequest {
            url: exchange.url.clone(),
            reach: Reach::Configured,
            accept: exchange.accept,
            authorization: self.authenticator.known(&self.path(exchange.repository_path)),
            form: Vec::new(),
            max_body_bytes: exchange.max_body_bytes,
            has_own_memory: false,
            known: Validators::default(),
            image: Some(format!("{}/{}", self.name, exchange.repository_path)),
            resends,
        };
        let mut response = self.client.get(&request).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            let rejected = request.authorization.take();
            let authorization = self
                .authorize(&self.path(exchange.repository_path), &response, rejected.as_ref())
                .await?;
            request.authorization = Some(authorization);
            request.resends += 1;
            response = self.client.get(&request).await?;
        }
        // A redirect is followed without them, but it is part of what they opened.
        let with_credentials =
            request.authorization.as_ref().is_some_and(Authorization::has_credentials);
        if exchange.follow_redirects || REDIRECTING.contains(&self.name.as_str()) {
            response = self.follow(request, response).await?;
        }
        Ok((response, with_credentials))
    }

    async fn authorize(
        &self,
        repository_path: &str,
        response: &EgressResponse,
        rejected: Option<&Authorization>,
    ) -> Result<Authorization, RegistryError> {
        self.authenticator
            .answer_challenge(&self.client, &response.headers, repository_path, rejected)
            .await
    }

    async fn follow(
        &self,
        mut request: EgressRequest,
        mut response: EgressResponse,
    ) -> Result<EgressResponse, RegistryError> {
        for _ in 0..MAX_REDIRECTS {
            if !redirect::is_redirect(response.status) {
                break;
            }
            let target = redirect::target(&response.headers, &request.url)?;
            if target.origin() != request.url.origin() {
                // Removed for the rest of the exchange, even if a later redirect leads back.
                request.authorization = None;
            }
            // Another port of the registry's own host is another service, which is not allowed.
            let is_allowed = target.origin() == self.place.base.origin()
                || settings::lists(&self.blob_hosts, &target);
            request.reach = if is_allowed { Reach::Configured } else { Reach::PublicOnly };
            request.url = target;
            request.resends += 1;
            response = self.client.get(&request).await?;
        }
        Ok(response)
    }
}

/// Whether a retry may succeed soon. A registry that says when to come back is taken at its word.
fn is_worth_a_retry(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Unavailable { retry_after: None, .. })
}

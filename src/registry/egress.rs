//! One request out and its answer back, with every bound that holds for all of them.
//!
//! This file alone names the HTTP client's requests. It follows no redirect, decodes no compression
//! and knows nothing of registries.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap};
use reqwest::{Certificate, Client, Response, StatusCode};
use tracing::{Instrument as _, Span};
use url::Url;

use super::address::{NotPublic, PublicOnly};
use super::error::RegistryError;
use super::spans::{Observer, RequestSpan};
use super::token::Authorization;

/// Time for a connection, with name lookup and TLS. Ours.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

const USER_AGENT: &str = concat!("wintag/", env!("CARGO_PKG_VERSION"));

/// A request; the method is always GET.
#[derive(Clone)]
pub(super) struct Request {
    /// Where.
    pub url: Url,
    /// Which addresses may be dialled.
    pub reach: Reach,
    /// The media types asked for, if any are named.
    pub accept: Option<&'static str>,
    /// Who asks.
    pub authorization: Option<Authorization>,
    /// The most that is read of a body, in bytes.
    pub max_body_bytes: usize,
    /// The image it is about, for traces.
    pub image: Option<String>,
    /// How often the same was asked before in this exchange, for traces.
    pub resends: u32,
}

/// Which addresses a request may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Any: the host is the operator's choice.
    Configured,
    /// Only public ones: the host is a registry's choice.
    PublicOnly,
}

/// An answer. The body of any status but 200 is not read, so it cannot be taken for one.
pub(super) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body of status 200; else empty.
    pub body: Vec<u8>,
    /// What a trace tells of the request.
    pub span: Span,
}

/// The HTTP clients for one set of trusted certificates. Cheap to clone.
#[derive(Clone)]
pub(super) struct Clients {
    configured: Client,
    public_only: Client,
    // The client holds another handle of the same resolver; this one decides about literal
    // addresses.
    resolver: Arc<PublicOnly>,
    trusts_nobody: bool,
    observer: Option<Observer>,
}

impl Clients {
    /// Makes the clients, which trust the system's CAs and these. On a system that has none they
    /// trust nobody: then registries are asked over http only. The observer is told of each
    /// request.
    pub(super) fn build(
        certificates: Vec<Certificate>,
        observer: Option<Observer>,
    ) -> Result<Self, reqwest::Error> {
        let resolver = Arc::new(PublicOnly::of_system());
        let usual = builder().tls_certs_merge(certificates.clone()).build();
        let trusts_nobody = usual.is_err();
        let trusting = || match trusts_nobody {
            false => builder().tls_certs_merge(certificates.clone()),
            true => builder().tls_certs_only([]),
        };
        let configured = usual.or_else(|_| trusting().build())?;
        // Its own pool: a connection that was made without the check must not be reused under it.
        let public_only = trusting().dns_resolver(Arc::clone(&resolver)).build()?;
        Ok(Self { configured, public_only, resolver, trusts_nobody, observer })
    }

    /// Whether there is no CA certificate, so that nothing is reached over https.
    pub(super) fn trust_nobody(&self) -> bool {
        self.trusts_nobody
    }

    /// Sends a request and reads the answer. A connection that breaks is tried once more: it may
    /// have been an idle one that the server closed as we wrote.
    ///
    /// # Errors
    /// When there is no whole answer within the bounds. Any status is an answer.
    pub(super) async fn get(&self, request: &Request) -> Result<Answer, RegistryError> {
        let client = match request.reach {
            Reach::Configured => &self.configured,
            Reach::PublicOnly if self.resolver.admits(&request.url) => &self.public_only,
            Reach::PublicOnly => return Err(not_public()),
        };
        match self.attempt(client, request, request.resends).await {
            Err((_, true)) => self.attempt(client, request, request.resends + 1).await,
            result => result,
        }
        .map_err(|(error, _)| error)
    }

    /// Sends a request once. An error comes with whether the connection broke.
    async fn attempt(
        &self,
        client: &Client,
        request: &Request,
        resends: u32,
    ) -> Result<Answer, (RegistryError, bool)> {
        let span = RequestSpan::begin(request, resends, self.observer.as_ref());
        let result = attempt(client, request).instrument(span.span().clone()).await;
        let result = result.map_err(|failure| match failure {
            Failure::Transport(error) => {
                (describe(&error, self.trusts_nobody), is_broken_connection(&error))
            }
            Failure::Unusable(error) => (error, false),
        });
        let span =
            span.end(result.as_ref().map(|answer| answer.status).map_err(|(error, _)| error));
        result.map(|answer| Answer { span, ..answer })
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Off even if another crate turns the features on: the caps count the bytes that arrive.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

enum Failure {
    Transport(reqwest::Error),
    Unusable(RegistryError),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

async fn attempt(client: &Client, request: &Request) -> Result<Answer, Failure> {
    let mut builder = client.get(request.url.clone()).header(ACCEPT_ENCODING, "identity");
    if let Some(accept) = request.accept {
        builder = builder.header(ACCEPT, accept);
    }
    builder = match &request.authorization {
        Some(Authorization::Bearer(token)) => builder.bearer_auth(token.expose()),
        Some(Authorization::Basic(credentials)) => {
            builder.basic_auth(&credentials.username, Some(credentials.password.expose()))
        }
        None => builder,
    };
    let response = builder.send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = match status {
        StatusCode::OK => read_body(response, request.max_body_bytes).await?,
        _ => Vec::new(),
    };
    Ok(Answer { status, headers, body, span: Span::none() })
}

async fn read_body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::Unusable(RegistryError::invalid("the answer is too large"));
    let encoded =
        response.headers().get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity");
    if encoded {
        return Err(Failure::Unusable(RegistryError::invalid(
            "the answer is compressed though that was not asked for",
        )));
    }
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    // The announced length is a claim; only what arrives counts.
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > max_bytes - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether a connection stood and then broke, before or in the answer.
fn is_broken_connection(error: &reqwest::Error) -> bool {
    !error.is_timeout() && !error.is_connect() && !error.is_builder()
}

fn describe(error: &reqwest::Error, trusts_nobody: bool) -> RegistryError {
    if error.is_timeout() {
        return RegistryError::TimedOut;
    }
    if causes(error).any(|cause| cause.is::<NotPublic>()) {
        return not_public();
    }
    let kind = causes(error).find_map(|cause| cause.downcast_ref()).map(innermost_kind);
    RegistryError::unavailable(match kind {
        _ if error.is_dns() => "its name cannot be looked up",
        Some(ErrorKind::ConnectionRefused) => "the connection was refused",
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => "it cannot be reached",
        // So the TLS library reports what it does not accept.
        Some(ErrorKind::InvalidData) if error.is_connect() && trusts_nobody => {
            "no secure connection: this system has no CA certificates"
        }
        Some(ErrorKind::InvalidData) if error.is_connect() => {
            "no secure connection: certificate or protocol"
        }
        _ if error.is_connect() => "no connection",
        _ => "the connection broke",
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (**cause).source())
}

/// An I/O error may wrap another one, over which `source` steps.
fn innermost_kind(error: &std::io::Error) -> ErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(inner) => innermost_kind(inner),
        None => error.kind(),
    }
}

fn not_public() -> RegistryError {
    RegistryError::invalid("it points at an address that is not public")
}

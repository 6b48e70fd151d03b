//! The HTTP client: one request out and its response back, with the bounds that hold for all of
//! them.
//!
//! Only this file uses the requests of `reqwest`. It follows no redirect, decodes no compression
//! and knows nothing of registries.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use reqwest::{Certificate, Client, Response, StatusCode};
use tracing::{Instrument as _, Span};

use super::address::{NotPublic, PublicOnly};
use super::request::{Authorization, Body, EgressRequest, EgressResponse, Reach};
use super::spans::{Observer, RequestSpan};
use crate::registry::error::RegistryError;

/// Time for a connection, including name lookup and TLS. Ours.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

const USER_AGENT: &str = concat!("wintag/", env!("CARGO_PKG_VERSION"));

/// HTTP clients for one set of trusted certificates. Cheap to clone.
#[derive(Clone)]
pub struct EgressClient {
    clients: Arc<LazyLock<Clients, BuildClients>>,
    observer: Option<Observer>,
}

type BuildClients = Box<dyn FnOnce() -> Clients + Send>;

struct Clients {
    configured: Client,
    public_only: Client,
    // `public_only` shares this resolver; here it decides about literal addresses.
    resolver: Arc<PublicOnly>,
    has_no_ca: bool,
}

impl EgressClient {
    /// Clients that trust the system's CAs and these certificates. The observer is called after
    /// each request.
    pub fn build(
        certificates: Vec<Certificate>,
        observer: Option<Observer>,
    ) -> Result<Self, reqwest::Error> {
        let clients = Clients::build(certificates)?;
        let client = Self::lazy(Box::new(|| clients), observer);
        client.prepare();
        Ok(client)
    }

    /// Clients that trust the system's CAs. They are built for the first request, because reading
    /// the CAs takes longer than answering offline.
    pub fn usual(observer: Option<Observer>) -> Self {
        let build = || {
            let clients = Clients::build(Vec::new());
            let clients = clients.expect("a client that trusts no CA can be built");
            if clients.has_no_ca {
                tracing::warn!(
                    "this system has no CA certificates, so https works only for registries with \
                     a ca_file; install the system's CA certificates or set SSL_CERT_FILE"
                );
            }
            clients
        };
        Self::lazy(Box::new(build), observer)
    }

    fn lazy(build: BuildClients, observer: Option<Observer>) -> Self {
        Self { clients: Arc::new(LazyLock::new(build)), observer }
    }

    /// Builds the clients, if they are not built yet.
    pub fn prepare(&self) {
        LazyLock::force(&self.clients);
    }

    /// Sends a request and reads the response. After a broken connection it is sent once more: the
    /// connection may have been an idle one that the server closed as we wrote.
    ///
    /// # Errors
    /// When there is no whole response within the bounds. Any status is a response.
    pub async fn get(&self, request: &EgressRequest) -> Result<EgressResponse, RegistryError> {
        let client = match request.reach {
            Reach::Configured => &self.clients.configured,
            Reach::PublicOnly if self.clients.resolver.admits(&request.url) => {
                &self.clients.public_only
            }
            Reach::PublicOnly => return Err(not_public()),
        };
        match self.attempt(client, request, request.resends).await {
            Err((_, true)) => self.attempt(client, request, request.resends + 1).await,
            result => result,
        }
        .map_err(|(error, _)| error)
    }

    /// Sends a request once. With an error, the second value is whether the connection broke.
    async fn attempt(
        &self,
        client: &Client,
        request: &EgressRequest,
        resends: u32,
    ) -> Result<EgressResponse, (RegistryError, bool)> {
        let span = RequestSpan::begin(request, resends, self.observer.as_ref());
        let result = attempt(client, request).instrument(span.span().clone()).await;
        let result = result.map_err(|failure| match failure {
            Failure::Transport(error) => {
                (describe(&error, self.clients.has_no_ca), is_broken_connection(&error))
            }
            Failure::Unusable(error) => (error, false),
        });
        let span =
            span.end(result.as_ref().map(|response| response.status).map_err(|(error, _)| error));
        result.map(|response| EgressResponse { span, ..response })
    }
}

impl Clients {
    /// On a system without CAs only http works.
    fn build(certificates: Vec<Certificate>) -> Result<Self, reqwest::Error> {
        let resolver = Arc::new(PublicOnly::of_system());
        let usual = builder().tls_certs_merge(certificates.clone()).build();
        let has_no_ca = usual.is_err();
        let trusting = || match has_no_ca {
            false => builder().tls_certs_merge(certificates.clone()),
            true => builder().tls_certs_only([]),
        };
        let configured = usual.or_else(|_| trusting().build())?;
        // Its own pool: a connection that was made without the check must not be reused under it.
        let public_only = trusting().dns_resolver(Arc::clone(&resolver)).build()?;
        Ok(Self { configured, public_only, resolver, has_no_ca })
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Streams would save little with three requests at a time. A server that floods interim
        // responses (1xx), for which the HTTP libraries have no limit, would go on after the
        // request has ended, because the connection of HTTP/2 stays open.
        .http1_only()
        // Off even if another crate turns the features on: the caps count the bytes that arrive.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

/// The media type of the fields of a form.
const FORM: &str = "application/x-www-form-urlencoded";

enum Failure {
    Transport(reqwest::Error),
    Unusable(RegistryError),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

async fn attempt(client: &Client, request: &EgressRequest) -> Result<EgressResponse, Failure> {
    let builder = if request.form.is_empty() {
        client.get(request.url.clone())
    } else {
        let fields = request.form.iter().map(|(name, value)| (name, value.expose()));
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        client.post(request.url.clone()).header(CONTENT_TYPE, FORM).body(body)
    };
    let mut builder = builder.header(ACCEPT_ENCODING, "identity");
    if let Some(accept) = request.accept {
        builder = builder.header(ACCEPT, accept);
    }
    for (name, value) in
        [(IF_NONE_MATCH, &request.known.etag), (IF_MODIFIED_SINCE, &request.known.last_modified)]
    {
        if let Some(value) = value {
            builder = builder.header(name, value);
        }
    }
    builder = match &request.authorization {
        Some(Authorization::Bearer { token, .. }) => builder.bearer_auth(token.expose()),
        Some(Authorization::Basic(credentials)) => {
            builder.basic_auth(&credentials.username, Some(credentials.password.expose()))
        }
        None => builder,
    };
    let response = builder.send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = match status {
        StatusCode::OK => read_body(response, request).await?,
        _ => Body::default(),
    };
    Ok(EgressResponse { status, headers, body, span: Span::none() })
}

async fn read_body(mut response: Response, request: &EgressRequest) -> Result<Body, Failure> {
    let max_bytes = request.max_body_bytes;
    let too_large = || Failure::Unusable(RegistryError::invalid("the response is too large"));
    let encoded =
        response.headers().get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity");
    if encoded {
        return Err(Failure::Unusable(RegistryError::invalid(
            "the response is compressed, although compression was not accepted",
        )));
    }
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    // Content-Length is a claim; only the bytes that arrive count.
    let mut body = Body::default();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > max_bytes - body.len() {
            return Err(too_large());
        }
        match request.has_own_memory {
            true => body.add_apart(&chunk),
            false => body.add(&chunk).map_err(Failure::Unusable)?,
        }
    }
    Ok(body)
}

/// Whether an established connection broke, before or within the response.
fn is_broken_connection(error: &reqwest::Error) -> bool {
    !error.is_timeout() && !error.is_connect() && !error.is_builder()
}

fn describe(error: &reqwest::Error, has_no_ca: bool) -> RegistryError {
    if error.is_timeout() {
        return RegistryError::TimedOut;
    }
    if causes(error).any(|cause| cause.is::<NotPublic>()) {
        return not_public();
    }
    let kind = causes(error).find_map(|cause| cause.downcast_ref()).map(innermost_kind);
    RegistryError::unavailable(match kind {
        _ if error.is_dns() => "its name cannot be resolved",
        Some(ErrorKind::ConnectionRefused) => "the connection was refused",
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => "it cannot be reached",
        // This is how the TLS library reports a certificate or protocol that it rejects.
        Some(ErrorKind::InvalidData) if error.is_connect() && has_no_ca => {
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

/// An I/O error may wrap another one, which `source` skips.
fn innermost_kind(error: &std::io::Error) -> ErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(inner) => innermost_kind(inner),
        None => error.kind(),
    }
}

fn not_public() -> RegistryError {
    RegistryError::invalid("it points at an address that is not public")
}

//! Documents of a few sites that are no registries, under the same rules.
//!
//! The sites are named by the settings alone. A redirect is followed only within the same site, no
//! credentials are sent, and a document that has not changed is not sent again.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use url::Url;

use super::egress::{Body, EgressClient, EgressRequest, Observer, Reach, Validators, redirect};
use super::error::RegistryError;

/// The largest document that is read. One is read at a time. Monthly documents of MSRC have up to
/// 8 MB.
pub const MAX_DOCUMENT_BYTES: usize = 12 << 20;
/// The longest validator that is kept. Ours.
const MAX_VALIDATOR_BYTES: usize = 256;
/// The most redirects that are followed, as for registries. Ours.
const MAX_REDIRECTS: usize = 3;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct DocumentRequest {
    /// Where it is.
    pub url: Url,
    /// The media types that can be read.
    pub accept: &'static str,
    /// The largest document that is read.
    pub max_bytes: usize,
    /// How long everything may take.
    pub timeout: Duration,
    /// What the server said of the form that was read last.
    pub known: Validators,
}

/// The answer.
#[derive(Debug)]
pub enum DocumentAnswer {
    /// The document is the one that was read last.
    Unchanged,
    /// A document and its validators.
    Document(Body, Validators),
}

/// The sites.
#[derive(Clone)]
pub struct Documents {
    client: EgressClient,
    sites: Vec<Url>,
}

impl Documents {
    /// Reads documents of these sites only; the observer is called after each request.
    pub fn of(sites: Vec<Url>, observer: Option<Observer>) -> Self {
        Self { client: EgressClient::usual(observer), sites }
    }

    /// The document.
    ///
    /// # Errors
    /// When the site is not one of these, or there is no whole answer within the limits.
    pub async fn get(&self, request: DocumentRequest) -> Result<DocumentAnswer, RegistryError> {
        let timeout = request.timeout;
        let answer = tokio::time::timeout(timeout, self.follow(request)).await;
        answer.unwrap_or(Err(RegistryError::TimedOut))
    }

    async fn follow(&self, request: DocumentRequest) -> Result<DocumentAnswer, RegistryError> {
        let (mut url, origin) = (request.url.clone(), request.url.origin());
        if !self.sites.iter().any(|site| site.origin() == origin) {
            return Err(RegistryError::invalid("it is not on a site that the settings name"));
        }
        for _ in 0..=MAX_REDIRECTS {
            if url.origin() != origin {
                return Err(RegistryError::invalid("it redirects to another host"));
            }
            let response = self
                .client
                .get(&EgressRequest {
                    url: url.clone(),
                    reach: Reach::Configured,
                    accept: Some(request.accept),
                    authorization: None,
                    form: Vec::new(),
                    max_body_bytes: request.max_bytes.min(MAX_DOCUMENT_BYTES),
                    has_own_memory: true,
                    known: request.known.clone(),
                    image: None,
                    resends: 0,
                })
                .await?;
            match response.status {
                StatusCode::OK => {
                    let validators = validators(&response.headers);
                    return Ok(DocumentAnswer::Document(response.body, validators));
                }
                StatusCode::NOT_MODIFIED => return Ok(DocumentAnswer::Unchanged),
                status if redirect::is_redirect(status) => {
                    url = redirect::target(&response.headers, &url)?;
                }
                _ => return Err(response.refusal(None)),
            }
        }
        Err(RegistryError::invalid("it redirects too often"))
    }
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| {
        let value = headers.get(name).filter(|value| value.len() <= MAX_VALIDATOR_BYTES)?;
        value.to_str().ok().map(str::to_owned)
    };
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

//! A request and its response, as the rest of the room sees them.

use std::ops::Deref;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tracing::Span;
use url::Url;

use super::retry_after;
use crate::clock::wall_clock;
use crate::registry::error::{Missing, RegistryError};
use crate::registry::memory::ReceivedMemory;
use crate::registry::settings::{Credentials, Secret};

/// A request. The method is GET, or POST with a form.
#[derive(Clone)]
pub struct EgressRequest {
    pub url: Url,
    /// Which addresses may be dialled.
    pub reach: Reach,
    /// The `Accept` header, if any.
    pub accept: Option<&'static str>,
    pub authorization: Option<Authorization>,
    /// The fields of the form; empty for GET.
    pub form: Vec<(&'static str, Secret)>,
    /// The largest body that is read.
    pub max_body_bytes: usize,
    /// Whether the body has memory of its own, apart from that of registries.
    pub has_own_memory: bool,
    /// What is known of the document; if it has not changed, the answer is 304.
    pub known: Validators,
    /// The image that the request is about, for traces.
    pub image: Option<String>,
    /// How often the request was sent before in this exchange, for traces.
    pub resends: u32,
}

/// How a server tells one form of a document from another (RFC 9110, section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// Which addresses a request may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any: the host is the operator's choice.
    Configured,
    /// Only public ones: the host is a registry's choice.
    PublicOnly,
}

/// How a request authenticates.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A token of a token service.
    Bearer {
        token: Secret,
        /// Whether the token service issued it for credentials, and not to anyone who asks.
        with_credentials: bool,
    },
    /// User name and password.
    Basic(Credentials),
}

impl Authorization {
    /// Whether it opens what is not open to all.
    pub fn has_credentials(&self) -> bool {
        match self {
            Self::Bearer { with_credentials, .. } => *with_credentials,
            Self::Basic(_) => true,
        }
    }
}

/// A response. The body is read for status 200 only, so that no error page is taken for content.
pub struct EgressResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body of status 200; else empty.
    pub body: Body,
    /// The span of the request in a trace.
    pub span: Span,
}

/// A body, and the memory that it holds until it is dropped.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    held: ReceivedMemory,
}

impl Body {
    /// Adds a piece.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), RegistryError> {
        self.held.grow_to(self.bytes.len() + piece.len())?;
        self.add_apart(piece);
        Ok(())
    }

    /// Adds a piece, for which its reader has memory.
    pub fn add_apart(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl EgressResponse {
    /// What a status other than 200 means. `missing` is what a 404 is about; without it a 404 is
    /// not expected.
    pub fn refusal(&self, missing: Option<Missing>) -> RegistryError {
        let retry_after = || retry_after::parse(&self.headers, wall_clock());
        let status = self.status.as_u16();
        match (status, missing) {
            (401 | 403, _) => RegistryError::Refused { status },
            (404, Some(what)) => RegistryError::NotFound { what },
            (429, _) => RegistryError::RateLimited { retry_after: retry_after() },
            (408 | 500..=599, _) => RegistryError::Unavailable {
                detail: format!("it answered with status {status}"),
                retry_after: retry_after(),
                is_answer: true,
            },
            (300..=399, _) => {
                RegistryError::invalid(format!("unexpected redirect, status {status}"))
            }
            _ => RegistryError::invalid(format!("unexpected status {status}")),
        }
    }
}

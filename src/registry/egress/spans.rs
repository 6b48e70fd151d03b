//! Telemetry of a request to a registry: a client span by the semantic conventions of
//! OpenTelemetry for HTTP, and for metrics its result and duration.
//!
//! The span exists only where the request belongs to a trace, which the room `telemetry` decides.
//! It leaves out the query of a URL, because signed URLs that registries redirect to have their
//! signature there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tracing::Span;
use tracing::field::Empty;

use super::request::{EgressRequest, Reach};
use crate::registry::error::RegistryError;

/// A finished request to a registry, its token service or its blob store.
pub struct EndedRequest<'a> {
    /// Host and port; `None` where a registry chose them, so that they could be anything.
    pub server: Option<(&'a str, u16)>,
    /// The status of the response.
    pub status: Option<u16>,
    /// Why there is no whole response: `timeout`, `unavailable` or `invalid`.
    pub error: Option<&'static str>,
    /// How long it took, including the body of the response.
    pub took: Duration,
}

/// Called after each request.
pub type Observer = Arc<dyn Fn(&EndedRequest<'_>) + Send + Sync>;

/// A request in progress. Dropping it before [`Self::end`] counts as a timeout.
pub struct RequestSpan<'a> {
    request: &'a EgressRequest,
    observer: Option<&'a Observer>,
    began: Instant,
    span: Span,
    has_ended: bool,
}

impl<'a> RequestSpan<'a> {
    /// Starts the span. `resends` is how often the request was sent before.
    pub fn begin(request: &'a EgressRequest, resends: u32, observer: Option<&'a Observer>) -> Self {
        let url = &request.url;
        // The target is the one by which telemetry knows these spans.
        let span = tracing::info_span!(
            target: "wintag::exchange",
            "exchange",
            otel.name = "GET",
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = "GET",
            http.request.resend_count = (resends > 0).then_some(resends),
            http.response.status_code = Empty,
            server.address = url.host_str(),
            server.port = url.port_or_known_default(),
            url.full = without_secrets(url),
            error.type = Empty,
            container.image.name = request.image.as_deref(),
            oci.manifest.digest = Empty,
        );
        Self { request, observer, began: Instant::now(), span, has_ended: false }
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Records the result, and returns the span, to which the content of the response may add.
    pub fn end(mut self, result: Result<StatusCode, &RegistryError>) -> Span {
        self.has_ended = true;
        match result {
            Ok(status) => {
                self.span.record("http.response.status_code", status.as_u16());
                if status.is_client_error() || status.is_server_error() {
                    self.mark(status.as_str());
                }
                self.observe(Some(status.as_u16()), None);
            }
            Err(RegistryError::TimedOut) => self.fail("timeout"),
            Err(RegistryError::Invalid { .. }) => self.fail("invalid"),
            Err(_) => self.fail("unavailable"),
        }
        self.span.clone()
    }

    fn fail(&self, kind: &'static str) {
        self.mark(kind);
        self.observe(None, Some(kind));
    }

    fn observe(&self, status: Option<u16>, error: Option<&'static str>) {
        let Some(observer) = self.observer else { return };
        let url = &self.request.url;
        let is_ours = self.request.reach == Reach::Configured;
        let server = url.host_str().zip(url.port_or_known_default()).filter(|_| is_ours);
        observer(&EndedRequest { server, status, error, took: self.began.elapsed() });
    }

    fn mark(&self, kind: &str) {
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", kind);
    }
}

impl Drop for RequestSpan<'_> {
    fn drop(&mut self) {
        // Only a deadline cancels a request.
        if !self.has_ended {
            self.fail("timeout");
        }
    }
}

/// A URL without the parts that may be secret: no user name, no password, no query.
fn without_secrets(url: &url::Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_recorded() {
        let url = "https://u:p@blobs.example:8443/a/b?sig=secret#c".parse().unwrap();
        assert_eq!(without_secrets(&url), "https://blobs.example:8443/a/b");
    }
}

//! What is told of a request to a registry: to a trace a span of a client, by the semantic
//! conventions of OpenTelemetry for HTTP, and to metrics how it ended and how long it took.
//!
//! The span exists only where the request belongs to a trace, which is known to the room
//! `telemetry` and not here. No query of an address is in it, because addresses that registries
//! redirect to are signed there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tracing::Span;
use tracing::field::Empty;

use super::egress::{Reach, Request};
use super::error::RegistryError;

/// One request to a registry, or to what belongs to it, that has ended.
pub struct EndedRequest<'a> {
    /// Host and port; none where a registry has named them, so that they could be anything.
    pub server: Option<(&'a str, u16)>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why there is no whole answer: `timeout`, `unavailable` or `invalid`.
    pub error: Option<&'static str>,
    /// How long it took, the answer's body included.
    pub took: Duration,
}

/// Is told of each request that has ended.
pub type Observer = Arc<dyn Fn(&EndedRequest<'_>) + Send + Sync>;

/// One request, from its beginning until this is dropped.
pub(super) struct RequestSpan<'a> {
    request: &'a Request,
    observer: Option<&'a Observer>,
    began: Instant,
    span: Span,
    has_ended: bool,
}

impl<'a> RequestSpan<'a> {
    /// This request begins, which was sent so many times before.
    pub(super) fn begin(
        request: &'a Request,
        resends: u32,
        observer: Option<&'a Observer>,
    ) -> Self {
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

    /// The span itself.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Notes how the request ended, and gives the span to whoever learns more from the answer.
    pub(super) fn end(mut self, result: Result<StatusCode, &RegistryError>) -> Span {
        self.has_ended = true;
        match result {
            Ok(status) => {
                self.span.record("http.response.status_code", status.as_u16());
                if status.is_client_error() || status.is_server_error() {
                    self.mark(status.as_str());
                }
                self.tell(Some(status.as_u16()), None);
            }
            Err(RegistryError::TimedOut) => self.fail("timeout"),
            Err(RegistryError::Invalid { .. }) => self.fail("invalid"),
            Err(_) => self.fail("unavailable"),
        }
        self.span.clone()
    }

    fn fail(&self, kind: &'static str) {
        self.mark(kind);
        self.tell(None, Some(kind));
    }

    fn tell(&self, status: Option<u16>, error: Option<&'static str>) {
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
        // Who waited for the request has given it up, which only a deadline makes them do.
        if !self.has_ended {
            self.fail("timeout");
        }
    }
}

/// An address without what may be a secret in it: no user, no password, no query.
fn without_secrets(url: &url::Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_an_address_is_told() {
        let url = "https://u:p@blobs.example:8443/a/b?sig=secret#c".parse().unwrap();
        assert_eq!(without_secrets(&url), "https://blobs.example:8443/a/b");
    }
}

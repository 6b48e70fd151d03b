//! What a trace tells of a request to a registry: a span of a client, by the semantic conventions of OpenTelemetry for HTTP.
//!
//! It exists only where the request belongs to a trace, which is known to the room `telemetry` and not here. No query of an
//! address is in it, because addresses that registries redirect to are signed there.

use reqwest::StatusCode;
use tracing::Span;
use tracing::field::Empty;

use super::egress::Request;
use super::error::RegistryError;

/// The span of one request, from its beginning until this is dropped.
pub(super) struct RequestSpan {
    span: Span,
    has_ended: bool,
}

impl RequestSpan {
    /// The span of this request, which was sent so many times before.
    pub(super) fn begin(request: &Request, resends: u32) -> Self {
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
        Self { span, has_ended: false }
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
                    self.fail(status.as_str());
                }
            }
            Err(RegistryError::TimedOut) => self.fail("timeout"),
            Err(RegistryError::Invalid { .. }) => self.fail("invalid"),
            Err(_) => self.fail("unavailable"),
        }
        self.span.clone()
    }

    fn fail(&self, kind: &str) {
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", kind);
    }
}

impl Drop for RequestSpan {
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

//! A request as traces and metrics describe it.

use actix_web::dev::ServiceRequest;
use actix_web::http::Version;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::uri::Authority;

use crate::http::clients::Clients;
use crate::telemetry::{Caller, HttpVersion, RequestMetrics, TracedRequest};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace that the request belongs to, by its headers. What a trusted proxy samples is always
/// traced, so that the proxy must not pass on the trace headers of its clients.
pub fn caller<'a>(request: &'a ServiceRequest, clients: &Clients) -> Caller<'a> {
    let text = |name| first_text(request.headers(), &name);
    let traceparent = text(TRACEPARENT);
    // `tracestate` means nothing without `traceparent`.
    Caller {
        traceparent,
        tracestate: traceparent.and_then(|_| text(TRACESTATE)),
        is_trusted: request.peer_addr().is_some_and(|peer| clients.trusts(peer.ip())),
    }
}

/// The attributes of the request's span.
pub fn traced(request: &ServiceRequest, requests: &RequestMetrics) -> TracedRequest {
    let host = first_text(request.headers(), &header::HOST)
        .and_then(|host| host.parse::<Authority>().ok());
    let asked = request.uri().authority().or(host.as_ref());
    TracedRequest {
        method: request.method().to_string(),
        route: requests.pattern(requests.route(request.request().match_name())),
        path: request.path().to_owned(),
        version: version(request),
        host: asked.map(|asked| asked.host().to_owned()),
        port: asked.and_then(Authority::port_u16),
    }
}

fn first_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The HTTP version of a request; the HTTP library reads only these two.
pub fn version(request: &ServiceRequest) -> HttpVersion {
    match request.version() {
        Version::HTTP_10 => HttpVersion::Http10,
        _ => HttpVersion::Http11,
    }
}

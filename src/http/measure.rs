//! Counts and times requests by the pattern of their path, and traces some of them.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use tracing::Instrument as _;

use crate::telemetry::{Caller, Method, RequestMetrics, TracedRequest, Traces};

/// Answers the request, counts it, and traces it if it is one of those.
pub async fn measure_requests(
    requests: web::Data<RequestMetrics>,
    traces: web::Data<Traces>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let _under_way = requests.begin();
    let method = Method::of(request.method().as_str());
    let span = traces.span(|| caller(&request), || traced(&request, &requests));
    let answered = match &span {
        Some(span) => next.call(request).instrument(span.clone()).await,
        None => next.call(request).await,
    };
    let (pattern, status) = match &answered {
        Ok(response) => (response.request().match_name(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    if let Some(span) = &span {
        Traces::conclude(span, status.as_u16());
    }
    requests.observe(requests.route(pattern), method, status.as_u16(), began.elapsed());
    answered
}

fn caller(request: &ServiceRequest) -> Caller<'_> {
    let text = |name| first_text(request.headers(), name);
    Caller { traceparent: text("traceparent"), tracestate: text("tracestate") }
}

fn traced(request: &ServiceRequest, requests: &RequestMetrics) -> TracedRequest {
    let host = first_text(request.headers(), header::HOST.as_str()).and_then(|host| host.parse::<Authority>().ok());
    let asked = request.uri().authority().or(host.as_ref());
    TracedRequest {
        method: request.method().to_string(),
        route: requests.pattern(requests.route(request.request().match_name())),
        path: request.path().to_owned(),
        version: version(request.version()),
        host: asked.map(|asked| asked.host().to_owned()),
        port: asked.and_then(Authority::port_u16),
    }
}

fn first_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

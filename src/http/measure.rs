//! Counts requests by the pattern of their path and how they ended, and traces some of them.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use tracing::Instrument as _;

use crate::telemetry::{Metrics, RequestOutcome, TracedRequest, Traces};

/// What requests to no path of ours are counted as.
const NO_ROUTE: &str = "other";

/// Answers the request, counts it, and traces it if it is one of those.
pub async fn measure_requests(
    metrics: web::Data<Metrics>,
    traces: web::Data<Traces>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let _under_way = metrics.begin_request();
    let span = traces.span(|| traced(&request));
    let answered = match &span {
        Some(span) => next.call(request).instrument(span.clone()).await,
        None => next.call(request).await,
    };
    if let Some(span) = &span {
        let status = match &answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        Traces::conclude(span, status.as_u16());
    }
    match &answered {
        Ok(response) => {
            let pattern = response.request().match_pattern();
            metrics.count_request(pattern.as_deref().unwrap_or(NO_ROUTE), outcome(response.status()));
        }
        Err(error) => metrics.count_request(NO_ROUTE, outcome(error.as_response_error().status_code())),
    }
    answered
}

fn traced(request: &ServiceRequest) -> TracedRequest {
    let text = |name: &str| first_text(request.headers(), name);
    TracedRequest {
        method: request.method().to_string(),
        route: request.match_pattern(),
        path: request.path().to_owned(),
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
    }
}

fn first_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn outcome(status: StatusCode) -> RequestOutcome {
    if status.is_server_error() {
        RequestOutcome::ServerError
    } else if status.is_client_error() {
        RequestOutcome::ClientError
    } else {
        RequestOutcome::Ok
    }
}

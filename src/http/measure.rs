//! Counts requests, by the pattern of their path and how they ended.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::telemetry::{Metrics, RequestOutcome};

/// What requests to no path of ours are counted as.
const NO_ROUTE: &str = "other";

/// Answers the request and counts it.
pub async fn count_requests(
    metrics: web::Data<Metrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let answered = next.call(request).await;
    match &answered {
        Ok(response) => {
            let pattern = response.request().match_pattern();
            metrics.count_request(pattern.as_deref().unwrap_or(NO_ROUTE), outcome(response.status()));
        }
        Err(error) => metrics.count_request(NO_ROUTE, outcome(error.as_response_error().status_code())),
    }
    answered
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

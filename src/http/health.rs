//! `GET /livez` and `/readyz`.

use actix_web::{HttpResponse, web};

use super::drain::Draining;
use super::problems::HealthProblems;
use super::reply;
use crate::api::problem::{Problem, ProblemKind};

/// Whether the process runs
///
/// Depends on nothing else: a registry that is down is no reason to restart.
#[utoipa::path(
    get, path = "/livez", operation_id = "checkLiveness", tag = "Health",
    responses(
        (status = 200, description = "It runs", body = String, content_type = "text/plain", example = "ok\n"),
        HealthProblems,
    )
)]
pub async fn live() -> HttpResponse {
    reply::health("ok\n")
}

/// Whether it can answer
///
/// It can as soon as it listens: the embedded catalogue is always there. Once it was told to stop
/// it says no, and still answers for some seconds.
#[utoipa::path(
    get, path = "/readyz", operation_id = "checkReadiness", tag = "Health",
    responses(
        (status = 200, description = "It answers", body = String, content_type = "text/plain", example = "ok\n"),
        (status = 503, description = "It was told to stop", content(
            (Problem = "application/problem+json"),
            (String = "text/plain", example = json!(Problem::new(ProblemKind::Draining, String::new()).line())),
        )),
        HealthProblems,
    )
)]
pub async fn ready(draining: web::Data<Draining>) -> Result<HttpResponse, Problem> {
    refuse_when_draining(&draining)?;
    Ok(reply::health("ok\n"))
}

/// What is said of readiness once the service was told to stop.
pub fn refuse_when_draining(draining: &Draining) -> Result<(), Problem> {
    if draining.has_begun() {
        let detail = "the service was told to stop; send new requests elsewhere".to_owned();
        return Err(Problem::new(ProblemKind::Draining, detail));
    }
    Ok(())
}

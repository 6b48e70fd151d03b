//! `GET /livez` and `/readyz`.

use actix_web::{HttpResponse, web};

use crate::api::problem::{Problem, ProblemKind};
use crate::http::problems::HealthProblems;
use crate::http::reply;
use crate::http::shutdown::ShutdownState;

/// Liveness probe
///
/// Depends on nothing else: an unavailable registry is no reason to restart.
#[utoipa::path(
    get, path = "", operation_id = "checkLiveness", tag = "Health",
    responses(
        (
            status = 200, description = "The process runs", body = String,
            content_type = "text/plain", example = "ok\n"
        ),
        HealthProblems,
    )
)]
pub async fn live() -> HttpResponse {
    reply::health("ok\n")
}

/// Readiness probe
///
/// The service is ready as soon as it listens, because the embedded catalogue is always there. It
/// is no longer ready once it shuts down, and still answers for some seconds.
#[utoipa::path(
    get, path = "", operation_id = "checkReadiness", tag = "Health",
    responses(
        (
            status = 200, description = "The service is ready", body = String,
            content_type = "text/plain", example = "ok\n"
        ),
        (status = 503, description = "The service is shutting down", content(
            (Problem = "application/problem+json"),
            (
                String = "text/plain",
                example = json!(Problem::new(ProblemKind::Draining, String::new()).line())
            ),
        )),
        HealthProblems,
    )
)]
pub async fn ready(shutdown: web::Data<ShutdownState>) -> Result<HttpResponse, Problem> {
    refuse_when_shutting_down(&shutdown)?;
    Ok(reply::health("ok\n"))
}

/// Reports that the service is not ready once the shutdown has begun.
///
/// # Errors
/// Then.
pub fn refuse_when_shutting_down(shutdown: &ShutdownState) -> Result<(), Problem> {
    if shutdown.has_begun() {
        let detail = "the service is shutting down; send new requests elsewhere".to_owned();
        return Err(Problem::new(ProblemKind::Draining, detail));
    }
    Ok(())
}

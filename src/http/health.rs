//! `GET /livez` and `/readyz`.

use actix_web::HttpResponse;

use super::problems::GeneralProblems;
use super::reply;

/// Whether the process runs
///
/// Depends on nothing else: a registry that is down is no reason to restart.
#[utoipa::path(
    get, path = "/livez", operation_id = "checkLiveness", tag = "Health",
    responses(
        (status = 200, description = "It runs", body = String, content_type = "text/plain", example = "ok"),
        GeneralProblems,
    )
)]
pub async fn live() -> HttpResponse {
    reply::health("ok")
}

/// Whether it can answer
///
/// It can as soon as it listens: the embedded catalogue is always there.
#[utoipa::path(
    get, path = "/readyz", operation_id = "checkReadiness", tag = "Health",
    responses(
        (status = 200, description = "It answers", body = String, content_type = "text/plain", example = "ok"),
        GeneralProblems,
    )
)]
pub async fn ready() -> HttpResponse {
    reply::health("ok")
}

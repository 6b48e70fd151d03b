//! `POST /audit`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{self, Audited};
use crate::api::audit::{AuditParams, AuditRequest, read_target};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::background::Background;
use crate::http::body::{self, MAX_BODY_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::PostedHostProblems;
use crate::http::query::Query;
use crate::http::rate_limiter::RateLimiter;
use crate::http::reply::{self, Metadata};

/// Audit of the images that files name
///
/// Takes Dockerfiles, Compose files, Kubernetes objects and pipelines, at most 64 KiB and 100
/// images, and says for each image and host whether it runs, in which isolation mode, and what to
/// write instead. Images for Linux are skipped; the files are not stored.
#[utoipa::path(
    post, path = "", operation_id = "audit", tag = "Answers",
    params(AuditParams),
    request_body(content = AuditRequest, description = "The files"),
    responses(
        (status = 200, description = "The findings", body = Audited),
        PostedHostProblems,
    )
)]
pub async fn audit_files(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let target = read_target(query, Reading::from(&**context))?;
    let asked: AuditRequest = body::read_json(&request, payload, MAX_BODY_BYTES).await?;
    let (files, images) = asked.read(target.architecture)?;
    RateLimiter::charge(&request, (images * target.hosts.len()).saturating_sub(1))?;
    let context = context.into_inner();
    let answer = background
        .json(async move { Ok(answers::audit(&context, files, &target, |_, _| {}).await) });
    reply::written_json(&request, answer.await?, &Metadata::default())
}

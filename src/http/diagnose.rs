//! `POST /diagnose`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, MAX_BODY_BYTES};
use super::problems::BodyProblems;
use super::query::NoQuery;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::diagnose::{DiagnosisObject, read_text};
use crate::api::problem::Problem;

/// What is wrong, from a pasted error
///
/// Takes an error message, or the whole output of `docker service ps --no-trunc`, `kubectl describe
/// pod` and the like, as plain text of up to 64 KiB. Answers with the cause, where the text says
/// so, the image and host it names, and what to do, with exact tags and commands. The more of the
/// output, the better; the text is not kept.
#[utoipa::path(
    post, path = "/diagnose", operation_id = "diagnose", tag = "Answers",
    request_body(content = String, content_type = "text/plain", description = "The error, as it was printed"),
    responses((status = 200, description = "What was recognised", body = DiagnosisObject), BodyProblems)
)]
pub async fn diagnose(
    request: HttpRequest,
    _: NoQuery,
    payload: web::Payload,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let text = read_text(&body::read(&request, payload, "text/plain", MAX_BODY_BYTES).await?)?;
    let diagnosed = answers::diagnose(&context, &text).await;
    reply::json(&request, &DiagnosisObject::from(diagnosed.as_slice()), &About::default())
}

//! `POST /diagnose`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers;
use crate::api::diagnose::{DiagnosisObject, read_text};
use crate::api::problem::Problem;
use crate::http::background::Background;
use crate::http::body::{self, MAX_BODY_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::BodyProblems;
use crate::http::query::NoQuery;
use crate::http::reply::{self, Metadata};

/// Diagnosis of an error message
///
/// Takes an error message, or the whole output of `docker service ps --no-trunc`, `kubectl describe
/// pod` and the like, as plain text of up to 64 KiB. Returns the cause if the text shows it, the
/// image and host in it, and what to do, with exact tags and commands. Longer output gives a better
/// diagnosis; the text is not stored.
#[utoipa::path(
    post, path = "", operation_id = "diagnose", tag = "Answers",
    request_body(
        content = String, content_type = "text/plain",
        description = "The error, as it was printed"
    ),
    responses(
        (status = 200, description = "The findings", body = DiagnosisObject),
        BodyProblems,
    )
)]
pub async fn diagnose(
    request: HttpRequest,
    _: NoQuery,
    payload: web::Payload,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let text = read_text(&body::read(&request, payload, &[body::TEXT], MAX_BODY_BYTES).await?)?;
    let context = context.into_inner();
    let answer = background
        .json(async move { Ok(DiagnosisObject::from(&answers::diagnose(&context, &text).await)) });
    reply::written_json(&request, answer.await?, &Metadata::default())
}

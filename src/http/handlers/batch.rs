//! `POST /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;

use crate::answers::{Context, ResolveQuestion};
use crate::api::batch::{BatchItemObject, BatchObject, BatchRequest};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::body::{self, MAX_BODY_BYTES};
use crate::http::problems::BodyProblems;
use crate::http::query::NoQuery;
use crate::http::reply::{self, Metadata};
use crate::http::resolutions;
use crate::telemetry::{self, Metrics};

/// Tags for many hosts and images
///
/// Answers up to 100 questions in one request. Each has its own answer or problem, in the same
/// order; a problem with one does not affect the others.
#[utoipa::path(
    post, path = "", operation_id = "resolveBatch", tag = "Answers",
    request_body(content = BatchRequest, description = "The questions"),
    responses(
        (
            status = 200, description = "An answer or a problem for each question",
            body = BatchObject
        ),
        BodyProblems,
    )
)]
pub async fn resolve_batch(
    request: HttpRequest,
    _: NoQuery,
    payload: web::Payload,
    context: web::Data<Context>,
    metrics: web::Data<Metrics>,
) -> Result<HttpResponse, Problem> {
    let asked: BatchRequest = body::read_json(&request, payload, MAX_BODY_BYTES).await?;
    let questions = asked.read(Reading::from(&**context))?;
    // All at once: questions that need the same list share one fetch, and the number of concurrent
    // requests to a registry is limited further down.
    let answers = questions.into_iter().map(|question| answer_one(question, &context, &metrics));
    let results = join_all(answers).await;
    reply::json(&request, &BatchObject { results }, &Metadata::default())
}

async fn answer_one(
    question: Result<ResolveQuestion, Problem>,
    context: &Context,
    metrics: &Metrics,
) -> BatchItemObject {
    let answer = async {
        let question = question?;
        resolutions::resolve(context, metrics, &question).await
    };
    answer.await.map_err(|problem: Problem| problem.in_trace(telemetry::trace_id())).into()
}

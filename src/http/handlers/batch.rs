//! `POST /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;

use crate::answers::{Context, ResolveQuestion};
use crate::api::batch::{BatchItemObject, BatchObject, BatchRequest, PostedAnswer};
use crate::api::choices::Format;
use crate::api::diagnose::read_text;
use crate::api::params::{NoParams, Params};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::resolve::{ResolveRequest, ResolveTextParams, resolution_text};
use crate::http::background::Background;
use crate::http::body::{self, MAX_BODY_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::PostedLookupProblems;
use crate::http::query::Query;
use crate::http::rate_limiter::RateLimiter;
use crate::http::reply::{self, Metadata, StoredResponse};
use crate::http::resolutions;
use crate::telemetry::{self, Metrics};

/// Tags for many hosts and images
///
/// Answers up to 100 questions in one request. Each has its own answer or problem, in the same
/// order; a problem with one does not affect the others.
///
/// With a body of `text/plain`, it is one question: the body is the text of the host, such as the
/// whole output of `systeminfo`, the other parameters are in the query, and the answer is that of
/// GET.
#[utoipa::path(
    post, path = "", operation_id = "resolveBatch", tag = "Answers",
    params(ResolveTextParams),
    request_body(description = "The questions, or the text of one host", content(
        (BatchRequest = "application/json"),
        (String = "text/plain"),
    )),
    responses(
        (
            status = 200, description = "An answer or a problem for each question, or the answer",
            content((PostedAnswer = "application/json"), (String = "text/plain"))
        ),
        PostedLookupProblems,
    )
)]
pub async fn resolve_batch(
    request: HttpRequest,
    Query(mut query): Query,
    payload: web::Payload,
    context: CurrentContext,
    metrics: web::Data<Metrics>,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    if body::is_text(&request) {
        let text = read_text(&body::read(&request, payload, &[body::TEXT], MAX_BODY_BYTES).await?)?;
        query.push(("host".to_owned(), text));
        let asked = ResolveRequest::read(query, Reading::from(&**context))?;
        let resolution = resolutions::resolve(&context, &metrics, &asked.question).await?;
        let metadata = Metadata::default();
        return match asked.format {
            Some(Format::Text(format)) => {
                let text = resolution_text(&resolution, format)?;
                Ok(StoredResponse::text(text, &metadata).respond(&request))
            }
            Some(Format::Json) | None => reply::json(&request, &resolution, &metadata),
        };
    }
    Params::new::<NoParams>(query).finish()?;
    let asked: BatchRequest = body::read_json(&request, payload, MAX_BODY_BYTES).await?;
    let questions = asked.read(Reading::from(&**context))?;
    RateLimiter::charge(&request, questions.len().saturating_sub(1))?;
    let (context, metrics) = (context.into_inner(), metrics.into_inner());
    let answer = background.json(async move {
        // All at once: questions that need the same list share one fetch, and the number of
        // concurrent requests to a registry is limited further down.
        let answers =
            questions.into_iter().map(|question| answer_one(question, &context, &metrics));
        Ok(BatchObject { results: join_all(answers).await })
    });
    reply::written_json(&request, answer.await?, &Metadata::default())
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

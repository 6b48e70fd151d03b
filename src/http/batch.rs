//! `POST /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;

use super::body::{self, MAX_BODY_BYTES};
use super::problems::BodyProblems;
use super::reply::{self, About};
use crate::answers::{self, Context, ResolveQuestion};
use crate::api::batch::{BatchItemObject, BatchObject, BatchRequest};
use crate::api::params::{NoParams, Params, pairs_of_query};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::resolve::ResolutionObject;

/// Which tags run, for many hosts and images
///
/// Answers up to 100 questions in one request. Each gets its own answer or problem, in the same order; one that
/// cannot be answered does not harm the others.
#[utoipa::path(
    post, path = "/resolve", operation_id = "resolveBatch", tag = "Answers",
    request_body(content = BatchRequest, description = "The questions"),
    responses((status = 200, description = "An answer or a problem for each question", body = BatchObject), BodyProblems)
)]
pub async fn resolve_batch(request: HttpRequest, payload: web::Payload, context: web::Data<Context>) -> HttpResponse {
    reply::or_problem(&request, answer(&request, payload, &context).await)
}

async fn answer(request: &HttpRequest, payload: web::Payload, context: &Context) -> Result<HttpResponse, Box<Problem>> {
    Params::new::<NoParams>(pairs_of_query(request.query_string())).finish()?;
    let asked: BatchRequest = body::read_json(request, payload, MAX_BODY_BYTES).await?;
    let questions = asked.read(Reading::from(context))?;
    // All at once: what needs the same list waits for one fetch, and the gate of a registry lets few through at a time.
    let results = join_all(questions.into_iter().map(|question| answer_one(question, context))).await;
    Ok(reply::json(request, &BatchObject { results }, &About::default()))
}

async fn answer_one(question: Result<ResolveQuestion, Box<Problem>>, context: &Context) -> BatchItemObject {
    let answer = async {
        let question = question?;
        let resolution = answers::resolve(context, &question).await;
        let resolution = resolution.map_err(|refusal| Box::new(Problem::of_refusal(&refusal, &question)))?;
        Ok(ResolutionObject::from(&resolution))
    };
    answer.await.into()
}

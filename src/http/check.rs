//! `GET /check`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problems::LookupProblems;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::check::{CheckObject, CheckParams, read_check};
use crate::api::params::pairs_of_query;
use crate::api::problem::Problem;
use crate::api::reading::Reading;

/// Whether this very image runs on a host
///
/// Takes any tag or digest of any repository that is allowed. Every entry of its index is listed
/// with its os.version, the verdicts and the reasons.
#[utoipa::path(
    get, path = "/check", operation_id = "checkImage", tag = "Answers", params(CheckParams),
    responses(
        (status = 200, description = "Whether it runs, entry by entry", body = CheckObject),
        LookupProblems,
    )
)]
pub async fn check_image(request: HttpRequest, context: web::Data<Context>) -> HttpResponse {
    reply::or_problem(&request, answer(&request, &context).await)
}

async fn answer(request: &HttpRequest, context: &Context) -> Result<HttpResponse, Box<Problem>> {
    let question = read_check(pairs_of_query(request.query_string()), Reading::from(context))?;
    let checked = answers::check(context, &question)
        .await
        .map_err(|unchecked| Box::new(Problem::of_unchecked(&unchecked, &question)))?;
    let about = About { freshness: Some(checked.freshness), ..About::default() };
    Ok(reply::json(request, &CheckObject::from(&checked), &about))
}

//! `GET /check`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problems::LookupProblems;
use super::query::Query;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::check::{CheckObject, CheckParams, read_check};
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
pub async fn check_image(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let question = read_check(query, Reading::from(&**context))?;
    let checked = answers::check(&context, &question)
        .await
        .map_err(|unchecked| Problem::of_unchecked(&unchecked, &question))?;
    let about = About { freshness: Some(checked.freshness), ..About::default() };
    reply::json(&request, &CheckObject::from(&checked), &about)
}

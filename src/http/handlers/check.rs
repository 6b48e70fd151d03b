//! `GET /check`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers::{self, Checked};
use crate::api::check::{CheckParams, read_check};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Compatibility of one image with a host
///
/// Takes any tag or digest of an allowed repository. Lists every entry of its index with its
/// os.version, the verdicts and the reasons.
#[utoipa::path(
    get, path = "", operation_id = "checkImage", tag = "Answers", params(CheckParams),
    responses(
        (status = 200, description = "The verdicts, entry by entry", body = Checked),
        LookupProblems,
    )
)]
pub async fn check_image(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let (question, requested) = read_check(query, Reading::from(&**context))?;
    let checked = answers::check_with_platform(&context, &question, requested).await;
    let checked = checked.map_err(|refusal| {
        let mirror = context.catalogue.mirror_of(&question.image.repository);
        Problem::of_check(&refusal, &question).asked_of(mirror)
    })?;
    let metadata = Metadata { freshness: Some(checked.freshness), ..Metadata::default() };
    reply::json(&request, &checked, &metadata)
}

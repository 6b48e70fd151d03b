//! `GET /identify`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{Context, Identity};
use crate::api::lists::{IdentifyParams, read_identify};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::problems::HostProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Windows version in a text
///
/// Returns build, revision, release, support dates, and the KB of the revision. If the text could
/// mean several builds, all of them are listed and none is chosen.
#[utoipa::path(
    get, path = "", operation_id = "identifyHost", tag = "Knowledge", params(IdentifyParams),
    responses(
        (status = 200, description = "The Windows version", body = Identity),
        HostProblems,
    )
)]
pub async fn identify(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let identity = read_identify(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &identity, &Metadata::default())
}

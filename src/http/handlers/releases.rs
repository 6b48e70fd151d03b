//! `GET /releases`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{Context, Releases};
use crate::api::problem::Problem;
use crate::http::problems::TableProblems;
use crate::http::query::NoQuery;
use crate::http::reply::{self, Metadata};

/// Windows releases
///
/// Every server and client release with containers: build, channel, support dates, and its words in
/// tags.
#[utoipa::path(
    get, path = "", operation_id = "listReleases", tag = "Knowledge",
    responses(
        (
            status = 200, description = "The releases: servers first, then by build",
            body = Releases
        ),
        TableProblems,
    )
)]
pub async fn list_releases(
    request: HttpRequest,
    _: NoQuery,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let releases = Releases::new(context.tables, context.now().date());
    reply::json(&request, &releases, &Metadata::default())
}

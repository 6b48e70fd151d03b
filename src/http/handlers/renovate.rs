//! `GET /renovate`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::renovate::{RenovateObject, RenovateParams, read_renovate, refused_feed};
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Renovate datasource
///
/// The build tags of one Windows build, as a custom datasource of
/// [Renovate](https://docs.renovatebot.com/modules/datasource/custom/). All releases are of one
/// Windows build, so that no update leads to an image that the host cannot run. The build is that
/// of `host` or that of the tag `like`; one of the two is required.
#[utoipa::path(
    get, path = "", operation_id = "feedRenovate", tag = "Other tools", params(RenovateParams),
    responses(
        (status = 200, description = "The releases, the newest first", body = RenovateObject),
        LookupProblems,
    )
)]
pub async fn feed_renovate(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let question = read_renovate(query, Reading::from(&**context))?;
    let feed = answers::feed(&context, &question)
        .await
        .map_err(|refusal| refused_feed(&refusal, &question))?;
    let metadata = Metadata { freshness: Some(feed.freshness), ..Metadata::default() };
    reply::json(&request, &RenovateObject::from(&feed), &metadata)
}

//! `GET /engines`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers::Engines;
use crate::api::problem::Problem;
use crate::http::problems::TableProblems;
use crate::http::query::NoQuery;
use crate::http::reply::{self, Metadata};

/// Container engines
///
/// Which entry of an image index each engine takes on a Windows host, since which version, and what
/// surprises its users. The names are those of the parameter `engine`.
#[utoipa::path(
    get, path = "", operation_id = "listEngines", tag = "Knowledge",
    responses(
        (
            status = 200, description = "The engines: by product, from the oldest to the newest",
            body = Engines
        ),
        TableProblems,
    )
)]
pub async fn list_engines(request: HttpRequest, _: NoQuery) -> Result<HttpResponse, Problem> {
    reply::json(&request, &Engines::new(), &Metadata::default())
}

//! `GET /images`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers::Images;
use crate::api::problem::Problem;
use crate::http::context::CurrentContext;
use crate::http::problems::TableProblems;
use crate::http::query::NoQuery;
use crate::http::reply::{self, Metadata};

/// Base image families
///
/// The names of each family, its repository, and how fresh its tag list is; and the repositories of
/// other images of which tags are known.
#[utoipa::path(
    get, path = "", operation_id = "listImages", tag = "Knowledge",
    responses(
        (status = 200, description = "The families", body = Images),
        TableProblems,
    )
)]
pub async fn list_images(
    request: HttpRequest,
    _: NoQuery,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let images = Images::new(&context.families, &context.catalogue);
    reply::json(&request, &images, &Metadata::default())
}

//! `GET /matrix`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problems::HostProblems;
use super::query::Query;
use super::reply::{self, About};
use crate::answers::Context;
use crate::api::matrix::{MatrixObject, MatrixParams, read_matrix};
use crate::api::problem::Problem;
use crate::api::reading::Reading;

/// Hosts against images
///
/// The compatibility rule alone: nothing is asked of a registry. Hosts and images may be builds and
/// versions that are in no table.
#[utoipa::path(
    get, path = "/matrix", operation_id = "compareHostsAndImages", tag = "Knowledge", params(MatrixParams),
    responses(
        (status = 200, description = "One cell for each host and image", body = MatrixObject),
        HostProblems,
    )
)]
pub async fn compare(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let matrix = read_matrix(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &MatrixObject::from(&matrix), &About::default())
}

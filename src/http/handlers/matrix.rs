//! `GET /matrix`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers::Matrix;
use crate::api::matrix::{MatrixParams, read_matrix};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::context::CurrentContext;
use crate::http::problems::HostProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Compatibility matrix
///
/// Hosts against images, by the compatibility rule alone, without a registry. Builds and versions
/// need not be in a table.
#[utoipa::path(
    get, path = "", operation_id = "compareHostsAndImages", tag = "Knowledge",
    params(MatrixParams),
    responses(
        (status = 200, description = "One cell for each host and image", body = Matrix),
        HostProblems,
    )
)]
pub async fn compare(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let matrix = read_matrix(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &matrix, &Metadata::default())
}

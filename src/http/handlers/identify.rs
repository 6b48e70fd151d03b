//! `/identify`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::Identity;
use crate::api::diagnose::read_text;
use crate::api::lists::{IdentifyParams, IdentifyTextParams, read_identify};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::body::{self, MAX_BODY_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::{HostProblems, PostedHostProblems};
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
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let identity = read_identify(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &identity, &Metadata::default())
}

/// Windows version in a long text
///
/// Takes what a machine prints about itself, such as the whole output of `systeminfo` or `docker
/// info`, as plain text of up to 16 KiB, and answers as GET does.
#[utoipa::path(
    post, path = "", operation_id = "identifyHostText", tag = "Knowledge",
    params(IdentifyTextParams),
    request_body(
        content = String, content_type = "text/plain",
        description = "The text, as it was printed"
    ),
    responses(
        (status = 200, description = "The Windows version", body = Identity),
        PostedHostProblems,
    )
)]
pub async fn identify_text(
    request: HttpRequest,
    Query(mut query): Query,
    payload: web::Payload,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let text = read_text(&body::read(&request, payload, &[body::TEXT], MAX_BODY_BYTES).await?)?;
    query.push(("host".to_owned(), text));
    let identity = read_identify(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &identity, &Metadata::default())
}

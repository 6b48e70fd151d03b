//! `GET /identify`, `/releases` and `/images`: what the tables know.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problems::{HostProblems, TableProblems};
use super::query::{NoQuery, Query};
use super::reply::{self, About};
use crate::answers::Context;
use crate::api::lists::{
    IdentifyParams, IdentityObject, ImagesObject, ReleasesObject, read_identify,
};
use crate::api::problem::Problem;
use crate::api::reading::Reading;

/// What a host string is
///
/// Build, revision, release, support dates, and the KB of that revision. Where the text leaves it
/// open which of several builds it is, all of them are listed and none is chosen.
#[utoipa::path(
    get, path = "/identify", operation_id = "identifyHost", tag = "Knowledge", params(IdentifyParams),
    responses(
        (status = 200, description = "What the host is", body = IdentityObject),
        HostProblems,
    )
)]
pub async fn identify(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let identity = read_identify(query, Reading::from(&**context), context.now().date())?;
    reply::json(&request, &identity, &About::default())
}

/// The Windows releases
///
/// Every server and client release with containers: build, channel, dates of support, and the words
/// that tags have for it.
#[utoipa::path(
    get, path = "/releases", operation_id = "listReleases", tag = "Knowledge",
    responses(
        (status = 200, description = "The releases: servers first, then by build", body = ReleasesObject),
        TableProblems,
    )
)]
pub async fn list_releases(
    request: HttpRequest,
    _: NoQuery,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let releases = ReleasesObject::new(context.tables, context.now().date());
    reply::json(&request, &releases, &About::default())
}

/// The families of base images
///
/// What each is called, the repository that has its images, and how fresh its tag list is.
#[utoipa::path(
    get, path = "/images", operation_id = "listImages", tag = "Knowledge",
    responses(
        (status = 200, description = "The families", body = ImagesObject),
        TableProblems,
    )
)]
pub async fn list_images(
    request: HttpRequest,
    _: NoQuery,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let images = ImagesObject::new(&context.families, &context.catalogue);
    reply::json(&request, &images, &About::default())
}

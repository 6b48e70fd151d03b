//! `GET /tags`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::tags::{TagsObject, TagsParams, read_tags};
use crate::http::background::Background;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Tags of an image
///
/// The newest first, with the Windows version and KB of each. `tag=ltsc2022` returns the KB of that
/// tag today, and the other tags of the same image.
#[utoipa::path(
    get, path = "", operation_id = "listTags", tag = "Knowledge", params(TagsParams),
    responses(
        (status = 200, description = "The matching tags", body = TagsObject),
        LookupProblems,
    )
)]
pub async fn list_tags(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let question = read_tags(query, Reading::from(&**context))?;
    let context = context.into_inner();
    let listing = async move {
        let listed = answers::tags(&context, &question).await.map_err(|miss| {
            let mirror = context.catalogue.mirror_of(&question.image.repository);
            Problem::of_miss(&miss, &question.image).asked_of(mirror)
        })?;
        let metadata = Metadata { freshness: Some(listed.freshness), ..Metadata::default() };
        Ok((reply::json_bytes(&TagsObject::new(&question, listed))?, metadata))
    };
    let (answer, metadata) = background.run(listing).await?;
    reply::written_json(&request, answer, &metadata)
}

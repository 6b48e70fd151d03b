//! `GET /tags`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problems::LookupProblems;
use super::query::Query;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::tags::{TagsObject, TagsParams, read_tags};

/// The tags of an image, with what each stands for
///
/// The newest first. With `tag=ltsc2019` it tells which KB that tag is today and which other tags
/// are the same image.
#[utoipa::path(
    get, path = "/tags", operation_id = "listTags", tag = "Knowledge", params(TagsParams),
    responses(
        (status = 200, description = "The tags that fit", body = TagsObject),
        LookupProblems,
    )
)]
pub async fn list_tags(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let question = read_tags(query, Reading::from(&**context))?;
    let listed = answers::tags(&context, &question)
        .await
        .map_err(|miss| Problem::of_miss(&miss, &question.image))?;
    let about = About { freshness: Some(listed.freshness), ..About::default() };
    reply::json(&request, &TagsObject::new(&question, &listed), &about)
}

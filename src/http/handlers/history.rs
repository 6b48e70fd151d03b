//! `GET /history`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::badge::SVG_POLICY;
use crate::answers::{self, TagTimeline};
use crate::api::history::{HistoryFormat, HistoryParams, atom, read_history, svg};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// History of a tag
///
/// From when to when it was seen at which digest, Windows version and KB: what this service saw
/// itself, after what others recorded before it. `format=atom` is a feed to follow, `format=svg` a
/// picture.
#[utoipa::path(
    get, path = "", operation_id = "showHistory", tag = "Knowledge", params(HistoryParams),
    responses(
        (status = 200, description = "The images of the tag", content(
            (TagTimeline = "application/json"),
            (
                String = "application/atom+xml",
                example = json!(
                    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed \
                     xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">…</feed>\n"
                )
            ),
            (
                String = "image/svg+xml",
                example = json!(
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" …>…</svg>\n"
                )
            ),
        )),
        LookupProblems,
    )
)]
pub async fn show_history(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let (question, format) = read_history(query, Reading::from(&**context))?;
    let timeline = answers::history(&context, &question).await.map_err(|miss| {
        let mirror = context.catalogue.mirror_of(&question.image.repository);
        Problem::of_history(&miss, &question).asked_of(mirror)
    })?;
    let freshness = Some(timeline.freshness);
    let metadata = Metadata { freshness, explicit_format: format.is_some(), ..Metadata::default() };
    Ok(match format.unwrap_or(HistoryFormat::Json) {
        HistoryFormat::Json => reply::json(&request, &timeline, &metadata)?,
        HistoryFormat::Atom => {
            let feed = atom(&timeline).into_bytes();
            reply::bytes(&request, "application/atom+xml", feed, &metadata)
        }
        HistoryFormat::Svg => {
            let picture = svg(&timeline, answers::update_days).into_bytes();
            let mut response = reply::bytes(&request, "image/svg+xml", picture, &metadata);
            let policy = HeaderValue::from_static(SVG_POLICY);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
    })
}

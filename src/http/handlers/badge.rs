//! `GET /badge`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::answers;
use crate::api::badge::{BadgeFormat, BadgeObject, BadgeParams, read_badge};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Five minutes, as is common for badges; the image proxies of code hosts allow nothing shorter.
const CACHE_FRESH: &str = "public, max-age=300";
/// An SVG file loads nothing and runs nothing, even when it is opened as a page.
pub const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Badge with the tag for a host
///
/// For a README: JSON for an [endpoint badge](https://shields.io/badges/endpoint-badge) of
/// shields.io, or an image with `format=svg`. The parameters are those of `/resolve`. If no tag
/// runs, the badge says so, with status 200.
#[utoipa::path(
    get, path = "", operation_id = "showBadge", tag = "Other tools", params(BadgeParams),
    responses(
        (status = 200, description = "The badge", content(
            (BadgeObject = "application/json"),
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
pub async fn show_badge(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let (question, format) = read_badge(query, Reading::from(&**context))?;
    let answer = answers::badge(&context, &question)
        .await
        .map_err(|miss| Problem::of_miss(&miss, &question.image))?;
    let freshness = answer.freshness;
    let metadata = Metadata { freshness, explicit_format: format.is_some(), ..Metadata::default() };
    let mut response = match format.unwrap_or(BadgeFormat::Json) {
        BadgeFormat::Json => reply::json(&request, &BadgeObject::from(&answer), &metadata)?,
        BadgeFormat::Svg => {
            let mut response =
                reply::bytes(&request, "image/svg+xml", answer.badge.svg().into_bytes(), &metadata);
            let policy = HeaderValue::from_static(SVG_POLICY);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
    };
    let is_fresh = freshness.is_some_and(|freshness| !freshness.stale);
    let cache_control = if is_fresh { CACHE_FRESH } else { reply::CACHE_STALE };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    Ok(response)
}

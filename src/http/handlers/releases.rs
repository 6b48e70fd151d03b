//! `GET /releases`.

use actix_web::{HttpRequest, HttpResponse};

use crate::answers::Releases;
use crate::api::problem::Problem;
use crate::api::releases::{ReleasesFormat, ReleasesParams, calendar, read_releases};
use crate::http::context::CurrentContext;
use crate::http::problems::TableProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Windows releases
///
/// Every server and client release with containers: build, channel, support dates, and its words in
/// tags. With `format=ics` the last days of support as a calendar (RFC 5545), to subscribe to.
#[utoipa::path(
    get, path = "", operation_id = "listReleases", tag = "Knowledge", params(ReleasesParams),
    responses(
        (
            status = 200, description = "The releases: servers first, then by build",
            content(
                (Releases = "application/json"),
                (String = "text/calendar", example = json!("BEGIN:VCALENDAR\r\n…")),
            )
        ),
        TableProblems,
    )
)]
pub async fn list_releases(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    let today = context.now().date();
    Ok(match read_releases(query)? {
        ReleasesFormat::Json => {
            reply::json(&request, &Releases::new(&context, today), &Metadata::default())?
        }
        ReleasesFormat::Ics => {
            let text = calendar(&context.tables, today).into_bytes();
            reply::bytes(&request, "text/calendar; charset=utf-8", text, &Metadata::default())
        }
    })
}

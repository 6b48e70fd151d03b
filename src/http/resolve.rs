//! `GET /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::counting;
use super::problems::LookupProblems;
use super::query::Query;
use super::ready::ReadyAnswers;
use super::reply::{self, About, Accepted, Prepared};
use crate::answers::{Context, Provenance};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::resolve::{
    Format, ResolutionObject, ResolveParams, ResolveRequest, resolution_text,
};
use crate::telemetry::Metrics;

/// Which tag of an image runs on a host
///
/// Answers with one exact tag, the isolation mode, and the reasons. `format` gives the answer as
/// text that a shell, a build system or a cluster reads: `format=tag` the tag alone, for
/// `TAG=$(curl -fsS …)`.
#[utoipa::path(
    get, path = "/resolve", operation_id = "resolve", tag = "Answers", params(ResolveParams),
    responses(
        (status = 200, description = "The tag and the isolation mode", content(
            (ResolutionObject = "application/json"),
            (String = "text/plain"),
        )),
        LookupProblems,
    )
)]
pub async fn resolve(
    request: HttpRequest,
    Query(query): Query,
    context: web::Data<Context>,
    metrics: web::Data<Metrics>,
    ready: web::Data<ReadyAnswers>,
) -> Result<HttpResponse, Problem> {
    let asked = ResolveRequest::read(query, Reading::from(&**context))?;
    let resolution = counting::resolve(&context, &metrics, &asked.question).await?;
    let by_header =
        if reply::accepted(&request) == Accepted::Text { Format::TAG } else { Format::Json };
    let format = asked.format.unwrap_or(by_header);
    let about = About {
        freshness: Some(resolution.freshness),
        canonical: Some(asked.canonical(format)),
        negotiated: asked.format.is_none(),
        asked_for: asked.format.is_some(),
    };
    let prepared = match format {
        Format::Json => Prepared::json(&request, &ResolutionObject::from(&resolution), &about)?,
        Format::Text(format) => Prepared::text(resolution_text(&resolution, format)?, &about),
    };
    let response = prepared.respond(&request);
    // The next one is not told that a registry was asked for it.
    if resolution.freshness.provenance != Provenance::Registry
        && (about.asked_for || format == Format::Json)
    {
        let source = counting::source(resolution.freshness);
        ready.keep(
            request.query_string(),
            about.asked_for,
            prepared,
            source,
            context.now().elapsed,
        );
    }
    Ok(response)
}

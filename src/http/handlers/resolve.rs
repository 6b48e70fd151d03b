//! `GET /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{Provenance, Resolution};
use crate::api::choices::Format;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::resolve::{ResolveParams, ResolveRequest, resolution_text};
use crate::http::context::CurrentContext;
use crate::http::middleware::ResponseCache;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Accepted, Metadata, StoredResponse};
use crate::http::resolutions;
use crate::telemetry::Metrics;

/// Tag for a host
///
/// Returns one exact tag, the isolation mode, and the reasons. `format` returns text for a shell,
/// a build system or a cluster instead: `format=tag` the tag alone, for `TAG=$(curl -fsS …)`.
#[utoipa::path(
    get, path = "", operation_id = "resolve", tag = "Answers", params(ResolveParams),
    responses(
        (status = 200, description = "The tag and the isolation mode", content(
            (Resolution = "application/json"),
            (String = "text/plain"),
        )),
        LookupProblems,
    )
)]
pub async fn resolve(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
    metrics: web::Data<Metrics>,
    cache: web::Data<ResponseCache>,
) -> Result<HttpResponse, Problem> {
    let asked = ResolveRequest::read(query, Reading::from(&**context))?;
    let resolution = resolutions::resolve(&context, &metrics, &asked.question).await?;
    let by_header =
        if reply::accepted(&request) == Accepted::Text { Format::TAG } else { Format::Json };
    let format = asked.format.unwrap_or(by_header);
    let metadata = Metadata {
        freshness: Some(resolution.freshness),
        canonical: Some(asked.canonical(format)),
        negotiated: asked.format.is_none(),
        explicit_format: asked.format.is_some(),
    };
    let stored = match format {
        Format::Json => StoredResponse::json(&request, &resolution, &metadata)?,
        Format::Text(format) => {
            StoredResponse::text(resolution_text(&resolution, format)?, &metadata)
        }
    };
    let response = stored.respond(&request);
    // The next answer does not come from a registry. A private one is given less freely.
    if resolution.freshness.provenance != Provenance::Registry
        && !resolution.freshness.is_private
        && (metadata.explicit_format || format == Format::Json)
    {
        let source = resolutions::source(resolution.freshness);
        let now = context.now().elapsed;
        cache.keep(request.query_string(), metadata.explicit_format, stored, source, now);
    }
    Ok(response)
}

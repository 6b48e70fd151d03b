//! `GET /fleet`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{self, Fleet};
use crate::api::fleet::{FleetFormat, FleetParams, fleet_text, read_fleet};
use crate::api::nodes::NodesObject;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::background::Background;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::rate_limiter::RateLimiter;
use crate::http::reply::{self, Metadata};

/// Tags for a fleet of hosts
///
/// Groups the hosts by what runs on them, and returns the tag and the isolation mode of each group,
/// and the one tag that runs on all of them, or why there is none.
#[utoipa::path(
    get, path = "", operation_id = "answerForFleet", tag = "Answers", params(FleetParams),
    responses(
        (
            status = 200, description = "The tag of each group of hosts, and one tag for all",
            content(
                (NodesObject = "application/json"),
                (String = "text/plain"),
            )
        ),
        LookupProblems,
    )
)]
pub async fn answer_for_fleet(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let question = read_fleet(query, Reading::from(&**context))?;
    RateLimiter::charge(&request, question.hosts.len().saturating_sub(1))?;
    let context = context.into_inner();
    let answering = async move {
        let (image, platform) = (&question.image, question.platform);
        let fleet = answers::fleet(&context, image, platform, question.hosts).await;
        let fleet = fleet.map_err(|refusal| {
            let mirror = context.catalogue.mirror_of(&image.image.repository);
            Problem::of_fleet(&refusal, &image.image).asked_of(mirror)
        })?;
        let metadata = Metadata { freshness: fleet.freshness, ..Metadata::default() };
        let object = |fleet: &Fleet| NodesObject::new(fleet, platform);
        Ok((written(&fleet, object, question.format)?, question.format, metadata))
    };
    let (answer, format, metadata) = background.run(answering).await?;
    respond(&request, answer, format, &metadata)
}

/// The answer for a fleet or a list of nodes in this form.
///
/// # Errors
/// As [`fleet_text`].
pub(super) fn written(
    fleet: &Fleet,
    object: impl FnOnce(&Fleet) -> NodesObject,
    format: FleetFormat,
) -> Result<Vec<u8>, Problem> {
    match fleet_text(fleet, format)? {
        Some(text) => Ok(text.into_bytes()),
        None => reply::json_bytes(&object(fleet)),
    }
}

/// Sends it.
///
/// # Errors
/// When it is JSON, and the request accepts something else.
pub(super) fn respond(
    request: &HttpRequest,
    answer: Vec<u8>,
    format: FleetFormat,
    metadata: &Metadata,
) -> Result<HttpResponse, Problem> {
    match format {
        FleetFormat::Json => reply::written_json(request, answer, metadata),
        _ => Ok(reply::bytes(request, reply::TEXT, answer, metadata)),
    }
}

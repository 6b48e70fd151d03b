//! `GET /hosts`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers::{self, HostsOfImage};
use crate::api::hosts::{HostsParams, read_hosts_question};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::background::Background;
use crate::http::context::CurrentContext;
use crate::http::problems::LookupProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Hosts that run an image
///
/// Checks the image against every release of Windows, server and client: whether it runs, in which
/// isolation mode, and what to use instead where it does not.
#[utoipa::path(
    get, path = "", operation_id = "listHosts", tag = "Answers", params(HostsParams),
    responses(
        (status = 200, description = "Every release, and whether it runs", body = HostsOfImage),
        LookupProblems,
    )
)]
pub async fn list_hosts(
    request: HttpRequest,
    Query(query): Query,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let question = read_hosts_question(query, Reading::from(&**context))?;
    let context = context.into_inner();
    let answering = async move {
        let hosts = answers::hosts(&context, &question).await.map_err(|refused| {
            let mirror = context.catalogue.mirror_of(&question.image.repository);
            Problem::of_check(&refused.refusal, &refused.question).asked_of(mirror)
        })?;
        let metadata = Metadata { freshness: Some(hosts.freshness), ..Metadata::default() };
        Ok((reply::json_bytes(&hosts)?, metadata))
    };
    let (answer, metadata) = background.run(answering).await?;
    reply::written_json(&request, answer, &metadata)
}

//! `POST /swarm/nodes`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers;
use crate::api::nodes::{NodesObject, NodesParams, read_nodes};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::http::background::Background;
use crate::http::body::{self, MAX_LIST_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::PostedLookupProblems;
use crate::http::query::Query;
use crate::http::reply::Metadata;

use super::fleet::{respond, written};

/// Tags for the nodes of a Docker swarm
///
/// Send the output of `docker node inspect $(docker node ls -q)` on a manager, followed by that of
/// `docker info --format '{{json .}}'` on each Windows node, the only one with the version; at most
/// 3 MiB and 5,000 nodes. One array of all the objects is also accepted.
#[utoipa::path(
    post, path = "", operation_id = "answerForSwarmNodes", tag = "Clusters", params(NodesParams),
    request_body(
        content = Vec<Object>,
        description = "Objects of docker node inspect and of docker info"
    ),
    responses(
        (
            status = 200, description = "Labels to set, a service for each group, and one tag for \
                                         all",
            content(
                (NodesObject = "application/json"),
                (String = "text/plain"),
            )
        ),
        PostedLookupProblems,
    )
)]
pub async fn answer_for_swarm_nodes(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: CurrentContext,
    background: web::Data<Background>,
) -> Result<HttpResponse, Problem> {
    let (image, format) = read_nodes(query, Reading::from(&**context))?;
    let body = body::read(&request, payload, &[body::JSON, body::TEXT], MAX_LIST_BYTES).await?;
    let context = context.into_inner();
    let answering = async move {
        let fleet = answers::swarm_nodes(&context, &image, &body).await;
        let fleet = fleet.map_err(|refusal| Problem::of_fleet(&refusal, &image.image))?;
        written(&fleet, NodesObject::of_swarm, format)
    };
    respond(&request, background.run(answering).await?, format, &Metadata::default())
}

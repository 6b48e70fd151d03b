//! `POST /swarm/nodes`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, MAX_LIST_BYTES};
use super::problems::PostedLookupProblems;
use super::query::Query;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::nodes::{NodesObject, NodesParams, read_image};
use crate::api::problem::Problem;
use crate::api::reading::Reading;

/// Which tags run on the nodes of a Docker swarm
///
/// Send what `docker node inspect $(docker node ls -q)` prints on a manager, and after it what
/// `docker info --format '{{json .}}'` prints on each Windows node, because only that tells the
/// version; at most 3 MiB and 5,000 nodes. One array of all the objects will do too.
#[utoipa::path(
    post, path = "/swarm/nodes", operation_id = "answerForSwarmNodes", tag = "Clusters", params(NodesParams),
    request_body(content = Vec<Object>, description = "Objects of docker node inspect and of docker info"),
    responses(
        (
            status = 200, description = "Labels to set, a service for each group, and one tag for all",
            body = NodesObject
        ),
        PostedLookupProblems,
    )
)]
pub async fn answer_for_swarm_nodes(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let image = read_image(query, Reading::from(&**context))?;
    let body = body::read(&request, payload, "application/json", MAX_LIST_BYTES).await?;
    let fleet = answers::swarm_nodes(&context, &image, &body).await;
    let fleet = fleet.map_err(|refusal| Problem::of_fleet(&refusal, &image))?;
    reply::json(&request, &NodesObject::of_swarm(&fleet), &About::default())
}

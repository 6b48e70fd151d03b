//! `POST /kubernetes/nodes` and `POST /kubernetes/admission`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, MAX_LIST_BYTES};
use super::problems::{BodyProblems, PostedLookupProblems};
use super::query::Query;
use super::reply::{self, About};
use crate::answers::{self, Context};
use crate::api::admission::{AdmissionParams, AdmissionReviewObject, request_of};
use crate::api::nodes::{NodesObject, NodesParams, read_image};
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::api::reading::Reading;

/// Which tags run on the nodes of a Kubernetes cluster
///
/// Send what `kubectl get nodes -o json` prints, at most 3 MiB and 5,000 nodes; of a large cluster
/// `kubectl get nodes -l kubernetes.io/os=windows -o json`. Kubernetes runs process isolation only.
#[utoipa::path(
    post, path = "/kubernetes/nodes", operation_id = "answerForKubernetesNodes", tag = "Clusters", params(NodesParams),
    request_body(content = Object, description = "A List of Nodes, or one Node"),
    responses(
        (status = 200, description = "Labels to set, the tag of each group, and one tag for all", body = NodesObject),
        PostedLookupProblems,
    )
)]
pub async fn answer_for_kubernetes_nodes(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    let image = read_image(query, Reading::from(&**context))?;
    let body = body::read(&request, payload, "application/json", MAX_LIST_BYTES).await?;
    let fleet = answers::kubernetes_nodes(&context, &image, &body).await;
    let fleet = fleet.map_err(|refusal| Problem::of_fleet(&refusal, &image))?;
    reply::json(&request, &NodesObject::of_kubernetes(&fleet), &About::default())
}

/// Brings Windows pods to nodes that run their images
///
/// A mutating admission webhook. It answers from what it has in memory, never asks a registry,
/// allows every pod, and changes only those that leave it open on which build of Windows they run.
/// One build left becomes a node selector, several become a required node affinity.
#[utoipa::path(
    post, path = "/kubernetes/admission", operation_id = "reviewAdmission", tag = "Clusters", params(AdmissionParams),
    request_body(content = Object, description = "An AdmissionReview of admission.k8s.io/v1 with a request"),
    responses((status = 200, description = "The review with a response", body = AdmissionReviewObject), BodyProblems)
)]
pub async fn review_admission(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: web::Data<Context>,
) -> Result<HttpResponse, Problem> {
    Params::new::<AdmissionParams>(query).finish()?;
    let asked = request_of(body::read_json(&request, payload, MAX_LIST_BYTES).await?)?;
    let admission = answers::admit(&context, &asked);
    reply::json(&request, &AdmissionReviewObject::new(asked.uid, &admission), &About::default())
}

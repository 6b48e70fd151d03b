//! `POST /kubernetes/admission`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::answers;
use crate::api::admission::{AdmissionParams, AdmissionReviewObject, request_of};
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::http::body::{self, MAX_LIST_BYTES};
use crate::http::context::CurrentContext;
use crate::http::problems::BodyProblems;
use crate::http::query::Query;
use crate::http::reply::{self, Metadata};

/// Admission webhook for Windows pods
///
/// A mutating admission webhook that schedules pods to nodes that run their images. It answers from
/// memory, never asks a registry, allows every pod, and changes only pods that do not say on which
/// build of Windows they run. A single build becomes a node selector, several become a required
/// node affinity.
#[utoipa::path(
    post, path = "", operation_id = "reviewAdmission", tag = "Clusters", params(AdmissionParams),
    request_body(
        content = Object,
        description = "An AdmissionReview of admission.k8s.io/v1 with a request"
    ),
    responses(
        (status = 200, description = "The review with a response", body = AdmissionReviewObject),
        BodyProblems,
    )
)]
pub async fn review_admission(
    request: HttpRequest,
    Query(query): Query,
    payload: web::Payload,
    context: CurrentContext,
) -> Result<HttpResponse, Problem> {
    Params::new::<AdmissionParams>(query).finish()?;
    let asked = request_of(body::read_json(&request, payload, MAX_LIST_BYTES).await?)?;
    let admission = answers::admit(&context, &asked);
    reply::json(&request, &AdmissionReviewObject::new(asked.uid, &admission), &Metadata::default())
}

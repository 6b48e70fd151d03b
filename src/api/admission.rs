//! `/kubernetes/admission` on the wire: AdmissionReview of `admission.k8s.io/v1`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::platforms::kubernetes::admission::{Admission, Request, Review};
use crate::windows::WindowsVersion;

/// The one form of a review that is understood.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The parameters of `/kubernetes/admission`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AdmissionParams {
    /// How long the API server waits, such as `2s`; the API server adds it. It is not looked at.
    pub timeout: Option<String>,
}

/// The request of a review.
///
/// # Errors
/// When it is not a review of `admission.k8s.io/v1`, or has no request.
pub fn request_of(review: Review) -> Result<Request, Problem> {
    let refuse = |detail: String| Problem::of_parameter("body", "not-allowed", detail);
    if (review.api_version.as_deref(), review.kind.as_deref()) != (Some(API_VERSION), Some(KIND)) {
        return Err(refuse(format!(
            "it is not an {KIND} of {API_VERSION}; the webhook configuration must say \
             admissionReviewVersions: [v1]"
        )));
    }
    review.request.ok_or_else(|| refuse("the review has no request".to_owned()))
}

/// The answer of the webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AdmissionReview)]
pub struct AdmissionReviewObject {
    /// Always `admission.k8s.io/v1`.
    #[schema(example = "admission.k8s.io/v1")]
    pub api_version: &'static str,
    /// Always `AdmissionReview`.
    #[schema(example = "AdmissionReview")]
    pub kind: &'static str,
    /// The response.
    pub response: AdmissionResponseObject,
}

/// The response to the request of a review.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AdmissionResponse)]
pub struct AdmissionResponseObject {
    /// The `uid` of the request.
    pub uid: String,
    /// Always true: wintag changes pods and warns, and refuses none.
    pub allowed: bool,
    /// `JSONPatch`, when there is a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "JSONPatch")]
    pub patch_type: Option<&'static str>,
    /// The changes of the pod: a JSON patch (RFC 6902) in base64; absent when nothing is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub patch: Option<String>,
    /// What kubectl shows to the user, each of at most 120 characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<String>,
    /// For the audit log: `decision`, a stable code, and `windows-builds`, the builds that run the
    /// pod.
    pub audit_annotations: BTreeMap<String, String>,
}

impl AdmissionReviewObject {
    /// The answer to the request of this `uid`.
    pub fn new(uid: String, admission: &Admission) -> Self {
        let patch = (!admission.patch.is_empty())
            .then(|| STANDARD.encode(serde_json::Value::from(admission.patch.clone()).to_string()));
        let mut audit_annotations =
            BTreeMap::from([("decision".to_owned(), admission.decision.as_str().to_owned())]);
        if !admission.builds.is_empty() {
            let builds =
                admission.builds.iter().map(|build| WindowsVersion::of_build(*build).to_string());
            audit_annotations
                .insert("windows-builds".to_owned(), builds.collect::<Vec<_>>().join(","));
        }
        let response = AdmissionResponseObject {
            uid,
            allowed: true,
            patch_type: patch.is_some().then_some("JSONPatch"),
            patch,
            warnings: admission.warnings.clone(),
            audit_annotations,
        };
        Self { api_version: API_VERSION, kind: KIND, response }
    }
}

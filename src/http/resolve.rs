//! `GET /resolve`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::reply::{self, About, Accepted};
use crate::answers::{self, Pin, ResolveQuestion};
use crate::api::params::pairs_of_query;
use crate::api::problem::Problem;
use crate::api::resolve::{Format, ResolutionObject, ResolveParams, ResolveRequest};
use crate::windows::{Isolation, Platform};

/// Which tag of an image runs on a host
///
/// Answers with one exact tag, the isolation mode, and the reasons. `format=tag` gives the tag alone,
/// for `TAG=$(curl -fsS …)`.
#[utoipa::path(
    get, path = "/resolve", operation_id = "resolve", tag = "Answers", params(ResolveParams),
    responses(
        (status = 200, description = "The tag and the isolation mode", body = ResolutionObject),
        (status = 304, description = "The caller has this answer, as `If-None-Match` says"),
        (status = 400, description = "Parameters are wrong; all of them are named", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The registry is not configured", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The image or host is not known, no tag runs as asked, or no tag names the KB; the code tells which", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted media type can be given", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The registry's answer makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The registry cannot be asked, and nothing older is known", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The registry did not answer in time, and nothing older is known", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resolve(request: HttpRequest, context: web::Data<Context>) -> HttpResponse {
    match answer(&request, &context).await {
        Ok(response) => response,
        Err(problem) => reply::problem(&request, &problem),
    }
}

async fn answer(request: &HttpRequest, context: &Context) -> Result<HttpResponse, Problem> {
    let asked = ResolveRequest::read(pairs_of_query(request.query_string()), Reading::from(context))?;
    let question = &asked.question;
    let resolution = answers::resolve(context, question)
        .await
        .map_err(|refusal| Problem::of_refusal(&refusal, question))?;
    let by_header = if reply::accepted(request) == Accepted::Text { Format::Tag } else { Format::Json };
    let format = asked.format.unwrap_or(by_header);
    let about = About {
        freshness: Some(resolution.freshness),
        canonical: Some(canonical(question, format)),
        negotiated: asked.format.is_none(),
    };
    Ok(match format {
        Format::Json => reply::json(request, &ResolutionObject::from(&resolution), &about),
        Format::Tag => reply::text(request, &resolution.tag, &about),
        Format::Reference => reply::text(request, &resolution.reference(), &about),
    })
}

/// The one address of an answer: every parameter that decides it, in a fixed order, spelt one way.
fn canonical(question: &ResolveQuestion, format: Format) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("image", &question.image.repository.to_string());
    query.append_pair("host", &question.host.host.version.to_string());
    query.append_pair("host_type", &question.host.host.kind.to_string());
    query.append_pair("arch", question.architecture.as_str());
    match question.isolation {
        Some(Isolation::Process) => query.append_pair("isolation", "process"),
        Some(Isolation::HyperV) => query.append_pair("isolation", "hyperv"),
        None => &mut query,
    };
    match question.kb {
        Some(kb) => query.append_pair("kb", &kb.to_string()),
        None => &mut query,
    };
    if question.kb.is_none() || question.pin == Pin::Build {
        query.append_pair("pin", question.pin.as_str());
    }
    match question.platform {
        Platform::Docker => &mut query,
        Platform::Kubernetes => query.append_pair("platform", "kubernetes"),
        Platform::Swarm => query.append_pair("platform", "swarm"),
    };
    query.append_pair("format", format.as_str());
    format!("/resolve?{}", query.finish())
}

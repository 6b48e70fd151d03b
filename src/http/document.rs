//! The OpenAPI document, Swagger UI, and the way from `/` to it.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{RefOr, Response};
use utoipa::{Modify, OpenApi};

use super::problems::GeneralProblems;
use super::reply::{self, About, Prepared};
use crate::api::problem::{Problem, ProblemKind};

/// The document, as it is served.
pub struct Served {
    document: Prepared,
    swagger_ui: Arc<utoipa_swagger_ui::Config<'static>>,
}

impl Served {
    /// Keeps the document ready to be served.
    pub fn new(document: String) -> Self {
        let config = utoipa_swagger_ui::Config::new(["/openapi.json"])
            .validator_url("none")
            .try_it_out_enabled(true)
            .display_operation_id(true);
        let document = Prepared::new("application/json", document.into_bytes(), &About::default());
        Self { document, swagger_ui: Arc::new(config) }
    }
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

/// The document as text: what is committed under `openapi/` and what is served.
///
/// # Errors
/// Never in practice: the document is made of plain values.
pub fn document_text() -> serde_json::Result<String> {
    document().to_pretty_json().map(|text| text + "\n")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wintag",
        description = "Tells any Windows container user which tag of a base image runs on a host, and in which isolation mode.\n\n\
            Windows containers are tied to the build of their host. wintag asks the registries which tags there are, applies \
            Microsoft's compatibility rules, and answers with one exact tag, the isolation mode, and the reasons.\n\n\
            The interface only grows: new paths, new fields and new values may come, so take no notice of what you do not know. \
            Codes are stable; messages are for people.\n\n\
            Three refusals come before there is a request: they are always JSON, whatever is accepted, and close the connection. \
            408 (`request-timeout`): the head of the first request is not there within five seconds; 400 (`malformed-request`): what \
            is sent is not HTTP/1.1 or could be read as more than one request; 431 (`headers-too-large`): a head is larger than 128 KiB \
            or has more than 96 headers.",
        contact(name = "The wintag project"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Answers", description = "Which tag runs on a host, and whether an image does"),
        (name = "Clusters", description = "Lists of nodes, and pods to admit"),
        (name = "Knowledge", description = "What the answers stand on: hosts, releases, images, tags"),
        (name = "Other tools", description = "The same in the forms that other tools read"),
        (name = "Health", description = "The state of the service, and its description"),
    ),
    paths(
        super::resolve::resolve,
        super::batch::resolve_batch,
        super::diagnose::diagnose,
        super::check::check_image,
        super::kubernetes::answer_for_kubernetes_nodes,
        super::kubernetes::review_admission,
        super::swarm::answer_for_swarm_nodes,
        super::matrix::compare,
        super::lists::identify,
        super::lists::list_releases,
        super::lists::list_images,
        super::tags::list_tags,
        super::renovate::feed_renovate,
        super::badge::show_badge,
        super::health::live,
        super::health::ready,
        serve,
    ),
    components(schemas(Problem)),
    external_docs(
        url = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/version-compatibility",
        description = "Microsoft's page on Windows container version compatibility",
    ),
    modifiers(&Headers, &Examples),
)]
struct Described;

/// This document
///
/// OpenAPI 3.1, the same as in the repository.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getDocument", tag = "Health",
    responses((status = 200, description = "The document", body = Object), GeneralProblems)
)]
pub async fn serve(request: HttpRequest, served: web::Data<Served>) -> HttpResponse {
    served.document.respond(&request)
}

/// People who open the service in a browser want to see what it does.
pub async fn home() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/swagger-ui/")).finish()
}

/// A file of Swagger UI, out of the program itself.
pub async fn swagger_ui(
    path: web::Path<String>,
    served: web::Data<Served>,
) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(&path, served.swagger_ui.clone())
        .map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?
        .ok_or_else(|| {
            let detail = "Swagger UI begins at /swagger-ui/".to_owned();
            Problem::new(ProblemKind::NotFound, detail)
        })?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, SWAGGER_POLICY))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .content_type(file.content_type)
        .body(reply::in_pieces(bytes)))
}

/// Swagger UI brings everything itself and talks to this service only. It sets styles in its
/// elements and shows images that are data.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
                              'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src \
                              'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Describes the headers that every answer and every problem has.
struct Headers;

impl Modify for Headers {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::HeaderBuilder;
        let header = |text: &str| HeaderBuilder::new().description(Some(text)).build();
        for_each_response(openapi, |_, is_cached, status, response| {
            let mut add = |name: &str, text: &str| {
                response.headers.insert(name.to_owned(), header(text).into());
            };
            add("Link", "Where this document and its description for people are.");
            add("Cache-Control", "For how long the answer may be kept; problems may not be kept.");
            match status {
                "200" | "304" if is_cached => add(
                    "ETag",
                    "Names this answer; send it as `If-None-Match` to be told only what is new.",
                ),
                "429" => {
                    add(
                        "Retry-After",
                        "After so many seconds there is an answer again, at most 60.",
                    );
                    add(
                        "RateLimit-Policy",
                        "How often a client may ask: `q` requests in `w` seconds.",
                    );
                    add(
                        "RateLimit",
                        "What is left of that: `r` requests, and more in `t` seconds.",
                    );
                }
                "503" | "504" => {
                    add("Retry-After", "After so many seconds it is worth asking again.")
                }
                _ => {}
            }
        });
    }
}

/// Adds the examples of `openapi/examples.json`. Each is a request and its true answer; a test
/// replays them.
struct Examples;

const EXAMPLES: &str = include_str!("../../openapi/examples.json");

/// An example: what was asked, and what was answered.
#[derive(serde::Deserialize)]
struct Example {
    name: String,
    operation: String,
    summary: String,
    request: String,
    /// The body that was sent, with POST: JSON, or a text.
    #[serde(default)]
    sent: Option<serde_json::Value>,
    status: u16,
    body: serde_json::Value,
}

impl Example {
    const fn method(&self) -> &'static str {
        if self.sent.is_some() { "POST" } else { "GET" }
    }
}

impl Modify for Examples {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let examples: Vec<Example> =
            serde_json::from_str(EXAMPLES).expect("a test replays the embedded examples");
        add_requests(openapi, &examples);
        for_each_response(openapi, |operation, _, status, response| {
            let its = examples
                .iter()
                .filter(|it| it.operation == operation && it.status.to_string() == status);
            for example in its {
                for (media, content) in &mut response.content {
                    let RefOr::T(content) = content else { continue };
                    if media.ends_with("json") == example.body.is_string() {
                        continue;
                    }
                    // It may have one example, or several that have names.
                    content.example = None;
                    let built = ExampleBuilder::new()
                        .summary(&example.summary)
                        .description(format!("`{} {}`", example.method(), example.request))
                        .value(Some(example.body.clone()))
                        .build();
                    content.examples.insert(example.name.clone(), built.into());
                }
            }
        });
    }
}

/// Shows what was sent beside what was answered.
fn add_requests(openapi: &mut utoipa::openapi::OpenApi, examples: &[Example]) {
    for operation in openapi.paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        let id = operation.operation_id.clone().unwrap_or_default();
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            for example in examples.iter().filter(|it| it.operation == id && it.status == 200) {
                let built = ExampleBuilder::new()
                    .summary(&example.summary)
                    .value(example.sent.clone())
                    .build();
                content.examples.insert(example.name.clone(), built.into());
            }
        }
    }
}

fn for_each_response(
    openapi: &mut utoipa::openapi::OpenApi,
    mut change: impl FnMut(&str, bool, &str, &mut Response),
) {
    for item in openapi.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let id = operation.operation_id.clone().unwrap_or_default();
            let responses = &mut operation.responses.responses;
            let is_cached = responses.contains_key("304");
            for (status, response) in responses {
                if let RefOr::T(response) = response {
                    change(&id, is_cached, status, response);
                }
            }
        }
    }
}

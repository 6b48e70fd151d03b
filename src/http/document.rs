//! The OpenAPI document: the operations of the route table, with their headers and examples.

use utoipa::OpenApi;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::{RefOr, Response};

use super::routes;
use crate::api::problem::Problem;

/// The document as text: what is committed under `openapi/` and what is served.
///
/// # Errors
/// Never in practice: the document is made of plain values.
pub fn document_text() -> serde_json::Result<String> {
    let mut document = Described::openapi();
    routes::document(&mut document);
    describe_headers(&mut document);
    add_examples(&mut document);
    document.to_pretty_json().map(|text| text + "\n")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wintag",
        description = "Finds the tag of a Windows container image that runs on a given Windows \
            host, and in which isolation mode.\n\nWindows containers are tied to the build of \
            their host: wintag reads the tags from the registries, applies Microsoft's \
            compatibility rules, and returns one exact tag with the reasons.\n\nThe API only \
            grows, with new paths, fields and values, so ignore what you do not know; codes are \
            stable, messages are for people.",
        contact(name = "The wintag project"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "Answers", description = "Tags for hosts, checks of images, diagnosis of errors"),
        (name = "Clusters", description = "Lists of nodes, and the admission of pods"),
        (name = "Knowledge", description = "The facts: hosts, releases, images, tags"),
        (name = "Other tools", description = "Answers in the formats of other tools"),
        (name = "Health", description = "The state of the service, and its description"),
    ),
    components(schemas(Problem)),
    external_docs(
        url = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/\
               deploy-containers/version-compatibility",
        description = "Microsoft's page on Windows container version compatibility",
    ),
)]
struct Described;

/// Describes the headers of answers and problems.
fn describe_headers(document: &mut utoipa::openapi::OpenApi) {
    for_each_response(document, |_, is_cached, status, response| {
        let mut add = |name: &str, text: &str| {
            let header: Header = HeaderBuilder::new().description(Some(text)).build();
            response.headers.insert(name.to_owned(), header.into());
        };
        add("Link", "Where this document and its description for people are.");
        add("Cache-Control", "How long the answer may be cached; problems may not be cached.");
        match status {
            "200" | "304" if is_cached => {
                add(
                    "ETag",
                    "Identifies this answer; send it as `If-None-Match` to get it only if \
                             it has changed.",
                );
            }
            "429" => {
                add("Retry-After", "When to try again, in seconds, at most 60.");
                add("RateLimit-Policy", "The rate limit: `q` requests in `w` seconds.");
                add("RateLimit", "What is left of it: `r` requests, and more in `t` seconds.");
            }
            "503" | "504" => add("Retry-After", "When to try again, in seconds."),
            _ => {}
        }
    });
}

/// The examples. Each is a request and its true answer; a test replays them.
const EXAMPLES: &str = include_str!("../../openapi/examples.json");

/// A request and its answer.
#[derive(serde::Deserialize)]
struct Example {
    name: String,
    operation: String,
    summary: String,
    request: String,
    /// The body of a POST: JSON, or a text.
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

fn add_examples(document: &mut utoipa::openapi::OpenApi) {
    let examples: Vec<Example> =
        serde_json::from_str(EXAMPLES).expect("a test replays the embedded examples");
    add_requests(document, &examples);
    for_each_response(document, |operation, _, status, response| {
        let its = examples
            .iter()
            .filter(|it| it.operation == operation && it.status.to_string() == status);
        for example in its {
            for (media, content) in &mut response.content {
                let RefOr::T(content) = content else { continue };
                if media.ends_with("json") == example.body.is_string() {
                    continue;
                }
                // OpenAPI allows one example, or several with names.
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

/// Adds the bodies of the requests.
fn add_requests(openapi: &mut utoipa::openapi::OpenApi, examples: &[Example]) {
    for operation in openapi.paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        let id = operation.operation_id.clone().unwrap_or_default();
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        let is_answered = |it: &&Example| it.operation == id && it.status == 200;
        for (media, content) in &mut body.content {
            let RefOr::T(content) = content else { continue };
            let is_sent = |it: &&Example| {
                it.sent.as_ref().is_some_and(|sent| sent.is_string() != media.ends_with("json"))
            };
            for example in examples.iter().filter(is_answered).filter(is_sent) {
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

//! The problems that operations can have, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::api::problem::{Problem, ProblemKind};

/// What `If-None-Match` can lead to.
const NOT_MODIFIED: (&str, &str) = ("304", "The caller has this answer, as `If-None-Match` says");
/// Of every operation.
const OF_ALL: [(&str, &str); 4] = [
    ("413", "The request has a body, which no operation reads"),
    ("414", "Path and query are too long"),
    ("431", "The headers are too large"),
    ("500", "A defect in wintag; other requests are answered"),
];
/// Of every operation but those that tell the state of the service.
const OF_LIMITED: [(&str, &str); 1] =
    [("429", "The client has asked too often, or has too many connections")];
/// Of every operation with parameters.
const OF_PARAMETERS: [(&str, &str); 2] = [
    ("400", "Parameters are wrong; all of them are named"),
    ("406", "No accepted media type can be given"),
];
/// Of operations that read a body.
const OF_BODIES: [(&str, &str); 5] = [
    ("400", "The body or the parameters are wrong; all that is wrong is named"),
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The body is of a type that is not read here"),
    ("503", "Too many bodies are being read, or too many questions wait for registries"),
];
/// Of operations that read a host.
const OF_HOSTS: [(&str, &str); 1] = [(
    "404",
    "The host is not a Windows that runs containers, or what stands for an image is no Windows \
     version",
)];
/// Of operations that may ask a registry.
const OF_REGISTRIES: [(&str, &str); 5] = [
    ("403", "The registry is not configured"),
    (
        "404",
        "The image or host is not known, no tag runs as asked, or no tag names the KB; the code \
         tells which",
    ),
    ("502", "The registry's answer makes no sense"),
    (
        "503",
        "The registry cannot be asked, or too many wait for one already, and nothing older is \
         known",
    ),
    ("504", "The registry did not answer in time, and nothing older is known"),
];

/// The problems of an operation that tells the state of the service.
pub struct HealthProblems;

/// The problems of an operation that has no parameters.
pub struct GeneralProblems;

/// The problems of an operation that only reads tables.
pub struct TableProblems;

/// The problems of an operation that reads a host and tables.
pub struct HostProblems;

/// The problems of an operation that may ask a registry.
pub struct LookupProblems;

/// The problems of an operation that reads a body.
pub struct BodyProblems;

/// The problems of an operation that reads a body and may ask a registry.
pub struct PostedLookupProblems;

impl IntoResponses for PostedLookupProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BodyProblems::responses().into_iter().chain(problems(&OF_REGISTRIES)).collect()
    }
}

impl IntoResponses for BodyProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let of_all = problems(&OF_ALL).chain(problems(&OF_LIMITED));
        of_all.chain(problems(&OF_PARAMETERS)).chain(problems(&OF_BODIES)).collect()
    }
}

impl IntoResponses for HealthProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&OF_ALL).collect()
    }
}

impl IntoResponses for GeneralProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&OF_ALL).chain(problems(&OF_LIMITED)).chain([not_modified()]).collect()
    }
}

impl IntoResponses for TableProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_problems(&[])
    }
}

impl IntoResponses for HostProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_problems(&OF_HOSTS)
    }
}

impl IntoResponses for LookupProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_problems(&OF_REGISTRIES)
    }
}

fn with_problems(further: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let general = problems(&OF_ALL).chain(problems(&OF_LIMITED));
    general
        .chain(problems(&OF_PARAMETERS))
        .chain(problems(further))
        .chain([not_modified()])
        .collect()
}

fn not_modified() -> (String, RefOr<Response>) {
    let (status, description) = NOT_MODIFIED;
    (status.to_owned(), Response::new(description).into())
}

/// Each problem: JSON, and the one line that those get who ask for text.
fn problems(statuses: &[(&str, &str)]) -> impl Iterator<Item = (String, RefOr<Response>)> {
    statuses.iter().map(|(status, description)| {
        let json = Content::new(Some(Ref::from_schema_name("Problem")));
        let line = ProblemKind::ALL
            .iter()
            .find(|kind| kind.status().to_string() == *status)
            .map(|kind| Problem::new(*kind, String::new()).line());
        let text = ContentBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(line.map(serde_json::Value::from))
            .build();
        let response = ResponseBuilder::new()
            .description(*description)
            .content("application/problem+json", json)
            .content("text/plain", text);
        ((*status).to_owned(), response.build().into())
    })
}

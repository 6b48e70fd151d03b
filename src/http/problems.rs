//! The problems that operations can have, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::api::problem::ProblemKind;

/// What `If-None-Match` can lead to.
const NOT_MODIFIED: (&str, &str) = ("304", "The caller has this answer, as `If-None-Match` says");
/// Of every operation.
const OF_ALL: [(&str, &str); 4] = [
    ("413", "The request has a body, which no operation reads"),
    ("414", "Path and query are too long"),
    ("431", "The headers are too large"),
    ("500", "A defect in wintag; other requests are answered"),
];
/// Of every operation with parameters.
const OF_PARAMETERS: [(&str, &str); 2] =
    [("400", "Parameters are wrong; all of them are named"), ("406", "No accepted media type can be given")];
/// Of operations that read a host.
const OF_HOSTS: [(&str, &str); 1] = [("404", "The host is not a Windows that runs containers")];
/// Of operations that may ask a registry.
const OF_REGISTRIES: [(&str, &str); 5] = [
    ("403", "The registry is not configured"),
    ("404", "The image or host is not known, no tag runs as asked, or no tag names the KB; the code tells which"),
    ("502", "The registry's answer makes no sense"),
    ("503", "The registry cannot be asked, and nothing older is known"),
    ("504", "The registry did not answer in time, and nothing older is known"),
];

/// The problems of an operation that has no parameters.
pub struct GeneralProblems;

/// The problems of an operation that only reads tables.
pub struct TableProblems;

/// The problems of an operation that reads a host and tables.
pub struct HostProblems;

/// The problems of an operation that may ask a registry.
pub struct LookupProblems;

impl IntoResponses for GeneralProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&OF_ALL).collect()
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
    let (status, description) = NOT_MODIFIED;
    let not_modified = (status.to_owned(), Response::new(description).into());
    problems(&OF_ALL).chain(problems(&OF_PARAMETERS)).chain(problems(further)).chain([not_modified]).collect()
}

/// Each problem: JSON, and the one line that those get who ask for text.
fn problems(statuses: &[(&str, &str)]) -> impl Iterator<Item = (String, RefOr<Response>)> {
    statuses.iter().map(|(status, description)| {
        let json = Content::new(Some(Ref::from_schema_name("Problem")));
        let line = ProblemKind::ALL.iter().find(|kind| kind.status().to_string() == *status).map(|kind| kind.line());
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

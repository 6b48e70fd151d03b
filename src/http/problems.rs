//! The problems that operations can have, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// What `If-None-Match` can lead to.
const NOT_MODIFIED: (&str, &str) = ("304", "The caller has this answer, as `If-None-Match` says");
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

/// The problems of an operation that only reads tables.
pub struct TableProblems;

/// The problems of an operation that reads a host and tables.
pub struct HostProblems;

/// The problems of an operation that may ask a registry.
pub struct LookupProblems;

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
    let problem = |description: &str| {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        ResponseBuilder::new().description(description).content("application/problem+json", content).build()
    };
    let (status, description) = NOT_MODIFIED;
    let not_modified = (status.to_owned(), Response::new(description).into());
    let problems = OF_PARAMETERS.iter().chain(further);
    problems.map(|(status, text)| ((*status).to_owned(), problem(text).into())).chain([not_modified]).collect()
}

//! The problems of each operation, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::api::problem::{Problem, ProblemKind};

type Statuses = &'static [(&'static str, &'static str)];

/// Of operations whose answers are cached.
const OF_CACHED: Statuses =
    &[(NOT_MODIFIED, "The client has this answer already, by its `If-None-Match`")];
const OF_ALL: Statuses = &[
    ("413", "The request has a body, which this operation does not read"),
    ("414", "Path and query are too long"),
    ("431", "The headers are too large"),
    ("500", "A defect in wintag; other requests are not affected"),
];
const OF_LIMITED: Statuses =
    &[("429", "The rate limit is exceeded, or the client has too many connections")];
const OF_PARAMETERS: Statuses = &[
    ("400", "Parameters are invalid; all of them are listed"),
    ("406", "None of the accepted media types is available"),
];
const OF_BODIES: Statuses = &[
    ("400", "The body or parameters are invalid; everything invalid is listed"),
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The media type of the body is not supported"),
    ("503", "Too many bodies are being read, or too many requests wait for registries"),
];
const OF_HOSTS: Statuses = &[(
    "404",
    "The host is not a Windows version that runs containers, or an image is not a Windows version",
)];
const OF_REGISTRIES: Statuses = &[
    ("403", "The registry is not allowed"),
    (
        "404",
        "The image or host is unknown, no tag runs as requested, or no tag names the KB; see the \
         code",
    ),
    ("502", "The response of the registry is invalid"),
    (
        "503",
        "The registry is unavailable, or too many requests wait for it, and nothing older is known",
    ),
    ("504", "The registry did not respond in time, and nothing older is known"),
];
/// The only status here that is not a problem.
const NOT_MODIFIED: &str = "304";

/// Declares sets of problems for `#[utoipa::path]`. Where several parts describe a status, the last
/// one wins.
macro_rules! problem_sets {
    ($($(#[$doc:meta])* $set:ident = $($part:ident),+;)+) => {$(
        $(#[$doc])*
        pub struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($part),+].into_iter().flatten().map(response).collect()
            }
        }
    )+};
}

problem_sets! {
    /// Of probes.
    HealthProblems = OF_ALL;
    /// Of an operation without parameters.
    GeneralProblems = OF_ALL, OF_LIMITED, OF_CACHED;
    /// Of an operation that only reads tables.
    TableProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_CACHED;
    /// Of an operation that reads a host and tables.
    HostProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_HOSTS, OF_CACHED;
    /// Of an operation that may use a registry.
    LookupProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_REGISTRIES, OF_CACHED;
    /// Of an operation that reads a body.
    BodyProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_BODIES;
    /// Of an operation that reads a host in a body.
    PostedHostProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_BODIES, OF_HOSTS;
    /// Of an operation that reads a body and may use a registry.
    PostedLookupProblems = OF_ALL, OF_LIMITED, OF_PARAMETERS, OF_BODIES, OF_REGISTRIES;
}

/// The response of a status: a problem in JSON, or in one line of text.
fn response((status, description): &(&str, &str)) -> (String, RefOr<Response>) {
    let mut response = ResponseBuilder::new().description(*description);
    if *status != NOT_MODIFIED {
        let json = Content::new(Some(Ref::from_schema_name("Problem")));
        let kind = ProblemKind::ALL.into_iter().find(|kind| kind.status().to_string() == *status);
        let line = kind.map(|kind| Problem::new(kind, String::new()).line());
        let text = ContentBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(line.map(serde_json::Value::from))
            .build();
        response = response.content("application/problem+json", json).content("text/plain", text);
    }
    ((*status).to_owned(), response.build().into())
}

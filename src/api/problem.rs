//! Errors on the wire: problem details (RFC 9457), one `type` and one `code` for each kind.

use serde::Serialize;
use utoipa::ToSchema;

use super::resolve::AlternativeObject;

/// What to do about a registry that is not allowed.
pub const ALLOW_REGISTRY: &str =
    "; name it in the configuration file, or with --mirror, to allow it";

/// What kind of problem. The HTTP status of each is here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Something is wrong with the parameters.
    InvalidParameter,
    /// What was sent is no request.
    MalformedRequest,
    /// The registry is not one of those configured.
    RegistryNotAllowed,
    /// The service for those who run it was asked for by a name that is not this machine's.
    HostNotAllowed,
    /// No registry or catalogue has the image.
    UnknownImage,
    /// The host text says nothing that is a Windows with containers.
    UnknownHost,
    /// No tag runs as asked.
    NoCompatibleTag,
    /// No tag names the KB.
    KbNotFound,
    /// There is nothing at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// None of the media types that are accepted can be given.
    NotAcceptable,
    /// The request, or its body, did not arrive in time.
    RequestTimeout,
    /// The request has a body where none is read, or a larger one than is read.
    PayloadTooLarge,
    /// Path and query are too long.
    UriTooLong,
    /// The body is of a type that is not read here.
    UnsupportedMediaType,
    /// The headers are too large.
    HeadersTooLarge,
    /// The client takes more than its share.
    QuotaExceeded,
    /// The registry's answer makes no sense.
    UpstreamInvalid,
    /// The registry cannot be asked.
    UpstreamUnavailable,
    /// Too much waits for registries already.
    TemporaryReducedCapacity,
    /// The service was told to stop.
    Draining,
    /// The registry did not answer in time.
    UpstreamTimeout,
    /// A defect in wintag.
    Internal,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::InvalidParameter,
        Self::MalformedRequest,
        Self::RegistryNotAllowed,
        Self::HostNotAllowed,
        Self::UnknownImage,
        Self::UnknownHost,
        Self::NoCompatibleTag,
        Self::KbNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::HeadersTooLarge,
        Self::QuotaExceeded,
        Self::UpstreamInvalid,
        Self::UpstreamUnavailable,
        Self::TemporaryReducedCapacity,
        Self::Draining,
        Self::UpstreamTimeout,
        Self::Internal,
    ];

    /// The HTTP status, the stable code, and the title.
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidParameter => (400, "invalid-parameter", "a parameter is wrong"),
            Self::MalformedRequest => (400, "malformed-request", "the request cannot be read"),
            Self::RegistryNotAllowed => {
                (403, "registry-not-allowed", "the registry is not configured")
            }
            Self::HostNotAllowed => {
                (403, "host-not-allowed", "the service is not to be asked by this name")
            }
            Self::UnknownImage => (404, "unknown-image", "the image is not known"),
            Self::UnknownHost => {
                (404, "unknown-host", "the host is not a Windows that runs containers")
            }
            Self::NoCompatibleTag => {
                (404, "no-compatible-tag", "no tag of the image runs on the host as asked")
            }
            Self::KbNotFound => (404, "kb-not-found", "no tag of the image names the KB"),
            Self::NotFound => (404, "not-found", "there is nothing at this path"),
            Self::MethodNotAllowed => {
                (405, "method-not-allowed", "the path does not take this method")
            }
            Self::NotAcceptable => (406, "not-acceptable", "no accepted media type can be given"),
            Self::RequestTimeout => (408, "request-timeout", "the request did not arrive in time"),
            Self::PayloadTooLarge => {
                (413, "payload-too-large", "the body of the request is too large")
            }
            Self::UriTooLong => (414, "uri-too-long", "path and query are too long"),
            Self::UnsupportedMediaType => {
                (415, "unsupported-media-type", "the body is of a type that is not read here")
            }
            Self::HeadersTooLarge => (431, "headers-too-large", "the headers are too large"),
            Self::QuotaExceeded => (429, "quota-exceeded", "the client takes more than its share"),
            Self::UpstreamInvalid => {
                (502, "upstream-invalid", "the registry gave an answer that makes no sense")
            }
            Self::UpstreamUnavailable => {
                (503, "upstream-unavailable", "the registry cannot be asked")
            }
            Self::TemporaryReducedCapacity => {
                (503, "temporary-reduced-capacity", "there is too much to do at a time")
            }
            Self::Draining => (503, "draining", "the service was told to stop"),
            Self::UpstreamTimeout => {
                (504, "upstream-timeout", "the registry did not answer in time")
            }
            Self::Internal => (500, "internal", "wintag failed"),
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.parts().0
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        self.parts().1
    }

    /// What identifies the kind: the path `/problems/` and the code, or a name that is registered
    /// for it.
    fn uri(self) -> String {
        let registry = match self {
            // Registered by draft-ietf-httpapi-ratelimit-headers.
            Self::QuotaExceeded | Self::TemporaryReducedCapacity => {
                "https://iana.org/assignments/http-problem-types#"
            }
            _ => "/problems/",
        };
        format!("{registry}{}", self.code())
    }

    /// The title, the same for every problem of the kind.
    pub const fn title(self) -> &'static str {
        self.parts().2
    }
}

/// A problem (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Problem {
    #[serde(skip)]
    #[schema(ignore)]
    kind: KindOrInternal,
    /// Identifies the kind of problem: the path `/problems/` and the code, or the name that is
    /// registered for it.
    #[serde(rename = "type")]
    pub kind_uri: String,
    /// What kind of problem it is, in words; the same for every problem of the kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the kind.
    pub code: &'static str,
    /// What happened, why, and what to do.
    pub detail: String,
    /// Each parameter that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<ErrorObject>,
    /// The nearest tags, and why each falls short.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub alternatives: Vec<AlternativeObject>,
    /// The KBs that there are, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub available_kbs: Vec<String>,
    /// Which limits the client has gone beyond.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub violated_policies: Vec<String>,
    /// After so many seconds it is worth asking again; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The trace of the request, when it is traced: 32 hexadecimal digits. Say them to those who
    /// run the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0af7651916cd43dd8448eb211c80319c", pattern = "^[0-9a-f]{32}$")]
    pub trace_id: Option<String>,
}

/// The kind, with a default that serde's `skip` needs.
#[derive(Clone, Copy, Debug)]
struct KindOrInternal(ProblemKind);

impl Default for KindOrInternal {
    fn default() -> Self {
        Self(ProblemKind::Internal)
    }
}

/// The code of a parameter that the operation does not have.
pub const UNKNOWN_PARAMETER: &str = "unknown-parameter";

/// The code of a value that is none of those that a parameter takes.
pub const NOT_ALLOWED: &str = "not-allowed";

/// Whether this could be the name of a parameter.
pub fn is_name(text: &str) -> bool {
    /// The longest name there is has half of it.
    const MAX_NAME_BYTES: usize = 32;
    text.len() <= MAX_NAME_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorObject {
    /// The parameter.
    pub parameter: Option<String>,
    /// A stable code.
    pub code: String,
    /// What is wrong and what is wanted.
    pub message: String,
    /// The values or names that are allowed, where they can be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub allowed: Vec<String>,
}

/// As one line of a log, with nothing left out.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl Problem {
    /// How long a caller is asked to wait at most, and where nobody knows, in seconds. Renovate
    /// gives up above 60, and a failure is remembered for 30.
    pub(super) const RETRY_AFTER_SECONDS: u64 = 30;
    /// Who takes too much is never told to wait longer, for the same reason.
    const LONGEST_QUOTA_SECONDS: u64 = 60;

    /// Nobody waits for a registry for longer, so that by then those who wait now have gone.
    const CROWD_SECONDS: u64 = 10;

    /// A client takes more than this policy allows, until so many seconds from now.
    pub fn of_quota(policy: &'static str, detail: String, retry_after_seconds: u64) -> Self {
        let retry_after_seconds = Some(retry_after_seconds.clamp(1, Self::LONGEST_QUOTA_SECONDS));
        let violated_policies = vec![policy.to_owned()];
        Self {
            retry_after_seconds,
            violated_policies,
            ..Self::new(ProblemKind::QuotaExceeded, detail)
        }
    }
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: String) -> Self {
        let retry_after_seconds = match kind {
            ProblemKind::UpstreamUnavailable | ProblemKind::UpstreamTimeout => {
                Some(Self::RETRY_AFTER_SECONDS)
            }
            ProblemKind::TemporaryReducedCapacity => Some(Self::CROWD_SECONDS),
            _ => None,
        };
        Self {
            kind: KindOrInternal(kind),
            kind_uri: kind.uri(),
            title: kind.title(),
            status: kind.status(),
            code: kind.code(),
            detail,
            errors: Vec::new(),
            alternatives: Vec::new(),
            available_kbs: Vec::new(),
            violated_policies: Vec::new(),
            retry_after_seconds,
            trace_id: None,
        }
    }

    /// The same problem of a request that belongs to this trace.
    pub fn in_trace(self, trace_id: Option<String>) -> Self {
        Self { trace_id, ..self }
    }

    /// One thing that is wrong with the request.
    pub fn of_parameter(name: &str, code: &str, message: String) -> Self {
        let mut problem = Self::new(ProblemKind::InvalidParameter, format!("{name}: {message}"));
        let error = ErrorObject {
            parameter: Some(name.to_owned()),
            code: code.to_owned(),
            message,
            allowed: Vec::new(),
        };
        problem.errors.push(error);
        problem
    }

    /// Which kind it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind.0
    }

    /// The problem as one line of text: its kind, and of wrong parameters which they are and what
    /// they may be. Nothing of the caller's or the registry's text is in it, and nothing that
    /// means something to a shell.
    pub fn line(&self) -> String {
        let mut line = format!("error: {}: {}", self.code, self.title);
        for error in self.errors.iter().filter(|_| self.kind() == ProblemKind::InvalidParameter) {
            // The name of one that is not known is the caller's, and so is what is no word.
            let name = error
                .parameter
                .as_deref()
                .filter(|name| error.code != UNKNOWN_PARAMETER && is_name(name));
            line.push_str(" - ");
            line.extend(name.into_iter().flat_map(|name| [name, ": "]));
            line.push_str(&error.code);
            if error.code == NOT_ALLOWED && !error.allowed.is_empty() {
                line.push_str(": one of ");
                line.push_str(&error.allowed.join(" "));
            }
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
    }
}

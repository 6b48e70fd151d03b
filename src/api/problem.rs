//! Errors on the wire: problem details (RFC 9457), with one `type` and one `code` for each kind.

use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::Alternative;
use crate::words::words;

/// How to allow a registry.
pub const ALLOW_REGISTRY: &str =
    "; to allow it, name it in the configuration file or with --mirror";

macro_rules! problem_kinds {
    ($($kind:ident = $status:literal $code:tt $title:literal,)+) => {
        words! {
            /// The kind of a problem, with its stable code.
            pub enum ProblemKind {
                $(#[doc = $title] $kind = $code,)+
            }
        }

        impl ProblemKind {
            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)+
                }
            }

            /// The title, the same for every problem of the kind.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

// The HTTP status of each problem is here and nowhere else.
problem_kinds! {
    InvalidParameter = 400 "invalid-parameter" "invalid parameter",
    MalformedRequest = 400 "malformed-request" "malformed request",
    VersionNeeded = 400 "version-needed" "the image needs a version",
    RegistryNotAllowed = 403 "registry-not-allowed" "registry not allowed",
    HostNotAllowed = 403 "host-not-allowed" "host name not allowed",
    UnknownImage = 404 "unknown-image" "unknown image",
    UnknownHost = 404 "unknown-host" "the host is not a Windows version that runs containers",
    NoCompatibleTag = 404 "no-compatible-tag" "no tag of the image runs on the host as requested",
    KbNotFound = 404 "kb-not-found" "no tag of the image names the KB",
    NotFound = 404 "not-found" "no such path",
    MethodNotAllowed = 405 "method-not-allowed" "method not allowed for this path",
    NotAcceptable = 406 "not-acceptable" "no acceptable media type is available",
    RequestTimeout = 408 "request-timeout" "the request did not arrive in time",
    PayloadTooLarge = 413 "payload-too-large" "the request body is too large",
    UriTooLong = 414 "uri-too-long" "path and query are too long",
    UnsupportedMediaType = 415 "unsupported-media-type" "unsupported media type",
    HeadersTooLarge = 431 "headers-too-large" "the request headers are too large",
    QuotaExceeded = 429 "quota-exceeded" "rate limit exceeded",
    UpstreamInvalid = 502 "upstream-invalid" "invalid response from the registry",
    UpstreamUnavailable = 503 "upstream-unavailable" "registry unavailable",
    TemporaryReducedCapacity = 503 "temporary-reduced-capacity" "service overloaded",
    Draining = 503 "draining" "service shutting down",
    UpstreamTimeout = 504 "upstream-timeout" "the registry did not respond in time",
    Internal = 500 "internal" "internal error",
}

impl ProblemKind {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        self.as_str()
    }

    /// The URI that identifies the kind: the path `/problems/` and the code, or a registered name.
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
}

/// A problem (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Problem {
    #[serde(skip)]
    #[schema(ignore)]
    kind: ProblemKind,
    /// Identifies the kind of problem: the path `/problems/` and the code, or a registered name.
    #[serde(rename = "type")]
    pub kind_uri: String,
    /// The kind of problem in words; the same for every problem of the kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the kind.
    pub code: &'static str,
    /// What happened, why, and what to do.
    pub detail: String,
    /// Each invalid parameter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<ErrorObject>,
    /// The nearest tags, and why each does not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub alternatives: Vec<Alternative>,
    /// The available KBs, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub available_kbs: Vec<String>,
    /// The limits that the client has exceeded.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub violated_policies: Vec<String>,
    /// When to try again, in seconds; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The trace of the request if it is traced: 32 hexadecimal digits, for the operators of the
    /// service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0af7651916cd43dd8448eb211c80319c", pattern = "^[0-9a-f]{32}$")]
    pub trace_id: Option<String>,
}

/// The code of a parameter that the operation does not have.
pub const UNKNOWN_PARAMETER: &str = "unknown-parameter";

/// The code of a value that the parameter does not take.
pub const NOT_ALLOWED: &str = "not-allowed";

/// Whether this could be the name of a parameter.
pub fn is_name(text: &str) -> bool {
    /// Twice the longest name of a parameter.
    const MAX_NAME_BYTES: usize = 32;
    text.len() <= MAX_NAME_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// An error in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorObject {
    /// The parameter.
    pub parameter: Option<String>,
    /// A stable code.
    pub code: String,
    /// What is wrong, and what is expected.
    pub message: String,
    /// The allowed values or names, if they can be listed.
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
    /// `Retry-After` of an unavailable registry, and its maximum. Renovate gives up above 60, and a
    /// failure is cached for 30.
    pub(super) const MAX_RETRY_AFTER_SECONDS: u64 = 30;
    /// The maximum of `Retry-After` over the rate limit, for the same reason.
    const MAX_QUOTA_RETRY_SECONDS: u64 = 60;

    /// `Retry-After` of an overloaded service: no request waits longer for a registry, so that
    /// those that wait now are done by then.
    const OVERLOAD_RETRY_SECONDS: u64 = 10;

    /// A client is over the limit of this policy for the given time.
    pub fn of_quota(policy: &'static str, detail: String, retry_after_seconds: u64) -> Self {
        let retry_after_seconds = Some(retry_after_seconds.clamp(1, Self::MAX_QUOTA_RETRY_SECONDS));
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
                Some(Self::MAX_RETRY_AFTER_SECONDS)
            }
            ProblemKind::TemporaryReducedCapacity => Some(Self::OVERLOAD_RETRY_SECONDS),
            _ => None,
        };
        Self {
            kind,
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

    /// One invalid parameter.
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

    /// Its kind.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The problem as one line of text: its kind, and the names of invalid parameters with their
    /// allowed values. The line has no text of the caller or the registry, and nothing with a
    /// meaning to a shell.
    pub fn line(&self) -> String {
        let mut line = format!("error: {}: {}", self.code, self.title);
        for error in self.errors.iter().filter(|_| self.kind() == ProblemKind::InvalidParameter) {
            // The name of an unknown parameter is the caller's text.
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
    fn every_kind_has_a_code_and_a_title_of_its_own() {
        let titles = ProblemKind::ALL.map(ProblemKind::title);
        for words in [ProblemKind::WORDS, &titles] {
            let distinct: BTreeSet<&str> = words.iter().copied().collect();
            assert_eq!(distinct.len(), ProblemKind::ALL.len());
        }
    }
}

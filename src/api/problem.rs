//! Errors on the wire: problem details (RFC 9457), one `type` and one `code` for each kind.

use serde::Serialize;
use utoipa::ToSchema;

use super::resolve::AlternativeObject;
use crate::answers::{Pin, Refusal, ResolveQuestion, Shortfall};
use crate::catalogue::{Miss, RegistryError};
use crate::images::NamedImage;

/// What kind of problem. The HTTP status of each is here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Something is wrong with the parameters.
    InvalidParameter,
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
    /// The request has a body where none is read.
    PayloadTooLarge,
    /// Path and query are too long.
    UriTooLong,
    /// The headers are too large.
    HeadersTooLarge,
    /// The registry's answer makes no sense.
    UpstreamInvalid,
    /// The registry cannot be asked.
    UpstreamUnavailable,
    /// The registry did not answer in time.
    UpstreamTimeout,
    /// A defect in wintag.
    Internal,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::InvalidParameter,
        Self::RegistryNotAllowed,
        Self::HostNotAllowed,
        Self::UnknownImage,
        Self::UnknownHost,
        Self::NoCompatibleTag,
        Self::KbNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::UpstreamInvalid,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::Internal,
    ];

    /// The HTTP status, the stable code, and the title.
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidParameter => (400, "invalid-parameter", "a parameter is wrong"),
            Self::RegistryNotAllowed => (403, "registry-not-allowed", "the registry is not configured"),
            Self::HostNotAllowed => (403, "host-not-allowed", "the service is not to be asked by this name"),
            Self::UnknownImage => (404, "unknown-image", "the image is not known"),
            Self::UnknownHost => (404, "unknown-host", "the host is not a Windows that runs containers"),
            Self::NoCompatibleTag => (404, "no-compatible-tag", "no tag of the image runs on the host as asked"),
            Self::KbNotFound => (404, "kb-not-found", "no tag of the image names the KB"),
            Self::NotFound => (404, "not-found", "there is nothing at this path"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "the path does not take this method"),
            Self::NotAcceptable => (406, "not-acceptable", "no accepted media type can be given"),
            Self::PayloadTooLarge => (413, "payload-too-large", "the body of the request is too large"),
            Self::UriTooLong => (414, "uri-too-long", "path and query are too long"),
            Self::HeadersTooLarge => (431, "headers-too-large", "the headers are too large"),
            Self::UpstreamInvalid => (502, "upstream-invalid", "the registry gave an answer that makes no sense"),
            Self::UpstreamUnavailable => (503, "upstream-unavailable", "the registry cannot be asked"),
            Self::UpstreamTimeout => (504, "upstream-timeout", "the registry did not answer in time"),
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

    /// The problem as one line of text. Nothing of the caller's or the registry's text is in it.
    pub fn line(self) -> String {
        format!("error: {}: {}\n", self.code(), self.title())
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
    /// Identifies the kind of problem; the path `/problems/` and the code.
    #[serde(rename = "type")]
    pub kind_uri: String,
    /// What kind of problem it is, in words; the same for every problem of the kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code of the kind.
    pub code: String,
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
    /// After so many seconds it is worth asking again; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

/// The kind, with a default that serde's `skip` needs.
#[derive(Clone, Copy, Debug)]
struct KindOrInternal(ProblemKind);

impl Default for KindOrInternal {
    fn default() -> Self {
        Self(ProblemKind::Internal)
    }
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

impl Problem {
    /// How long a caller is asked to wait when the registry does not say, in seconds. Renovate gives up
    /// above 60, and a failure is remembered for 30.
    const RETRY_AFTER_SECONDS: u64 = 30;

    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: String) -> Self {
        let retry_after_seconds = matches!(kind, ProblemKind::UpstreamUnavailable | ProblemKind::UpstreamTimeout)
            .then_some(Self::RETRY_AFTER_SECONDS);
        Self {
            kind: KindOrInternal(kind),
            kind_uri: format!("/problems/{}", kind.code()),
            title: kind.title().to_owned(),
            status: kind.status(),
            code: kind.code().to_owned(),
            detail,
            errors: Vec::new(),
            alternatives: Vec::new(),
            available_kbs: Vec::new(),
            retry_after_seconds,
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind.0
    }

    /// Why this image could not be looked up.
    pub fn of_miss(miss: &Miss, image: &NamedImage) -> Self {
        let kind = match miss {
            Miss::Offline => ProblemKind::UnknownImage,
            Miss::Registry(error) => match error {
                RegistryError::NotAllowed { .. } => ProblemKind::RegistryNotAllowed,
                RegistryError::NotFound { .. } | RegistryError::Refused { .. } => ProblemKind::UnknownImage,
                RegistryError::RateLimited { .. } | RegistryError::Unavailable { .. } => {
                    ProblemKind::UpstreamUnavailable
                }
                RegistryError::TimedOut => ProblemKind::UpstreamTimeout,
                RegistryError::Invalid { .. } => ProblemKind::UpstreamInvalid,
            },
        };
        let what_to_do = match kind {
            ProblemKind::RegistryNotAllowed => "; name it in the configuration file, or with --mirror, to allow it",
            ProblemKind::UnknownImage => "; check the spelling, and see /tags for the tags of a repository",
            _ => "",
        };
        Self::new(kind, format!("{}: {miss}{what_to_do}", image.repository))
    }

    /// Why there is no answer to this question.
    pub fn of_refusal(refusal: &Refusal, question: &ResolveQuestion) -> Self {
        match refusal {
            Refusal::Miss(miss) => Self::of_miss(miss, &question.image),
            Refusal::Shortfall(shortfall, _) => Self::of_shortfall(shortfall, question),
        }
    }

    fn of_shortfall(shortfall: &Shortfall, question: &ResolveQuestion) -> Self {
        let repository = &question.image.repository;
        let host = question.host.host.version;
        let architecture = question.architecture.as_str();
        match shortfall {
            Shortfall::NoTags => Self::new(
                ProblemKind::NoCompatibleTag,
                format!("{repository} has no tag for {architecture} that names a Windows release"),
            ),
            Shortfall::NoneRuns { nearest, passed_over } => {
                let mut problem = Self::new(
                    ProblemKind::NoCompatibleTag,
                    format!(
                        "no tag of {repository} for {architecture} runs on {host} as asked; the nearest are listed with the reasons{}",
                        passed_over.iter().map(|why| format!("; {why}")).collect::<String>()
                    ),
                );
                problem.alternatives = nearest.iter().map(AlternativeObject::from).collect();
                problem
            }
            Shortfall::NoSuchForm { build, pin, above_ceiling, nearest } => {
                let form = match pin {
                    Pin::Release => "release tag",
                    Pin::Kb => "KB tag",
                    Pin::Build => "build tag",
                };
                let detail = if *above_ceiling {
                    format!(
                        "every {form} of {repository} for build {build} is above the host's revision ({host}), or its revision is not known"
                    )
                } else {
                    format!("{repository} has no {form} for build {build}; ask for another pin")
                };
                let mut problem = Self::new(ProblemKind::NoCompatibleTag, detail);
                problem.alternatives = nearest.iter().map(AlternativeObject::from).collect();
                problem
            }
            Shortfall::KbNotFound { available } => {
                let kb = question.kb.map_or_else(String::new, |kb| kb.to_string());
                let mut problem = Self::new(
                    ProblemKind::KbNotFound,
                    format!(
                        "no tag of {repository} for {architecture} names {kb}; the KBs that have one and run on {host} are listed"
                    ),
                );
                problem.available_kbs = available.iter().map(ToString::to_string).collect();
                problem
            }
        }
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

//! Refusals of the use cases as problems, in words for the caller.

use jiff::tz::TimeZone;

use super::problem::{ALLOW_REGISTRY, ErrorObject, Problem, ProblemKind};
use crate::answers::{
    CheckQuestion, CheckRefusal, HistoryQuestion, ResolveQuestion, ResolveRefusal, Shortfall,
    Suggestions,
};
use crate::catalogue::{Freshness, Miss, Provenance, RegistryError};
use crate::images::{NamedImage, Pin, Selector};

/// The most versions of a software that are listed; more would hide the newest.
const MAX_STEMS: usize = 10;

impl Problem {
    /// Why this image could not be looked up.
    pub fn of_miss(miss: &Miss, image: &NamedImage) -> Self {
        let kind = kind_of(miss);
        let what_to_do = match miss {
            Miss::NotSeen { .. } => "",
            _ => what_to_do(kind),
        };
        let detail = format!("{}: {}{what_to_do}", image.repository, why(miss));
        let mut problem = Self::new(kind, detail);
        problem.retry_after_seconds = retry_after(miss, kind);
        problem
    }

    /// Why nothing is known of a tag.
    pub fn of_history(miss: &Miss, question: &HistoryQuestion) -> Self {
        let HistoryQuestion { image, tag } = question;
        let mut problem = Self::of_miss(miss, image);
        if problem.kind() == ProblemKind::UnknownImage {
            let (repository, why) = (&image.repository, why(miss));
            let known = "check the tag: /tags?image=";
            problem.detail = format!("{repository}:{tag}: {why}; {known}{repository} lists them");
        }
        problem
    }

    /// The same problem; it names the mirror that was queried, if there is one.
    pub fn asked_of(mut self, mirror: Option<String>) -> Self {
        let is_of_registry = matches!(
            self.kind(),
            ProblemKind::UnknownImage
                | ProblemKind::UpstreamInvalid
                | ProblemKind::UpstreamUnavailable
                | ProblemKind::UpstreamTimeout
        );
        if let Some(mirror) = mirror.filter(|_| is_of_registry) {
            self.detail += &format!(" (asked: {mirror})");
        }
        self
    }

    /// Why this image could not be checked, with the tag in question and tags to use instead.
    pub fn of_check(refusal: &CheckRefusal, question: &CheckQuestion) -> Self {
        let CheckRefusal { miss, looked_for, suggestions: Suggestions { runs, others } } = refusal;
        let image = &question.image;
        let Some(tag) = looked_for else {
            let mut problem = Self::of_miss(miss, image);
            if let Selector::Digest { digest, .. } = &question.selector {
                problem.detail = format!("{}@{digest}: {}", image.repository, why(miss));
            }
            return problem;
        };
        let kind = kind_of(miss);
        let mut detail = format!("{}:{tag}: {}", image.repository, why(miss));
        if question.selector == Selector::Default {
            detail += "; without a tag it means latest";
            if image.family.is_some() {
                detail += ", which base images have not had since April 2019";
            }
        }
        detail.extend(runs.iter().map(|tag| format!("; for this host, resolve returns {tag}")));
        if !others.is_empty() {
            detail += &format!(
                "; {} tags are {}",
                if runs.is_some() { "other" } else { "the nearest" },
                others.join(", ")
            );
        }
        let allowed: Vec<String> =
            runs.iter().chain(others).map(|tag| format!("{}:{tag}", image.repository)).collect();
        let mut problem;
        if allowed.is_empty() {
            problem = Self::new(kind, detail + what_to_do(kind));
        } else {
            let (parameter, code) = (Some("image".to_owned()), kind.code().to_owned());
            let error = ErrorObject { parameter, code, message: detail.clone(), allowed };
            problem = Self::new(kind, detail);
            problem.errors.push(error);
        }
        problem.retry_after_seconds = retry_after(miss, kind);
        problem
    }

    /// Why there is no answer to this question.
    pub fn of_refusal(refusal: &ResolveRefusal, question: &ResolveQuestion) -> Self {
        match refusal {
            ResolveRefusal::Miss(miss) => Self::of_miss(miss, &question.image),
            ResolveRefusal::Shortfall(shortfall, freshness) => {
                let mut problem = Self::of_shortfall(shortfall, question);
                problem.detail += &older_knowledge(*freshness);
                problem
            }
        }
    }

    fn of_shortfall(shortfall: &Shortfall, question: &ResolveQuestion) -> Self {
        let repository = &question.image.repository;
        let host = question.host.version;
        let architecture = question.architecture.as_str();
        match shortfall {
            Shortfall::NoTags => {
                let of_software = question
                    .tag
                    .as_ref()
                    .map_or_else(String::new, |tag| format!(" and the software of {tag}"));
                let detail = format!(
                    "{repository} has no tag for {architecture}{of_software} that names a Windows \
                     release"
                );
                Self::new(ProblemKind::NoCompatibleTag, detail)
            }
            Shortfall::VersionNeeded { stems } => {
                let shown = stems.get(..MAX_STEMS).unwrap_or(stems);
                let detail = format!(
                    "the tags of {repository} name versions of its software: name one, as in \
                     {repository}:{}; those that run on {host} are listed",
                    shown.first().map_or("VERSION", String::as_str)
                );
                let kind = ProblemKind::VersionNeeded;
                let mut problem = Self::new(kind, detail.clone());
                problem.errors.push(ErrorObject {
                    parameter: Some("image".to_owned()),
                    code: kind.code().to_owned(),
                    message: detail,
                    allowed: shown.to_vec(),
                });
                problem
            }
            Shortfall::NoneRuns { nearest, skipped, sister } => {
                let sister = sister.as_ref().map_or_else(String::new, |reference| {
                    format!("; {reference} runs there in process isolation instead")
                });
                let mut problem = Self::new(
                    ProblemKind::NoCompatibleTag,
                    format!(
                        "no tag of {repository} for {architecture} runs on {host} as requested; \
                         the nearest are listed with the reasons{}{sister}",
                        skipped.iter().map(|why| format!("; {why}")).collect::<String>()
                    ),
                );
                problem.alternatives = nearest.clone();
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
                        "every {form} of {repository} for build {build} is above the host's \
                         revision ({host}), or its revision is not known"
                    )
                } else {
                    format!("{repository} has no {form} for build {build}; try another pin")
                };
                let mut problem = Self::new(ProblemKind::NoCompatibleTag, detail);
                problem.alternatives = nearest.clone();
                problem
            }
            Shortfall::KbNotFound { available } => {
                let kb = question.kb.map_or_else(String::new, |kb| kb.to_string());
                let mut problem = Self::new(
                    ProblemKind::KbNotFound,
                    format!(
                        "no tag of {repository} for {architecture} names {kb}; the KBs with a tag \
                         that runs on {host} are listed"
                    ),
                );
                problem.available_kbs = available.iter().map(ToString::to_string).collect();
                problem
            }
        }
    }
}

/// A note on a refusal that rests on old facts.
fn older_knowledge(freshness: Freshness) -> String {
    let as_of = freshness.as_of.to_zoned(TimeZone::UTC).date();
    match (freshness.provenance, freshness.stale) {
        (Provenance::Embedded, _) => {
            format!(
                "; this is from the embedded catalogue of {as_of}, without a registry; there \
                may be \
                 newer tags"
            )
        }
        (Provenance::History, _) => {
            format!("; this is from observations, the last of them of {as_of}")
        }
        (_, true) => {
            format!(
                "; this is from the registry on {as_of}, because it is unavailable now; there \
                may be \
                 newer tags"
            )
        }
        (_, false) => String::new(),
    }
}

fn kind_of(miss: &Miss) -> ProblemKind {
    match miss {
        Miss::Offline | Miss::NotSeen { .. } => ProblemKind::UnknownImage,
        Miss::Overloaded => ProblemKind::TemporaryReducedCapacity,
        Miss::Registry(error) => match error {
            RegistryError::NotAllowed { .. } => ProblemKind::RegistryNotAllowed,
            RegistryError::NotFound { .. } | RegistryError::Refused { .. } => {
                ProblemKind::UnknownImage
            }
            RegistryError::RateLimited { .. }
            | RegistryError::Unavailable { .. }
            | RegistryError::Suspended { .. } => ProblemKind::UpstreamUnavailable,
            RegistryError::TimedOut => ProblemKind::UpstreamTimeout,
            RegistryError::Invalid { .. } => ProblemKind::UpstreamInvalid,
        },
    }
}

/// What exists and may not be read has the same words as what does not exist, which keeps the names
/// of private repositories secret; the log has the difference.
fn why(miss: &Miss) -> String {
    match miss {
        Miss::Registry(RegistryError::NotFound { .. } | RegistryError::Refused { .. }) => {
            "the registry has no such repository, tag or digest, or does not show it to wintag"
                .to_owned()
        }
        _ => miss.to_string(),
    }
}

/// When to try again, in seconds: by the registry, if it says so.
fn retry_after(miss: &Miss, kind: ProblemKind) -> Option<u64> {
    let by_registry = match miss {
        Miss::Registry(error) => error.retry_after(),
        Miss::Offline | Miss::NotSeen { .. } | Miss::Overloaded => None,
    };
    match by_registry {
        // Whole seconds, as the header needs, rounded up.
        Some(wait) => {
            let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
            Some(seconds.clamp(1, Problem::MAX_RETRY_AFTER_SECONDS))
        }
        None => Problem::new(kind, String::new()).retry_after_seconds,
    }
}

const fn what_to_do(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::RegistryNotAllowed => ALLOW_REGISTRY,
        ProblemKind::UnknownImage => {
            "; check the spelling: name a base image by its family, such as nanoserver or \
             servercore, and any other image by its repository"
        }
        _ => "",
    }
}

//! The use case behind `/badge`: the answer of `/resolve` in two words and a colour.

use crate::catalogue::{Freshness, Miss};
use crate::platforms::badge::{Badge, Colour};
use crate::windows::{Isolation, Reason};

use super::context::Context;
use super::question::ResolveQuestion;
use super::remark::Remark;
use super::resolve::{Refusal, Resolution, resolve};

/// The warnings after which a badge is yellow: no patches any more, or a revision that may fail.
/// The others are about what is known, or how to use it.
const OF_CONCERN: [&str; 4] = [
    Remark::HOST_OUT_OF_SUPPORT,
    Remark::IMAGE_OUT_OF_SUPPORT,
    Reason::ImageRevisionNewerThanHost.as_str(),
    Reason::AcrossFebruary2020.as_str(),
];

/// The answer of `/badge`.
#[derive(Clone, Debug)]
pub struct BadgeAnswer {
    /// The badge.
    pub badge: Badge,
    /// Where the answer comes from; none when nobody could be asked.
    pub freshness: Option<Freshness>,
}

/// Answers the question. That nothing runs is an answer, and that nobody can tell is one too.
///
/// # Errors
/// When the registry is not allowed, or says that there is no such repository.
pub async fn badge(context: &Context, question: &ResolveQuestion) -> Result<BadgeAnswer, Miss> {
    let (message, colour, freshness) = match resolve(context, question).await {
        Ok(resolution) => (message(&resolution), colour(&resolution), Some(resolution.freshness)),
        Err(Refusal::Shortfall(_, freshness)) => ("none".to_owned(), Colour::Red, Some(freshness)),
        Err(Refusal::Miss(miss)) if miss.is_silence() => ("unknown".to_owned(), Colour::Grey, None),
        Err(Refusal::Miss(miss)) => return Err(miss),
    };
    Ok(BadgeAnswer { badge: Badge { label: label(question), message, colour }, freshness })
}

/// Such as `nanoserver @17763`.
fn label(question: &ResolveQuestion) -> String {
    let image = &question.image;
    let last_part = image.repository.path().rsplit('/').next().unwrap_or_default();
    let name = image.family.as_ref().map_or(last_part, |family| &family.name);
    let version = question.host.host.version;
    let revision = version.revision.map_or_else(String::new, |revision| format!(".{revision}"));
    format!("{name} @{}{revision}", version.build)
}

fn message(resolution: &Resolution) -> String {
    match resolution.isolation {
        Isolation::Process => resolution.tag.clone(),
        Isolation::HyperV => format!("{} (hyperv)", resolution.tag),
    }
}

fn colour(resolution: &Resolution) -> Colour {
    if resolution.warnings.iter().any(|warning| OF_CONCERN.contains(&warning.code)) {
        return Colour::Yellow;
    }
    match resolution.isolation {
        Isolation::Process => Colour::Green,
        Isolation::HyperV => Colour::Blue,
    }
}

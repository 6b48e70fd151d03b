//! The use case behind `/badge`: the answer of `/resolve` in two words and a colour.

use crate::catalogue::{Freshness, Miss};
use crate::platforms::badge::{Badge, Colour};
use crate::windows::{Isolation, Reason};

use super::context::Context;
use super::question::ResolveQuestion;
use super::remark::Remark;
use super::resolve::{Resolution, ResolveRefusal, resolve};

/// The warnings that make a badge yellow: no more updates, or a revision that may fail. The others
/// are about the sources of the answer, or its use.
const SERIOUS_WARNINGS: [&str; 4] = [
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
    /// Where the answer comes from; `None` if no source was available.
    pub freshness: Option<Freshness>,
}

/// Answers the question. "No tag runs" is an answer, and so is "unknown".
///
/// # Errors
/// When the registry is not allowed, or has no such repository.
pub async fn badge(context: &Context, question: &ResolveQuestion) -> Result<BadgeAnswer, Miss> {
    let (message, colour, freshness) = match resolve(context, question).await {
        Ok(resolution) => (message(&resolution), colour(&resolution), Some(resolution.freshness)),
        Err(ResolveRefusal::Shortfall(_, freshness)) => {
            ("none".to_owned(), Colour::Red, Some(freshness))
        }
        Err(ResolveRefusal::Miss(miss)) if miss.is_silence() => {
            ("unknown".to_owned(), Colour::Grey, None)
        }
        Err(ResolveRefusal::Miss(miss)) => return Err(miss),
    };
    Ok(BadgeAnswer { badge: Badge { label: label(question), message, colour }, freshness })
}

/// Such as `nanoserver @17763`.
fn label(question: &ResolveQuestion) -> String {
    let image = &question.image;
    let last_part = image.repository.path().rsplit('/').next().unwrap_or_default();
    let name = image.family_name().unwrap_or(last_part);
    let version = question.host.version;
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
    if resolution.warnings.iter().any(|warning| SERIOUS_WARNINGS.contains(&warning.code)) {
        return Colour::Yellow;
    }
    match resolution.isolation {
        Isolation::Process => Colour::Green,
        Isolation::HyperV => Colour::Blue,
    }
}

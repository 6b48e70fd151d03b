//! Tags to use instead of one that is not there.

use std::sync::Arc;

use strsim::osa_distance;

use crate::catalogue::{Deadline, KnownTag, Miss, RegistryError, RepositoryTags};
use crate::windows::Tables;

use super::check::CheckQuestion;
use super::context::Context;
use super::lineup::Lineup;
use super::question::{Architecture, Pin, ResolveQuestion};
use super::resolve::resolve;

/// So many tags are named beside the one that runs: a newcomer reads a few.
const MAX_OTHERS: usize = 4;
/// So many letters may differ, as with hosts.
const MAX_EDITS: usize = 2;
/// Longer tags are not compared: base images have none, and each pair of letters costs time.
const MAX_COMPARED_BYTES: usize = 40;
/// So many tags are compared at most: a large repository of base images has half as many.
const MAX_COMPARED_TAGS: usize = 3000;

/// Why an image could not be checked, and what to ask for instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// Why.
    pub miss: Miss,
    /// The tag that was looked for; `None` when it was a digest.
    pub looked_for: Option<String>,
    /// The tag that `/resolve` gives for the host.
    pub runs: Option<String>,
    /// Other tags of the repository: those like the one that was looked for, then the newest
    /// release tags.
    pub others: Vec<String>,
}

/// The refusal with its suggestions, as far as the tags of the repository can be had.
pub(super) async fn unchecked(
    context: &Context,
    question: &CheckQuestion,
    miss: Miss,
    looked_for: Option<String>,
    deadline: &Deadline,
) -> Unchecked {
    let mut refusal = Unchecked { miss, looked_for, runs: None, others: Vec::new() };
    let Some(wanted) = &refusal.looked_for else { return refusal };
    // A registry that is silent is asked again only where something answers for it at once. One
    // that refuses is asked as one that has no such image, so that the time that it takes does
    // not tell them apart.
    let is_silent = match &refusal.miss {
        Miss::Registry(error) => {
            refusal.miss.is_silence() && !matches!(error, RegistryError::Refused { .. })
        }
        Miss::Offline | Miss::Overloaded => false,
    };
    if is_silent && question.image.family.is_none() {
        return refusal;
    }
    let Ok(tags) = context.catalogue.tags(&question.image.repository, deadline).await else {
        return refusal;
    };
    let asked = ResolveQuestion {
        image: Arc::new(question.image.clone()),
        host: question.host.clone(),
        isolation: None,
        pin: Pin::Release,
        kb: None,
        platform: question.platform,
        architecture: question.architecture,
    };
    refusal.runs = resolve(context, &asked).await.ok().map(|resolution| resolution.tag);
    let lineup = Lineup::new(&tags.value, question.architecture, context.tables);
    let like = of_the_build(wanted, &lineup, context.tables)
        .into_iter()
        .chain(spelt_like(wanted, &tags.value));
    let newest =
        lineup.builds().filter_map(|(_, tags)| tags.of_form(Pin::Release).first().copied());
    for tag in like.chain(newest) {
        let is_named =
            refusal.runs.as_ref() == Some(&tag.text) || refusal.others.contains(&tag.text);
        if !is_named && tag.text != *wanted && refusal.others.len() < MAX_OTHERS {
            refusal.others.push(tag.text.clone());
        }
    }
    refusal
}

/// The tag that is nearest to one that the repository does not have: of the build that its name
/// stands for, else spelt nearly so.
pub(super) fn nearest_tag<'a>(
    wanted: &str,
    tags: &'a RepositoryTags,
    tables: &Tables,
) -> Option<&'a KnownTag> {
    let of_build =
        of_the_build(wanted, &Lineup::new(tags, Architecture::default(), tables), tables);
    of_build.or_else(|| spelt_like(wanted, tags).into_iter().next())
}

/// The tag of the build that the name stands for: of the nearest revision where it names one.
fn of_the_build<'a>(wanted: &str, lineup: &Lineup<'a>, tables: &Tables) -> Option<&'a KnownTag> {
    let version = KnownTag::new(wanted.to_owned(), None, tables).version?;
    let tags = lineup.of_build(version.build)?;
    let distance = |tag: &&&KnownTag| {
        let revision = tag.version.and_then(|version| version.revision);
        revision.zip(version.revision).map_or(u32::MAX, |(one, other)| one.abs_diff(other))
    };
    let nearest =
        version.revision.and_then(|_| tags.of_form(Pin::Build).iter().min_by_key(distance));
    nearest.copied().or_else(|| tags.any())
}

/// The tags that are spelt nearly so, the nearest first.
fn spelt_like<'a>(wanted: &str, tags: &'a RepositoryTags) -> Vec<&'a KnownTag> {
    if wanted.len() > MAX_COMPARED_BYTES {
        return Vec::new();
    }
    let wanted = wanted.to_ascii_lowercase();
    let comparable = tags
        .iter()
        .take(MAX_COMPARED_TAGS)
        .filter(|tag| tag.text.len().abs_diff(wanted.len()) <= MAX_EDITS);
    let mut near: Vec<(usize, &KnownTag)> = comparable
        .map(|tag| (osa_distance(&wanted, &tag.text.to_ascii_lowercase()), tag))
        .filter(|(distance, _)| *distance <= MAX_EDITS && distance * 2 < wanted.len())
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, tag)| tag).collect()
}

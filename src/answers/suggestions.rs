//! Tags to use instead of one that the repository does not have.

use strsim::osa_distance;

use super::context::Context;
use super::question::ResolveQuestion;
use super::resolve::resolve;
use crate::catalogue::{Candidates, Deadline, KnownTag, Miss, RegistryError, RepositoryTags};
use crate::images::{Architecture, Pin, Tag};
use crate::windows::Tables;

/// The most tags that are named beside the one that runs; people read only a few.
const MAX_OTHERS: usize = 4;
/// The most letters that may differ, as with hosts.
const MAX_EDITS: usize = 2;
/// Longer tags are not compared: base images have none, and each pair of letters costs time.
const MAX_COMPARED_BYTES: usize = 40;
/// The most tags that are compared: twice as many as a large repository of base images has.
const MAX_COMPARED_TAGS: usize = 3000;

/// Tags to use instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// The tag that `/resolve` gives for the host.
    pub runs: Option<String>,
    /// Other tags of the repository: first those similar to the requested one, then the newest
    /// release tags.
    pub others: Vec<String>,
}

/// The suggestions, if the tags of the repository are available. `question` is the one whose answer
/// runs instead of `wanted`, which is missing because of `miss`.
pub(super) async fn suggestions(
    context: &Context,
    question: &ResolveQuestion,
    miss: &Miss,
    wanted: &str,
    deadline: &Deadline,
) -> Suggestions {
    let mut suggestions = Suggestions::default();
    // A silent registry is queried again only if there is a fallback that answers at once. A
    // registry that refuses is queried like one that has no such image, so that the time it takes
    // does not tell the two apart.
    let is_silent = match miss {
        Miss::Registry(error) => {
            miss.is_silence() && !matches!(error, RegistryError::Refused { .. })
        }
        Miss::Offline | Miss::NotSeen { .. } | Miss::Overloaded => false,
    };
    if is_silent && question.image.family.is_none() {
        return suggestions;
    }
    let Ok(tags) = context.catalogue.tags(&question.image.repository, deadline).await else {
        return suggestions;
    };
    suggestions.runs = resolve(context, question).await.ok().map(|resolution| resolution.tag);
    let candidates =
        tags.value.candidates(&question.software(), question.architecture, &context.tables);
    let similar = of_the_build(wanted, candidates, &context.tables)
        .into_iter()
        .chain(spelt_like(wanted, &tags.value));
    let newest = candidates.builds().filter_map(|(_, tags)| tags.of_form(Pin::Release).next());
    for tag in similar.chain(newest) {
        let is_named =
            suggestions.runs.as_ref() == Some(&tag.text) || suggestions.others.contains(&tag.text);
        if !is_named && tag.text != wanted && suggestions.others.len() < MAX_OTHERS {
            suggestions.others.push(tag.text.clone());
        }
    }
    suggestions
}

/// The tag nearest to one that the repository does not have: of the build that its name stands
/// for, else spelt similarly.
pub(super) fn nearest_tag<'a>(
    wanted: &str,
    tags: &'a RepositoryTags,
    tables: &Tables,
) -> Option<&'a KnownTag> {
    let software = Tag::parse(wanted).map(|tag| tag.software()).unwrap_or_default();
    let of_build =
        of_the_build(wanted, tags.candidates(&software, Architecture::default(), tables), tables);
    of_build.or_else(|| spelt_like(wanted, tags).into_iter().next())
}

/// The tag of the build that the name stands for; of the nearest revision if it names one.
fn of_the_build<'a>(
    wanted: &str,
    candidates: Candidates<'a>,
    tables: &Tables,
) -> Option<&'a KnownTag> {
    let version = KnownTag::new(wanted.to_owned(), None, tables).version?;
    let tags = candidates.of_build(version.build)?;
    let distance = |tag: &&KnownTag| {
        tag.revision().zip(version.revision).map_or(u32::MAX, |(one, other)| one.abs_diff(other))
    };
    let nearest = version.revision.and_then(|_| tags.of_form(Pin::Build).min_by_key(distance));
    nearest.or_else(|| tags.any())
}

/// The tags that are spelt similarly, the nearest first.
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

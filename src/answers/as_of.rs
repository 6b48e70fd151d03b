//! What was known of tags on a former day: which a repository had, and what each pointed to. No
//! registry tells that, so that all of it comes from what was seen and recorded.
//!
//! A tag was at an image on that day if it was seen there on that day, or before and after it with
//! nothing else between. By rule it also was if it was seen there since the last day of updates, on
//! which tags move, or after the end of support. Everything else is not known.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::context::Context;
use super::host::released;
use super::observed::{is_update_day, may_move, next_update_day};
use crate::catalogue::{
    Basis, Found, FoundImage, Freshness, KnownTag, Miss, Moment, Observation, Provenance,
    RepositoryTags, Sighting, TagHistory, Then, Wanted,
};
use crate::images::NamedImage;
use crate::windows::{Base, Tables, WindowsVersion};

/// The most tags of a present list from which a former one is made, since that takes memory which
/// no cache bounds; of a longer list only what was seen counts. Base images have up to 1,100 tags.
const MAX_LISTED_TAGS: usize = 3000;

/// The tags that a repository is known to have had, each with what is known of it.
///
/// # Errors
/// When nothing was seen of it by that day.
pub(super) fn tags_as_of(
    context: &Context,
    image: &NamedImage,
    as_of: Moment,
) -> Result<Found<RepositoryTags>, Miss> {
    let history = context.catalogue.repository_history(&image.repository);
    let listed = history
        .list
        .filter(|(since, list)| since.latest() <= as_of.latest() && list.len() <= MAX_LISTED_TAGS);
    let tables = &context.tables;
    let mut tags = Vec::new();
    for (text, history) in &history.tags {
        let is_listed = listed.as_ref().is_some_and(|(_, list)| list.find(text).is_some());
        if existed(history, is_listed, as_of) {
            tags.push(tag_then(text, history, image.base(), as_of, tables));
        }
    }
    let bare = TagHistory::default();
    let only_listed = listed.iter().flat_map(|(_, list)| list.iter());
    for tag in only_listed.filter(|tag| !history.tags.contains_key(&tag.text)) {
        tags.push(tag_then(&tag.text, &bare, image.base(), as_of, tables));
    }
    if tags.is_empty() {
        let first = history.tags.values().filter_map(|tag| tag.existed);
        let first = first.min_by_key(|first| first.latest());
        return Err(Miss::NotSeen { as_of, first });
    }
    let named = |tag: &KnownTag| Some(tag.observation.as_deref()?.then.as_ref()?.observed?.as_of());
    let newest = tags.iter().filter_map(named).max();
    let listed = listed.map(|(since, _)| since.as_of());
    let freshness = freshness(context, newest.max(listed).unwrap_or(as_of.earliest()));
    Ok(Found { value: Arc::new(RepositoryTags::new(tags)), freshness, instead_of: None })
}

/// The image that a tag or digest is known to have selected.
///
/// # Errors
/// When nothing was seen of it by that day.
pub(super) fn image_as_of(
    context: &Context,
    image: &NamedImage,
    wanted: &Wanted,
    as_of: Moment,
) -> Result<FoundImage, Miss> {
    let tag = match wanted {
        Wanted::Tag(text) | Wanted::DigestOfTag(text) => {
            match tags_as_of(context, image, as_of)?.value.find(text) {
                Some(tag) => tag.clone(),
                None => {
                    let history = context.catalogue.tag_history(&image.repository, text);
                    return Err(Miss::NotSeen { as_of, first: history.existed });
                }
            }
        }
        Wanted::Digest(digest) => {
            let history = context.catalogue.repository_history(&image.repository);
            let all = history.tags.iter().flat_map(|(tag, history)| {
                history.sightings.iter().map(move |sighting| (tag, sighting))
            });
            let of_digest = all.filter(|(_, sighting)| sighting.digest.as_ref() == Some(digest));
            let first = of_digest.min_by_key(|(_, sighting)| first_of(sighting).latest());
            let (text, sighting) = first.ok_or(Miss::NotSeen { as_of, first: None })?;
            let first = first_of(sighting);
            if first.latest() > as_of.latest() {
                return Err(Miss::NotSeen { as_of, first: Some(first) });
            }
            let then =
                Then { as_of, basis: Basis::Seen, observed: Some(first), around: [None, None] };
            let observation = observation(sighting, then, sighting.os_version);
            KnownTag::new(text.clone(), Some(Box::new(observation)), &context.tables)
        }
    };
    let freshness = freshness_of(&tag, freshness(context, as_of.earliest()));
    Ok(FoundImage::Observation(Found { value: Arc::new(tag), freshness, instead_of: None }))
}

/// The freshness of an answer about a tag of a former day: it names the observation.
pub(super) fn freshness_of(tag: &KnownTag, of_the_list: Freshness) -> Freshness {
    let then = tag.observation.as_deref().and_then(|seen| seen.then.as_ref());
    let observed = then.and_then(|then| then.observed);
    observed.map_or(of_the_list, |observed| Freshness { as_of: observed.as_of(), ..of_the_list })
}

fn freshness(context: &Context, as_of: jiff::Timestamp) -> Freshness {
    Freshness {
        provenance: Provenance::History,
        as_of,
        stale: false,
        facts_as_of: context.tables.as_of(),
        is_private: false,
    }
}

/// Whether a tag is known to have existed.
fn existed(history: &TagHistory, is_listed: bool, as_of: Moment) -> bool {
    let is_gone = history.gone.is_some_and(|gone| gone.latest() <= as_of.earliest());
    let first = history.existed;
    // One that came with a later list was not in the first one.
    (first.is_some_and(|first| first.latest() <= as_of.latest()) && !is_gone)
        || (first.is_none() && is_listed && !is_gone)
}

/// A tag, with what is known of it.
fn tag_then(
    text: &str,
    history: &TagHistory,
    base: Base,
    as_of: Moment,
    tables: &Tables,
) -> KnownTag {
    let tag = KnownTag::new(text.to_owned(), None, tables);
    let observation = observation_then(&tag, history, tag.base().unwrap_or(base), as_of, tables);
    KnownTag { observation: Some(Box::new(observation)), ..tag }
}

fn first_of(sighting: &Sighting) -> Moment {
    sighting.seen.map_or(Moment::Day(Date::MAX), |(first, _)| first)
}

fn last_of(sighting: &Sighting) -> Moment {
    sighting.seen.map_or(Moment::Day(Date::MAX), |(_, last)| last)
}

fn observation(sighting: &Sighting, then: Then, os_version: Option<WindowsVersion>) -> Observation {
    let is_known = then.basis != Basis::Unknown;
    Observation {
        os_version,
        digest: sighting.digest.clone().filter(|_| is_known),
        builds: sighting.builds.clone(),
        base: sighting.base,
        observed: then.observed.map_or_else(String::new, |observed| observed.to_string()),
        evidence: sighting.evidence,
        then: Some(then),
    }
}

/// What is known of a tag on that day.
fn observation_then(
    tag: &KnownTag,
    history: &TagHistory,
    base: Base,
    as_of: Moment,
    tables: &Tables,
) -> Observation {
    let (from, to) = (as_of.earliest(), as_of.latest());
    let all = &history.sightings;
    let touching: Vec<&Sighting> = all
        .iter()
        .filter(|it| first_of(it).earliest() <= to && last_of(it).latest() >= from)
        .collect();
    let then = |basis, before: Option<&Sighting>, after: Option<&Sighting>| {
        let seen = |sighting: &Sighting, moment| Some((moment, sighting.os_version));
        let last = before.map(|it| match last_of(it) {
            last if last.latest() <= to => last,
            _ => first_of(it),
        });
        let around = [
            before.zip(last).and_then(|(it, last)| seen(it, last)),
            after.and_then(|it| seen(it, first_of(it))),
        ];
        Then { as_of, basis, observed: last, around }
    };
    if let [only] = touching[..] {
        let (first, last) = (first_of(only), last_of(only));
        let is_inside = |it: Moment| it.earliest() >= from && it.latest() <= to;
        let is_between = first.latest() <= from && last.earliest() >= to;
        if is_inside(first) || is_inside(last) || is_between {
            return observation(only, then(Basis::Seen, Some(only), None), only.os_version);
        }
    }
    let Some(at) = all.iter().rposition(|it| first_of(it).latest() <= from) else {
        let after = all.first();
        let nothing = Sighting {
            digest: None,
            os_version: None,
            builds: Vec::new(),
            base: None,
            seen: None,
            evidence: Sighting::OWN,
        };
        let existed = history.existed.filter(|first| first.latest() <= to);
        let then = Then { observed: existed, ..then(Basis::Unknown, None, after) };
        return observation(&nothing, then, None);
    };
    let (before, after) = (&all[at], all.get(at + 1));
    // Seen at something else on that very day: it moved then, or that is not recorded finely.
    let moved = touching.iter().any(|it| !std::ptr::eq(*it, before));
    let basis = if moved { None } else { by_rule(tag, before, after, base, as_of, tables) };
    let (mut basis, same_version) = match basis {
        Some(basis) => (basis, true),
        None => (Basis::Unknown, after.is_some_and(|it| it.os_version == before.os_version)),
    };
    let mut os_version = before.os_version.filter(|_| same_version);
    for other in &history.undated {
        if may_have_been(other, before, after, as_of, tables) {
            basis = Basis::Unknown;
            os_version = os_version.filter(|_| other.os_version == before.os_version);
        }
    }
    observation(before, then(basis, Some(before), after), os_version)
}

/// Why a tag that was seen at an image before was still there, if a rule says so.
fn by_rule(
    tag: &KnownTag,
    before: &Sighting,
    after: Option<&Sighting>,
    base: Base,
    as_of: Moment,
    tables: &Tables,
) -> Option<Basis> {
    // A month is known from its first day on, as far as the next updates are concerned.
    let seen = last_of(before).earliest().to_zoned(TimeZone::UTC).date();
    if !may_move(tag) {
        return after.is_none().then_some(Basis::Fixed);
    }
    let ended =
        tag.version.and_then(|version| tables.image_support_ended(version.build, base, Date::MAX));
    if ended.is_some_and(|ended| seen > ended) {
        return after.is_none().then_some(Basis::AfterSupport);
    }
    // On a day of updates it may have been seen before it moved.
    let is_new = before.os_version.and_then(|it| released(it, tables)) == Some(seen);
    if is_update_day(seen) && !is_new {
        return None;
    }
    let next_update = next_update_day(seen)?;
    let moved_between = after.is_some_and(|after| first_of(after).day() < next_update);
    (as_of.day() < next_update && !moved_between).then_some(Basis::ByUpdates)
}

/// Whether the tag may have been at this image, whose day is not recorded, between the others and
/// by that day.
fn may_have_been(
    other: &Sighting,
    before: &Sighting,
    after: Option<&Sighting>,
    as_of: Moment,
    tables: &Tables,
) -> bool {
    let Some(version) = other.os_version else { return false };
    let is_out = released(version, tables).is_none_or(|released| released <= as_of.day());
    let is_older = after.and_then(|after| after.os_version).is_some_and(|it| version > it);
    let is_known_only_by_version = before.digest.is_none() && before.os_version == Some(version);
    other.digest != before.digest
        && !is_known_only_by_version
        && Some(version) >= before.os_version
        && is_out
        && !is_older
        && after.is_none_or(|after| after.digest != other.digest)
}

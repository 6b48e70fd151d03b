//! What the embedded catalogue saw of a tag, and whether that can still be true.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::catalogue::{KnownTag, Observation};
use crate::images::{Base, NamedImage, TagKind};
use crate::windows::Tables;

use super::decide::image_support_ended;

/// The length of `2026-08`, the precision that every observation with a date has.
const MONTH_BYTES: usize = 7;

/// What was seen of a tag, unless the tag may have moved since. A KB or build tag does not move. A
/// release tag moves with each patch, until support of its images ends: what was seen of it counts if
/// that was in the last month of the catalogue, or after the end of support.
pub fn still_true<'a>(tag: &'a KnownTag, base: Base, as_of: Timestamp, tables: &Tables) -> Option<&'a Observation> {
    let observation = tag.observation.as_deref()?;
    if tag.kind() != TagKind::Release {
        return Some(observation);
    }
    let month = |text: &str| text.get(..MONTH_BYTES).map(str::to_owned);
    let seen = month(&observation.observed)?;
    let ended = tag.version.and_then(|version| image_support_ended(version.build, base, tables, Date::MAX));
    let after_the_end = ended.and_then(|ended| month(&ended.to_string())).is_some_and(|ended| seen > ended);
    let in_the_last_month = Some(&seen) == month(&as_of.to_string()).as_ref();
    (after_the_end || in_the_last_month).then_some(observation)
}

/// What the lifetime of an image follows; an image of no family is taken to be one on Server Core.
pub fn base_of(image: &NamedImage) -> Base {
    image.family.as_ref().map_or(Base::Servercore, |family| family.base)
}

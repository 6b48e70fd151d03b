//! What the embedded catalogue saw of a tag, and whether that can still be true.

use jiff::civil::{Date, Weekday};

use crate::catalogue::{KnownTag, Observation};
use crate::images::{Digest, NamedImage, TagKind};
use crate::windows::{Base, Tables, WindowsVersion};

use super::remark::Remark;

/// Patches come on the second of these days in a month, and new images with them.
const PATCH_DAY: Weekday = Weekday::Tuesday;
const PATCH_DAY_OF_MONTH: i8 = 2;

/// What was seen of a tag, unless the tag may have moved since. A KB, build or dated tag does not
/// move. Any other moves with each patch, until support of its images ends: what was seen of it
/// counts until the next day of patches, or for good if it was seen after the end of support.
pub fn still_true<'a>(
    tag: &'a KnownTag,
    base: Base,
    today: Date,
    tables: &Tables,
) -> Option<&'a Observation> {
    let observation = tag.observation.as_deref()?;
    if !may_move(tag) {
        return Some(observation);
    }
    let seen = seen_on(&observation.observed)?;
    let ended =
        tag.version.and_then(|version| tables.image_support_ended(version.build, base, Date::MAX));
    let after_the_end = ended.is_some_and(|ended| seen > ended);
    let before_the_next_patch = next_patch_day(seen).is_some_and(|patched| today < patched);
    (after_the_end || before_the_next_patch).then_some(observation)
}

/// What can be told of a tag without asking a registry.
pub struct Recalled {
    /// What it points to.
    pub digest: Option<Digest>,
    /// The version of its image.
    pub os_version: Option<WindowsVersion>,
    /// Why there is no digest; absent where there is one.
    pub warning: Option<Remark>,
}

impl Recalled {
    /// What is known of a digest by the tag that was seen there: it does not move.
    pub fn of_digest(digest: &Digest, tag: &KnownTag) -> Self {
        let os_version = tag.observation.as_deref().and_then(|seen| seen.os_version);
        Self { digest: Some(digest.clone()), os_version, warning: None }
    }
}

/// What was seen of a tag and is still true; where that is no digest, why not.
pub fn recall(tag: &KnownTag, base: Base, today: Date, tables: &Tables) -> Recalled {
    let seen = still_true(tag, base, today, tables);
    let (digest, os_version) =
        seen.map_or((None, None), |seen| (seen.digest.clone(), seen.os_version));
    let warning = digest.is_none().then(|| match tag.observation.as_deref() {
        Some(observation) if observation.is_a_mention() => {
            Remark::embedded_tag_not_proven(&tag.text)
        }
        Some(observation) if seen.is_none() => {
            Remark::embedded_tag_may_have_moved(&tag.text, &when_and_what(observation))
        }
        _ => Remark::embedded_digest_unknown(&tag.text),
    });
    Recalled { digest, os_version, warning }
}

/// What the lifetime of an image follows; an image of no family is taken to be one on Server Core.
pub fn base_of(image: &NamedImage) -> Base {
    image.family.as_ref().map_or(Base::Servercore, |family| family.base)
}

/// When an observation was made, a day or a month, and of which version, in words.
fn when_and_what(observation: &Observation) -> String {
    let Observation { observed, os_version, .. } = observation;
    let when = match observed.as_str() {
        "" => "on a day that nobody wrote down".to_owned(),
        day if day.parse::<Date>().is_ok() => format!("on {day}"),
        month => format!("in {month}"),
    };
    let at = os_version.map_or_else(String::new, |version| format!(" at {version}"));
    format!("{when}{at}")
}

fn may_move(tag: &KnownTag) -> bool {
    let is_dated = tag.parsed.as_ref().is_some_and(|parsed| parsed.date.is_some());
    !is_dated && !matches!(tag.kind(), TagKind::Kb | TagKind::Build)
}

/// The day of an observation; its first possible one where only the month was written down.
fn seen_on(observed: &str) -> Option<Date> {
    observed.parse().or_else(|_| format!("{observed}-01").parse()).ok()
}

/// The first day of patches that is later than this day.
fn next_patch_day(day: Date) -> Option<Date> {
    let of_month = |day: Date| day.nth_weekday_of_month(PATCH_DAY_OF_MONTH, PATCH_DAY).ok();
    of_month(day)
        .filter(|patched| *patched > day)
        .or_else(|| of_month(day.last_of_month().tomorrow().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// Whether what was seen of a tag of Server Core on the first day is still true on the other.
    fn holds(tag: &str, observed: &str, today: &str) -> bool {
        let tables = Tables::embedded();
        let (observed, evidence) = (observed.to_owned(), "a test".to_owned());
        let observation = Observation { os_version: None, digest: None, observed, evidence };
        let tag = KnownTag::new(tag.to_owned(), Some(Box::new(observation)), tables);
        still_true(&tag, Base::Servercore, date(today), tables).is_some()
    }

    #[test]
    fn patches_come_on_the_second_tuesday() {
        for (day, next) in [
            ("2026-08-10", "2026-08-11"),
            ("2026-08-11", "2026-09-08"),
            ("2026-08-12", "2026-09-08"),
            ("2026-08-31", "2026-09-08"),
            ("2026-12-31", "2027-01-12"),
        ] {
            assert_eq!(next_patch_day(date(day)), Some(date(next)), "{day}");
        }
        assert_eq!(next_patch_day(Date::MAX), None);
    }

    #[test]
    fn a_release_tag_is_what_was_seen_until_the_next_patches() {
        assert!(holds("ltsc2022", "2026-08-12", "2026-08-12"));
        assert!(holds("ltsc2022", "2026-08-12", "2026-09-07"));
        assert!(!holds("ltsc2022", "2026-08-12", "2026-09-08"));
        assert!(!holds("ltsc2022", "2026-08-12", "2027-02-01"));
        // The patches of that month may have come after it was seen.
        assert!(!holds("ltsc2022", "2026-08", "2026-08-12"));
        assert!(!holds("ltsc2022", "", "2026-08-12"));
        assert!(!holds("latest", "2026-08-12", "2026-09-08"));
    }

    #[test]
    fn what_was_seen_after_the_end_of_support_stays_true() {
        // Support of 1709 ended on 2019-04-09.
        assert!(holds("1709", "2019-07-05", "2026-11-25"));
        assert!(holds("1709", "2019-05", "2026-11-25"));
        assert!(!holds("1709", "2019-04-09", "2026-11-25"));
        assert!(!holds("1709", "2018-03", "2026-11-25"));
    }

    #[test]
    fn a_tag_that_names_its_patch_stays_true() {
        for tag in ["ltsc2022-KB5005039", "10.0.20348.5499", "20211214-windowsservercore-20H2"] {
            assert!(holds(tag, "", "2026-11-25"), "{tag}");
        }
    }
}

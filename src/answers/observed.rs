//! Observations of the embedded catalogue, and whether they can still be true.

use jiff::civil::{Date, Weekday};

use crate::catalogue::{KnownTag, Observation, Then};
use crate::images::{Digest, TagKind};
use crate::windows::{Base, HostFacts, Platform, Reason, Tables, WindowsVersion, verdict};

use super::remark::Remark;
use super::then;

/// Updates come on the second Tuesday of a month, and new images with them.
const UPDATE_DAY: Weekday = Weekday::Tuesday;
const UPDATE_WEEK: i8 = 2;

/// The observation of a tag, unless the tag may have moved since. A KB, build or dated tag does not
/// move. Any other tag moves with each update until support of its images ends, so an observation
/// holds until the next day of updates, or for good if it was made after the end of support.
pub fn still_true<'a>(
    tag: &'a KnownTag,
    base: Base,
    today: Date,
    tables: &Tables,
) -> Option<&'a Observation> {
    let observation = tag.observation.as_deref()?;
    // What was not known then is left out of it already.
    if observation.then.is_some() || !may_move(tag) {
        return Some(observation);
    }
    let seen = observed_on(&observation.observed)?;
    let ended =
        tag.version.and_then(|version| tables.image_support_ended(version.build, base, Date::MAX));
    let after_the_end = ended.is_some_and(|ended| seen > ended);
    let before_the_next_update = next_update_day(seen).is_some_and(|update| today < update);
    (after_the_end || before_the_next_update).then_some(observation)
}

/// What is known of a tag without a registry.
pub struct Recalled {
    /// The digest it points to.
    pub digest: Option<Digest>,
    /// The version of its image.
    pub os_version: Option<WindowsVersion>,
    /// Why there is no digest; `None` if there is one.
    pub warning: Option<Remark>,
}

impl Recalled {
    /// What is known of a digest, by the tag that was observed there. A digest does not move.
    pub fn of_digest(digest: &Digest, tag: &KnownTag) -> Self {
        let os_version = tag.observation.as_deref().and_then(|seen| seen.os_version);
        Self { digest: Some(digest.clone()), os_version, warning: None }
    }
}

/// The part of the observation that is still true, and why there is no digest.
pub fn recall(tag: &KnownTag, base: Base, today: Date, tables: &Tables) -> Recalled {
    let seen = still_true(tag, base, today, tables);
    let (digest, os_version) =
        seen.map_or((None, None), |seen| (seen.digest.clone(), seen.os_version));
    if let Some(then) = then_of(tag) {
        return Recalled { digest, os_version, warning: then::remark(&tag.text, then) };
    }
    let warning = digest.is_none().then(|| match tag.observation.as_deref() {
        Some(observation) if observation.is_a_mention() => {
            Remark::embedded_tag_not_proven(&tag.text)
        }
        Some(observation) if seen.is_none() => {
            Remark::embedded_tag_may_have_moved(&tag.text, &when_and_what(observation))
        }
        Some(_) => Remark::embedded_digest_unknown(&tag.text),
        None => Remark::known_by_name_only(&tag.text),
    });
    Recalled { digest, os_version, warning }
}

/// The version that a tag was last seen with, where its version now is not known and that one is
/// above the host's revision: tags move to newer revisions only.
pub fn seen_above(
    tag: &KnownTag,
    version: WindowsVersion,
    host: HostFacts,
    platform: Platform,
) -> Option<WindowsVersion> {
    let seen = tag.observation.as_deref()?.os_version?;
    let is_newer = || {
        let process = verdict(host, Some(seen), platform).process;
        process.warnings.contains(&Reason::ImageRevisionNewerThanHost)
    };
    (version.revision.is_none() && seen.build == version.build && is_newer()).then_some(seen)
}

/// The Windows builds that a shared tag was seen with, and the warning that it may have others now.
pub fn recall_builds<'a>(
    tag: &'a KnownTag,
    base: Base,
    today: Date,
    tables: &Tables,
) -> Option<(&'a [u32], Option<Remark>)> {
    let observation = tag.observation.as_deref().filter(|seen| !seen.builds.is_empty())?;
    if let Some(then) = then_of(tag) {
        return Some((&observation.builds, then::remark(&tag.text, then)));
    }
    let warning = still_true(tag, base, today, tables)
        .is_none()
        .then(|| Remark::embedded_builds(&tag.text, &when_and_what(observation)));
    Some((&observation.builds, warning))
}

/// When an observation was made (a day or a month), and of which version, in words.
fn when_and_what(observation: &Observation) -> String {
    let Observation { observed, os_version, .. } = observation;
    let when = match observed.as_str() {
        "" => "on an unrecorded day".to_owned(),
        day if day.parse::<Date>().is_ok() => format!("on {day}"),
        month => format!("in {month}"),
    };
    let at = os_version.map_or_else(String::new, |version| format!(" at {version}"));
    format!("{when}{at}")
}

/// What is known of the tag on a former day, if the question was about one.
pub fn then_of(tag: &KnownTag) -> Option<&Then> {
    tag.observation.as_deref()?.then.as_ref()
}

/// Whether a tag may point to another image after the next updates.
pub(super) fn may_move(tag: &KnownTag) -> bool {
    let is_dated = tag.parsed.as_ref().is_some_and(|tag| tag.day().is_some());
    !is_dated && !matches!(tag.kind(), TagKind::Kb | TagKind::Build)
}

/// The day of an observation; the first of the month if only the month is recorded.
fn observed_on(observed: &str) -> Option<Date> {
    observed.parse().or_else(|_| format!("{observed}-01").parse()).ok()
}

/// The first day of updates after this day.
pub(super) fn next_update_day(day: Date) -> Option<Date> {
    update_day_of_month(day)
        .filter(|update| *update > day)
        .or_else(|| update_day_of_month(day.last_of_month().tomorrow().ok()?))
}

/// Whether updates come out on this day.
pub(super) fn is_update_day(day: Date) -> bool {
    update_day_of_month(day) == Some(day)
}

/// The days of updates from a first to a last day.
pub fn update_days(from: Date, to: Date) -> Vec<Date> {
    std::iter::successors(next_update_day(from), |day| next_update_day(*day))
        .take_while(|day| *day <= to)
        .collect()
}

fn update_day_of_month(day: Date) -> Option<Date> {
    day.nth_weekday_of_month(UPDATE_WEEK, UPDATE_DAY).ok()
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
        let (observed, evidence) = (observed.to_owned(), "a test");
        let observation = Observation { observed, evidence, ..Observation::default() };
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
            assert_eq!(next_update_day(date(day)), Some(date(next)), "{day}");
        }
        assert_eq!(next_update_day(Date::MAX), None);
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

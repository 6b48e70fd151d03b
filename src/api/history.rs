//! `/history` on the wire.

use jiff::Timestamp;
use jiff::civil::Date;
use utoipa::IntoParams;

use super::choices::ImageName;
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::{HistoryQuestion, Moment, TagTimeline, TimelineEntry};
use crate::catalogue::is_tag;
use crate::platforms::atom::{AtomEntry, AtomFeed};
use crate::platforms::steps::{Step, Steps};
use crate::words::words;

/// The grammar of tags in words (OCI distribution specification).
const NO_TAG: &str = "a tag begins with a letter, a digit or an underscore, and has only these, \
                      dots and hyphens, 128 at most";

/// The parameters of `/history`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryParams {
    /// A family or a repository, as in `/resolve`.
    #[param(inline, example = "servercore")]
    pub image: ImageName,
    /// The tag.
    #[param(example = "ltsc2022", pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    pub tag: String,
    /// The form of the answer; `json` by default. `atom` is a feed with an entry for each time that
    /// the tag moved, and `svg` a picture of its revisions over time.
    #[param(inline)]
    pub format: Option<HistoryFormat>,
}

words! {
    /// The form of a history.
    pub enum HistoryFormat {
        /// The whole answer.
        Json = "json",
        /// A feed.
        Atom = "atom",
        /// A picture.
        Svg = "svg",
    }
}

/// Reads the parameters of `/history`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_history(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<(HistoryQuestion, Option<HistoryFormat>), Problem> {
    let mut params = Params::new::<HistoryParams>(pairs);
    let image = reading.image(&mut params);
    let tag = params.required("tag", "ltsc2022");
    let tag = tag.and_then(|tag| {
        params.parse_with("tag", &tag, |text| match is_tag(text) {
            true => Ok(text.to_owned()),
            false => Err(NO_TAG.to_owned()),
        })
    });
    let format = params.word("format");
    let (image, tag) = params.finish_with(image.zip(tag))?;
    Ok((HistoryQuestion { image, tag }, format))
}

/// The moment that an entry begins with, and the last one.
fn period(entry: &TimelineEntry) -> Option<(Moment, Moment)> {
    entry.from.zip(entry.to)
}

/// What an entry is, in a few words.
fn label(entry: &TimelineEntry) -> String {
    let version = match (entry.os_version, entry.builds.as_slice(), &entry.digest) {
        (Some(version), ..) => version.to_string(),
        (None, [], Some(digest)) => digest.to_string(),
        (None, [], None) => "an unknown image".to_owned(),
        (None, builds, _) => {
            let builds: Vec<String> = builds.iter().map(ToString::to_string).collect();
            format!("builds {}", builds.join(", "))
        }
    };
    entry.kb.map_or_else(|| version.clone(), |kb| format!("{version} ({kb})"))
}

/// The history as a feed: what was seen on a recorded day, the newest first. An entry never changes
/// once it is there.
pub fn atom(timeline: &TagTimeline) -> String {
    let TagTimeline { repository, tag, .. } = timeline;
    let reference = format!("{repository}:{tag}");
    let entry = |entry: &TimelineEntry| {
        let (from, _) = period(entry)?;
        let digest = entry.digest.as_ref().map_or("not recorded", |digest| digest.as_str());
        Some(AtomEntry {
            key: format!("{reference} {digest} {from}"),
            title: format!("{tag} is {}", label(entry)),
            updated: from.as_of(),
            text: format!(
                "{reference} was first seen at {} on {from}. Digest: {digest}.",
                label(entry)
            ),
        })
    };
    let entries: Vec<AtomEntry> = timeline.entries.iter().filter_map(entry).collect();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("image", repository).append_pair("tag", tag).append_pair("format", "atom");
    let updated = entries.iter().map(|entry| entry.updated).max();
    AtomFeed {
        title: reference,
        address: format!("/history?{}", query.finish()),
        updated: updated.unwrap_or(timeline.freshness.as_of),
        entries,
    }
    .document()
}

/// The history as a picture: the revision over time, with the days of updates below. A tag that
/// has been of several builds goes up by one step with each version.
pub fn svg(timeline: &TagTimeline, update_days: impl Fn(Date, Date) -> Vec<Date>) -> String {
    let known = || timeline.entries.iter().rev().filter(|entry| period(entry).is_some());
    let mut versions: Vec<_> = known().filter_map(|entry| entry.os_version).collect();
    versions.sort_unstable();
    versions.dedup();
    let builds = versions.chunk_by(|a, b| a.build == b.build).count();
    let step = |entry: &TimelineEntry| {
        let ((from, to), version) = (period(entry)?, entry.os_version?);
        let rank = versions.iter().position(|known| *known == version)?;
        let height = version.revision.filter(|_| builds == 1).or(u32::try_from(rank).ok())?;
        let label = format!("{} seen from {from} to {to}", label(entry));
        Some(Step { from: from.as_of(), to: to.as_of().max(from.as_of()), height, label })
    };
    let mut steps: Vec<Step> = known().filter_map(step).collect();
    steps.sort_by_key(|step| step.from);
    let day = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let marks = steps
        .first()
        .zip(steps.last())
        .map_or_else(Vec::new, |(first, last)| update_days(day(first.from), day(last.to)));
    let newest = timeline.entries.iter().find(|entry| entry.os_version.is_some());
    let newest =
        newest.map_or_else(String::new, |entry| format!(" The newest is {}.", label(entry)));
    Steps {
        title: format!("{}:{}", timeline.repository, timeline.tag),
        description: format!(
            "The Windows version of the tag over time, in {} steps. Solid where it was seen, \
             broken where it was not; the marks below are days of updates.{newest}",
            steps.len()
        ),
        steps,
        marks,
    }
    .svg()
}

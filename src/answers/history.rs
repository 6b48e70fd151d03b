//! The use case behind `/history`: from when to when a tag was seen at which image.

use serde::Serialize;
use utoipa::ToSchema;

use super::context::Context;
use super::host::{kb_of_version, released};
use crate::catalogue::{
    Deadline, Freshness, Miss, Moment, Provenance, Sighting, TagHistory, Wanted,
};
use crate::images::{Digest, NamedImage};
use crate::windows::{Kb, Tables, WindowsVersion};

/// The question of `/history`.
#[derive(Clone, Debug)]
pub struct HistoryQuestion {
    /// The image.
    pub image: NamedImage,
    /// Its tag.
    pub tag: String,
}

/// The answer of `/history`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = History)]
pub struct TagTimeline {
    /// The repository, with its registry.
    #[schema(example = "mcr.microsoft.com/windows/servercore")]
    pub repository: String,
    /// The tag.
    #[schema(example = "ltsc2022")]
    pub tag: String,
    /// The images it was seen at, the newest first. Those of no recorded day are the last.
    pub entries: Vec<TimelineEntry>,
    /// Where the present image comes from, or the last observation if a registry was not asked.
    pub freshness: Freshness,
}

/// An image that a tag was seen at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HistoryEntry)]
pub struct TimelineEntry {
    /// The digest that the tag pointed to; null if it is not recorded.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
    /// The Windows version of the image; null if it is not recorded, or if there are several.
    #[schema(value_type = Option<String>, example = "10.0.20348.5622")]
    pub os_version: Option<WindowsVersion>,
    /// The KB of that version; null if it is not known.
    #[schema(value_type = Option<String>, example = "KB5122882")]
    pub kb: Option<Kb>,
    /// The Windows builds of the images of a shared tag; empty if there is one version only.
    pub builds: Vec<u32>,
    /// When it was first seen: a day, a month or a time, as precisely as it is recorded; null if
    /// that is not recorded.
    #[schema(value_type = Option<String>, example = "2026-09-09")]
    pub from: Option<Moment>,
    /// When it was last seen there, with nothing else seen between.
    #[schema(value_type = Option<String>, example = "2026-09-18")]
    pub to: Option<Moment>,
    /// When the tag was first seen at another image after that, so that it moved between `to` and
    /// this; null if it was not.
    #[schema(value_type = Option<String>, example = json!(null))]
    pub moved_by: Option<Moment>,
    /// `registry` if this service saw it; else the kind of evidence that others recorded.
    #[schema(example = "vhd-image-list")]
    pub evidence: &'static str,
}

/// Answers the question. The registry is asked for the present image, so that a move is seen when
/// somebody asks.
///
/// # Errors
/// When nothing is remembered of the tag, and the registry does not have it either.
pub async fn history(context: &Context, question: &HistoryQuestion) -> Result<TagTimeline, Miss> {
    let (catalogue, repository) = (&context.catalogue, &question.image.repository);
    let deadline = Deadline::begin(&context.clock);
    let is_remembered = |history: &TagHistory| {
        !history.sightings.is_empty() || !history.undated.is_empty() || history.existed.is_some()
    };
    let has_fallback = is_remembered(&catalogue.tag_history(repository, &question.tag));
    let wanted = Wanted::Tag(question.tag.clone());
    let now = catalogue.manifest(repository, wanted, has_fallback, &deadline).await;
    let history = catalogue.tag_history(repository, &question.tag);
    let freshness = match now {
        Ok(found) => found.freshness,
        Err(miss) if !is_remembered(&history) => return Err(miss),
        Err(_) => {
            let last = history.sightings.last().and_then(|last| last.seen);
            let last = last.map(|(_, last)| last).or(history.existed);
            let as_of = last.map_or(jiff::Timestamp::UNIX_EPOCH, Moment::as_of);
            Freshness {
                provenance: Provenance::History,
                as_of,
                stale: true,
                facts_as_of: context.tables.as_of(),
                is_private: false,
            }
        }
    };
    Ok(TagTimeline {
        repository: repository.to_string(),
        tag: question.tag.clone(),
        entries: entries(&history, &context.tables),
        freshness,
    })
}

fn entries(history: &TagHistory, tables: &Tables) -> Vec<TimelineEntry> {
    let entry = |sighting: &Sighting, next: Option<&Sighting>| TimelineEntry {
        digest: sighting.digest.clone(),
        os_version: sighting.os_version,
        kb: sighting.os_version.and_then(|version| kb_of_version(version, tables)),
        builds: sighting.builds.clone(),
        from: sighting.seen.map(|(first, _)| first),
        to: sighting.seen.map(|(_, last)| last),
        moved_by: next.and_then(|next| Some(next.seen?.0)),
        evidence: sighting.evidence,
    };
    let dated = history.sightings.iter().enumerate();
    let dated = dated.map(|(at, sighting)| entry(sighting, history.sightings.get(at + 1)));
    let mut undated: Vec<&Sighting> = history.undated.iter().collect();
    undated.sort_by_key(|sighting| sighting.os_version);
    undated.iter().map(|sighting| entry(sighting, None)).chain(dated).rev().collect()
}

impl TimelineEntry {
    /// The day on which the update of this image came out, if it is known.
    pub fn released(&self, tables: &Tables) -> Option<jiff::civil::Date> {
        self.os_version.and_then(|version| released(version, tables))
    }
}

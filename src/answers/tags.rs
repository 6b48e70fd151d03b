//! The use case behind `/tags`: the tags of a repository, what each stands for, and which of them
//! are the same image.

use std::collections::HashMap;

use futures_util::future::join_all;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::as_of::tags_as_of;
use super::context::Context;
use super::host::kb_of_version;
use super::observed::{still_true, then_of};
use super::patch::Patch;
use crate::catalogue::{
    Basis, Catalogue, Deadline, Entry, Freshness, KnownTag, Manifest, Miss, Moment, Provenance,
    RepositoryTags, Then, Wanted,
};
use crate::images::{Architecture, Digest, NamedImage, Tag, TagArchitecture, TagKind};
use crate::windows::{Base, HostKind, Kb, Tables, WindowsVersion};

/// The most manifests that are fetched for one answer: enough for a tag and all its siblings (a
/// floating tag or two, a KB tag, a build tag, each with and without architecture), and few enough
/// to be polite to the registry.
const MAX_FETCHED_MANIFESTS: usize = 10;

/// The question of `/tags`.
#[derive(Clone, Debug)]
pub struct TagsQuestion {
    /// The image.
    pub image: NamedImage,
    /// Only tags of this build.
    pub build: Option<u32>,
    /// Only tags of the build that this release word stands for, such as `ltsc2022`.
    pub release: Option<String>,
    /// Only tags that are this update.
    pub kb: Option<Kb>,
    /// Only this tag and those that are the same image.
    pub tag: Option<String>,
    /// Only tags of this software and version.
    pub stem: Option<String>,
    /// Only tags of this base.
    pub base: Option<Base>,
    /// Only tags of this architecture.
    pub architecture: Option<Architecture>,
    /// How many tags are skipped.
    pub offset: usize,
    /// The most tags in the answer.
    pub limit: usize,
    /// The former day that the question is about; `None` for now.
    pub as_of: Option<Moment>,
}

/// The answer of `/tags`.
#[derive(Clone, Debug)]
pub struct ListedTags {
    /// The image.
    pub image: NamedImage,
    /// The tags, the newest first.
    pub tags: Vec<ListedTag>,
    /// How far the tag of the question is behind the updates of its build.
    pub patch: Option<Patch>,
    /// How many tags fit the question.
    pub total: usize,
    /// Where the answer comes from.
    pub freshness: Freshness,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tag)]
pub struct ListedTag {
    /// The tag.
    #[schema(example = "ltsc2022")]
    pub tag: String,
    /// Its form.
    pub kind: TagKind,
    /// The build; null if it is not known.
    #[schema(example = 20348)]
    pub build: Option<u32>,
    /// The revision; null if it is not known.
    #[schema(example = 2113)]
    pub revision: Option<u32>,
    /// The Windows version: of the image if it is known, else from the name; null if neither is
    /// known.
    #[schema(value_type = Option<String>, example = "10.0.20348.2113")]
    pub os_version: Option<WindowsVersion>,
    /// The KB of that version; null if it is not known.
    #[schema(value_type = Option<String>, example = "KB5032198")]
    pub kb: Option<Kb>,
    /// The software and its version in the name, such as `4.8.1`; empty for base images and for
    /// `latest`, null if the tag has no such form.
    #[schema(example = "")]
    pub stem: Option<String>,
    /// The base in the name, or of the family; null if neither names one.
    pub base: Option<Base>,
    /// The architecture in the name; null if the name has none.
    #[schema(value_type = Option<String>)]
    pub architecture: Option<&'static str>,
    /// The digest that the tag points to. It is fetched if the answer has at most ten tags; else
    /// it is null unless it is known already.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
    /// The other tags of the repository that are known to point to the same digest.
    pub same_image: Vec<String>,
    /// With `as_of`: the observations that this rests on; absent without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub observed: Option<ObservedTag>,
}

/// What is known of a tag on a former day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ObservedTag)]
pub struct ObservedTag {
    /// Why the digest is known. `seen`: it was seen on that day, or before and after it with
    /// nothing else between. `by-updates`: it was seen before, and no updates came out between,
    /// with which tags move. `after-support`: it was seen after the end of support. `fixed`: it was
    /// seen before, and its name is of one update or day only. `unknown`: it is not known.
    pub basis: Basis,
    /// The last observation by that day: a day, a month or a time; null if there is none.
    #[schema(value_type = Option<String>, example = "2024-02-18")]
    pub last: Option<Moment>,
    /// The first observation of another image after that day; null if there is none.
    #[schema(value_type = Option<String>, example = "2024-03-16")]
    pub next: Option<Moment>,
}

impl From<&Then> for ObservedTag {
    fn from(then: &Then) -> Self {
        let [_, after] = then.around;
        Self { basis: then.basis, last: then.observed, next: after.map(|(next, _)| next) }
    }
}

/// What is known of the image behind a tag.
#[derive(Clone, Default)]
pub(super) struct Known {
    digest: Option<Digest>,
    pub(super) os_version: Option<WindowsVersion>,
}

/// Answers the question.
///
/// # Errors
/// When the tags are not available.
pub async fn tags(context: &Context, question: &TagsQuestion) -> Result<ListedTags, Miss> {
    let Context { catalogue, tables, .. } = context;
    let deadline = Deadline::begin(&context.clock);
    let found = match question.as_of {
        Some(as_of) => tags_as_of(context, &question.image, as_of)?,
        None => catalogue.tags(&question.image.repository, &deadline).await?,
    };
    let all = &*found.value;
    let mut images = Images {
        catalogue,
        image: &question.image,
        tables,
        today: context.day(question.as_of),
        known: HashMap::new(),
        fetches_left: MAX_FETCHED_MANIFESTS,
        freshness: found.freshness,
    };
    images.remember(all);
    let fitting: Vec<&KnownTag> =
        all.iter().filter(|tag| fits(question, tag, images.version_of(tag), tables)).collect();
    // A question for one tag gets that tag and all that are the same image; the digests tell which.
    let one = question.tag.as_ref().and_then(|_| fitting.first().copied());
    let mut rows = if one.is_some() { fitting.clone() } else { page(question, &fitting) };
    let may_fetch =
        !found.freshness.provenance.is_recorded() && rows.len() <= MAX_FETCHED_MANIFESTS;
    if may_fetch {
        images.fetch(&rows, &deadline).await;
    }
    if let Some(one) = one {
        let version = images.version_of(one);
        let siblings: Vec<&KnownTag> =
            all.iter().filter(|tag| may_be_same(tag, version, one)).collect();
        if may_fetch {
            images.fetch(&siblings, &deadline).await;
        }
        rows.extend(siblings);
    }
    let by_digest = by_digest(all, &images.known);
    let mut total = fitting.len();
    let mut tags: Vec<ListedTag> = rows.iter().map(|tag| list(tag, &images, &by_digest)).collect();
    if let Some(same_image) = one.and(tags.first()).map(|first| first.same_image.clone()) {
        tags.retain(|tag| question.tag.as_ref() == Some(&tag.tag) || same_image.contains(&tag.tag));
        total = tags.len();
        tags = page(question, &tags);
    }
    let version = one.and_then(|one| images.version_of(one));
    let former = question.as_of.map(Moment::day);
    let patch = version.and_then(|version| Patch::of(version, tables, former));
    let freshness = images.freshness;
    Ok(ListedTags { image: question.image.clone(), tags, patch, total, freshness })
}

/// The page that the question is about.
fn page<T: Clone>(question: &TagsQuestion, rows: &[T]) -> Vec<T> {
    rows.iter().skip(question.offset).take(question.limit).cloned().collect()
}

/// Whether a tag, whose image has this version, fits the question.
fn fits(
    question: &TagsQuestion,
    tag: &KnownTag,
    version: Option<WindowsVersion>,
    tables: &Tables,
) -> bool {
    let build = tag.version.map(|version| version.build);
    let is = |wanted: Option<u32>| wanted.is_none() || build == wanted;
    let of_release = question.release.as_ref().is_none_or(|line| {
        let named = tag.parsed.as_ref().and_then(|parsed| parsed.line()) == Some(line);
        let is_version = |build| {
            tables
                .release_for(build, HostKind::Server)
                .is_some_and(|release| release.version == *line)
        };
        named
            || build
                .is_some_and(|build| Some(build) == tables.build_of_line(line) || is_version(build))
    });
    let of_kb = question.kb.is_none_or(|kb| {
        tag.kb() == Some(kb)
            || version.is_some_and(|version| {
                tables.kbs_of(version).iter().any(|entry| entry.kb == Some(kb))
            })
    });
    let of_architecture = question.architecture.is_none_or(|wanted| {
        let named = tag.parsed.as_ref().and_then(Tag::named_architecture);
        wanted.rank_of(named).is_some()
    });
    let has_stem = |stem: &String| tag.parsed.as_ref().is_some_and(|tag| tag.stem == *stem);
    let base = tag.base().or_else(|| question.image.known_base());
    is(question.build)
        && question.stem.as_ref().is_none_or(has_stem)
        && (question.base.is_none() || question.base == base)
        && of_release
        && of_kb
        && of_architecture
        && question.tag.as_ref().is_none_or(|text| *text == tag.text)
}

/// Whether this tag may be the same image as the first by its name; `version` is that of the first.
fn may_be_same(tag: &KnownTag, version: Option<WindowsVersion>, first: &KnownTag) -> bool {
    let (Some(version), Some(named)) = (version, tag.version) else { return false };
    let same_variant = match (&tag.parsed, &first.parsed) {
        (Some(a), Some(b)) => {
            a.locale == b.locale && a.architecture.is_some() == b.architecture.is_some()
        }
        _ => false,
    };
    tag.text != first.text
        && same_variant
        && named.build == version.build
        && (named.revision.is_none()
            || version.revision.is_none()
            || named.revision == version.revision)
}

/// What is known of the images behind the tags.
struct Images<'a> {
    catalogue: &'a Catalogue,
    image: &'a NamedImage,
    tables: &'a Tables,
    today: Date,
    known: HashMap<&'a str, Known>,
    fetches_left: usize,
    freshness: Freshness,
}

impl<'a> Images<'a> {
    /// The version of the image, else of the name.
    fn version_of(&self, tag: &KnownTag) -> Option<WindowsVersion> {
        self.known.get(tag.text.as_str()).and_then(|known| known.os_version).or(tag.version)
    }

    /// Adds what is in memory or in the embedded catalogue, of all tags: any two may be the same
    /// image. Tags of which nothing is known cost nothing.
    fn remember(&mut self, tags: &'a RepositoryTags) {
        for tag in tags.iter().filter(|tag| tag.observation.is_some()) {
            self.known.insert(&tag.text, self.observed(tag));
        }
        if self.freshness.provenance == Provenance::History {
            return;
        }
        for (text, manifest) in self.catalogue.known_manifests(&self.image.repository) {
            if let Some(tag) = tags.find(&text) {
                self.known.insert(&tag.text, from_manifest(&manifest, tag));
            }
        }
    }

    /// Fetches the manifests of these tags, as far as the budget goes; all at once, so that they
    /// share the deadline.
    async fn fetch(&mut self, tags: &[&'a KnownTag], deadline: &Deadline) {
        let count = self.fetches_left.min(tags.len());
        self.fetches_left -= count;
        let tags = tags.iter().copied().take(count);
        let fetches = tags.clone().map(|tag| {
            let wanted = Wanted::Tag(tag.text.clone());
            self.catalogue.manifest(&self.image.repository, wanted, true, deadline)
        });
        for (tag, fetched) in tags.zip(join_all(fetches).await) {
            let known = match fetched {
                Ok(found) => {
                    self.freshness = self.freshness.combine(found.freshness);
                    from_manifest(&found.value, tag)
                }
                Err(_) => self.observed(tag),
            };
            self.known.insert(&tag.text, known);
        }
    }

    /// The observation of the embedded catalogue, if it is still true.
    fn observed(&self, tag: &KnownTag) -> Known {
        let observed = still_true(tag, self.image.base(), self.today, self.tables);
        observed.map_or_else(Known::default, |observed| Known {
            digest: observed.digest.clone(),
            os_version: observed.os_version,
        })
    }
}

/// What a manifest says of the image behind a tag.
pub(super) fn from_manifest(manifest: &Manifest, tag: &KnownTag) -> Known {
    let versions = || manifest.entries.iter().filter_map(Entry::windows_version);
    let named_build = tag.version.map(|version| version.build);
    let of_the_build = versions().find(|version| Some(version.build) == named_build);
    // An index of several Windows builds has no single version unless the tag names one of them.
    let mut all = versions();
    let only = all.next().filter(|_| all.next().is_none());
    let said = of_the_build.or(only);
    let os_version = match (said, tag.version) {
        (Some(said), Some(named)) if said.revision.is_none() && said.build == named.build => {
            Some(named)
        }
        (said, _) => said,
    };
    Known { digest: Some(manifest.digest.clone()), os_version }
}

/// The tags that are known to point to a digest, by digest.
fn by_digest<'a>(
    all: &'a RepositoryTags,
    known: &'a HashMap<&'a str, Known>,
) -> HashMap<&'a Digest, Vec<&'a str>> {
    let mut tags: HashMap<&Digest, Vec<&str>> = HashMap::new();
    for (tag, known) in known {
        if let Some(digest) = known.digest.as_ref() {
            tags.entry(digest).or_default().push(tag);
        }
    }
    for same in tags.values_mut() {
        same.sort_by_cached_key(|tag| all.position(tag));
    }
    tags
}

fn list(
    tag: &KnownTag,
    Images { known, image, tables, .. }: &Images<'_>,
    by_digest: &HashMap<&Digest, Vec<&str>>,
) -> ListedTag {
    let Known { digest, os_version } = known.get(tag.text.as_str()).cloned().unwrap_or_default();
    let same =
        digest.as_ref().and_then(|digest| by_digest.get(digest)).map_or(&[][..], Vec::as_slice);
    let same_image =
        same.iter().filter(|other| **other != tag.text).map(|other| (*other).to_owned()).collect();
    let os_version = os_version.or(tag.version);
    ListedTag {
        tag: tag.text.clone(),
        kind: tag.kind(),
        build: os_version.map(|version| version.build),
        revision: os_version.and_then(|version| version.revision),
        os_version,
        kb: tag.kb().or_else(|| os_version.and_then(|version| kb_of_version(version, tables))),
        stem: tag.parsed.as_ref().map(|tag| tag.stem.clone()),
        base: tag.base().or_else(|| image.known_base()),
        architecture: tag
            .parsed
            .as_ref()
            .and_then(Tag::named_architecture)
            .map(TagArchitecture::as_str),
        digest,
        same_image,
        observed: then_of(tag).map(ObservedTag::from),
    }
}

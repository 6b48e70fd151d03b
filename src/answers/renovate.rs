//! The use case behind `/renovate`: the build tags of one Windows build, as releases of which each
//! replaces the previous one; or the tags of the versions of a software for one Windows build. Tags
//! of other builds are never among them.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::civil::Date;

use super::context::Context;
use super::host::{kb_of_version, released};
use super::observed::still_true;
use super::question::{AskedHost, ResolveQuestion};
use super::resolve::selection::Selection;
use super::resolve::shortfall::{Alternative, Shortfall};
use super::tags::from_manifest;
use crate::catalogue::{
    Candidates, Deadline, Freshness, KnownTag, Manifest, Miss, Provenance, RegistryError,
    RepositoryTags, Wanted,
};
use crate::images::{
    Architecture, Core, Digest, NamedImage, Pin, Software, Tag, version_key, version_shape,
};
use crate::windows::{Kb, Tables, WindowsVersion};

/// The most manifests that are fetched for one feed: of the newest release, which an updater
/// proposes, and of the next one if the registry contradicts the name of the newest.
const MAX_CONFIRMED_RELEASES: usize = 2;
/// The release type of updates that Microsoft calls previews.
const PREVIEW: &str = "Preview";

/// The question of `/renovate`.
#[derive(Clone, Debug)]
pub struct FeedQuestion {
    /// The image.
    pub image: Arc<NamedImage>,
    /// The build.
    pub line: FeedLine,
    /// The highest acceptable revision.
    pub max_revision: Option<u32>,
}

/// The build of the releases.
#[derive(Clone, Debug)]
pub enum FeedLine {
    /// The build that `/resolve` pins for this host; the host's revision is a ceiling.
    Host(Box<AskedHost>),
    /// The build that a tag stands for, in tags of the same form.
    Like {
        /// The tag.
        tag: Box<Tag>,
        /// Its build.
        build: u32,
    },
}

/// The answer of `/renovate`.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The image.
    pub image: Arc<NamedImage>,
    /// The releases, the newest first; never empty.
    pub releases: Vec<FeedRelease>,
    /// Whether support of these images has ended.
    pub out_of_support: bool,
    /// The day of the answer.
    pub today: Date,
    /// Where the answer comes from.
    pub freshness: Freshness,
}

/// One release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRelease {
    /// The build tag.
    pub tag: String,
    /// The digest that it points to, if it is known.
    pub digest: Option<Digest>,
    /// The update that it contains.
    pub kb: Option<Kb>,
    /// The day on which that update was released.
    pub released: Option<Date>,
    /// Whether the update is a preview of a later one.
    pub is_preview: bool,
}

/// Why there is no feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedRefusal {
    /// The catalogue has no tags for the repository.
    Miss(Miss),
    /// None of its tags fits.
    NoBuildTag {
        /// The build; `None` if no image runs on the host.
        build: Option<u32>,
        /// The highest acceptable revision.
        ceiling: Option<u32>,
        /// The builds that have build tags.
        builds: Vec<u32>,
        /// The nearest tags, for a host.
        nearest: Vec<Alternative>,
    },
}

/// The build, the form of its tags, and their highest acceptable revision.
struct Line<'a> {
    build: u32,
    ceiling: Option<u32>,
    architecture: Architecture,
    written_like: Option<&'a Tag>,
}

impl Line<'_> {
    fn software(&self) -> Software {
        self.written_like.map(Tag::software).unwrap_or_default()
    }
}

/// Answers the question.
///
/// # Errors
/// When the tags are not available, or none fits.
pub async fn feed(context: &Context, question: &FeedQuestion) -> Result<Feed, FeedRefusal> {
    let Context { catalogue, tables, .. } = context;
    let (image, today) = (&question.image, context.now().date());
    let deadline = Deadline::begin(&context.clock);
    let found = catalogue.tags(&image.repository, &deadline).await.map_err(FeedRefusal::Miss)?;
    let mut freshness = found.freshness;
    let line = line(question, &found.value, tables, today)?;
    let candidates = found.value.candidates(&line.software(), line.architecture, tables);
    let fitting = match line.written_like.filter(|tag| !tag.stem.is_empty()) {
        Some(like) => versions_like(&found.value, like),
        None => fitting(candidates, &line),
    };
    let mut releases: Vec<FeedRelease> = Vec::new();
    let mut reads_left =
        if freshness.provenance == Provenance::Embedded { 0 } else { MAX_CONFIRMED_RELEASES };
    for (tag, version) in fitting {
        let mut manifest =
            catalogue.known_manifest(&image.repository, Wanted::Tag(tag.text.clone()));
        if releases.is_empty() && reads_left > 0 {
            reads_left -= 1;
            match catalogue
                .manifest(&image.repository, Wanted::Tag(tag.text.clone()), true, &deadline)
                .await
            {
                Ok(read) => {
                    freshness = freshness.combine(read.freshness);
                    manifest = Some(read.value);
                }
                Err(Miss::Registry(RegistryError::NotFound { .. })) => continue,
                Err(_) => {}
            }
        }
        if manifest.as_ref().is_some_and(|manifest| is_another(manifest, tag, version)) {
            continue;
        }
        let seen = || still_true(tag, image.base(), today, tables)?.digest.clone();
        let digest = manifest.map(|manifest| manifest.digest.clone()).or_else(seen);
        releases.push(release(tag, version, digest, tables));
    }
    if releases.is_empty() {
        return Err(no_build_tag(Some(line.build), line.ceiling, candidates, Vec::new()));
    }
    let base = line.written_like.and_then(|tag| tag.base?.base());
    let base = base.unwrap_or_else(|| image.base());
    let out_of_support = tables.image_support_ended(line.build, base, today).is_some();
    Ok(Feed { image: image.clone(), releases, out_of_support, today, freshness })
}

fn line<'a>(
    question: &'a FeedQuestion,
    tags: &RepositoryTags,
    tables: &Tables,
    today: Date,
) -> Result<Line<'a>, FeedRefusal> {
    let max = question.max_revision;
    let host = match &question.line {
        FeedLine::Host(host) => host,
        FeedLine::Like { tag, build } => {
            let named = tag.named_architecture();
            let fitting = Architecture::ALL.into_iter().find(|it| it.rank_of(named).is_some());
            let architecture = fitting.unwrap_or_default();
            return Ok(Line { build: *build, ceiling: max, architecture, written_like: Some(tag) });
        }
    };
    let asked = ResolveQuestion {
        pin: Pin::Build,
        ..ResolveQuestion::new(question.image.clone(), AskedHost::clone(host))
    };
    let architecture = asked.architecture;
    let refuse = |build, ceiling, nearest| {
        Err(no_build_tag(
            build,
            ceiling,
            tags.candidates(&Software::default(), architecture, tables),
            nearest,
        ))
    };
    let lowest = |build| [host.ceiling(build), max].into_iter().flatten().min();
    match Selection::new(&asked, tags, tables, today).plan() {
        Ok(plan) => {
            let build = plan.first().map_or(host.version.build, |first| first.version.build);
            Ok(Line { build, ceiling: lowest(build), architecture, written_like: None })
        }
        Err(Shortfall::NoSuchForm { build, nearest, .. }) => {
            refuse(Some(build), lowest(build), nearest)
        }
        Err(Shortfall::NoneRuns { nearest, .. }) => refuse(None, None, nearest),
        Err(Shortfall::NoTags | Shortfall::VersionNeeded { .. } | Shortfall::KbNotFound { .. }) => {
            refuse(None, None, Vec::new())
        }
    }
}

/// The build tags of the line, the newest first. All are of one form, because an updater cannot
/// compare two forms.
fn fitting<'a>(candidates: Candidates<'a>, line: &Line<'_>) -> Vec<(&'a KnownTag, WindowsVersion)> {
    let tags =
        || candidates.of_build(line.build).into_iter().flat_map(|tags| tags.of_form(Pin::Build));
    let form = |tag: &Tag| (tag.base, tag.architecture);
    let first = tags().next().and_then(|tag| tag.parsed.as_ref());
    let wanted = line.written_like.or(first).map(form);
    let is_within = |version: WindowsVersion| {
        line.ceiling.is_none_or(|ceiling| version.revision <= Some(ceiling))
    };
    let of_form = tags().filter(|tag| tag.parsed.as_ref().map(form) == wanted);
    of_form
        .filter_map(|tag| Some((tag, tag.version.filter(|version| is_within(*version))?)))
        .collect()
}

/// The tags of all versions of a software that are written like this one, for the same Windows
/// release, the newest version first.
fn versions_like<'a>(tags: &'a RepositoryTags, like: &Tag) -> Vec<(&'a KnownTag, WindowsVersion)> {
    let is_same_windows = |core: &Core| match (core, &like.core) {
        (Core::Build(one), Core::Build(other)) => one.build == other.build,
        (one, other) => one == other,
    };
    let shape = version_shape(&like.stem);
    let is_alike = |tag: &Tag| {
        let of_like = Tag { stem: tag.stem.clone(), core: tag.core.clone(), ..like.clone() };
        is_same_windows(&tag.core) && version_shape(&tag.stem) == shape && of_like == *tag
    };
    let alike = tags.iter().filter(|tag| tag.parsed.as_ref().is_some_and(is_alike));
    let mut alike: Vec<_> = alike.filter_map(|tag| Some((tag, tag.version?))).collect();
    alike.sort_by_cached_key(|(tag, version)| {
        let stem = tag.parsed.as_ref().map(|tag| version_key(&tag.stem));
        Reverse((stem, *version))
    });
    alike
}

/// Whether the registry contradicts the name of the tag.
fn is_another(manifest: &Manifest, tag: &KnownTag, named: WindowsVersion) -> bool {
    from_manifest(manifest, tag).os_version.is_some_and(|said| {
        said.build != named.build || (named.revision.is_some() && said != named)
    })
}

fn release(
    tag: &KnownTag,
    version: WindowsVersion,
    digest: Option<Digest>,
    tables: &Tables,
) -> FeedRelease {
    let is_preview =
        tables.kbs_of(version).iter().any(|entry| entry.release_type.as_deref() == Some(PREVIEW));
    let kb = kb_of_version(version, tables);
    let day_of_build = || tag.parsed.as_ref().and_then(Tag::day);
    let released = released(version, tables).or_else(day_of_build);
    FeedRelease { tag: tag.text.clone(), digest, kb, released, is_preview }
}

fn no_build_tag(
    build: Option<u32>,
    ceiling: Option<u32>,
    candidates: Candidates<'_>,
    nearest: Vec<Alternative>,
) -> FeedRefusal {
    let with_build_tags =
        candidates.builds().filter(|(_, tags)| tags.of_form(Pin::Build).next().is_some());
    FeedRefusal::NoBuildTag {
        build,
        ceiling,
        builds: with_build_tags.map(|(build, _)| build).collect(),
        nearest,
    }
}

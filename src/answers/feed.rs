//! The use case behind `/renovate`: the build tags of one Windows build, as releases of which each
//! replaces the one before. A tag that would lead to another build is never among them.

use std::sync::Arc;

use jiff::civil::Date;

use crate::catalogue::{
    Deadline, Freshness, KnownTag, Manifest, Miss, Provenance, RegistryError, RepositoryTags,
    Wanted,
};
use crate::images::{Digest, NamedImage, Tag};
use crate::windows::{Kb, Platform, Tables, WindowsVersion};

use super::context::Context;
use super::decide::{Alternative, Shortfall, ceiling, plan};
use super::host::{kb_of_version, released};
use super::lineup::Lineup;
use super::observed::{base_of, still_true};
use super::question::{Architecture, AskedHost, Pin, ResolveQuestion};
use super::tags::from_manifest;

/// So many manifests are read for one feed: that of the newest release, which is the one that is
/// proposed, and of the next one when the registry says that the newest is not what its name says.
const MAX_MANIFESTS: usize = 2;
/// The updates that Microsoft calls previews.
const PREVIEW: &str = "Preview";

/// The question of `/renovate`.
#[derive(Clone, Debug)]
pub struct FeedQuestion {
    /// The image.
    pub image: Arc<NamedImage>,
    /// Which build.
    pub line: FeedLine,
    /// No revision above this one.
    pub max_revision: Option<u32>,
}

/// Which build the releases are of.
#[derive(Clone, Debug)]
pub enum FeedLine {
    /// The one that `/resolve` pins for this host; the host's revision is a ceiling.
    Host(Box<AskedHost>),
    /// The one that a tag stands for, in tags written as it is.
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
    /// What it points to, where that is known.
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
    /// It has none that fit.
    NoBuildTag {
        /// The build; `None` when no image runs on the host.
        build: Option<u32>,
        /// The highest revision that would do.
        ceiling: Option<u32>,
        /// The builds that have build tags.
        builds: Vec<u32>,
        /// The nearest tags, for a host.
        nearest: Vec<Alternative>,
    },
}

/// The build, the form of its tags, and how new they may be.
struct Line<'a> {
    build: u32,
    ceiling: Option<u32>,
    architecture: Architecture,
    written_like: Option<&'a Tag>,
}

/// Answers the question.
///
/// # Errors
/// When the tags cannot be had, or none fits.
pub async fn feed(context: &Context, question: &FeedQuestion) -> Result<Feed, FeedRefusal> {
    let Context { catalogue, tables, .. } = context;
    let (image, today) = (&question.image, context.now().date());
    let deadline = Deadline::begin(&context.clock);
    let found = catalogue.tags(&image.repository, &deadline).await.map_err(FeedRefusal::Miss)?;
    let mut freshness = found.freshness;
    let line = line(question, &found.value, tables, today)?;
    let lineup = Lineup::new(&found.value, line.architecture, tables);
    let mut releases: Vec<FeedRelease> = Vec::new();
    let mut reads_left =
        if freshness.provenance == Provenance::Embedded { 0 } else { MAX_MANIFESTS };
    for (tag, version) in fitting(&lineup, &line) {
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
        let seen = || still_true(tag, base_of(image), today, tables)?.digest.clone();
        let digest = manifest.map(|manifest| manifest.digest.clone()).or_else(seen);
        releases.push(release(tag, version, digest, tables));
    }
    if releases.is_empty() {
        return Err(no_build_tag(Some(line.build), line.ceiling, &lineup, Vec::new()));
    }
    let out_of_support = tables.image_support_ended(line.build, base_of(image), today).is_some();
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
            let named = tag.architecture.map(|(_, architecture)| architecture);
            let all = [Architecture::Amd64, Architecture::Arm64, Architecture::Arm];
            let architecture =
                all.into_iter().find(|architecture| architecture.rank_of(named).is_some());
            let architecture = architecture.unwrap_or_default();
            return Ok(Line { build: *build, ceiling: max, architecture, written_like: Some(tag) });
        }
    };
    let architecture = Architecture::default();
    let asked = ResolveQuestion {
        image: question.image.clone(),
        host: AskedHost::clone(host),
        isolation: None,
        pin: Pin::Build,
        kb: None,
        platform: Platform::Docker,
        architecture,
    };
    let refuse = |build, ceiling, nearest| {
        Err(no_build_tag(build, ceiling, &Lineup::new(tags, architecture, tables), nearest))
    };
    let lowest = |build| [ceiling(&asked, build), max].into_iter().flatten().min();
    match plan(&asked, tags, tables, today) {
        Ok(plan) => {
            let build = plan
                .candidates
                .first()
                .map_or(asked.host.host.version.build, |first| first.version.build);
            Ok(Line { build, ceiling: lowest(build), architecture, written_like: None })
        }
        Err(Shortfall::NoSuchForm { build, nearest, .. }) => {
            refuse(Some(build), lowest(build), nearest)
        }
        Err(Shortfall::NoneRuns { nearest, .. }) => refuse(None, None, nearest),
        Err(Shortfall::NoTags | Shortfall::KbNotFound { .. }) => refuse(None, None, Vec::new()),
    }
}

/// The build tags of the line, the newest first, all of one form: an updater cannot compare two
/// forms.
fn fitting<'a>(lineup: &Lineup<'a>, line: &Line<'_>) -> Vec<(&'a KnownTag, WindowsVersion)> {
    let tags = lineup.of_build(line.build).map_or(&[][..], |tags| tags.of_form(Pin::Build));
    let form = |tag: &Tag| (tag.flavour, tag.architecture);
    let first = tags.first().and_then(|tag| tag.parsed.as_ref());
    let wanted = line.written_like.or(first).map(form);
    let is_within = |version: WindowsVersion| {
        line.ceiling.is_none_or(|ceiling| version.revision <= Some(ceiling))
    };
    let of_form = tags.iter().filter(|tag| tag.parsed.as_ref().map(form) == wanted);
    of_form
        .filter_map(|tag| Some((*tag, tag.version.filter(|version| is_within(*version))?)))
        .collect()
}

/// Whether the registry says that the tag is not what its name says.
fn is_another(manifest: &Manifest, tag: &KnownTag, named: WindowsVersion) -> bool {
    from_manifest(manifest, tag).os_version.is_some_and(|said| said != named)
}

fn release(
    tag: &KnownTag,
    version: WindowsVersion,
    digest: Option<Digest>,
    tables: &Tables,
) -> FeedRelease {
    let is_preview =
        tables.kbs_of(version).iter().any(|entry| entry.release_type.as_deref() == Some(PREVIEW));
    let (kb, released) = (kb_of_version(version, tables), released(version, tables));
    FeedRelease { tag: tag.text.clone(), digest, kb, released, is_preview }
}

fn no_build_tag(
    build: Option<u32>,
    ceiling: Option<u32>,
    lineup: &Lineup<'_>,
    nearest: Vec<Alternative>,
) -> FeedRefusal {
    let with_build_tags = lineup.builds().filter(|(_, tags)| !tags.of_form(Pin::Build).is_empty());
    FeedRefusal::NoBuildTag {
        build,
        ceiling,
        builds: with_build_tags.map(|(build, _)| build).collect(),
        nearest,
    }
}

//! Shared tags, such as `1.24` and `latest`: only their index tells which Windows builds they have.

use super::selection::{Candidate, Selection};
use super::settle::{Settled, Source, from_manifest};
use crate::answers::as_of::freshness_of;
use crate::answers::observed::recall_builds;
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{Entry, Freshness, KnownTag, Manifest, Miss, Observation, RegistryError};
use crate::images::{Architecture, Digest, Pin, Tag};
use crate::windows::{Base, Isolation, Verdict, WindowsVersion};

/// The outcome for a shared tag.
pub(super) enum Shared<'a> {
    /// Its image for the host, under the tag that selects it.
    Settled(Candidate<'a>, Box<Settled>),
    /// It has none, or that is not known; the remark says why. Other tags of the software may.
    Unsettled(Remark),
}

/// What a shared tag selects.
struct Index {
    digest: Option<Digest>,
    images: Vec<Image>,
    warning: Option<Remark>,
    freshness: Freshness,
}

/// An image of the index.
struct Image {
    version: WindowsVersion,
    digest: Option<Digest>,
}

/// Finds the image for the host in the index of the tag, or among the builds that the embedded
/// catalogue has for it. A tag that names the Windows build of the image is preferred if it points
/// to the same image, because engines choose from a shared tag by rules of their own: BuildKit
/// takes the first Windows image on every host.
pub(super) async fn settle<'a>(
    source: &Source<'_>,
    selection: &Selection<'a>,
    tag: &'a KnownTag,
) -> Shared<'a> {
    let index = match Index::of(source, selection, tag).await {
        Ok(index) => index,
        Err(why) => return Shared::Unsettled(why),
    };
    let image = best(selection, &index.images);
    let versions: Vec<String> =
        index.images.iter().map(|image| image.version.to_string()).collect();
    if let Some(next) = next_version(selection, &index.images)
        && let Ok(mut settled) = source.settle(selection, &next).await
    {
        settled.warnings.push(Remark::next_version(&tag.text, &versions, &next.tag.text));
        return Shared::Settled(next, Box::new(settled));
    }
    let Some((image, isolation)) = image else {
        return Shared::Unsettled(Remark::no_image_for_host(&tag.text, &versions));
    };
    let version = image.version;
    let candidate = |tag| Candidate { tag, version, isolation };
    let repository = &selection.question.image.repository;
    let base = source.catalogue.observation(repository, &tag.text).and_then(|seen| seen.base);
    if let Some(sibling) = sibling_for(selection, version.build, base).map(candidate)
        && let Some(settled) = sibling_of(source, selection, &sibling, &index, image).await
    {
        return Shared::Settled(sibling, Box::new(settled));
    }
    let settled = Settled {
        digest: index.digest.clone(),
        manifest_digest: image.digest.clone(),
        os_version: version,
        warnings: index.warning.clone().into_iter().collect(),
        freshness: index.freshness,
    };
    Shared::Settled(candidate(tag), Box::new(settled))
}

/// The tag whose image will most likely be the answer, by the builds and the base that the shared
/// tag had when the embedded catalogue was gathered.
pub(super) fn likely<'a>(
    selection: &Selection<'a>,
    seen: Option<&Observation>,
) -> Option<&'a KnownTag> {
    let builds = seen.map_or(&[][..], |seen| &seen.builds);
    let images: Vec<Image> = builds.iter().map(|build| Image::of_build(*build)).collect();
    if let Some(next) = next_version(selection, &images) {
        return Some(next.tag);
    }
    let build = match best(selection, &images) {
        Some((image, _)) => image.version.build,
        None => selection.plan().ok()?.first()?.version.build,
    };
    sibling_for(selection, build, seen.and_then(|seen| seen.base))
}

/// The tag of this build that is most likely the same image as the shared tag: of the base that the
/// tag is known to have had, else of the preferred one.
fn sibling_for<'a>(
    selection: &Selection<'a>,
    build: u32,
    base: Option<Base>,
) -> Option<&'a KnownTag> {
    let tags = selection.candidates.of_build(build)?;
    tags.of_form(Pin::Release).find(|tag| base.is_none() || tag.base() == base)
}

/// The image behind a tag that names the build, if it is the same as under the shared tag; without
/// a registry that follows from the names.
async fn sibling_of(
    source: &Source<'_>,
    selection: &Selection<'_>,
    sibling: &Candidate<'_>,
    index: &Index,
    image: &Image,
) -> Option<Settled> {
    let Some(digest) = &image.digest else {
        let mut settled = source.settle(selection, sibling).await.ok()?;
        settled.warnings.extend(index.warning.clone());
        return Some(settled);
    };
    let question = selection.question;
    let found = source.manifest(question, sibling.tag).await.ok()?;
    let mut images = found.value.windows_images(question.architecture.as_str());
    if !images.any(|entry| entry.digest == *digest) {
        return None;
    }
    let freshness = index.freshness.combine(found.freshness);
    from_manifest(question, sibling, &found.value, freshness).ok()
}

impl Index {
    /// What the registry says of the tag, else what the embedded catalogue does; an error says why
    /// neither is known.
    async fn of(
        source: &Source<'_>,
        selection: &Selection<'_>,
        tag: &KnownTag,
    ) -> Result<Self, Remark> {
        let Selection { question, today, tables, .. } = *selection;
        match source.manifest(question, tag).await {
            Ok(found) => Ok(Self {
                digest: Some(found.value.digest.clone()),
                images: images(&found.value, question.architecture),
                warning: None,
                freshness: source.freshness.combine(found.freshness),
            }),
            Err(Miss::Registry(RegistryError::NotFound { .. })) if !source.freshness.stale => {
                let why = "the registry has no manifest for it";
                Err(Remark::tag_skipped(&tag.text, why))
            }
            Err(miss) => {
                let recalled = recall_builds(tag, question.base(), today, tables);
                let unknown = || Remark::shared_tag_unknown(&tag.text, &miss.to_string());
                let (builds, warning) = recalled.ok_or_else(unknown)?;
                Ok(Self {
                    digest: None,
                    images: builds.iter().map(|build| Image::of_build(*build)).collect(),
                    warning,
                    freshness: freshness_of(tag, source.freshness),
                })
            }
        }
    }
}

impl Image {
    /// An image of which only the build is known.
    fn of_build(build: u32) -> Self {
        Self { version: WindowsVersion::of_build(build), digest: None }
    }
}

/// The image that runs best, and in which isolation mode: in process isolation, of the host's own
/// build, then the newest.
fn best<'i>(selection: &Selection<'_>, images: &'i [Image]) -> Option<(&'i Image, Isolation)> {
    let own = selection.question.host.version.build;
    let running = images.iter().filter_map(|image| {
        Some((image, selection.isolation_for(&selection.verdict(image.version))?))
    });
    running.max_by_key(|(Image { version, .. }, isolation)| {
        (*isolation == Isolation::Process, version.build == own, *version)
    })
}

/// The Windows images of an index for this architecture.
fn images(manifest: &Manifest, architecture: Architecture) -> Vec<Image> {
    let image = |entry: &Entry| {
        Some(Image { version: entry.windows_version()?, digest: Some(entry.digest.clone()) })
    };
    manifest.windows_images(architecture.as_str()).filter_map(image).collect()
}

/// The next version of the software in the same line, such as `4.8.1` of `4.8`, that has a tag for
/// the host in process isolation, where none of these images runs so.
fn next_version<'a>(selection: &Selection<'a>, images: &[Image]) -> Option<Candidate<'a>> {
    let Selection { question, tags, tables, today, .. } = *selection;
    let runs_in_process =
        best(selection, images).is_some_and(|(_, isolation)| isolation == Isolation::Process);
    let wants_process = question.isolation != Some(Isolation::HyperV);
    if images.is_empty() || runs_in_process || !wants_process {
        return None;
    }
    let asked = question.tag.as_ref().filter(|tag| !tag.stem.is_empty())?;
    let line = format!("{}.", asked.stem);
    let runs = |build| {
        let compatibility = selection.verdict(WindowsVersion::of_build(build));
        compatibility.process.verdict == Verdict::Yes
    };
    let stems = tags.stems(question.architecture, tables, runs);
    stems.into_iter().filter(|stem| stem.starts_with(&line)).find_map(|stem| {
        let tag = Some(Tag { stem, ..asked.clone() });
        let question = ResolveQuestion { tag, ..question.clone() };
        let plan = Selection::new(&question, tags, tables, today).plan().ok()?;
        let candidate = selection.candidate(&plan.first()?.tag.text)?;
        Some(candidate).filter(|found| found.isolation == Isolation::Process)
    })
}

//! Shared tags, such as `1.24` and `latest`: only their index tells which Windows builds they have.

use super::selection::{Candidate, Selection};
use super::settle::{Settled, from_manifest, from_registry};
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{
    Catalogue, Deadline, Entry, Found, Freshness, KnownTag, Manifest, Miss, RegistryError, Wanted,
};
use crate::images::{Pin, Tag};
use crate::windows::{Isolation, Verdict, WindowsVersion};

/// The outcome for a shared tag.
pub(super) enum Shared<'a> {
    /// Its image for the host, under the tag that selects it.
    Settled(Candidate<'a>, Box<Settled>),
    /// It has none, or that is not known; the remark says why. Other tags of the software may.
    Unsettled(Remark),
}

/// An image of the index that runs on the host.
struct Image<'m> {
    entry: &'m Entry,
    version: WindowsVersion,
    isolation: Isolation,
}

/// Finds the image for the host in the index of the tag. A tag that names the Windows build of the
/// image is preferred if it points to the same image, because engines choose from a shared tag by
/// rules of their own: BuildKit takes the first Windows image on every host.
pub(super) async fn settle<'a>(
    catalogue: &Catalogue,
    selection: &Selection<'a>,
    tag: &'a KnownTag,
    manifest: Result<Found<Manifest>, Miss>,
    freshness: Freshness,
    deadline: &Deadline,
) -> Shared<'a> {
    let found = match manifest {
        Ok(found) => found,
        Err(Miss::Registry(RegistryError::NotFound { .. })) => {
            let why = "the registry has no manifest for it";
            return Shared::Unsettled(Remark::tag_skipped(&tag.text, why));
        }
        Err(miss) => {
            return Shared::Unsettled(Remark::shared_tag_unknown(&tag.text, &miss.to_string()));
        }
    };
    let architecture = selection.question.architecture.as_str();
    let image = best_image(selection, &found.value, architecture);
    let freshness = freshness.combine(found.freshness);
    let runs_in_process = image.as_ref().is_some_and(|image| image.isolation == Isolation::Process);
    let wants_process = selection.question.isolation != Some(Isolation::HyperV);
    let versions = versions_of(&found.value, architecture);
    if !runs_in_process
        && wants_process
        && !versions.is_empty()
        && let Some(next) = next_version(selection)
        && let Ok(mut settled) =
            from_registry(catalogue, selection.question, &next, deadline, freshness).await
    {
        let remark = Remark::next_version(&tag.text, &versions, &next.tag.text);
        settled.warnings.push(remark);
        return Shared::Settled(next, Box::new(settled));
    }
    let Some(image) = image else {
        return Shared::Unsettled(Remark::no_image_for_host(&tag.text, &versions));
    };
    if let Some(sibling) = selection.candidates.of_build(image.version.build)
        && let Some(sibling) = sibling.pick(Pin::Release, None)
        && let Ok(of_sibling) = catalogue
            .manifest(
                &selection.question.image.repository,
                Wanted::Tag(sibling.text.clone()),
                true,
                deadline,
            )
            .await
        && of_sibling.value.windows_images(architecture).any(|it| it.digest == image.entry.digest)
    {
        let Image { version, isolation, .. } = image;
        let candidate = Candidate { tag: sibling, version, isolation };
        let freshness = freshness.combine(of_sibling.freshness);
        if let Ok(settled) =
            from_manifest(selection.question, &candidate, &of_sibling.value, freshness)
        {
            return Shared::Settled(candidate, Box::new(settled));
        }
    }
    let settled = Settled {
        digest: Some(found.value.digest.clone()),
        manifest_digest: Some(image.entry.digest.clone()),
        os_version: image.version,
        warnings: Vec::new(),
        freshness,
    };
    let candidate = Candidate { tag, version: image.version, isolation: image.isolation };
    Shared::Settled(candidate, Box::new(settled))
}

/// The next version of the software in the same line, such as `4.8.1` of `4.8`, that has a tag for
/// the host in process isolation.
fn next_version<'a>(selection: &Selection<'a>) -> Option<Candidate<'a>> {
    let Selection { question, tags, tables, today, .. } = *selection;
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

/// The image that runs best: in process isolation, of the host's own build, then the newest.
fn best_image<'m>(
    selection: &Selection<'_>,
    manifest: &'m Manifest,
    architecture: &str,
) -> Option<Image<'m>> {
    let own = selection.question.host.version.build;
    let images = manifest.windows_images(architecture).filter_map(|entry| {
        let version = entry.windows_version()?;
        let isolation = selection.isolation_for(&selection.verdict(version))?;
        Some(Image { entry, version, isolation })
    });
    images.max_by_key(|Image { version, isolation, .. }| {
        (*isolation == Isolation::Process, version.build == own, *version)
    })
}

/// The Windows versions that an index has for this architecture.
fn versions_of(manifest: &Manifest, architecture: &str) -> Vec<String> {
    let images = manifest.windows_images(architecture);
    images.filter_map(|entry| Some(entry.windows_version()?.to_string())).collect()
}

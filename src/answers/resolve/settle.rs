//! The image behind a candidate: what the registry, or the embedded catalogue, knows of the tag.

use super::selection::{Candidate, Selection};
use crate::answers::as_of::freshness_of;
use crate::answers::observed::{Recalled, recall};
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{
    Catalogue, Deadline, Entry, Found, Freshness, KnownTag, Manifest, Miss, Provenance,
    RegistryError, Wanted,
};
use crate::images::{Digest, Pin};
use crate::windows::{Verdict, WindowsVersion, verdict};

/// The image behind a candidate, as far as it is known.
pub(super) struct Settled {
    pub digest: Option<Digest>,
    /// The digest of the one image for the host.
    pub manifest_digest: Option<Digest>,
    pub os_version: WindowsVersion,
    pub warnings: Vec<Remark>,
    pub freshness: Freshness,
}

/// Where what is behind a tag is looked up.
pub(super) struct Source<'a> {
    pub catalogue: &'a Catalogue,
    pub deadline: &'a Deadline,
    /// How fresh the list of tags is.
    pub freshness: Freshness,
}

impl Source<'_> {
    /// The image behind a candidate; an error says why the tag cannot be used.
    pub async fn settle(
        &self,
        selection: &Selection<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<Settled, String> {
        let settled = if self.freshness.provenance.is_recorded() {
            from_catalogue(selection, candidate, self.freshness)
        } else {
            self.settle_by_registry(selection.question, candidate).await?
        };
        still_runs(selection.question, candidate, settled)
    }

    /// The manifest of a tag, which may be one of the images of the shared tag of the question.
    /// There is a fallback: the name of the tag alone gives an answer.
    pub async fn manifest(
        &self,
        question: &ResolveQuestion,
        tag: &KnownTag,
    ) -> Result<Found<Manifest>, Miss> {
        if self.freshness.provenance == Provenance::History {
            return Err(Miss::Offline);
        }
        let wanted = Wanted::Tag(tag.text.clone());
        let shared = question.shared_tag().map(ToString::to_string);
        let shared = shared.as_deref().filter(|shared| *shared != tag.text);
        let repository = &question.image.repository;
        self.catalogue.manifest_of(repository, wanted, shared, true, self.deadline).await
    }

    async fn settle_by_registry(
        &self,
        question: &ResolveQuestion,
        candidate: &Candidate<'_>,
    ) -> Result<Settled, String> {
        match self.manifest(question, candidate.tag).await {
            Ok(found) => {
                let freshness = self.freshness.combine(found.freshness);
                from_manifest(question, candidate, &found.value, freshness)
            }
            // One that does not answer about the list may not mean what it says here.
            Err(Miss::Registry(RegistryError::NotFound { .. })) if !self.freshness.stale => {
                Err("it is listed, but the registry has no manifest for it".to_owned())
            }
            Err(miss) => Ok(Settled {
                digest: None,
                manifest_digest: None,
                os_version: candidate.version,
                warnings: vec![Remark::manifest_unavailable(
                    &candidate.tag.text,
                    &miss.to_string(),
                )],
                freshness: self.freshness,
            }),
        }
    }
}

/// Checks that the tag still runs as its name promises, now that more is known of it; an error says
/// why not.
fn still_runs(
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    settled: Settled,
) -> Result<Settled, String> {
    let version = settled.os_version;
    let compatibility = verdict(question.host.facts(), Some(version), question.platform);
    if compatibility.of(candidate.isolation).verdict != Verdict::Yes {
        return Err(format!("it is {version}, which does not run as its name promises"));
    }
    let is_pinned_by_revision = question.pin != Pin::Release && question.kb.is_none();
    let ceiling = question.host.ceiling(version.build).filter(|_| is_pinned_by_revision);
    if ceiling.is_some_and(|ceiling| version.revision.is_some_and(|revision| revision > ceiling)) {
        return Err(format!("it is {version}, which is above the host's revision"));
    }
    Ok(settled)
}

pub(super) fn from_manifest(
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    manifest: &Manifest,
    freshness: Freshness,
) -> Result<Settled, String> {
    let named = candidate.version;
    let architecture = question.architecture.as_str();
    if manifest.is_undescribed() {
        return Ok(Settled {
            digest: Some(manifest.digest.clone()),
            manifest_digest: Some(manifest.digest.clone()),
            os_version: named,
            warnings: Vec::new(),
            freshness,
        });
    }
    if manifest.windows_images(architecture).next().is_none() {
        return Err(format!("the registry has no Windows image for {architecture} under it"));
    }
    let images = || {
        let versioned = |entry: &'_ Entry| Some((entry.windows_version()?, entry.digest.clone()));
        manifest.windows_images(architecture).filter_map(versioned)
    };
    let said = images().find(|(version, _)| version.build == named.build);
    let Some((said, manifest_digest)) = said.or_else(|| images().next()) else {
        return Err("the registry gives no os.version for it".to_owned());
    };
    let mut warnings = Vec::new();
    // The first images say only 10.0.14393; the name of a build tag says more and contradicts
    // nothing.
    let is_vague = said.build == named.build && said.revision.is_none();
    let contradicts = said.build != named.build
        || named.revision.is_some_and(|named| said.revision != Some(named));
    if contradicts && !is_vague {
        warnings.push(Remark::registry_contradicts_tag(&candidate.tag.text, said));
    }
    let os_version = if is_vague { named } else { said };
    let digest = Some(manifest.digest.clone());
    let manifest_digest = Some(manifest_digest);
    Ok(Settled { digest, manifest_digest, os_version, warnings, freshness })
}

/// What the embedded catalogue says of the tag.
fn from_catalogue(
    selection: &Selection<'_>,
    candidate: &Candidate<'_>,
    freshness: Freshness,
) -> Settled {
    let base = selection.question.base();
    let Recalled { digest, os_version, warning } =
        recall(candidate.tag, base, selection.today, selection.tables);
    Settled {
        digest,
        manifest_digest: None,
        os_version: os_version.unwrap_or(candidate.version),
        warnings: warning.into_iter().collect(),
        freshness: freshness_of(candidate.tag, freshness),
    }
}

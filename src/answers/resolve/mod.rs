//! The use case behind `/resolve`: fetch what the decision needs, decide, and say why.

// In reading order.

pub(super) mod selection;
mod nearest;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::context::Context;
use crate::answers::host::{HostDescription, kb_of_version};
use crate::answers::observed::{Recalled, recall};
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{
    Catalogue, Deadline, Freshness, Manifest, Miss, Provenance, RegistryError, Wanted,
};
use crate::images::{Digest, NamedImage, Pin, TagKind};
use crate::windows::{Isolation, Kb, Reason, Verdict, WindowsVersion, verdict};

pub use selection::{Alternative, Pins, Shortfall};
use selection::{Candidate, Selection};

/// The most candidates that are looked at for one answer; each may cost a request to the registry.
/// The first is right unless a registry contradicts itself.
const MAX_CANDIDATES: usize = 4;

/// The answer of `/resolve`: one tag, the isolation mode, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resolution {
    /// The requested image.
    #[serde(serialize_with = "NamedImage::serialize")]
    #[schema(value_type = NamedImage)]
    pub image: Arc<NamedImage>,
    /// The requested host.
    pub host: HostDescription,
    /// The tag to use.
    #[schema(example = "1709")]
    pub tag: String,
    /// The image reference to use: repository and tag.
    #[schema(example = "mcr.microsoft.com/windows/nanoserver:1709")]
    pub reference: String,
    /// The digest that the tag points to; null if it is not known.
    #[schema(value_type = Option<String>, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Option<Digest>,
    /// The Windows version of the image; three parts if only its release is known.
    #[schema(value_type = String, example = "10.0.16299.1087")]
    pub os_version: WindowsVersion,
    /// The KB of that version; null if it is not known.
    #[schema(value_type = Option<String>, example = "KB4493441")]
    pub kb: Option<Kb>,
    /// The isolation mode to use.
    pub isolation: Isolation,
    /// All isolation modes that work.
    pub isolation_supported: Vec<Isolation>,
    /// The tag of each form.
    pub pins: Pins,
    /// Why this tag and this mode.
    pub reasons: Vec<Remark>,
    /// Possible problems with this answer.
    pub warnings: Vec<Remark>,
    /// Other tags that run on the host.
    pub alternatives: Vec<Alternative>,
    /// Where the answer comes from, and how old it is.
    pub freshness: Freshness,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveRefusal {
    /// The catalogue has no tags for the repository.
    Miss(Miss),
    /// No tag fits.
    Shortfall(Box<Shortfall>, Freshness),
}

/// The image behind a candidate, as far as it is known.
struct Settled {
    digest: Option<Digest>,
    os_version: WindowsVersion,
    warnings: Vec<Remark>,
    freshness: Freshness,
}

/// Answers the question.
///
/// # Errors
/// When the tags are not available, or none fits.
pub async fn resolve(
    context: &Context,
    question: &ResolveQuestion,
) -> Result<Resolution, ResolveRefusal> {
    let Context { catalogue, tables, .. } = context;
    let today = context.now().date();
    let deadline = Deadline::begin(&context.clock);
    let repository = &question.image.repository;
    let tags = catalogue.tags(repository, &deadline).await.map_err(ResolveRefusal::Miss)?;
    let refuse = |shortfall| ResolveRefusal::Shortfall(Box::new(shortfall), tags.freshness);
    let selection = Selection::new(question, &tags.value, tables, today);
    let plan = selection.plan().map_err(refuse)?;
    let mut skipped = Vec::new();
    for candidate in plan.iter().take(MAX_CANDIDATES) {
        let settled = if tags.freshness.provenance == Provenance::Embedded {
            Ok(from_catalogue(&selection, candidate, tags.freshness))
        } else {
            from_registry(catalogue, question, candidate, &deadline, tags.freshness).await
        };
        match settled.and_then(|settled| still_runs(question, candidate, settled)) {
            Ok(mut settled) => {
                settled.warnings.append(&mut skipped);
                return Ok(conclude(&selection, candidate, settled));
            }
            Err(why) => skipped.push(Remark::tag_skipped(&candidate.tag.text, &why)),
        }
    }
    let skipped = skipped.into_iter().map(|remark| remark.message).collect();
    Err(refuse(selection.none_runs(skipped)))
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

/// What the registry says of the tag; an error says why the tag cannot be used.
async fn from_registry(
    catalogue: &Catalogue,
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    deadline: &Deadline,
    freshness: Freshness,
) -> Result<Settled, String> {
    let wanted = Wanted::Tag(candidate.tag.text.clone());
    // There is a fallback: the name of the tag alone gives an answer.
    match catalogue.manifest(&question.image.repository, wanted, true, deadline).await {
        Ok(found) => {
            let freshness = freshness.combine(found.freshness);
            from_manifest(question, candidate, &found.value, freshness)
        }
        Err(Miss::Registry(RegistryError::NotFound { .. })) => {
            Err("it is listed, but the registry has no manifest for it".to_owned())
        }
        Err(miss) => Ok(Settled {
            digest: None,
            os_version: candidate.version,
            warnings: vec![Remark::manifest_unavailable(&candidate.tag.text, &miss.to_string())],
            freshness,
        }),
    }
}

fn from_manifest(
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    manifest: &Manifest,
    freshness: Freshness,
) -> Result<Settled, String> {
    let named = candidate.version;
    let architecture = question.architecture.as_str();
    if manifest.windows_images(architecture).next().is_none() {
        return Err(format!("the registry has no Windows image for {architecture} under it"));
    }
    let versions = || manifest.windows_images(architecture).filter_map(|it| it.windows_version());
    let said =
        versions().find(|version| version.build == named.build).or_else(|| versions().next());
    let Some(said) = said else {
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
    Ok(Settled { digest: Some(manifest.digest.clone()), os_version, warnings, freshness })
}

/// What the embedded catalogue says of the tag.
fn from_catalogue(
    selection: &Selection<'_>,
    candidate: &Candidate<'_>,
    freshness: Freshness,
) -> Settled {
    let base = selection.question.image.base();
    let Recalled { digest, os_version, warning } =
        recall(candidate.tag, base, selection.today, selection.tables);
    Settled {
        digest,
        os_version: os_version.unwrap_or(candidate.version),
        warnings: warning.into_iter().collect(),
        freshness,
    }
}

fn conclude(selection: &Selection<'_>, candidate: &Candidate<'_>, settled: Settled) -> Resolution {
    let Selection { question, tables, today, .. } = *selection;
    let Settled { digest, os_version, warnings: of_the_tag, freshness } = settled;
    let tag = &candidate.tag.text;
    let facts = question.host.facts();
    let host = HostDescription::of(&question.host, tables, today);
    let compatibility = verdict(facts, Some(os_version), question.platform);
    // The manifest may allow the host's default mode where the name alone did not.
    let recommended =
        compatibility.recommended(facts.kind).filter(|_| question.isolation.is_none());
    let isolation = recommended.unwrap_or(candidate.isolation);
    let mode = compatibility.of(isolation);
    let remark = |reason: &Reason| Remark::of_rule(*reason, facts, Some(os_version));

    let mut warnings = host.remarks(&question.host, tables);
    if question.image.is_legacy {
        warnings.push(Remark::legacy_name(&question.image));
    }
    let ended = tables.image_support_ended(os_version.build, question.image.base(), today);
    warnings.extend(ended.map(|ended| Remark::image_out_of_support(tag, ended)));
    warnings.extend(mode.warnings.iter().map(remark));
    if mode.warnings.contains(&Reason::ImageRevisionNewerThanHost)
        && question.pin == Pin::Release
        && let Some(below) = selection.below_the_host(os_version.build)
    {
        let of_pin = verdict(facts, below.version, question.platform);
        if !of_pin.of(isolation).warnings.contains(&Reason::AcrossFebruary2020) {
            warnings.push(Remark::safe_pin(&below.text));
        }
    }
    if question.pin == Pin::Kb && candidate.tag.kind() != TagKind::Kb {
        warnings.push(Remark::other_form(tag));
    }
    warnings.extend(of_the_tag);
    // Why process isolation was not possible is part of why Hyper-V isolation is the answer.
    let refused = (isolation == Isolation::HyperV && compatibility.process.verdict != Verdict::Yes)
        .then_some(&compatibility.process.reasons);
    let reasons = mode.reasons.iter().chain(refused.into_iter().flatten()).map(remark).collect();
    Resolution {
        image: question.image.clone(),
        host,
        tag: tag.clone(),
        reference: format!("{}:{tag}", question.image.repository),
        digest,
        os_version,
        kb: kb_of_version(os_version, tables).or_else(|| candidate.tag.kb()),
        isolation,
        isolation_supported: compatibility.supported(),
        pins: selection.pins(os_version.build),
        reasons,
        warnings,
        alternatives: selection.alternatives(tag),
        freshness,
    }
}

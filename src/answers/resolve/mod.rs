//! The use case behind `/resolve`: fetch what the decision needs, decide, and say why.

// In reading order.

pub(super) mod shortfall;
pub(super) mod selection;
mod nearest;
mod settle;
mod shared;

use std::sync::Arc;

use futures_util::future::{OptionFuture, join};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::context::Context;
use crate::answers::host::{HostDescription, kb_of_version};
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{
    Deadline, Found, Freshness, KnownTag, Miss, Provenance, RepositoryTags, Wanted,
};
use crate::images::{Digest, NamedImage, Pin, TagKind};
use crate::windows::{Base, Isolation, Kb, Reason, Tables, Verdict, WindowsVersion, verdict};

use selection::{Candidate, Selection};
use settle::{Settled, from_catalogue, from_registry, still_runs};
use shared::Shared;
pub use shortfall::{Alternative, Pins, Shortfall};

/// The most candidates that are looked at for one answer; each may cost a request to the registry.
/// The first is right unless a registry contradicts itself.
const MAX_CANDIDATES: usize = 4;

/// The answer of `/resolve`: one tag, the isolation mode, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resolution {
    /// The image.
    pub image: ResolvedImage,
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
    /// The digest of the one image for the host, which leaves an engine no choice; null if it is
    /// not known. It is `digest` where the tag has one image only.
    #[schema(value_type = Option<String>, pattern = "^sha256:[0-9a-f]{64}$")]
    pub manifest_digest: Option<Digest>,
    /// The requested tag, if it is shared by several Windows builds; else null.
    #[schema(example = json!(null))]
    pub shared_tag: Option<String>,
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

/// The image of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResolvedImage {
    /// The requested image.
    #[serde(flatten)]
    #[schema(inline, value_type = NamedImage)]
    pub named: Arc<NamedImage>,
    /// The software and its version in the requested tag; null without a tag, empty for `latest`.
    #[schema(example = json!(null))]
    pub stem: Option<String>,
    /// The base of the answered tag; null if it is not known.
    #[schema(example = "nanoserver")]
    pub base: Option<Base>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveRefusal {
    /// The catalogue has no tags for the repository.
    Miss(Miss),
    /// No tag fits.
    Shortfall(Box<Shortfall>, Freshness),
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
    // The manifest of the tag is most likely needed, and is fetched while the list is.
    let asked_manifest =
        OptionFuture::from(question.tag.as_ref().map(|tag| {
            catalogue.manifest(repository, Wanted::Tag(tag.to_string()), true, &deadline)
        }));
    let (tags, asked_manifest) = join(catalogue.tags(repository, &deadline), asked_manifest).await;
    let tags = match tags {
        Ok(tags) => tags,
        Err(miss) => return by_name(context, question, today, miss),
    };
    let refuse = |shortfall| ResolveRefusal::Shortfall(Box::new(shortfall), tags.freshness);
    let with_latest = latest_of(question, &tags.value, tables);
    let question = with_latest.as_ref().unwrap_or(question);
    let selection = Selection::new(question, &tags.value, tables, today);
    let mut skipped = Vec::new();
    if let Some(tag) = question.shared_tag() {
        let tag = KnownTag::new(tag.to_string(), None, tables);
        let manifest = match asked_manifest {
            Some(manifest) => manifest,
            None => {
                catalogue.manifest(repository, Wanted::Tag(tag.text.clone()), true, &deadline).await
            }
        };
        match shared::settle(catalogue, &selection, &tag, manifest, tags.freshness, &deadline).await
        {
            Shared::Settled(candidate, settled) => {
                return Ok(conclude(&selection, &candidate, *settled));
            }
            Shared::Unsettled(remark) => skipped.push(remark),
        }
    }
    let plan = selection.plan().map_err(|shortfall| refuse(with_skipped(shortfall, &skipped)))?;
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

/// The answer from the name of the requested tag alone, where nothing else is known.
fn by_name(
    context: &Context,
    question: &ResolveQuestion,
    today: Date,
    miss: Miss,
) -> Result<Resolution, ResolveRefusal> {
    let repository = &question.image.repository;
    let known = question
        .tag
        .as_ref()
        .and_then(|tag| context.catalogue.known_by_name(repository, &tag.to_string()));
    let Some(Found { value, freshness }) = known else { return Err(ResolveRefusal::Miss(miss)) };
    let tags = RepositoryTags::new(vec![KnownTag::clone(&value)]);
    let selection = Selection::new(question, &tags, context.tables, today);
    let plan = selection
        .plan()
        .map_err(|shortfall| ResolveRefusal::Shortfall(Box::new(shortfall), freshness))?;
    let Some(candidate) = plan.first() else { return Err(ResolveRefusal::Miss(miss)) };
    let settled = from_catalogue(&selection, candidate, freshness);
    Ok(conclude(&selection, candidate, settled))
}

/// The question for `latest`, where a repository is named without a tag, has that one, and has no
/// tags of base images.
fn latest_of(
    question: &ResolveQuestion,
    tags: &RepositoryTags,
    tables: &Tables,
) -> Option<ResolveQuestion> {
    let of_any_tag = tags.candidates(&question.software(), question.architecture, tables);
    let needs_tag = question.tag.is_none() && of_any_tag.builds().next().is_none();
    let latest = tags.find("latest").filter(|_| needs_tag)?;
    Some(ResolveQuestion { tag: latest.parsed.clone(), ..question.clone() })
}

/// The refusal, with what was found out about the requested tag.
fn with_skipped(shortfall: Shortfall, remarks: &[Remark]) -> Shortfall {
    match shortfall {
        Shortfall::NoneRuns { nearest, mut skipped } => {
            skipped.extend(remarks.iter().map(|remark| remark.message.clone()));
            Shortfall::NoneRuns { nearest, skipped }
        }
        Shortfall::NoTags if !remarks.is_empty() => {
            let skipped = remarks.iter().map(|remark| remark.message.clone()).collect();
            Shortfall::NoneRuns { nearest: Vec::new(), skipped }
        }
        other => other,
    }
}

fn conclude(selection: &Selection<'_>, candidate: &Candidate<'_>, settled: Settled) -> Resolution {
    let Selection { question, tables, today, .. } = *selection;
    let Settled { digest, manifest_digest, os_version, warnings: of_the_tag, freshness } = settled;
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
    let base = candidate.tag.base().or_else(|| question.image.known_base());
    let base_of_life = base.unwrap_or_else(|| question.base());
    let ended = tables.image_support_ended(os_version.build, base_of_life, today);
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
        image: ResolvedImage {
            named: question.image.clone(),
            stem: question.tag.as_ref().map(|tag| tag.stem.clone()),
            base,
        },
        host,
        tag: tag.clone(),
        reference: format!("{}:{tag}", question.image.repository),
        digest,
        manifest_digest,
        shared_tag: question.shared_tag().map(ToString::to_string),
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

//! The use case behind `/resolve`: fetch what the decision needs, decide, and say why.

// In reading order.

pub(super) mod shortfall;
mod sister;
pub(super) mod selection;
mod nearest;
mod settle;
mod shared;

use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::as_of::tags_as_of;
use crate::answers::context::Context;
use crate::answers::engines::{EngineAnswer, EnginePick, EngineQuestion, REPLACED_BY_ENGINES};
use crate::answers::host::{HostDescription, kb_of_version};
use crate::answers::observed::seen_above;
use crate::answers::patch::Patch;
use crate::answers::question::ResolveQuestion;
use crate::answers::remark::Remark;
use crate::catalogue::{Deadline, Freshness, KnownTag, Miss, Moment, RepositoryTags, Wanted};
use crate::images::{Core, Digest, NamedImage, Pin, Tag, TagKind};
use crate::platforms::engines::Engine;
use crate::windows::{
    Base, HostKind, Isolation, Kb, Reason, Tables, Verdict, WindowsVersion, verdict,
};

use selection::{Candidate, Selection};
use settle::{Settled, Source};
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
    /// How far the image is behind the updates of its build; null if its revision is not known.
    pub patch: Option<Patch>,
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
    /// What the requested engine takes from the index of the tag; absent if none was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub engine: Option<EnginePick>,
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
    let found = find(context, question).await?;
    Ok(match question.engine {
        Some(engine) => with_engine(context, question, engine, found),
        None => found,
    })
}

/// Adds what the engine takes from the index of the tag, which was read for the answer.
fn with_engine(
    context: &Context,
    question: &ResolveQuestion,
    engine: &'static Engine,
    mut found: Resolution,
) -> Resolution {
    let wanted = Wanted::Tag(found.tag.clone());
    let manifest = context.catalogue.known_manifest(&question.image.repository, wanted);
    let best = manifest
        .as_ref()
        .zip(found.manifest_digest.as_ref())
        .and_then(|(it, digest)| it.entries.iter().position(|entry| entry.digest == *digest));
    let engines = EngineQuestion {
        image: &question.image,
        reference: &found.reference,
        host: &question.host,
        architecture: question.architecture,
        platform: question.platform,
        requested: question.requested,
        manifest: manifest.as_deref(),
        best,
    };
    let EngineAnswer { asked, warning, .. } = engines.answer(Some(engine));
    if manifest.is_some() {
        found.warnings.retain(|remark| !REPLACED_BY_ENGINES.contains(&remark.code));
    }
    found.warnings.extend(warning);
    Resolution { engine: asked, ..found }
}

async fn find(context: &Context, question: &ResolveQuestion) -> Result<Resolution, ResolveRefusal> {
    let Context { catalogue, tables, .. } = context;
    let today = context.day(question.as_of);
    let deadline = Deadline::begin(&context.clock);
    let repository = &question.image.repository;
    let tags = match question.as_of {
        Some(as_of) => tags_as_of(context, &question.image, as_of),
        None => {
            let named = question.tag.as_ref().map(ToString::to_string);
            let (shared, likely) = likely_tags(context, question, today);
            if let Some(tag) = &shared {
                catalogue.prefetch_manifest(repository, tag.clone(), None, &deadline);
            }
            if let Some(tag) = likely.filter(|tag| shared.as_ref() != Some(tag)) {
                catalogue.prefetch_manifest(repository, tag, shared.as_deref(), &deadline);
            }
            catalogue.tags_and(named.as_deref(), repository, &deadline).await
        }
    };
    let tags = tags.map_err(ResolveRefusal::Miss)?;
    let refuse = |mut shortfall: Shortfall| {
        if let Shortfall::NoneRuns { sister, .. } = &mut shortfall {
            *sister = sister::sister(context, question, today);
        }
        ResolveRefusal::Shortfall(Box::new(shortfall), tags.freshness)
    };
    let with_latest = latest_of(question, &tags.value, tables);
    let question = with_latest.as_ref().unwrap_or(question);
    let selection = Selection::new(question, &tags.value, tables, today);
    let source = Source { catalogue, deadline: &deadline, freshness: tags.freshness };
    let of_the_registry = tags
        .instead_of
        .as_ref()
        .map(|miss| Remark::registry_not_used(&catalogue.server_of(repository), &miss.to_string()));
    let mut skipped = Vec::new();
    if let Some(tag) = question.shared_tag() {
        let text = tag.to_string();
        let unlisted = || KnownTag::new(text.clone(), None, tables);
        let tag = tags.value.find(&text).cloned().unwrap_or_else(unlisted);
        match shared::settle(&source, &selection, &tag).await {
            Shared::Settled(candidate, mut settled) => {
                settled.warnings.extend(of_the_registry);
                return Ok(conclude(&selection, &candidate, *settled));
            }
            Shared::Unsettled(remark) => skipped.push(remark),
        }
    }
    let plan = selection.plan().map_err(|shortfall| refuse(with_skipped(shortfall, &skipped)))?;
    for candidate in plan.iter().take(MAX_CANDIDATES) {
        match source.settle(&selection, candidate).await {
            Ok(mut settled) => {
                settled.warnings.append(&mut skipped);
                settled.warnings.extend(of_the_registry);
                let is_of_own_build = candidate.version.build == question.host.version.build;
                if !is_of_own_build && let Some(sister) = sister::sister(context, question, today) {
                    settled.warnings.push(Remark::sister_image(&sister));
                }
                return Ok(conclude(&selection, candidate, settled));
            }
            Err(why) => skipped.push(Remark::tag_skipped(&candidate.tag.text, &why)),
        }
    }
    let skipped = skipped.into_iter().map(|remark| remark.message).collect();
    Err(refuse(selection.none_runs(skipped)))
}

/// The tags whose manifests are most likely needed, where the list is not known yet: the shared tag
/// of the question, and the answer that follows from the tags known before.
fn likely_tags(
    context: &Context,
    question: &ResolveQuestion,
    today: Date,
) -> (Option<String>, Option<String>) {
    let Context { catalogue, tables, .. } = context;
    let repository = &question.image.repository;
    let shared = |question: &ResolveQuestion| question.shared_tag().map(ToString::to_string);
    if catalogue.has_fresh_tags(repository) {
        return (shared(question), None);
    }
    let known = catalogue.known_tags(repository);
    let with_latest = known.as_ref().and_then(|tags| latest_of(question, tags, tables));
    let question = with_latest.as_ref().unwrap_or(question);
    let of_known = known.as_ref().and_then(|tags| {
        let selection = Selection::new(question, tags, tables, today);
        let likely = match question.shared_tag() {
            Some(tag) => {
                let seen = catalogue.observation(repository, &tag.to_string());
                shared::likely(&selection, seen.as_deref())?
            }
            None => selection.plan().ok()?.first()?.tag,
        };
        Some(likely.text.clone())
    });
    let likely = of_known.or_else(|| likely_by_name(question, tables));
    (shared(question), likely)
}

/// The tag of the question if it runs in process isolation by its name, else the same tag with the
/// word for the host's release.
fn likely_by_name(question: &ResolveQuestion, tables: &Tables) -> Option<String> {
    let asked = question.tag.as_ref().filter(|tag| matches!(tag.core, Core::Line(_)))?;
    let compatibility = verdict(question.host.facts(), asked.version(tables), question.platform);
    if compatibility.process.verdict == Verdict::Yes {
        return Some(asked.to_string());
    }
    let release = tables.release_for(question.host.version.build, HostKind::Server)?;
    let core = Core::Line(release.lines.first()?.clone());
    Some(Tag { core, ..asked.clone() }.to_string())
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
        Shortfall::NoneRuns { nearest, mut skipped, sister } => {
            skipped.extend(remarks.iter().map(|remark| remark.message.clone()));
            Shortfall::NoneRuns { nearest, skipped, sister }
        }
        Shortfall::NoTags if !remarks.is_empty() => {
            let skipped = remarks.iter().map(|remark| remark.message.clone()).collect();
            Shortfall::NoneRuns { nearest: Vec::new(), skipped, sister: None }
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
    let at_least = seen_above(candidate.tag, os_version, facts, question.platform)
        .filter(|_| isolation == Isolation::Process);
    let newer = Reason::ImageRevisionNewerThanHost;
    warnings.extend(at_least.map(|seen| Remark::of_rule(newer, facts, Some(seen))));
    if (at_least.is_some() || mode.warnings.contains(&newer))
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
    warnings.extend(Remark::tables_old(tables, today));
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
        patch: Patch::of(os_version, tables, question.as_of.map(Moment::day)),
        isolation,
        isolation_supported: compatibility.supported(),
        pins: selection.pins(candidate, os_version.build),
        reasons,
        warnings,
        alternatives: selection.alternatives(tag),
        engine: None,
        freshness,
    }
}

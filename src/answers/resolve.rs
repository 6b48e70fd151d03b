//! The use case behind `/resolve`: ask the catalogue for what the decision needs, decide, say why.

use std::sync::Arc;

use jiff::civil::Date;

use crate::catalogue::{
    Catalogue, Deadline, EntryRole, Freshness, Manifest, Miss, Provenance, RegistryError, Wanted,
};
use crate::clock::Now;
use crate::images::{Digest, NamedImage, TagKind};
use crate::windows::{Isolation, Kb, Reason, Tables, Verdict, WindowsVersion, verdict};

use super::context::Context;
use super::decide::{Alternative, Candidate, Pins, Plan, Shortfall, ceiling, plan};
use super::host::{HostDescription, kb_of_version};
use super::observed::{Recalled, base_of, recall};
use super::question::{Architecture, Pin, ResolveQuestion};
use super::remark::Remark;

/// So many manifests are read for one answer. The first is right unless a registry contradicts
/// itself.
const MAX_MANIFESTS: usize = 4;

/// The answer of `/resolve`.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The image.
    pub image: Arc<NamedImage>,
    /// The host.
    pub host: HostDescription,
    /// The tag to use.
    pub tag: String,
    /// What the tag points to, when it could be read.
    pub digest: Option<Digest>,
    /// The version of the image; without its revision when only the release is known.
    pub os_version: WindowsVersion,
    /// The KB of that version.
    pub kb: Option<Kb>,
    /// The isolation mode to use.
    pub isolation: Isolation,
    /// All modes that work.
    pub supported: Vec<Isolation>,
    /// The tag for each form.
    pub pins: Pins,
    /// Why.
    pub reasons: Vec<Remark>,
    /// What to look out for.
    pub warnings: Vec<Remark>,
    /// Other tags that run.
    pub alternatives: Vec<Alternative>,
    /// Where the answer comes from.
    pub freshness: Freshness,
}

impl Resolution {
    /// The image reference to use: repository and tag.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.image.repository, self.tag)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The catalogue has no tags for the repository.
    Miss(Miss),
    /// No tag will do.
    Shortfall(Box<Shortfall>, Freshness),
}

/// What the manifest of a tag says.
struct Settled {
    digest: Option<Digest>,
    os_version: WindowsVersion,
    warnings: Vec<Remark>,
}

/// Answers the question.
///
/// # Errors
/// When the tags cannot be had, or none will do.
pub async fn resolve(context: &Context, question: &ResolveQuestion) -> Result<Resolution, Refusal> {
    let (Context { catalogue, tables, .. }, now) = (context, context.now());
    let deadline = Deadline::begin(&context.clock);
    let tags =
        catalogue.tags(&question.image.repository, &deadline).await.map_err(Refusal::Miss)?;
    let today = now.date();
    let plan = plan(question, &tags.value, tables, today)
        .map_err(|shortfall| Refusal::Shortfall(Box::new(shortfall), tags.freshness))?;
    let mut skipped = Vec::new();
    for candidate in plan.candidates.iter().take(MAX_MANIFESTS) {
        let (settled, freshness) = if tags.freshness.provenance == Provenance::Embedded {
            (Ok(from_catalogue(candidate, question, tables, today)), tags.freshness)
        } else {
            match read(catalogue, question, candidate, &deadline).await {
                Ok((manifest, freshness)) => {
                    (settle(question, candidate, &manifest), tags.freshness.combine(freshness))
                }
                Err(Miss::Registry(RegistryError::NotFound { .. })) => (
                    Err("it is listed, but the registry has no manifest for it".to_owned()),
                    tags.freshness,
                ),
                Err(miss) => (Ok(unread(candidate, &miss)), tags.freshness),
            }
        };
        match settled.and_then(|settled| still_runs(question, candidate, settled)) {
            Ok(settled) => {
                return Ok(conclude(
                    question, tables, now, &plan, candidate, settled, skipped, freshness,
                ));
            }
            Err(why) => skipped.push(Remark::tag_skipped(&candidate.tag.text, &why)),
        }
    }
    let passed_over = skipped.into_iter().map(|remark| remark.message).collect();
    Err(Refusal::Shortfall(Box::new(plan.nothing_left(passed_over)), tags.freshness))
}

/// Whether the tag runs as its name promises, now that more is known of it; the error says why not.
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
    let ceiling = ceiling(question, version.build)
        .filter(|_| question.pin != Pin::Release && question.kb.is_none());
    if ceiling.is_some_and(|ceiling| version.revision.is_some_and(|revision| revision > ceiling)) {
        return Err(format!("it is {version}, which is above the host's revision"));
    }
    Ok(settled)
}

async fn read(
    catalogue: &Catalogue,
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    deadline: &Deadline,
) -> Result<(Arc<Manifest>, Freshness), Miss> {
    let wanted = Wanted::Tag(candidate.tag.text.clone());
    // The name of the tag alone gives an answer, so there is always something to fall back on.
    let found = catalogue.manifest(&question.image.repository, wanted, true, deadline).await?;
    Ok((found.value, found.freshness))
}

/// What the manifest says of the tag; an error says why the tag cannot be used.
fn settle(
    question: &ResolveQuestion,
    candidate: &Candidate<'_>,
    manifest: &Manifest,
) -> Result<Settled, String> {
    let tag = &candidate.tag.text;
    let named = candidate.version;
    let fitting = || fitting_entries(manifest, question.architecture);
    if fitting().next().is_none() {
        return Err(format!(
            "the registry has no Windows image for {} under it",
            question.architecture.as_str()
        ));
    }
    let versions: Vec<WindowsVersion> = fitting().flatten().collect();
    let mut warnings = Vec::new();
    let said =
        versions.iter().find(|version| version.build == named.build).or(versions.first()).copied();
    let os_version = match said {
        None => return Err("the registry gives no os.version for it".to_owned()),
        // The first images say only 10.0.14393; the name of a build tag says more and contradicts
        // nothing.
        Some(said) if said.build == named.build && said.revision.is_none() => named,
        Some(said) => {
            let contradicts = said.build != named.build
                || named.revision.is_some_and(|named| said.revision != Some(named));
            if contradicts {
                warnings.push(Remark::registry_contradicts_tag(tag, said));
            }
            said
        }
    };
    Ok(Settled { digest: Some(manifest.digest.clone()), os_version, warnings })
}

/// The os.version of each Windows image for this architecture, as far as it is given.
fn fitting_entries(
    manifest: &Manifest,
    architecture: Architecture,
) -> impl Iterator<Item = Option<WindowsVersion>> + '_ {
    let fits = move |given: &Option<String>, wanted: &str| {
        given.as_deref().is_none_or(|given| given == wanted)
    };
    manifest
        .entries
        .iter()
        .filter(move |entry| {
            entry.role == EntryRole::Image
                && fits(&entry.operating_system, "windows")
                && fits(&entry.architecture, architecture.as_str())
        })
        .map(|entry| entry.os_version.as_deref().and_then(|text| text.parse().ok()))
}

/// The answer when the manifest cannot be had: what the name says.
fn unread(candidate: &Candidate<'_>, miss: &Miss) -> Settled {
    let warnings = vec![Remark::manifest_unavailable(&candidate.tag.text, &miss.to_string())];
    Settled { digest: None, os_version: candidate.version, warnings }
}

/// The answer from the embedded catalogue.
fn from_catalogue(
    candidate: &Candidate<'_>,
    question: &ResolveQuestion,
    tables: &Tables,
    today: Date,
) -> Settled {
    let Recalled { digest, os_version, warning } =
        recall(candidate.tag, base_of(&question.image), today, tables);
    Settled {
        digest,
        os_version: os_version.unwrap_or(candidate.version),
        warnings: warning.into_iter().collect(),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one answer, each made elsewhere")]
fn conclude(
    question: &ResolveQuestion,
    tables: &Tables,
    now: Now,
    plan: &Plan<'_>,
    candidate: &Candidate<'_>,
    settled: Settled,
    skipped: Vec<Remark>,
    freshness: Freshness,
) -> Resolution {
    let Settled { digest, os_version, warnings: of_the_tag } = settled;
    let facts = question.host.facts();
    let host = HostDescription::of(&question.host, tables, now.date());
    let compatibility = verdict(facts, Some(os_version), question.platform);
    // What was read may allow the host's default where the name alone did not.
    let recommended =
        compatibility.recommended(facts.kind).filter(|_| question.isolation.is_none());
    let isolation = recommended.unwrap_or(candidate.isolation);
    let mode = compatibility.of(isolation);
    let remark = |reason: &Reason| Remark::of_rule(*reason, facts, Some(os_version));
    let pins = plan.pins(question, os_version.build);

    let mut warnings = host.remarks(&question.host, tables);
    if question.image.is_legacy {
        warnings.push(Remark::legacy_name(&question.image));
    }
    let base = base_of(&question.image);
    if let Some(ended) = tables.image_support_ended(os_version.build, base, now.date()) {
        warnings.push(Remark::image_out_of_support(&candidate.tag.text, ended));
    }
    warnings.extend(mode.warnings.iter().map(remark));
    if mode.warnings.contains(&Reason::ImageRevisionNewerThanHost)
        && question.pin == Pin::Release
        && let Some(below) = plan.below_the_host(question, os_version.build)
    {
        let of_pin =
            verdict(facts, below.version, question.platform).of(isolation).warnings.clone();
        if !of_pin.contains(&Reason::AcrossFebruary2020) {
            warnings.push(Remark::safe_pin(&below.text));
        }
    }
    if question.pin == Pin::Kb && candidate.tag.kind() != TagKind::Kb {
        warnings.push(Remark::other_form(&candidate.tag.text));
    }
    warnings.extend(of_the_tag);
    warnings.extend(skipped);
    // Why process isolation was not possible is part of why Hyper-V isolation is the answer.
    let refused = (isolation == Isolation::HyperV && compatibility.process.verdict != Verdict::Yes)
        .then_some(&compatibility.process.reasons);
    let reasons = mode.reasons.iter().chain(refused.into_iter().flatten()).map(remark).collect();
    Resolution {
        image: question.image.clone(),
        host,
        tag: candidate.tag.text.clone(),
        digest,
        kb: kb_of_version(os_version, tables).or_else(|| super::lineup::kb_of(candidate.tag)),
        os_version,
        isolation,
        supported: compatibility.supported(),
        pins,
        reasons,
        warnings,
        alternatives: plan.beside(&candidate.tag.text),
        freshness,
    }
}

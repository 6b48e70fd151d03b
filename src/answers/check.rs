//! The use case behind `/check`: does this image run on this host?

use std::sync::Arc;

use super::as_of::image_as_of;
use super::checked::{Checked, CheckedEntry, CheckedImage};
use super::context::Context;
use super::engines::{EngineAnswer, EngineQuestion, REPLACED_BY_ENGINES};
use super::host::HostDescription;
use super::observed::{Recalled, recall, recall_builds, seen_above};
use super::question::{AskedHost, ResolveQuestion};
use super::remark::Remark;
use super::resolve::resolve;
use super::suggestions::{Suggestions, suggestions};
use crate::catalogue::{
    Deadline, Entry, EntryMismatch, Found, FoundImage, KnownTag, Manifest, Miss, Moment, Wanted,
};
use crate::images::{Architecture, Core, Digest, NamedImage, Selector, Tag, TagArchitecture};
use crate::platforms::engines::{Engine, Requested};
use crate::windows::{
    Base, Compatibility, ModeVerdict, Platform, Reason, Verdict, WindowsVersion,
    host_process_verdict, verdict,
};

/// The tag of a reference without tag or digest, as every client reads it.
const DEFAULT_TAG: &str = "latest";
/// The longest os.version or architecture that is repeated. Ours: several times that of any in use.
const MAX_REPEATED_BYTES: usize = 64;

/// The question of `/check`.
#[derive(Clone, Debug)]
pub struct CheckQuestion {
    /// The image.
    pub image: NamedImage,
    /// Its tag or digest.
    pub selector: Selector,
    /// The host.
    pub host: AskedHost,
    /// The host's architecture.
    pub architecture: Architecture,
    /// Where the container runs.
    pub platform: Platform,
    /// The engine that pulls it; `None` for all of today's.
    pub engine: Option<&'static Engine>,
    /// The former day that the question is about; `None` for now.
    pub as_of: Option<Moment>,
}

/// Why an image could not be checked, and tags to use instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRefusal {
    /// Why.
    pub miss: Miss,
    /// The tag that was looked for; `None` if it was a digest.
    pub looked_for: Option<String>,
    /// Tags of the same repository.
    pub suggestions: Suggestions,
}

/// Answers the question.
///
/// # Errors
/// When neither the registry nor the embedded catalogue knows the image; tags to use instead are
/// named.
pub async fn check(context: &Context, question: &CheckQuestion) -> Result<Checked, CheckRefusal> {
    check_with_platform(context, question, Requested::default()).await
}

/// As [`check`], where the command of the engine names a platform.
///
/// # Errors
/// As [`check`].
pub async fn check_with_platform(
    context: &Context,
    question: &CheckQuestion,
    requested: Requested,
) -> Result<Checked, CheckRefusal> {
    let Context { catalogue, tables, .. } = context;
    let (image, today) = (&question.image, context.day(question.as_of));
    let wanted = wanted(&question.selector);
    let deadline = Deadline::begin(&context.clock);
    let found = match question.as_of {
        Some(as_of) => image_as_of(context, image, &wanted, as_of),
        None => catalogue.image(&image.repository, wanted.clone(), &deadline).await,
    };
    let found = match found {
        Ok(found) => found,
        Err(miss) => return Err(refuse(context, question, miss, wanted, &deadline).await),
    };
    let mut of_the_tag = Vec::new();
    let mut manifest = None;
    let (digest, entries, freshness) = match found {
        FoundImage::Manifest(Found { value, freshness, .. }) => {
            let may_be_windows = |entry: &Entry| {
                let mismatch = entry.mismatch(question.architecture.as_str());
                matches!(mismatch, None | Some(EntryMismatch::OtherArchitecture))
            };
            if !value.entries.iter().any(may_be_windows) {
                of_the_tag.push(Remark::no_windows_image(&image.requested));
            }
            let value = manifest.insert(value);
            (Some(value.digest.clone()), from_manifest(question, value), freshness)
        }
        FoundImage::Observation(Found { value, freshness, instead_of }) => {
            let base = value.base().unwrap_or_else(|| image.base());
            let Recalled { digest, os_version, warning } = match &wanted {
                Wanted::Digest(digest) => Recalled::of_digest(digest, &value),
                _ => recall(&value, base, today, tables),
            };
            let entries = match recall_builds(&value, base, today, tables) {
                Some((builds, moved)) if value.version.is_none() => {
                    of_the_tag.extend(moved);
                    let version = |build: &u32| Some(WindowsVersion::of_build(*build));
                    let entry = |build| from_observation(question, &value, version(build));
                    builds.iter().map(entry).collect()
                }
                _ => {
                    let (facts, platform) = (question.host.facts(), question.platform);
                    let newer = Reason::ImageRevisionNewerThanHost;
                    let seen = os_version
                        .or(value.version)
                        .and_then(|version| seen_above(&value, version, facts, platform));
                    of_the_tag.extend(seen.map(|seen| Remark::of_rule(newer, facts, Some(seen))));
                    of_the_tag.extend(warning);
                    vec![from_observation(question, &value, os_version)]
                }
            };
            of_the_tag.extend(instead_of.map(|miss| {
                Remark::registry_not_used(
                    &catalogue.server_of(&image.repository),
                    &miss.to_string(),
                )
            }));
            (digest, entries, freshness)
        }
    };
    let host = HostDescription::of(&question.host, tables, today);
    let mut warnings = host.remarks(&question.host, tables);
    if image.is_legacy {
        warnings.push(Remark::legacy_name(image));
    }
    let (mut isolation, mut isolation_supported) = (None, Vec::new());
    let best_at = best_entry(question, &entries);
    let best = best_at.and_then(|at| entries[at].compatibility.as_ref());
    if let Some((version, compatibility)) = best {
        let ended = tables.image_support_ended(version.build, image.base(), today);
        warnings.extend(ended.map(|ended| Remark::image_out_of_support(&image.requested, ended)));
        isolation_supported = compatibility.supported();
        isolation = compatibility.recommended(host.kind);
    }
    let known = || entries.iter().filter_map(|entry| entry.compatibility.as_ref());
    let newest = || known().max_by_key(|(version, _)| *version);
    if let Some((version, Compatibility { process, hyperv })) = best.or_else(newest) {
        // Those of both modes, as in a cell of the matrix.
        let mut rules: Vec<Reason> = process.warnings.clone();
        rules.extend(hyperv.warnings.iter().filter(|rule| !process.warnings.contains(rule)));
        rules.retain(|it| manifest.is_none() || !REPLACED_BY_ENGINES.contains(&it.as_str()));
        let remark = |rule| Remark::of_rule(rule, question.host.facts(), Some(*version));
        warnings.extend(rules.into_iter().map(remark));
    }
    let engines = EngineQuestion {
        image,
        reference: &whole_reference(image, &question.selector),
        host: &question.host,
        architecture: question.architecture,
        platform: question.platform,
        requested,
        manifest: manifest.as_deref(),
        best: best_at,
    };
    let EngineAnswer { asked, others, warning } = engines.answer(question.engine);
    warnings.extend(warning);
    warnings.extend(of_the_tag);
    warnings.extend(Remark::tables_old(tables, today));
    let is_unknown =
        isolation.is_none() && entries.iter().any(|entry| entry.process == Verdict::Unknown);
    let image = CheckedImage {
        requested: image.requested.clone(),
        family: image.family_name().map(str::to_owned),
        repository: image.repository.to_string(),
        digest,
    };
    let runs = (!is_unknown).then_some(isolation.is_some());
    let suggestion = match runs {
        Some(false) => suggestion(context, question, &wanted).await,
        Some(true) | None => None,
    };
    Ok(Checked {
        image,
        host,
        runs,
        isolation,
        isolation_supported,
        suggestion,
        entries,
        engine: asked,
        engines: others,
        warnings,
        freshness,
    })
}

/// The reference of the same software that runs on the host.
async fn suggestion(
    context: &Context,
    question: &CheckQuestion,
    wanted: &Wanted,
) -> Option<String> {
    let tag = wanted.tag()?;
    let asked = ResolveQuestion { tag: Tag::parse(tag), ..instead_of(question) };
    resolve(context, &asked).await.ok().map(|resolution| resolution.reference)
}

/// The question for another tag of the image.
fn instead_of(question: &CheckQuestion) -> ResolveQuestion {
    ResolveQuestion {
        platform: question.platform,
        architecture: question.architecture,
        as_of: question.as_of,
        ..ResolveQuestion::new(Arc::new(question.image.clone()), question.host.clone())
    }
}

/// The reference as engines write it.
fn whole_reference(image: &NamedImage, selector: &Selector) -> String {
    match selector {
        Selector::Default => format!("{}:{DEFAULT_TAG}", image.repository),
        Selector::Tag(tag) => format!("{}:{tag}", image.repository),
        Selector::Digest { digest, .. } => format!("{}@{digest}", image.repository),
    }
}

/// What a selector asks a registry for.
pub(super) fn wanted(selector: &Selector) -> Wanted {
    match selector {
        Selector::Default => Wanted::Tag(DEFAULT_TAG.to_owned()),
        Selector::Tag(tag) => Wanted::Tag(tag.clone()),
        Selector::Digest { digest, .. } => Wanted::Digest(digest.clone()),
    }
}

/// The refusal, with suggestions if the image was named by a tag.
async fn refuse(
    context: &Context,
    question: &CheckQuestion,
    miss: Miss,
    wanted: Wanted,
    deadline: &Deadline,
) -> CheckRefusal {
    let Some(tag) = wanted.tag() else {
        return CheckRefusal { miss, looked_for: None, suggestions: Suggestions::default() };
    };
    if question.as_of.is_some() {
        let suggestions = Suggestions::default();
        return CheckRefusal { miss, looked_for: Some(tag.to_owned()), suggestions };
    }
    // Siblings, if the tag names its build; otherwise any tag of a base image.
    let named = Tag::parse(tag).filter(|tag| tag.core != Core::None);
    let instead = ResolveQuestion { tag: named, ..instead_of(question) };
    let suggestions = suggestions(context, &instead, &miss, tag, deadline).await;
    CheckRefusal { miss, looked_for: Some(tag.to_owned()), suggestions }
}

fn from_manifest(question: &CheckQuestion, manifest: &Manifest) -> Vec<CheckedEntry> {
    manifest.entries.iter().map(|entry| from_entry(question, entry)).collect()
}

fn from_entry(question: &CheckQuestion, entry: &Entry) -> CheckedEntry {
    let Entry { digest, architecture, os_version, .. } = entry.clone();
    let (architecture, os_version) = (repeatable(architecture), repeatable(os_version));
    match entry.mismatch(question.architecture.as_str()) {
        Some(mismatch) => mismatched(mismatch, Some(digest), architecture, os_version),
        None => judge(question, Some(digest), architecture, os_version),
    }
}

/// A text of the publisher that may be repeated: versions and architectures have no other
/// characters.
fn repeatable(text: Option<String>) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+_-".contains(&byte);
    text.filter(|text| text.len() <= MAX_REPEATED_BYTES && text.bytes().all(is_plain))
}

/// What was observed of a tag. A tag that names no architecture stands for each that its image is
/// built for.
fn from_observation(
    question: &CheckQuestion,
    tag: &KnownTag,
    observed: Option<WindowsVersion>,
) -> CheckedEntry {
    let named = tag.parsed.as_ref().and_then(Tag::named_architecture);
    let architecture =
        Some(named.map_or(question.architecture.as_str(), TagArchitecture::as_str).to_owned());
    let os_version = observed.or(tag.version).map(|version| version.to_string());
    if named.is_some() && question.architecture.rank_of(named).is_none() {
        return mismatched(EntryMismatch::OtherArchitecture, None, architecture, os_version);
    }
    judge(question, None, architecture, os_version)
}

/// An entry that is no Windows image for the host's architecture.
fn mismatched(
    mismatch: EntryMismatch,
    digest: Option<Digest>,
    architecture: Option<String>,
    os_version: Option<String>,
) -> CheckedEntry {
    CheckedEntry {
        digest,
        architecture,
        os_version,
        base: None,
        process: Verdict::No,
        hyperv: Verdict::No,
        reasons: vec![mismatch.as_str()],
        compatibility: None,
    }
}

fn judge(
    question: &CheckQuestion,
    digest: Option<Digest>,
    architecture: Option<String>,
    os_version: Option<String>,
) -> CheckedEntry {
    let version = os_version.as_deref().and_then(|text| text.parse().ok());
    let (facts, platform) = (question.host.facts(), question.platform);
    let (version, compatibility) = if question.image.is_host_process_base() {
        (version.or(Some(facts.version)), host_process_verdict(facts, platform))
    } else {
        (version, verdict(facts, version, platform))
    };
    let (process, hyperv) = (compatibility.process.verdict, compatibility.hyperv.verdict);
    let reasons = compatibility.reason_codes();
    let compatibility = version.map(|version| (version, compatibility));
    let base = base_of(question);
    CheckedEntry { digest, architecture, os_version, base, process, hyperv, reasons, compatibility }
}

/// The base that the tag names, or that all images of the repository have.
fn base_of(question: &CheckQuestion) -> Option<Base> {
    let named = match &question.selector {
        Selector::Tag(tag) | Selector::Digest { tag: Some(tag), .. } => Tag::parse(tag),
        Selector::Default | Selector::Digest { tag: None, .. } => None,
    };
    named.and_then(|tag| tag.base?.base()).or_else(|| question.image.known_base())
}

/// The position of the entry that runs best: the host's own build first, then process isolation
/// before Hyper-V, then a revision that is not above the host's, then the newest.
fn best_entry(question: &CheckQuestion, entries: &[CheckedEntry]) -> Option<usize> {
    let own = question.host.version.build;
    let known = entries.iter().enumerate();
    let runs = known.filter_map(|(at, entry)| {
        let (version, compatibility) = entry.compatibility.as_ref()?;
        let ModeVerdict { verdict, warnings, .. } = &compatibility.process;
        let is_newer = warnings.contains(&Reason::ImageRevisionNewerThanHost);
        let rank = (version.build == own, *verdict == Verdict::Yes, !is_newer, *version);
        (!compatibility.supported().is_empty()).then_some((rank, at))
    });
    runs.max_by_key(|(rank, _)| *rank).map(|(_, at)| at)
}

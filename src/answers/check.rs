//! The use case behind `/check`: does this very image run on this host?

use crate::catalogue::{
    Deadline, Entry, EntryRole, Found, FoundImage, Freshness, KnownTag, Manifest, Wanted,
};
use crate::images::{Digest, NamedImage, Selector, TagArchitecture};
use crate::windows::{Compatibility, Isolation, Platform, Verdict, WindowsVersion, verdict};

use super::context::Context;
use super::host::HostDescription;
use super::observed::{Recalled, base_of, recall};
use super::question::{Architecture, AskedHost};
use super::remark::Remark;
use super::suggested::{Unchecked, unchecked};

/// The tag that a reference without tag or digest selects, as every client takes it.
const DEFAULT_TAG: &str = "latest";

/// The code of an entry for another architecture than the host's.
const OTHER_ARCHITECTURE: &str = "other-architecture";

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
}

/// The answer of `/check`.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The image.
    pub image: NamedImage,
    /// What the reference points to, when it is known.
    pub digest: Option<Digest>,
    /// The host.
    pub host: HostDescription,
    /// The mode to use; `None` when the image does not run.
    pub isolation: Option<Isolation>,
    /// Whether nobody can tell: nothing is known to run, and an image does not say which Windows
    /// it is.
    pub is_unknown: bool,
    /// All modes that work.
    pub supported: Vec<Isolation>,
    /// Every entry of the index, or the one image.
    pub entries: Vec<CheckedEntry>,
    /// What to look out for.
    pub warnings: Vec<Remark>,
    /// Where the answer comes from.
    pub freshness: Freshness,
}

/// One entry of an index, and whether it runs.
#[derive(Clone, Debug)]
pub struct CheckedEntry {
    /// Its digest, when it is known.
    pub digest: Option<Digest>,
    /// Its architecture.
    pub architecture: Option<String>,
    /// Its os.version, as it is written.
    pub os_version: Option<String>,
    /// In process isolation.
    pub process: Verdict,
    /// In Hyper-V isolation.
    pub hyperv: Verdict,
    /// Why, as codes.
    pub reasons: Vec<&'static str>,
    compatibility: Option<(WindowsVersion, Compatibility)>,
}

/// Answers the question.
///
/// # Errors
/// When neither the registry nor the embedded catalogue knows the image; tags to use instead are
/// named.
pub async fn check(context: &Context, question: &CheckQuestion) -> Result<Checked, Unchecked> {
    let (Context { catalogue, tables, .. }, now) = (context, context.now());
    let wanted = wanted(question);
    let deadline = Deadline::begin(&context.clock);
    let found = match catalogue.image(&question.image.repository, wanted.clone(), &deadline).await {
        Ok(found) => found,
        Err(miss) => {
            let looked_for = if let Wanted::Tag(tag) = wanted { Some(tag) } else { None };
            return Err(unchecked(context, question, miss, looked_for, &deadline).await);
        }
    };
    let (digest, entries, of_the_tag, freshness) = match found {
        FoundImage::Manifest(Found { value, freshness }) => {
            (Some(value.digest.clone()), from_manifest(question, &value), None, freshness)
        }
        FoundImage::Observation(Found { value, freshness }) => {
            let Recalled { digest, os_version, warning } = match &wanted {
                Wanted::Tag(_) => recall(&value, base_of(&question.image), now.date(), tables),
                Wanted::Digest(digest) => Recalled::of_digest(digest, &value),
            };
            (digest, vec![from_observation(question, &value, os_version)], warning, freshness)
        }
    };
    let host = HostDescription::of(&question.host, tables, now.date());
    let mut warnings = host.remarks(&question.host, tables);
    if question.image.is_legacy {
        warnings.push(Remark::legacy_name(&question.image));
    }
    let best = best_entry(question, &entries);
    let ended = best.and_then(|(version, _)| {
        tables.image_support_ended(version.build, base_of(&question.image), now.date())
    });
    if let Some(ended) = ended {
        warnings.push(Remark::image_out_of_support(&question.image.requested, ended));
    }
    let (isolation, supported) = match best {
        None => (None, Vec::new()),
        Some((version, compatibility)) => {
            let isolation = compatibility.recommended(host.kind);
            if let Some(isolation) = isolation {
                let rules = &compatibility.of(isolation).warnings;
                warnings.extend(
                    rules
                        .iter()
                        .map(|rule| Remark::of_rule(*rule, question.host.facts(), Some(*version))),
                );
            }
            (isolation, compatibility.supported())
        }
    };
    warnings.extend(of_the_tag);
    let is_unknown =
        isolation.is_none() && entries.iter().any(|entry| entry.process == Verdict::Unknown);
    Ok(Checked {
        image: question.image.clone(),
        digest,
        host,
        isolation,
        is_unknown,
        supported,
        entries,
        warnings,
        freshness,
    })
}

fn wanted(question: &CheckQuestion) -> Wanted {
    match &question.selector {
        Selector::Default => Wanted::Tag(DEFAULT_TAG.to_owned()),
        Selector::Tag(tag) => Wanted::Tag(tag.clone()),
        Selector::Digest { digest, .. } => Wanted::Digest(digest.clone()),
    }
}

fn from_manifest(question: &CheckQuestion, manifest: &Manifest) -> Vec<CheckedEntry> {
    manifest.entries.iter().map(|entry| from_entry(question, entry)).collect()
}

fn from_entry(question: &CheckQuestion, entry: &Entry) -> CheckedEntry {
    let not_counted = |reason| CheckedEntry {
        digest: Some(entry.digest.clone()),
        architecture: entry.architecture.clone(),
        os_version: entry.os_version.clone(),
        process: Verdict::No,
        hyperv: Verdict::No,
        reasons: vec![reason],
        compatibility: None,
    };
    let is_other = |given: &Option<String>, wanted: &str| {
        given.as_deref().is_some_and(|given| given != wanted)
    };
    match entry.role {
        EntryRole::Attestation => not_counted("attestation"),
        EntryRole::Other => not_counted("not-an-image"),
        EntryRole::Image if is_other(&entry.operating_system, "windows") => {
            not_counted("not-windows")
        }
        EntryRole::Image if is_other(&entry.architecture, question.architecture.as_str()) => {
            not_counted(OTHER_ARCHITECTURE)
        }
        EntryRole::Image => judge(
            question,
            Some(entry.digest.clone()),
            entry.architecture.clone(),
            entry.os_version.clone(),
        ),
    }
}

/// What was seen of a tag. One that names no architecture has an entry for each that its image is
/// made for.
fn from_observation(
    question: &CheckQuestion,
    tag: &KnownTag,
    seen: Option<WindowsVersion>,
) -> CheckedEntry {
    let named = tag.parsed.as_ref().and_then(|parsed| parsed.architecture).map(|(_, named)| named);
    let architecture =
        named.map_or(question.architecture.as_str(), TagArchitecture::as_str).to_owned();
    let os_version = seen.or(tag.version).map(|version| version.to_string());
    if named.is_some() && question.architecture.rank_of(named).is_none() {
        return CheckedEntry {
            digest: None,
            architecture: Some(architecture),
            os_version,
            process: Verdict::No,
            hyperv: Verdict::No,
            reasons: vec![OTHER_ARCHITECTURE],
            compatibility: None,
        };
    }
    judge(question, None, Some(architecture), os_version)
}

fn judge(
    question: &CheckQuestion,
    digest: Option<Digest>,
    architecture: Option<String>,
    os_version: Option<String>,
) -> CheckedEntry {
    let version = os_version.as_deref().and_then(|text| text.parse().ok());
    let compatibility = verdict(question.host.facts(), version, question.platform);
    let both = [&compatibility.process, &compatibility.hyperv];
    let mut reasons: Vec<&'static str> =
        both.iter().flat_map(|mode| &mode.reasons).map(|reason| reason.as_str()).collect();
    reasons.dedup();
    let (process, hyperv) = (compatibility.process.verdict, compatibility.hyperv.verdict);
    let compatibility = version.map(|version| (version, compatibility));
    CheckedEntry { digest, architecture, os_version, process, hyperv, reasons, compatibility }
}

/// The entry that runs best: the host's own build first, then process isolation before Hyper-V,
/// then the newest.
fn best_entry<'a>(
    question: &CheckQuestion,
    entries: &'a [CheckedEntry],
) -> Option<&'a (WindowsVersion, Compatibility)> {
    let own = question.host.host.version.build;
    let runs = entries.iter().filter_map(|entry| entry.compatibility.as_ref());
    runs.filter(|(_, compatibility)| !compatibility.supported().is_empty()).max_by_key(
        |(version, compatibility)| {
            (version.build == own, compatibility.process.verdict == Verdict::Yes, *version)
        },
    )
}

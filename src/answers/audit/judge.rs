//! One image of an audit against all hosts, by the use cases behind `/check` and `/resolve`.

use std::sync::Arc;

use crate::answers::check::{CheckQuestion, CheckRefusal, check, wanted};
use crate::answers::checked::Checked;
use crate::answers::context::Context;
use crate::answers::question::{AskedHost, ResolveQuestion};
use crate::answers::remark::Remark;
use crate::answers::resolve::resolve;
use crate::catalogue::{Deadline, EntryMismatch, FoundImage, Miss};
use crate::images::{Architecture, Core, NamedImage, Selector, Tag};
use crate::platforms::engines::Engine;
use crate::windows::{Isolation, Platform, Reason, Verdict};

use super::finding::FindingCode;
use super::judgement::{Holds, Judgement, Statement, Verdicts};

/// Paths of Microsoft's registry with images for Windows alone.
const WINDOWS_PATHS: [&str; 2] = ["windows/", "dotnet/framework/"];

/// Findings that another image would settle.
const REPLACEABLE: [FindingCode; 3] =
    [FindingCode::DoesNotRun, FindingCode::SharedTagMoved, FindingCode::NeedsHyperV];

/// What all images of an audit are checked against.
#[derive(Clone, Debug)]
pub struct Target {
    /// The hosts, each once.
    pub hosts: Vec<AskedHost>,
    /// The architecture of the hosts.
    pub architecture: Architecture,
    /// Where the containers run.
    pub platform: Platform,
    /// The engine that pulls the images; `None` for all of today's.
    pub engine: Option<&'static Engine>,
}

/// An image as a file names it.
pub(super) struct Asked {
    /// The image that is checked.
    image: NamedImage,
    selector: Selector,
    /// Microsoft's image that is probably meant, if the name is another one.
    meant: Option<String>,
}

impl Asked {
    /// Reads a reference as the engine reads it, but for names that Microsoft gave up.
    ///
    /// # Errors
    /// When it is not a reference.
    pub(super) fn read(context: &Context, text: &str) -> Result<Self, Judgement> {
        let families = &context.families;
        let read = families.read_as_runtimes(text).and_then(|as_runtimes| {
            families.read_reference(text).map(|as_people| (as_runtimes, as_people))
        });
        let ((image, selector), (people, _)) = read
            .map_err(|error| format!("{text} is not an image reference: {error}"))
            .map_err(|message| Judgement::unknown(message, None))?;
        let differs = people.repository != image.repository;
        let meant = differs.then(|| with_selector(&people, &selector));
        let image = if people.is_legacy { people } else { image };
        Ok(Self { image, selector, meant })
    }

    /// For which systems the image is.
    ///
    /// # Errors
    /// When it is not known.
    pub(super) async fn holds(
        &self,
        context: &Context,
        target: &Target,
    ) -> Result<Holds, Judgement> {
        let deadline = Deadline::begin(&context.clock);
        let wanted = wanted(&self.selector);
        match context.catalogue.image(&self.image.repository, wanted, &deadline).await {
            Ok(FoundImage::Manifest(found)) => {
                let mismatches = || {
                    let entries = found.value.entries.iter();
                    entries.map(|entry| entry.mismatch(target.architecture.as_str()))
                };
                let is_windows = |mismatch: Option<EntryMismatch>| {
                    matches!(mismatch, None | Some(EntryMismatch::OtherArchitecture))
                };
                let has_other =
                    mismatches().any(|mismatch| mismatch == Some(EntryMismatch::NotWindows));
                Ok(match (mismatches().any(is_windows), has_other) {
                    (true, true) => Holds::Both,
                    (true, false) => Holds::Windows,
                    (false, _) => Holds::Other,
                })
            }
            // Of a tag that names no Windows, the embedded catalogue knows only the Windows images.
            Ok(FoundImage::Observation(found)) => {
                let names_windows = found.value.version.is_some() || self.is_windows_only();
                Ok(if names_windows { Holds::Windows } else { Holds::Both })
            }
            Err(miss) => Err(self.instead_of_missed(context, target, &miss).await),
        }
    }

    /// Whether all images of the repository are for Windows.
    fn is_windows_only(&self) -> bool {
        let path = self.image.repository.path();
        self.image.family.is_some() || WINDOWS_PATHS.iter().any(|start| path.starts_with(start))
    }

    /// As [`Self::missed`]; Microsoft's image is offered only if it runs on all hosts, else a tag
    /// of it that does.
    async fn instead_of_missed(
        &self,
        context: &Context,
        target: &Target,
        miss: &Miss,
    ) -> Judgement {
        let mut missed = self.missed(miss);
        missed.names_windows = self.is_windows_only() || self.meant.is_some();
        if let Some(meant) = missed.replacement.take()
            && let Ok(asked) = Self::read(context, &meant)
        {
            let Judgement { verdicts, replacement, .. } = asked.judge(context, target).await;
            let runs = verdicts.iter().all(|it| it.isolation.is_some()) && !verdicts.is_empty();
            missed.replacement = replacement.or(runs.then_some(meant));
        }
        missed
    }

    /// A miss is a finding only if the registry says that there is no such image.
    fn missed(&self, miss: &Miss) -> Judgement {
        let named = &self.image.requested;
        match &self.meant {
            Some(meant) if !self.image.is_legacy => Judgement::unknown(
                format!("{named} is an image of Docker Hub; Microsoft's image is {meant}"),
                Some(meant.clone()),
            ),
            _ if miss.is_absence() => {
                let registry = self.image.repository.registry();
                Judgement::unknown(format!("{registry} has no {named}"), None)
            }
            _ => Judgement { miss: Some(miss.clone()), ..Judgement::default() },
        }
    }

    /// Checks the image on every host.
    pub(super) async fn judge(&self, context: &Context, target: &Target) -> Judgement {
        let mut all = Vec::new();
        for host in &target.hosts {
            let question = CheckQuestion {
                image: self.image.clone(),
                selector: self.selector.clone(),
                host: host.clone(),
                architecture: target.architecture,
                platform: target.platform,
                engine: target.engine,
                as_of: None,
            };
            match check(context, &question).await {
                Ok(checked) => all.push(checked),
                Err(CheckRefusal { miss, .. }) => return self.missed(&miss),
            }
        }
        let mut judgement = Judgement::default();
        for (checked, host) in all.iter().zip(&target.hosts) {
            let instead = match (checked.runs, checked.isolation_supported.as_slice()) {
                (Some(false), _) => match &checked.suggestion {
                    None => self.sibling(context, target, host, None).await,
                    suggestion => suggestion.clone(),
                },
                (_, [Isolation::HyperV]) => {
                    self.sibling(context, target, host, Some(Isolation::Process)).await
                }
                _ => None,
            };
            let Checked { runs, isolation, .. } = *checked;
            judgement.verdicts.push(Verdicts { runs, isolation, instead });
        }
        judgement.statements = self.statements(context, &all);
        judgement.replacement = self.replacement(context, target, &all, &judgement.verdicts).await;
        for statement in &mut judgement.statements {
            let has_none = judgement.replacement.is_none()
                && REPLACEABLE.contains(&statement.code)
                && statement.hosts.iter().all(|it| judgement.verdicts[*it].instead.is_none());
            statement.message.push_str(self.why_none().filter(|_| has_none).unwrap_or_default());
        }
        judgement
    }

    /// The reference of the same software that runs on a host. Where the file names a digest, it
    /// has the digest of its tag; without one, it would not be the same promise.
    async fn sibling(
        &self,
        context: &Context,
        target: &Target,
        host: &AskedHost,
        isolation: Option<Isolation>,
    ) -> Option<String> {
        let (tag, is_pinned) = match &self.selector {
            Selector::Tag(tag) => (tag, false),
            Selector::Digest { tag: Some(tag), .. } => (tag, true),
            Selector::Default | Selector::Digest { tag: None, .. } => return None,
        };
        let question = ResolveQuestion {
            tag: Tag::parse(tag),
            platform: target.platform,
            architecture: target.architecture,
            isolation,
            ..ResolveQuestion::new(Arc::new(self.image.clone()), host.clone())
        };
        let resolution = resolve(context, &question).await.ok()?;
        match resolution.digest {
            Some(digest) if is_pinned => Some(format!("{}@{digest}", resolution.reference)),
            _ => Some(resolution.reference).filter(|_| !is_pinned),
        }
    }

    /// Why a reference with a digest has no replacement.
    fn why_none(&self) -> Option<&'static str> {
        match &self.selector {
            Selector::Digest { tag: None, .. } => Some(
                "; a digest without a tag does not say of which software another image would be",
            ),
            Selector::Digest { tag: Some(_), .. } => {
                Some("; no tag of the same software is known with its digest")
            }
            Selector::Default | Selector::Tag(_) => None,
        }
    }

    fn statements(&self, context: &Context, all: &[Checked]) -> Vec<Statement> {
        let mut statements: Vec<Statement> = Vec::new();
        let mut say = |code, host, message: String| match statements
            .iter_mut()
            .find(|statement| statement.code == code)
        {
            Some(statement) => statement.hosts.push(host),
            None => statements.push(Statement { code, message, hosts: vec![host] }),
        };
        let named = &self.image.requested;
        for (number, checked) in all.iter().enumerate() {
            let host = &checked.host.requested;
            match (checked.runs, checked.isolation_supported.as_slice()) {
                (None, _) => {
                    let message = format!("{named} does not say for which Windows it is");
                    say(FindingCode::NoOsVersion, number, message);
                }
                (Some(false), _) if self.held(context, checked.host.build) => {
                    let message = format!(
                        "{named} had an image for {host}, and has none any more: {}",
                        versions(checked)
                    );
                    say(FindingCode::SharedTagMoved, number, message);
                }
                (Some(false), _) => {
                    let message = format!("{named} does not run on {host}: {}", versions(checked));
                    say(FindingCode::DoesNotRun, number, message);
                }
                (_, [Isolation::HyperV]) => {
                    let message = format!(
                        "{named} runs on {host} in Hyper-V isolation only: {}",
                        versions(checked)
                    );
                    say(FindingCode::NeedsHyperV, number, message);
                }
                _ => {}
            }
            for warning in &checked.warnings {
                let code = match warning.code {
                    Remark::IMAGE_OUT_OF_SUPPORT => FindingCode::OutOfSupport,
                    Remark::ENGINE_PICKS_OTHER => FindingCode::EnginePicksOther,
                    code if code == Reason::ImageRevisionNewerThanHost.as_str() => {
                        FindingCode::RevisionNewerThanHost
                    }
                    _ => continue,
                };
                say(code, number, warning.message.clone());
            }
        }
        if let Some(meant) = self.meant.as_ref().filter(|_| self.image.is_legacy) {
            let message = format!("{named} is no longer on Docker Hub; it is {meant} now");
            let hosts = Vec::new();
            statements.push(Statement { code: FindingCode::LegacyName, message, hosts });
        }
        statements
    }

    /// Whether this shared tag was seen with an image of a build.
    fn held(&self, context: &Context, build: u32) -> bool {
        let Selector::Tag(tag) = &self.selector else { return false };
        let is_shared = Tag::parse(tag).is_some_and(|tag| tag.core == Core::None);
        let seen = context.catalogue.observation(&self.image.repository, tag);
        is_shared && seen.is_some_and(|seen| seen.builds.contains(&build))
    }

    /// The reference to write instead: it runs on all hosts, on none of them in a worse mode, and
    /// on one in a better one. The oldest host is asked first, because its images run on the
    /// others.
    async fn replacement(
        &self,
        context: &Context,
        target: &Target,
        all: &[Checked],
        verdicts: &[Verdicts],
    ) -> Option<String> {
        let before: Vec<u8> = all.iter().map(rank).collect();
        let mut by_age: Vec<usize> = (0..target.hosts.len()).collect();
        by_age.sort_by_key(|number| target.hosts[*number].version);
        let mut candidates: Vec<&String> = Vec::new();
        for candidate in by_age.iter().filter_map(|number| verdicts[*number].instead.as_ref()) {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        // A name that was given up is replaced also where all else is right.
        candidates.extend(self.meant.as_ref().filter(|_| self.image.is_legacy));
        for candidate in candidates {
            let Ok((image, selector)) = context.families.read_as_runtimes(candidate) else {
                continue;
            };
            let mut after = Vec::new();
            for host in &target.hosts {
                let question = CheckQuestion {
                    image: image.clone(),
                    selector: selector.clone(),
                    host: host.clone(),
                    architecture: target.architecture,
                    platform: target.platform,
                    engine: target.engine,
                    as_of: None,
                };
                after.push(check(context, &question).await.map_or(0, |checked| rank(&checked)));
            }
            let is_no_worse = after.iter().zip(&before).all(|(after, before)| after >= before);
            let is_better = after != before || self.image.is_legacy;
            if is_no_worse && is_better && after.iter().all(|rank| *rank > 0) {
                return Some(candidate.clone());
            }
        }
        None
    }
}

/// 0 if the image does not run, 1 for Hyper-V isolation, 2 for process isolation.
fn rank(checked: &Checked) -> u8 {
    match checked.isolation_supported.as_slice() {
        [] => 0,
        [Isolation::HyperV] => 1,
        _ => 2,
    }
}

/// The Windows versions of an image, and why they do not run in process isolation.
fn versions(checked: &Checked) -> String {
    let windows = || checked.entries.iter().filter(|entry| entry.os_version.is_some());
    let versions: Vec<&str> = windows().filter_map(|entry| entry.os_version.as_deref()).collect();
    let mut reasons: Vec<&str> = Vec::new();
    let refused = checked.entries.iter().filter(|entry| entry.process != Verdict::Yes);
    for reason in refused.flat_map(|entry| &entry.reasons) {
        if !reasons.contains(reason) {
            reasons.push(reason);
        }
    }
    match versions.as_slice() {
        [] => reasons.join(", "),
        versions => format!("its Windows is {} ({})", versions.join(", "), reasons.join(", ")),
    }
}

fn with_selector(image: &NamedImage, selector: &Selector) -> String {
    let repository = &image.repository;
    match selector {
        Selector::Default => repository.to_string(),
        Selector::Tag(tag) => format!("{repository}:{tag}"),
        Selector::Digest { tag: Some(tag), digest } => format!("{repository}:{tag}@{digest}"),
        Selector::Digest { tag: None, digest } => format!("{repository}@{digest}"),
    }
}

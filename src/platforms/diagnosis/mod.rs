//! The findings in an error text: the cause, and the image, host and isolation mode involved.
//!
//! The error texts are rows of `data/errors.csv`. They are matched against a form of the text
//! without white space and quotation marks (`pasted.rs`), because pasted text is broken and escaped
//! at any position; images and hosts are matched line by line. Nothing is guessed: a fact that the
//! text does not contain stays unknown.
//!
//! The time is proportional to the length of the text, whatever it contains: the expressions are
//! those of the `regex` crate, their repetitions have bounds, and so have the numbers of matches
//! and findings. Every expression is compiled when a text first needs it.

use std::ops::Range;

use crate::windows::{HostReading, Isolation, Tables, WindowsVersion};

// In reading order.

mod cause;
mod pasted;
mod errors;
mod mentions;
mod isolation;
mod setting;
mod sentences;
mod hosts;
mod names;

pub use cause::Cause;
pub use names::Names;
pub use setting::Setting;

use errors::ErrorMatch;
use hosts::Hosts;
use isolation::IsolationMention;
use mentions::ImageMention;
use names::NamesInText;
use pasted::Pasted;

/// The upper bound of findings: a text with more has nothing new in them.
pub const MAX_FINDINGS: usize = 8;
/// Enough for any sentence of the table with what stands in its holes.
const MAX_EVIDENCE_CHARS: usize = 400;
/// The kubelet's words for a failure of the sandbox of a pod.
const SANDBOX: [&str; 3] = ["podsandbox", "sandboxcontainer", "sandboximage"];
/// Its words for a failure of a container of the pod itself.
const WORKLOAD: &str = "failedtostartcontainer";
/// How far before an error these words count, in the tight text: the names of pod and container
/// stand between.
const MAX_SANDBOX_DISTANCE_BYTES: usize = 500;
/// The words of engines that pull with containerd.
const CONTAINERD: [&str; 3] = ["nomatchforplatform", "failedtopullandunpack", "containerd"];

/// The words of CI services on their own machines.
const HOSTED: [&str; 5] =
    ["vmimage:", "runs-on:", "hostedtoolcache", "vssadministrator", "runneradmin"];
/// The engine's details of a container for Linux on Windows, which Docker had until 2022.
const LINUX: [&str; 2] = ["containertype:linux", "linuxinitrdfile:"];

/// What Docker prints of an engine that runs Linux containers, and Kubernetes of a node.
const LINUX_ENGINE: [&str; 3] = ["ostype:linux", "os/arch:linux/", "operatingsystem:linux"];
/// Words in the names of images for Windows alone.
const WINDOWS_WORDS: [&str; 5] =
    ["windows", "nanoserver", "servercore", "ltsc20", "dotnet/framework"];

/// An error in a text, with the facts about it that the text contains.
#[derive(Clone, Debug)]
pub struct Finding {
    pub cause: Cause,
    /// The position of the error, in characters of the text given.
    pub span: Range<usize>,
    /// The error on one line, without escape sequences and control characters.
    pub evidence: String,
    /// The image reference as the text has it.
    pub image: Option<String>,
    /// The Windows version of the image, from the error or the tag.
    pub image_version: Option<WindowsVersion>,
    pub host: Option<HostReading>,
    /// The isolation mode of the container that failed.
    pub isolation: Option<Isolation>,
    /// What runs the container.
    pub setting: Setting,
    /// Whether containerd pulls the images.
    pub by_containerd: bool,
    /// Whether the host is a machine of a CI service, which its user cannot change.
    pub is_hosted: bool,
    /// Whether the engine's details of the container say that its image is for Linux.
    pub is_for_linux: bool,
    /// The cluster objects involved.
    pub names: Names,
}

/// The errors in a text, in its order. The same error about the same image and host is one finding.
pub fn diagnose(text: &str, tables: &Tables) -> Vec<Finding> {
    let pasted = Pasted::new(text);
    let mut errors = errors::errors(&pasted);
    if errors.iter().any(|error| !error.cause.is_vague()) {
        errors.retain(|error| !error.cause.is_vague());
    }
    // A longer text says more than one that is a part of it.
    let is_part = |part: &ErrorMatch, whole: &ErrorMatch| {
        part.cause != whole.cause
            && (whole.cause.explains(part.cause)
                || part.span != whole.span
                    && whole.span.start <= part.span.start
                    && part.span.end <= whole.span.end)
    };
    let is_said: Vec<bool> =
        errors.iter().map(|part| errors.iter().any(|whole| is_part(part, whole))).collect();
    let mut is_said = is_said.into_iter();
    errors.retain(|_| !is_said.next().unwrap_or_default());
    if errors.is_empty() {
        return Vec::new();
    }
    let facts = Facts {
        images: mentions::images(&pasted.clean),
        hosts: Hosts::of(&pasted.clean, tables),
        isolations: isolation::isolations(&pasted.tight),
        settings: setting::settings(&pasted.tight, text),
        by_containerd: CONTAINERD.iter().any(|word| pasted.tight.contains(word)),
        is_hosted: HOSTED.iter().any(|word| pasted.tight.contains(word)),
        is_for_linux: LINUX.iter().any(|word| pasted.tight.contains(word)),
        has_linux_engine: LINUX_ENGINE.iter().any(|word| pasted.tight.contains(word)),
        stated_version: mentions::stated_image_version(&pasted.clean),
        names: NamesInText::of(&pasted.clean),
    };
    let mut findings: Vec<Finding> = Vec::new();
    for error in errors {
        if findings.len() >= MAX_FINDINGS {
            break;
        }
        let clean = pasted.in_clean(error.span.clone());
        let mut finding = facts.finding(&pasted, error, &clean, tables);
        if !findings.iter().any(|known| known.covers(&finding)) {
            finding.evidence = one_line(pasted.clean.get(clean.clone()).unwrap_or_default());
            finding.span = pasted.in_given(clean);
            findings.push(finding);
        }
    }
    findings
}

/// The hosts and images in a text: what tools print of machines, and the images that they name,
/// each once.
pub fn mentions(text: &str, tables: &Tables) -> Mentions {
    let pasted = Pasted::new(text);
    let hosts = Hosts::of(&pasted.clean, tables).into_readings();
    let mut images: Vec<(String, Option<WindowsVersion>)> = Vec::new();
    for image in mentions::images(&pasted.clean) {
        let version = mentions::version_of_tag(&image.reference, tables);
        if images.len() < MAX_FINDINGS && images.iter().all(|(known, _)| *known != image.written) {
            images.push((image.written, version));
        }
    }
    Mentions { hosts, images }
}

/// The hosts and images in a text, at most [`MAX_FINDINGS`] of each.
pub struct Mentions {
    /// The hosts.
    pub hosts: Vec<HostReading>,
    /// The images as the text has them, with the version that the tag names.
    pub images: Vec<(String, Option<WindowsVersion>)>,
}

/// The facts in a text beside its errors.
struct Facts {
    images: Vec<ImageMention>,
    hosts: Hosts,
    isolations: Vec<IsolationMention>,
    settings: Vec<(usize, Setting)>,
    by_containerd: bool,
    is_hosted: bool,
    is_for_linux: bool,
    has_linux_engine: bool,
    stated_version: Option<WindowsVersion>,
    names: NamesInText,
}

impl Facts {
    /// The finding for an error, still without its evidence.
    fn finding(
        &self,
        pasted: &Pasted<'_>,
        error: ErrorMatch,
        clean: &Range<usize>,
        tables: &Tables,
    ) -> Finding {
        let ErrorMatch { mut cause, span, host, image: version_in_error } = error;
        let start = span.start.saturating_sub(MAX_SANDBOX_DISTANCE_BYTES);
        let start = pasted.tight.floor_char_boundary(start);
        let before = pasted.tight.get(start..span.end).unwrap_or_default();
        let since = SANDBOX
            .iter()
            .filter_map(|word| before.rfind(word))
            .max()
            .and_then(|at| before.get(at..));
        let of_sandbox = since.is_some_and(|since| !since.contains(WORKLOAD));
        if of_sandbox && matches!(cause, Cause::OsVersionMismatch | Cause::NoMatchingManifest) {
            cause = Cause::SandboxImageMismatch;
        }
        let image = self.image_of(clean, cause == Cause::SandboxImageMismatch);
        let names_windows = image
            .is_some_and(|image| WINDOWS_WORDS.iter().any(|word| image.written.contains(word)));
        // A text can describe several machines, of which the Windows host is the one that matters.
        let picked = self.hosts.pick(host, tables);
        let is_on_linux = self.has_linux_engine && picked.is_none();
        if cause == Cause::NoMatchingManifest && names_windows && is_on_linux {
            cause = Cause::LinuxEngine;
        }
        let version_of_tag = || mentions::version_of_tag(&image?.reference, tables);
        Finding {
            cause,
            image_version: version_in_error.or(self.stated_version).or_else(version_of_tag),
            image: image.map(|image| image.written.clone()),
            // What a pod selects that found no node is no host.
            host: picked.filter(|_| cause != Cause::NoMatchingNode),
            isolation: isolation::isolation_at(&self.isolations, span.start),
            setting: setting::setting_at(&self.settings, span.end),
            by_containerd: self.by_containerd,
            is_hosted: self.is_hosted,
            is_for_linux: self.is_for_linux,
            names: self.names.pick(clean.end),
            evidence: String::new(),
            span,
        }
    }

    /// The image of an error: the one in it or the last before it, else the first after it. An
    /// error of the sandbox is about the pause image, any other is not.
    fn image_of(&self, error: &Range<usize>, of_sandbox: bool) -> Option<&ImageMention> {
        let fitting = || self.images.iter().filter(|image| image.is_pause() == of_sandbox);
        fitting().take_while(|image| image.at < error.end).last().or_else(|| fitting().next())
    }
}

impl Finding {
    /// Whether the other adds no fact to this one.
    fn covers(&self, other: &Self) -> bool {
        fn has<T: PartialEq>(this: Option<&T>, other: Option<&T>) -> bool {
            other.is_none() || this == other
        }
        let build =
            |finding: &Self| finding.host.as_ref()?.host.as_ref().map(|host| host.version.build);
        self.cause == other.cause
            && has(self.image.as_ref(), other.image.as_ref())
            && has(self.image_version.as_ref(), other.image_version.as_ref())
            && has(build(self).as_ref(), build(other).as_ref())
    }
}

/// The text on one line, cut at the upper bound.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MAX_EVIDENCE_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

//! What an error text says: the cause, and the image, host and isolation mode that it is about.
//!
//! The texts are rows of `data/errors.csv`. They are looked for in a form of the text that has no
//! white space and no quotation marks (`pasted.rs`), because what people paste is broken and
//! escaped at any place; images and hosts are looked for line by line. Nothing is guessed: what the
//! text does not say stays unknown.
//!
//! All of it takes time in proportion to the length of the text, whatever it is: the expressions
//! are those of the `regex` crate, repetitions in them have bounds, and the numbers of places and
//! findings too.

use std::ops::Range;

use crate::windows::{HostReading, Isolation, Tables, WindowsVersion};

// In reading order.

mod cause;
mod pasted;
mod errors;
mod mentions;
mod hosts;
mod names;

pub use cause::Cause;
pub use mentions::Setting;
pub use names::Names;

use errors::Place;
use hosts::Hosts;
use mentions::{ImageMention, IsolationMention};
use names::NamesInText;
use pasted::Pasted;

/// So many findings are given; a text with more tells nothing more.
pub const MAX_FINDINGS: usize = 8;
/// The text of a piece of evidence has at most so many characters.
const LONGEST_EVIDENCE: usize = 400;
/// What the kubelet says when it is the sandbox of a pod that fails.
const SANDBOX: [&str; 3] = ["podsandbox", "sandboxcontainer", "sandboximage"];
/// What it says of a container of the pod itself.
const WORKLOAD: &str = "failedtostartcontainer";
/// So far before an error the kubelet says so, in bytes of the tight text: names of pod and
/// container stand between.
const SANDBOX_BEFORE: usize = 500;
/// The words of engines that pull with containerd.
const CONTAINERD: [&str; 3] = ["nomatchforplatform", "failedtopullandunpack", "containerd"];

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is.
    pub cause: Cause,
    /// Where the text says so, in characters of the text given.
    pub span: Range<usize>,
    /// What the text says there, on one line, without escape sequences and control characters.
    pub evidence: String,
    /// The image, as the text writes it; it is a reference.
    pub image: Option<String>,
    /// The Windows version of the image, where the error or the tag says it.
    pub image_version: Option<WindowsVersion>,
    /// The host.
    pub host: Option<HostReading>,
    /// The isolation mode in which it happened.
    pub isolation: Option<Isolation>,
    /// What runs the container.
    pub setting: Setting,
    /// Whether containerd pulls the images.
    pub by_containerd: bool,
    /// The objects of the cluster that it is about.
    pub names: Names,
}

/// Everything in the text that is known, in its order. The same error about the same image and host
/// is one finding.
pub fn diagnose(text: &str, tables: &Tables) -> Vec<Finding> {
    let pasted = Pasted::new(text);
    let mut places = errors::places(&pasted);
    if places.iter().any(|place| !place.cause.is_vague()) {
        places.retain(|place| !place.cause.is_vague());
    }
    if places.is_empty() {
        return Vec::new();
    }
    let facts = Facts {
        images: mentions::images(&pasted.clean),
        hosts: Hosts::of(&pasted.clean, tables),
        isolations: mentions::isolations(&pasted.tight),
        settings: mentions::settings(&pasted.tight),
        by_containerd: CONTAINERD.iter().any(|word| pasted.tight.contains(word)),
        names: NamesInText::of(&pasted.clean),
    };
    let mut findings: Vec<Finding> = Vec::new();
    for place in places {
        if findings.len() >= MAX_FINDINGS {
            break;
        }
        let clean = pasted.in_clean(place.span.clone());
        let mut finding = facts.finding(&pasted, place, &clean, tables);
        if !findings.iter().any(|known| known.covers(&finding)) {
            finding.evidence = one_line(pasted.clean.get(clean.clone()).unwrap_or_default());
            finding.span = pasted.in_given(clean);
            findings.push(finding);
        }
    }
    findings
}

/// Everything that the text says beside its errors.
struct Facts {
    images: Vec<ImageMention>,
    hosts: Hosts,
    isolations: Vec<IsolationMention>,
    settings: Vec<(usize, Setting)>,
    by_containerd: bool,
    names: NamesInText,
}

impl Facts {
    /// The finding of this place, still without its evidence.
    fn finding(
        &self,
        pasted: &Pasted<'_>,
        place: Place,
        clean: &Range<usize>,
        tables: &Tables,
    ) -> Finding {
        let Place { mut cause, span, host, image: version_in_error } = place;
        let before = pasted
            .tight
            .get(span.start.saturating_sub(SANDBOX_BEFORE)..span.end)
            .unwrap_or_default();
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
        let version_of_tag = || mentions::version_of_tag(&image?.reference, tables);
        Finding {
            cause,
            image_version: version_in_error.or_else(version_of_tag),
            image: image.map(|image| image.written.clone()),
            host: self.hosts.pick(host, tables),
            isolation: mentions::isolation_at(&self.isolations, span.start),
            setting: mentions::setting_at(&self.settings, span.end),
            by_containerd: self.by_containerd,
            names: self.names.pick(clean.end),
            evidence: String::new(),
            span,
        }
    }

    /// The image that an error is about: the one in it or the last before it, else the first after
    /// it. The pause image only when it is about the sandbox.
    fn image_of(&self, error: &Range<usize>, of_sandbox: bool) -> Option<&ImageMention> {
        let fitting = || self.images.iter().filter(|image| image.is_pause() == of_sandbox);
        fitting().take_while(|image| image.at < error.end).last().or_else(|| fitting().next())
    }
}

impl Finding {
    /// Whether the other says nothing that this one does not say.
    fn covers(&self, other: &Self) -> bool {
        fn says<T: PartialEq>(this: Option<&T>, other: Option<&T>) -> bool {
            other.is_none() || this == other
        }
        let build =
            |finding: &Self| finding.host.as_ref()?.host.as_ref().map(|host| host.version.build);
        self.cause == other.cause
            && says(self.image.as_ref(), other.image.as_ref())
            && says(self.image_version.as_ref(), other.image_version.as_ref())
            && says(build(self).as_ref(), build(other).as_ref())
    }
}

/// The text on one line, and not too long.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST_EVIDENCE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

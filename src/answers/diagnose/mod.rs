//! The use case of `/diagnose`: the errors in a text, and remedies with the tags that run.

mod base;
mod by_cause;
mod case;
mod host;
mod image;
mod mentioned;
mod remedy;

use std::sync::Arc;

use crate::answers::context::Context;
use crate::answers::host::HostDescription;
use crate::answers::question::{AskedHost, ResolveQuestion};
use crate::answers::resolve::{Resolution, ResolveRefusal, resolve};
use crate::catalogue::{Deadline, RepositoryTags};
use crate::images::{NamedImage, Selector, Tag, without_days};
use crate::platforms::diagnosis::{self, Cause, Finding, Setting};
use crate::windows::{BUILD_2016, HostKind, Isolation, WindowsVersion, read_host, verdict};

pub use mentioned::{Mentioned, MentionedHost, MentionedImage};
pub use remedy::{Remedy, RemedyCode};

use base::base_of;
use by_cause::remedies;
use case::Case;
use mentioned::mentioned;

/// An error in a text, and its remedies.
#[derive(Clone, Debug)]
pub struct Diagnosed {
    pub finding: Finding,
    /// The sentence of the cause, with the broken rule if it is known.
    pub message: String,
    /// The image, if the text names it.
    pub image: Option<NamedImage>,
    /// The host, if the text names it.
    pub host: Option<HostDescription>,
    /// The remedies, the best first; never empty.
    pub remedies: Vec<Remedy>,
}

/// What a text says.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The errors, in the order of the text; empty if none is recognised.
    pub findings: Vec<Diagnosed>,
    /// The hosts and images, if no error is recognised.
    pub mentioned: Mentioned,
}

/// The errors in a text, else the hosts and images in it.
pub async fn diagnose(context: &Context, text: &str) -> Diagnosis {
    let mut findings = Vec::new();
    for finding in diagnosis::diagnose(text, &context.tables) {
        findings.push(conclude(context, finding).await);
    }
    let mentioned = match findings.as_slice() {
        [] => mentioned(context, text).await,
        _ => Mentioned::default(),
    };
    Diagnosis { findings, mentioned }
}

async fn conclude(context: &Context, finding: Finding) -> Diagnosed {
    let written =
        finding.image.as_deref().and_then(|written| context.families.read_reference(written).ok());
    let (image, selector) = written.unzip();
    let tag = match &selector {
        Some(Selector::Tag(tag) | Selector::Digest { tag: Some(tag), .. }) => Some(tag.as_str()),
        _ => None,
    };
    let host = finding.host.as_ref().and_then(|reading| {
        Some(AskedHost::new(reading.host.clone()?, reading.could_mean.clone()))
    });
    let base = base_of(context, finding.image.as_deref(), image.as_ref());
    let fitting = match &host {
        Some(host) => Some(fitting(context, question(&finding, base.clone(), host.clone())).await),
        None => None,
    };
    // Of a tag that does not exist, only the version in its name is known.
    let of_tag = || {
        let version = finding.image_version.filter(|_| finding.cause == Cause::TagNotFound)?;
        let kind = Some(HostKind::Server);
        let reading = read_host(&version.to_string(), kind, &context.tables).ok()?;
        Some(AskedHost::new(reading.host?, reading.could_mean))
    };
    let asked =
        if finding.cause == Cause::TagNotFound { of_tag().or(host.clone()) } else { host.clone() };
    let sibling = sibling_of(context, &finding, image.as_ref().zip(tag), asked.as_ref()).await;
    let compatibility = host
        .as_ref()
        .zip(finding.image_version)
        .map(|(host, version)| verdict(host.facts(), Some(version), finding.setting.platform()));
    let tags = tags_of(context, finding.cause, image.as_ref()).await;
    let case = Case {
        finding: &finding,
        image: image.as_ref(),
        tag,
        host: host.as_ref(),
        fitting,
        sibling,
        base: &base,
        compatibility,
        tags,
        tables: &context.tables,
    };
    let (message, remedies) = (case.message(), remedies(&case));
    let host = host.map(|host| HostDescription::of(&host, &context.tables, context.now().date()));
    Diagnosed { message, image, host, remedies, finding }
}

/// The tag of the base for the host. Where the host's revision is missing, which process isolation
/// on 14393 needs, it is the tag of the build.
async fn fitting(
    context: &Context,
    question: ResolveQuestion,
) -> Result<Resolution, ResolveRefusal> {
    let refusal = match resolve(context, &question).await {
        Ok(resolution) => return Ok(resolution),
        Err(refusal) => refusal,
    };
    let WindowsVersion { build, revision } = question.host.version;
    if build != BUILD_2016 || revision.is_some() || question.isolation.is_none() {
        return Err(refusal);
    }
    let of_build = resolve(context, &ResolveQuestion { isolation: None, ..question }).await;
    match of_build.ok().filter(|of_build| of_build.os_version.build == build) {
        Some(of_build) => Ok(Resolution { isolation: Isolation::Process, ..of_build }),
        None => Err(refusal),
    }
}

/// The tags of the image, if the remedies of the cause name one by the text and not by the host.
/// Only for families: an error text must not choose which repositories the service reads.
async fn tags_of(
    context: &Context,
    cause: Cause,
    image: Option<&NamedImage>,
) -> Option<Arc<RepositoryTags>> {
    let names_tags = matches!(cause, Cause::MovedToMcr | Cause::NoMatchingManifest);
    let image = image.filter(|image| names_tags && image.family.is_some())?;
    let found = context.catalogue.tags(&image.repository, &Deadline::begin(&context.clock)).await;
    found.ok().map(|found| found.value)
}

/// The tag of the same software that runs on the host, for an image that is built on a base image.
/// Only for known repositories: an error text must not choose which ones the service reads.
async fn sibling_of(
    context: &Context,
    finding: &Finding,
    image: Option<(&NamedImage, &str)>,
    host: Option<&AskedHost>,
) -> Option<Resolution> {
    let ((image, tag), host) = image.zip(host)?;
    if image.family.is_some() || !context.catalogue.has_embedded(&image.repository) {
        return None;
    }
    let question = question(finding, Arc::new(image.clone()), host.clone());
    let mut wanted = Tag::parse(tag)?;
    if finding.cause == Cause::TagNotFound {
        wanted.stem = without_days(&wanted.stem);
    }
    let question = ResolveQuestion { tag: Some(wanted), ..question };
    resolve(context, &question).await.ok().filter(|sibling| sibling.tag != tag)
}

fn question(finding: &Finding, image: Arc<NamedImage>, host: AskedHost) -> ResolveQuestion {
    let without_hyperv = matches!(finding.cause, Cause::HyperVMissing | Cause::FeatureMissing)
        || matches!(finding.setting, Setting::BuildKit | Setting::Ecs);
    ResolveQuestion {
        isolation: without_hyperv.then_some(Isolation::Process),
        platform: finding.setting.platform(),
        ..ResolveQuestion::new(image, host)
    }
}

//! The use case of `/diagnose`: the errors in a text, and remedies with the tags that run.

mod by_cause;
mod case;
mod host;
mod image;
mod remedy;

use std::sync::Arc;

use crate::answers::context::Context;
use crate::answers::host::HostDescription;
use crate::answers::question::{AskedHost, ResolveQuestion};
use crate::answers::resolve::{Resolution, resolve};
use crate::catalogue::{Deadline, RepositoryTags};
use crate::images::{NamedImage, Selector, Tag};
use crate::platforms::diagnosis::{self, Cause, Finding, Setting};
use crate::windows::{Isolation, verdict};

pub use remedy::{Remedy, RemedyCode};

use by_cause::remedies;
use case::Case;

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

/// The errors in a text, in its order; empty if none is recognised.
pub async fn diagnose(context: &Context, text: &str) -> Vec<Diagnosed> {
    let mut diagnosed = Vec::new();
    for finding in diagnosis::diagnose(text, context.tables) {
        diagnosed.push(conclude(context, finding).await);
    }
    diagnosed
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
        Some(host) => Some(resolve(context, &question(&finding, base.clone(), host.clone())).await),
        None => None,
    };
    let sibling = sibling_of(context, &finding, image.as_ref().zip(tag), host.as_ref()).await;
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
        tables: context.tables,
    };
    let (message, remedies) = (case.message(), remedies(&case));
    let host = host.map(|host| HostDescription::of(&host, context.tables, context.now().date()));
    Diagnosed { message, image, host, remedies, finding }
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
    let question = ResolveQuestion { tag: Some(Tag::parse(tag)?), ..question };
    resolve(context, &question).await.ok().filter(|sibling| sibling.tag != tag)
}

/// The image itself if it is a base image, else its base by its name, else Server Core, on which
/// most images are built.
fn base_of(
    context: &Context,
    written: Option<&str>,
    image: Option<&NamedImage>,
) -> Arc<NamedImage> {
    if let Some(image) = image.filter(|image| image.family.is_some()) {
        return Arc::new(image.clone());
    }
    let name = if written.is_some_and(|written| written.contains("nanoserver")) {
        "nanoserver"
    } else {
        "servercore"
    };
    let base = context
        .families
        .read(name)
        .expect("the two bases are families; a test reads the embedded table");
    Arc::new(base)
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

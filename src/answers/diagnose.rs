//! The use case behind `/diagnose`: what an error text says, and what to do about it, with the tags
//! that run.

use std::sync::Arc;

use crate::catalogue::{KnownTag, RepositoryTags, Wait};
use crate::images::{NamedImage, Selector};
use crate::platforms::diagnosis::{self, Cause, Finding, Setting};
use crate::windows::{
    Compatibility, Isolation, Platform, Reason, Tables, Verdict, WindowsVersion, verdict,
};

use super::context::Context;
use super::host::HostDescription;
use super::question::{Architecture, AskedHost, Pin, ResolveQuestion};
use super::remark::Remark;
use super::remedy::{Remedy, remedies};
use super::resolve::{Refusal, Resolution, resolve};
use super::suggested::nearest_tag;

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug)]
pub struct Diagnosed {
    /// What the text says.
    pub finding: Finding,
    /// What happened, in words.
    pub message: String,
    /// The image, when the text names it.
    pub image: Option<NamedImage>,
    /// The host, when the text names it.
    pub host: Option<HostDescription>,
    /// What to do, the best first; never empty.
    pub remedies: Vec<Remedy>,
}

/// What is known of one finding.
pub(super) struct Case<'c> {
    pub finding: &'c Finding,
    /// The image, and its tag when one is written.
    pub image: Option<&'c NamedImage>,
    pub tag: Option<&'c str>,
    pub host: Option<&'c AskedHost>,
    /// The tag of the base that runs on the host, or why there is none; `None` when the host is
    /// not known.
    pub fitting: Option<Result<Resolution, Refusal>>,
    /// The base: the image itself when it is a base image, else the one that it probably stands
    /// on.
    pub base: &'c NamedImage,
    /// How image and host go together, when the versions of both are known.
    pub compatibility: Option<Compatibility>,
    /// The tags of the image, where it is one of Microsoft's and a remedy may name one of them.
    tags: Option<Arc<RepositoryTags>>,
    tables: &'c Tables,
}

/// Reads an error text. What is not recognised gives nothing.
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
        Some(AskedHost { host: reading.host.clone()?, could_mean: reading.could_mean.clone() })
    });
    let base = base_of(context, finding.image.as_deref(), image.as_ref());
    let fitting = match &host {
        Some(host) => Some(resolve(context, &question(&finding, base.clone(), host.clone())).await),
        None => None,
    };
    let compatibility = host
        .as_ref()
        .zip(finding.image_version)
        .map(|(host, version)| verdict(host.facts(), Some(version), platform(finding.setting)));
    let tags = tags_of(context, finding.cause, image.as_ref()).await;
    let case = Case {
        finding: &finding,
        image: image.as_ref(),
        tag,
        host: host.as_ref(),
        fitting,
        base: &base,
        compatibility,
        tags,
        tables: context.tables,
    };
    let (message, remedies) = (case.message(), remedies(&case));
    let host = host.map(|host| HostDescription::of(&host, context.tables, context.now().date()));
    Diagnosed { message, image, host, remedies, finding }
}

/// The tags of the image, where the remedies of the cause name one by the text and not by the host.
/// Only families are asked for, whose repositories are no choice of whoever wrote the text.
async fn tags_of(
    context: &Context,
    cause: Cause,
    image: Option<&NamedImage>,
) -> Option<Arc<RepositoryTags>> {
    let names_tags = matches!(cause, Cause::MovedToMcr | Cause::NoMatchingManifest);
    let image = image.filter(|image| names_tags && image.family.is_some())?;
    let found = context.catalogue.tags(&image.repository, &Wait::begin(&context.clock)).await;
    found.ok().map(|found| found.value)
}

/// The base image that an image is or stands on: what its name says, else Server Core, on which
/// most stand.
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
        image,
        host,
        isolation: without_hyperv.then_some(Isolation::Process),
        pin: Pin::Release,
        kb: None,
        platform: platform(finding.setting),
        architecture: Architecture::default(),
    }
}

const fn platform(setting: Setting) -> Platform {
    match setting {
        Setting::Kubernetes => Platform::Kubernetes,
        Setting::Swarm => Platform::Swarm,
        Setting::Docker | Setting::BuildKit | Setting::Ecs => Platform::Docker,
    }
}

impl Case<'_> {
    /// What happened, with the rule that was broken where both versions are known.
    fn message(&self) -> String {
        let general = self.finding.cause.message();
        let facts = self
            .host
            .map(AskedHost::facts)
            .zip(self.compatibility.as_ref())
            .filter(|_| self.is_about_versions());
        let Some((facts, compatibility)) = facts else { return general.to_owned() };
        let broken = &compatibility.process;
        match broken.reasons.first().filter(|_| broken.verdict != Verdict::Yes) {
            Some(reason) => {
                let rule = Remark::of_rule(*reason, facts, self.finding.image_version).message;
                format!("{general}. Here: {rule}")
            }
            None => general.to_owned(),
        }
    }

    fn is_about_versions(&self) -> bool {
        matches!(
            self.finding.cause,
            Cause::OsVersionMismatch
                | Cause::NoMatchingManifest
                | Cause::ImageNewerThanHost
                | Cause::ExitedAtStart
                | Cause::OlderImageNotStarted
                | Cause::RevisionMismatch2016
        )
    }

    /// Whether the image is one of Microsoft's base images, and not somebody's own that stands on
    /// one.
    pub fn is_base_image(&self) -> bool {
        self.image.is_some_and(|image| image.family.is_some())
    }

    /// The image as people write it in a command.
    pub fn image_in_command(&self) -> &str {
        self.finding.image.as_deref().unwrap_or("IMAGE")
    }

    /// Whether Hyper-V isolation may help: it can be asked for, was not used, and the rule does not
    /// exclude it.
    pub fn hyperv_may_help(&self) -> bool {
        self.finding.setting.can_isolate_with_hyperv()
            && self.finding.isolation != Some(Isolation::HyperV)
            && self.compatibility.as_ref().is_none_or(|it| it.hyperv.verdict == Verdict::Yes)
            && self.host.is_none_or(AskedHost::runs_containers)
    }

    /// The verdict of process isolation, when both versions are known.
    pub fn process(&self) -> Option<Verdict> {
        self.compatibility.as_ref().map(|it| it.process.verdict)
    }

    /// The tag of the base that runs on the host, when there is one.
    pub fn resolution(&self) -> Option<&Resolution> {
        self.fitting.as_ref()?.as_ref().ok()
    }

    /// The version of the host, when it is known.
    pub fn host_version(&self) -> Option<WindowsVersion> {
        self.host.map(|host| host.host.version)
    }

    /// Whether the repository of the image has this tag, as far as that is known.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.as_ref().is_some_and(|tags| tags.find(tag).is_some())
    }

    /// The tag of the image's repository that is nearest to one that it does not have.
    pub fn nearest_tag(&self, wanted: &str) -> Option<&str> {
        nearest_tag(wanted, self.tags.as_ref()?, self.tables).map(|tag| tag.text.as_str())
    }

    /// The version that a tag stands for.
    pub fn version_of(&self, tag: &str) -> Option<WindowsVersion> {
        KnownTag::new(tag.to_owned(), None, self.tables).version
    }

    /// Whether the host and an image of this version are on different sides of the update of
    /// February 2020.
    pub fn is_across_february_2020(&self, image: WindowsVersion) -> bool {
        self.host.is_some_and(|host| {
            let compatibility = verdict(host.facts(), Some(image), platform(self.finding.setting));
            compatibility.process.warnings.contains(&Reason::AcrossFebruary2020)
        })
    }
}

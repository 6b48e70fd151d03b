//! The facts of one finding, and the questions that its remedies ask of them.

use std::sync::Arc;

use crate::answers::question::AskedHost;
use crate::answers::remark::Remark;
use crate::answers::resolve::{Resolution, ResolveRefusal};
use crate::answers::suggestions::nearest_tag;
use crate::catalogue::{KnownTag, RepositoryTags};
use crate::images::NamedImage;
use crate::platforms::diagnosis::{Cause, Finding, Setting};
use crate::windows::{
    BUILD_25H2, BUILD_2025, Compatibility, HostKind, Isolation, Reason, Tables, Verdict,
    WindowsVersion, verdict,
};

/// The facts of one finding.
pub(super) struct Case<'c> {
    pub finding: &'c Finding,
    pub image: Option<&'c NamedImage>,
    /// The tag, if the text has it.
    pub tag: Option<&'c str>,
    pub host: Option<&'c AskedHost>,
    /// The tag of the base that runs on the host, or why there is none; `None` if the host is
    /// unknown.
    pub fitting: Option<Result<Resolution, ResolveRefusal>>,
    /// The tag of the same software that runs on the host, if the image is built on a base image.
    pub sibling: Option<Resolution>,
    /// The image itself if it is a base image, else the base image that it is probably built on.
    pub base: &'c NamedImage,
    /// The verdicts of the rule, if the versions of image and host are known.
    pub compatibility: Option<Compatibility>,
    /// The tags of the image, if it is one of Microsoft's and a remedy may name one of them.
    pub tags: Option<Arc<RepositoryTags>>,
    pub tables: &'c Tables,
}

impl Case<'_> {
    /// The sentence of the cause, with the broken rule if both versions are known.
    pub fn message(&self) -> String {
        let general = self.finding.cause.message();
        let is_of_layers = matches!(
            self.finding.cause,
            Cause::FeatureMissing | Cause::UnrecognizedLayer | Cause::LayerNotActivated
        );
        if let Some(host) = self.host.filter(|_| is_of_layers)
            && self.is_new_client_with_older_image()
        {
            let image = Some(WindowsVersion::of_build(BUILD_2025));
            let reason = Reason::ReportedToFailOnNewerClient;
            let reported = Remark::of_rule(reason, host.facts(), image).message;
            return format!("{general}. On this host there is another cause: {reported}");
        }
        let facts = self
            .host
            .map(AskedHost::facts)
            .zip(self.compatibility.as_ref())
            .filter(|_| self.is_about_versions());
        let Some((facts, compatibility)) = facts else { return general.to_owned() };
        let broken = &compatibility.process;
        let reason = broken.reasons.first().filter(|_| broken.verdict != Verdict::Yes);
        match (reason, broken.verdict) {
            (Some(reason), _) => {
                let rule = Remark::of_rule(*reason, facts, self.finding.image_version).message;
                format!("{general}. In this case: {rule}")
            }
            // The versions are not the cause, so that the image must not be blamed.
            (None, Verdict::Yes) if self.finding.cause == Cause::OsVersionMismatch => format!(
                "{general}. In this case the versions in the text fit each other: the error is of \
                 another image, such as the pause image of a pod or a stage of a build, or the tag \
                 holds another version now"
            ),
            (None, _) => general.to_owned(),
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
                | Cause::FeatureMissing
                | Cause::UnrecognizedLayer
                | Cause::LayerNotActivated
        )
    }

    /// Whether the image is one of Microsoft's base images, and not built on one.
    pub fn is_base_image(&self) -> bool {
        self.image.is_some_and(|image| image.family.is_some())
    }

    /// The image as it stands in a command.
    pub fn image_in_command(&self) -> &str {
        self.finding.image.as_deref().unwrap_or("IMAGE")
    }

    /// Whether Hyper-V isolation may help: it is available, was not used, and the rule does not
    /// exclude it.
    pub fn hyperv_may_help(&self) -> bool {
        self.finding.setting.can_isolate_with_hyperv()
            && self.finding.isolation != Some(Isolation::HyperV)
            && self.compatibility.as_ref().is_none_or(|it| it.hyperv.verdict == Verdict::Yes)
            && self.host.is_none_or(AskedHost::runs_containers)
    }

    /// The verdict on process isolation, if both versions are known.
    pub fn process(&self) -> Option<Verdict> {
        self.compatibility.as_ref().map(|it| it.process.verdict)
    }

    /// The tag of the base that runs on the host, if there is one.
    pub fn resolution(&self) -> Option<&Resolution> {
        self.fitting.as_ref()?.as_ref().ok()
    }

    /// The command line of the engine.
    pub fn client(&self) -> &'static str {
        match self.finding.setting {
            Setting::Containerd => "nerdctl",
            _ => "docker",
        }
    }

    /// Whether the host is known to have older updates than the image of its build.
    pub fn is_behind_the_image(&self) -> bool {
        self.host_version().zip(self.finding.image_version).is_some_and(|(host, image)| {
            host.build == image.build
                && host.revision.zip(image.revision).is_some_and(|(host, image)| host < image)
        })
    }

    /// Whether a client newer than Windows Server 2025 runs an image of that: a pair that fails in
    /// several reports (`Reason::ReportedToFailOnNewerClient`).
    pub fn is_new_client_with_older_image(&self) -> bool {
        let is_new = self
            .host
            .is_some_and(|host| host.kind == HostKind::Client && host.version.build == BUILD_25H2);
        is_new && self.finding.image_version.is_none_or(|image| image.build == BUILD_2025)
    }

    /// The version of the host, if it is known.
    pub fn host_version(&self) -> Option<WindowsVersion> {
        self.host.map(|host| host.version)
    }

    /// Whether the image's repository is known to have this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.as_ref().is_some_and(|tags| tags.find(tag).is_some())
    }

    /// The tag of the image's repository that is nearest to a missing one.
    pub fn nearest_tag(&self, wanted: &str) -> Option<&str> {
        nearest_tag(wanted, self.tags.as_ref()?, self.tables).map(|tag| tag.text.as_str())
    }

    /// The version in the name of a tag.
    pub fn version_of(&self, tag: &str) -> Option<WindowsVersion> {
        KnownTag::new(tag.to_owned(), None, self.tables).version
    }

    /// Whether the host and an image of this version are on different sides of the February 2020
    /// update.
    pub fn is_across_february_2020(&self, image: WindowsVersion) -> bool {
        self.host.is_some_and(|host| {
            let compatibility = verdict(host.facts(), Some(image), self.finding.setting.platform());
            compatibility.process.warnings.contains(&Reason::AcrossFebruary2020)
        })
    }
}

//! A remedy of an error: the type, which is also its JSON, and the codes.

use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::resolve::Resolution;
use crate::windows::Isolation;
use crate::words::words;

words! {
    /// The stable code of a remedy. `by_cause.rs` says when each is given.
    pub enum RemedyCode {
        AskForMatchingTag = "ask-for-matching-tag",
        EnableHyperV = "enable-hyperv",
        ExcludeFromScanning = "exclude-from-scanning",
        ExposeVirtualization = "expose-virtualization",
        FindHostVersion = "find-host-version",
        FindImageVersion = "find-image-version",
        FixPauseImage = "fix-pause-image",
        InstallContainers = "install-containers",
        IsolateHostWithHyperV = "isolate-host-with-hyperv",
        IsolateWithHyperV = "isolate-with-hyperv",
        LiftLimits = "lift-limits",
        LabelNodes = "label-nodes",
        LookAtNodes = "look-at-nodes",
        NoMatchingTag = "no-matching-tag",
        PinRevision = "pin-revision",
        PullAgain = "pull-again",
        PullSingleManifest = "pull-single-manifest",
        RebuildOnMatchingBase = "rebuild-on-matching-base",
        RunElevated = "run-elevated",
        ShowEvents = "show-events",
        ShowWholeError = "show-whole-error",
        SpellIsolation = "spell-isolation",
        SwitchToLinuxContainers = "switch-to-linux-containers",
        SwitchToWindowsContainers = "switch-to-windows-containers",
        UpdateBoth = "update-both",
        UpdateEngine = "update-engine",
        UpdateHost = "update-host",
        UpdateRunner = "update-runner",
        UseClassicBuilder = "use-classic-builder",
        UseLinuxNodes = "use-linux-nodes",
        UseMatchingArchitecture = "use-matching-architecture",
        UseMatchingHost = "use-matching-host",
        UseMatchingTag = "use-matching-tag",
        UseMicrosoftsRegistry = "use-microsofts-registry",
        UseNewerHost = "use-newer-host",
        UseOlderEngine = "use-older-engine",
        UseOtherRelease = "use-other-release",
        UseProcessIsolation = "use-process-isolation",
    }
}

/// A remedy of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Remedy {
    /// The stable code.
    #[schema(value_type = String, example = "rebuild-on-matching-base")]
    pub code: RemedyCode,
    /// An instruction for people; its wording may change.
    pub message: String,
    /// The tag to use, or null if the remedy names none or the host is unknown.
    #[schema(example = "1709")]
    pub tag: Option<String>,
    /// The image to use, with that tag.
    #[schema(example = "mcr.microsoft.com/windows/servercore:1709")]
    pub reference: Option<String>,
    /// The isolation mode to use, or null if it does not matter.
    pub isolation: Option<Isolation>,
    /// The command to run, or the line to write into a file, as the message says. Words in capital
    /// letters (IMAGE, SERVICE, NODE) are placeholders for names that the text does not contain.
    #[schema(example = "FROM mcr.microsoft.com/windows/servercore:1709")]
    pub command: Option<String>,
}

impl Remedy {
    pub(super) fn new(code: RemedyCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            tag: None,
            reference: None,
            isolation: None,
            command: None,
        }
    }

    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub(super) fn isolated(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    pub(super) fn image(mut self, repository: &dyn std::fmt::Display, tag: &str) -> Self {
        self.reference = Some(format!("{repository}:{tag}"));
        self.tag = Some(tag.to_owned());
        self
    }

    pub(super) fn resolved(self, resolution: &Resolution) -> Self {
        self.image(&resolution.image.named.repository, &resolution.tag)
            .isolated(resolution.isolation)
    }
}

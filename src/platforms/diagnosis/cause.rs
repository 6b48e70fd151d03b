//! What can be wrong: the causes that error texts stand for, with stable codes.

/// Why a container did not start, or an image was not pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Process isolation, and the image is of another Windows than the host.
    OsVersionMismatch,
    /// The pause image of a pod is of another Windows than the node.
    SandboxImageMismatch,
    /// Nothing under the tag fits the host.
    NoMatchingManifest,
    /// The image is of a newer build than the host.
    ImageNewerThanHost,
    /// The container ended while it started: often an image with newer patches than the host.
    ExitedAtStart,
    /// Hyper-V isolation without Hyper-V.
    HyperVMissing,
    /// A Windows feature is missing.
    FeatureMissing,
    /// Process isolation on a client that has none.
    ClientNeedsHyperV,
    /// The engine does not run on so old a Windows.
    HostTooOldForEngine,
    /// A word that is no isolation mode.
    InvalidIsolation,
    /// A Windows image in an engine for Linux containers.
    LinuxEngine,
    /// A layer that the host cannot read.
    UnrecognizedLayer,
    /// An insider image on a released Windows.
    InsiderImage,
    /// An older image in process isolation, on a host that does not have what it needs.
    OlderImageNotStarted,
    /// A process in the container could not be made.
    ProcessNotCreated,
    /// A program crashed across the update of February 2020.
    February2020Crash,
    /// A service in the container crashed.
    ServiceCrash,
    /// The start took too long.
    StartTimedOut,
    /// Windows Server 2016, and the revisions differ.
    RevisionMismatch2016,
    /// Hyper-V isolation, and guest and host are too far apart.
    ProtocolMismatch,
    /// A Docker Hub name that moved to Microsoft's registry.
    MovedToMcr,
    /// A tag of a base image that does not exist.
    TagNotFound,
    /// The caller may not use the Host Compute Service.
    AccessDenied,
    /// Docker Swarm finds no node.
    NoSuitableNode,
    /// A Linux image in an engine for Windows containers.
    WindowsEngine,
    /// GitLab Runner does not know the Windows of its host.
    HostUnknownToRunner,
    /// The sandbox of a pod was not made, and the text does not say why.
    SandboxNotCreated,
    /// `docker service ps` cut the error off.
    ErrorCutOff,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 28] = [
        Self::OsVersionMismatch,
        Self::SandboxImageMismatch,
        Self::NoMatchingManifest,
        Self::ImageNewerThanHost,
        Self::ExitedAtStart,
        Self::HyperVMissing,
        Self::FeatureMissing,
        Self::ClientNeedsHyperV,
        Self::HostTooOldForEngine,
        Self::InvalidIsolation,
        Self::LinuxEngine,
        Self::UnrecognizedLayer,
        Self::InsiderImage,
        Self::OlderImageNotStarted,
        Self::ProcessNotCreated,
        Self::February2020Crash,
        Self::ServiceCrash,
        Self::StartTimedOut,
        Self::RevisionMismatch2016,
        Self::ProtocolMismatch,
        Self::MovedToMcr,
        Self::TagNotFound,
        Self::AccessDenied,
        Self::NoSuitableNode,
        Self::WindowsEngine,
        Self::HostUnknownToRunner,
        Self::SandboxNotCreated,
        Self::ErrorCutOff,
    ];

    /// Whether it only says that something failed, so that any other cause in the same text says
    /// more.
    pub(super) const fn is_vague(self) -> bool {
        matches!(self, Self::SandboxNotCreated | Self::ErrorCutOff)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        self.described().0
    }

    /// What happened, in words.
    pub const fn message(self) -> &'static str {
        self.described().1
    }

    const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::OsVersionMismatch => (
                "os-version-mismatch",
                "the image is made for another Windows version than the host's, and process \
                 isolation needs one that fits",
            ),
            Self::SandboxImageMismatch => (
                "sandbox-image-mismatch",
                "the pod's sandbox did not start: its pause image is made for another Windows \
                 version than the node's. The image of your container is not to blame",
            ),
            Self::NoMatchingManifest => (
                "no-matching-manifest",
                "under this tag there is no image for the Windows version of the host: all are of \
                 another version, or the image is for Linux only",
            ),
            Self::ImageNewerThanHost => (
                "image-newer-than-host",
                "the image is made for a newer Windows build than the host's, and so does not run \
                 there in either isolation mode",
            ),
            Self::ExitedAtStart => (
                "exited-at-start",
                "the container ended while it started. Where image and host are the same build, \
                 this is often an image with newer patches (a higher revision) than the host has",
            ),
            Self::HyperVMissing => (
                "hyperv-missing",
                "Hyper-V isolation was asked for, and Hyper-V is not installed, not running, or \
                 not available in this virtual machine",
            ),
            Self::FeatureMissing => (
                "feature-missing",
                "a Windows feature that containers need (Containers or Hyper-V) is not installed",
            ),
            Self::ClientNeedsHyperV => (
                "client-needs-hyperv",
                "process isolation was asked for, and this Windows 10, or this engine on it, has \
                 Hyper-V isolation only",
            ),
            Self::HostTooOldForEngine => (
                "host-too-old-for-engine",
                "this Docker Engine (23.0 or later) does not run on Windows builds before 17763, \
                 such as Windows Server 2016",
            ),
            Self::InvalidIsolation => (
                "invalid-isolation",
                "the isolation mode is spelt wrong: the words are process, hyperv and default",
            ),
            Self::LinuxEngine => (
                "linux-engine",
                "a Windows image was asked for, and the engine runs Linux containers now",
            ),
            Self::UnrecognizedLayer => (
                "unrecognized-layer",
                "the host cannot read a layer of the image. It was reported of new images on \
                 hosts whose patches are older, and is not resolved for all of them",
            ),
            Self::InsiderImage => (
                "insider-image",
                "the image is an insider preview, and the host runs a released Windows",
            ),
            Self::OlderImageNotStarted => (
                "older-image-not-started",
                "the container could not be made. In process isolation this is often an image of \
                 an older build than the host's",
            ),
            Self::ProcessNotCreated => (
                "process-not-created",
                "the container started, and no process could be made in it. It was reported of \
                 Server Core in process isolation on Windows 11",
            ),
            Self::February2020Crash => (
                "february-2020-crash",
                "a program ended with STATUS_ENTRYPOINT_NOT_FOUND: in process isolation, image \
                 and host are often on different sides of the update of February 2020, and 32-bit \
                 programs fail first",
            ),
            Self::ServiceCrash => (
                "service-crash",
                "a service in the container crashed. It has many causes; one is an image and a \
                 host on different sides of the update of February 2020",
            ),
            Self::StartTimedOut => (
                "start-timed-out",
                "the container did not start in time. This is no version error by itself: a virus \
                 scanner or a busy host is more likely",
            ),
            Self::RevisionMismatch2016 => (
                "revision-mismatch-2016",
                "the container could not be made. On Windows Server 2016 this was reported where \
                 the revisions of image and host differ",
            ),
            Self::ProtocolMismatch => (
                "protocol-mismatch",
                "in Hyper-V isolation, the Windows in the image is too old to talk to the host",
            ),
            Self::MovedToMcr => (
                "moved-to-mcr",
                "Microsoft's images are not on Docker Hub any more; they are on \
                 mcr.microsoft.com, under other names",
            ),
            Self::TagNotFound => (
                "tag-not-found",
                "the repository has no such tag; base images have had no latest since 2019",
            ),
            Self::AccessDenied => (
                "access-denied",
                "this is no version error: the caller has no right to start containers on the host",
            ),
            Self::NoSuitableNode => (
                "no-suitable-node",
                "no node of the swarm fits. Swarm compares operating system, architecture and \
                 constraints, never the Windows version",
            ),
            Self::WindowsEngine => (
                "windows-engine",
                "a Linux image was asked for, and the engine runs Windows containers now",
            ),
            Self::HostUnknownToRunner => (
                "host-unknown-to-runner",
                "this GitLab Runner does not know the Windows version of its host and has no \
                 helper image for it: each release knows the versions of its time",
            ),
            Self::SandboxNotCreated => (
                "sandbox-not-created",
                "the pod's sandbox did not start, and the text does not say why. On a Windows \
                 node it is often a pause image that is made for another Windows version, or the \
                 network",
            ),
            Self::ErrorCutOff => (
                "error-cut-off",
                "the container did not start, and docker service ps cut off the reason",
            ),
        }
    }
}

//! What can be wrong: the causes that error texts stand for, with stable codes.

use crate::words::words;

/// Declares every cause once: its name, its stable code, and its sentence, which is its
/// documentation too.
macro_rules! causes {
    ($($cause:ident = $code:tt, $message:literal;)+) => {
        words! {
            /// Why a container did not start, or an image was not pulled.
            pub enum Cause {
                $(#[doc = $message] $cause = $code,)+
            }
        }

        impl Cause {
            /// What happened, as a sentence without its full stop.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$cause => $message,)+
                }
            }
        }
    };
}

causes! {
    OsVersionMismatch = "os-version-mismatch",
        "the image is built for a different Windows version than the host's, and process \
         isolation requires a compatible one";
    SandboxImageMismatch = "sandbox-image-mismatch",
        "the pod's sandbox did not start: its pause image is built for a different Windows \
         version than the node's. The image of your container is not the cause";
    NoMatchingManifest = "no-matching-manifest",
        "this tag has no image for the host's Windows version: its images are for other \
         versions, or for Linux only";
    ImageNewerThanHost = "image-newer-than-host",
        "the image is built for a newer Windows build than the host's, so it does not run \
         there in either isolation mode";
    ExitedAtStart = "exited-at-start",
        "the container exited while it was starting. If image and host are the same build, \
         the image often has newer updates (a higher revision) than the host";
    HyperVMissing = "hyperv-missing",
        "the container was started with Hyper-V isolation, but Hyper-V is not installed, not \
         running, or not available in this virtual machine";
    FeatureMissing = "feature-missing",
        "a Windows feature that containers need (Containers or Hyper-V) is not installed";
    ClientNeedsHyperV = "client-needs-hyperv",
        "the container was started with process isolation, but this Windows 10, or the \
         engine on it, supports Hyper-V isolation only";
    HostTooOldForEngine = "host-too-old-for-engine",
        "this Docker Engine (23.0 or later) does not run on Windows builds before 17763, \
         such as Windows Server 2016";
    InvalidIsolation = "invalid-isolation",
        "the isolation mode is misspelt: it must be process, hyperv or default";
    ArchitectureMismatch = "architecture-mismatch",
        "the client or the engine is built for another processor architecture than the image or \
         the host; the Windows version is not the cause";
    LinuxEngine = "linux-engine",
        "this is a Windows image, but the engine is running Linux containers";
    UnrecognizedLayer = "unrecognized-layer",
        "the host cannot read a layer of the image. This has been reported for new images on \
         hosts with older updates, and is not resolved for all of them";
    InsiderImage = "insider-image",
        "the image is an Insider Preview, but the host runs a released Windows";
    OlderImageNotStarted = "older-image-not-started",
        "the container could not be created. With process isolation, the cause is often an \
         image of an older build than the host's";
    ProcessNotCreated = "process-not-created",
        "the container started, but no process could be created in it. This has been \
         reported for Server Core with process isolation on Windows 11";
    February2020Crash = "february-2020-crash",
        "a program ended with STATUS_ENTRYPOINT_NOT_FOUND: with process isolation, image and \
         host are often on different sides of the February 2020 update, and 32-bit programs \
         fail first";
    February2020Timeout = "february-2020-timeout",
        "the container did not start in time. Microsoft names this message (KB4542617) for an \
         image and a host on different sides of the February 2020 update";
    LayerNotActivated = "layer-not-activated",
        "the host could not mount a layer of the image. This has been reported with process \
         isolation for images of older updates than the host's, and when another program, such \
         as a virus scanner, has the files open";
    ServiceCrash = "service-crash",
        "a service in the container crashed. There are many possible causes; one is that \
         image and host are on different sides of the February 2020 update";
    StartTimedOut = "start-timed-out",
        "the container did not start in time. This alone does not indicate a version \
         mismatch: a virus scanner or a busy host is more likely";
    RevisionMismatch2016 = "revision-mismatch-2016",
        "the container could not be created. On Windows Server 2016 this has been reported \
         when the revisions of image and host differ";
    ProtocolMismatch = "protocol-mismatch",
        "with Hyper-V isolation, the Windows in the image is too old to communicate with the \
         host";
    MovedToMcr = "moved-to-mcr",
        "Microsoft's images are no longer on Docker Hub; they are on mcr.microsoft.com, \
         under different names";
    TagNotFound = "tag-not-found",
        "the repository has no such tag; base images have had no latest tag since 2019, and dated \
         tags exist only for the versions that were rebuilt on that date";
    AccessDenied = "access-denied",
        "this is not a version error: the caller has no permission to start containers on \
         the host";
    NoSuitableNode = "no-suitable-node",
        "no node of the swarm is suitable. Swarm compares operating system, architecture and \
         constraints, never the Windows version";
    NoMatchingNode = "no-matching-node",
        "no node has the labels that the pod selects; a pod for Windows usually selects \
         kubernetes.io/os=windows and the build of its image";
    WindowsEngine = "windows-engine",
        "this is a Linux image, but the engine is running Windows containers";
    HostUnknownToRunner = "host-unknown-to-runner",
        "this GitLab Runner does not know the host's Windows version and has no helper image \
         for it: each release knows only the versions of its time";
    SandboxNotCreated = "sandbox-not-created",
        "the pod's sandbox did not start, and the text does not say why. On a Windows node \
         the cause is often a pause image built for a different Windows version, or the \
         network";
    ErrorCutOff = "error-cut-off",
        "the container did not start, and docker service ps truncated the reason";
}

impl Cause {
    /// Whether it only says that something failed, so that any other cause in the same text says
    /// more.
    pub(super) const fn is_vague(self) -> bool {
        matches!(self, Self::SandboxNotCreated | Self::ErrorCutOff)
    }

    /// Whether this error explains the other one in the same text.
    pub(super) const fn explains(self, other: Self) -> bool {
        matches!((self, other), (Self::ArchitectureMismatch, Self::NoMatchingManifest))
    }
}

//! The reasons and warnings of the compatibility rule: stable codes, texts for people, sources.

use crate::words::words;

use super::builds::stable_floor;
use super::host::HostFacts;
use super::version::WindowsVersion;

/// A page of Microsoft's documentation of Windows containers.
macro_rules! learn {
    ($page:literal) => {
        concat!("https://learn.microsoft.com/en-us/virtualization/windowscontainers/", $page)
    };
}

/// Microsoft's page with the host and image table.
pub const SOURCE_COMPATIBILITY: &str = learn!("deploy-containers/version-compatibility");
/// Microsoft's page on the two isolation modes.
const SOURCE_ISOLATION: &str = learn!("manage-containers/hyperv-container");
/// Microsoft's page on the February 2020 update.
const SOURCE_UPDATE: &str = learn!("deploy-containers/update-containers");
/// Microsoft's page on the Annual Channel as a container host.
const SOURCE_PORTABILITY: &str = learn!("deploy-containers/portability");
/// Microsoft's page on what a client or server needs to run containers.
const SOURCE_REQUIREMENTS: &str = learn!("deploy-containers/system-requirements");
/// The rule as the newest containerd matcher has it (v1.0.0-rc.5).
const SOURCE_CONTAINERD: &str = "https://github.com/containerd/platforms";
/// Released engines with the older matcher.
const SOURCE_ENGINE_BUG: &str = "https://github.com/moby/moby/issues/53397";
/// A newer revision than the host's that did not start.
const SOURCE_NEWER_REVISION: &str = "https://github.com/actions/runner-images/issues/11582";
/// Windows in Kubernetes.
const SOURCE_KUBERNETES: &str = "https://kubernetes.io/docs/concepts/windows/intro/";
/// HostProcess containers.
const SOURCE_HOST_PROCESS: &str =
    "https://kubernetes.io/docs/tasks/configure-pod-container/create-hostprocess-pod/";
/// Pulling by tag with containerd applies the process rule.
const SOURCE_PULL: &str = "https://github.com/microsoft/Windows-Containers/issues/170";
/// Images of an older build on a build with an enablement package.
const SOURCE_ENABLEMENT: &str = "https://github.com/docker/for-win/issues/5148";
/// Trouble in process isolation on Windows Server 2025.
const SOURCE_FIELD_REPORTS: &str = "https://github.com/microsoft/Windows-Containers/issues/647";
/// Images of Windows Server 2025 that do not start on Windows 11 25H2.
const SOURCE_NEWER_CLIENT: &str = "https://github.com/microsoft/hcsshim/issues/2566";
/// Images published without os.version.
const SOURCE_OS_VERSION: &str = "https://github.com/containerd/containerd/issues/8070";

/// Declares the reasons, a row for each: code, source, message. A message names the versions of
/// `host` and `image`, and `floor`, the oldest build that the host runs in process isolation.
macro_rules! reasons {
    (
        [$host:ident, $image:ident, $floor:ident]
        $($(#[$doc:meta])* $name:ident = $code:tt, $source:ident, $message:literal;)+
    ) => {
        words! {
            /// Why a verdict is what it is, or a warning about it.
            pub enum Reason { $($(#[$doc])* $name = $code,)+ }
        }

        impl Reason {
            /// The public source of the rule behind this reason.
            pub const fn source(self) -> &'static str {
                match self {
                    $(Self::$name => $source,)+
                }
            }

            /// The reason as a sentence, for this host and this image.
            pub fn message(self, host: HostFacts, image: Option<WindowsVersion>) -> String {
                let $host = host.version;
                let $floor = stable_floor(host.version.build);
                let $image = image
                    .map_or_else(|| "of unknown version".to_owned(), |image| image.to_string());
                match self {
                    $(Self::$name => format!($message),)+
                }
            }
        }
    };
}

reasons! {
    [host, image, floor]

    /// Process: equal builds (R2, R3).
    SameBuild = "same-build", SOURCE_COMPATIBILITY,
    "image {image} and host {host} have the same build, as process isolation requires";

    /// A HostProcess container, for which versions do not have to match.
    HostProcess = "host-process", SOURCE_HOST_PROCESS,
    "HostProcess containers run on every Windows Server node of Kubernetes, whatever the version \
     of their image; set securityContext.windowsOptions.hostProcess, without which it does not \
     start";

    /// A HostProcess container outside of Kubernetes, or on a client.
    HostProcessNeedsKubernetes = "host-process-needs-kubernetes", SOURCE_HOST_PROCESS,
    "this base image is for HostProcess containers only, which Kubernetes runs on Windows Server";

    /// Process on 14393: equal builds and revisions (R4).
    SameRevision = "same-revision", SOURCE_COMPATIBILITY,
    "image {image} and host {host} have the same revision, as process isolation requires on 14393";

    /// Process: an older image within the stable interface (R3).
    StableInterface = "stable-interface", SOURCE_CONTAINERD,
    "host {host} runs image {image} in process isolation: from build 20348 on, a host also runs \
     older images, back to the long-term release before its own";

    /// Hyper-V: the image is not newer than the host (R1).
    HyperVRunsOlderOrEqual = "hyperv-runs-older-or-equal", SOURCE_COMPATIBILITY,
    "Hyper-V isolation runs images that are not newer than the host: image {image}, host {host}";

    /// Hyper-V, although process isolation works too: it is the default of clients (R8).
    HyperVIsClientDefault = "hyperv-is-client-default", SOURCE_ISOLATION,
    "Hyper-V isolation is the default on Windows clients; process isolation works there for \
     development and test";

    /// Neither mode: the image is newer than the host (R1).
    ImageNewerThanHost = "image-newer-than-host", SOURCE_COMPATIBILITY,
    "image {image} is newer than host {host}, so it runs in neither isolation mode: use an older \
     tag or a newer host";

    /// Process below 20348: the builds differ (R2).
    BuildDiffers = "build-differs", SOURCE_COMPATIBILITY,
    "process isolation requires equal builds on hosts before 20348: image {image}, host {host}";

    /// Process from 20348 on: the image is older than the floor (R3).
    ImageBeforeStableInterface = "image-before-stable-interface", SOURCE_CONTAINERD,
    "image {image} is too old for process isolation on host {host}, which runs images from build \
     {floor} on";

    /// Process on 14393: the revisions differ (R4).
    RevisionDiffers = "revision-differs", SOURCE_COMPATIBILITY,
    "process isolation on 14393 requires equal revisions: image {image}, host {host}";

    /// Process on 14393: the host's revision is not known (R4).
    HostRevisionUnknown = "host-revision-unknown", SOURCE_COMPATIBILITY,
    "process isolation on 14393 requires equal revisions, and the host's revision is unknown: \
     give the full version, such as 14393.1770";

    /// Process on 14393: the image's revision is not known (R4).
    ImageRevisionUnknown = "image-revision-unknown", SOURCE_COMPATIBILITY,
    "process isolation on 14393 requires equal revisions, and the image's revision is unknown: \
     image {image}, host {host}";

    /// Process on a client before 17763 (R7).
    ClientTooOldForProcess = "client-too-old-for-process", SOURCE_ISOLATION,
    "Windows clients support process isolation from build 17763 on, with Docker 18.09.1 or newer; \
     this host is {host}";

    /// Windows Home runs no containers (R7).
    EditionWithoutContainers = "edition-without-containers", SOURCE_REQUIREMENTS,
    "Windows Home cannot run Windows containers; Pro and Enterprise can";

    /// Hyper-V isolation on Kubernetes (R9).
    KubernetesProcessOnly = "kubernetes-process-only", SOURCE_KUBERNETES,
    "Kubernetes runs Windows containers in process isolation only";

    /// The image does not say which Windows it is.
    ImageWithoutOsVersion = "image-without-os-version", SOURCE_OS_VERSION,
    "the image does not state its Windows version (it has no os.version), so compatibility \
     cannot be determined";

    /// Warning: the image's revision is above the host's (R6).
    ImageRevisionNewerThanHost = "image-revision-newer-than-host", SOURCE_NEWER_REVISION,
    "image {image} has a newer revision than host {host}; such images have failed in process \
     isolation with 0xc0370106: update the host, or pin an image revision that is not newer";

    /// Warning: host and image are on different sides of the February 2020 update (R5).
    AcrossFebruary2020 = "across-february-2020", SOURCE_UPDATE,
    "image {image} and host {host} are on different sides of the February 2020 update; 32-bit \
     programs fail in process isolation until both have it or neither has it";

    /// Warning: sources disagree whether 16299 and 17134 need equal revisions (R4).
    RevisionMatchDisputed = "revision-match-disputed", SOURCE_COMPATIBILITY,
    "since 2020 Microsoft's pages say that process isolation on builds before 17763 might not \
     start unless the revisions are equal; those of 2018 and 2019 exempt 1709 and 1803: image \
     {image}, host {host}";

    /// Warning: process isolation on a client is for development and test (R7).
    ClientProcessIsForDevelopment = "client-process-is-for-development", SOURCE_ISOLATION,
    "process isolation on a Windows client is for development and test; the default there is \
     Hyper-V isolation";

    /// Warning: Microsoft's table denies process isolation on Windows 10, its page on isolation
    /// modes allows it.
    ClientProcessDisputed = "client-process-disputed", SOURCE_ISOLATION,
    "Microsoft's compatibility table shows no process isolation on Windows 10; its page on \
     isolation modes allows it from version 1809 on";

    /// Warning: some released engines refuse to pull this image on this host (R3).
    EngineMayRefusePull = "engine-may-refuse-pull", SOURCE_ENGINE_BUG,
    "Docker up to 29.7 with the containerd image store and containerd 2.1 to 2.3 refuse to pull \
     image {image} on host {host}; pull the -amd64 tag or the digest of the manifest instead";

    /// Warning: field reports prefer Hyper-V isolation here.
    FieldReportsPreferHyperV = "field-reports-prefer-hyperv", SOURCE_FIELD_REPORTS,
    "users report problems with older images in process isolation on 26100 (service start, \
     http.sys); Hyper-V isolation avoids them";

    /// Warning: people report that it fails in both modes, against the rule.
    ReportedToFailOnNewerClient = "reported-to-fail-on-newer-client", SOURCE_NEWER_CLIENT,
    "users report that images of build 26100 fail on Windows 11 25H2 in both isolation modes \
     (0xc0370112, or 'The request is not supported') since updates of late 2025: if {image} fails \
     on host {host}, use an image of ltsc2022";

    /// Warning on a refusal: people report that it runs, unsupported.
    ReportedToRunUnsupported = "reported-to-run-unsupported", SOURCE_ENABLEMENT,
    "users report that image {image} runs in process isolation on host {host}, which has the same \
     kernel; Microsoft does not support it";

    /// Warning: the host is not in the list of Kubernetes node versions (R9).
    KubernetesNodeNotListed = "kubernetes-node-not-listed", SOURCE_KUBERNETES,
    "Kubernetes documents Windows Server 2022 and 2025 as node versions; this host is neither";

    /// Warning: Hyper-V isolation needs its role (R11).
    HyperVNeedsRole = "hyperv-needs-role", SOURCE_ISOLATION,
    "Hyper-V isolation requires the Hyper-V role on the host, and nested virtualization in a \
     virtual machine; ARM64 does not support nested virtualization";

    /// Warning: containerd refuses the pull by tag of an image meant for Hyper-V isolation (R12).
    ContainerdMayRefusePull = "containerd-may-refuse-pull", SOURCE_PULL,
    "containerd applies the rule of process isolation when it pulls, so it refuses this image by \
     its multi-platform tag; pull the -amd64 tag or the digest of the manifest instead";

    /// Warning: Hyper-V isolation on the Annual Channel is not documented (R10).
    AnnualChannelHyperVUndocumented = "annual-channel-hyperv-undocumented", SOURCE_PORTABILITY,
    "on the Annual Channel, Microsoft documents only process isolation with Windows Server 2022 \
     images";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let codes: BTreeSet<&str> = Reason::WORDS.iter().copied().collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        let is_kebab =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(codes.iter().all(|code| code.bytes().all(is_kebab)), "{codes:?}");
    }
}

//! The reasons and warnings of the compatibility rule: stable codes, texts for people, sources.

use super::compat::HostFacts;
use super::version::WindowsVersion;

/// Microsoft's page with the host and image table.
pub const SOURCE_COMPATIBILITY: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/version-compatibility";
/// Microsoft's page on the two isolation modes.
const SOURCE_ISOLATION: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/manage-containers/hyperv-container";
/// Microsoft's page on the February 2020 update.
const SOURCE_UPDATE: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/update-containers";
/// Microsoft's page on the Annual Channel as a container host.
const SOURCE_PORTABILITY: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/portability";
/// Microsoft's page on what a client or server needs to run containers.
const SOURCE_REQUIREMENTS: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/system-requirements";
/// The rule as the newest containerd matcher has it (v1.0.0-rc.5).
const SOURCE_CONTAINERD: &str = "https://github.com/containerd/platforms";
/// Released engines with the older matcher.
const SOURCE_ENGINE_BUG: &str = "https://github.com/moby/moby/issues/53397";
/// A newer revision than the host's that did not start.
const SOURCE_NEWER_REVISION: &str = "https://github.com/actions/runner-images/issues/11582";
/// Windows in Kubernetes.
const SOURCE_KUBERNETES: &str = "https://kubernetes.io/docs/concepts/windows/intro/";
/// Pulling by tag with containerd applies the process rule.
const SOURCE_PULL: &str = "https://github.com/microsoft/Windows-Containers/issues/170";
/// Images of an older build on a build with an enablement package.
const SOURCE_ENABLEMENT: &str = "https://github.com/docker/for-win/issues/5148";
/// Trouble in process isolation on Windows Server 2025.
const SOURCE_FIELD_REPORTS: &str = "https://github.com/microsoft/Windows-Containers/issues/647";
/// Images published without os.version.
const SOURCE_OS_VERSION: &str = "https://github.com/containerd/containerd/issues/8070";

/// Why a verdict is what it is, or what to look out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Process: equal builds (R2, R3).
    SameBuild,
    /// Process on 14393: equal builds and revisions (R4).
    SameRevision,
    /// Process: an older image within the stable interface (R3).
    StableInterface,
    /// Hyper-V: the image is not newer than the host (R1).
    HyperVRunsOlderOrEqual,
    /// Hyper-V, although process isolation works too: it is the default of clients (R8).
    HyperVIsClientDefault,
    /// Neither mode: the image is newer than the host (R1).
    ImageNewerThanHost,
    /// Process below 20348: the builds differ (R2).
    BuildDiffers,
    /// Process from 20348 on: the image is older than the floor (R3).
    ImageBeforeStableInterface,
    /// Process on 14393: the revisions differ (R4).
    RevisionDiffers,
    /// Process on 14393: the host's revision is not known (R4).
    HostRevisionUnknown,
    /// Process on 14393: the image's revision is not known (R4).
    ImageRevisionUnknown,
    /// Process on a client before 17763 (R7).
    ClientTooOldForProcess,
    /// Windows Home runs no containers (R7).
    EditionWithoutContainers,
    /// Hyper-V isolation on Kubernetes (R9).
    KubernetesProcessOnly,
    /// The image does not say which Windows it is.
    ImageWithoutOsVersion,

    /// Warning: the image's revision is above the host's (R6).
    ImageRevisionNewerThanHost,
    /// Warning: host and image are on different sides of the February 2020 update (R5).
    AcrossFebruary2020,
    /// Warning: sources disagree whether 16299 and 17134 need equal revisions (R4).
    RevisionMatchDisputed,
    /// Warning: process isolation on a client is for development and test (R7).
    ClientProcessIsForDevelopment,
    /// Warning: Microsoft's table denies process isolation on Windows 10, its page on isolation
    /// modes allows it.
    ClientProcessDisputed,
    /// Warning: some released engines refuse to pull this image on this host (R3).
    EngineMayRefusePull,
    /// Warning: field reports prefer Hyper-V isolation here.
    FieldReportsPreferHyperV,
    /// Warning on a refusal: people report that it runs, unsupported.
    ReportedToRunUnsupported,
    /// Warning: the host is not in the list of Kubernetes node versions (R9).
    KubernetesNodeNotListed,
    /// Warning: Hyper-V isolation needs its role (R11).
    HyperVNeedsRole,
    /// Warning: containerd refuses the pull by tag of an image meant for Hyper-V isolation (R12).
    ContainerdMayRefusePull,
    /// Warning: Hyper-V isolation on the Annual Channel is not documented (R10).
    AnnualChannelHyperVUndocumented,
}

impl Reason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 27] = [
        Self::SameBuild,
        Self::SameRevision,
        Self::StableInterface,
        Self::HyperVRunsOlderOrEqual,
        Self::HyperVIsClientDefault,
        Self::ImageNewerThanHost,
        Self::BuildDiffers,
        Self::ImageBeforeStableInterface,
        Self::RevisionDiffers,
        Self::HostRevisionUnknown,
        Self::ImageRevisionUnknown,
        Self::ClientTooOldForProcess,
        Self::EditionWithoutContainers,
        Self::KubernetesProcessOnly,
        Self::ImageWithoutOsVersion,
        Self::ImageRevisionNewerThanHost,
        Self::AcrossFebruary2020,
        Self::RevisionMatchDisputed,
        Self::ClientProcessIsForDevelopment,
        Self::ClientProcessDisputed,
        Self::EngineMayRefusePull,
        Self::FieldReportsPreferHyperV,
        Self::ReportedToRunUnsupported,
        Self::KubernetesNodeNotListed,
        Self::HyperVNeedsRole,
        Self::ContainerdMayRefusePull,
        Self::AnnualChannelHyperVUndocumented,
    ];

    /// The stable code, part of the interface.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SameBuild => "same-build",
            Self::SameRevision => "same-revision",
            Self::StableInterface => "stable-interface",
            Self::HyperVRunsOlderOrEqual => "hyperv-runs-older-or-equal",
            Self::HyperVIsClientDefault => "hyperv-is-client-default",
            Self::ImageNewerThanHost => "image-newer-than-host",
            Self::BuildDiffers => "build-differs",
            Self::ImageBeforeStableInterface => "image-before-stable-interface",
            Self::RevisionDiffers => "revision-differs",
            Self::HostRevisionUnknown => "host-revision-unknown",
            Self::ImageRevisionUnknown => "image-revision-unknown",
            Self::ClientTooOldForProcess => "client-too-old-for-process",
            Self::EditionWithoutContainers => "edition-without-containers",
            Self::KubernetesProcessOnly => "kubernetes-process-only",
            Self::ImageWithoutOsVersion => "image-without-os-version",
            Self::ImageRevisionNewerThanHost => "image-revision-newer-than-host",
            Self::AcrossFebruary2020 => "across-february-2020",
            Self::RevisionMatchDisputed => "revision-match-disputed",
            Self::ClientProcessIsForDevelopment => "client-process-is-for-development",
            Self::ClientProcessDisputed => "client-process-disputed",
            Self::EngineMayRefusePull => "engine-may-refuse-pull",
            Self::FieldReportsPreferHyperV => "field-reports-prefer-hyperv",
            Self::ReportedToRunUnsupported => "reported-to-run-unsupported",
            Self::KubernetesNodeNotListed => "kubernetes-node-not-listed",
            Self::HyperVNeedsRole => "hyperv-needs-role",
            Self::ContainerdMayRefusePull => "containerd-may-refuse-pull",
            Self::AnnualChannelHyperVUndocumented => "annual-channel-hyperv-undocumented",
        }
    }

    /// The public source of the rule behind this reason.
    pub const fn source(self) -> &'static str {
        match self {
            Self::StableInterface | Self::ImageBeforeStableInterface => SOURCE_CONTAINERD,
            Self::ClientTooOldForProcess
            | Self::ClientProcessIsForDevelopment
            | Self::ClientProcessDisputed
            | Self::HyperVIsClientDefault
            | Self::HyperVNeedsRole => SOURCE_ISOLATION,
            Self::EditionWithoutContainers => SOURCE_REQUIREMENTS,
            Self::KubernetesProcessOnly | Self::KubernetesNodeNotListed => SOURCE_KUBERNETES,
            Self::ImageWithoutOsVersion => SOURCE_OS_VERSION,
            Self::ImageRevisionNewerThanHost => SOURCE_NEWER_REVISION,
            Self::AcrossFebruary2020 => SOURCE_UPDATE,
            Self::EngineMayRefusePull => SOURCE_ENGINE_BUG,
            Self::FieldReportsPreferHyperV => SOURCE_FIELD_REPORTS,
            Self::ReportedToRunUnsupported => SOURCE_ENABLEMENT,
            Self::ContainerdMayRefusePull => SOURCE_PULL,
            Self::AnnualChannelHyperVUndocumented => SOURCE_PORTABILITY,
            Self::SameBuild
            | Self::SameRevision
            | Self::HyperVRunsOlderOrEqual
            | Self::ImageNewerThanHost
            | Self::BuildDiffers
            | Self::RevisionDiffers
            | Self::HostRevisionUnknown
            | Self::ImageRevisionUnknown
            | Self::RevisionMatchDisputed => SOURCE_COMPATIBILITY,
        }
    }

    /// The reason in words, for this host and this image.
    pub fn message(self, host: HostFacts, image: Option<WindowsVersion>) -> String {
        let host = host.version;
        let image =
            image.map_or_else(|| "of unknown version".to_owned(), |image| image.to_string());
        match self {
            Self::SameBuild => format!(
                "image {image} and host {host} are the same build, which process isolation needs"
            ),
            Self::SameRevision => {
                format!(
                    "image {image} and host {host} are the same revision, which process isolation \
                     needs on 14393"
                )
            }
            Self::StableInterface => format!(
                "host {host} runs image {image} in process isolation: since 20348 a host also \
                 runs images from the long-term release before its own, up to its own build"
            ),
            Self::HyperVRunsOlderOrEqual => {
                format!(
                    "Hyper-V isolation runs images that are not newer than the host: image \
                     {image}, host {host}"
                )
            }
            Self::HyperVIsClientDefault => "Hyper-V isolation is the default on Windows clients; \
                                            process isolation works there for development and test"
                .to_owned(),
            Self::ImageNewerThanHost => format!(
                "image {image} is newer than host {host}; no isolation mode runs that: use an \
                 older tag or a newer host"
            ),
            Self::BuildDiffers => format!(
                "process isolation needs equal builds on hosts before 20348: image {image}, host \
                 {host}"
            ),
            Self::ImageBeforeStableInterface => format!(
                "image {image} is too old for process isolation on host {host}, which begins at \
                 build {}",
                super::compat::stable_floor(host.build)
            ),
            Self::RevisionDiffers => format!(
                "process isolation on 14393 needs equal revisions: image {image}, host {host}"
            ),
            Self::HostRevisionUnknown => "process isolation on 14393 needs equal revisions, and \
                                          the host's is not known: give the full version, such as \
                                          14393.1770, to learn whether it is possible"
                .to_owned(),
            Self::ImageRevisionUnknown => format!(
                "process isolation on 14393 needs equal revisions, and the image's is not known: \
                 image {image}, host {host}"
            ),
            Self::ClientTooOldForProcess => {
                format!(
                    "Windows clients run process isolation from build 17763 on, with Docker \
                     18.09.1 or newer; host {host}"
                )
            }
            Self::EditionWithoutContainers => {
                "Windows Home cannot run Windows containers; Pro and Enterprise can".to_owned()
            }
            Self::KubernetesProcessOnly => {
                "Kubernetes runs Windows containers in process isolation only".to_owned()
            }
            Self::ImageWithoutOsVersion => "the image does not say which Windows it is (no \
                                            os.version), so nobody can tell where it runs"
                .to_owned(),
            Self::ImageRevisionNewerThanHost => format!(
                "image {image} has a newer revision than host {host}; in process isolation that \
                 has failed with 0xc0370106: update the host, or pin an image revision that is \
                 not newer"
            ),
            Self::AcrossFebruary2020 => format!(
                "image {image} and host {host} are on different sides of the February 2020 \
                 update; 32-bit programs fail in process isolation until both are on the same side"
            ),
            Self::RevisionMatchDisputed => format!(
                "Microsoft's pages since 2020 say that process isolation on builds before 17763 \
                 might not start unless the revisions are equal; those of 2018 and 2019 exempt \
                 1709 and 1803: image {image}, host {host}"
            ),
            Self::ClientProcessIsForDevelopment => "process isolation on a Windows client is for \
                                                    development and test; its default is Hyper-V"
                .to_owned(),
            Self::ClientProcessDisputed => "Microsoft's compatibility table shows no process \
                                            isolation on Windows 10; its page on isolation modes \
                                            allows it from version 1809 on"
                .to_owned(),
            Self::EngineMayRefusePull => format!(
                "Docker up to 29.7 with the containerd image store and containerd 2.1 to 2.3 \
                 refuse to pull image {image} on host {host}; pull the -amd64 tag or the digest \
                 of the manifest there"
            ),
            Self::FieldReportsPreferHyperV => "some report trouble with process isolation of \
                                               older images on 26100 (service start, http.sys); \
                                               Hyper-V isolation is the way around it"
                .to_owned(),
            Self::ReportedToRunUnsupported => format!(
                "people report that image {image} runs in process isolation on host {host}, which \
                 shares its kernel; Microsoft does not support it"
            ),
            Self::KubernetesNodeNotListed => "Kubernetes documents Windows Server 2022 and 2025 \
                                              as node versions; this host is neither"
                .to_owned(),
            Self::HyperVNeedsRole => "Hyper-V isolation needs the Hyper-V role on the host, and \
                                      nested virtualization in a virtual machine; ARM64 has none"
                .to_owned(),
            Self::ContainerdMayRefusePull => "containerd applies the process rule when it pulls, \
                                              so it refuses this image by its multi-platform tag; \
                                              pull the -amd64 tag or the digest of the manifest"
                .to_owned(),
            Self::AnnualChannelHyperVUndocumented => "Microsoft documents only process isolation \
                                                      with Windows Server 2022 images on the \
                                                      Annual Channel"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            assert!(
                code.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{code}"
            );
        }
    }
}

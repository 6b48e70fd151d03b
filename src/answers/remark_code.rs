//! The stable codes of warnings, and the public source of each.

use crate::platforms::swarm;
use crate::windows::{Reason, SOURCE_COMPATIBILITY};
use crate::words::words;

words! {
    /// The codes of remarks that are no reasons of the compatibility rule.
    pub enum RemarkCode {
        AsOfByRule = "as-of-by-rule",
        AsOfUnknown = "as-of-unknown",
        EmbeddedDigestUnknown = "embedded-digest-unknown",
        EmbeddedTagMayHaveMoved = "embedded-tag-may-have-moved",
        EmbeddedTagNotProven = "embedded-tag-not-proven",
        EnginePickUnknown = "engine-pick-unknown",
        EnginePicksOther = "engine-picks-other",
        HostAmbiguous = "host-ambiguous",
        HostBuildNotListed = "host-build-not-listed",
        HostContradictsKind = "host-contradicts-kind",
        HostOutOfSupport = "host-out-of-support",
        HostSupportLimited = "host-support-limited",
        HyperVByDefault = "hyperv-by-default",
        ImageOutOfSupport = "image-out-of-support",
        KnownByNameOnly = "known-by-name-only",
        LegacyName = "legacy-name",
        ManifestUnavailable = "manifest-unavailable",
        NoImageForHost = "no-image-for-host",
        NextVersion = "next-version",
        NodeContradictsItself = "node-contradicts-itself",
        OtherFormOfTag = "other-form-of-tag",
        RegistryContradictsTag = "registry-contradicts-tag",
        RegistryNotUsed = "registry-not-used",
        SafePin = "safe-pin",
        SharedTagUnknown = "shared-tag-unknown",
        SisterImage = "sister-image",
        SwarmIgnoresOsVersion = "swarm-ignores-os-version",
        TablesOld = "tables-old",
        TagSkipped = "tag-skipped",
    }
}

impl RemarkCode {
    /// The public source of every remark with this code.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::AsOfByRule
            | Self::AsOfUnknown
            | Self::EmbeddedTagMayHaveMoved
            | Self::ImageOutOfSupport => SOURCE_IMAGE_LIFECYCLE,
            Self::EnginePicksOther => SOURCE_MATCHER,
            Self::HostAmbiguous
            | Self::HostBuildNotListed
            | Self::HostContradictsKind
            | Self::HostOutOfSupport
            | Self::HostSupportLimited => SOURCE_LIFECYCLE,
            Self::TablesOld => SOURCE_RELEASE_INFORMATION,
            Self::HyperVByDefault => swarm::SOURCE_STEPS,
            Self::LegacyName => SOURCE_MAPPING,
            Self::NodeContradictsItself => SOURCE_COMPATIBILITY,
            Self::OtherFormOfTag => Reason::SameRevision.source(),
            Self::SisterImage => SOURCE_BASE_IMAGES,
            Self::SafePin => Reason::ImageRevisionNewerThanHost.source(),
            Self::SwarmIgnoresOsVersion => swarm::SOURCE_OS_VERSION,
            Self::EmbeddedDigestUnknown
            | Self::EmbeddedTagNotProven
            | Self::EnginePickUnknown
            | Self::KnownByNameOnly
            | Self::ManifestUnavailable
            | Self::NextVersion
            | Self::NoImageForHost
            | Self::SharedTagUnknown
            | Self::RegistryContradictsTag
            | Self::RegistryNotUsed
            | Self::TagSkipped => SOURCE_DISTRIBUTION,
        }
    }
}

/// Microsoft's page on the base images and what each contains.
const SOURCE_BASE_IMAGES: &str = "https://learn.microsoft.com/en-us/virtualization/\
                                  windowscontainers/manage-containers/container-base-images";
/// Microsoft's page on the life of base images.
const SOURCE_IMAGE_LIFECYCLE: &str = concat!(
    "https://learn.microsoft.com/en-us/virtualization/windowscontainers/",
    "deploy-containers/base-image-lifecycle"
);
/// How containerd's library, which most engines use, compares Windows versions.
const SOURCE_MATCHER: &str =
    "https://github.com/containerd/platforms/blob/main/platform_windows_compat.go";
/// Microsoft's list of updates.
const SOURCE_RELEASE_INFORMATION: &str =
    "https://learn.microsoft.com/en-us/windows/release-health/windows-server-release-info";
/// Microsoft's product lifecycle pages.
const SOURCE_LIFECYCLE: &str = "https://learn.microsoft.com/en-us/lifecycle/products/";
/// The successors of the repositories on Docker Hub.
const SOURCE_MAPPING: &str = concat!(
    "https://github.com/microsoft/containerregistry/",
    "blob/main/docs/dockerhub-to-mcr-repo-mapping.md"
);
/// How registries serve tags and manifests.
const SOURCE_DISTRIBUTION: &str =
    "https://github.com/opencontainers/distribution-spec/blob/main/spec.md";
/// The meaning of the labels of a Kubernetes node.
pub(super) const SOURCE_NODE_LABELS: &str =
    "https://kubernetes.io/docs/reference/node/node-labels/";

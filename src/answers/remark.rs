//! What an answer says beside its values: reasons and warnings, with stable codes.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::images::NamedImage;
use crate::windows::{
    HostFacts, HostKind, Platform, Reason, Release, SOURCE_COMPATIBILITY, WindowsVersion,
};

/// A reason or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RemarkObject)]
pub struct Remark {
    /// The stable code.
    #[schema(example = "same-build")]
    pub code: &'static str,
    /// In words, for people; it may change.
    #[schema(example = "image 10.0.16299.1087 and host 10.0.16299 are the same build, which \
                        process isolation needs")]
    pub message: String,
    /// Where this comes from.
    pub source: &'static str,
}

/// Microsoft's page on the life of base images.
const SOURCE_IMAGE_LIFECYCLE: &str = "https://learn.microsoft.com/en-us/virtualization/windowscontainers/deploy-containers/base-image-lifecycle";
/// Microsoft's product lifecycle pages.
const SOURCE_LIFECYCLE: &str = "https://learn.microsoft.com/en-us/lifecycle/products/";
/// Where the Docker Hub repositories went.
const SOURCE_MAPPING: &str = "https://github.com/microsoft/containerregistry/blob/main/docs/dockerhub-to-mcr-repo-mapping.md";
/// How registries serve tags and manifests.
const SOURCE_DISTRIBUTION: &str =
    "https://github.com/opencontainers/distribution-spec/blob/main/spec.md";
/// What the labels of a Kubernetes node mean.
const SOURCE_NODE_LABELS: &str = "https://kubernetes.io/docs/reference/node/node-labels/";

impl Remark {
    /// The code of a host that gets no patches any more.
    pub(super) const HOST_OUT_OF_SUPPORT: &str = "host-out-of-support";
    /// The code of an image that gets no patches any more.
    pub(super) const IMAGE_OUT_OF_SUPPORT: &str = "image-out-of-support";

    /// A reason of the compatibility rule.
    pub fn of_rule(reason: Reason, host: HostFacts, image: Option<WindowsVersion>) -> Self {
        Self {
            code: reason.as_str(),
            message: reason.message(host, image),
            source: reason.source(),
        }
    }

    fn new(code: &'static str, message: String, source: &'static str) -> Self {
        Self { code, message, source }
    }

    pub(super) fn host_out_of_support(name: &str, ended: Date) -> Self {
        Self::new(
            Self::HOST_OUT_OF_SUPPORT,
            format!("support of {name} ended on {ended}"),
            SOURCE_LIFECYCLE,
        )
    }

    pub(super) fn host_support_limited(name: &str, support: &str) -> Self {
        Self::new(
            "host-support-limited",
            format!("support of {name} is limited: {support}"),
            SOURCE_LIFECYCLE,
        )
    }

    pub(super) fn host_ambiguous(chosen: &str, others: &str) -> Self {
        Self::new(
            "host-ambiguous",
            format!(
                "taken to be {chosen}; the text could also mean {others}: give the build to be \
                 sure"
            ),
            SOURCE_LIFECYCLE,
        )
    }

    pub(super) fn host_build_not_listed(build: u32) -> Self {
        Self::new(
            "host-build-not-listed",
            format!(
                "build {build} is in no table of releases; the answer follows from the number \
                 alone"
            ),
            SOURCE_LIFECYCLE,
        )
    }

    /// The text or `host_type` says a kind that this build never was.
    pub(super) fn host_contradicts_kind(known: &Release, kind: HostKind) -> Self {
        let Release { build, name, .. } = known;
        Self::new(
            "host-contradicts-kind",
            format!(
                "build {build} is {name}, and no {kind} is known of that build; it is taken to be \
                 a {kind} all the same"
            ),
            SOURCE_LIFECYCLE,
        )
    }

    pub(super) fn image_out_of_support(what: &str, ended: Date) -> Self {
        Self::new(
            Self::IMAGE_OUT_OF_SUPPORT,
            format!("{what} has got no patches since support of the image ended on {ended}"),
            SOURCE_IMAGE_LIFECYCLE,
        )
    }

    pub(super) fn legacy_name(image: &NamedImage) -> Self {
        Self::new(
            "legacy-name",
            format!(
                "{} on Docker Hub was replaced by {}, which answers",
                image.requested, image.repository
            ),
            SOURCE_MAPPING,
        )
    }

    pub(super) fn node_contradicts(what: &str, platform: Platform) -> Self {
        let source = if platform == Platform::Kubernetes {
            SOURCE_NODE_LABELS
        } else {
            SOURCE_COMPATIBILITY
        };
        Self::new("node-contradicts-itself", what.to_owned(), source)
    }

    pub(super) fn registry_contradicts_tag(tag: &str, said: WindowsVersion) -> Self {
        Self::new(
            "registry-contradicts-tag",
            format!(
                "the registry says that {tag} is {said}, which its name does not say; the \
                 registry is believed"
            ),
            SOURCE_DISTRIBUTION,
        )
    }

    pub(super) fn tag_skipped(tag: &str, why: &str) -> Self {
        Self::new("tag-skipped", format!("{tag} was passed over: {why}"), SOURCE_DISTRIBUTION)
    }

    pub(super) fn manifest_unavailable(tag: &str, why: &str) -> Self {
        Self::new(
            "manifest-unavailable",
            format!(
                "what {tag} points to could not be read ({why}), so digest and revision are not \
                 given"
            ),
            SOURCE_DISTRIBUTION,
        )
    }

    pub(super) fn other_form(tag: &str) -> Self {
        Self::new(
            "other-form-of-tag",
            format!(
                "no KB tag names the revision that process isolation needs on 14393; {tag} does"
            ),
            Reason::SameRevision.source(),
        )
    }

    pub(super) fn safe_pin(tag: &str) -> Self {
        Self::new(
            "safe-pin",
            format!("{tag} is the newest tag whose revision is not above the host's"),
            Reason::ImageRevisionNewerThanHost.source(),
        )
    }

    pub(super) fn embedded_tag_may_have_moved(tag: &str, seen: &str) -> Self {
        Self::new(
            "embedded-tag-may-have-moved",
            format!(
                "{tag} was last seen {seen} and moves with each patch, so its digest and revision \
                 are not given"
            ),
            SOURCE_IMAGE_LIFECYCLE,
        )
    }

    pub(super) fn embedded_tag_not_proven(tag: &str) -> Self {
        Self::new(
            "embedded-tag-not-proven",
            format!(
                "the embedded catalogue knows {tag} only from mentions in public code, so its \
                 digest is not given"
            ),
            SOURCE_DISTRIBUTION,
        )
    }

    pub(super) fn embedded_digest_unknown(tag: &str) -> Self {
        Self::new(
            "embedded-digest-unknown",
            format!("the embedded catalogue has {tag} without a digest, so none is given"),
            SOURCE_DISTRIBUTION,
        )
    }
}

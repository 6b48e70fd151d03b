//! Reasons and warnings of an answer, with stable codes.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::remark_code::{RemarkCode, SOURCE_NODE_LABELS};
use crate::images::NamedImage;
use crate::windows::{HostFacts, HostKind, Platform, Reason, Release, Tables, WindowsVersion};

/// A reason or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RemarkObject)]
pub struct Remark {
    /// The stable code.
    #[schema(example = "same-build")]
    pub code: &'static str,
    /// The message for people; its wording may change.
    #[schema(example = "image 10.0.16299.1087 and host 10.0.16299 are the same build, which \
                        process isolation needs")]
    pub message: String,
    /// The public source of the statement.
    pub source: &'static str,
}

impl Remark {
    /// The code of a host that receives no updates any more.
    pub(super) const HOST_OUT_OF_SUPPORT: &str = RemarkCode::HostOutOfSupport.as_str();
    /// The code of an engine that takes another entry of the index.
    pub(super) const ENGINE_PICKS_OTHER: &str = RemarkCode::EnginePicksOther.as_str();
    /// The code of an image that receives no updates any more.
    pub(super) const IMAGE_OUT_OF_SUPPORT: &str = RemarkCode::ImageOutOfSupport.as_str();

    /// A reason of the compatibility rule.
    pub fn of_rule(reason: Reason, host: HostFacts, image: Option<WindowsVersion>) -> Self {
        Self {
            code: reason.as_str(),
            message: reason.message(host, image),
            source: reason.source(),
        }
    }

    /// The warning that newer updates are probably missing. Two Patch Tuesdays are at most 35 days
    /// apart.
    pub(super) fn tables_old(tables: &Tables, today: Date) -> Option<Self> {
        const OLD_DAYS: i32 = 40;
        let as_of = tables.as_of();
        let age = as_of.until(today).map_or(0, |age| age.get_days());
        (age > OLD_DAYS).then(|| {
            Self::new(
                RemarkCode::TablesOld,
                format!(
                    "updates of Windows are known up to {as_of}, {age} days ago, so that KBs and \
                     revisions since then are missing; let the service read --facts-from, run \
                     wintag facts update, or use a newer version"
                ),
            )
        })
    }

    /// The warning of every answer about a swarm.
    pub fn swarm_ignores_os_version() -> Self {
        Self::new(
            RemarkCode::SwarmIgnoresOsVersion,
            "Swarm considers only operating system and architecture, so all Windows nodes are the \
             same to it: without constraints a task can start on a node that cannot run its \
             image, and fails there"
                .to_owned(),
        )
    }

    /// The note on an engine that isolates every container with Hyper-V.
    pub fn hyperv_by_default() -> Self {
        Self::new(
            RemarkCode::HyperVByDefault,
            "every container of the node then runs in Hyper-V isolation, so older images run \
             too; the node needs the Hyper-V role. Since Docker 17.12 a service can choose the \
             mode itself: --isolation hyperv"
                .to_owned(),
        )
    }

    pub(super) fn new(code: RemarkCode, message: String) -> Self {
        Self { code: code.as_str(), message, source: code.source() }
    }

    /// The warning that engines take another entry than the rule, or none.
    pub(super) fn engine_picks_other(message: String) -> Self {
        Self::new(RemarkCode::EnginePicksOther, message)
    }

    /// The warning that the rule of an engine is known, but not what it takes of an image.
    pub(super) fn engine_pick_unknown(engine: &str, reference: &str, why: &str) -> Self {
        Self::new(
            RemarkCode::EnginePickUnknown,
            format!("which entry of {reference} {engine} takes is not known, only its rule: {why}"),
        )
    }

    /// The warning that a shared tag has no image for the host; `versions` are those it has.
    pub(super) fn no_image_for_host(tag: &str, versions: &[String]) -> Self {
        let message = match versions {
            [] => format!("the tag {tag} has no Windows image for this architecture"),
            versions => {
                let versions = versions.join(", ");
                format!(
                    "no image of the tag {tag} runs on the host as requested: it has {versions}"
                )
            }
        };
        Self::new(RemarkCode::NoImageForHost, message)
    }

    /// The warning that an image is for other systems only.
    pub(super) fn no_windows_image(image: &str) -> Self {
        Self::new(RemarkCode::NoImageForHost, format!("{image} has no Windows image"))
    }

    /// The warning that the answer is the next version of the software, because no image of the
    /// requested tag runs on the host in process isolation; `versions` are those that it has.
    pub(super) fn next_version(tag: &str, versions: &[String], next: &str) -> Self {
        let message = format!(
            "no image of the tag {tag} runs on the host in process isolation: it has {}; {next} is \
             the next version that does",
            versions.join(", ")
        );
        Self::new(RemarkCode::NextVersion, message)
    }

    /// The warning that only the name of the tag was read.
    pub(super) fn known_by_name_only(tag: &str) -> Self {
        Self::new(
            RemarkCode::KnownByNameOnly,
            format!(
                "no registry was queried for {tag}: its Windows release is read from its name, and \
                 whether the tag exists is not known"
            ),
        )
    }

    /// The warning that the embedded catalogue answers, because the registry does not.
    pub(super) fn registry_not_used(server: &str, why: &str) -> Self {
        let message = format!("the embedded catalogue answers instead of {server}: {why}");
        Self::new(RemarkCode::RegistryNotUsed, message)
    }

    /// The warning that the index of a shared tag could not be read.
    pub(super) fn shared_tag_unknown(tag: &str, why: &str) -> Self {
        let message = format!(
            "the tag {tag} names no Windows release, and its index is not known ({why}); this is \
             a tag of the same software by its name"
        );
        Self::new(RemarkCode::SharedTagUnknown, message)
    }

    pub(super) fn host_out_of_support(name: &str, ended: Date) -> Self {
        Self::new(RemarkCode::HostOutOfSupport, format!("support for {name} ended on {ended}"))
    }

    pub(super) fn host_support_limited(name: &str, support: &str) -> Self {
        Self::new(
            RemarkCode::HostSupportLimited,
            format!("support for {name} is limited: {support}"),
        )
    }

    pub(super) fn host_ambiguous(chosen: &str, others: &str) -> Self {
        Self::new(
            RemarkCode::HostAmbiguous,
            format!(
                "interpreted as {chosen}; the text could also mean {others}: specify the build to \
                 be certain"
            ),
        )
    }

    pub(super) fn host_build_not_listed(build: u32) -> Self {
        Self::new(
            RemarkCode::HostBuildNotListed,
            format!(
                "build {build} is not in the table of releases; the answer follows from the \
                 build number alone"
            ),
        )
    }

    /// The text or `host_type` names a kind that this build never was.
    pub(super) fn host_contradicts_kind(known: &Release, kind: HostKind) -> Self {
        let Release { build, name, .. } = known;
        Self::new(
            RemarkCode::HostContradictsKind,
            format!(
                "build {build} is {name}, and no {kind} with that build is known; the host is \
                 treated as a {kind} anyway"
            ),
        )
    }

    pub(super) fn image_out_of_support(image: &str, ended: Date) -> Self {
        Self::new(
            RemarkCode::ImageOutOfSupport,
            format!("{image} has received no updates since support ended on {ended}"),
        )
    }

    pub(super) fn legacy_name(image: &NamedImage) -> Self {
        Self::new(
            RemarkCode::LegacyName,
            format!(
                "{} on Docker Hub was replaced by {}, which is used instead",
                image.requested, image.repository
            ),
        )
    }

    pub(super) fn node_contradicts(contradiction: &str, platform: Platform) -> Self {
        let remark = Self::new(RemarkCode::NodeContradictsItself, contradiction.to_owned());
        match platform {
            Platform::Kubernetes => Self { source: SOURCE_NODE_LABELS, ..remark },
            Platform::Docker | Platform::Swarm => remark,
        }
    }

    pub(super) fn registry_contradicts_tag(tag: &str, said: WindowsVersion) -> Self {
        Self::new(
            RemarkCode::RegistryContradictsTag,
            format!(
                "the registry reports version {said} for {tag}, which its name contradicts; the \
                 registry's version is used"
            ),
        )
    }

    pub(super) fn tag_skipped(tag: &str, why: &str) -> Self {
        Self::new(RemarkCode::TagSkipped, format!("{tag} was skipped: {why}"))
    }

    pub(super) fn manifest_unavailable(tag: &str, why: &str) -> Self {
        Self::new(
            RemarkCode::ManifestUnavailable,
            format!(
                "the manifest of {tag} could not be read ({why}), so its digest and revision are \
                 missing"
            ),
        )
    }

    pub(super) fn other_form(tag: &str) -> Self {
        Self::new(
            RemarkCode::OtherFormOfTag,
            format!(
                "no KB tag has the revision that process isolation requires on build 14393; {tag} \
                 has it"
            ),
        )
    }

    pub(super) fn sister_image(reference: &str) -> Self {
        Self::new(
            RemarkCode::SisterImage,
            format!(
                "{reference} runs on this host in process isolation: where this image has no tag \
                 of the host's build, that one replaces it"
            ),
        )
    }

    pub(super) fn safe_pin(tag: &str) -> Self {
        Self::new(
            RemarkCode::SafePin,
            format!("{tag} is the newest tag whose revision is not above the host's"),
        )
    }

    pub(super) fn embedded_tag_may_have_moved(tag: &str, seen: &str) -> Self {
        Self::new(
            RemarkCode::EmbeddedTagMayHaveMoved,
            format!(
                "{tag} was last seen {seen} and moves with each update, so its digest and \
                 revision are missing"
            ),
        )
    }

    /// The warning that the builds of a shared tag are those of a former day.
    pub(super) fn embedded_builds(tag: &str, seen: &str) -> Self {
        Self::new(
            RemarkCode::EmbeddedTagMayHaveMoved,
            format!(
                "the Windows builds of the shared tag {tag} are those last seen {seen}; it may \
                 have others now"
            ),
        )
    }

    pub(super) fn embedded_tag_not_proven(tag: &str) -> Self {
        Self::new(
            RemarkCode::EmbeddedTagNotProven,
            format!(
                "the embedded catalogue has {tag} only from mentions in public code, so its \
                 digest is missing"
            ),
        )
    }

    pub(super) fn embedded_digest_unknown(tag: &str) -> Self {
        Self::new(
            RemarkCode::EmbeddedDigestUnknown,
            format!("the embedded catalogue has no digest for {tag}"),
        )
    }
}

//! The answers of `/fleet`, `/kubernetes/nodes` and `/swarm/nodes` on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::choices::TaggedImage;
use super::fleet_text::FleetFormat;
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::{
    Fleet, FleetImage, FleetNode, FleetRefusal, Freshness, Group, MAX_GROUPS, Remark, Resolution,
};
use crate::images::{Digest, NamedImage};
use crate::platforms::node::Skipped;
use crate::platforms::{kubernetes, swarm};
use crate::windows::{HostKind, Isolation, Platform, Support, WindowsVersion};

/// The parameters of `/kubernetes/nodes` and `/swarm/nodes`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NodesParams {
    /// The image that the nodes are to run; as in `/resolve`, also with a tag.
    #[param(inline, example = "servercore")]
    pub image: TaggedImage,
    /// The form of the answer; `json` by default.
    #[param(inline)]
    pub format: Option<FleetFormat>,
}

/// Reads the parameters: the image, and the form of the answer.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_nodes(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<(FleetImage, FleetFormat), Problem> {
    let mut params = Params::new::<NodesParams>(pairs);
    let image = reading.tagged_image(&mut params);
    let format = params.word("format").unwrap_or_default();
    let (image, tag) = params.finish_with(image)?;
    Ok((FleetImage { image: Arc::new(image), tag }, format))
}

impl Problem {
    /// Why this list of nodes has no answer.
    pub fn of_fleet(refusal: &FleetRefusal, image: &NamedImage) -> Self {
        match refusal {
            FleetRefusal::List(error) => {
                Self::of_parameter("body", "not-allowed", error.to_string())
            }
            FleetRefusal::Miss(miss) => Self::of_miss(miss, image),
            FleetRefusal::TooManyGroups(count) => {
                let detail = format!(
                    "these nodes have {count} Windows versions; at most {MAX_GROUPS} are \
                     allowed"
                );
                Self::of_parameter("body", "not-allowed", detail)
            }
        }
    }
}

/// The nodes of a cluster: the labels to set, and the tag for each group of nodes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nodes)]
pub struct NodesObject {
    /// The Windows nodes, in the order of the list.
    pub nodes: Vec<NodeObject>,
    /// Groups of nodes that run the same images: nodes of one build and, on 14393, of one
    /// revision. The oldest Windows first.
    pub groups: Vec<GroupObject>,
    /// The tag that runs on all Windows nodes in one isolation mode; null if there is none.
    pub one_for_all: Option<OneForAllObject>,
    /// Why no tag runs on all of them; null if one does.
    pub why: Option<String>,
    /// The nodes that were skipped.
    pub skipped: Vec<SkippedObject>,
    /// Possible problems with the cluster as a whole.
    pub warnings: Vec<Remark>,
    /// Swarm only: how to make Hyper-V isolation the default of an engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub hyperv_by_default: Option<HypervByDefaultObject>,
    /// How old the tag lists are; null if none was looked up.
    pub freshness: Option<Freshness>,
}

/// A Windows node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeObject {
    /// Its name; in the answer of `/fleet` the host as given.
    #[schema(example = "38519acs9010")]
    pub name: String,
    /// Its Windows version; three parts if the revision is not known.
    #[schema(value_type = String, example = "10.0.14393.1715")]
    pub os_version: WindowsVersion,
    /// The version name of the release; null for a build in no table.
    #[schema(example = "1607")]
    pub release: Option<String>,
    /// Server or client.
    pub kind: HostKind,
    /// The support status of the release today, as in the answer of `/identify`; null for a build
    /// in no table.
    #[schema(value_type = Option<String>, example = "extended")]
    pub support: Option<Support>,
    /// The last day of support, if support has ended.
    #[schema(format = Date)]
    pub support_ended: Option<String>,
    /// The labels to set: those that the node does not have, or has with another value.
    pub labels: BTreeMap<String, String>,
    /// The commands that set them; empty if there are no labels to set.
    pub commands: Vec<String>,
    /// Kubernetes only: a merge patch that sets them, for `kubectl patch node NAME --type merge -p
    /// PATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<Object>)]
    pub patch: Option<Value>,
    /// Possible problems, such as fields that contradict each other.
    pub warnings: Vec<Remark>,
}

/// Nodes that run the same images.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeGroup)]
pub struct GroupObject {
    /// The Windows version of the nodes: the build and, on 14393, the revision if it is known.
    #[schema(value_type = String, example = "10.0.14393.1715")]
    pub os_version: WindowsVersion,
    /// Their names.
    pub nodes: Vec<String>,
    /// The tag to use; null if none runs.
    #[schema(example = "10.0.14393.1715")]
    pub tag: Option<String>,
    /// Repository and tag, or null.
    pub reference: Option<String>,
    /// The digest that the tag points to; null if it is not known.
    #[schema(value_type = Option<String>, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Option<Digest>,
    /// The isolation mode to use, or null.
    pub isolation: Option<Isolation>,
    /// How to place pods or services on these nodes.
    #[serde(flatten)]
    pub placement: PlacementObject,
    /// Why this tag and this mode; empty if none runs.
    pub reasons: Vec<Remark>,
    /// Possible problems.
    pub warnings: Vec<Remark>,
    /// Why no tag runs, or null.
    pub problem: Option<Problem>,
}

/// How to place pods or services on nodes.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = NodePlacement)]
pub struct PlacementObject {
    /// Kubernetes only: the `nodeSelector` of pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub selector: BTreeMap<String, String>,
    /// Swarm only: the constraints of a service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub constraints: Vec<String>,
    /// Swarm only: the command that creates a service; replace the image by your own, built on
    /// this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub service: Option<String>,
}

/// The tag that runs on all Windows nodes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OneForAll)]
pub struct OneForAllObject {
    /// The tag.
    #[schema(example = "ltsc2022")]
    pub tag: String,
    /// Repository and tag.
    pub reference: String,
    /// The digest that the tag points to; null if it is not known.
    #[schema(value_type = Option<String>, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Option<Digest>,
    /// The Windows version of the image.
    #[schema(value_type = String, example = "10.0.20348")]
    pub os_version: WindowsVersion,
    /// The isolation mode that works on all of them.
    pub isolation: Isolation,
    /// How to keep pods or services on Windows nodes.
    #[serde(flatten)]
    pub placement: PlacementObject,
    /// Possible problems on the oldest of the nodes.
    pub warnings: Vec<Remark>,
}

/// A node that was skipped.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SkippedNode)]
pub struct SkippedObject {
    /// Its name, or the host as given; null if it has none that can be shown.
    pub name: Option<String>,
    /// Why, as a stable code: `not-windows`, `version-unknown`, `name-not-usable`, `not-a-node`; in
    /// the answer of `/fleet`, `unknown-host`, `ambiguous`, `not-allowed`.
    #[schema(example = "not-windows")]
    pub code: String,
    /// Why, and how to continue, for people.
    pub message: String,
}

/// How to make Hyper-V isolation the default of an engine, for services that cannot select it
/// (Docker before 17.12).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HypervByDefault)]
pub struct HypervByDefaultObject {
    /// The file, on each Windows node.
    pub file: String,
    /// Its content.
    #[schema(value_type = Object)]
    pub content: Value,
    /// The command that makes the engine read it.
    pub command: String,
    /// Its effect and requirements.
    pub note: Remark,
}

impl NodesObject {
    /// The answer of `/kubernetes/nodes`.
    pub fn of_kubernetes(fleet: &Fleet) -> Self {
        Self::new(fleet, Platform::Kubernetes)
    }

    /// The answer of `/swarm/nodes`.
    pub fn of_swarm(fleet: &Fleet) -> Self {
        let content = serde_json::from_str(swarm::DAEMON_JSON).unwrap_or_default();
        Self {
            warnings: vec![Remark::swarm_ignores_os_version()],
            hyperv_by_default: Some(HypervByDefaultObject {
                file: swarm::DAEMON_JSON_PATH.to_owned(),
                content,
                command: swarm::RESTART_ENGINE.to_owned(),
                note: Remark::hyperv_by_default(),
            }),
            ..Self::new(fleet, Platform::Swarm)
        }
    }

    /// The answer for these nodes on this platform.
    pub fn new(fleet: &Fleet, platform: Platform) -> Self {
        let one = fleet.one_for_all.as_ref();
        Self {
            nodes: fleet.nodes.iter().map(|node| node_object(node, platform)).collect(),
            groups: fleet.groups.iter().map(|group| group_object(group, platform)).collect(),
            one_for_all: one.ok().map(|resolution| one_for_all(resolution, platform)),
            why: one.err().cloned(),
            skipped: fleet.skipped.iter().map(SkippedObject::from).collect(),
            warnings: Vec::new(),
            hyperv_by_default: None,
            freshness: fleet.freshness,
        }
    }
}

fn node_object(described: &FleetNode, platform: Platform) -> NodeObject {
    let FleetNode { node, host, warnings } = described;
    let has_labels = !node.labels.is_empty();
    let (command, patch) = match platform {
        Platform::Kubernetes => (
            kubernetes::label_command(&node.name, &node.labels),
            Some(kubernetes::label_patch(&node.labels)),
        ),
        Platform::Docker | Platform::Swarm => {
            (swarm::label_command(&node.name, &node.labels), None)
        }
    };
    NodeObject {
        name: node.name.clone(),
        os_version: host.os_version,
        release: host.release.clone(),
        kind: host.kind,
        support: host.support,
        support_ended: host.support_ended.map(|ended| ended.to_string()),
        labels: node.labels.clone(),
        commands: has_labels.then_some(command).into_iter().collect(),
        patch: patch.filter(|_| has_labels),
        warnings: warnings.clone(),
    }
}

fn group_object(group: &Group, platform: Platform) -> GroupObject {
    let resolution = group.answer.as_ref().ok();
    let problem =
        group.answer.as_ref().err().map(|refusal| Problem::of_refusal(refusal, &group.question));
    GroupObject {
        os_version: group.version,
        nodes: group.nodes.clone(),
        tag: resolution.map(|resolution| resolution.tag.clone()),
        reference: resolution.map(|resolution| resolution.reference.clone()),
        digest: resolution.and_then(|resolution| resolution.digest.clone()),
        isolation: resolution.map(|resolution| resolution.isolation),
        placement: placement(Some(group.version), resolution, platform),
        reasons: resolution.map(|resolution| resolution.reasons.clone()).unwrap_or_default(),
        warnings: resolution.map(|resolution| resolution.warnings.clone()).unwrap_or_default(),
        problem,
    }
}

fn one_for_all(resolution: &Resolution, platform: Platform) -> OneForAllObject {
    OneForAllObject {
        tag: resolution.tag.clone(),
        reference: resolution.reference.clone(),
        digest: resolution.digest.clone(),
        os_version: resolution.os_version,
        isolation: resolution.isolation,
        placement: placement(None, Some(resolution), platform),
        warnings: resolution.warnings.clone(),
    }
}

/// The placement on nodes of this version; without a version, on any Windows node.
fn placement(
    node: Option<WindowsVersion>,
    resolution: Option<&Resolution>,
    platform: Platform,
) -> PlacementObject {
    match platform {
        Platform::Docker => return PlacementObject::default(),
        Platform::Kubernetes => {
            return PlacementObject {
                selector: kubernetes::node_selector(node),
                ..PlacementObject::default()
            };
        }
        Platform::Swarm => {}
    }
    let isolation = resolution.map_or(Isolation::Process, |resolution| resolution.isolation);
    let constraints = match node {
        Some(node) => swarm::constraints(node, isolation),
        None => vec![swarm::ANY_WINDOWS.to_owned()],
    };
    let name = node.map_or_else(|| "windows".to_owned(), kubernetes::object_name);
    let service = resolution.map(|found| {
        swarm::service_command(&name, &found.reference, found.isolation, &constraints)
    });
    PlacementObject { constraints, service, ..PlacementObject::default() }
}

impl From<&Skipped> for SkippedObject {
    fn from(skipped: &Skipped) -> Self {
        Self {
            name: skipped.name.clone(),
            code: skipped.reason.code().to_owned(),
            message: skipped.reason.to_string(),
        }
    }
}

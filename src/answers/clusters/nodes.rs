//! The use case behind `/fleet`, `/kubernetes/nodes` and `/swarm/nodes`: which tag each group of
//! nodes runs, and whether one tag runs on all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::answers::context::Context;
use crate::answers::host::HostDescription;
use crate::answers::question::{AskedHost, ResolveQuestion};
use crate::answers::remark::Remark;
use crate::answers::resolve::{Resolution, ResolveRefusal, resolve};
use crate::catalogue::{Freshness, Miss};
use crate::images::{NamedImage, Tag};
use crate::platforms::node::{ListError, Node, Skipped};
use crate::platforms::{kubernetes, swarm};
use crate::windows::{
    BUILD_2016, Edition, Host, HostKind, Isolation, Platform, Verdict, WindowsVersion, verdict,
};

/// The most groups in an answer. Each costs a query to a registry, and there are fewer builds of
/// Windows; revisions matter on 14393 only.
pub const MAX_GROUPS: usize = 64;

/// The answer for a list of nodes.
#[derive(Debug)]
pub struct Fleet {
    /// The Windows nodes, in the order of the list.
    pub nodes: Vec<FleetNode>,
    /// Nodes on which the same images run, the oldest Windows first.
    pub groups: Vec<Group>,
    /// The one tag that runs on all Windows nodes, or why there is none.
    pub one_for_all: Result<Resolution, String>,
    pub skipped: Vec<Skipped>,
    /// How old the tag lists are; `None` if none was looked up.
    pub freshness: Option<Freshness>,
}

#[derive(Debug)]
pub struct FleetNode {
    pub node: Node,
    pub host: HostDescription,
    pub warnings: Vec<Remark>,
}

/// Nodes on which the same images run: those of one build and, on 14393, of one revision.
#[derive(Debug)]
pub struct Group {
    /// The version they have in common, with its revision on 14393 only.
    pub version: WindowsVersion,
    /// Their names.
    pub nodes: Vec<String>,
    /// The question for the group: that for its node of the lowest revision.
    pub question: ResolveQuestion,
    /// The tag for them, or why there is none.
    pub answer: Result<Resolution, ResolveRefusal>,
}

/// Why a list of nodes has no answer.
#[derive(Debug)]
pub enum FleetRefusal {
    /// The text is not a list of nodes.
    List(ListError),
    /// The tags are not available.
    Miss(Miss),
    /// There are more than [`MAX_GROUPS`].
    TooManyGroups(usize),
}

/// The image that the nodes are to run, and the tag whose software is wanted.
#[derive(Clone, Debug)]
pub struct FleetImage {
    pub image: Arc<NamedImage>,
    /// The tag; `None` for a base image of any tag.
    pub tag: Option<Tag>,
}

/// Answers for the output of `kubectl get nodes -o json`.
///
/// # Errors
/// When it is not a list of nodes, the tags of the image are not available, or there are too many
/// groups.
pub async fn kubernetes_nodes(
    context: &Context,
    image: &FleetImage,
    list: &[u8],
) -> Result<Fleet, FleetRefusal> {
    let read = kubernetes::nodes::read(list, &context.tables).map_err(FleetRefusal::List)?;
    answer_for_nodes(context, image, Platform::Kubernetes, read).await
}

/// Answers for the outputs of `docker node inspect` and `docker info`.
///
/// # Errors
/// As [`kubernetes_nodes`].
pub async fn swarm_nodes(
    context: &Context,
    image: &FleetImage,
    list: &[u8],
) -> Result<Fleet, FleetRefusal> {
    let read = swarm::nodes::read(list, &context.tables).map_err(FleetRefusal::List)?;
    answer_for_nodes(context, image, Platform::Swarm, read).await
}

/// Answers for hosts that are given by their Windows versions; the text of each is its name. One
/// that could not be read is skipped, as in a list of nodes.
///
/// # Errors
/// As [`kubernetes_nodes`].
pub async fn fleet(
    context: &Context,
    image: &FleetImage,
    platform: Platform,
    hosts: Vec<Result<AskedHost, Skipped>>,
) -> Result<Fleet, FleetRefusal> {
    let nodes = hosts.into_iter().map(|host| {
        let AskedHost { requested, version, kind, edition, name, could_mean } = host?;
        Ok(Node {
            name: requested.clone(),
            host: Host { requested, version, kind, edition, name },
            could_mean,
            labels: BTreeMap::new(),
            contradictions: Vec::new(),
        })
    });
    answer_for_nodes(context, image, platform, nodes.collect()).await
}

/// The Windows versions of the nodes in a list of Kubernetes or, if it is none, of Swarm, each
/// once; and which of the two it is.
///
/// # Errors
/// When it is neither; the text names the command of Kubernetes.
pub fn versions_of_nodes(
    context: &Context,
    list: &[u8],
) -> Result<(Platform, BTreeSet<WindowsVersion>), ListError> {
    let tables = &context.tables;
    let (platform, nodes) = match kubernetes::nodes::read(list, tables) {
        Ok(nodes) => (Platform::Kubernetes, nodes),
        Err(error) => (Platform::Swarm, swarm::nodes::read(list, tables).map_err(|_| error)?),
    };
    Ok((platform, nodes.into_iter().flatten().map(|node| node.host.version).collect()))
}

async fn answer_for_nodes(
    context: &Context,
    image: &FleetImage,
    platform: Platform,
    read: Vec<Result<Node, Skipped>>,
) -> Result<Fleet, FleetRefusal> {
    let (mut nodes, mut skipped) = (Vec::new(), Vec::new());
    for node in read {
        match node {
            Ok(node) => nodes.push(node),
            Err(left_out) => skipped.push(left_out),
        }
    }
    let together = group(&nodes);
    if together.len() > MAX_GROUPS {
        return Err(FleetRefusal::TooManyGroups(together.len()));
    }
    let answers = join_all(together.into_iter().map(|(key, members)| async move {
        let question = question_for(image, platform, &members);
        let answer = resolve(context, &question).await;
        let nodes = members.iter().map(|node| node.name.clone()).collect();
        Group { version: key.0, nodes, question, answer }
    }));
    let groups = answers.await;
    if let Some(Err(ResolveRefusal::Miss(miss))) = groups
        .iter()
        .map(|group| &group.answer)
        .find(|answer| matches!(answer, Err(ResolveRefusal::Miss(_))))
    {
        return Err(FleetRefusal::Miss(miss.clone()));
    }
    let freshness = groups.iter().filter_map(freshness_of).reduce(Freshness::combine);
    let nodes = nodes.into_iter().map(|node| describe(node, context, platform)).collect();
    let mut fleet = Fleet { nodes, groups, one_for_all: Err(String::new()), skipped, freshness };
    fleet.one_for_all = one_for_all(context, platform, &fleet).await;
    Ok(fleet)
}

impl Fleet {
    /// How many of those that were skipped may run Windows.
    pub fn unknown(&self) -> usize {
        self.skipped.iter().filter(|left_out| left_out.reason.may_be_windows()).count()
    }

    /// Whether each node that may run Windows has a tag, and there is any.
    pub fn is_complete(&self) -> bool {
        let have_tags = self.groups.iter().all(|group| group.answer.is_ok());
        have_tags && !self.groups.is_empty() && self.unknown() == 0
    }
}

/// Groups the nodes by the facts that decide which images run there: the version (with the revision
/// on 14393 only), the kind, and the edition.
fn group(nodes: &[Node]) -> BTreeMap<(WindowsVersion, HostKind, bool), Vec<&Node>> {
    let mut groups: BTreeMap<_, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        let Host { version, kind, edition, .. } = node.host;
        let counts = if version.build == BUILD_2016 { version } else { version.without_revision() };
        groups.entry((counts, kind, edition == Edition::Home)).or_default().push(node);
    }
    groups
}

/// The question for a group. Its lowest known revision stands for all, because a newer image can
/// fail on it.
fn question_for(image: &FleetImage, platform: Platform, members: &[&Node]) -> ResolveQuestion {
    let known = members.iter().filter(|node| node.host.version.revision.is_some());
    let lowest = known.min_by_key(|node| node.host.version).or(members.first());
    let host =
        lowest.map(|node| node.host.clone()).expect("a group is created with its first node");
    let host = Host { requested: host.version.to_string(), ..host };
    let host = AskedHost::new(host, Vec::new());
    let FleetImage { image, tag } = image.clone();
    ResolveQuestion { tag, platform, ..ResolveQuestion::new(image, host) }
}

/// The tag that runs on every node. If any does, it is the tag for the oldest Windows: newer images
/// do not run there. Process isolation on all nodes is preferred to Hyper-V isolation on all,
/// except if all are clients, whose default is Hyper-V isolation. If the version of any node is
/// unknown, no tag can be known to run on all.
async fn one_for_all(
    context: &Context,
    platform: Platform,
    fleet: &Fleet,
) -> Result<Resolution, String> {
    let groups = fleet.groups.as_slice();
    let unknown = fleet.unknown();
    if unknown > 0 {
        let which = if unknown == 1 { "one node" } else { "several nodes" };
        return Err(format!(
            "the Windows version of {which} under skipped is unknown; find it out as described \
             there, and ask again"
        ));
    }
    let Some(oldest) = groups.first() else {
        return Err("the list has no Windows node".to_owned());
    };
    let are_clients = groups.iter().all(|group| group.question.host.kind == HostKind::Client);
    let modes: &[Isolation] = match platform {
        Platform::Kubernetes => &[Isolation::Process],
        Platform::Docker | Platform::Swarm if are_clients => {
            &[Isolation::HyperV, Isolation::Process]
        }
        Platform::Docker | Platform::Swarm => &[Isolation::Process, Isolation::HyperV],
    };
    let mut why = Vec::new();
    for mode in modes {
        let question = ResolveQuestion { isolation: Some(*mode), ..oldest.question.clone() };
        let Ok(resolution) = resolve(context, &question).await else {
            why.push(format!("no tag runs on {} in {} isolation", oldest.version, name_of(*mode)));
            continue;
        };
        let refused = groups.iter().find_map(|group| refusal(group, resolution.os_version, *mode));
        match refused {
            None => return Ok(resolution),
            Some(reason) => why.push(reason),
        }
    }
    if platform == Platform::Kubernetes {
        why.push("Kubernetes has no other isolation mode".to_owned());
    }
    Err(why.join("; "))
}

/// Why this image does not run on this group.
fn refusal(group: &Group, image: WindowsVersion, mode: Isolation) -> Option<String> {
    let facts = group.question.host.facts();
    let compatibility = verdict(facts, Some(image), group.question.platform);
    let of_mode = compatibility.of(mode);
    if of_mode.verdict == Verdict::Yes {
        return None;
    }
    let reasons: Vec<String> =
        of_mode.reasons.iter().map(|reason| reason.message(facts, Some(image))).collect();
    Some(reasons.join("; "))
}

fn freshness_of(group: &Group) -> Option<Freshness> {
    match &group.answer {
        Ok(resolution) => Some(resolution.freshness),
        Err(ResolveRefusal::Shortfall(_, freshness)) => Some(*freshness),
        Err(ResolveRefusal::Miss(_)) => None,
    }
}

const fn name_of(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Process => "process",
        Isolation::HyperV => "Hyper-V",
    }
}

fn describe(node: Node, context: &Context, platform: Platform) -> FleetNode {
    let asked = AskedHost::new(node.host.clone(), node.could_mean.clone());
    let host = HostDescription::of(&asked, &context.tables, context.now().date());
    let mut warnings: Vec<Remark> =
        node.contradictions.iter().map(|text| Remark::node_contradicts(text, platform)).collect();
    warnings.extend(host.remarks(&asked, &context.tables));
    FleetNode { node, host, warnings }
}

//! The admission webhook's decision: which nodes a pod needs, and what must be changed in the pod
//! to say so.
//!
//! A selector on one build is exact, but from Windows Server 2022 on an image runs on several
//! builds. So a pod gets a node selector where one build is left, and else a required node affinity
//! that lists the builds: a selector there would keep the pod off nodes that can run it. A pod that
//! runs on every known build of the cluster gets neither. What nobody can run is left as it is,
//! with a warning: no selector would help.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::affinity::{Affinity, Placement, Selector};
use super::{OS_LABEL, WINDOWS, version_labels};
use crate::platforms::node::UpTo;
use crate::windows::{
    BUILD_2016, Edition, HostFacts, HostKind, Isolation, Platform, Verdict, WindowsVersion, verdict,
};

/// So many containers of each sort are read; a pod that has more is no pod.
const MAX_CONTAINERS: usize = 100;
/// The longest warning, in bytes: what the documentation of admission webhooks advises. The API
/// server cuts long ones.
const MAX_WARNING_BYTES: usize = 120;
/// So many builds are named in a warning.
const MAX_BUILDS_NAMED: usize = 3;
/// The label of the operating system before Kubernetes 1.14; it is still understood.
const OLD_OS_LABEL: &str = "beta.kubernetes.io/os";
/// Marks a pod that the kubelet made from a file; nothing can be changed in it.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// An AdmissionReview, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The version of its form.
    pub api_version: Option<String>,
    /// What it is.
    pub kind: Option<String>,
    /// What is asked.
    pub request: Option<Request>,
}

/// What is asked: may this object be made, and with which changes?
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Names the request; the response repeats it.
    pub uid: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    sub_resource: Option<String>,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    object: Option<Pod>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    group: Option<String>,
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    annotations: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    os: Option<Os>,
    security_context: Option<SecurityContext>,
    containers: UpTo<Container, MAX_CONTAINERS>,
    init_containers: UpTo<Container, MAX_CONTAINERS>,
    ephemeral_containers: UpTo<Container, MAX_CONTAINERS>,
    node_selector: Option<Selector>,
    affinity: Option<Affinity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Os {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    image: Option<String>,
    security_context: Option<SecurityContext>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecurityContext {
    windows_options: Option<WindowsOptions>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WindowsOptions {
    host_process: Option<bool>,
}

/// An image of a pod: the versions of Windows that it holds, one for each entry of its index; none
/// when nothing is known of it.
pub type ImageVersions = Vec<WindowsVersion>;

/// The nodes that a pod could run on.
pub struct Cluster<'a> {
    /// The versions of the cluster's Windows nodes, when they were configured.
    pub nodes: &'a [WindowsVersion],
    /// Every server build there is, for a cluster of which nothing is known.
    pub server_builds: &'a [u32],
}

/// What was decided, as codes for the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is not a Windows pod, or not a pod.
    NotWindows,
    /// The kubelet made it.
    MirrorPod,
    /// Host-process containers run on any Windows.
    HostProcess,
    /// Nothing is known of its images.
    ImagesUnknown,
    /// It selects the build itself.
    SelectsItself,
    /// It selects a build that does not run its images.
    SelectsWrongly,
    /// It runs on every node, as far as these are known.
    RunsEverywhere,
    /// Nodes of some builds run it, and it now says so.
    Selected,
    /// It lacks a selector, which can no longer be added.
    TooLate,
    /// No node runs it.
    RunsNowhere,
}

impl Decision {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotWindows => "not-windows",
            Self::MirrorPod => "mirror-pod",
            Self::HostProcess => "host-process",
            Self::ImagesUnknown => "images-unknown",
            Self::SelectsItself => "selects-itself",
            Self::SelectsWrongly => "selects-wrongly",
            Self::RunsEverywhere => "runs-everywhere",
            Self::Selected => "selected",
            Self::TooLate => "too-late",
            Self::RunsNowhere => "runs-nowhere",
        }
    }
}

/// The answer to a request. The pod is always allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// What was decided.
    pub decision: Decision,
    /// The builds that run the pod, where they matter.
    pub builds: Vec<u32>,
    /// The changes, as a JSON patch (RFC 6902).
    pub patch: Vec<Value>,
    /// What the caller should know, each of at most 120 bytes.
    pub warnings: Vec<String>,
}

impl Admission {
    /// An answer that changes nothing.
    const fn unchanged(decision: Decision) -> Self {
        Self { decision, builds: Vec::new(), patch: Vec::new(), warnings: Vec::new() }
    }

    fn warning(self, text: String) -> Self {
        Self { warnings: vec![shortened(text)], ..self }
    }
}

impl Request {
    /// Answers, with what is known of each image; `versions_of` is asked once for each.
    pub fn admit(
        &self,
        cluster: &Cluster<'_>,
        versions_of: impl Fn(&str) -> ImageVersions,
    ) -> Admission {
        let spec = match self.windows_pod() {
            Ok(spec) => spec,
            Err(decision) => return Admission::unchanged(decision),
        };
        let names: BTreeSet<&str> =
            spec.all_containers().filter_map(|container| container.image.as_deref()).collect();
        let images: Vec<ImageVersions> =
            names.into_iter().map(versions_of).filter(|versions| !versions.is_empty()).collect();
        if images.is_empty() {
            return Admission::unchanged(Decision::ImagesUnknown);
        }
        if let Some(selected) = spec.placement().versions() {
            return check_selection(&selected, &images);
        }
        let admission = place(&images, cluster);
        if admission.decision != Decision::Selected {
            return admission;
        }
        // Where a pod runs cannot be changed once it is made.
        if self.operation != "CREATE"
            || self.sub_resource.as_ref().is_some_and(|name| !name.is_empty())
        {
            return Admission { decision: Decision::TooLate, ..admission };
        }
        Admission {
            patch: patch(spec.placement(), &admission.builds, &images, cluster),
            ..admission
        }
    }

    /// The specification of the pod, if this is about one that could need a selector.
    fn windows_pod(&self) -> Result<&Spec, Decision> {
        let is_core = self.kind.group.as_deref().unwrap_or_default().is_empty();
        let pod = self
            .object
            .as_ref()
            .filter(|_| is_core && self.kind.kind == "Pod")
            .ok_or(Decision::NotWindows)?;
        let spec =
            pod.spec.as_ref().filter(|spec| spec.is_windows()).ok_or(Decision::NotWindows)?;
        let annotations = pod.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
        if annotations.is_some_and(|annotations| annotations.contains_key(MIRROR_ANNOTATION)) {
            return Err(Decision::MirrorPod);
        }
        // Either all containers of a pod are of that kind, or none.
        if spec.all_containers().map(|container| &container.security_context).any(is_host_process)
            || is_host_process(&spec.security_context)
        {
            return Err(Decision::HostProcess);
        }
        Ok(spec)
    }
}

impl Spec {
    fn placement(&self) -> Placement<'_> {
        Placement { node_selector: self.node_selector.as_ref(), affinity: self.affinity.as_ref() }
    }

    fn is_windows(&self) -> bool {
        let by_selector = [OS_LABEL, OLD_OS_LABEL]
            .iter()
            .any(|label| self.placement().selected(label) == Some(WINDOWS));
        by_selector || self.os.as_ref().is_some_and(|os| os.name == WINDOWS)
    }

    fn all_containers(&self) -> impl Iterator<Item = &Container> {
        let lists = [&self.containers, &self.init_containers, &self.ephemeral_containers];
        lists.into_iter().flat_map(|UpTo(containers)| containers)
    }
}

fn is_host_process(context: &Option<SecurityContext>) -> bool {
    let options = context.as_ref().and_then(|context| context.windows_options.as_ref());
    options.and_then(|options| options.host_process) == Some(true)
}

/// What is to be said of a pod that selects its nodes itself. It is never changed.
fn check_selection(selected: &[WindowsVersion], images: &[ImageVersions]) -> Admission {
    let best = selected.iter().map(|node| runs_all(*node, images)).reduce(better);
    match best {
        None | Some(Verdict::Yes | Verdict::Unknown) => {
            Admission::unchanged(Decision::SelectsItself)
        }
        Some(Verdict::Conditional) => {
            Admission::unchanged(Decision::SelectsItself).warning(on_2016())
        }
        Some(Verdict::No) => Admission::unchanged(Decision::SelectsWrongly).warning(format!(
            "this pod selects Windows {}, which does not run its images ({})",
            listed(selected.iter().map(|version| version.build)),
            listed(builds_of(images)),
        )),
    }
}

/// Which builds run all images, and whether that has to be said in the pod.
fn place(images: &[ImageVersions], cluster: &Cluster<'_>) -> Admission {
    let nodes = candidates(images, cluster);
    let verdicts: Vec<(WindowsVersion, Verdict)> =
        nodes.iter().map(|node| (*node, runs_all(*node, images))).collect();
    let that = |wanted: Verdict| {
        verdicts.iter().filter(move |(_, verdict)| *verdict == wanted).map(|(node, _)| node)
    };
    let decided = |decision, wanted| {
        let builds: BTreeSet<u32> = that(wanted).map(|node| node.build).collect();
        Admission { builds: builds.into_iter().collect(), ..Admission::unchanged(decision) }
    };
    let all_choose_at_pull =
        images.iter().all(|versions| builds_of(std::slice::from_ref(versions)).count() > 1);
    let runs_on_all = !cluster.nodes.is_empty() && that(Verdict::Yes).count() == nodes.len();
    if runs_on_all || (cluster.nodes.is_empty() && all_choose_at_pull) {
        return Admission::unchanged(Decision::RunsEverywhere);
    }
    if that(Verdict::Yes).next().is_some() {
        return decided(Decision::Selected, Verdict::Yes);
    }
    if that(Verdict::Conditional).next().is_some() && !need_different_revisions(images) {
        return decided(Decision::Selected, Verdict::Conditional).warning(on_2016());
    }
    let builds = listed(builds_of(images));
    Admission::unchanged(Decision::RunsNowhere).warning(if cluster.nodes.is_empty() {
        format!(
            "the images of this pod need different Windows builds ({builds}); no node runs all of \
             them"
        )
    } else {
        let nodes = listed(cluster.nodes.iter().map(|node| node.build));
        format!(
            "no one Windows node of this cluster ({nodes}) runs all images of this pod ({builds})"
        )
    })
}

/// Whether images of 14393 name different revisions. Process isolation there needs that of the
/// host, which has one.
fn need_different_revisions(images: &[ImageVersions]) -> bool {
    let named = |versions: &ImageVersions| {
        let of_2016 = versions.iter().filter(|version| version.build == BUILD_2016);
        of_2016.filter_map(|version| version.revision).collect::<BTreeSet<u32>>()
    };
    let sets = images.iter().map(named).filter(|revisions| !revisions.is_empty());
    sets.reduce(|one, other| &one & &other).is_some_and(|shared| shared.is_empty())
}

/// The nodes that there could be: those of the cluster, or one of each build. On 14393 the revision
/// counts.
fn candidates(images: &[ImageVersions], cluster: &Cluster<'_>) -> BTreeSet<WindowsVersion> {
    if !cluster.nodes.is_empty() {
        return cluster.nodes.iter().copied().collect();
    }
    let own = images.iter().flatten().map(|version| match version.build {
        BUILD_2016 => *version,
        _ => version.without_revision(),
    });
    cluster.server_builds.iter().map(|build| WindowsVersion::of_build(*build)).chain(own).collect()
}

/// The change after which the pod says on which builds it runs.
fn patch(
    placement: Placement<'_>,
    builds: &[u32],
    images: &[ImageVersions],
    cluster: &Cluster<'_>,
) -> Vec<Value> {
    let [build] = builds else { return placement.require_one_of(builds) };
    let of_build = candidates(images, cluster).into_iter().filter(|node| node.build == *build);
    let exact: Vec<WindowsVersion> =
        of_build.filter(|node| runs_all(*node, images) == Verdict::Yes).collect();
    placement.select(&version_labels(match exact.as_slice() {
        [one] => *one,
        _ => WindowsVersion::of_build(*build),
    }))
}

/// Whether a node runs every image; of an index it takes the entry that runs.
fn runs_all(node: WindowsVersion, images: &[ImageVersions]) -> Verdict {
    let facts = HostFacts { version: node, kind: HostKind::Server, edition: Edition::Other };
    let runs = |version: &WindowsVersion| {
        verdict(facts, Some(*version), Platform::Kubernetes).of(Isolation::Process).verdict
    };
    let of_image = |versions: &ImageVersions| {
        versions.iter().map(runs).reduce(better).unwrap_or(Verdict::Unknown)
    };
    images.iter().map(of_image).reduce(worse).unwrap_or(Verdict::Unknown)
}

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Yes => 3,
        Verdict::Conditional => 2,
        Verdict::Unknown => 1,
        Verdict::No => 0,
    }
}

fn better(one: Verdict, other: Verdict) -> Verdict {
    if rank(other) > rank(one) { other } else { one }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    if rank(other) < rank(one) { other } else { one }
}

fn builds_of(images: &[ImageVersions]) -> impl Iterator<Item = u32> {
    images.iter().flatten().map(|version| version.build).collect::<BTreeSet<u32>>().into_iter()
}

fn on_2016() -> String {
    "Windows Server 2016 runs only images of its revision; use a 10.0.14393.x tag and label \
     wintag/windows-revision"
        .to_owned()
}

/// Some builds in words.
fn listed(builds: impl Iterator<Item = u32>) -> String {
    let builds: BTreeSet<u32> = builds.collect();
    let named: Vec<String> =
        builds.iter().take(MAX_BUILDS_NAMED).map(|build| super::build_value(*build)).collect();
    let more = if builds.len() > MAX_BUILDS_NAMED { " and more" } else { "" };
    named.join(", ") + more
}

/// A warning of the length that is allowed.
fn shortened(mut text: String) -> String {
    const END: &str = "...";
    if text.len() > MAX_WARNING_BYTES {
        text.truncate(text.floor_char_boundary(MAX_WARNING_BYTES - END.len()));
        text.push_str(END);
    }
    text
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;

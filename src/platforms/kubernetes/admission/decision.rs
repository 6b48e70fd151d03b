//! The decision: the builds that run a pod, and the patch that says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::review::{Request, Spec};
use crate::platforms::kubernetes::affinity::Placement;
use crate::platforms::kubernetes::{build_value, version_labels};
use crate::windows::{
    BUILD_2016, Edition, HostFacts, HostKind, Isolation, Platform, Verdict, WindowsVersion, verdict,
};
use crate::words::words;

/// The longest warning, in bytes, as the documentation of admission webhooks advises. The API
/// server cuts longer ones.
const MAX_WARNING_BYTES: usize = 120;
/// The most builds that a warning lists; more would not fit.
const MAX_BUILDS_LISTED: usize = 3;

/// The versions of Windows that an image of a pod holds, one for each entry of its index; none when
/// nothing is known of the image.
pub type ImageVersions = Vec<WindowsVersion>;

/// The nodes that a pod could run on.
pub struct Cluster<'a> {
    /// The versions of the cluster's Windows nodes, when they were configured.
    pub nodes: &'a [WindowsVersion],
    /// All server builds, for a cluster whose nodes are not configured.
    pub server_builds: &'a [u32],
}

words! {
    /// The decision, a code for the audit log.
    pub enum Decision {
        /// It is not a Windows pod, or not a pod.
        NotWindows = "not-windows",
        /// The kubelet made it.
        MirrorPod = "mirror-pod",
        /// Host-process containers run on any Windows.
        HostProcess = "host-process",
        /// The Windows versions of its images are unknown.
        ImagesUnknown = "images-unknown",
        /// It selects the build itself.
        SelectsItself = "selects-itself",
        /// It selects a build that does not run its images.
        SelectsWrongly = "selects-wrongly",
        /// It runs on every node, as far as these are known.
        RunsEverywhere = "runs-everywhere",
        /// Nodes of some builds run it, and the patch selects them.
        Selected = "selected",
        /// It lacks a selector, but can no longer be changed.
        TooLate = "too-late",
        /// No node runs it.
        RunsNowhere = "runs-nowhere",
    }
}

/// The answer to a request. The pod is always allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The decision.
    pub decision: Decision,
    /// The builds that run the pod, where they matter.
    pub builds: Vec<u32>,
    /// The changes, as a JSON patch (RFC 6902).
    pub patch: Vec<Value>,
    /// Warnings for the caller, each of at most 120 bytes.
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
    /// Decides; `versions_of` gives the known versions of an image, and is called once for each.
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
        // The nodes of a pod cannot be changed once it is created.
        if !self.can_place_pod() {
            return Admission { decision: Decision::TooLate, ..admission };
        }
        Admission {
            patch: patch(spec.placement(), &admission.builds, &images, cluster),
            ..admission
        }
    }

    /// The specification of the pod, if it is one that could need a selector.
    fn windows_pod(&self) -> Result<&Spec, Decision> {
        let pod = self.pod().ok_or(Decision::NotWindows)?;
        let spec =
            pod.spec.as_ref().filter(|spec| spec.is_windows()).ok_or(Decision::NotWindows)?;
        if pod.is_mirror() {
            return Err(Decision::MirrorPod);
        }
        if spec.is_host_process() {
            return Err(Decision::HostProcess);
        }
        Ok(spec)
    }
}

/// The answer for a pod that selects its nodes itself. Such a pod is never changed.
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
            "this pod selects Windows {}, which cannot run its images ({})",
            listed(selected.iter().map(|version| version.build)),
            listed(builds_of(images)),
        )),
    }
}

/// The builds that run all images, and whether the pod has to select them.
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
            "the images of this pod require different Windows builds ({builds}); no node runs \
             them all"
        )
    } else {
        let nodes = listed(cluster.nodes.iter().map(|node| node.build));
        format!("no Windows node of this cluster ({nodes}) runs all images of this pod ({builds})")
    })
}

/// Whether images of 14393 have different revisions: process isolation there requires the revision
/// of the host, which has only one.
fn need_different_revisions(images: &[ImageVersions]) -> bool {
    let named = |versions: &ImageVersions| {
        let of_2016 = versions.iter().filter(|version| version.build == BUILD_2016);
        of_2016.filter_map(|version| version.revision).collect::<BTreeSet<u32>>()
    };
    let sets = images.iter().map(named).filter(|revisions| !revisions.is_empty());
    sets.reduce(|one, other| &one & &other).is_some_and(|shared| shared.is_empty())
}

/// The possible nodes: those of the cluster, or one of each build. On 14393 the revision counts.
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

/// The patch that makes the pod select these builds.
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

/// Whether a node runs every image; of an index, it takes the entry that runs.
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

/// A list of builds for a warning.
fn listed(builds: impl Iterator<Item = u32>) -> String {
    let builds: BTreeSet<u32> = builds.collect();
    let named: Vec<String> =
        builds.iter().take(MAX_BUILDS_LISTED).map(|build| build_value(*build)).collect();
    let more = if builds.len() > MAX_BUILDS_LISTED { " and more" } else { "" };
    named.join(", ") + more
}

/// A warning, cut to the allowed length.
fn shortened(mut text: String) -> String {
    const END: &str = "...";
    if text.len() > MAX_WARNING_BYTES {
        text.truncate(text.floor_char_boundary(MAX_WARNING_BYTES - END.len()));
        text.push_str(END);
    }
    text
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

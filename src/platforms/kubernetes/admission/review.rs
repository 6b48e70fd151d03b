//! The request that the API server sends, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::platforms::kubernetes::affinity::{Affinity, Placement, Selector};
use crate::platforms::kubernetes::{OS_LABEL, WINDOWS};
use crate::platforms::node::UpTo;

/// The most containers of each sort that are read. No real pod has as many.
pub(super) const MAX_CONTAINERS: usize = 100;
/// The label of the operating system before Kubernetes 1.14; it is still understood.
const OLD_OS_LABEL: &str = "beta.kubernetes.io/os";
/// Marks a pod that the kubelet made from a file; nothing can be changed in it.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// An AdmissionReview, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Its API version.
    pub api_version: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// The request.
    pub request: Option<Request>,
}

/// The request to admit an object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The identifier of the request; the response repeats it.
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
pub(super) struct Pod {
    metadata: Option<Metadata>,
    pub(super) spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    annotations: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
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
pub(super) struct Container {
    pub(super) image: Option<String>,
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

impl Request {
    /// Whether a patch can still change where the pod runs: only while it is created.
    pub(super) fn can_place_pod(&self) -> bool {
        self.operation == "CREATE" && self.sub_resource.as_ref().is_none_or(String::is_empty)
    }

    /// The pod, if the object is one.
    pub(super) fn pod(&self) -> Option<&Pod> {
        let is_core = self.kind.group.as_deref().unwrap_or_default().is_empty();
        self.object.as_ref().filter(|_| is_core && self.kind.kind == "Pod")
    }
}

impl Pod {
    /// Whether the kubelet made the pod from a file.
    pub(super) fn is_mirror(&self) -> bool {
        let annotations = self.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
        annotations.is_some_and(|annotations| annotations.contains_key(MIRROR_ANNOTATION))
    }
}

impl Spec {
    pub(super) fn placement(&self) -> Placement<'_> {
        Placement { node_selector: self.node_selector.as_ref(), affinity: self.affinity.as_ref() }
    }

    pub(super) fn is_windows(&self) -> bool {
        let by_selector = [OS_LABEL, OLD_OS_LABEL]
            .iter()
            .any(|label| self.placement().selected(label) == Some(WINDOWS));
        by_selector || self.os.as_ref().is_some_and(|os| os.name == WINDOWS)
    }

    /// Whether its containers are host-process containers: either all of a pod are, or none.
    pub(super) fn is_host_process(&self) -> bool {
        let of_containers = self.all_containers().map(|container| &container.security_context);
        of_containers.chain([&self.security_context]).any(is_host_process)
    }

    pub(super) fn all_containers(&self) -> impl Iterator<Item = &Container> {
        let lists = [&self.containers, &self.init_containers, &self.ephemeral_containers];
        lists.into_iter().flat_map(|UpTo(containers)| containers)
    }
}

fn is_host_process(context: &Option<SecurityContext>) -> bool {
    let options = context.as_ref().and_then(|context| context.windows_options.as_ref());
    options.and_then(|options| options.host_process) == Some(true)
}

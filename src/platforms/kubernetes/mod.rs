//! Kubernetes: the labels that tell Windows nodes apart, and the objects that use them.
//!
//! A node selector is an exact match, so it names the build of the **node**, not that of the image.
//! The kubelet sets [`BUILD_LABEL`]. There is no label for the revision, which Windows Server 2016
//! needs (process isolation there requires equal revisions, and Kubernetes has no other isolation):
//! [`REVISION_LABEL`] is wintag's own.

mod affinity;
pub mod admission;
mod entry;
mod printed;
pub mod nodes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::windows::{BUILD_2016, WindowsVersion};

/// The operating system of a node; the kubelet sets it.
pub const OS_LABEL: &str = "kubernetes.io/os";
/// The build of a Windows node as `10.0.17763`; the kubelet sets it since Kubernetes 1.17
/// (kubernetes/api, core/v1/well_known_labels.go).
pub const BUILD_LABEL: &str = "node.kubernetes.io/windows-build";
/// The revision of a Windows Server 2016 node, such as `1715`. The prefix keeps the name apart from
/// the labels of other programs.
pub const REVISION_LABEL: &str = "wintag/windows-revision";
/// The value of [`OS_LABEL`], and of `spec.os.name`.
pub const WINDOWS: &str = "windows";
/// The handler of process isolation in the default configuration of containerd on Windows.
pub const PROCESS_HANDLER: &str = "runhcs-wcow-process";

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// The value of [`BUILD_LABEL`] on a node of this build.
pub fn build_value(build: u32) -> String {
    WindowsVersion::of_build(build).to_string()
}

/// The labels that tell a node of this version from others: its build and, on 14393, its revision
/// if that is known.
pub fn version_labels(node: WindowsVersion) -> Labels {
    let mut labels = Labels::from([(BUILD_LABEL.to_owned(), build_value(node.build))]);
    if let Some(revision) = node.revision.filter(|_| node.build == BUILD_2016) {
        labels.insert(REVISION_LABEL.to_owned(), revision.to_string());
    }
    labels
}

/// The node selector of a pod that must run on nodes of this version; without one, on any Windows
/// node.
pub fn node_selector(node: Option<WindowsVersion>) -> Labels {
    let mut selector = node.map(version_labels).unwrap_or_default();
    selector.insert(OS_LABEL.to_owned(), WINDOWS.to_owned());
    selector
}

/// The command that sets these labels on a node, also where they have other values: a revision
/// changes with each update.
pub fn label_command(node: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("kubectl label node {node} {} --overwrite", pairs.join(" "))
}

/// The command after which the pods of a workload, such as `deployment web`, run on nodes with
/// these labels only. The option of the namespace has a space before it, or is empty.
pub fn select_command(workload: &str, namespace_option: &str, selector: &Labels) -> String {
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": selector}}}});
    format!("kubectl patch {workload}{namespace_option} -p '{patch}'")
}

/// The merge patch of a node that sets these labels.
pub fn label_patch(labels: &Labels) -> Value {
    json!({"metadata": {"labels": labels}})
}

/// A RuntimeClass, in YAML, whose pods run on nodes of this version. Pods that name it need no
/// selector and no toleration of their own.
pub fn runtime_class_yaml(node: WindowsVersion) -> String {
    let name = object_name(node);
    let selector = yaml_map(&node_selector(Some(node)), 4);
    format!(
        "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: {name}\nhandler: \
         {PROCESS_HANDLER}\nscheduling:\n  nodeSelector:\n{selector}  \
         tolerations:\n{TOLERATION_YAML}"
    )
}

/// A Pod, in YAML, of this image on nodes of this version. `spec.os.name` is for admission checks;
/// the scheduler does not look at it, so that the selector is needed beside it.
pub fn pod_yaml(reference: &str, node: WindowsVersion) -> String {
    let name = object_name(node);
    let selector = yaml_map(&node_selector(Some(node)), 4);
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  os:\n    name: \
         {WINDOWS}\n  nodeSelector:\n{selector}  tolerations:\n{}  containers:\n    - name: \
         main\n      image: \"{reference}\"\n",
        TOLERATION_YAML
    )
}

/// The toleration of the customary taint of Windows nodes: `os=windows:NoSchedule`.
const TOLERATION_YAML: &str =
    "    - key: os\n      operator: Equal\n      value: windows\n      effect: NoSchedule\n";

/// The name of an object for nodes of this version: `windows-17763`, `windows-14393-1715`.
pub fn object_name(node: WindowsVersion) -> String {
    match node.revision.filter(|_| node.build == BUILD_2016) {
        Some(revision) => format!("windows-{}-{revision}", node.build),
        None => format!("windows-{}", node.build),
    }
}

/// Labels in YAML, every value in quotes: it is a string even where it looks like a number.
fn yaml_map(labels: &Labels, indent: usize) -> String {
    labels.iter().map(|(key, value)| format!("{:indent$}{key}: \"{value}\"\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The objects of this file are validated against the schemas of Kubernetes by
    /// `tests/kubernetes-objects`.
    #[test]
    fn the_objects_are_those_that_are_validated() {
        let node: WindowsVersion = "10.0.14393.1715".parse().unwrap();
        let objects = [
            runtime_class_yaml(node),
            pod_yaml("mcr.microsoft.com/windows/servercore:10.0.14393.1715", node),
            runtime_class_yaml("10.0.17763.557".parse().unwrap()),
        ];
        assert_eq!(
            objects.join("---\n"),
            include_str!("../../../tests/data/clusters/objects.yaml")
        );
    }

    #[test]
    fn the_revision_is_a_label_on_2016_only() {
        let labels = |text: &str| version_labels(text.parse().unwrap()).len();
        assert_eq!(
            [labels("10.0.14393.1715"), labels("10.0.14393"), labels("10.0.17763.557")],
            [2, 1, 1]
        );
    }
}

//! The list of nodes that `kubectl get nodes -o json` prints, or the same as text.

use serde::Deserialize;

use super::entry::{Item, Metadata, Status};
use super::{BUILD_LABEL, OS_LABEL, WINDOWS, printed, version_labels};
use crate::platforms::node::{
    Clue, ListError, MAX_NODES, Node, SkipReason, Skipped, UpTo, host_of, is_json, labels_to_set,
    usable_name, without_byte_order_mark,
};
use crate::windows::Tables;

/// The command that prints the list.
const COMMAND: &str = "kubectl get nodes -o json";

/// A list, or a single node.
#[derive(Deserialize)]
#[serde(expecting = "a Kubernetes object")]
struct Document {
    kind: Option<String>,
    items: Option<UpTo<Item, MAX_NODES>>,
    metadata: Option<Metadata>,
    status: Option<Status>,
}

/// Reads the list, each node by itself; also the table of `kubectl get nodes -o wide`, and the text
/// of `kubectl describe node`.
///
/// # Errors
/// When the body is not a list of nodes; the message gives the command that prints one.
pub fn read(body: &[u8], tables: &Tables) -> Result<Vec<Result<Node, Skipped>>, ListError> {
    let refuse = |detail: String| ListError { detail, command: COMMAND };
    let body = without_byte_order_mark(body);
    if !is_json(body) {
        let items = printed::read(&String::from_utf8_lossy(body));
        return match items.len() {
            0 => Err(refuse("neither JSON nor the text that kubectl prints of nodes".to_owned())),
            1..=MAX_NODES => Ok(items.into_iter().map(|item| read_node(item, tables)).collect()),
            _ => Err(refuse(format!("at most {MAX_NODES} nodes are allowed"))),
        };
    }
    let document: Document =
        serde_json::from_slice(body).map_err(|error| refuse(error.to_string()))?;
    let items = match (document.kind.as_deref(), document.items) {
        (Some("List" | "NodeList"), Some(UpTo(items))) => items,
        (Some("Node"), None) => {
            vec![Item { kind: None, metadata: document.metadata, status: document.status }]
        }
        _ => return Err(refuse("neither a List nor a Node".to_owned())),
    };
    Ok(items.into_iter().map(|item| read_node(item, tables)).collect())
}

fn read_node(item: Item, tables: &Tables) -> Result<Node, Skipped> {
    let metadata = item.metadata.unwrap_or_default();
    let labels = metadata.labels.unwrap_or_default();
    let info = item.status.and_then(|status| status.node_info).unwrap_or_default();
    let name = usable_name(metadata.name.as_deref());
    let skip = |reason| Skipped { name: name.map(str::to_owned), reason };
    if item.kind.is_some_and(|kind| kind != "Node") {
        return Err(skip(SkipReason::NotANode));
    }
    let label = |key: &str| labels.get(key).and_then(Option::as_deref);
    let system = info.operating_system.as_deref().or(label(OS_LABEL));
    if system.is_some_and(|system| system != WINDOWS) {
        return Err(skip(SkipReason::NotWindows));
    }
    let name = name.ok_or_else(|| skip(SkipReason::NameNotUsable))?;
    let clue = |source, text: Option<&'_ str>| text.map(|text| (source, text.to_owned()));
    let found = [
        clue("status.nodeInfo.kernelVersion", info.kernel_version.as_deref()),
        clue("the label node.kubernetes.io/windows-build", label(BUILD_LABEL)),
        clue("status.nodeInfo.osImage", info.os_image.as_deref()),
    ];
    let clues: Vec<Clue<'_>> =
        found.iter().flatten().map(|(source, text)| Clue { source, text }).collect();
    let (host, contradictions) =
        host_of(&clues, tables).ok_or_else(|| skip(SkipReason::KubernetesVersionUnknown))?;
    let wanted = version_labels(host.version);
    Ok(Node {
        name: name.to_owned(),
        labels: labels_to_set(wanted, &labels),
        host,
        could_mean: Vec::new(),
        contradictions,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platforms::kubernetes::REVISION_LABEL;
    use crate::windows::HostKind;

    fn node(name: &str, kernel: &str, image: &str, build_label: Option<&str>) -> serde_json::Value {
        json!({
            "kind": "Node",
            "metadata": {"name": name, "labels": {OS_LABEL: "windows", BUILD_LABEL: build_label}},
            "status": {"nodeInfo": {"operatingSystem": "windows", "kernelVersion": kernel,
                "osImage": image}},
        })
    }

    fn read_one(node: &serde_json::Value) -> Result<Node, Skipped> {
        let read = super::read(node.to_string().as_bytes(), Tables::embedded());
        read.expect("it is a node").remove(0)
    }

    #[track_caller]
    fn check(
        node: &serde_json::Value,
        version: &str,
        labels: &[(&str, &str)],
        contradictions: usize,
    ) {
        let node = read_one(node).expect("it is read");
        let labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!((node.host.version.to_string().as_str(), node.labels), (version, labels));
        assert_eq!(node.contradictions.len(), contradictions, "{:?}", node.contradictions);
    }

    #[test]
    fn a_node_is_read_from_what_the_kubelets_of_ten_years_print() {
        let label = Some("10.0.17763");
        check(
            &node("a", "10.0.17763.557", "Windows Server 2019 Datacenter", label),
            "10.0.17763.557",
            &[],
            0,
        );
        let both = [(BUILD_LABEL, "10.0.14393"), (REVISION_LABEL, "1715")];
        let of_2017 = "14393.1715.amd64fre.rs1_release_inmarket.170906-1810";
        check(&node("a", of_2017, "", None), "10.0.14393.1715", &both, 0);
        check(
            &node("a", "10.0.14393", "Microsoft Windows [Version 10.0.14393]", None),
            "10.0.14393",
            &[(BUILD_LABEL, "10.0.14393")],
            0,
        );
        // Only the label is left.
        check(&node("a", "", "Windows", Some("10.0.20348")), "10.0.20348", &[], 0);
    }

    #[test]
    fn what_contradicts_is_said_and_the_kernel_version_is_believed() {
        let of_image = node("a", "10.0.20348.887", "Windows Server 2019 Datacenter", None);
        check(&of_image, "10.0.20348.887", &[(BUILD_LABEL, "10.0.20348")], 1);
        let of_label =
            node("a", "10.0.20348.887", "Windows Server 2022 Datacenter", Some("10.0.17763"));
        check(&of_label, "10.0.20348.887", &[(BUILD_LABEL, "10.0.20348")], 1);
    }

    #[test]
    fn the_image_name_says_whether_a_node_is_a_client() {
        let client =
            read_one(&node("a", "10.0.26100.4061", "Windows 11 Pro", Some("10.0.26100"))).unwrap();
        assert_eq!(client.host.kind, HostKind::Client);
        let server =
            read_one(&node("a", "10.0.26100.4061", "Windows Server 2025 Datacenter", None))
                .unwrap();
        assert_eq!(server.host.kind, HostKind::Server);
        // A revision that only clients are known to have says so where no name does.
        let kind = |kernel, image| {
            read_one(&node("a", kernel, image, Some("10.0.26100"))).unwrap().host.kind
        };
        assert_eq!(kind("10.0.26100.8246", ""), HostKind::Client);
        assert_eq!(kind("10.0.26100.8246", "Windows Server 2025 Datacenter"), HostKind::Server);
        assert_eq!(kind("10.0.26100.32230", "Windows 11 Pro"), HostKind::Client);
    }

    #[test]
    fn what_no_image_can_be_chosen_for_is_skipped_with_the_reason() {
        let skipped = |node: serde_json::Value| read_one(&node).unwrap_err().reason;
        let linux = json!({"kind": "Node", "metadata": {"name": "l"},
            "status": {"nodeInfo": {"operatingSystem": "linux",
            "kernelVersion": "5.15.0-1071-azure"}}});
        assert_eq!(skipped(linux), SkipReason::NotWindows);
        assert_eq!(skipped(node("a;b", "10.0.17763.1", "", None)), SkipReason::NameNotUsable);
        assert_eq!(skipped(node("a", "6.2.9200", "", None)), SkipReason::KubernetesVersionUnknown);
        assert_eq!(skipped(json!({"kind": "Node"})), SkipReason::NameNotUsable);
        let mixed = json!({"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "p"}}]});
        let read = super::read(mixed.to_string().as_bytes(), Tables::embedded()).unwrap();
        assert_eq!(read[0].as_ref().unwrap_err().reason, SkipReason::NotANode);
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_command() {
        let too_many =
            format!(r#"{{"kind":"List","items":[{}]}}"#, vec!["{}"; MAX_NODES + 1].join(","));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"kind":"List"}"#,
            r#"{"kind":"Pod"}"#,
            "NAME STATUS",
            "\u{FEFF}[",
            &too_many,
        ] {
            let error = super::read(body.as_bytes(), Tables::embedded()).unwrap_err().to_string();
            assert!(error.contains(COMMAND), "{error}");
        }
        let with_mark = format!("\u{FEFF}{}", node("a", "10.0.17763.1", "", None));
        assert!(super::read(with_mark.as_bytes(), Tables::embedded()).is_ok());
    }
}

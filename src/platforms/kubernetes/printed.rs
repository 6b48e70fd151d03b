//! Nodes as `kubectl get nodes -o wide` and `kubectl describe node` print them.

use std::sync::LazyLock;

use regex::Regex;

use super::entry::{Item, Metadata, NodeInfo, Status};
use super::{BUILD_LABEL, WINDOWS};
use crate::platforms::node::MAX_NODES;

/// The nodes in the text, at most one more than a list may have; empty if it is neither output.
pub(super) fn read(text: &str) -> Vec<Item> {
    let rows: Vec<Item> = text.lines().filter_map(row).take(MAX_NODES + 1).collect();
    if rows.is_empty() { described(text) } else { rows }
}

/// A row of `kubectl get nodes -o wide`, however it is indented: the name is first, the kernel and
/// the runtime are last, and the system stands before the kernel.
fn row(line: &str) -> Option<Item> {
    let (_, [name, system, kernel]) = ROW.captures(line)?.extract();
    let windows = system.rfind("Windows").and_then(|at| system.get(at..));
    let info = NodeInfo {
        operating_system: Some(windows.map_or("linux", |_| WINDOWS).to_owned()),
        kernel_version: Some(kernel.to_owned()),
        os_image: windows.map(|system| system.trim().to_owned()),
    };
    Some(item(name.to_owned(), info))
}

/// Name, all up to the kernel, kernel; the runtime has an address.
static ROW: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"^[ \t]*([!-~]{1,253})[ \t]+(.{1,500}?)[ \t]+([!-~]{1,100})[ \t]+",
        r"[a-z-]{1,20}://[!-~]*[ \t]*\r?$",
    );
    Regex::new(pattern).expect("a test compiles the pattern")
});

fn item(name: String, info: NodeInfo) -> Item {
    Item {
        kind: None,
        metadata: Some(Metadata { name: Some(name), labels: None }),
        status: Some(Status { node_info: Some(info) }),
    }
}

/// The nodes of `kubectl describe node`: each begins with its name.
fn described(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for line in text.lines() {
        if let Some((_, build)) = line.split_once(BUILD_LABEL).filter(|_| !items.is_empty()) {
            if let Some(labels) = items.last_mut().and_then(|item| item.metadata.as_mut()) {
                let value = build.trim_start_matches('=').trim().to_owned();
                let labels = labels.labels.get_or_insert_default();
                labels.insert(BUILD_LABEL.to_owned(), Some(value));
            }
            continue;
        }
        let Some((heading, value)) = line.split_once(':') else { continue };
        let value = value.trim().to_owned();
        if heading == "Name" && items.len() <= MAX_NODES {
            items.push(item(value, NodeInfo::default()));
            continue;
        }
        let status = items.last_mut().and_then(|item| item.status.as_mut());
        let Some(info) = status.and_then(|status| status.node_info.as_mut()) else { continue };
        match heading.trim() {
            "Kernel Version" => info.kernel_version = Some(value),
            "OS Image" => info.os_image = Some(value),
            "Operating System" => info.operating_system = Some(value),
            _ => {}
        }
    }
    // The description of a pod has a name as well.
    items.retain(|item| {
        item.status
            .as_ref()
            .and_then(|status| status.node_info.as_ref())
            .is_some_and(|info| info.kernel_version.is_some() || info.os_image.is_some())
    });
    items
}

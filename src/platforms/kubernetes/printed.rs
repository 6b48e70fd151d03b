//! Nodes as `kubectl get nodes -o wide` and `kubectl describe node` print them.

use super::entry::{Item, Metadata, NodeInfo, Status};
use super::{BUILD_LABEL, WINDOWS};
use crate::platforms::node::MAX_NODES;

/// The nodes in the text, at most one more than a list may have; empty if it is neither output.
pub(super) fn read(text: &str) -> Vec<Item> {
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    match lines.next().and_then(Columns::of) {
        Some(columns) => lines.filter_map(|line| columns.node(line)).take(MAX_NODES + 1).collect(),
        None => described(text),
    }
}

/// Where the columns of `kubectl get nodes -o wide` begin. It pads every column with spaces.
struct Columns {
    system: (usize, usize),
    kernel: (usize, usize),
}

impl Columns {
    fn of(heading: &str) -> Option<Self> {
        let at = |name| heading.find(name);
        let (system, kernel) = (at("OS-IMAGE")?, at("KERNEL-VERSION")?);
        let after = at("CONTAINER-RUNTIME").unwrap_or(usize::MAX);
        heading
            .starts_with("NAME")
            .then_some(Self { system: (system, kernel), kernel: (kernel, after) })
    }

    fn node(&self, line: &str) -> Option<Item> {
        let part = |(from, to): (usize, usize)| {
            let text = line.get(from..to.min(line.len()))?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let name = line.split_whitespace().next()?.to_owned();
        let (os_image, kernel_version) = (part(self.system), part(self.kernel));
        let info = NodeInfo {
            operating_system: os_image.as_deref().map(system_of),
            kernel_version,
            os_image,
        };
        Some(item(name, info))
    }
}

/// The system, which the table does not have, by the name of the release.
fn system_of(os_image: &str) -> String {
    if os_image.contains("Windows") { WINDOWS.to_owned() } else { "linux".to_owned() }
}

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

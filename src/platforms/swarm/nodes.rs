//! The output of `docker node inspect` and `docker info`, in one list.
//!
//! The first lists the nodes, without their Windows version; the second has the version, but only
//! of the machine on which it runs. They are joined by the ID of the node, else by its host name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BUILD_LABEL, OS_VERSION_LABEL, REVISION_LABEL, version_labels};
use crate::platforms::node::{
    Clue, ListError, MAX_NODES, Node, SkipReason, Skipped, UpTo, host_of, is_json, labels_to_set,
    usable_name, without_byte_order_mark,
};
use crate::windows::Tables;

/// The commands that print the nodes, and the version of each.
const COMMANDS: &str = "docker node inspect $(docker node ls -q), and on each Windows node: \
                        docker info --format '{{json .}}'";

/// An entry of the list, from either command.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ID")]
    id: Option<String>,
    /// Of `docker node inspect`.
    description: Option<Description>,
    spec: Option<Spec>,
    /// Of `docker info`.
    name: Option<String>,
    #[serde(rename = "OSType")]
    os_type: Option<String>,
    #[serde(rename = "OSVersion")]
    os_version: Option<String>,
    operating_system: Option<String>,
    kernel_version: Option<String>,
    swarm: Option<Membership>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Description {
    hostname: Option<String>,
    platform: Option<NodePlatform>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodePlatform {
    #[serde(rename = "OS")]
    os: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Spec {
    labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Membership {
    #[serde(rename = "NodeID")]
    node_id: Option<String>,
}

/// A node, joined from both commands.
#[derive(Default)]
struct Merged {
    id: Option<String>,
    hostname: Option<String>,
    system: Option<String>,
    labels: BTreeMap<String, Option<String>>,
    /// The lines of `docker info` about the version.
    version: Option<String>,
}

/// Reads a JSON array, or several JSON texts one after the other, and joins the entries of each
/// node.
///
/// # Errors
/// When the body is not such a list; the message gives the commands that print one.
pub fn read(body: &[u8], tables: &Tables) -> Result<Vec<Result<Node, Skipped>>, ListError> {
    let refuse = |detail: String| ListError { detail, command: COMMANDS };
    let mut entries: Vec<Entry> = Vec::new();
    let body = without_byte_order_mark(body);
    let mut texts = serde_json::Deserializer::from_slice(body).into_iter();
    let mut read_until = 0;
    while let Some(text) = texts.next() {
        let (some, is_last) = match text {
            Ok(UpTo::<Entry, MAX_NODES>(some)) => (some, false),
            Err(error) => {
                let rest = body.get(read_until..).unwrap_or_default();
                let printed = if is_json(rest) { Vec::new() } else { printed(rest) };
                if printed.is_empty() {
                    return Err(refuse(error.to_string()));
                }
                (printed, true)
            }
        };
        read_until = texts.byte_offset();
        entries.extend(some);
        // Each node is described twice.
        if entries.len() > 2 * MAX_NODES {
            return Err(refuse(format!("at most {} entries are allowed", 2 * MAX_NODES)));
        }
        if is_last {
            break;
        }
    }
    if entries.is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    let (inspected, others): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.description.is_some());
    let mut nodes: Vec<Merged> = inspected.into_iter().map(of_inspect).collect();
    let known = Known::of(&nodes);
    for info in others {
        match known.position_of(&info) {
            Some(at) => {
                if let Some(node) = nodes.get_mut(at) {
                    node.version = version_text(&info);
                }
            }
            None => nodes.push(of_info(info)),
        }
    }
    for node in &mut nodes {
        // Commands accept a host name only if it belongs to one node.
        let is_shared =
            |name: &String| known.by_hostname.get(&name.to_ascii_lowercase()) == Some(&None);
        node.hostname.take_if(|name| is_shared(name));
    }
    Ok(nodes.into_iter().map(|node| read_node(node, tables)).collect())
}

/// What `docker info` prints as text, of one engine after the other. An entry begins where a field
/// comes again.
fn printed(body: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let text = String::from_utf8_lossy(body);
    for (heading, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let heading = heading.trim();
        if !PRINTED.contains(&heading) || entries.len() > 2 * MAX_NODES {
            continue;
        }
        let is_set = |entry: &Entry| match heading {
            "Kernel Version" => entry.kernel_version.is_some(),
            "Operating System" => entry.operating_system.is_some(),
            "OSType" => entry.os_type.is_some(),
            "Name" => entry.name.is_some(),
            _ => entry.swarm.is_some(),
        };
        if entries.last().is_none_or(is_set) {
            entries.push(Entry::default());
        }
        let Some(entry) = entries.last_mut() else { continue };
        let value = Some(value.trim().to_owned());
        match heading {
            "Kernel Version" => entry.kernel_version = value,
            "Operating System" => entry.operating_system = value,
            "OSType" => entry.os_type = value,
            "Name" => entry.name = value,
            _ => entry.swarm = Some(Membership { node_id: value }),
        }
    }
    // Other lists of Docker have the name of the system as well.
    entries.retain(|entry| entry.kernel_version.is_some());
    entries
}

/// The fields of `docker info` that are read.
const PRINTED: [&str; 5] = ["Kernel Version", "Operating System", "OSType", "Name", "NodeID"];

/// The position of each node, by the names that `docker info` may give it; `None` for a host name
/// that several nodes share.
struct Known {
    by_id: BTreeMap<String, usize>,
    by_hostname: BTreeMap<String, Option<usize>>,
}

impl Known {
    fn of(nodes: &[Merged]) -> Self {
        let mut known = Self { by_id: BTreeMap::new(), by_hostname: BTreeMap::new() };
        for (at, node) in nodes.iter().enumerate() {
            if let Some(id) = &node.id {
                known.by_id.insert(id.clone(), at);
            }
            if let Some(hostname) = &node.hostname {
                let position = known.by_hostname.entry(hostname.to_ascii_lowercase());
                position.and_modify(|at| *at = None).or_insert(Some(at));
            }
        }
        known
    }

    fn position_of(&self, info: &Entry) -> Option<usize> {
        match node_id(info) {
            Some(id) => self.by_id.get(id).copied(),
            None => {
                self.by_hostname.get(&info.name.as_ref()?.to_ascii_lowercase()).copied().flatten()
            }
        }
    }
}

/// The ID of the node in `docker info`; an engine outside a swarm has none.
fn node_id(info: &Entry) -> Option<&str> {
    info.swarm.as_ref()?.node_id.as_deref().filter(|id| !id.is_empty())
}

fn of_inspect(entry: Entry) -> Merged {
    let description = entry.description.unwrap_or_default();
    Merged {
        id: entry.id,
        hostname: description.hostname,
        system: description.platform.and_then(|platform| platform.os),
        labels: entry.spec.and_then(|spec| spec.labels).unwrap_or_default(),
        version: None,
    }
}

fn of_info(entry: Entry) -> Merged {
    Merged {
        version: version_text(&entry),
        id: node_id(&entry).map(str::to_owned),
        hostname: entry.name,
        system: entry.os_type,
        labels: BTreeMap::new(),
    }
}

/// The lines about the version, read as one text: newer engines print the revision, and for older
/// ones the reader tells the build from that of its branch.
fn version_text(info: &Entry) -> Option<String> {
    let parts = [&info.kernel_version, &info.operating_system, &info.os_version];
    let parts: Vec<&str> =
        parts.into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn read_node(node: Merged, tables: &Tables) -> Result<Node, Skipped> {
    let name = usable_name(node.hostname.as_deref()).or(usable_name(node.id.as_deref()));
    let skip = |reason| Skipped { name: name.map(str::to_owned), reason };
    if node.id.is_none() && node.hostname.is_none() {
        return Err(skip(SkipReason::NotANode));
    }
    if node.system.as_deref().is_some_and(|system| system != "windows") {
        return Err(skip(SkipReason::NotWindows));
    }
    let name = name.ok_or_else(|| skip(SkipReason::NameNotUsable))?;
    let label = |key: &str| node.labels.get(key).and_then(Option::as_deref);
    // The two labels that wintag asks to set, as one version.
    let with_revision = label(BUILD_LABEL)
        .zip(label(REVISION_LABEL))
        .map(|(build, revision)| format!("{build}.{revision}"));
    let found = [
        ("docker info", node.version.as_deref()),
        ("the label OsVersion", label(OS_VERSION_LABEL)),
        ("the label windows.build", with_revision.as_deref().or(label(BUILD_LABEL))),
    ];
    let clues: Vec<Clue<'_>> =
        found.into_iter().filter_map(|(source, text)| Some(Clue { source, text: text? })).collect();
    let (host, contradictions) =
        host_of(&clues, tables).ok_or_else(|| skip(SkipReason::SwarmVersionUnknown))?;
    let wanted = version_labels(host.version);
    Ok(Node {
        name: name.to_owned(),
        labels: labels_to_set(wanted, &node.labels),
        host,
        could_mean: Vec::new(),
        contradictions,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn inspect(id: &str, hostname: &str, system: &str, labels: Value) -> Value {
        json!({
            "ID": id, "Version": {"Index": 9}, "Spec": {"Labels": labels, "Role": "worker",
                "Availability": "active"},
            "Description": {"Hostname": hostname, "Platform": {"Architecture": "x86_64",
                "OS": system}},
            "Status": {"State": "ready", "Addr": "192.0.2.1"},
        })
    }

    fn info(node_id: &str, name: &str, kernel: &str, system: &str) -> Value {
        json!({
            "ID": "3NLK", "Name": name, "OSType": "windows", "KernelVersion": kernel,
                "OperatingSystem": system,
            "Swarm": {"NodeID": node_id, "LocalNodeState": "active"},
        })
    }

    const OF_2016: &str = "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)";
    const OF_2019: &str = "Windows Server 2019 Datacenter Version 1809 (OS Build 17763.1339)";

    fn read(body: &str) -> Vec<Result<Node, Skipped>> {
        super::read(body.as_bytes(), Tables::embedded()).expect("it is a list")
    }

    #[test]
    fn both_outputs_are_put_together_by_id_or_host_name() {
        let nodes = json!([
            inspect("n1", "WIN-A", "windows", json!({})),
            inspect("n2", "WIN-B", "windows", json!({}))
        ]);
        let infos = [
            info("n1", "other", OF_2016, ""),
            info("", "win-b", "10.0 17763 (17763.1.amd64fre)", OF_2019),
        ];
        // As the commands print it: an array, then a line for each engine.
        let text = format!("{nodes}\n{}\n{}\n", infos[0], infos[1]);
        let array = json!([nodes[0], infos[1], nodes[1], infos[0]]).to_string();
        for body in [text, array] {
            let read: Vec<String> = read(&body)
                .into_iter()
                .map(|node| node.unwrap().host.version.to_string())
                .collect();
            assert_eq!(read, ["10.0.14393.1715", "10.0.17763.1339"]);
        }
    }

    #[test]
    fn nodes_of_one_host_name_are_called_by_their_ids() {
        let of = |id| inspect(id, "same", "windows", json!({"OsVersion": "10.0.17763"}));
        let names: Vec<String> = read(&json!([of("n1"), of("n2")]).to_string())
            .into_iter()
            .map(|node| node.unwrap().name)
            .collect();
        assert_eq!(names, ["n1", "n2"]);
    }

    #[test]
    fn labels_are_those_that_are_missing() {
        let has = json!({"OS": "windows", "OsVersion": "10.0.14393", "windows.build": "14393",
            "windows.revision": "1"});
        let body =
            json!([inspect("n1", "a", "windows", has), info("n1", "a", OF_2016, "")]).to_string();
        let node = read(&body).remove(0).unwrap();
        assert_eq!(
            node.labels,
            BTreeMap::from([("windows.revision".to_owned(), "1715".to_owned())])
        );
    }

    #[test]
    fn the_labels_that_were_set_are_read_back() {
        let has = json!({"OS": "windows", "OsVersion": "10.0.14393", "windows.build": "14393",
            "windows.revision": "1715"});
        let node = read(&inspect("n1", "a", "windows", has).to_string()).remove(0).unwrap();
        assert_eq!(
            (node.host.version.to_string().as_str(), node.labels.len()),
            ("10.0.14393.1715", 0)
        );
    }

    #[test]
    fn a_version_may_come_from_the_labels_and_contradictions_are_said() {
        let old =
            inspect("n1", "a", "windows", json!({"OS": "windows", "OsVersion": "10.0.16299"}));
        let node = read(&old.to_string()).remove(0).unwrap();
        assert_eq!((node.host.version.build, node.contradictions.len()), (16299, 0));
        let updated = json!([old, info("n1", "a", "", OF_2019)]).to_string();
        let node = read(&updated).remove(0).unwrap();
        assert_eq!((node.host.version.build, node.contradictions.len()), (17763, 1));
    }

    #[test]
    fn what_no_image_can_be_chosen_for_is_skipped_with_the_reason() {
        let reason = |entry: Value| read(&entry.to_string()).remove(0).unwrap_err().reason;
        assert_eq!(reason(inspect("n", "a", "linux", json!({}))), SkipReason::NotWindows);
        let unknown = reason(inspect("n", "a", "windows", json!({})));
        assert_eq!(unknown, SkipReason::SwarmVersionUnknown);
        assert!(unknown.to_string().contains("docker info --format '{{json .}}'"), "{unknown}");
        assert_eq!(reason(json!({"Containers": 3})), SkipReason::NotANode);
        assert_eq!(reason(inspect("", "$(id)", "windows", json!({}))), SkipReason::NameNotUsable);
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_commands() {
        let too_many = format!("[{}]", vec!["{}"; MAX_NODES + 1].join(","));
        let too_many_texts = "{}".repeat(2 * MAX_NODES + 1);
        for body in
            ["", "[]", "1", "\"x\"", "ID HOSTNAME", "{\"ID\": 1}", &too_many, &too_many_texts]
        {
            let error = super::read(body.as_bytes(), Tables::embedded())
                .map(|_| ())
                .unwrap_err()
                .to_string();
            assert!(error.contains("docker node inspect"), "{body:.40}: {error}");
        }
    }
}

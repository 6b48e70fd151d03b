//! An entry of a list of nodes, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An entry of the list. Everything may be missing: an entry that cannot be read must not spoil the
/// others.
#[derive(Deserialize)]
pub(super) struct Item {
    pub kind: Option<String>,
    pub metadata: Option<Metadata>,
    pub status: Option<Status>,
}

#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    pub name: Option<String>,
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Status {
    #[serde(rename = "nodeInfo")]
    pub node_info: Option<NodeInfo>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeInfo {
    pub operating_system: Option<String>,
    pub kernel_version: Option<String>,
    pub os_image: Option<String>,
}

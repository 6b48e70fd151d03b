//! The node selection of a pod, as far as the Windows build is concerned, and the patches that add
//! to it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BUILD_LABEL, Labels, REVISION_LABEL, build_value};
use crate::platforms::node::UpTo;
use crate::windows::WindowsVersion;

/// The most terms of a node affinity that are read; people write one or two.
const MAX_TERMS: usize = 100;

/// A node selector.
pub type Selector = BTreeMap<String, Option<String>>;

/// The fields of a pod's specification that select nodes.
#[derive(Clone, Copy)]
pub struct Placement<'a> {
    /// `spec.nodeSelector`
    pub node_selector: Option<&'a Selector>,
    /// `spec.affinity`
    pub affinity: Option<&'a Affinity>,
}

/// An affinity, of which only the node affinity is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity {
    node_affinity: Option<NodeAffinity>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: Option<Required>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Required {
    node_selector_terms: UpTo<Term, MAX_TERMS>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Term {
    match_expressions: Option<UpTo<Expression, MAX_TERMS>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

/// The path of the required node affinity in a pod.
const REQUIRED: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";

impl<'a> Placement<'a> {
    /// The value of a label in the node selector.
    pub fn selected(self, label: &str) -> Option<&'a str> {
        self.node_selector?.get(label)?.as_deref()
    }

    /// The versions of Windows that the pod selects; `None` when it selects none. A selection in
    /// any other form than a list of builds is assumed to be right, and gives an empty list.
    pub fn versions(self) -> Option<Vec<WindowsVersion>> {
        if let Some(build) = self.selected(BUILD_LABEL) {
            let revision = self.selected(REVISION_LABEL).and_then(|revision| revision.parse().ok());
            let version = build.parse::<WindowsVersion>().ok();
            return Some(
                version.map(|version| WindowsVersion { revision, ..version }).into_iter().collect(),
            );
        }
        let terms = self.terms();
        let of_build = |term: &Term| {
            let UpTo(expressions) = term.match_expressions.as_ref()?;
            expressions.iter().find(|expression| expression.key == BUILD_LABEL).map(|expression| {
                let values =
                    expression.values.iter().flatten().filter(|_| expression.operator == "In");
                values.filter_map(|value| value.parse().ok()).collect::<Vec<WindowsVersion>>()
            })
        };
        // A pod may run where any one of the terms holds.
        let of_each: Option<Vec<Vec<WindowsVersion>>> = terms.iter().map(of_build).collect();
        of_each.filter(|of_each| !of_each.is_empty()).map(|of_each| of_each.concat())
    }

    /// The JSON patch that selects these labels in addition.
    pub fn select(self, labels: &Labels) -> Vec<Value> {
        let absent = self.node_selector.is_none().then(|| add("/spec/nodeSelector", json!({})));
        let of_label = |(key, value): (&String, &String)| {
            add(&format!("/spec/nodeSelector/{}", escaped(key)), json!(value))
        };
        absent.into_iter().chain(labels.iter().map(of_label)).collect()
    }

    /// The JSON patch after which the pod runs on nodes of any of these builds only.
    pub fn require_one_of(self, builds: &[u32]) -> Vec<Value> {
        let values: Vec<String> = builds.iter().map(|build| build_value(*build)).collect();
        let expression = json!({"key": BUILD_LABEL, "operator": "In", "values": values});
        let required = json!({"nodeSelectorTerms": [{"matchExpressions": [expression]}]});
        let of_node = json!({"requiredDuringSchedulingIgnoredDuringExecution": required});
        match self.affinity.map(|affinity| affinity.node_affinity.as_ref()) {
            None => return vec![add("/spec/affinity", json!({"nodeAffinity": of_node}))],
            Some(None) => return vec![add("/spec/affinity/nodeAffinity", of_node)],
            Some(Some(of_pod))
                if of_pod.required_during_scheduling_ignored_during_execution.is_none() =>
            {
                return vec![add(REQUIRED, required)];
            }
            Some(Some(_)) => {}
        }
        let of_term = |(at, term): (usize, &Term)| {
            let path = format!("{REQUIRED}/nodeSelectorTerms/{at}/matchExpressions");
            match &term.match_expressions {
                Some(_) => add(&format!("{path}/-"), expression.clone()),
                None => add(&path, json!([expression])),
            }
        };
        self.terms().iter().enumerate().map(of_term).collect()
    }

    fn terms(self) -> &'a [Term] {
        let of_node = self.affinity.and_then(|affinity| affinity.node_affinity.as_ref());
        let required = of_node.and_then(|of_node| {
            of_node.required_during_scheduling_ignored_during_execution.as_ref()
        });
        required.map_or(&[], |required| &required.node_selector_terms.0)
    }
}

fn add(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

//! Tests of the admission decision: each patch is applied by a library, and the pod that comes out
//! is sent again.

use json_patch::Patch;
use serde_json::json;

use super::*;
use crate::platforms::kubernetes::admission::review::{MAX_CONTAINERS, Review};

const OF_TABLES: [u32; 12] =
    [14393, 16299, 17134, 17763, 17763, 18362, 18363, 19041, 19042, 20348, 25398, 26100];

/// What the images of these tests are: the versions are in their names, as `x:17763` or
/// `x:17763+20348`.
fn versions_of(image: &str) -> ImageVersions {
    let (_, tag) = image.split_once(':').unwrap_or_default();
    tag.split('+').filter_map(|version| format!("10.0.{version}").parse().ok()).collect()
}

fn admit(review: &Value, nodes: &[&str]) -> Admission {
    let nodes: Vec<WindowsVersion> =
        nodes.iter().map(|node| format!("10.0.{node}").parse().unwrap()).collect();
    let review: Review = serde_json::from_value(review.clone()).unwrap();
    review
        .request
        .unwrap()
        .admit(&Cluster { nodes: &nodes, server_builds: &OF_TABLES }, versions_of)
}

fn review_of(spec: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
        "object": {"kind": "Pod", "metadata": {"creationTimestamp": null}, "spec": spec},
    }})
}

fn pod_of(images: &[&str]) -> Value {
    let containers: Vec<Value> =
        images.iter().map(|image| json!({"name": "c", "image": image})).collect();
    json!({"os": {"name": "windows"}, "containers": containers})
}

/// The pod's specification after its admission, which a second admission must leave as it is.
fn admitted(spec: &Value, nodes: &[&str]) -> (Admission, Value) {
    let mut review = review_of(spec);
    let admission = admit(&review, nodes);
    let patch: Patch = serde_json::from_value(json!(admission.patch)).expect("it is a JSON patch");
    json_patch::patch(&mut review["request"]["object"], &patch).expect("it fits the pod");
    let again = admit(&review, nodes);
    assert_eq!(again.patch, Vec::<Value>::new(), "the second time");
    for warning in admission.warnings.iter().chain(&again.warnings) {
        assert!(warning.len() <= MAX_WARNING_BYTES, "{} bytes: {warning}", warning.len());
    }
    (admission, review["request"]["object"]["spec"].clone())
}

#[track_caller]
fn check_selector(images: &[&str], nodes: &[&str], selector: Value) {
    let (admission, spec) = admitted(&pod_of(images), nodes);
    assert_eq!(
        (admission.decision, &spec["nodeSelector"]),
        (Decision::Selected, &selector),
        "{images:?} on {nodes:?}"
    );
    assert_eq!(admission.warnings, Vec::<String>::new());
}

#[track_caller]
fn check_affinity(images: &[&str], nodes: &[&str], builds: &[u32]) {
    let (admission, spec) = admitted(&pod_of(images), nodes);
    assert_eq!(
        (admission.decision, admission.builds.as_slice()),
        (Decision::Selected, builds),
        "{images:?} on {nodes:?}"
    );
    let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    let values: Vec<String> = builds.iter().map(|build| format!("10.0.{build}")).collect();
    let expression =
        json!({"key": "node.kubernetes.io/windows-build", "operator": "In", "values": values});
    assert_eq!(
        (terms, &spec["nodeSelector"]),
        (&json!([{"matchExpressions": [expression]}]), &Value::Null)
    );
}

#[track_caller]
fn check_unchanged(spec: &Value, nodes: &[&str], decision: Decision, warnings: usize) {
    let (admission, after) = admitted(spec, nodes);
    assert_eq!((admission.decision, &after), (decision, spec), "on {nodes:?}");
    assert_eq!(admission.warnings.len(), warnings, "{:?}", admission.warnings);
}

#[test]
fn one_build_becomes_a_selector() {
    let build = |build: &str| json!({"node.kubernetes.io/windows-build": build});
    check_selector(&["x:17763.557"], &[], build("10.0.17763"));
    check_selector(&["x:16299"], &[], build("10.0.16299"));
    check_selector(&["x:26100.1"], &[], build("10.0.26100"));
    check_selector(&["x:20348.1"], &["17763", "20348"], build("10.0.20348"));
    // An older image: the selector names the node, not the image.
    check_selector(&["x:20348.1"], &["17763", "26100"], build("10.0.26100"));
    check_selector(&["x:20348", "y:26100"], &[], build("10.0.26100"));
    // An index chooses at pull, and here it has to choose what the other image needs.
    check_selector(&["x:17763+20348+26100", "y:17763"], &[], build("10.0.17763"));
    check_selector(&["x:17763", "unknown"], &[], build("10.0.17763"));
}

#[test]
fn windows_server_2016_needs_the_revision_too() {
    let exact = json!({"node.kubernetes.io/windows-build": "10.0.14393",
        "wintag/windows-revision": "1715"});
    check_selector(&["x:14393.1715"], &[], exact.clone());
    check_selector(&["x:14393.1715"], &["14393.1715", "14393.1770", "17763"], exact);
    check_unchanged(&pod_of(&["x:14393.1715"]), &["14393.1770", "17763"], Decision::RunsNowhere, 1);
    // The revision of the image or of the nodes is not known.
    for (image, nodes) in [("x:14393", &[][..]), ("x:14393.1715", &["14393", "17763"])] {
        let (admission, spec) = admitted(&pod_of(&[image]), nodes);
        assert_eq!(spec["nodeSelector"], json!({"node.kubernetes.io/windows-build": "10.0.14393"}));
        assert_eq!(admission.warnings.len(), 1);
    }
}

#[test]
fn several_builds_become_an_affinity() {
    check_affinity(&["x:20348.1"], &[], &[20348, 25398, 26100]);
    check_affinity(&["x:20348.1"], &["17763", "20348", "26100"], &[20348, 26100]);
    check_affinity(&["x:17763+20348"], &["14393", "17763", "26100"], &[17763, 26100]);
}

#[test]
fn an_affinity_is_added_to_what_is_there() {
    let of_term = |more: Value| json!({"matchExpressions": [more]});
    let zone = json!({"key": "zone", "operator": "In", "values": ["a"]});
    let build = json!({"key": "node.kubernetes.io/windows-build", "operator": "In",
        "values": ["10.0.20348", "10.0.26100"]});
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let with = |affinity: Value| {
        let mut pod = pod_of(&["x:20348"]);
        pod["affinity"] = affinity;
        admitted(&pod, &["17763", "20348", "26100"]).1["affinity"].clone()
    };
    let alone = json!({"nodeSelectorTerms": [of_term(build.clone())]});
    assert_eq!(with(json!({})), json!({"nodeAffinity": {required: alone}}));
    let of_pods = json!({"podAntiAffinity": {}});
    assert_eq!(with(of_pods), json!({"podAntiAffinity": {}, "nodeAffinity": {required: alone}}));
    let preferred =
        json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}});
    assert_eq!(with(preferred)["nodeAffinity"][required], alone);
    let terms = json!([of_term(zone.clone()), {"matchFields": []}]);
    let both = json!([{"matchExpressions": [zone, build]}, {"matchFields": [],
        "matchExpressions": [build]}]);
    assert_eq!(
        with(json!({"nodeAffinity": {required: {"nodeSelectorTerms": terms}}}))["nodeAffinity"]
            [required]["nodeSelectorTerms"],
        both
    );
}

#[test]
fn a_pod_that_runs_everywhere_is_left_as_it_is() {
    check_unchanged(&pod_of(&["x:20348"]), &["20348", "26100"], Decision::RunsEverywhere, 0);
    check_unchanged(
        &pod_of(&["x:17763+20348+26100"]),
        &["17763", "20348", "26100"],
        Decision::RunsEverywhere,
        0,
    );
    check_unchanged(&pod_of(&["x:17763+20348+26100"]), &[], Decision::RunsEverywhere, 0);
}

#[test]
fn what_nobody_runs_is_left_as_it_is_with_a_warning() {
    check_unchanged(&pod_of(&["x:26100"]), &["17763", "20348"], Decision::RunsNowhere, 1);
    check_unchanged(&pod_of(&["x:17763", "y:20348"]), &[], Decision::RunsNowhere, 1);
    let many: Vec<String> = OF_TABLES.iter().map(|build| format!("x:{build}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check_unchanged(
        &pod_of(&many),
        &["14393.1", "16299", "17763", "20348"],
        Decision::RunsNowhere,
        1,
    );
}

#[test]
fn a_pod_that_selects_is_believed_or_warned() {
    let selecting = |image: &str, build: &str| {
        let mut pod = pod_of(&[image]);
        pod["nodeSelector"] = json!({"node.kubernetes.io/windows-build": build});
        pod
    };
    check_unchanged(&selecting("x:20348", "10.0.26100"), &[], Decision::SelectsItself, 0);
    check_unchanged(&selecting("x:20348", "10.0.17763"), &[], Decision::SelectsWrongly, 1);
    check_unchanged(&selecting("x:20348", "whatever"), &[], Decision::SelectsItself, 0);
    check_unchanged(&selecting("x:14393.1715", "10.0.14393"), &[], Decision::SelectsItself, 1);
    let mut pod = pod_of(&["x:17763"]);
    let terms = |operator: &str| {
        json!(
            {
            "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "node.kubernetes.io/windows-build", "operator": operator,
                "values": ["10.0.20348"]}]}
        ]}}})
    };
    pod["affinity"] = terms("In");
    check_unchanged(&pod, &[], Decision::SelectsWrongly, 1);
    pod["affinity"] = terms("NotIn");
    check_unchanged(&pod, &[], Decision::SelectsItself, 0);
}

#[test]
fn what_needs_no_selector_is_not_touched() {
    let linux = json!({"os": {"name": "linux"}, "containers": [{"image": "x:17763"}]});
    check_unchanged(&linux, &[], Decision::NotWindows, 0);
    check_unchanged(&json!({"containers": [{"image": "x:17763"}]}), &[], Decision::NotWindows, 0);
    check_unchanged(&pod_of(&["unknown", "nanoserver"]), &[], Decision::ImagesUnknown, 0);
    let options = json!({"windowsOptions": {"hostProcess": true}});
    let mut pod = pod_of(&["x:17763"]);
    pod["securityContext"] = options.clone();
    check_unchanged(&pod, &[], Decision::HostProcess, 0);
    let mut container = pod_of(&["x:17763"]);
    container["containers"][0]["securityContext"] = options;
    check_unchanged(&container, &[], Decision::HostProcess, 0);

    let mut mirror = review_of(&pod_of(&["x:17763"]));
    mirror["request"]["object"]["metadata"]["annotations"] =
        json!({"kubernetes.io/config.mirror": "hash"});
    assert_eq!(admit(&mirror, &[]).decision, Decision::MirrorPod);
    let mut deployment = review_of(&pod_of(&["x:17763"]));
    deployment["request"]["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    assert_eq!(admit(&deployment, &[]).decision, Decision::NotWindows);
    let mut deleted = review_of(&json!(null));
    deleted["request"]["object"] = json!(null);
    assert_eq!(admit(&deleted, &[]).decision, Decision::NotWindows);
}

#[test]
fn every_sort_of_container_and_every_way_to_be_windows_counts() {
    for sort in ["initContainers", "ephemeralContainers"] {
        let pod = json!({"nodeSelector": {"kubernetes.io/os": "windows"},
            "containers": [{"image": "unknown"}], sort: [{"image": "x:17763"}]});
        let (admission, spec) = admitted(&pod, &[]);
        let both = json!({"kubernetes.io/os": "windows",
            "node.kubernetes.io/windows-build": "10.0.17763"});
        assert_eq!(
            (admission.decision, &spec["nodeSelector"]),
            (Decision::Selected, &both),
            "{sort}"
        );
    }
}

#[test]
fn what_exists_is_only_warned() {
    let mut update = review_of(&pod_of(&["x:17763"]));
    update["request"]["operation"] = json!("UPDATE");
    update["request"]["subResource"] = json!("ephemeralcontainers");
    let admission = admit(&update, &[]);
    assert_eq!((admission.decision, admission.patch), (Decision::TooLate, Vec::new()));
    update["request"]["object"]["spec"]["nodeSelector"] =
        json!({"node.kubernetes.io/windows-build": "10.0.20348"});
    assert_eq!(admit(&update, &[]).warnings.len(), 1);
}

#[test]
fn lists_are_bounded() {
    let containers = vec![json!({"image": "x:17763"}); MAX_CONTAINERS + 1];
    let review = review_of(&json!({"os": {"name": "windows"}, "containers": containers}));
    let error = serde_json::from_value::<Review>(review).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("at most 100"), "{error}");
}

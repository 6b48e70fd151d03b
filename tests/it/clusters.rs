//! Lists of nodes, and pods to admit: what kubectl, docker and the API server send, through the
//! real program.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::docker_registry::DockerRegistry;
use crate::support::raw_client::exchange;
use crate::support::service::{Answer, Service};

const KUBECTL: &str = include_str!("../data/clusters/kubectl-get-nodes.json");
const DOCKER: &str = include_str!("../data/clusters/docker-nodes.txt");
const REVIEW: &str = include_str!("../data/clusters/admission-review.json");
const BUILD: &str = "node.kubernetes.io/windows-build";

async fn answer_for(service: &Service, path: &str, list: impl Into<String>) -> Value {
    let answer = service.post_as(path, "application/json", list.into()).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// Of each group: version, nodes, tag and isolation.
fn groups(answer: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let line = |group: &Value| {
        let nodes: Vec<String> =
            group["nodes"].as_array().expect("a list").iter().map(text).collect();
        [
            text(&group["os_version"]),
            nodes.join("+"),
            text(&group["tag"]),
            text(&group["isolation"]),
        ]
        .join(" ")
    };
    answer["groups"].as_array().expect("a list").iter().map(line).collect()
}

/// The nodes of the recorded list whose kernel versions begin with one of these.
fn some_nodes(kernels: &[&str]) -> String {
    let mut list: Value = serde_json::from_str(KUBECTL).expect("it is JSON");
    let is_wanted = |node: &Value| {
        let kernel = node["status"]["nodeInfo"]["kernelVersion"].as_str().expect("each has one");
        kernels.iter().any(|wanted| kernel.starts_with(wanted))
    };
    list["items"].as_array_mut().expect("a list").retain(is_wanted);
    list.to_string()
}

#[tokio::test]
async fn a_mixed_kubernetes_cluster_gets_a_tag_for_each_build() {
    let service = Service::offline();
    let answer = answer_for(&service, "/kubernetes/nodes?image=servercore", KUBECTL).await;
    assert_eq!(
        groups(&answer),
        [
            "10.0.14393.1715 38519acs9010 10.0.14393.1715 process",
            "10.0.16299 38519acs9011 1709 process",
            "10.0.17763 akswin2019000000 ltsc2019 process",
            "10.0.20348 akswin2022000000 ltsc2022 process",
            "10.0.26100 akswin2025000000 ltsc2025 process",
        ]
    );
    let exact = json!({"kubernetes.io/os": "windows", BUILD: "10.0.14393",
        "wintag/windows-revision": "1715"});
    assert_eq!(answer["groups"][0]["selector"], exact);
    assert_eq!(answer["one_for_all"], Value::Null);
    let why = answer["why"].as_str().expect("a text");
    assert!(
        why.contains("10.0.16299") && why.contains("Kubernetes has no other isolation"),
        "{why}"
    );
    assert_eq!(answer["skipped"][0]["code"], "not-windows");

    let oldest = &answer["nodes"][0];
    let labels = json!({BUILD: "10.0.14393", "wintag/windows-revision": "1715"});
    assert_eq!(
        (&oldest["labels"], &oldest["patch"]),
        (&labels, &json!({"metadata": {"labels": labels}}))
    );
    let command = "kubectl label node 38519acs9010 node.kubernetes.io/windows-build=10.0.14393 \
                   wintag/windows-revision=1715 --overwrite";
    assert_eq!(oldest["commands"], json!([command]));
    // The kubelet of this one sets its label.
    assert_eq!(
        (&answer["nodes"][2]["labels"], &answer["nodes"][2]["commands"]),
        (&json!({}), &json!([]))
    );
}

/// What kubectl prints for people, of the same cluster.
const TABLE: &str = include_str!("../data/clusters/kubectl-get-nodes-wide.txt");
const DESCRIPTION: &str = include_str!("../data/clusters/kubectl-describe-nodes.txt");

#[tokio::test]
async fn what_tools_print_for_people_is_a_list_too() {
    let service = Service::offline();
    let expected = ["10.0.17763 win1 ltsc2019 process", "10.0.20348 win2 ltsc2022 process"];
    let with_prompt = format!("$ kubectl get nodes -o wide\n    {}", TABLE.replace('\n', "\n    "));
    let (_, without_heading) = TABLE.split_once('\n').expect("it has a heading");
    let narrow = TABLE.split("  ").filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\t");
    for text in [TABLE, DESCRIPTION, &with_prompt, without_heading, &narrow] {
        let path = "/kubernetes/nodes?image=servercore";
        let answer = service.post_as(path, "text/plain", text.to_owned()).await.json();
        assert_eq!(groups(&answer), expected, "{text}");
    }
    let table = service.post_as("/kubernetes/nodes?image=servercore", "text/plain", TABLE).await;
    assert_eq!(table.json()["skipped"][0]["code"], "not-windows");
    let labelled = answer_for(&service, "/kubernetes/nodes?image=iis", DESCRIPTION).await;
    let labels = |node: usize| labelled["nodes"][node]["labels"].get(BUILD).is_some();
    assert!(!labels(0) && labels(1), "the label that is there is not set again");
    let info = " Server Version: 28.0\n Kernel Version: 10.0 17763 \
                (17763.1.amd64fre.rs5_release.180914-1434)\n Operating System: Windows Server 2019 \
                Datacenter Version 1809 (OS Build 17763.1339)\n OSType: windows\n Name: win1\n ID: \
                x\n";
    let two = format!("{info}{}", info.replace("win1", "win2").replace("1339", "1397"));
    let answer = answer_for(&service, "/swarm/nodes?image=servercore", two).await;
    assert_eq!(groups(&answer), ["10.0.17763 win1+win2 ltsc2019 process"]);
    // No node is lost without a word.
    let many = " Kernel Version: 10.0.17763.1\n Name: n\n".repeat(10_001);
    let refused = service.post_as("/swarm/nodes?image=servercore", "text/plain", many).await;
    assert!(refused.text.contains("at most 10000 entries"), "{}", refused.text);
    let refused = service.post_as("/kubernetes/nodes?image=iis", "text/plain", "no nodes").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("kubectl get nodes"), "{}", refused.text);
}

#[tokio::test]
async fn one_tag_runs_on_every_node_of_the_stable_interface() {
    let service = Service::offline();
    let list = some_nodes(&["10.0.20348", "10.0.26100"]);
    let answer = answer_for(&service, "/kubernetes/nodes?image=nanoserver", list).await;
    let one = &answer["one_for_all"];
    assert_eq!((&one["tag"], &one["isolation"]), (&json!("ltsc2022"), &json!("process")));
    assert_eq!(one["selector"], json!({"kubernetes.io/os": "windows"}));
    assert_eq!(answer["why"], Value::Null);
    // An older one beside them has none.
    let list = some_nodes(&["10.0.17763", "10.0.20348"]);
    let answer = answer_for(&service, "/kubernetes/nodes?image=nanoserver", list).await;
    assert_eq!(answer["one_for_all"], Value::Null);
}

#[tokio::test]
async fn a_group_that_runs_nothing_says_why() {
    let service = Service::offline();
    let list = some_nodes(&["14393.1715"]).replace("14393.1715.amd64fre", "14393.0.amd64fre");
    let answer = answer_for(&service, "/kubernetes/nodes?image=servercore", list).await;
    let group = &answer["groups"][0];
    assert_eq!(
        (&group["tag"], &group["problem"]["code"]),
        (&Value::Null, &json!("no-compatible-tag"))
    );
    assert_eq!(answer["one_for_all"], Value::Null);
    let answer = answer_for(&service, "/kubernetes/nodes?image=servercore", some_nodes(&[])).await;
    assert_eq!((groups(&answer), &answer["why"]), (vec![], &json!("the list has no Windows node")));
}

#[tokio::test]
async fn a_mixed_swarm_gets_a_service_for_each_build_and_one_for_all_in_hyperv() {
    let service = Service::offline();
    let answer = answer_for(&service, "/swarm/nodes?image=servercore", DOCKER).await;
    assert_eq!(
        groups(&answer),
        [
            "10.0.14393.1715 WIN-BSTMQDRQC2E 10.0.14393.1715 process",
            "10.0.16299 WIN-1709 1709 process",
            "10.0.17763 WIN-2019 ltsc2019 process",
            "10.0.20348 WIN-2022 ltsc2022 process",
            "10.0.26100 WIN-2025 ltsc2025 process",
        ]
    );
    assert_eq!(
        answer["groups"][0]["service"],
        "docker service create --name windows-14393-1715 --constraint \
         node.labels.windows.build==14393 --constraint node.labels.windows.revision==1715 \
         --isolation process mcr.microsoft.com/windows/servercore:10.0.14393.1715"
    );
    assert_eq!(
        answer["nodes"][1]["commands"],
        json!(["docker node update --label-add OS=windows --label-add OsVersion=10.0.16299 \
                --label-add windows.build=16299 WIN-1709"])
    );
    let one = &answer["one_for_all"];
    assert_eq!((&one["tag"], &one["isolation"]), (&json!("ltsc2016"), &json!("hyperv")));
    assert_eq!(one["constraints"], json!(["node.platform.os==windows"]));
    assert_eq!(answer["skipped"][0]["name"], "manager-1");
    assert_eq!(answer["warnings"][0]["code"], "swarm-ignores-os-version");
    assert_eq!(answer["hyperv_by_default"]["content"], json!({"exec-opts": ["isolation=hyperv"]}));
}

#[tokio::test]
async fn a_swarm_node_of_unknown_version_is_told_what_to_run() {
    let service = Service::offline();
    let (inspected, _) = DOCKER.split_once("]\n{").expect("an array and then objects");
    let answer =
        answer_for(&service, "/swarm/nodes?image=servercore", format!("{inspected}]")).await;
    let skipped = &answer["skipped"][0];
    assert_eq!(
        (&skipped["name"], &skipped["code"]),
        (&json!("WIN-BSTMQDRQC2E"), &json!("version-unknown"))
    );
    assert!(
        skipped["message"]
            .as_str()
            .is_some_and(|text| text.contains("docker info --format '{{json .}}'"))
    );
    // An unknown version allows no claim about all nodes.
    assert_eq!(answer["one_for_all"], Value::Null);
    assert!(
        answer["why"].as_str().is_some_and(|why| why.contains("is unknown")),
        "{}",
        answer["why"]
    );
}

#[tokio::test]
async fn clients_are_isolated_with_hyperv_also_together() {
    let service = Service::offline();
    let client = json!({"Name": "PC-1", "OSType": "windows",
        "OperatingSystem": "Microsoft Windows 11 Pro",
        "KernelVersion": "10.0 22631 (22621.1.amd64fre.ni_release.220506-1250)",
            "Swarm": {"NodeID": "n1"}});
    let node = json!({"ID": "n1", "Description": {"Hostname": "PC-1", "Platform": {"OS": "windows",
        "Architecture": "x86_64"}}});
    let answer =
        answer_for(&service, "/swarm/nodes?image=nanoserver", format!("[{node}] {client}")).await;
    assert_eq!(answer["groups"][0]["isolation"], "hyperv", "{answer}");
    assert_eq!(answer["one_for_all"]["isolation"], "hyperv");
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said() {
    let service = Service::offline();
    let refused = async |path: &str, media: &str, body: String, status: u16, said: &str| {
        let answer = service.post_as(path, media, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert!(answer.text.contains(said), "{path}: {}", answer.text);
    };
    for (path, command) in [
        ("/kubernetes/nodes?image=servercore", "kubectl get nodes -o json"),
        ("/swarm/nodes?image=servercore", "docker node inspect"),
        ("/kubernetes/admission", "JSON"),
    ] {
        for body in ["", "NAME STATUS ROLES", "[", "3"] {
            refused(path, "application/json", body.to_owned(), 400, command).await;
        }
        refused(path, "application/json", "[".repeat(100_000), 400, "body").await;
        let deep = format!("{}{}", "{\"spec\":".repeat(100_000), "}".repeat(100_000));
        refused(path, "application/json", deep, 400, "body").await;
        refused(path, "application/json", " ".repeat((3 << 20) + 1), 413, "3145728 bytes").await;
        refused(path, "text/html", "{}".to_owned(), 415, "application/json").await;
        let answer = service.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
        let with_body =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}");
        let answer = exchange(service.address(), with_body).await;
        assert_eq!(answer.map(|answer| answer.status), Some(405), "{path}");
    }
    let many = |count: usize| {
        let node = |build: usize| {
            json!({"kind": "Node", "metadata": {"name": "a"},
            "status": {"nodeInfo": {"kernelVersion": format!("10.0.{}.1", 30_000 + build)}}})
        };
        json!({"kind": "List", "items": (0..count).map(node).collect::<Vec<_>>()}).to_string()
    };
    refused("/kubernetes/nodes?image=servercore", "application/json", many(65), 400, "at most 64")
        .await;
    refused(
        "/kubernetes/nodes?image=servercore",
        "application/json",
        many(5_001),
        400,
        "at most 5000",
    )
    .await;
    refused("/kubernetes/nodes", "application/json", KUBECTL.to_owned(), 400, "image").await;
    refused(
        "/kubernetes/nodes?image=nanosever",
        "application/json",
        KUBECTL.to_owned(),
        404,
        "unknown-image",
    )
    .await;
    refused(
        "/swarm/nodes?image=a.example/b",
        "application/json",
        DOCKER.to_owned(),
        403,
        "registry-not-allowed",
    )
    .await;
}

/// Sends the recorded review with another image, and gives the pod as it is after the patch, and
/// the response.
async fn admit(service: &Service, image: &str) -> (Value, Value) {
    let mut review: Value = serde_json::from_str(REVIEW).expect("it is JSON");
    review["request"]["object"]["spec"]["containers"][0]["image"] = image.into();
    let answer: Answer = service.post("/kubernetes/admission?timeout=2s", &review).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(
        (&answer["apiVersion"], &answer["kind"]),
        (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
    );
    let response = answer["response"].clone();
    assert_eq!((&response["uid"], &response["allowed"]), (&review["request"]["uid"], &json!(true)));
    assert_eq!(response["patchType"].is_null(), response["patch"].is_null());
    let mut pod = review["request"]["object"].take();
    if let Some(patch) = response["patch"].as_str() {
        let patch = STANDARD.decode(patch).expect("it is base64");
        let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("it is a JSON patch");
        json_patch::patch(&mut pod, &patch).expect("it fits the pod");
    }
    (pod, response)
}

#[tokio::test]
async fn a_pod_is_admitted_with_the_selector_that_its_image_needs() {
    let service = Service::offline();
    let image = "mcr.microsoft.com/windows/servercore/iis:windowsservercore-ltsc2019";
    let (pod, response) = admit(&service, image).await;
    let review: Value = serde_json::from_str(REVIEW).expect("it is JSON");
    let mut expected = review["request"]["object"].clone();
    expected["spec"]["nodeSelector"] = json!({BUILD: "10.0.17763"});
    assert_eq!(pod, expected);
    assert_eq!(
        response["auditAnnotations"],
        json!({"decision": "selected", "windows-builds": "10.0.17763"})
    );
    let (pod, _) = admit(&service, "mcr.microsoft.com/windows/servercore:10.0.14393.1715").await;
    assert_eq!(
        pod["spec"]["nodeSelector"],
        json!({BUILD: "10.0.14393", "wintag/windows-revision": "1715"})
    );
}

#[tokio::test]
async fn the_nodes_of_the_cluster_decide_where_they_are_known() {
    let service = Service::start(&["--offline", "--kubernetes-hosts", "10.0.17763,10.0.26100"]);
    let (pod, _) = admit(&service, "mcr.microsoft.com/windows/nanoserver:ltsc2022").await;
    assert_eq!(pod["spec"]["nodeSelector"], json!({BUILD: "10.0.26100"}));
    let (pod, response) = admit(&service, "mcr.microsoft.com/windows/nanoserver:1709").await;
    assert_eq!((&pod["spec"]["nodeSelector"], &response["patch"]), (&Value::Null, &Value::Null));
    let said = "no Windows node of this cluster (10.0.17763, 10.0.26100) runs all images of \
                this pod (10.0.16299)";
    assert_eq!(response["warnings"], json!([said]));
}

#[tokio::test]
async fn images_of_two_revisions_of_2016_run_on_no_node() {
    let service = Service::offline();
    let mut review: Value = serde_json::from_str(REVIEW).expect("it is JSON");
    let container = |tag: &str| {
        json!({"name": "a",
        "image": format!("mcr.microsoft.com/windows/servercore:{tag}")})
    };
    review["request"]["object"]["spec"]["containers"] =
        json!([container("10.0.14393.1715"), container("10.0.14393.1770")]);
    let response = service.post("/kubernetes/admission", &review).await.json()["response"].clone();
    assert_eq!(
        (&response["patch"], &response["auditAnnotations"]["decision"]),
        (&Value::Null, &json!("runs-nowhere"))
    );
}

#[tokio::test]
async fn admission_uses_earlier_answers_and_queries_no_registry() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    // A single manifest whose name means nothing in the grammar of other repositories.
    let image = "mcr.microsoft.com/windows/servercore:10.0.17763.557-amd64";
    let (pod, response) = admit(&service, "mcr.microsoft.com/dotnet/framework/aspnet:4.8").await;
    assert_eq!(
        (&pod["spec"]["nodeSelector"], &response["auditAnnotations"]["decision"]),
        (&Value::Null, &json!("images-unknown"))
    );
    // The name of a tag is enough if it has a word that only Windows has.
    let (pod, _) = admit(&service, "mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-1809").await;
    assert_eq!(pod["spec"]["nodeSelector"], json!({BUILD: "10.0.17763"}));
    let (_, response) = admit(&service, "docker.io/example/x:2004").await;
    assert_eq!(response["auditAnnotations"]["decision"], "images-unknown");
    admit(&service, image).await;
    assert_eq!(registry.settled_requests(), Vec::<String>::new());

    let checked = service.json(&format!("/check?image={image}&host=17763.557")).await;
    let by_digest = format!(
        "mcr.microsoft.com/windows/servercore@{}",
        checked["image"]["digest"].as_str().expect("it was read")
    );
    service.json(&format!("/check?image={by_digest}&host=17763.557")).await;
    let (pod, _) = admit(&service, &by_digest).await;
    assert_eq!(pod["spec"]["nodeSelector"], json!({BUILD: "10.0.17763"}));
    // A digest with the tag that it was found under, as another answer gave it.
    let pinned = service
        .get("/resolve?image=servercore&host=17134&isolation=hyperv&format=pinned")
        .await
        .text;
    let (_, response) = admit(&service, pinned.trim()).await;
    assert!(pinned.contains("@sha256:") && response["patch"].is_string(), "{pinned}: {response}");
    let asked_for_the_pin = registry.settled_requests().len();
    admit(&service, pinned.trim()).await;
    assert_eq!(registry.settled_requests().len(), asked_for_the_pin);
}

#[tokio::test]
async fn h20_admission_reads_images_as_the_kubelet_does() {
    let service = Service::offline();
    let unknown = format!("@sha256:{}", "a".repeat(64));
    for (image, decision) in [
        ("mcr.microsoft.com/windows/nanoserver:1809", "selected"),
        // On Docker Hub, for the kubelet.
        ("nanoserver:1809", "images-unknown"),
        ("iis:10.0.17763.1", "images-unknown"),
        ("windows/nanoserver:1809", "images-unknown"),
        ("microsoft/nanoserver:1809", "images-unknown"),
        // The digest alone counts.
        (&format!("mcr.microsoft.com/windows/nanoserver:1809{unknown}"), "images-unknown"),
    ] {
        let (_, response) = admit(&service, image).await;
        assert_eq!(response["auditAnnotations"]["decision"], decision, "{image}");
    }
}

#[tokio::test]
async fn what_is_no_review_of_v1_is_refused() {
    let service = Service::offline();
    for (from, to) in [
        ("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
        ("\"AdmissionReview\"", "\"Pod\""),
        ("\"uid\"", "\"id\""),
        ("\"request\"", "\"response\""),
    ] {
        let answer = service
            .post_as("/kubernetes/admission", "application/json", REVIEW.replacen(from, to, 1))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{to}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_fleet_gets_a_tag_for_each_group_and_one_for_all() {
    let service = Service::offline();
    // One question per line: the parameters, the groups, and the one tag for all or why not.
    for (query, expected, one) in [
        (
            "image=servercore&hosts=ltsc2019,20348.2113,20348.5622",
            &[
                "10.0.17763 ltsc2019 ltsc2019 process",
                "10.0.20348 20348.2113+20348.5622 ltsc2022 process",
            ][..],
            "ltsc2019 hyperv",
        ),
        (
            "image=servercore&hosts=ltsc2022,26100.4061&platform=kubernetes",
            &["10.0.20348 ltsc2022 ltsc2022 process", "10.0.26100 26100.4061 ltsc2025 process"],
            "ltsc2022 process",
        ),
        (
            "image=servercore&hosts=ltsc2019,ltsc2022&platform=kubernetes",
            &["10.0.17763 ltsc2019 ltsc2019 process", "10.0.20348 ltsc2022 ltsc2022 process"],
            "Kubernetes has no other isolation mode",
        ),
        (
            "image=mcr.microsoft.com/dotnet/framework/aspnet:4.8-windowsservercore-ltsc2022&\
             hosts=ltsc2019;ltsc2022",
            &[
                "10.0.17763 ltsc2019 4.8-windowsservercore-ltsc2019 process",
                "10.0.20348 ltsc2022 4.8-windowsservercore-ltsc2022 process",
            ],
            "4.8-windowsservercore-ltsc2019 hyperv",
        ),
    ] {
        let answer = service.json(&format!("/fleet?{query}")).await;
        assert_eq!(groups(&answer), expected, "{query}");
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let one_for_all = &answer["one_for_all"];
        let found = match &answer["why"] {
            Value::Null => {
                format!("{} {}", text(&one_for_all["tag"]), text(&one_for_all["isolation"]))
            }
            why => text(why),
        };
        assert!(found.ends_with(one), "{query}: {found}");
    }
    // As the list of the same nodes, which adds labels.
    let of_list = answer_for(
        &service,
        "/kubernetes/nodes?image=servercore",
        some_nodes(&["10.0.17763", "10.0.20348"]),
    )
    .await;
    assert_eq!(of_list["groups"].as_array().map(Vec::len), Some(2));
    let of_hosts =
        service.json("/fleet?image=servercore&hosts=17763,20348&platform=kubernetes").await;
    for group in 0..2 {
        for field in ["tag", "reference", "isolation", "selector"] {
            assert_eq!(
                of_hosts["groups"][group][field], of_list["groups"][group][field],
                "{field}"
            );
        }
    }
}

#[tokio::test]
async fn a_fleet_has_text_formats() {
    let service = Service::offline();
    let path =
        "/fleet?image=servercore&platform=kubernetes&hosts=Windows Server 2019,%3D17763,ltsc2022";
    let csv = service.get(&format!("{path}&format=csv")).await;
    assert_eq!(
        csv.text,
        "windows,hosts,tag,isolation,reference,digest\n\
         10.0.17763,Windows Server 2019; (a text),ltsc2019,process,\
         mcr.microsoft.com/windows/servercore:ltsc2019,\n\
         10.0.20348,ltsc2022,ltsc2022,process,mcr.microsoft.com/windows/servercore:ltsc2022,\n"
    );
    let markdown = service.get(&format!("{path}&format=markdown")).await;
    assert!(markdown.text.contains("| `10.0.20348` | `ltsc2022` | `ltsc2022` | `process` |"));
    assert!(markdown.text.contains("No tag runs on all: `"), "{}", markdown.text);
    let none = service.get(&format!("{path}&format=env")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(none.text.contains("no-compatible-tag"), "{}", none.text);
    // That of one group, and that for all.
    let variables = async |hosts: &str| {
        let path = format!("/fleet?image=servercore&hosts={hosts}&format=env");
        service.get(&path).await.text
    };
    let of_one = service.get("/resolve?image=servercore&host=ltsc2022&format=env").await.text;
    assert_eq!(variables("ltsc2022,20348.2113").await.lines().next(), of_one.lines().next());
    assert!(variables("ltsc2022,ltsc2025").await.contains("WINDOWS_TAG=ltsc2022\n"));
}

#[tokio::test]
async fn a_fleet_that_cannot_be_read_says_which_host() {
    let service = Service::offline();
    let many = vec!["17763"; 65].join(",");
    for (query, status, message) in [
        ("image=servercore&hosts=bar,foo", 404, "item 2: could not recognise"),
        ("image=servercore&hosts=foo", 404, "could not recognise"),
        ("image=servercore", 400, "is required, for example hosts=ltsc2019,ltsc2022"),
        ("image=servercore&hosts=,", 400, "the list is empty"),
        (&format!("image=servercore&hosts={many}"), 400, "at most 64 items"),
        ("image=nanosever&hosts=ltsc2019", 404, "nanoserver"),
    ] {
        let answer = service.get(&format!("/fleet?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert!(answer.text.contains(message), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_read_is_skipped_and_the_others_answered() {
    let service = Service::offline();
    // A text, a text of two meanings, one that no table can show, and one that means a release by
    // its default.
    let hosts = "ltsc2022,foo%7C,22H2,b%E2%80%AEad%09one,21H2";
    let path = format!("/fleet?image=servercore&hosts={hosts}");
    let answer = service.json(&path).await;
    let skipped: Vec<(Value, Value)> = answer["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (it["name"].clone(), it["code"].clone()))
        .collect();
    let expected: [(Value, Value); 3] = [
        ("foo|".into(), "unknown-host".into()),
        ("22H2".into(), "ambiguous".into()),
        (Value::Null, "unknown-host".into()),
    ];
    assert_eq!(skipped, expected);
    let message = answer["skipped"][1]["message"].as_str().expect("a text");
    assert!(message.starts_with("item 3: it could be any of these"), "{message}");
    assert_eq!(groups(&answer), ["10.0.20348 ltsc2022+21H2 ltsc2022 process"]);
    assert_eq!(answer["one_for_all"], Value::Null);
    let why = answer["why"].as_str().expect("a text");
    assert!(why.contains("several nodes under skipped is unknown"), "{why}");
    // As /resolve does, each host says what else it could mean.
    assert_eq!(crate::resolve::codes(&answer["nodes"][1]["warnings"]), ["host-ambiguous"]);
    // No form of the answer loses one.
    let csv = service.get(&format!("{path}&format=csv")).await.text;
    assert_eq!(
        csv.lines().skip(2).collect::<Vec<_>>(),
        [",(a text),,,,", ",22H2,,,,", ",(a text),,,,"]
    );
    let markdown = service.get(&format!("{path}&format=markdown")).await.text;
    assert!(markdown.contains("|  | `22H2` |  |  |  |  |"), "{markdown}");
    assert!(markdown.contains("\nSkipped: `22H2`, `item 3: it could"), "{markdown}");
    let env = service.get(&format!("{path}&format=env")).await;
    assert_eq!(env.status, StatusCode::NOT_FOUND, "{}", env.text);
    assert!(env.text.starts_with("error: no-compatible-tag: "), "{}", env.text);
}

#[tokio::test]
async fn each_group_says_why() {
    let service = Service::offline();
    let answer = service.json("/fleet?image=servercore&hosts=14393,ltsc2022").await;
    let resolved = service.json("/resolve?image=servercore&host=14393").await;
    assert_eq!(answer["groups"][0]["reasons"], resolved["reasons"]);
    assert_eq!(crate::resolve::codes(&answer["groups"][1]["reasons"]), ["same-build"]);
    let nodes = answer_for(
        &service,
        "/kubernetes/nodes?image=nanoserver:1709",
        some_nodes(&["10.0.16299", "10.0.20348"]),
    )
    .await;
    let reasons = |group: &Value| crate::resolve::codes(&group["reasons"]).len();
    let groups = nodes["groups"].as_array().expect("a list");
    for group in groups {
        assert_eq!(reasons(group) > 0, group["problem"].is_null(), "{group}");
    }
    assert!(groups.iter().any(|group| reasons(group) > 0), "{nodes}");
}

#[tokio::test]
async fn lists_of_nodes_have_text_formats() {
    let service = Service::offline();
    let post = async |path: &str, list: &str| {
        service.post_as(path, "application/json", list.to_owned()).await
    };
    let list = some_nodes(&["10.0.17763", "10.0.20348"]);
    let path = "/kubernetes/nodes?image=servercore&format=";
    let csv = post(&format!("{path}csv"), &list).await;
    assert_eq!(csv.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(csv.header("cache-control"), "no-store");
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines[0], "windows,hosts,tag,isolation,reference,digest");
    assert!(lines[1].starts_with("10.0.17763,"), "{}", lines[1]);
    assert_eq!(lines.len(), 3);
    let env = post(&format!("{path}env"), &some_nodes(&["10.0.20348"])).await;
    assert!(env.text.starts_with("WINDOWS_TAG=ltsc2022\n"), "{}", env.text);
    let markdown = post("/swarm/nodes?image=servercore&format=markdown", DOCKER).await;
    assert!(markdown.text.starts_with("| windows | hosts |"), "{}", markdown.text);
    let wrong = post(&format!("{path}yaml"), &list).await;
    assert!(wrong.text.contains("must be one of json, markdown, csv, env"), "{}", wrong.text);
}

#[tokio::test]
async fn an_image_is_checked_against_every_release() {
    let service = Service::offline();
    let answer = service.json("/hosts?image=servercore:ltsc2022").await;
    let hosts = answer["hosts"].as_array().expect("a list");
    let releases = service.json("/releases").await;
    let mut builds: Vec<String> = releases["releases"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|release| format!("{} {}", release["kind"], release["build"]))
        .collect();
    builds.sort();
    builds.dedup();
    assert_eq!(hosts.len(), builds.len());
    for host in hosts {
        // What is said of a host is what /check says of it.
        let (build, kind) = (&host["host"]["build"], host["host"]["kind"].as_str().expect("text"));
        let query = format!("image=servercore:ltsc2022&host={build}&host_type={kind}");
        let checked = service.json(&format!("/check?{query}")).await;
        for field in ["runs", "isolation", "isolation_supported", "suggestion"] {
            assert_eq!(host[field], checked[field], "{query} {field}");
        }
        assert_eq!(host["reasons"], checked["entries"][0]["reasons"], "{query}");
    }
    let runs = |build: u32, kind: &str| {
        let found = hosts
            .iter()
            .find(|host| host["host"]["build"] == build && host["host"]["kind"] == kind);
        found.map(|host| host["isolation"].clone()).unwrap_or_default()
    };
    assert_eq!(runs(17763, "server"), Value::Null);
    assert_eq!(runs(20348, "server"), "process");
    assert_eq!(runs(26100, "server"), "process");
    assert_eq!(runs(22631, "client"), "hyperv");
    let missing = service.get("/hosts?image=servercore:nothing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text.contains("the nearest tags are"), "{}", missing.text);
    assert!(!missing.text.contains("for this host"), "{}", missing.text);
}

#[tokio::test]
async fn all_hosts_of_an_image_cost_one_manifest() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let image = "mcr.microsoft.com/windows/servercore:10.0.17763.557-amd64";
    let answer = service.json(&format!("/hosts?image={image}")).await;
    assert_eq!(answer["freshness"]["source"], "registry");
    assert!(answer["hosts"].as_array().expect("a list").len() > 20);
    let asked = registry.settled_requests();
    let own = asked.iter().filter(|line| line.contains("/manifests/10.0.17763.557-amd64"));
    assert_eq!(own.count(), 1, "{asked:?}");
    // The rest is for the suggestions, and each is asked for once too.
    let distinct: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(distinct.len(), asked.len(), "{asked:?}");
}

//! The misbehaving registry when it behaves: the faults are only worth something if a real client
//! is content with it.

use std::process::Command;

use super::bed::{Bed, check_of, resolve_of, tags_of};
use crate::support::misbehaving_registry::MisbehavingRegistry;
use crate::support::misbehaving_registry::holdings::Holdings;

/// What skopeo prints; it must be content.
async fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || {
        Command::new("timeout")
            .args(["30", "skopeo"])
            .args(arguments)
            .output()
            .expect("skopeo is here")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("it does not panic");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn skopeo_reads_it() {
    let holdings = Holdings::usual().in_pages_of(2);
    let digest = holdings.digest("ltsc2022").to_owned();
    let registry = MisbehavingRegistry::start(move |asked| holdings.answer(asked)).await;
    let repository = format!("docker://{}/any/name", registry.authority());

    let listed = skopeo(&["list-tags", "--tls-verify=false", &repository]).await;
    let listed: serde_json::Value = serde_json::from_slice(&listed).expect("it prints JSON");
    assert_eq!(listed["Tags"], serde_json::json!(["ltsc2019", "ltsc2022", "ltsc2025"]));
    assert_eq!(registry.count("tags/list"), 2, "{:?}", registry.targets());

    let raw =
        skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("{repository}:ltsc2022")])
            .await;
    assert_eq!(crate::support::docker_registry::storage::digest_of(&raw), digest);
    let platform = ["--override-os", "windows", "--override-arch", "amd64"];
    let config = [
        &platform[..],
        &["inspect", "--config", "--tls-verify=false", &format!("{repository}:ltsc2022")],
    ];
    let config = skopeo(&config.concat()).await;
    assert!(String::from_utf8_lossy(&config).contains("windows"));
}

#[tokio::test]
async fn the_service_reads_it() {
    let holdings = Holdings::usual().in_pages_of(2);
    let digest = holdings.digest("ltsc2022").to_owned();
    let bed = Bed::start(move |asked| holdings.answer(asked)).await;
    let answer = bed.service.json(&resolve_of(0)).await;
    assert_eq!((&answer["tag"], &answer["digest"]), (&"ltsc2022".into(), &digest.into()));
    assert_eq!(bed.registry.targets()[1], "/v2/case/0/tags/list?last=ltsc2022&n=2");
    assert_eq!(bed.service.json(&tags_of(0)).await["total"], 3);
    assert_eq!(bed.service.json(&check_of(0)).await["runs"], true);
}

//! Docker Swarm: the labels that tell Windows nodes apart, and the services that use them.
//!
//! Swarm compares the operating system and the architecture of an image and a node, but never
//! os.version (moby, client/service_create.go; swarmkit, PlatformFilter). So nodes get labels, and
//! services constraints on them.

pub mod nodes;

use std::collections::BTreeMap;

use crate::windows::{BUILD_2016, Isolation, SOURCE_COMPATIBILITY, WindowsVersion};

/// The code that shows that Swarm ignores os.version.
pub const SOURCE_OS_VERSION: &str =
    "https://github.com/moby/moby/blob/master/client/service_create.go";
/// Microsoft's steps for Swarm: labels, constraints, and Hyper-V isolation by `daemon.json`.
pub const SOURCE_STEPS: &str = SOURCE_COMPATIBILITY;

/// The label of the operating system, as on Microsoft's page.
pub const OS_LABEL: &str = "OS";
/// The label of the version, as on Microsoft's page: three parts, as `(Get-ComputerInfo).OsVersion`
/// prints them.
pub const OS_VERSION_LABEL: &str = "OsVersion";
/// The build alone, for constraints.
pub const BUILD_LABEL: &str = "windows.build";
/// The revision; only for nodes of Windows Server 2016, where process isolation requires equal
/// revisions.
pub const REVISION_LABEL: &str = "windows.revision";

/// The constraint that every Windows node meets, without any label.
pub const ANY_WINDOWS: &str = "node.platform.os==windows";

/// The configuration file of the engine on Windows.
pub const DAEMON_JSON_PATH: &str = r"C:\ProgramData\docker\config\daemon.json";
/// The setting that makes Hyper-V isolation the default of an engine.
pub const DAEMON_JSON: &str = r#"{"exec-opts": ["isolation=hyperv"]}"#;
/// The command after which the engine uses it.
pub const RESTART_ENGINE: &str = "Restart-Service docker";

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// The labels of a node of this version.
pub fn version_labels(node: WindowsVersion) -> Labels {
    let mut labels = Labels::from([
        (OS_LABEL.to_owned(), "windows".to_owned()),
        (OS_VERSION_LABEL.to_owned(), node.without_revision().to_string()),
        (BUILD_LABEL.to_owned(), node.build.to_string()),
    ]);
    if let Some(revision) = node.revision.filter(|_| node.build == BUILD_2016) {
        labels.insert(REVISION_LABEL.to_owned(), revision.to_string());
    }
    labels
}

/// The constraints of a service that runs in this mode on nodes of this version. Only process
/// isolation on 14393 depends on the revision.
pub fn constraints(node: WindowsVersion, isolation: Isolation) -> Vec<String> {
    let mut constraints = vec![format!("node.labels.{BUILD_LABEL}=={}", node.build)];
    let needs_revision = node.build == BUILD_2016 && isolation == Isolation::Process;
    if let Some(revision) = node.revision.filter(|_| needs_revision) {
        constraints.push(format!("node.labels.{REVISION_LABEL}=={revision}"));
    }
    constraints
}

/// The command that sets these labels on a node, run on a manager.
pub fn label_command(node: &str, labels: &Labels) -> String {
    let pairs: String =
        labels.iter().map(|(key, value)| format!("--label-add {key}={value} ")).collect();
    format!("docker node update {pairs}{node}")
}

/// The command that adds constraints to a service.
pub fn constrain_command(service: &str, constraints: &[String]) -> String {
    let constraints: String =
        constraints.iter().map(|constraint| format!("--constraint-add {constraint} ")).collect();
    format!("docker service update {constraints}{service}")
}

/// The command that creates a service of this image. `--isolation` needs Docker 17.12 or newer.
pub fn service_command(
    name: &str,
    reference: &str,
    isolation: Isolation,
    constraints: &[String],
) -> String {
    let constraints: String =
        constraints.iter().map(|constraint| format!("--constraint {constraint} ")).collect();
    format!("docker service create --name {name} {constraints}--isolation {isolation} {reference}")
}

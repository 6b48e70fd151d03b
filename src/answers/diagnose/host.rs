//! Remedies on the host, on its engine, and on the cluster: to look up, install, update or set.

use crate::platforms::diagnosis::Setting;
use crate::platforms::{kubernetes, swarm};
use crate::windows::{BUILD_2016, HostKind, Isolation, WindowsVersion};

use super::case::Case;
use super::remedy::{Remedy, RemedyCode};

/// A pause image with an entry for every Windows that Kubernetes runs on. This tag is the first
/// with Windows Server 2025 (containerd/containerd pull request 13156).
const PAUSE: (&str, &str) = ("registry.k8s.io/pause", "3.10.2");

pub(super) fn find_host_version(case: &Case<'_>) -> Remedy {
    let command = match case.finding.setting {
        Setting::Kubernetes => {
            let node = case.finding.names.node_in_command();
            format!("kubectl get node {node} -o jsonpath='{{.status.nodeInfo.kernelVersion}}'")
        }
        Setting::Containerd => "cmd /c ver".to_owned(),
        _ => "docker info --format '{{.OSVersion}}'".to_owned(),
    };
    let message = "run this to print the host's Windows version, and send its output together \
                   with the error: the answer then includes the tag";
    Remedy::new(RemedyCode::FindHostVersion, message).command(command)
}

pub(super) fn find_image_version(case: &Case<'_>, why: &str) -> Remedy {
    let command = format!(
        "{} image inspect --format '{{{{.OsVersion}}}}' {}",
        case.client(),
        case.image_in_command()
    );
    Remedy::new(RemedyCode::FindImageVersion, why).command(command)
}

pub(super) fn update_host(case: &Case<'_>) -> Remedy {
    let version = match case.finding.image_version {
        Some(WindowsVersion { revision: Some(revision), build }) => {
            format!(" (10.0.{build}.{revision} or later, the version of the image)")
        }
        _ => String::new(),
    };
    Remedy::new(
        RemedyCode::UpdateHost,
        format!("install the latest cumulative update on the host{version}, and restart it"),
    )
}

pub(super) fn update_both(case: &Case<'_>) -> Remedy {
    let mut remedy = update_host(case);
    remedy.code = RemedyCode::UpdateBoth;
    remedy.message = "bring host and image to the same side of the February 2020 update: install \
                      the update of 11 February 2020 or later on the host, and rebuild the image \
                      on a base of 18 February 2020 or later"
        .to_owned();
    remedy
}

pub(super) fn enable_hyperv(case: &Case<'_>) -> Remedy {
    let (server, client) = (
        "Install-WindowsFeature -Name Hyper-V -Restart",
        "Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All",
    );
    let is_client = case.host.is_some_and(|host| host.kind == HostKind::Client);
    let (command, other) = if is_client { (client, "") } else { (server, client) };
    let mut message = "install Hyper-V on the host as an administrator; if it is installed, make \
                       the hypervisor start with Windows: bcdedit /set hypervisorlaunchtype auto, \
                       then restart"
        .to_owned();
    if !other.is_empty() {
        message.push_str(&format!(". On Windows 10 and 11: {other}"));
    }
    Remedy::new(RemedyCode::EnableHyperV, message).command(command)
}

pub(super) fn expose_virtualization() -> Remedy {
    Remedy::new(
        RemedyCode::ExposeVirtualization,
        "if the host is a virtual machine, enable nested virtualization: with Hyper-V, run this on \
         its physical host while the machine is off; in a cloud, choose a size that supports it. \
         Virtual machines on ARM do not support it",
    )
    .command("Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true")
}

pub(super) fn install_containers(case: &Case<'_>) -> Remedy {
    let (server, client) = (
        "Install-WindowsFeature -Name Containers -Restart",
        "Enable-WindowsOptionalFeature -Online -FeatureName Containers -All",
    );
    let is_client = case.host.is_some_and(|host| host.kind == HostKind::Client);
    let mut message = "install the Containers feature on the host as an administrator".to_owned();
    if !is_client {
        message.push_str(&format!(". On Windows 10 and 11: {client}, then restart"));
    }
    Remedy::new(RemedyCode::InstallContainers, message).command(if is_client {
        client
    } else {
        server
    })
}

pub(super) fn lift_limits() -> Remedy {
    Remedy::new(
        RemedyCode::LiftLimits,
        "start the container without limits of memory and storage (--memory, --storage-opt): its \
         virtual machine exits when it gets less than it needs. Hyper-V itself works",
    )
}

pub(super) fn use_linux_engine() -> Remedy {
    Remedy::new(
        RemedyCode::SwitchToLinuxContainers,
        "pull and run the image with an engine for Linux, such as one in the Windows Subsystem \
         for Linux: containerd on Windows runs Windows images only",
    )
}

pub(super) fn use_matching_architecture(case: &Case<'_>) -> Remedy {
    let message = "use a client and an engine for the host's processor: those for amd64 on a PC, \
                   and those for arm64, with images for arm64, on Windows on ARM. Windows \
                   containers are not emulated";
    let remedy = Remedy::new(RemedyCode::UseMatchingArchitecture, message);
    match case.finding.setting {
        Setting::Containerd => remedy
            .command(format!("nerdctl pull --platform windows/amd64 {}", case.image_in_command())),
        _ => remedy.command("docker version --format '{{.Client.Arch}} {{.Server.Arch}}'"),
    }
}

/// The labels of the nodes; where the image's build is known, the labels to select.
pub(super) fn look_at_labels(case: &Case<'_>) -> Vec<Remedy> {
    let message = "compare the nodeSelector and affinity of the pod with the labels of the nodes: \
                   the kubelet sets node.kubernetes.io/windows-build on Windows nodes";
    let command =
        format!("kubectl get nodes -L {},{}", kubernetes::OS_LABEL, kubernetes::BUILD_LABEL);
    let look = Remedy::new(RemedyCode::LookAtNodes, message).command(command);
    let other = case.finding.image_version.map(|_| other_host(case)).unwrap_or_default();
    [vec![look], other].concat()
}

pub(super) fn fix_pause_image() -> Remedy {
    let (repository, tag) = PAUSE;
    let message = format!(
        "use a pause image that supports the node's build: this line in containerd's config.toml \
         (with containerd 2: `sandbox = \"{repository}:{tag}\"` under pinned_images), or \
         --pod-infra-container-image of a kubelet with Docker. docker manifest inspect \
         {repository}:{tag} lists the builds"
    );
    let remedy = Remedy::new(RemedyCode::FixPauseImage, message)
        .image(&repository, tag)
        .isolated(Isolation::Process);
    remedy.command(format!("sandbox_image = \"{repository}:{tag}\""))
}

pub(super) fn update_client() -> Remedy {
    Remedy::new(
        RemedyCode::UpdateHost,
        "process isolation on a client requires Windows 10, version 1809 (build 17763) or later, \
         and Docker 18.09.1 or later",
    )
}

pub(super) fn use_older_engine() -> Remedy {
    Remedy::new(
        RemedyCode::UseOlderEngine,
        "use Docker Engine 20.10 on this host, the last version that runs on Windows Server 2016; \
         this prints the installed version",
    )
    .command("docker version --format '{{.Server.Version}}'")
}

pub(super) fn use_newer_host() -> Remedy {
    Remedy::new(RemedyCode::UseNewerHost, "or move to Windows Server 2019 (build 17763) or later")
}

pub(super) fn switch_engine(code: RemedyCode, to: &str) -> Remedy {
    let message = format!(
        "if the image is for {to}, switch Docker Desktop to {to} containers with this PowerShell \
         command"
    );
    Remedy::new(code, message)
        .command(format!("& $Env:ProgramFiles\\Docker\\Docker\\DockerCli.exe -Switch{to}Engine"))
}

pub(super) fn exclude_from_scanning() -> Remedy {
    let message = "exclude the engine's files from virus scanning";
    Remedy::new(RemedyCode::ExcludeFromScanning, message)
        .command(r"Add-MpPreference -ExclusionPath $Env:ProgramData\docker")
}

pub(super) fn run_elevated() -> Remedy {
    let message = "run the command as an administrator, or add the user to the Hyper-V \
                   Administrators group and sign in again";
    Remedy::new(RemedyCode::RunElevated, message)
        .command("Add-LocalGroupMember -Group 'Hyper-V Administrators' -Member USER")
}

pub(super) fn look_at_nodes() -> Remedy {
    let message =
        "compare the constraints of the service with the platform and labels of each node";
    Remedy::new(RemedyCode::LookAtNodes, message).command(
        "docker node inspect --format '{{.Description.Platform.OS}} \
         {{.Description.Platform.Architecture}} {{json .Spec.Labels}}' NODE",
    )
}

pub(super) fn show_whole_error(case: &Case<'_>) -> Remedy {
    let message =
        "run this to print the whole error, and send its output: the answer then names the cause";
    let command =
        format!("docker service ps --no-trunc {}", case.finding.names.service_in_command());
    Remedy::new(RemedyCode::ShowWholeError, message).command(command)
}

pub(super) fn show_events(case: &Case<'_>) -> Remedy {
    let message =
        "run this to print the events of the pods, and send its output: they contain the reason";
    let command = format!(
        "kubectl get events{} --field-selector reason=FailedCreatePodSandBox",
        case.finding.names.namespace_option()
    );
    Remedy::new(RemedyCode::ShowEvents, message).command(command)
}

pub(super) fn update_runner() -> Remedy {
    let message = "update GitLab Runner to a release that supports this Windows version, or run \
                   it on an older Windows: the documentation of the Docker executor lists the \
                   supported versions";
    Remedy::new(RemedyCode::UpdateRunner, message)
}

pub(super) fn update_engine() -> Remedy {
    Remedy::new(
        RemedyCode::UpdateEngine,
        "update the engine: the compatibility rules allow this image on this host, but engines \
         with containerd/platforms v1.0.0-rc.2 to rc.4 refuse images of ltsc2022 here; v1.0.0-rc.5 \
         and later accept them",
    )
}

pub(super) fn use_windows_nodes(case: &Case<'_>) -> Remedy {
    let selector = kubernetes::node_selector(case.finding.image_version);
    let message =
        "the image is for Windows, and the node runs Linux: select Windows nodes in the pod";
    Remedy::new(RemedyCode::UseMatchingHost, message).command(select_nodes(case, &selector))
}

pub(super) fn use_linux_nodes(case: &Case<'_>) -> Remedy {
    let selector =
        kubernetes::Labels::from([(kubernetes::OS_LABEL.to_owned(), "linux".to_owned())]);
    let message = "if this is a Linux image, it needs Linux nodes: select them in the pod";
    Remedy::new(RemedyCode::UseLinuxNodes, message).command(select_nodes(case, &selector))
}

/// A host of the image's build; none if the host has that build already.
pub(super) fn other_host(case: &Case<'_>) -> Vec<Remedy> {
    let image = case.finding.image_version;
    if image.is_some_and(|image| {
        image.build != BUILD_2016
            && case.host_version().is_some_and(|host| host.build == image.build)
    }) {
        return Vec::new();
    }
    let build =
        image.map_or_else(|| "VERSION".to_owned(), |image| image.without_revision().to_string());
    let revision = image.filter(|image| image.build == BUILD_2016).and_then(|image| image.revision);
    let on = match (image, revision) {
        (None, _) => "run the container on a host with the image's Windows version".to_owned(),
        (Some(image), Some(_)) => format!(
            "run the container on a host with the image's build, {build}, and with its revision, \
             so {image}"
        ),
        (Some(_), None) => format!("run the container on a host with the image's build, {build}"),
    };
    let remedy = match case.finding.setting {
        Setting::Kubernetes => {
            let mut selector = kubernetes::node_selector(image);
            selector.entry(kubernetes::BUILD_LABEL.to_owned()).or_insert(build);
            let mut message = format!("{on}: select such nodes");
            if let Some(revision) = revision {
                // The kubelet sets the label of the build, but not that of the revision.
                let label = kubernetes::Labels::from([(
                    kubernetes::REVISION_LABEL.to_owned(),
                    revision.to_string(),
                )]);
                let command = kubernetes::label_command("NODE", &label);
                message.push_str(&format!(". Label them with their revision first ({command})"));
            }
            Remedy::new(RemedyCode::UseMatchingHost, message).command(select_nodes(case, &selector))
        }
        Setting::Swarm => {
            let message = format!(
                "{on}: label the nodes ({}), then constrain the service",
                label_command(image)
            );
            Remedy::new(RemedyCode::UseMatchingHost, message).command(constrain(case, image))
        }
        Setting::Docker | Setting::BuildKit | Setting::Ecs | Setting::Containerd => {
            Remedy::new(RemedyCode::UseMatchingHost, on)
        }
    };
    vec![remedy.isolated(Isolation::Process)]
}

pub(super) fn label_nodes(case: &Case<'_>) -> Remedy {
    let version = case.finding.image_version.or(case.host_version());
    let message = format!(
        "label each node with its Windows version, and constrain the service to the labels: {}",
        constrain(case, version)
    );
    Remedy::new(RemedyCode::LabelNodes, message).command(label_command(version))
}

/// The command that makes pods select nodes.
fn select_nodes(case: &Case<'_>, selector: &kubernetes::Labels) -> String {
    let names = &case.finding.names;
    let (kind, workload) = names.workload_in_command();
    kubernetes::select_command(&format!("{kind} {workload}"), &names.namespace_option(), selector)
}

/// The command that labels a Swarm node of this version.
fn label_command(version: Option<WindowsVersion>) -> String {
    let labels = version.map_or_else(
        || swarm::Labels::from([(swarm::BUILD_LABEL.to_owned(), "BUILD".to_owned())]),
        swarm::version_labels,
    );
    swarm::label_command("NODE", &labels)
}

/// The command that keeps a Swarm service to nodes of this version.
fn constrain(case: &Case<'_>, version: Option<WindowsVersion>) -> String {
    let constraints = version.map_or_else(
        || vec![format!("node.labels.{}==BUILD", swarm::BUILD_LABEL)],
        |version| swarm::constraints(version, Isolation::Process),
    );
    swarm::constrain_command(case.finding.names.service_in_command(), &constraints)
}

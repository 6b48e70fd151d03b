//! The remedies for each cause: those of Microsoft's page on version compatibility and those that
//! people have found since, each with a command to copy.
//!
//! Words in capital letters in a command (IMAGE, SERVICE, NODE) stand for names that the text does
//! not contain. Remedies on the image are in `image.rs`, those on hosts and clusters in `host.rs`.

use crate::platforms::diagnosis::{Cause, Setting};
use crate::windows::{BUILD_2025, Isolation, Verdict};

use super::case::Case;
use super::host::{
    enable_hyperv, exclude_from_scanning, expose_virtualization, find_host_version,
    find_image_version, fix_pause_image, install_containers, label_nodes, lift_limits,
    look_at_labels, look_at_nodes, other_host, run_elevated, show_events, show_whole_error,
    switch_engine, update_both, update_client, update_engine, update_host, update_runner,
    use_linux_engine, use_linux_nodes, use_matching_architecture, use_newer_host, use_older_engine,
    use_windows_nodes,
};
use super::image::{
    existing_tag, image_of_the_same_side, look_at_the_image, other_image, other_release,
    pin_revision, process_tag, pull_again, pull_single_manifest, use_microsofts_registry,
};
use super::remedy::{Remedy, RemedyCode};

/// The remedies, the best first.
pub(super) fn remedies(case: &Case<'_>) -> Vec<Remedy> {
    let remedies = of_cause(case);
    // None is left if another tag is the only remedy and the tag is the right one already.
    if remedies.is_empty() { vec![look_at_the_image(case)] } else { remedies }
}

fn of_cause(case: &Case<'_>) -> Vec<Remedy> {
    match case.finding.cause {
        Cause::OsVersionMismatch | Cause::OlderImageNotStarted | Cause::RevisionMismatch2016 => {
            mismatch(case)
        }
        Cause::NoMatchingManifest => refused_pull(case),
        Cause::ImageNewerThanHost => [other_image(case), other_host(case)].concat(),
        Cause::SandboxImageMismatch => vec![fix_pause_image()],
        Cause::ArchitectureMismatch => vec![use_matching_architecture(case)],
        Cause::ExitedAtStart if case.process() == Some(Verdict::No) => mismatch(case),
        Cause::ExitedAtStart if case.finding.isolation == Some(Isolation::HyperV) => {
            // Hyper-V works: the container was started in it.
            vec![lift_limits(), update_host(case)]
        }
        Cause::ExitedAtStart => {
            [vec![update_host(case)], pin_revision(case), hyperv(case), look_up(case)].concat()
        }
        Cause::HyperVMissing if case.finding.is_for_linux => {
            vec![
                switch_engine(RemedyCode::SwitchToLinuxContainers, "Linux"),
                enable_hyperv(case),
                expose_virtualization(),
            ]
        }
        // Hyper-V cannot be installed on a machine of a CI service.
        Cause::HyperVMissing if case.finding.is_hosted => on_hosted_machine(case),
        Cause::HyperVMissing => {
            [vec![enable_hyperv(case), expose_virtualization()], process_tag(case)].concat()
        }
        Cause::FeatureMissing if case.is_new_client_with_older_image() => {
            let features = vec![install_containers(case), enable_hyperv(case)];
            [hyperv(case), other_release(case), features].concat()
        }
        Cause::FeatureMissing => vec![install_containers(case), enable_hyperv(case)],
        Cause::ClientNeedsHyperV => [hyperv(case), vec![update_client()]].concat(),
        Cause::HostTooOldForEngine => vec![use_older_engine(), use_newer_host()],
        Cause::InvalidIsolation => vec![spell_isolation(case)],
        Cause::LinuxEngine => linux_engine(case),
        Cause::UnrecognizedLayer => {
            // An update of the host often brought this error, so updating is a remedy only for a
            // host that is known to be behind.
            let update = case.is_behind_the_image().then(|| update_host(case));
            let first = update.into_iter().chain([pull_again(case)]).collect();
            [first, other_release(case)].concat()
        }
        Cause::LayerNotActivated => {
            [pin_revision(case), other_image(case), hyperv(case), vec![exclude_from_scanning()]]
                .concat()
        }
        Cause::TagNotFound => existing_tag(case),
        Cause::InsiderImage | Cause::ProtocolMismatch => other_image(case),
        Cause::ProcessNotCreated => {
            [vec![update_host(case)], hyperv(case), other_image(case)].concat()
        }
        Cause::February2020Crash | Cause::February2020Timeout | Cause::ServiceCrash => {
            [vec![update_both(case)], image_of_the_same_side(case), hyperv(case)].concat()
        }
        Cause::StartTimedOut => vec![exclude_from_scanning(), update_host(case)],
        Cause::MovedToMcr => use_microsofts_registry(case),
        Cause::AccessDenied => vec![run_elevated()],
        Cause::NoSuitableNode => vec![look_at_nodes(), label_nodes(case)],
        Cause::NoMatchingNode => look_at_labels(case),
        Cause::WindowsEngine if case.finding.setting == Setting::Containerd => {
            vec![use_linux_engine()]
        }
        Cause::WindowsEngine => vec![switch_engine(RemedyCode::SwitchToLinuxContainers, "Linux")],
        Cause::HostUnknownToRunner => vec![update_runner()],
        Cause::SandboxNotCreated => vec![show_events(case), fix_pause_image()],
        Cause::ErrorCutOff => vec![show_whole_error(case)],
    }
}

/// Image and host do not fit: another image, Hyper-V isolation, another host. On Kubernetes, which
/// cannot isolate with Hyper-V, a node of the image's build comes first, where that is known: it
/// changes no image.
fn mismatch(case: &Case<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if case.process() == Some(Verdict::Yes) {
        remedies.push(look_at_the_image(case));
    }
    let in_order =
        if case.finding.setting == Setting::Kubernetes && case.finding.image_version.is_some() {
            [other_host(case), other_image(case)].concat()
        } else {
            [other_image(case), hyperv(case), classic_builder(case), other_host(case)].concat()
        };
    remedies.extend(in_order);
    if case.finding.image_version.is_none() && case.process().is_none() {
        remedies.push(find_image_version(
            case,
            "this prints the version of the image; with it the answer is more precise",
        ));
    }
    remedies
}

fn refused_pull(case: &Case<'_>) -> Vec<Remedy> {
    let mut remedies = mismatch(case);
    // Hyper-V isolation does not change which images can be pulled, and no image is there to be
    // inspected.
    remedies.retain(|remedy| {
        !matches!(
            remedy.code,
            RemedyCode::IsolateWithHyperV
                | RemedyCode::IsolateHostWithHyperV
                | RemedyCode::UseClassicBuilder
                | RemedyCode::FindImageVersion
        )
    });
    if case.image.is_none() {
        let message = "this lists the Windows versions of the tag";
        let command = "docker manifest inspect --verbose IMAGE";
        remedies.push(Remedy::new(RemedyCode::FindImageVersion, message).command(command));
    }
    let words = ["windows", "nanoserver", "servercore", "microsoft", "ltsc"];
    let for_windows =
        case.finding.image.as_deref().map(|image| words.iter().any(|word| image.contains(word)));
    let linux = match case.finding.setting {
        Setting::Kubernetes => use_linux_nodes(case),
        _ => switch_engine(RemedyCode::SwitchToLinuxContainers, "Linux"),
    };
    match for_windows {
        Some(true) => {}
        Some(false) => remedies.insert(0, linux),
        None => remedies.push(linux),
    }
    let is_newest = case.host_version().is_some_and(|host| host.build > BUILD_2025);
    if is_newest && case.process() == Some(Verdict::Yes) {
        // The image runs there: the engine is mistaken, and another host would not help.
        remedies.retain(|remedy| remedy.code != RemedyCode::UseMatchingHost);
        let first = [Some(update_engine()), pull_single_manifest(case)].into_iter().flatten();
        remedies.splice(0..0, first);
    } else if case.finding.by_containerd {
        remedies.extend(pull_single_manifest(case));
        remedies.extend(is_newest.then(update_engine));
    }
    remedies
}

/// Hyper-V isolation, for the container and for the host, if it may help.
fn hyperv(case: &Case<'_>) -> Vec<Remedy> {
    // Machines of CI services have no Hyper-V.
    if !case.hyperv_may_help() || case.finding.is_hosted {
        return Vec::new();
    }
    let known = case.compatibility.is_some();
    let condition = if known {
        ""
    } else {
        "; this does not help if the image has a newer build than the host"
    };
    let command = match case.finding.setting {
        Setting::Swarm => {
            format!(
                "docker service update --isolation hyperv {}",
                case.finding.names.service_in_command()
            )
        }
        Setting::Containerd => {
            format!("nerdctl run --isolation=hyperv {}", case.image_in_command())
        }
        _ => format!("docker run --isolation=hyperv {}", case.image_in_command()),
    };
    let container = Remedy::new(
        RemedyCode::IsolateWithHyperV,
        format!(
            "run this container in Hyper-V isolation, which requires the Hyper-V role{condition}"
        ),
    );
    let container = container.isolated(Isolation::HyperV).command(command);
    if case.finding.setting == Setting::Containerd {
        // The file is Docker's.
        return vec![container];
    }
    let host = Remedy::new(
        RemedyCode::IsolateHostWithHyperV,
        format!(
            "run all containers of the host in Hyper-V isolation: write this to \
             C:\\ProgramData\\docker\\config\\daemon.json (create the file if it does not exist), \
             then run Restart-Service docker. The host requires the Hyper-V role; docker inspect \
             --format '{{{{json .HostConfig.Isolation}}}}' CONTAINER shows whether it \
             works{condition}"
        ),
    );
    vec![
        container,
        host.isolated(Isolation::HyperV).command(r#"{"exec-opts": ["isolation=hyperv"]}"#),
    ]
}

/// A build without BuildKit, which has no Hyper-V isolation in engines before pull request 50942 of
/// moby/moby.
fn classic_builder(case: &Case<'_>) -> Vec<Remedy> {
    let may_help = case.finding.setting == Setting::BuildKit
        && case.compatibility.as_ref().is_none_or(|it| it.hyperv.verdict == Verdict::Yes);
    let message = "build in Hyper-V isolation with the classic builder, because BuildKit isolates \
                   with Hyper-V only in engines since moby/moby#50942, where the host's default \
                   isolation decides. In PowerShell, set $Env:DOCKER_BUILDKIT=0 first";
    let remedy = Remedy::new(RemedyCode::UseClassicBuilder, message).isolated(Isolation::HyperV);
    may_help.then(|| remedy.command("docker build --isolation=hyperv .")).into_iter().collect()
}

/// What is left on a machine of a CI service: process isolation, with an image of its Windows.
fn on_hosted_machine(case: &Case<'_>) -> Vec<Remedy> {
    let of_host = process_tag(case);
    if case.host.is_some() {
        return of_host;
    }
    let message = "machines of CI services have no Hyper-V: use process isolation, with an image \
                   of the machine's Windows version";
    let remedy = Remedy::new(RemedyCode::UseProcessIsolation, message)
        .isolated(Isolation::Process)
        .command(format!("docker run --isolation=process {}", case.image_in_command()));
    [vec![remedy], of_host].concat()
}

/// An engine for Windows containers: Docker Desktop has one to switch to, others do not.
fn linux_engine(case: &Case<'_>) -> Vec<Remedy> {
    let switch = switch_engine(RemedyCode::SwitchToWindowsContainers, "Windows");
    // This is what podman says; it has nothing to switch.
    if case.finding.evidence.contains("no image found in") {
        let message = "pull and run the image with an engine for Windows containers, such as \
                       Docker or nerdctl on Windows: podman runs Linux containers only";
        return vec![Remedy::new(RemedyCode::SwitchToWindowsContainers, message)];
    }
    match case.finding.setting {
        Setting::BuildKit => {}
        Setting::Kubernetes => return vec![use_windows_nodes(case)],
        _ => return vec![switch],
    }
    let message = "or, if the engine runs Windows containers already, build with the classic \
                   builder: set $Env:DOCKER_BUILDKIT=0 first";
    vec![switch, Remedy::new(RemedyCode::UseClassicBuilder, message).command("docker build .")]
}

/// The versions that would make the answer more precise.
fn look_up(case: &Case<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if case.host_version().is_none_or(|host| host.revision.is_none()) {
        remedies.push(find_host_version(case));
    }
    if case.finding.image_version.is_none_or(|image| image.revision.is_none()) {
        remedies.push(find_image_version(
            case,
            "compare the revision (the last number) of the image with that of the host",
        ));
    }
    remedies
}

fn spell_isolation(case: &Case<'_>) -> Remedy {
    let message = "write --isolation=process, --isolation=hyperv or --isolation=default; hyperv \
                   has no hyphen";
    Remedy::new(RemedyCode::SpellIsolation, message)
        .isolated(Isolation::HyperV)
        .command(format!("docker run --isolation=hyperv {}", case.image_in_command()))
}

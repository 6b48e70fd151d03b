//! What to do about an error: the remedies of Microsoft's page on version compatibility and those that people found
//! since, each with a command that can be copied.
//!
//! Words in capital letters in a command stand for what the text does not say: IMAGE, SERVICE, NODE.

use crate::platforms::diagnosis::{Cause, Setting};
use crate::windows::{BUILD_2016, BUILD_2025, Isolation, Verdict, WindowsVersion};

use super::diagnose::Case;
use super::remedy_host::{
    enable_hyperv, exclude_from_scanning, expose_virtualization, find_host_version, find_image_version,
    fix_pause_image, install_containers, look_at_nodes, run_elevated, switch_engine, update_both, update_client,
    update_engine, update_host, use_linux_nodes, use_newer_host, use_older_engine,
};
use super::resolve::{Refusal, Resolution};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The stable code.
    pub code: &'static str,
    /// What to do, in words.
    pub message: String,
    /// The tag to use.
    pub tag: Option<String>,
    /// The image to use.
    pub reference: Option<String>,
    /// The isolation mode to use.
    pub isolation: Option<Isolation>,
    /// The command to run, or the line to write into a file, as the message says.
    pub command: Option<String>,
}

impl Remedy {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), tag: None, reference: None, isolation: None, command: None }
    }

    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub(super) fn isolated(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    pub(super) fn image(mut self, repository: &dyn std::fmt::Display, tag: &str) -> Self {
        self.reference = Some(format!("{repository}:{tag}"));
        self.tag = Some(tag.to_owned());
        self
    }

    fn resolved(self, resolution: &Resolution) -> Self {
        self.image(&resolution.image.repository, &resolution.tag).isolated(resolution.isolation)
    }
}

/// What to do, the best first.
pub(super) fn remedies(case: &Case<'_>) -> Vec<Remedy> {
    match case.finding.cause {
        Cause::OsVersionMismatch | Cause::OlderImageNotStarted | Cause::RevisionMismatch2016 => mismatch(case),
        Cause::NoMatchingManifest => refused_pull(case),
        Cause::ImageNewerThanHost => [other_image(case), other_host(case)].concat(),
        Cause::SandboxImageMismatch => vec![fix_pause_image()],
        Cause::ExitedAtStart if case.process() == Some(Verdict::No) => mismatch(case),
        Cause::ExitedAtStart if case.finding.isolation == Some(Isolation::HyperV) => {
            vec![enable_hyperv(case), expose_virtualization(), update_host(case)]
        }
        Cause::ExitedAtStart => [vec![update_host(case)], pin_revision(case), hyperv(case), look_up(case)].concat(),
        Cause::HyperVMissing => [vec![enable_hyperv(case), expose_virtualization()], process_tag(case)].concat(),
        Cause::FeatureMissing => vec![install_containers(), enable_hyperv(case)],
        Cause::ClientNeedsHyperV => [hyperv(case), vec![update_client()]].concat(),
        Cause::HostTooOldForEngine => vec![use_older_engine(), use_newer_host()],
        Cause::InvalidIsolation => vec![spell_isolation(case)],
        Cause::LinuxEngine => vec![switch_engine("switch-to-windows-containers", "Windows")],
        Cause::UnrecognizedLayer => [vec![update_host(case)], other_release(case)].concat(),
        Cause::InsiderImage | Cause::TagNotFound | Cause::ProtocolMismatch => other_image(case),
        Cause::ProcessNotCreated => [vec![update_host(case)], hyperv(case), other_image(case)].concat(),
        Cause::February2020Crash | Cause::ServiceCrash => {
            [vec![update_both(case)], other_image(case), hyperv(case)].concat()
        }
        Cause::StartTimedOut => vec![exclude_from_scanning(), update_host(case)],
        Cause::MovedToMcr => use_microsofts_registry(case),
        Cause::AccessDenied => vec![run_elevated()],
        Cause::NoSuitableNode => vec![look_at_nodes(), label_nodes(case)],
    }
}

/// Image and host do not fit: another image, Hyper-V isolation, another host. On Kubernetes, which
/// cannot isolate with Hyper-V, a node of the image's build comes first, where that is known: it changes no image.
fn mismatch(case: &Case<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if case.process() == Some(Verdict::Yes) {
        remedies.push(find_image_version(case, "by its tag the image runs on this host, so look at what it really is"));
    }
    let in_order = if case.finding.setting == Setting::Kubernetes && case.finding.image_version.is_some() {
        [other_host(case), other_image(case)].concat()
    } else {
        [other_image(case), hyperv(case), other_host(case)].concat()
    };
    remedies.extend(in_order);
    if case.finding.image_version.is_none() && case.process().is_none() {
        remedies.push(find_image_version(
            case,
            "with the version of the image the answer is more exact; it is printed by this",
        ));
    }
    remedies
}

fn refused_pull(case: &Case<'_>) -> Vec<Remedy> {
    let mut remedies = mismatch(case);
    // What can be pulled decides here; Hyper-V isolation does not change it, and nothing is there to be inspected.
    remedies.retain(|remedy| {
        !matches!(remedy.code, "isolate-with-hyperv" | "isolate-host-with-hyperv" | "find-image-version")
    });
    if case.image.is_none() {
        let message = "this lists the Windows versions under the tag";
        let command = "docker manifest inspect --verbose IMAGE";
        remedies.push(Remedy::new("find-image-version", message).command(command));
    }
    let words = ["windows", "nanoserver", "servercore", "microsoft", "ltsc"];
    let for_windows = case.finding.image.as_deref().map(|image| words.iter().any(|word| image.contains(word)));
    let linux = match case.finding.setting {
        Setting::Kubernetes => use_linux_nodes(),
        _ => switch_engine("switch-to-linux-containers", "Linux"),
    };
    match for_windows {
        Some(true) => {}
        Some(false) => remedies.insert(0, linux),
        None => remedies.push(linux),
    }
    let is_newest = case.host_version().is_some_and(|host| host.build > BUILD_2025);
    if is_newest && case.process() == Some(Verdict::Yes) {
        // The image runs there, so that it is the engine which is mistaken, and another host would not help.
        remedies.retain(|remedy| remedy.code != "use-matching-host");
        let first = [Some(update_engine()), pull_single_manifest(case)].into_iter().flatten();
        remedies.splice(0..0, first);
    } else if case.finding.by_containerd {
        remedies.extend(pull_single_manifest(case));
        remedies.extend(is_newest.then(update_engine));
    }
    remedies
}

/// An image that runs on the host: another tag, or a build on another base.
fn other_image(case: &Case<'_>) -> Vec<Remedy> {
    let resolution = match &case.fitting {
        None => return vec![find_host_version(case), rebuild_on_host_version(case)],
        Some(Ok(resolution)) => resolution,
        Some(Err(refusal)) => {
            let why = match refusal {
                Refusal::Miss(miss) => miss.to_string(),
                Refusal::Shortfall(..) => "none of them runs there in an isolation mode that can be used".to_owned(),
            };
            let message = format!("there is no tag of {} to name for this host: {why}", case.base.repository);
            return vec![Remedy::new("no-matching-tag", message)];
        }
    };
    if case.is_base_image() {
        return vec![use_matching_tag(case, resolution), rebuild(case, resolution)];
    }
    let mut remedies = vec![rebuild(case, resolution)];
    if case.image.is_some() {
        let message = format!(
            "if the image is not your own, use a tag of it that is built for {}; this lists the versions under a tag, \
             and the line to change is that of the Compose file or pod",
            resolution.os_version.without_revision()
        );
        let command = format!("docker manifest inspect --verbose {}", case.image_in_command());
        let ask = Remedy::new("ask-for-matching-tag", message).command(command);
        // An image of Microsoft's own, such as an SDK, is not the user's to rebuild.
        let is_microsofts = case.image.is_some_and(|image| image.repository.registry() == "mcr.microsoft.com");
        remedies.insert(if is_microsofts { 0 } else { 1 }, ask);
    }
    remedies
}

fn use_matching_tag(case: &Case<'_>, resolution: &Resolution) -> Remedy {
    let reference = resolution.reference();
    let (message, command) = match case.finding.setting {
        Setting::Docker => (
            "use the tag that runs on this host".to_owned(),
            format!("docker run --isolation={} {reference}", word(resolution.isolation)),
        ),
        Setting::BuildKit => ("build on the tag that runs on this host".to_owned(), format!("FROM {reference}")),
        Setting::Swarm => (
            format!("use the tag that runs on this host; in the Compose file the line is `image: {reference}`"),
            format!("docker service update --image {reference} SERVICE"),
        ),
        Setting::Kubernetes => (
            format!("use the tag that runs on this node; in the pod the line is `image: {reference}`"),
            format!("kubectl set image deployment/DEPLOYMENT CONTAINER={reference}"),
        ),
        Setting::Ecs => (
            "use the tag that runs on this host, in the task definition".to_owned(),
            format!("\"image\": \"{reference}\""),
        ),
    };
    Remedy::new("use-matching-tag", message).resolved(resolution).command(command)
}

/// What can be said of the tag while the host is not known.
fn rebuild_on_host_version(case: &Case<'_>) -> Remedy {
    let repository = &case.base.repository;
    let mut message = format!("use the tag of {repository} for the host's version: this line in the Dockerfile");
    if case.is_base_image() {
        message.push_str(&format!(", or `image: {repository}:TAG` in the Compose file or pod"));
    }
    Remedy::new("rebuild-on-matching-base", message).command(format!("FROM {repository}:TAG"))
}

fn rebuild(case: &Case<'_>, resolution: &Resolution) -> Remedy {
    let base = case.base.family.as_ref().map_or("base", |family| family.name.as_str());
    let mut message = format!("rebuild your image on the {base} image for this host: this line in the Dockerfile");
    if !case.is_base_image() {
        message.push_str(&format!(
            " (where the tag is a build argument: docker build --build-arg WINDOWS_TAG={} .). On another base, \
             take the tag of that one",
            resolution.tag
        ));
    }
    if resolution.isolation == Isolation::HyperV {
        message.push_str(". It runs in Hyper-V isolation there");
    }
    Remedy::new("rebuild-on-matching-base", message)
        .resolved(resolution)
        .command(format!("FROM {}", resolution.reference()))
}

/// Hyper-V isolation, for the container and for the host, where it may help.
fn hyperv(case: &Case<'_>) -> Vec<Remedy> {
    if !case.hyperv_may_help() {
        return Vec::new();
    }
    let known = case.compatibility.is_some();
    let condition = if known { "" } else { "; it does not help where the image is of a newer build than the host" };
    let command = match case.finding.setting {
        Setting::Swarm => "docker service update --isolation hyperv SERVICE".to_owned(),
        _ => format!("docker run --isolation=hyperv {}", case.image_in_command()),
    };
    let container = Remedy::new(
        "isolate-with-hyperv",
        format!("run this container in Hyper-V isolation, which needs the Hyper-V role{condition}"),
    );
    let host = Remedy::new(
        "isolate-host-with-hyperv",
        format!(
            "run all containers of the host in Hyper-V isolation: write this into C:\\ProgramData\\docker\\config\\daemon.json \
             (make the file if there is none), then Restart-Service docker. The host needs the Hyper-V role; \
             docker inspect --format '{{{{json .HostConfig.Isolation}}}}' CONTAINER shows that it works{condition}"
        ),
    );
    vec![
        container.isolated(Isolation::HyperV).command(command),
        host.isolated(Isolation::HyperV).command(r#"{"exec-opts": ["isolation=hyperv"]}"#),
    ]
}

/// A host of the image's build.
fn other_host(case: &Case<'_>) -> Vec<Remedy> {
    let image = case.finding.image_version;
    let build = image.map_or_else(|| "VERSION".to_owned(), |image| image.without_revision().to_string());
    let on = match image {
        None => "run it on a host of the image's Windows version".to_owned(),
        Some(image) if image.build == BUILD_2016 && image.revision.is_some() => {
            format!(
                "run it on a host of the image's build, {build}; there its revision must be that of the image too, {image}"
            )
        }
        Some(_) => format!("run it on a host of the image's build, {build}"),
    };
    let remedy = match case.finding.setting {
        Setting::Kubernetes => Remedy::new("use-matching-host", format!("{on}: select such nodes")).command(format!(
            r#"kubectl patch deployment DEPLOYMENT -p '{{"spec":{{"template":{{"spec":{{"nodeSelector":{{"kubernetes.io/os":"windows","node.kubernetes.io/windows-build":"{build}"}}}}}}}}}}'"#
        )),
        Setting::Swarm => Remedy::new(
            "use-matching-host",
            format!("{on}: label the nodes (docker node update --label-add OsVersion={build} NODE), then constrain the service"),
        )
        .command(format!("docker service update --constraint-add \"node.labels.OsVersion == {build}\" SERVICE")),
        Setting::Docker | Setting::BuildKit | Setting::Ecs => Remedy::new("use-matching-host", on),
    };
    vec![remedy.isolated(Isolation::Process)]
}

/// The newest tag that is not above the host's revision.
fn pin_revision(case: &Case<'_>) -> Vec<Remedy> {
    let Some(resolution) = case.resolution() else { return Vec::new() };
    if case.host_version().is_none_or(|host| host.revision.is_none() || host.build != resolution.os_version.build) {
        return Vec::new();
    }
    let Some(tag) = resolution.pins.build.as_ref().or(resolution.pins.kb.as_ref()) else { return Vec::new() };
    let repository = &resolution.image.repository;
    let message = "use the newest tag that is not above the host's revision, until the host is updated: this line in the Dockerfile";
    let remedy = Remedy::new("pin-revision", message).image(repository, tag).isolated(Isolation::Process);
    vec![remedy.command(format!("FROM {repository}:{tag}"))]
}

/// What would make the answer more exact.
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

/// A tag that is not the one that failed.
fn other_release(case: &Case<'_>) -> Vec<Remedy> {
    let Some(resolution) = case.resolution().filter(|fitting| Some(fitting.tag.as_str()) == case.tag) else {
        return other_image(case);
    };
    let Some(other) = resolution.alternatives.first() else { return Vec::new() };
    let repository = &resolution.image.repository;
    let mut remedy = Remedy::new(
        "use-other-release",
        "use another release of the image that runs on this host: this line in the Dockerfile",
    )
    .image(repository, &other.tag)
    .command(format!("FROM {repository}:{}", other.tag));
    remedy.isolation = other.isolation;
    vec![remedy]
}

/// A tag that needs no Hyper-V isolation.
fn process_tag(case: &Case<'_>) -> Vec<Remedy> {
    let Some(resolution) = case.resolution() else {
        return if case.host.is_none() { vec![find_host_version(case)] } else { Vec::new() };
    };
    let mut remedy = use_matching_tag(case, resolution);
    remedy.code = "use-process-isolation";
    remedy.message = "or use a tag that runs in process isolation on this host and needs no Hyper-V".to_owned();
    vec![remedy]
}

/// A tag with an architecture is no index, so that containerd has nothing to refuse.
fn pull_single_manifest(case: &Case<'_>) -> Option<Remedy> {
    let (image, tag) = (case.image.filter(|_| case.is_base_image())?, case.tag?);
    // Where containers cannot be isolated with Hyper-V, what is pulled so must run in process isolation.
    let runs = match &case.compatibility {
        Some(compatibility) if case.finding.setting.can_isolate_with_hyperv() => !compatibility.supported().is_empty(),
        Some(compatibility) => compatibility.process.verdict == Verdict::Yes,
        None => case.finding.setting.can_isolate_with_hyperv(),
    };
    if !runs || tag.ends_with("64") {
        return None;
    }
    let tag = format!("{tag}-amd64");
    let message = "pull the tag of the architecture, which is one image and no list: containerd compares only lists with the host";
    let remedy = Remedy::new("pull-single-manifest", message).image(&image.repository, &tag);
    Some(remedy.command(format!("docker pull {}:{tag}", image.repository)))
}

fn use_microsofts_registry(case: &Case<'_>) -> Vec<Remedy> {
    let message = "use the repository on Microsoft's registry that replaced it";
    let (Some(image), Some(tag)) = (case.image, case.tag.filter(|tag| *tag != "latest")) else {
        return other_image(case);
    };
    let remedy = Remedy::new("use-microsofts-registry", message).image(&image.repository, tag);
    let mut remedies = vec![remedy.command(format!("docker pull {}:{tag}", image.repository))];
    if case.resolution().is_some_and(|fitting| fitting.tag != tag) {
        remedies.extend(other_image(case));
    }
    remedies
}

fn spell_isolation(case: &Case<'_>) -> Remedy {
    let message =
        "write --isolation=process, --isolation=hyperv or --isolation=default; the word is hyperv, without a hyphen";
    Remedy::new("spell-isolation", message)
        .isolated(Isolation::HyperV)
        .command(format!("docker run --isolation=hyperv {}", case.image_in_command()))
}

fn label_nodes(case: &Case<'_>) -> Remedy {
    let version = case.finding.image_version.map(WindowsVersion::without_revision).or(case.host_version());
    let version = version.map_or_else(|| "VERSION".to_owned(), |version| version.without_revision().to_string());
    let message = "give each node a label with its Windows version, and constrain the service to it";
    Remedy::new("label-nodes", message).command(format!("docker node update --label-add OsVersion={version} NODE"))
}

const fn word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Process => "process",
        Isolation::HyperV => "hyperv",
    }
}

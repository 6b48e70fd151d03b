//! Remedies on the image: another tag, another base, another way to pull.

use crate::platforms::diagnosis::{Cause, Setting};
use crate::windows::{BUILD_2022, HostKind, Isolation, Verdict, WindowsVersion};

use super::case::Case;
use super::host::{find_host_version, find_image_version};
use super::remedy::{Remedy, RemedyCode};
use crate::answers::resolve::{Resolution, ResolveRefusal, Shortfall};

/// An image that runs on the host: another tag, or a build on another base.
pub(super) fn other_image(case: &Case<'_>) -> Vec<Remedy> {
    let resolution = match &case.fitting {
        None => return vec![find_host_version(case), rebuild_on_host_version(case)],
        Some(Ok(resolution)) => resolution,
        Some(Err(refusal)) => {
            let why = match refusal {
                ResolveRefusal::Miss(miss) => miss.to_string(),
                ResolveRefusal::Shortfall(..) => {
                    "none of them runs there in an available isolation mode".to_owned()
                }
            };
            let message =
                format!("no tag of {} can be named for this host: {why}", case.base.repository);
            let none = Remedy::new(RemedyCode::NoMatchingTag, message);
            return [use_sister(refusal), vec![none]].concat();
        }
    };
    if case.is_base_image() {
        let is_of_same_build =
            case.finding.image_version.is_some_and(|it| it.build == resolution.os_version.build);
        if is_of_same_build
            && resolution.isolation == Isolation::HyperV
            && case.hyperv_may_help()
            && case.finding.cause == Cause::OsVersionMismatch
        {
            // The image in use runs in Hyper-V isolation, which is a remedy of its own.
            return Vec::new();
        }
        if case.tag == Some(resolution.tag.as_str()) {
            return instead_of_the_same(case, resolution);
        }
        return vec![use_matching_tag(case, resolution), rebuild(case, resolution)];
    }
    let mut remedies = vec![rebuild(case, resolution)];
    if let Some(sibling) = &case.sibling {
        remedies.insert(0, use_matching_tag(case, sibling));
    } else if case.image.is_some() {
        let message = format!(
            "if the image is not your own, use one of its tags that is built for {}, in the \
             Compose file or pod; this lists the versions of a tag",
            resolution.os_version.without_revision()
        );
        let command = format!("docker manifest inspect --verbose {}", case.image_in_command());
        let ask = Remedy::new(RemedyCode::AskForMatchingTag, message).command(command);
        // An image of Microsoft's own, such as an SDK, is not the user's to rebuild.
        let is_microsofts =
            case.image.is_some_and(|image| image.repository.registry() == "mcr.microsoft.com");
        remedies.insert(if is_microsofts { 0 } else { 1 }, ask);
    }
    remedies
}

/// The image of another family, where this one has none for the host.
fn use_sister(refusal: &ResolveRefusal) -> Vec<Remedy> {
    let ResolveRefusal::Shortfall(shortfall, _) = refusal else { return Vec::new() };
    let Shortfall::NoneRuns { sister: Some(reference), .. } = &**shortfall else {
        return Vec::new();
    };
    let Some((repository, tag)) = reference.rsplit_once(':') else { return Vec::new() };
    let message = "rebuild your image on this one, which does the same or most of it and has a \
                   tag for the host: use this line in the Dockerfile";
    let remedy = Remedy::new(RemedyCode::RebuildOnMatchingBase, message)
        .image(&repository, tag)
        .isolated(Isolation::Process);
    vec![remedy.command(format!("FROM {reference}"))]
}

/// The tag that runs by its name is the one that failed. Instead of it: a revision that is not
/// above the host's, or another release that needs no Hyper-V.
fn instead_of_the_same(case: &Case<'_>, resolution: &Resolution) -> Vec<Remedy> {
    let pinned = pin_revision(case);
    if !pinned.is_empty() {
        return pinned;
    }
    if case.host_version().is_none_or(|host| host.revision.is_none()) {
        return vec![find_host_version(case)];
    }
    let other =
        resolution.alternatives.iter().find(|other| other.isolation == Some(Isolation::Process));
    other
        .map(|other| use_other_release(resolution, &other.tag, other.isolation))
        .into_iter()
        .collect()
}

/// A tag that exists, instead of one that does not: that of the same software and build, else one
/// that runs on the host.
pub(super) fn existing_tag(case: &Case<'_>) -> Vec<Remedy> {
    let Some(sibling) = &case.sibling else { return other_image(case) };
    let message = "use a tag of the same software and Windows version that exists".to_owned();
    let mut remedy = use_matching_tag(case, sibling);
    (remedy.message, remedy.isolation) = (message, None);
    remedy.command = Some(format!("{} pull {}", case.client(), sibling.reference));
    let host = case.host.is_none().then(|| find_host_version(case));
    [remedy].into_iter().chain(host).collect()
}

/// The image anew, with its containers removed first.
pub(super) fn pull_again(case: &Case<'_>) -> Remedy {
    let message = "remove the containers of the image and the image itself, and pull it again: \
                   layers that were stored before an update of the host can become unreadable";
    let (client, image) = (case.client(), case.image_in_command());
    Remedy::new(RemedyCode::PullAgain, message)
        .command(format!("{client} rmi --force {image}; {client} pull {image}"))
}

/// An image on the host's side of the February 2020 update. A floating tag is on the newer side.
pub(super) fn image_of_the_same_side(case: &Case<'_>) -> Vec<Remedy> {
    match case.resolution() {
        Some(resolution) if case.is_across_february_2020(newest_of(resolution)) => {
            pin_revision(case)
        }
        _ => other_image(case),
    }
}

/// The version behind a floating tag: its revision if it is known, else the newest possible.
fn newest_of(resolution: &Resolution) -> WindowsVersion {
    let WindowsVersion { build, revision } = resolution.os_version;
    WindowsVersion::new(build, revision.unwrap_or(u32::MAX))
}

fn use_matching_tag(case: &Case<'_>, resolution: &Resolution) -> Remedy {
    let reference = &resolution.reference;
    let names = &case.finding.names;
    let (message, command) = match case.finding.setting {
        Setting::Docker | Setting::Containerd => (
            "use the tag that runs on this host".to_owned(),
            format!(
                "{} run --isolation={} {reference}",
                case.client(),
                resolution.isolation.as_str()
            ),
        ),
        Setting::BuildKit => {
            ("build on the tag that runs on this host".to_owned(), format!("FROM {reference}"))
        }
        Setting::Swarm => (
            format!(
                "use the tag that runs on this host; in the Compose file the line is `image: \
                 {reference}`"
            ),
            format!("docker service update --image {reference} {}", names.service_in_command()),
        ),
        Setting::Kubernetes => {
            let (kind, workload) = names.workload_in_command();
            let (container, namespace) = (names.container_in_command(), names.namespace_option());
            (
                format!(
                    "use the tag that runs on this node; in the pod the line is `image: \
                     {reference}`"
                ),
                format!("kubectl set image {kind}/{workload} {container}={reference}{namespace}"),
            )
        }
        Setting::Ecs => (
            "use the tag that runs on this host in the task definition".to_owned(),
            format!("\"image\": \"{reference}\""),
        ),
    };
    Remedy::new(RemedyCode::UseMatchingTag, message).resolved(resolution).command(command)
}

/// The remedy while the host, and with it the tag, is unknown.
fn rebuild_on_host_version(case: &Case<'_>) -> Remedy {
    let repository = &case.base.repository;
    let mut message = format!(
        "use the tag of {repository} for the host's version in this line of the Dockerfile"
    );
    if case.is_base_image() {
        message.push_str(&format!(", or in `image: {repository}:TAG` of the Compose file or pod"));
    }
    Remedy::new(RemedyCode::RebuildOnMatchingBase, message)
        .command(format!("FROM {repository}:TAG"))
}

fn rebuild(case: &Case<'_>, resolution: &Resolution) -> Remedy {
    let base = case.base.family.as_ref().map_or("base", |family| family.name.as_str());
    let mut message = format!(
        "rebuild your image on the {base} image for this host: use this line in the Dockerfile"
    );
    if !case.is_base_image() {
        message.push_str(&format!(
            " (if the tag is a build argument: docker build --build-arg WINDOWS_TAG={} .). For \
             another base image, use its own tag",
            resolution.tag
        ));
    }
    if resolution.isolation == Isolation::HyperV {
        message.push_str(". It then runs in Hyper-V isolation");
    }
    Remedy::new(RemedyCode::RebuildOnMatchingBase, message)
        .resolved(resolution)
        .command(format!("FROM {}", resolution.reference))
}

/// The newest tag that is not above the host's revision.
pub(super) fn pin_revision(case: &Case<'_>) -> Vec<Remedy> {
    let Some((resolution, tag)) = case.resolution().zip(safe_pin(case)) else { return Vec::new() };
    let repository = &resolution.image.named.repository;
    let message = "until the host is updated, use the newest tag that is not above its revision: \
                   use this line in the Dockerfile";
    let remedy = Remedy::new(RemedyCode::PinRevision, message)
        .image(repository, tag)
        .isolated(Isolation::Process);
    vec![remedy.command(format!("FROM {repository}:{tag}"))]
}

/// The tag to pin, as `/resolve` names it: of the host's build, not above its revision, on the same
/// side of the February 2020 update, and not the one that failed. The revisions of
/// clients differ from those of servers, so a client has no such tag.
fn safe_pin<'c>(case: &'c Case<'_>) -> Option<&'c str> {
    let (resolution, host) = (case.resolution()?, case.host?.facts());
    if host.kind != HostKind::Server
        || host.version.revision.is_none()
        || host.version.build != resolution.os_version.build
    {
        return None;
    }
    let pins =
        [&resolution.pins.build, &resolution.pins.kb].into_iter().flatten().map(String::as_str);
    let is_safe = |tag: &&str| {
        case.version_of(tag).is_some_and(|version| !case.is_across_february_2020(version))
    };
    pins.filter(|tag| case.tag != Some(*tag)).find(is_safe)
}

/// A tag that is not the one that failed.
pub(super) fn other_release(case: &Case<'_>) -> Vec<Remedy> {
    if case.is_new_client_with_older_image() {
        let of_2022 = case.resolution().and_then(|resolution| {
            let mut others = resolution.alternatives.iter();
            let other = others.find(|other| {
                case.version_of(&other.tag).is_some_and(|version| version.build == BUILD_2022)
            })?;
            Some(use_other_release(resolution, &other.tag, other.isolation))
        });
        return of_2022.into_iter().collect();
    }
    let Some(resolution) =
        case.resolution().filter(|fitting| Some(fitting.tag.as_str()) == case.tag)
    else {
        return other_image(case);
    };
    let other = resolution.alternatives.first();
    other
        .map(|other| use_other_release(resolution, &other.tag, other.isolation))
        .into_iter()
        .collect()
}

fn use_other_release(resolution: &Resolution, tag: &str, isolation: Option<Isolation>) -> Remedy {
    let repository = &resolution.image.named.repository;
    let message =
        "use another release of the image that runs on this host, in this line of the Dockerfile";
    let mut remedy = Remedy::new(RemedyCode::UseOtherRelease, message).image(repository, tag);
    remedy.isolation = isolation;
    remedy.command(format!("FROM {repository}:{tag}"))
}

/// A tag that needs no Hyper-V isolation.
pub(super) fn process_tag(case: &Case<'_>) -> Vec<Remedy> {
    let Some(resolution) = case.resolution() else {
        return if case.host.is_none() { vec![find_host_version(case)] } else { Vec::new() };
    };
    let mut remedy = use_matching_tag(case, resolution);
    remedy.code = RemedyCode::UseProcessIsolation;
    remedy.message =
        "or use a tag that runs in process isolation on this host and needs no Hyper-V".to_owned();
    vec![remedy]
}

/// A tag with an architecture is no index, so that containerd has nothing to refuse.
pub(super) fn pull_single_manifest(case: &Case<'_>) -> Option<Remedy> {
    let (image, tag) = (case.image.filter(|_| case.is_base_image())?, case.tag?);
    // Without Hyper-V isolation, the image must run in process isolation.
    let runs = match &case.compatibility {
        Some(compatibility) if case.finding.setting.can_isolate_with_hyperv() => {
            !compatibility.supported().is_empty()
        }
        Some(compatibility) => compatibility.process.verdict == Verdict::Yes,
        None => case.finding.setting.can_isolate_with_hyperv(),
    };
    let tag = format!("{tag}-amd64");
    if !runs || !case.has_tag(&tag) {
        return None;
    }
    let message = "pull the tag of the architecture, which is a single image and not a list: \
                   containerd compares only lists with the host";
    let remedy =
        Remedy::new(RemedyCode::PullSingleManifest, message).image(&image.repository, &tag);
    Some(remedy.command(format!("docker pull {}:{tag}", image.repository)))
}

/// The repository that replaced one on Docker Hub, with the tag or the nearest that is there.
pub(super) fn use_microsofts_registry(case: &Case<'_>) -> Vec<Remedy> {
    let message = "use the repository on Microsoft's registry that replaced it";
    let (Some(image), Some(wanted)) = (case.image, case.tag.filter(|tag| *tag != "latest")) else {
        return other_image(case);
    };
    let is_there = case.has_tag(wanted);
    let tag = if is_there { Some(wanted) } else { case.nearest_tag(wanted) };
    // If the host is known, the tag that runs there is better than the one with the nearest
    // spelling.
    let Some(tag) = tag.filter(|_| is_there || case.host.is_none()) else {
        return other_image(case);
    };
    let message = if is_there {
        message.to_owned()
    } else {
        format!("{message}; it has no tag {wanted}, and this is the nearest one")
    };
    let remedy =
        Remedy::new(RemedyCode::UseMicrosoftsRegistry, message).image(&image.repository, tag);
    let mut remedies = vec![remedy.command(format!("docker pull {}:{tag}", image.repository))];
    if !is_there || case.resolution().is_some_and(|fitting| fitting.tag != tag) {
        remedies.extend(other_image(case));
    }
    remedies
}

/// The version to look up if the tag should run by its name.
pub(super) fn look_at_the_image(case: &Case<'_>) -> Remedy {
    find_image_version(
        case,
        "judging by its tag, the image runs on this host: check its actual version",
    )
}

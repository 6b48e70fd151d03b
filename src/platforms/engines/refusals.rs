//! The texts with which engines refuse an image, as their users see them.

use super::entry::{Host, Requested};
use crate::words::words;

words! {
    /// The text of an engine that finds no entry.
    #[derive(serde::Deserialize)]
    pub enum Refusal {
        /// containerd's library alone: Docker 24 to 27.2, BuildKit.
        NoMatch = "no-match",
        /// Docker 27.3 and later with the containerd store.
        NoMatchingManifest = "no-matching-manifest",
        /// The same from 29.6 on: the platform has the level of the processor.
        NoMatchingManifestForCpu = "no-matching-manifest-for-cpu",
        /// containerd up to 2.0.
        FailedToPull = "failed-to-pull",
        /// containerd from 2.1 on, in Kubernetes.
        ConfigDescriptor = "config-descriptor",
        NoMatchInDigest = "no-match-in-digest",
        /// Docker's classic store up to 27.
        Classic = "classic",
        /// Docker's classic store from 28 on.
        ClassicPlatform = "classic-platform",
        Crane = "crane",
        Oras = "oras",
        Regctl = "regctl",
        Skopeo = "skopeo",
        /// skopeo 1.9: the architecture without quotation marks.
        SkopeoUnquoted = "skopeo-unquoted",
    }
}

/// What a text names beside the host.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub reference: &'a str,
    /// The digest that the text names.
    pub digest: &'a str,
    /// The file where the engine keeps that digest.
    pub path: &'a str,
}

/// The end of the texts of containerd's library.
const NO_MATCH: &str = "no match for platform in manifest";

impl Refusal {
    /// The text of a refusal because no entry matches.
    pub(super) fn text(self, host: &Host<'_>, names: &Names<'_>) -> String {
        let Names { reference, digest, .. } = names;
        let (architecture, build) = (host.architecture, build_of(host));
        let whole = platform(host);
        let asked = || match (host.requested, host.windows) {
            (Requested::WholeVersion, Some((_, os_version))) => {
                format!("windows/{architecture}:{os_version}")
            }
            _ => format!("windows/{architecture}"),
        };
        let listed = "in the manifest list entries";
        match self {
            Self::NoMatch => format!("{NO_MATCH}: not found"),
            Self::NoMatchingManifest => {
                format!("no matching manifest for {whole} {listed}: {NO_MATCH}: not found")
            }
            Self::NoMatchingManifestForCpu => {
                let level = level(host);
                format!("no matching manifest for {whole}{level} {listed}: {NO_MATCH}: not found")
            }
            // `client.Pull` with a platform is a Go program's; the words around it are CRI's.
            Self::FailedToPull if host.requested != Requested::Default => {
                format!("{NO_MATCH}: not found")
            }
            Self::FailedToPull => {
                format!("failed to pull and unpack image \"{reference}\": {NO_MATCH}: not found")
            }
            Self::ConfigDescriptor => {
                format!("get image config descriptor: {NO_MATCH} {digest}: not found")
            }
            Self::NoMatchInDigest => format!("{NO_MATCH} {digest}: not found"),
            Self::Classic => {
                format!("no matching manifest for windows/{architecture} 10.0.{build} {listed}")
            }
            Self::ClassicPlatform => format!("no matching manifest for {whole} {listed}"),
            Self::Crane => {
                format!("Error: no child with platform {} in index {reference}", asked())
            }
            Self::Oras => {
                format!("{digest}: not found: no matching manifest was found in the manifest list")
            }
            Self::Regctl => {
                format!("platform not found: windows/{architecture}{}", level(host))
            }
            Self::Skopeo => skopeo(&format!("\"{architecture}\""), "\"windows\""),
            Self::SkopeoUnquoted => skopeo(architecture.as_str(), "windows"),
        }
    }
}

fn skopeo(architecture: &str, operating_system: &str) -> String {
    format!(
        "Error parsing manifest for image: choosing image instance: no image found in manifest \
         list for architecture {architecture}, variant \"\", OS {operating_system}"
    )
}

/// The platform as containerd's library writes it.
fn platform(host: &Host<'_>) -> String {
    let architecture = host.architecture;
    host.requested
        .written(architecture)
        .unwrap_or_else(|| format!("windows(10.0.{})/{architecture}", build_of(host)))
}

/// The level of the processor as a variant, where the engine takes the platform from the host.
fn level(host: &Host<'_>) -> String {
    match host.requested {
        Requested::Default if host.cpu_level > 1 => format!("/v{}", host.cpu_level),
        _ => String::new(),
    }
}

fn build_of(host: &Host<'_>) -> u32 {
    host.windows.map(|(build, _)| build).unwrap_or_default()
}

/// Docker's containerd store before 28: the pulled image is not for the platform asked for.
pub(super) fn no_such_image(names: &Names<'_>) -> String {
    format!("No such image: {}", names.reference)
}

/// Docker's containerd store from 28 on: a single image is not for the platform asked for.
pub(super) fn platform_not_provided(host: &Host<'_>, names: &Names<'_>) -> String {
    let (reference, platform) = (names.reference, platform(host));
    format!(
        "image with reference {reference} was found but does not provide the specified platform \
         ({platform})"
    )
}

/// Docker's classic store: a single image of a newer build.
pub(super) fn newer_build(image_build: u32, host: &Host<'_>) -> String {
    let build = build_of(host);
    format!(
        "a Windows version 10.0.{image_build}-based image is incompatible with a 10.0.{build} host"
    )
}

/// Docker's classic store: an image of another operating system.
pub(super) fn other_system(operating_system: &str, is_long: bool) -> String {
    let end = if is_long { ": operating system is not supported" } else { "" };
    format!("image operating system \"{operating_system}\" cannot be used on this platform{end}")
}

/// oras: the single image is not for the platform asked for.
pub(super) fn not_the_target_platform(names: &Names<'_>) -> String {
    format!("{}: not found: platform in manifest does not match target platform", names.digest)
}

/// containerd 2.1.0 to 2.1.5: it chooses an entry that it did not download.
pub(super) fn blob_not_found(names: &Names<'_>) -> String {
    let Names { digest, path, .. } = names;
    format!(
        "get image config descriptor: blob {digest} expected at {path}: blob not found: not found"
    )
}

/// The event of the kubelet about such a text of containerd, as `kubectl describe pod` prints it
/// (tests/data/diagnosis has reports of it; kubernetes, pkg/kubelet/images/image_manager.go). All
/// of these texts are of the kind `NotFound`.
pub fn kubelet_event(reference: &str, text: &str) -> String {
    format!("Failed to pull image \"{reference}\": rpc error: code = NotFound desc = {text}")
}

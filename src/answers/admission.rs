//! The use case behind `/kubernetes/admission`: what memory knows of a pod's images decides. Nobody
//! is asked: pods are made while the API server waits, and while registries are down.

use std::collections::BTreeSet;

use crate::catalogue::{Entry, EntryRole, Wanted};
use crate::images::{Digest, NamedImage, Selector};
use crate::platforms::kubernetes::admission::{Admission, Cluster, ImageVersions, Request};
use crate::windows::{HostKind, WindowsVersion};

use super::context::Context;

/// Answers a request.
pub fn admit(context: &Context, request: &Request) -> Admission {
    let server_builds: Vec<u32> = context
        .tables
        .releases()
        .iter()
        .filter(|release| release.kind == HostKind::Server)
        .map(|release| release.build)
        .collect();
    let cluster = Cluster { nodes: &context.kubernetes_hosts, server_builds: &server_builds };
    request.admit(&cluster, |image| versions_in_memory(context, image))
}

/// The versions of Windows that an image holds, as far as memory knows: what a registry said of it,
/// whenever that was, else what the name of its tag says in a repository of base images.
fn versions_in_memory(context: &Context, image: &str) -> ImageVersions {
    let Ok((image, selector)) = context.families.read_reference(image) else { return Vec::new() };
    let known = |wanted| context.catalogue.known_manifest(&image.repository, wanted);
    let (manifest, by_name) = match selector {
        Selector::Default => return Vec::new(),
        Selector::Tag(tag) => {
            (known(Wanted::Tag(tag.clone())), version_of_tag(context, &image, &tag))
        }
        Selector::Digest { tag, digest } => {
            // The tag beside it, as in `format=pinned`, may be how the same image became known.
            let by_tag =
                || known(Wanted::Tag(tag.clone()?)).filter(|manifest| manifest.digest == digest);
            let by_name = || tag.as_deref().and_then(|tag| version_of_tag(context, &image, tag));
            (
                known(Wanted::Digest(digest.clone())).or_else(by_tag),
                version_of_digest(context, &image, &digest).or_else(by_name),
            )
        }
    };
    match manifest {
        Some(manifest) => {
            let versions: BTreeSet<WindowsVersion> =
                manifest.entries.iter().filter_map(version_of).collect();
            versions.into_iter().collect()
        }
        None => by_name.into_iter().collect(),
    }
}

/// The version of an entry, if it is an image of Windows for the architecture of Windows nodes.
fn version_of(entry: &Entry) -> Option<WindowsVersion> {
    let is =
        |given: &Option<String>, wanted: &str| given.as_deref().is_none_or(|given| given == wanted);
    let counts = entry.role == EntryRole::Image
        && is(&entry.operating_system, "windows")
        && is(&entry.architecture, "amd64");
    entry.os_version.as_deref().filter(|_| counts)?.parse().ok()
}

fn version_of_tag(context: &Context, image: &NamedImage, tag: &str) -> Option<WindowsVersion> {
    let tags = context.catalogue.known_tags(&image.repository);
    let known = tags.as_ref().and_then(|tags| tags.find(tag)).and_then(|tag| tag.version);
    // A tag that is newer than the list that is known; what names of other repositories mean,
    // nobody knows.
    known.or_else(|| image.family.as_ref().and_then(|_| context.catalogue.version_of_name(tag)))
}

fn version_of_digest(
    context: &Context,
    image: &NamedImage,
    digest: &Digest,
) -> Option<WindowsVersion> {
    context.catalogue.known_tags(&image.repository)?.iter().find_map(|tag| {
        let seen = tag.observation.as_ref()?;
        (seen.digest.as_ref() == Some(digest)).then_some(seen.os_version.or(tag.version))?
    })
}

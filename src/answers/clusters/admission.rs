//! The use case behind `/kubernetes/admission`, answered from memory alone. No registry is queried:
//! pods are created while the API server waits, and while registries are down.

use std::collections::BTreeSet;

use crate::answers::context::Context;
use crate::catalogue::{Entry, Wanted};
use crate::images::{Architecture, Digest, NamedImage, Selector, Tag};
use crate::platforms::kubernetes::admission::{Admission, Cluster, ImageVersions, Request};
use crate::windows::{HostKind, WindowsVersion};

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

/// The versions of Windows that an image holds, as far as they are in memory: from a registry's
/// answer of any age, else from the name of the tag in a repository of base images.
fn versions_in_memory(context: &Context, image: &str) -> ImageVersions {
    let Ok((image, selector)) = context.families.read_as_runtimes(image) else {
        return Vec::new();
    };
    let known = |wanted| context.catalogue.known_manifest_of_cluster(&image.repository, wanted);
    let (manifest, by_name) = match selector {
        Selector::Default => return Vec::new(),
        Selector::Tag(tag) => {
            (known(Wanted::Tag(tag.clone())), version_of_tag(context, &image, &tag))
        }
        Selector::Digest { tag, digest } => {
            // The kubelet ignores the tag beside the digest; but the tag, as in `format=pinned`,
            // may be how the image became known.
            let by_tag =
                || known(Wanted::Tag(tag.clone()?)).filter(|manifest| manifest.digest == digest);
            (
                known(Wanted::Digest(digest.clone())).or_else(by_tag),
                version_of_digest(context, &image, &digest),
            )
        }
    };
    match manifest {
        Some(manifest) => {
            let images = manifest.windows_images(Architecture::Amd64.as_str());
            let versions: BTreeSet<WindowsVersion> =
                images.filter_map(Entry::windows_version).collect();
            versions.into_iter().collect()
        }
        None => by_name.into_iter().collect(),
    }
}

fn version_of_tag(context: &Context, image: &NamedImage, tag: &str) -> Option<WindowsVersion> {
    let tags = context.catalogue.known_tags(&image.repository);
    let known = tags.as_ref().and_then(|tags| tags.find(tag)).and_then(|tag| tag.version);
    // The tag may be newer than the list in memory. In repositories of other images, a bare number
    // such as 2004 may be a version of the software.
    let is_certain = image.family.is_some() || Tag::parse(tag).is_some_and(|it| it.names_windows());
    known.or_else(|| context.catalogue.version_of_name(tag).filter(|_| is_certain))
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

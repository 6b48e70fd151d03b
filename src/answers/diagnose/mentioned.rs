//! The hosts and images in a text that has no error, with the tag for each.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::base::base_named;
use crate::answers::context::Context;
use crate::answers::host::HostDescription;
use crate::answers::question::{AskedHost, ResolveQuestion};
use crate::answers::resolve::resolve;
use crate::images::{NamedImage, Selector, Tag};
use crate::platforms::diagnosis;
use crate::windows::{Isolation, WindowsVersion};

/// The base images that most images are built on.
const BASES: [&str; 2] = ["servercore", "nanoserver"];

/// A host in a text without an error.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MentionedHost {
    /// The host.
    pub host: HostDescription,
    /// The tag of Server Core and that of Nano Server for it; without one where there is none.
    #[schema(example = json!(["mcr.microsoft.com/windows/servercore:ltsc2022"]))]
    pub references: Vec<String>,
}

/// An image in a text without an error.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MentionedImage {
    /// The image.
    pub image: NamedImage,
    /// The Windows version that its tag names, or null.
    #[schema(value_type = Option<String>, example = "10.0.17763")]
    pub image_os_version: Option<WindowsVersion>,
    /// The tag of the same software for the host, if the text has one host and the image is known;
    /// else null.
    pub reference: Option<String>,
    /// The isolation mode in which that tag runs, or null.
    pub isolation: Option<Isolation>,
}

/// The hosts and images in a text.
#[derive(Clone, Debug, Default)]
pub struct Mentioned {
    /// The hosts, in the order of the text.
    pub hosts: Vec<MentionedHost>,
    /// The images, in the order of the text.
    pub images: Vec<MentionedImage>,
}

/// The hosts and images in a text, with the tag for each.
pub async fn mentioned(context: &Context, text: &str) -> Mentioned {
    let found = diagnosis::mentions(text, &context.tables);
    let asked = |reading: crate::windows::HostReading| {
        Some(AskedHost::new(reading.host?, reading.could_mean))
    };
    let hosts: Vec<AskedHost> = found.hosts.into_iter().filter_map(asked).collect();
    let today = context.now().date();
    let mut mentioned = Mentioned::default();
    for host in &hosts {
        let mut references = Vec::new();
        for base in BASES {
            let question = ResolveQuestion::new(base_named(context, base), host.clone());
            references.extend(resolve(context, &question).await.ok().map(|it| it.reference));
        }
        let host = HostDescription::of(host, &context.tables, today);
        mentioned.hosts.push(MentionedHost { host, references });
    }
    let only_host = if let [only] = hosts.as_slice() { Some(only) } else { None };
    for (written, image_os_version) in found.images {
        let Ok((image, selector)) = context.families.read_reference(&written) else { continue };
        // A text must not choose which repositories the service reads.
        let is_known = image.family.is_some() || context.catalogue.has_embedded(&image.repository);
        let tag = match &selector {
            Selector::Tag(tag) => Tag::parse(tag).filter(|_| image.family.is_none()),
            _ => None,
        };
        let resolution = match only_host.filter(|_| is_known) {
            Some(host) => {
                let question = ResolveQuestion::new(Arc::new(image.clone()), host.clone());
                resolve(context, &ResolveQuestion { tag, ..question }).await.ok()
            }
            None => None,
        };
        mentioned.images.push(MentionedImage {
            image,
            image_os_version,
            isolation: resolution.as_ref().map(|it| it.isolation),
            reference: resolution.map(|it| it.reference),
        });
    }
    mentioned
}

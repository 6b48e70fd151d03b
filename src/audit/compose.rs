//! The images of a Compose file (docs.docker.com/reference/compose-file/services).

use super::mention::{Found, Place, system_of};
use super::variables::expand;
use super::yaml::{Node, Yaml};

/// Whether a document is a Compose file.
pub(super) fn is_compose(yaml: &Yaml, root: Node) -> bool {
    yaml.get(root, "services").is_some_and(|services| {
        let mut services = yaml.entries(services).iter();
        services.any(|(_, service)| {
            ["image", "build", "extends"].iter().any(|key| yaml.get(*service, key).is_some())
        })
    })
}

/// Reads the images. One that is built under its name is not pulled.
pub(super) fn read(yaml: &Yaml, root: Node) -> Vec<Found> {
    let services = yaml.get(root, "services").map_or(&[][..], |services| yaml.entries(services));
    let images = services.iter().filter(|(_, service)| yaml.get(*service, "build").is_none());
    images
        .filter_map(|(_, service)| {
            let node = yaml.get(*service, "image")?;
            let system = yaml.text_at(*service, &["platform"]).and_then(system_of);
            // Values that are not defaults come from the environment, which is not in the file.
            let image = expand(yaml.text(node)?, None, &|_| None);
            let span = yaml.span(node);
            Some(Found { place: Place::Compose, span, image, system, group: 0 })
        })
        .collect()
}

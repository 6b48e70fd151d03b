//! The images of Kubernetes objects, of any workload, list, template or custom resource, and of the
//! values of Helm charts.

use std::ops::Range;

use super::mention::{Found, MAX_MENTIONS, Place, System};
use super::traced::Traced;
use super::yaml::{Node, Yaml};

/// How deep objects are read. Ours: a list of pod templates has about 20 levels.
const MAX_DEPTH: usize = 100;
/// The labels of a node's operating system, the older one last.
const OS_LABELS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];

/// Whether a document is a Kubernetes object.
pub(super) fn is_object(yaml: &Yaml, root: Node) -> bool {
    yaml.text_at(root, &["apiVersion"]).is_some() && yaml.text_at(root, &["kind"]).is_some()
}

/// Reads the images of a document; `place` says of which kind it is.
pub(super) fn read(yaml: &Yaml, root: Node, place: Place) -> Vec<Found> {
    let mut reader = Reader { yaml, place, found: Vec::new() };
    reader.visit(root, None, yaml.span(root).start, 0);
    reader.found
}

struct Reader<'y> {
    yaml: &'y Yaml,
    place: Place,
    found: Vec<Found>,
}

impl Reader<'_> {
    /// `group` is the pod, by the byte at which its mapping begins.
    fn visit(&mut self, node: Node, system: Option<System>, group: usize, depth: usize) {
        if self.found.len() > MAX_MENTIONS || depth > MAX_DEPTH {
            return;
        }
        for item in self.yaml.items(node) {
            self.visit(*item, system, group, depth + 1);
        }
        let own = system_of_pod(self.yaml, node);
        let is_pod = own.is_some() || self.yaml.get(node, "containers").is_some();
        let group = if is_pod { self.yaml.span(node).start } else { group };
        let system = own.or(system);
        for (key, value) in self.yaml.entries(node) {
            let is_image = self.yaml.text(*key).is_some_and(|key| key.as_str() == "image");
            let text = self.yaml.text(*value).map(|text| (text.clone(), self.yaml.span(*value)));
            let image = text.or_else(|| of_map(self.yaml, *value)).filter(|_| is_image);
            match image {
                Some((image, span)) if is_plausible(&image) => {
                    let image = Ok(image);
                    self.found.push(Found { place: self.place, span, image, system, group });
                }
                _ => self.visit(*value, system, group, depth + 1),
            }
        }
    }
}

/// The image of a mapping as charts have it, of `registry`, `repository`, `tag` and `digest`, and
/// the bytes of its tag or digest. Without both, the chart decides which image it is.
fn of_map(yaml: &Yaml, node: Node) -> Option<(Traced, Range<usize>)> {
    let part = |key: &str| yaml.get(node, key).filter(|it| yaml.text(*it).is_some());
    let (tag, digest) = (part("tag"), part("digest"));
    let span = yaml.span(tag.or(digest)?);
    let mut image = Traced::default();
    let parts = [(part("registry"), "", "/"), (Some(part("repository")?), "", "")];
    for (node, before, after) in parts.into_iter().chain([(tag, ":", ""), (digest, "@", "")]) {
        let Some(text) = node.and_then(|node| yaml.text(node)) else { continue };
        image.push(&Traced::unwritten(before));
        image.push(text);
        image.push(&Traced::unwritten(after));
    }
    Some((image, span))
}

/// Custom resources have other values of this name; those of images have a tag or a path.
fn is_plausible(image: &Traced) -> bool {
    image.as_str().contains([':', '/', '@']) && !image.as_str().contains(char::is_whitespace)
}

/// The operating system that a pod asks for.
fn system_of_pod(yaml: &Yaml, pod: Node) -> Option<System> {
    let selected = OS_LABELS.iter().find_map(|label| yaml.text_at(pod, &["nodeSelector", label]));
    match selected.or_else(|| yaml.text_at(pod, &["os", "name"]))? {
        "windows" => Some(System::Windows),
        _ => Some(System::Linux),
    }
}

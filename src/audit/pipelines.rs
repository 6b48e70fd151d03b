//! The images of pipelines: GitHub workflows and actions, GitLab CI, Azure Pipelines, bake files in
//! JSON, and dev containers.

use std::collections::BTreeMap;

use super::hcl::IMAGE_SCHEME;
use super::mention::{Found, MAX_MENTIONS, Place, System};
use super::traced::Traced;
use super::variables::expand;
use super::yaml::{Node, Yaml};

/// What begins a step that is a container.
const DOCKER_SCHEME: &str = "docker://";
/// What begins an expression of GitHub.
const EXPRESSION: &str = "${{";
/// How deep Azure's stages, jobs and templates are read. Ours: there are five levels.
const MAX_DEPTH: usize = 16;
/// How deep values of GitLab's variables hold further ones. Ours: real files have one or two
/// levels.
const MAX_NESTED_VARIABLES: usize = 4;
/// The most values of one variable of a matrix. GitHub allows 256 jobs of one matrix.
const MAX_MATRIX_VALUES: usize = 256;

fn found(yaml: &Yaml, place: Place, node: Node, image: Result<Traced, String>) -> Found {
    Found { place, span: yaml.span(node), image, system: None, group: yaml.span(node).start }
}

/// An image as text, or as a mapping with the text under this key.
fn image_node(yaml: &Yaml, node: Node, key: &str) -> Option<Node> {
    if yaml.text(node).is_some() { Some(node) } else { yaml.get(node, key) }
}

/// Reads a GitHub workflow or the file of an action.
pub(super) fn github(yaml: &Yaml, root: Node) -> Vec<Found> {
    let mut all = Vec::new();
    let jobs = yaml.get(root, "jobs").map_or(&[][..], |jobs| yaml.entries(jobs));
    for (_, job) in jobs {
        if all.len() > MAX_MENTIONS {
            break;
        }
        let container = yaml.get(*job, "container").and_then(|it| image_node(yaml, it, "image"));
        let services = yaml.get(*job, "services").map_or(&[][..], |it| yaml.entries(it));
        let services = services.iter().filter_map(|(_, service)| yaml.get(*service, "image"));
        let nodes = container.into_iter().chain(services);
        all.extend(nodes.flat_map(|node| of_matrix(yaml, *job, node)).take(MAX_MENTIONS + 1));
        all.extend(docker_steps(yaml, yaml.get(*job, "steps")));
    }
    all.extend(docker_steps(yaml, yaml.path(root, &["runs", "steps"])));
    let own = yaml.path(root, &["runs", "image"]);
    all.extend(own.and_then(|node| docker_image(yaml, node)));
    all
}

fn docker_steps(yaml: &Yaml, steps: Option<Node>) -> impl Iterator<Item = Found> {
    let steps = steps.map_or(&[][..], |steps| yaml.items(steps));
    let images = steps.iter().filter_map(|step| docker_image(yaml, yaml.get(*step, "uses")?));
    images.take(MAX_MENTIONS + 1)
}

fn docker_image(yaml: &Yaml, node: Node) -> Option<Found> {
    let image = yaml.text(node)?.after(DOCKER_SCHEME)?;
    let image = known(image);
    Some(found(yaml, Place::GitHub, node, image))
}

fn known(image: Traced) -> Result<Traced, String> {
    match image.as_str().split_once(EXPRESSION) {
        Some((_, inner)) => Err(inner.split("}}").next().unwrap_or(inner).trim().to_owned()),
        None => Ok(image),
    }
}

/// The image of a job, for each value of the one variable of its matrix that it names.
fn of_matrix(yaml: &Yaml, job: Node, node: Node) -> Vec<Found> {
    let Some(image) = yaml.text(node) else { return Vec::new() };
    let one = |image| found(yaml, Place::GitHub, node, image);
    let Err(expression) = known(image.clone()) else { return vec![one(Ok(image.clone()))] };
    let values = expression.strip_prefix("matrix.").and_then(|name| {
        yaml.path(job, &["strategy", "matrix", name]).map(|values| yaml.items(values))
    });
    let text = image.as_str();
    let place = text.find(EXPRESSION).zip(text.find("}}"));
    let (Some(values), Some((start, end))) = (values.filter(|it| !it.is_empty()), place) else {
        return vec![one(Err(expression))];
    };
    let with = |value: &Node| {
        let mut made = image.slice(0..start);
        made.push(yaml.text(*value)?);
        made.push(&image.slice(end + 2..text.len()));
        Some(one(known(made)))
    };
    values.iter().take(MAX_MATRIX_VALUES).filter_map(with).collect()
}

/// Reads GitLab CI (docs.gitlab.com/ci/yaml).
pub(super) fn gitlab(yaml: &Yaml, root: Node) -> Vec<Found> {
    let mut all = Vec::new();
    let global = variables(yaml, root);
    let jobs = yaml.entries(root).iter().map(|(_, job)| *job);
    for job in std::iter::once(root).chain(jobs) {
        if all.len() > MAX_MENTIONS {
            break;
        }
        let image = yaml.get(job, "image").and_then(|it| image_node(yaml, it, "name"));
        let services = yaml.get(job, "services").map_or(&[][..], |it| yaml.items(it));
        let services = services.iter().filter_map(|it| image_node(yaml, *it, "name"));
        for node in image.into_iter().chain(services).take(MAX_MENTIONS + 1) {
            let Some(text) = yaml.text(node) else { continue };
            let own = |name: &str| value_of(yaml, yaml.path(job, &["variables", name])?);
            let value = |name: &str| own(name).or_else(|| global.get(name).copied());
            let mut image = expand(text, None, &value);
            // Values of variables may have variables.
            for _ in 0..MAX_NESTED_VARIABLES {
                image = match image {
                    Ok(made) if made.as_str().contains('$') => expand(&made, None, &value),
                    done => done,
                };
            }
            let image = match image {
                Ok(made) if made.as_str().contains('$') => Err(made.as_str().to_owned()),
                done => done,
            };
            all.push(found(yaml, Place::GitLab, node, image));
        }
    }
    all
}

/// The variables of a whole file.
fn variables(yaml: &Yaml, root: Node) -> BTreeMap<&str, &Traced> {
    let entries = yaml.get(root, "variables").map_or(&[][..], |it| yaml.entries(it));
    let value =
        |(name, value): &(Node, Node)| Some((yaml.text(*name)?.as_str(), value_of(yaml, *value)?));
    entries.iter().filter_map(value).collect()
}

/// A variable is its value, or a mapping with it.
fn value_of(yaml: &Yaml, node: Node) -> Option<&Traced> {
    image_node(yaml, node, "value").and_then(|value| yaml.text(value))
}

/// Reads Azure Pipelines (learn.microsoft.com/azure/devops/pipelines/yaml-schema): the containers
/// of `resources`, and those that jobs name by their image.
pub(super) fn azure(yaml: &Yaml, root: Node) -> Vec<Found> {
    let containers = yaml.path(root, &["resources", "containers"]);
    let containers = containers.map_or(&[][..], |it| yaml.items(it));
    let names: Vec<&str> =
        containers.iter().filter_map(|it| yaml.text_at(*it, &["container"])).collect();
    let of_resources = containers.iter().filter_map(|it| yaml.get(*it, "image"));
    let mut nodes: Vec<Node> = of_resources.collect();
    jobs(yaml, root, &names, &mut nodes, 0);
    let image = |node| {
        let text = yaml.text(node)?;
        let variable = ["${{", "$(", "$["].iter().find_map(|sign| text.as_str().split_once(sign));
        let image = match variable {
            Some((_, inner)) => Err(inner.trim_end_matches(['}', ')', ']']).trim().to_owned()),
            None => Ok(text.clone()),
        };
        Some(found(yaml, Place::Azure, node, image))
    };
    nodes.into_iter().filter_map(image).take(MAX_MENTIONS + 1).collect()
}

fn jobs(yaml: &Yaml, node: Node, names: &[&str], nodes: &mut Vec<Node>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    if let Some(container) = yaml.get(node, "container") {
        let image = image_node(yaml, container, "image");
        let is_name = |node| yaml.text(node).is_some_and(|text| names.contains(&text.as_str()));
        nodes.extend(image.filter(|image| !is_name(*image)));
    }
    for inner in ["stages", "jobs"].iter().filter_map(|key| yaml.get(node, key)) {
        for item in yaml.items(inner) {
            jobs(yaml, *item, names, nodes, depth + 1);
        }
    }
}

/// Reads a bake file in JSON.
pub(super) fn bake(yaml: &Yaml, root: Node) -> Vec<Found> {
    let targets = yaml.get(root, "target").map_or(&[][..], |targets| yaml.entries(targets));
    let contexts = targets.iter().filter_map(|(_, target)| yaml.get(*target, "contexts"));
    let image = |(_, node): &(Node, Node)| {
        let image = yaml.text(*node)?.after(IMAGE_SCHEME)?;
        let start = image.places().next()?.start;
        let span = start..start + image.as_str().len();
        let image = expand(&image, None, &|name| {
            yaml.text(yaml.path(root, &["variable", name, "default"])?)
        });
        Some(Found { place: Place::Bake, span, image, system: None, group: 0 })
    };
    let contexts = contexts.flat_map(|contexts| yaml.entries(contexts));
    contexts.filter_map(image).take(MAX_MENTIONS + 1).collect()
}

/// Reads the file of a dev container (containers.dev), which is always Linux.
pub(super) fn dev_container(yaml: &Yaml, root: Node) -> Vec<Found> {
    let image = |node| {
        let image = known(yaml.text(node)?.clone());
        let system = Some(System::Linux);
        Some(Found { system, ..found(yaml, Place::DevContainer, node, image) })
    };
    yaml.get(root, "image").and_then(image).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_cannot_multiply() {
        let values = (0..MAX_MATRIX_VALUES).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
        let services: String = (1..500).map(|it| format!("      s{it}: *s\n")).collect();
        let text = format!(
            "jobs:\n  a:\n    strategy: {{matrix: {{v: [{values}]}}}}\n    services:\n      \
             s0: &s {{image: 'a:${{{{ matrix.v }}}}'}}\n{services}"
        );
        let yaml = Yaml::read(&text);
        assert_eq!(github(&yaml, yaml.roots()[0]).len(), MAX_MENTIONS + 1);
    }
}

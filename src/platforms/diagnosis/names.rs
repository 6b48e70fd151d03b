//! The objects of a cluster that a text names, so that commands can name them too.
//!
//! Only names that can stand in a command as they are, and only names without doubt; for the
//! others a command has a word in capital letters.

use std::sync::LazyLock;

use regex::Regex;

use crate::platforms::node::usable_name;

/// The objects that a finding is about, as far as the text names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The service of Docker Swarm.
    pub service: Option<String>,
    /// The namespace of the pod.
    pub namespace: Option<String>,
    /// The node that the pod is on.
    pub node: Option<String>,
    /// The owner of the pod, by kind and name: a deployment, a stateful set or a daemon set.
    pub workload: Option<(&'static str, String)>,
    /// The container of the pod, if it has exactly one.
    pub container: Option<String>,
}

impl Names {
    /// The service as a command names it.
    pub fn service_in_command(&self) -> &str {
        self.service.as_deref().unwrap_or("SERVICE")
    }

    /// The node as a command names it.
    pub fn node_in_command(&self) -> &str {
        self.node.as_deref().unwrap_or("NODE")
    }

    /// The kind and the name of the workload as a command names it.
    pub fn workload_in_command(&self) -> (&'static str, &str) {
        self.workload.as_ref().map_or(("deployment", "DEPLOYMENT"), |(kind, name)| (kind, name))
    }

    /// The container as a command names it.
    pub fn container_in_command(&self) -> &str {
        self.container.as_deref().unwrap_or("CONTAINER")
    }

    /// The option for the namespace, with a space before it; empty where it is not known.
    pub fn namespace_option(&self) -> String {
        self.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
    }
}

/// The names in a text, and their positions.
#[derive(Default)]
pub(super) struct NamesInText {
    /// The services, in the order of the text.
    services: Vec<(usize, String)>,
    /// The objects of `kubectl describe`, each with the position of its `Name:`.
    described: Vec<(usize, Described)>,
}

/// One object as `kubectl describe` prints it.
#[derive(Default)]
struct Described {
    name: String,
    /// A pod has one; a node has none.
    namespace: Option<String>,
    node: Option<String>,
    /// The kind and the name of its controller.
    owner: Option<(String, String)>,
    /// The label that a deployment gives its pods.
    template_hash: Option<String>,
    containers: Vec<String>,
}

impl NamesInText {
    /// Every name in the clean text.
    pub fn of(clean: &str) -> Self {
        let mut found = Self::default();
        let (mut at, mut in_containers) = (0, false);
        for whole in clean.split_inclusive('\n') {
            let (start, line) = (at, whole.trim_end());
            at += whole.len();
            let service = TASK.captures(line).or_else(|| TASKS_COMMAND.captures(line));
            let service = service.map(|found| found.extract::<1>().1[0]);
            if found.services.len() < MAX_NAMES {
                found.services.extend(usable_name(service).map(|name| (start, name.to_owned())));
            }
            let field = field(line).filter(|(name, _)| FIELDS.contains(name));
            let Some((name, value)) = field.and_then(|(name, value)| Some((name, word(value)?)))
            else {
                // A container is a heading of its own, two spaces in.
                if line.starts_with(|first: char| first != ' ') {
                    in_containers = line == "Containers:";
                } else if let Some((_, described)) =
                    found.described.last_mut().filter(|_| in_containers)
                {
                    described.read_inner(line);
                } else if let Some((_, described)) = found.described.last_mut() {
                    described.read_label(line);
                }
                continue;
            };
            in_containers = false;
            if name == "Name" {
                if found.described.len() < MAX_NAMES {
                    let described = Described { name: value.to_owned(), ..Described::default() };
                    found.described.push((start, described));
                }
            } else if let Some((_, described)) = found.described.last_mut() {
                described.read_field(name, value);
                described.read_label(line);
            }
        }
        found
    }

    /// The names for an error that ends at this position of the clean text.
    pub fn pick(&self, end: usize) -> Names {
        let before = |(at, _): &&(usize, String)| *at < end;
        let service = self.services.iter().take_while(before).last().or(the_only(&self.services));
        // An error within the description of a pod is about that pod; elsewhere it is about the
        // only pod of the text.
        let around = self.described.iter().take_while(|(at, _)| *at < end).last();
        let mut pods = self.described.iter().filter(|(_, described)| described.namespace.is_some());
        let only_pod = || pods.next().filter(|_| pods.next().is_none());
        let pod = around.filter(|(_, described)| described.namespace.is_some()).or_else(only_pod);
        let of_pod = pod.map(|(_, described)| described.names()).unwrap_or_default();
        Names { service: service.map(|(_, name)| name.clone()), ..of_pod }
    }
}

/// The service, if all mentions name the same one.
fn the_only(services: &[(usize, String)]) -> Option<&(usize, String)> {
    let first = services.first()?;
    services.iter().all(|(_, name)| *name == first.1).then_some(first)
}

impl Described {
    fn read_field(&mut self, field: &str, value: &str) {
        let of_owner =
            || value.split_once('/').map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        match field {
            "Namespace" => self.namespace = Some(value.to_owned()),
            "Node" => self.node = value.split_once('/').map(|(name, _)| name.to_owned()),
            "Controlled By" => self.owner = of_owner(),
            "Created By" => self.owner = self.owner.take().or_else(of_owner),
            _ => {}
        }
        if let Some(made) = CREATED_BY.captures(value).filter(|_| self.owner.is_none()) {
            let (_, [kind, name]) = made.extract();
            self.owner = Some((kind.to_owned(), name.to_owned()));
        }
    }

    fn read_label(&mut self, line: &str) {
        let hash = HASH_LABEL.captures(line).map(|found| found.extract::<1>().1[0].to_owned());
        self.template_hash = self.template_hash.take().or(hash);
    }

    fn read_inner(&mut self, line: &str) {
        let name = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        let is_heading = |name: &&str| !name.starts_with(' ') && self.containers.len() < MAX_NAMES;
        self.containers.extend(name.filter(is_heading).map(str::to_owned));
    }

    fn names(&self) -> Names {
        let usable = |name: Option<&str>| usable_name(name).map(str::to_owned);
        let container =
            if let [only] = self.containers.as_slice() { Some(only.as_str()) } else { None };
        Names {
            service: None,
            namespace: usable(self.namespace.as_deref()),
            node: usable(self.node.as_deref()),
            workload: self.workload().and_then(|(kind, name)| Some((kind, usable(Some(name))?))),
            container: usable(container),
        }
    }

    /// The workload to change, which then creates a new pod.
    fn workload(&self) -> Option<(&'static str, &str)> {
        let (kind, owner) = self.owner.as_ref()?;
        match kind.as_str() {
            "StatefulSet" => Some(("statefulset", owner)),
            "DaemonSet" => Some(("daemonset", owner)),
            // A deployment names its replica sets after itself and the hash of the pod's template.
            "ReplicaSet" => {
                let is_of_set = self
                    .name
                    .strip_prefix(owner.as_str())
                    .and_then(|rest| rest.strip_prefix('-'))
                    .is_some_and(|suffix| suffix.len() == POD_SUFFIX_BYTES && is_generated(suffix));
                let (deployment, hash) = owner.rsplit_once('-').filter(|_| is_of_set)?;
                let is_hash = match &self.template_hash {
                    Some(label) => label == hash,
                    None => (8..=10).contains(&hash.len()) && is_generated(hash),
                };
                is_hash.then_some(("deployment", deployment))
            }
            _ => None,
        }
    }
}

/// Whether a word consists of the characters of generated names. Kubernetes leaves out the vowels,
/// so that names spell no words; hashes before Kubernetes 1.9 are numbers.
fn is_generated(word: &str) -> bool {
    word.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz0123456789".contains(&byte))
}

/// A field of an object that `kubectl describe` prints: its name, and its value.
pub(super) fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let value = value.strip_prefix(' ')?.trim_matches(' ');
    (!value.is_empty()).then_some((name, value))
}

/// Whether a text is one word of visible ASCII characters.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The first word of a value.
fn word(value: &str) -> Option<&str> {
    let end = value.bytes().take(MAX_WORD_BYTES).take_while(u8::is_ascii_graphic).count();
    value.get(..end).filter(|word| is_word(word))
}

/// The fields that are read.
const FIELDS: [&str; 7] =
    ["Name", "Namespace", "Node", "Controlled By", "Created By", "Labels", "Annotations"];
/// More objects of one kind than any output that people paste.
const MAX_NAMES: usize = 128;
/// Enough for the annotation of a pod's creator, which is JSON.
const MAX_WORD_BYTES: usize = 2000;
/// Kubernetes ends the name of a replica set's pod with this many random characters.
const POD_SUFFIX_BYTES: usize = 5;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles every pattern")
}

/// A row of `docker service ps`: identity, and the name of the service with the slot or the node.
static TASK: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^[ ]*[0-9a-z]{12,25}[ ]+(?:\\_[ ]+)?([A-Za-z0-9][A-Za-z0-9_.-]{0,62}?)",
        r"\.(?:[0-9]{1,6}|[0-9a-z]{25})[ ]",
    ))
});

static TASKS_COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"\bdocker(?:\.exe)?[ ]+service[ ]+ps(?:[ ]+--no-trunc)?[ ]+",
        r"([A-Za-z0-9][A-Za-z0-9_.-]{0,62})[ ]*$",
    ))
});

/// The annotation that named the owner before Kubernetes 1.8.
static CREATED_BY: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r#"^kubernetes\.io/created-by=[!-~]{0,200}?"reference":\{"kind":"([A-Za-z]{1,40})","#,
        r#""namespace":"[a-z0-9-]{1,63}","name":"([a-z0-9.-]{1,253})""#,
    ))
});

static HASH_LABEL: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\bpod-template-hash=([0-9a-z]{1,32})[ ]*$"));

#[cfg(test)]
mod tests {
    use super::*;

    fn of_pod(lines: &str) -> Names {
        NamesInText::of(&format!("{lines}\nError")).pick(usize::MAX)
    }

    fn workload(name: &str, label: &str, owner: &str) -> String {
        let names = of_pod(&format!(
            "Name: {name}\nNamespace: plang\nLabels: app=x\n        {label}\n{owner}"
        ));
        assert_eq!(names.namespace_option(), " -n plang");
        let (kind, name) = names.workload_in_command();
        format!("{kind} {name}")
    }

    #[test]
    fn a_deployment_is_named_where_its_replica_set_leaves_no_doubt() {
        let (label, none) = ("pod-template-hash=789699744", "");
        let check = |name, label, owner, expected: &str| {
            assert_eq!(workload(name, label, owner), expected, "{name}")
        };
        check(
            "a.web-789699744-rqv6p",
            label,
            "Controlled By:  ReplicaSet/a.web-789699744",
            "deployment a.web",
        );
        check(
            "a.web-789699744-rqv6p",
            label,
            "Created By: ReplicaSet/a.web-789699744",
            "deployment a.web",
        );
        check(
            "web-7c5ddbdf54-x2kfj",
            none,
            "Controlled By: ReplicaSet/web-7c5ddbdf54",
            "deployment web",
        );
        let annotation = concat!(
            r#"Annotations: kubernetes.io/created-by={"kind":"SerializedReference","reference":"#,
            r#"{"kind":"ReplicaSet","namespace":"plang","name":"web-7c5ddbdf54","uid":"b506"#,
        );
        check("web-7c5ddbdf54-x2kfj", none, annotation, "deployment web");
        check("web-0", none, "Controlled By: StatefulSet/web", "statefulset web");
        check("web-x2kfj", none, "Controlled By: DaemonSet/web", "daemonset web");
        let unknown = "deployment DEPLOYMENT";
        // A replica set without a deployment, one that made another pod, a job, and a name that is
        // no name.
        check("web-front-x2kfj", none, "Controlled By: ReplicaSet/web-front", unknown);
        check("web-front-x2kfj", label, "Controlled By: ReplicaSet/web-front", unknown);
        check("other-x2kfj", none, "Controlled By: ReplicaSet/web-7c5ddbdf54", unknown);
        check("web-x2kfj", none, "Controlled By: Job/web", unknown);
        check("web-0", none, "Controlled By: StatefulSet/$(id)", unknown);
    }

    #[test]
    fn ambiguous_objects_are_not_named() {
        let pod = |name: &str| {
            format!("Name: {name}\nNamespace: {name}-space\nNode: {name}-node/10.0.0.4\n")
        };
        let node = "Name: n\nRoles: agent\n";
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(NamesInText::of(text).pick(text.len()).node.as_deref(), expected, "{text}");
        };
        check(&format!("{}Error", pod("a")), Some("a-node"));
        check(&format!("{}{}Error", pod("a"), pod("b")), Some("b-node"));
        check(&format!("{}{node}Error", pod("a")), Some("a-node"));
        check(&format!("{}{}{node}Error", pod("a"), pod("b")), None);
        check("Node: a/10.0.0.4\nError", None);
    }

    #[test]
    fn services_are_those_of_the_tasks() {
        let service =
            |text: &str| NamesInText::of(text).pick(text.len()).service_in_command().to_owned();
        assert_eq!(
            service("y5blbdum70zoh1f6uhx5nxsfv    \\_ angry_liskov.1   contoso/x:1   WIN"),
            "angry_liskov"
        );
        assert_eq!(
            service("y5blbdum70zo web.dwsd6sjlwsgic5vrglhtxu178   contoso/x:1   WIN"),
            "web"
        );
        assert_eq!(
            service("C:\\>docker service ps --no-trunc web\nstarting container failed"),
            "web"
        );
        assert_eq!(service("starting container failed"), "SERVICE");
        let longest = format!("y5blbdum70zo {}.1 x", "w".repeat(64));
        assert_eq!(service(&longest), "SERVICE");
    }

    #[test]
    fn containers_are_counted() {
        let container = |inner: &str| {
            of_pod(&format!("Name: p\nNamespace: n\nContainers:\n{inner}Conditions:\n  Type:\n"))
        };
        assert_eq!(container("  web:\n    Image:  a\n    Args:\n").container_in_command(), "web");
        assert_eq!(
            container("  web:\n    Image:  a\n  log:\n").container_in_command(),
            "CONTAINER"
        );
    }
}

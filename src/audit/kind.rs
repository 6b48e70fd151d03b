//! Which kind of file this is, by its name and by what it holds, and its images.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::around::Around;
use super::lines::Lines;
use super::mention::{Found, MAX_MENTIONS, Mention, Place, System};
use super::traced::Traced;
use super::yaml::{Node, Yaml};
use super::{compose, dockerfile, hcl, json, kubernetes, pipelines};

/// The largest file that is read. Ours: the output of a large `helm template` has a megabyte or
/// two.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// The name of stdin.
pub const STDIN: &str = "-";
/// The end of the name of files that belong to Dockerfiles, and name no image.
const DOCKERIGNORE: &str = ".dockerignore";
const UNKNOWN_KIND: &str = "the kind of this file is not known: it is none of a Dockerfile, a \
    Compose file, a Kubernetes object, values of a Helm chart, a GitHub workflow or action, GitLab \
    CI, Azure Pipelines, a bake file, or a dev container";

/// What a file names.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The images, in the order of the file.
    pub mentions: Vec<Mention>,
    /// Why the file, or the rest of it, could not be read.
    pub problem: Option<String>,
    /// Whether neither its name nor what it holds says of which kind the file is.
    pub is_unknown: bool,
}

impl Reading {
    /// A file that could not be read.
    pub fn unreadable(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }
}

/// Whether a file of this name may have images; what it holds decides.
pub(super) fn is_of_interest(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_dockerfile(&name)
        || [".yml", ".yaml", ".hcl"].iter().any(|end| name.ends_with(end))
        || name.ends_with("devcontainer.json")
        || (name.contains("bake") && name.ends_with(".json"))
}

/// `name` is in small letters.
fn is_dockerfile(name: &str) -> bool {
    ["dockerfile", "containerfile"].iter().any(|word| {
        let rest = name.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
            || name.ends_with(&format!(".{word}"))
            || name.contains(&format!(".{word}."))
    }) && !name.ends_with(DOCKERIGNORE)
}

/// Reads a file. Its path decides how, where what it holds does not.
pub fn read(path: &str, bytes: &[u8], around: &Around<'_>) -> Reading {
    let path = path.replace('\\', "/").to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let has_known_name = is_of_interest(name) || name.ends_with(DOCKERIGNORE);
    let unreadable = |why| Reading { is_unknown: !has_known_name, ..Reading::unreadable(why) };
    if bytes.len() > MAX_FILE_BYTES {
        return unreadable(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) else {
        return unreadable("not a text in UTF-8".to_owned());
    };
    let is_json = text.trim_start().starts_with('{');
    let of_dockerfile = || dockerfile::read(&Traced::written(text, 0), &around.given());
    let (mut found, mut problem) = if is_dockerfile(name) {
        of_dockerfile()
    } else if name.ends_with(".hcl") {
        (hcl::read(text), None)
    } else if !is_yaml(name) && !is_json && has_from(text) {
        of_dockerfile()
    } else {
        let plain = if is_json && !is_yaml(name) {
            Cow::Owned(json::without_comments(text))
        } else {
            Cow::Borrowed(text)
        };
        let yaml = Yaml::read(&plain);
        match of_yaml(&path, &yaml, around) {
            None if !has_known_name => return unreadable(UNKNOWN_KIND.to_owned()),
            found => (found.unwrap_or_default(), yaml.problem()),
        }
    };
    // An anchor is one place, however often it is used; that for Windows is the one that counts.
    let mut seen = BTreeSet::new();
    let rank = |system| match system {
        Some(System::Windows) => 0,
        None => 1,
        Some(System::Linux) => 2,
    };
    found.sort_by_key(|found| (found.span.start, rank(found.system)));
    found.retain(|found| {
        let text = found.image.as_ref().map(|image| image.as_str().to_owned());
        seen.insert((found.span.start, text.map_err(Clone::clone)))
    });
    if found.len() > MAX_MENTIONS {
        found.truncate(MAX_MENTIONS);
        problem = Some(format!("more than {MAX_MENTIONS} images; the rest was not read"));
    }
    let lines = Lines::new(text);
    Reading {
        mentions: found.into_iter().filter_map(|found| lines.place(found)).collect(),
        problem,
        is_unknown: false,
    }
}

/// Whether a text has an instruction that only Dockerfiles have.
fn has_from(text: &str) -> bool {
    let starts = |line: &str| line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "));
    text.lines().any(|line| starts(line.trim_start()))
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yml") || name.ends_with(".yaml")
}

/// All documents of a YAML file, by the path where it decides, else by their keys. `None` if the
/// kind of none is known.
fn of_yaml(path: &str, yaml: &Yaml, around: &Around<'_>) -> Option<Vec<Found>> {
    // `helm template` of a chart that makes nothing writes comments.
    let is_empty = path == STDIN && yaml.roots().iter().all(|root| yaml.is_null(*root));
    let mut all = is_empty.then(Vec::new);
    for root in yaml.roots() {
        if let Some(found) = of_document(path, yaml, *root, around) {
            all.get_or_insert_default().extend(found);
        }
        if all.as_ref().is_some_and(|all| all.len() > MAX_MENTIONS) {
            break;
        }
    }
    all
}

fn of_document(path: &str, yaml: &Yaml, root: Node, around: &Around<'_>) -> Option<Vec<Found>> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let has = |key: &str| yaml.get(root, key).is_some();
    let is_list = |key: &str| yaml.get(root, key).is_some_and(|it| !yaml.items(it).is_empty());
    let is_mapping = |key: &str| yaml.get(root, key).is_some_and(|it| !yaml.entries(it).is_empty());
    Some(if kubernetes::is_object(yaml, root) {
        kubernetes::read(yaml, root, Place::Kubernetes)
    } else if is_values(name) {
        kubernetes::read(yaml, root, Place::Helm)
    } else if name.contains("gitlab-ci") {
        pipelines::gitlab(yaml, root)
    } else if compose::is_compose(yaml, root) {
        compose::read(yaml, root, around)
    } else if is_mapping("jobs") || has("runs") {
        pipelines::github(yaml, root)
    } else if is_list("jobs") || is_list("stages") || has("resources") {
        pipelines::azure(yaml, root)
    } else if is_mapping("target") {
        pipelines::bake(yaml, root)
    } else if name.ends_with("devcontainer.json") {
        pipelines::dev_container(yaml, root)
    } else {
        return None;
    })
}

/// Whether values of a Helm chart have this name; their keys are those of the chart.
fn is_values(name: &str) -> bool {
    name.strip_suffix(".yaml")
        .or(name.strip_suffix(".yml"))
        .is_some_and(|stem| stem.split(['.', '-', '_']).any(|word| word == "values"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read_alone(path: &str, bytes: &[u8]) -> Reading {
        let given = BTreeMap::new();
        let around = Around { build_args: &given, architecture: "amd64", beside: &|_| None };
        read(path, bytes, &around)
    }

    /// Place, line and column, image, system.
    fn images(path: &str, text: &str) -> Vec<String> {
        let reading = read_alone(path, text.as_bytes());
        assert_eq!(reading.problem, None, "{path}");
        let describe = |mention: &Mention| {
            let image = match &mention.image {
                Ok(image) => image.as_str().to_owned(),
                Err(variable) => format!("?{variable}"),
            };
            let system = mention.system.map_or("-", |system| system.as_str());
            format!("{} {}:{} {image} {system}", mention.place, mention.line, mention.column)
        };
        reading.mentions.iter().map(describe).collect()
    }

    #[test]
    fn each_kind_of_file_is_recognised() {
        let pod = "apiVersion: v1\nkind: Pod\nspec:\n  os: {name: windows}\n  containers:\n  \
                   - image: a/b:1\n  - {image: c}\n";
        for (path, text, expected) in [
            ("x/Dockerfile", "FROM a:1\n", &["dockerfile-from 1:6 a:1 -"][..]),
            ("Containerfile.dev", "FROM a:1\n", &["dockerfile-from 1:6 a:1 -"]),
            ("-", "# x\nfrom --platform=linux a:1\n", &["dockerfile-from 2:23 a:1 linux"]),
            ("Dockerfile.dockerignore", "a: b\n", &[]),
            (
                "compose.yml",
                "services:\n  a: {image: 'b:${C-1}', platform: windows/amd64}\n\
                \x20 d: {image: e:$F}\n  \
                 g: {image: h:1, build: .}\n",
                &["compose-service 2:15 b:1 windows", "compose-service 3:14 ?F -"],
            ),
            ("-", pod, &["kubernetes-container 6:12 a/b:1 windows"]),
            (
                "pod.json",
                "{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\t\"spec\": {\"image\": \"a:1\"}}",
                &["kubernetes-container 2:21 a:1 -"],
            ),
            (
                ".github/workflows/a.yaml",
                "on: push\njobs:\n  a:\n    container: {image: b:1}\n",
                &["github-workflow 4:24 b:1 -"],
            ),
            ("x/.gitlab-ci.yml", "a:\n  image: b:1\n", &["gitlab-ci 2:10 b:1 -"]),
            ("a.yml", "jobs:\n- job: a\n  container: b:1\n", &["azure-pipelines 3:14 b:1 -"]),
            ("a.yaml", "image: a:1\njobs: 1\n", &[]),
            (
                "chart/values-prod.yaml",
                "resources: {}\nimage: {registry: r.io, repository: a/b, tag: &t \"1.0\"}\n\
                 job:\n  nodeSelector: {kubernetes.io/os: windows}\n  image:\n    \
                 repository: c\n    tag: x\n    digest: sha256:0\n\
                 none: {image: {repository: d, tag: ''}}\nother: {image: e/f:1}\n",
                &[
                    "helm-values 2:51 r.io/a/b:1.0 -",
                    "helm-values 7:10 c:x@sha256:0 windows",
                    "helm-values 10:16 e/f:1 -",
                ],
            ),
            (
                "pod.yaml",
                "apiVersion: v1\nkind: List\nitems:\n- spec: {nodeSelector: {kubernetes.io/os: \
                 linux}, x: [{image: &i a:1}]}\n- spec: {nodeSelector: {kubernetes.io/os: \
                 windows}, x: [{image: *i}]}\n",
                &["kubernetes-container 4:66 a:1 windows"],
            ),
            (
                ".gitlab-ci.yml",
                "variables: {A: x.io, B: $A/b, C: $C}\na: {image: '$B:1'}\nd: {image: $C}\n",
                &["gitlab-ci 2:13 x.io/b:1 -", "gitlab-ci 3:12 ?$C -"],
            ),
            ("devcontainer.json", "{\"image\": \"a:1\"}", &["dev-container 1:12 a:1 linux"]),
        ] {
            assert_eq!(images(path, text), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let problem = |bytes: &[u8]| read_alone("a.yaml", bytes).problem;
        assert!(problem(&vec![b'#'; MAX_FILE_BYTES + 1]).is_some_and(|it| it.contains("larger")));
        for bytes in [&b"a\0b"[..], b"\xff\xfea\0"] {
            assert!(problem(bytes).is_some_and(|it| it.contains("UTF-8")));
        }
        let unknown = |name: &str, text: &str| read_alone(name, text.as_bytes()).is_unknown;
        for (name, text) in [
            ("-", "a: b\n"),
            ("CHANGES.md", "# only\n"),
            ("README.md", "a text\n"),
            ("x.png", "\0"),
        ] {
            assert!(unknown(name, text), "{name}");
        }
        for (name, text) in [
            ("-", ""),
            ("-", "---\n# nothing\n---\n"),
            ("a.yaml", "a: b\n"),
            ("Dockerfile.dockerignore", "x"),
            ("a.Dockerfile.tmpl", "{{ x }}"),
        ] {
            assert!(!unknown(name, text), "{name} {text}");
        }
        let pods = "---\napiVersion: v1\nkind: Pod\nimage: a:1\n".repeat(MAX_MENTIONS + 1);
        assert!(problem(pods.as_bytes()).is_some_and(|it| it.contains("images")));
    }
}

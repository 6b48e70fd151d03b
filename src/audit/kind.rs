//! Which kind of file this is, by its name and by what it holds, and its images.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Lines;
use super::mention::{Found, MAX_MENTIONS, Mention};
use super::yaml::{Node, Yaml};
use super::{compose, dockerfile, hcl, json, kubernetes, pipelines};

/// The largest file that is read. Ours: the output of a large `helm template` has a megabyte or
/// two.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// What a file names.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The images, in the order of the file.
    pub mentions: Vec<Mention>,
    /// Why the file, or the rest of it, could not be read.
    pub problem: Option<String>,
}

impl Reading {
    /// A file that could not be read.
    pub fn unreadable(problem: String) -> Self {
        Self { mentions: Vec::new(), problem: Some(problem) }
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
    }) && !name.ends_with(".dockerignore")
}

/// Reads a file. Its path decides how, where what it holds does not; `build_args` are values for
/// `ARG` of Dockerfiles.
pub fn read(path: &str, bytes: &[u8], build_args: &BTreeMap<String, String>) -> Reading {
    if bytes.len() > MAX_FILE_BYTES {
        return Reading::unreadable(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) else {
        return Reading::unreadable("not a text in UTF-8".to_owned());
    };
    let path = path.replace('\\', "/").to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_json = text.trim_start().starts_with('{');
    let (mut found, mut problem) = if is_dockerfile(name) {
        dockerfile::read(text, build_args)
    } else if name.ends_with(".hcl") {
        (hcl::read(text), None)
    } else if name.ends_with(".yml") || name.ends_with(".yaml") {
        of_yaml(&path, text)
    } else if is_json {
        of_yaml(&path, &json::without_comments(text))
    } else if has_from(text) {
        dockerfile::read(text, build_args)
    } else {
        of_yaml(&path, text)
    };
    // An anchor is one place, however often it is used.
    let mut seen = BTreeSet::new();
    found.sort_by_key(|found| found.span.start);
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
    }
}

/// Whether a text has an instruction that only Dockerfiles have.
fn has_from(text: &str) -> bool {
    let starts = |line: &str| line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "));
    text.lines().any(|line| starts(line.trim_start()))
}

/// All documents of a YAML file, by the path where it decides, else by their keys.
fn of_yaml(path: &str, text: &str) -> (Vec<Found>, Option<String>) {
    let yaml = Yaml::read(text);
    let mut all = Vec::new();
    for root in yaml.roots() {
        all.extend(of_document(path, &yaml, *root));
    }
    (all, yaml.problem())
}

fn of_document(path: &str, yaml: &Yaml, root: Node) -> Vec<Found> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let has = |key: &str| yaml.get(root, key).is_some();
    let is_list = |key: &str| yaml.get(root, key).is_some_and(|it| !yaml.items(it).is_empty());
    let is_mapping = |key: &str| yaml.get(root, key).is_some_and(|it| !yaml.entries(it).is_empty());
    if kubernetes::is_object(yaml, root) {
        kubernetes::read(yaml, root)
    } else if name.contains("gitlab-ci") {
        pipelines::gitlab(yaml, root)
    } else if compose::is_compose(yaml, root) {
        compose::read(yaml, root)
    } else if is_mapping("jobs") || has("runs") {
        pipelines::github(yaml, root)
    } else if is_list("jobs") || is_list("stages") || has("resources") {
        pipelines::azure(yaml, root)
    } else if is_mapping("target") {
        pipelines::bake(yaml, root)
    } else if name.ends_with("devcontainer.json") {
        pipelines::dev_container(yaml, root)
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Place, line and column, image, system.
    fn images(path: &str, text: &str) -> Vec<String> {
        let reading = read(path, text.as_bytes(), &BTreeMap::new());
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
            ("values.yaml", "image: a:1\njobs: 1\n", &[]),
            ("devcontainer.json", "{\"image\": \"a:1\"}", &["dev-container 1:12 a:1 linux"]),
        ] {
            assert_eq!(images(path, text), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let problem = |bytes: &[u8]| read("a.yaml", bytes, &BTreeMap::new()).problem;
        assert!(problem(&vec![b'#'; MAX_FILE_BYTES + 1]).is_some_and(|it| it.contains("larger")));
        for bytes in [&b"a\0b"[..], b"\xff\xfea\0"] {
            assert!(problem(bytes).is_some_and(|it| it.contains("UTF-8")));
        }
        let pods = "---\napiVersion: v1\nkind: Pod\nimage: a:1\n".repeat(MAX_MENTIONS + 1);
        assert!(problem(pods.as_bytes()).is_some_and(|it| it.contains("images")));
    }
}

//! The images of a Compose file (docs.docker.com/reference/compose-file/services and
//! …/compose-file/build): those of services, and those of the Dockerfiles that it builds with its
//! own arguments.

use super::around::Around;
use super::dockerfile::{self, BuildArgs};
use super::dotenv::Dotenv;
use super::mention::{Found, MAX_MENTIONS, Place, system_of};
use super::traced::Traced;
use super::variables::expand;
use super::yaml::{Node, Yaml};

/// The most Dockerfiles that are read for one Compose file. Ours: several times those of real
/// files.
const MAX_BUILDS: usize = 64;

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
pub(super) fn read(yaml: &Yaml, root: Node, around: &Around<'_>) -> Vec<Found> {
    let services = yaml.get(root, "services").map_or(&[][..], |services| yaml.entries(services));
    let dotenv = Dotenv::beside(around);
    let file = Compose { yaml, dotenv, around };
    let mut all = Vec::new();
    let mut builds = 0;
    for (_, service) in services {
        if all.len() > MAX_MENTIONS {
            break;
        }
        let Some(build) = yaml.get(*service, "build") else {
            all.extend(file.image(*service));
            continue;
        };
        builds += 1;
        if builds <= MAX_BUILDS {
            let platform = yaml.text_at(*service, &["platform"]).and_then(system_of);
            let found = file.build(build).into_iter();
            all.extend(found.map(|it| Found { system: it.system.or(platform), ..it }));
        }
    }
    all
}

struct Compose<'y> {
    yaml: &'y Yaml,
    /// What gives variables their values, beside the environment, which is not in files.
    dotenv: Dotenv,
    around: &'y Around<'y>,
}

impl Compose<'_> {
    fn expand(&self, text: &Traced) -> Result<Traced, String> {
        expand(text, None, &|name| self.dotenv.get(name))
    }

    fn image(&self, service: Node) -> Option<Found> {
        let node = self.yaml.get(service, "image")?;
        let system = self.yaml.text_at(service, &["platform"]).and_then(system_of);
        let image = self.expand(self.yaml.text(node)?);
        let span = self.yaml.span(node);
        Some(Found { place: Place::Compose, span, image, system, group: 0 })
    }

    /// The images of the Dockerfile that is written in the file; of one beside it those that an
    /// argument of the file decides, because all others are found where it lies.
    fn build(&self, build: Node) -> Vec<Found> {
        let mut given = self.arguments(build);
        let inline = self.yaml.get(build, "dockerfile_inline");
        if let Some(inline) = inline.and_then(|node| self.yaml.long_text(node)) {
            let source = self.inline(inline, &mut given);
            return dockerfile::read(&source, &given).0;
        }
        if given.values().flatten().all(|value| value.span().is_none()) {
            return Vec::new();
        }
        let value = |key: &str, default: &str| match self.yaml.get(build, key) {
            Some(node) => Some(self.expand(self.yaml.text(node)?).ok()?.as_str().to_owned()),
            None => Some(default.to_owned()),
        };
        let path = value("context", ".").zip(value("dockerfile", "Dockerfile"));
        let text = path
            .filter(|(context, _)| !context.contains("://"))
            .and_then(|(context, name)| (self.around.beside)(&format!("{context}/{name}")));
        text.map_or_else(Vec::new, |text| dockerfile::read(&Traced::unwritten(&text), &given).0)
    }

    /// The values that a build gives to `ARG`: those of the command line before those of the file.
    fn arguments(&self, build: Node) -> BuildArgs {
        let Some(node) = self.yaml.get(build, "args") else { return self.around.given() };
        let yaml = self.yaml;
        let of_item = |item: &Node| {
            let text = yaml.text(*item)?;
            let name = text.as_str().split('=').next().unwrap_or_default().to_owned();
            let value = text.after(&format!("{name}="));
            Some((name, value))
        };
        let of_entry = |(name, value): &(Node, Node)| {
            Some((yaml.text(*name)?.as_str().to_owned(), yaml.text(*value).cloned()))
        };
        let entries = yaml.entries(node).iter().filter_map(of_entry);
        let all = yaml.items(node).iter().filter_map(of_item).chain(entries);
        // Without a value in the file, it is that of the environment.
        let value = |(name, value): (String, Option<Traced>)| {
            let value = match &value {
                Some(text) => self.expand(text).ok(),
                None => self.dotenv.get(&name).cloned(),
            };
            (name, value)
        };
        let mut arguments: BuildArgs = all.take(MAX_MENTIONS).map(value).collect();
        arguments.extend(self.around.given());
        arguments
    }

    /// The text of an inline Dockerfile, in which Compose replaces variables. The names that it
    /// replaces by what only the environment says are added as not known.
    fn inline(&self, text: &Traced, given: &mut BuildArgs) -> Traced {
        let mut made = Traced::default();
        let mut at = 0;
        for line in text.as_str().split_inclusive('\n') {
            let line = text.slice(at..at + line.len());
            at += line.as_str().len();
            match self.expand(&line) {
                Ok(line) => made.push(&line),
                Err(name) => {
                    given.insert(name, None);
                    made.push(&line);
                }
            }
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::kind;

    const DOCKERFILE: &str = "ARG TAG=1809\nARG BASE=x/core\nFROM ${BASE}:${TAG}\nFROM y/z:1\n";

    /// Line and column, image, system.
    fn images(text: &str) -> Vec<String> {
        let given = [("NANO".to_owned(), "1909".to_owned())].into_iter().collect();
        let beside = |path: &str| match path {
            ".env" => Some("# x\nTAG=ltsc2019 # why\nexport NAME='a $b'\nQ=\"q$TAG\"\n".to_owned()),
            "./app/Dockerfile.win" => Some(DOCKERFILE.to_owned()),
            _ => None,
        };
        let around = Around { build_args: &given, architecture: "amd64", beside: &beside };
        let reading = kind::read("compose.yaml", text.as_bytes(), &around);
        assert_eq!(reading.problem, None, "{text}");
        let describe = |it: &crate::audit::Mention| {
            let image = it
                .image
                .as_ref()
                .map_or_else(|name| format!("?{name}"), |image| image.as_str().to_owned());
            let system = it.system.map_or("-", |system| system.as_str());
            format!("{}:{} {} {image} {system}", it.line, it.column, it.written)
        };
        reading.mentions.iter().map(describe).collect()
    }

    #[test]
    fn the_file_beside_gives_variables_their_values() {
        let text = "services:\n  a: {image: 'b:$TAG'}\n  c: {image: 'b:${Q}-${NONE:-x}'}\n  \
                    d: {image: 'b:$NONE'}\n";
        assert_eq!(
            images(text),
            [
                "2:15 b:$TAG b:ltsc2019 -",
                "3:15 b:${Q}-${NONE:-x} b:qltsc2019-x -",
                "4:15 b:$NONE ?NONE -"
            ]
        );
    }

    #[test]
    fn dockerfiles_in_the_file_are_read() {
        let text = "services:\n  a:\n    platform: windows\n    build:\n      args:\n        \
                    WINDOWS: ltsc2022\n        NANO: 1803\n        NONE:\n\
                    \x20     dockerfile_inline: |\n        # é\n\
                    \x20       ARG WINDOWS=x\n        ARG NANO\n        ARG NONE=y\n\n        \
                    FROM c/core:$${WINDOWS} AS b\n        FROM c/nano:$$NANO\n        \
                    FROM d:$TAG\n        FROM e:$UNSET\n        FROM f:$$NONE\n        FROM $TAG\n\
                    \x20       RUN echo $$x\n";
        assert_eq!(
            images(text),
            [
                "15:14 c/core:$${WINDOWS} c/core:ltsc2022 windows",
                "16:14 c/nano:$$NANO c/nano:1909 windows",
                "17:14 d: d:ltsc2019 windows",
                "18:14 e:$UNSET ?UNSET windows",
                "19:14 f:$$NONE ?NONE windows",
                // It is not written here: this is what comes before it.
                "20:9 FROM  ltsc2019 windows",
            ]
        );
    }

    #[test]
    fn arguments_decide_the_images_of_a_dockerfile_beside() {
        let text = "services:\n  a:\n    build:\n      context: ./app\n      \
                    dockerfile: Dockerfile.win\n      args:\n      - TAG=ltsc2022\n  \
                    b: {build: {context: ./app, dockerfile: Dockerfile.win}}\n  \
                    c: {build: {context: 'https://x/app', args: {TAG: x}}}\n  \
                    d: {build: ./none}\n";
        assert_eq!(images(text), ["7:13 ltsc2022 x/core:ltsc2022 -"]);
    }
}

//! Answers as text that a tool reads as it stands: a shell, a build system, a file.
//!
//! Lines end with LF, also the last one. Values have only characters that none of the readers takes
//! for anything else, so that nothing is quoted but where a language asks for it.

use super::{kubernetes, swarm};
use crate::images::{Digest, Repository};
use crate::windows::{Isolation, Platform, WindowsVersion};

/// A form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// The tag alone.
    Tag,
    /// Repository and tag.
    Reference,
    /// Repository, tag and digest.
    Pinned,
    /// Lines of a name, an equals sign and a value, for shells and files of variables.
    Env,
    /// The same, for the files that GitHub Actions names in `GITHUB_OUTPUT` and `GITHUB_ENV`.
    Github,
    /// Logging commands of Azure Pipelines, which set output variables.
    Azure,
    /// Statements of PowerShell, which set variables of the environment.
    PowerShell,
    /// The first lines of a Dockerfile.
    Dockerfile,
    /// A file of Docker Compose.
    Compose,
    /// A stack file of Docker Swarm, for nodes of the host's build.
    Swarm,
    /// Objects of Kubernetes, for nodes of the host's build.
    Kubernetes,
}

/// What is printed of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The repository of the image.
    pub repository: &'a Repository,
    /// The tag to use.
    pub tag: &'a str,
    /// What the tag points to, where that is known.
    pub digest: Option<&'a Digest>,
    /// The version of the host.
    pub host: WindowsVersion,
    /// The isolation mode to use.
    pub isolation: Isolation,
}

/// Why an answer is not printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprintable {
    /// The repository or the tag could be taken for a command.
    #[error(
        "the registry's answer holds characters that are not safe in a text answer; ask for JSON"
    )]
    Unsafe,
    /// The form has a digest in it.
    #[error(
        "the digest is not known: only the registry can say what this tag points to now, and it \
         was not read"
    )]
    NoDigest,
}

impl TextFormat {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Tag,
        Self::Reference,
        Self::Pinned,
        Self::Env,
        Self::Github,
        Self::Azure,
        Self::PowerShell,
        Self::Dockerfile,
        Self::Compose,
        Self::Swarm,
        Self::Kubernetes,
    ];

    /// The word that asks for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Reference => "reference",
            Self::Pinned => "pinned",
            Self::Env => "env",
            Self::Github => "github",
            Self::Azure => "azure",
            Self::PowerShell => "powershell",
            Self::Dockerfile => "dockerfile",
            Self::Compose => "compose",
            Self::Swarm => "swarm",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The platform that it is for, where it is for one only.
    pub const fn platform(self) -> Option<Platform> {
        match self {
            Self::Swarm => Some(Platform::Swarm),
            Self::Kubernetes => Some(Platform::Kubernetes),
            _ => None,
        }
    }

    /// The text.
    ///
    /// # Errors
    /// When a value is not safe, or the digest is needed and not known.
    pub fn print(self, chosen: &Chosen<'_>) -> Result<String, Unprintable> {
        let Chosen { repository, tag, digest, host, isolation } = *chosen;
        let reference = format!("{repository}:{tag}");
        if tag.is_empty() || !is_safe(&reference) {
            return Err(Unprintable::Unsafe);
        }
        Ok(match self {
            Self::Tag => format!("{tag}\n"),
            Self::Reference => format!("{reference}\n"),
            Self::Pinned => format!("{reference}@{}\n", digest.ok_or(Unprintable::NoDigest)?),
            Self::Env | Self::Github => {
                variables(chosen, |name, value| format!("{name}={value}\n"))
            }
            Self::Azure => variables(chosen, |name, value| {
                format!("##vso[task.setvariable variable={name};isOutput=true]{value}\n")
            }),
            Self::PowerShell => variables(chosen, |name, value| format!("$env:{name}='{value}'\n")),
            Self::Dockerfile => {
                format!("ARG WINDOWS_TAG={tag}\nFROM {repository}:${{WINDOWS_TAG}}\n")
            }
            Self::Compose => service(&reference, isolation),
            Self::Swarm => stack(&reference, host, isolation),
            Self::Kubernetes => {
                format!(
                    "{}---\n{}",
                    kubernetes::runtime_class_yaml(host),
                    kubernetes::pod_yaml(&reference, host)
                )
            }
        })
    }
}

/// A service of Docker Compose, which is also one of a stack.
fn service(reference: &str, isolation: Isolation) -> String {
    format!("services:\n  windows:\n    image: {reference}\n    isolation: {}\n", word(isolation))
}

/// A stack of one service, on nodes of this version only. The engines on older Windows want the
/// line with the version; 3.8 is that of Docker 19.03, and `isolation` is there since 3.5.
fn stack(reference: &str, node: WindowsVersion, isolation: Isolation) -> String {
    let constraints = swarm::constraints(node, isolation).into_iter();
    let constraints: String =
        constraints.map(|constraint| format!("          - {constraint}\n")).collect();
    let service = service(reference, isolation);
    format!(
        "version: \"3.8\"\n{service}    deploy:\n      placement:\n        \
         constraints:\n{constraints}"
    )
}

/// The variables, each written in this way. All are always there, so that none keeps a value of
/// before.
fn variables(chosen: &Chosen<'_>, write: impl Fn(&str, &str) -> String) -> String {
    let Chosen { repository, tag, digest, host, isolation } = *chosen;
    let variables = [
        ("WINDOWS_TAG", tag),
        ("WINDOWS_IMAGE", &format!("{repository}:{tag}")),
        ("WINDOWS_DIGEST", digest.map_or("", Digest::as_str)),
        ("WINDOWS_BUILD", &host.without_revision().to_string()),
        ("WINDOWS_ISOLATION", word(isolation)),
    ];
    variables.iter().map(|(name, value)| write(name, value)).collect()
}

/// Whether a value is the same for every reader: no space, no quote, nothing that a shell expands
/// or a build system looks for. Digests and versions are such values by their grammar.
fn is_safe(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@=+-".contains(&byte))
}

/// The word of Docker, Compose and Swarm for an isolation mode.
const fn word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Process => "process",
        Isolation::HyperV => "hyperv",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_safe_is_not_printed() {
        let repository =
            Repository::parse("registry.example.com:5000/a-b/c__d").expect("a repository");
        let print = |tag: &str, format: TextFormat| {
            let host = WindowsVersion::of_build(20348);
            format.print(&Chosen {
                repository: &repository,
                tag,
                digest: None,
                host,
                isolation: Isolation::Process,
            })
        };
        for format in TextFormat::ALL {
            for tag in [
                "", "$(id)", "`id`", "a b", "a\nb", "a'b", "a\"b", "a;b", "a#b", "a]b", "a\u{e9}",
                "a\0", "a%b",
            ] {
                assert_eq!(print(tag, format), Err(Unprintable::Unsafe), "{format:?} {tag:?}");
            }
            let expected =
                if format == TextFormat::Pinned { Some(Unprintable::NoDigest) } else { None };
            let text = print("ltsc2022_KB5031364-amd64", format);
            assert_eq!(text.clone().err(), expected, "{format:?}");
            assert!(
                text.is_err()
                    || text.is_ok_and(|text| text.ends_with('\n') && !text.ends_with("\n\n"))
            );
        }
    }
}

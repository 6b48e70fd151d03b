//! Answers as text for a shell, a build system or a file.
//!
//! Lines end with LF, the last one too. Values contain only characters without a special meaning to
//! any of the readers, so that they are quoted only where a language requires it.

use super::{kubernetes, swarm};
use crate::images::{Digest, Repository};
use crate::windows::{Isolation, Platform, WindowsVersion};
use crate::words::words;

words! {
    /// A text format.
    pub enum TextFormat {
        /// The tag alone.
        Tag = "tag",
        /// Repository and tag.
        Reference = "reference",
        /// Repository, tag and digest.
        Pinned = "pinned",
        /// Lines of a name, an equals sign and a value, for shells and files of variables.
        Env = "env",
        /// The same, for the files that GitHub Actions names in `GITHUB_OUTPUT` and `GITHUB_ENV`.
        Github = "github",
        /// Logging commands of Azure Pipelines, which set output variables.
        Azure = "azure",
        /// Statements of PowerShell, which set variables of the environment.
        PowerShell = "powershell",
        /// The first lines of a Dockerfile.
        Dockerfile = "dockerfile",
        /// A file of Docker Compose.
        Compose = "compose",
        /// A stack file of Docker Swarm, for nodes of the host's build.
        Swarm = "swarm",
        /// Objects of Kubernetes, for nodes of the host's build.
        Kubernetes = "kubernetes",
    }
}

/// The parts of an answer that are printed.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The repository of the image.
    pub repository: &'a Repository,
    /// The tag to use.
    pub tag: &'a str,
    /// The digest that the tag points to, where it is known.
    pub digest: Option<&'a Digest>,
    /// The version of the host.
    pub host: WindowsVersion,
    /// The isolation mode to use.
    pub isolation: Isolation,
}

/// Why an answer cannot be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprintable {
    /// The repository or the tag could be taken for a command.
    #[error("the registry's answer contains characters that are not safe in text; use format=json")]
    Unsafe,
    /// The format contains a digest.
    #[error(
        "the digest is unknown: only the registry knows where this tag points now, and it was \
         not queried"
    )]
    NoDigest,
}

impl TextFormat {
    /// The platform of this format, where it serves one only.
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
    /// When a value is not safe, or the format contains a digest and none is known.
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
    format!("services:\n  windows:\n    image: {reference}\n    isolation: {isolation}\n")
}

/// A stack of one service, on nodes of this version only. Engines on older Windows require the
/// `version` line; 3.8 is the version of Docker 19.03, and `isolation` exists since 3.5.
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

/// All variables, written by `write`. None is ever left out, so that none keeps an older value.
fn variables(chosen: &Chosen<'_>, write: impl Fn(&str, &str) -> String) -> String {
    let Chosen { repository, tag, digest, host, isolation } = *chosen;
    let variables = [
        ("WINDOWS_TAG", tag),
        ("WINDOWS_IMAGE", &format!("{repository}:{tag}")),
        ("WINDOWS_DIGEST", digest.map_or("", Digest::as_str)),
        ("WINDOWS_BUILD", &host.without_revision().to_string()),
        ("WINDOWS_ISOLATION", isolation.as_str()),
    ];
    variables.iter().map(|(name, value)| write(name, value)).collect()
}

/// Whether every reader takes a value literally: no space, no quote, nothing that a shell expands
/// or a build system interprets. Digests and versions are such values by their grammar.
fn is_safe(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@=+-".contains(&byte))
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

//! The images, the isolation mode and the kind of place that a text mentions, and where.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::images::{Core, ImageReference, Selector, Tag};
use crate::windows::{Isolation, Platform, Tables, WindowsVersion};

/// What prints the text, or runs the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Setting {
    /// A Docker Engine on its own.
    #[default]
    Docker,
    /// A build by BuildKit.
    BuildKit,
    /// A Docker Swarm service.
    Swarm,
    /// A Kubernetes pod.
    Kubernetes,
    /// A task of Amazon ECS.
    Ecs,
}

impl Setting {
    /// Whether it can be told to isolate a container with Hyper-V.
    pub const fn can_isolate_with_hyperv(self) -> bool {
        matches!(self, Self::Docker | Self::Swarm)
    }

    /// The platform whose rules hold there.
    pub const fn platform(self) -> Platform {
        match self {
            Self::Kubernetes => Platform::Kubernetes,
            Self::Swarm => Platform::Swarm,
            Self::Docker | Self::BuildKit | Self::Ecs => Platform::Docker,
        }
    }
}

/// An image that the text mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageMention {
    /// Where in the clean text.
    pub at: usize,
    /// As it is written there.
    pub reference: ImageReference,
    pub written: String,
}

impl ImageMention {
    /// Whether it is the image that holds the sandbox of a pod.
    pub fn is_pause(&self) -> bool {
        let path = self.reference.repository.path();
        path.rsplit('/').next().is_some_and(|name| name.contains("pause"))
    }
}

/// Every image that the clean text mentions, in its order.
pub(super) fn images(clean: &str) -> Vec<ImageMention> {
    let mut mentions: Vec<ImageMention> = Vec::new();
    for regex in IMAGES.iter() {
        for found in regex.captures_iter(clean).take(MOST_MENTIONS) {
            mentions.extend(
                found.name("image").and_then(|image| mention(image.start(), image.as_str())),
            );
        }
    }
    for found in COMMAND.captures_iter(clean).take(MOST_MENTIONS) {
        mentions.extend(image_of_command(&found));
    }
    // Docker leaves the registry out here; what was asked for says more.
    for found in PULLING.captures_iter(clean).take(MOST_MENTIONS) {
        let (Some(tag), Some(path)) = (found.name("tag"), found.name("path")) else { continue };
        let path_alone = path.as_str().strip_prefix("library/").unwrap_or(path.as_str());
        let is_known = |known: &ImageMention| {
            known.at < tag.start() && known.reference.repository.path().ends_with(path_alone)
        };
        if !mentions.iter().any(is_known) {
            mentions.extend(mention(tag.start(), &format!("{path_alone}:{}", tag.as_str())));
        }
    }
    mentions.sort_by_key(|mention| mention.at);
    mentions.dedup_by(|later, earlier| later.at == earlier.at);
    mentions
}

fn mention(at: usize, written: &str) -> Option<ImageMention> {
    // A sentence may end after it.
    let written = written.trim_end_matches(['.', ':', ',', ';', '/', '@', '-']);
    let reference: ImageReference = written.parse().ok()?;
    // Platforms look like repositories.
    let is_platform = written.starts_with("windows/a") || written.starts_with("linux/");
    (!is_platform).then(|| ImageMention { at, reference, written: written.to_owned() })
}

/// The image of `docker run [options] IMAGE …`.
fn image_of_command(found: &Captures<'_>) -> Option<ImageMention> {
    let arguments = found.name("arguments")?;
    let mut is_value = false;
    for word in WORD.find_iter(arguments.as_str()) {
        let (at, word) =
            (arguments.start() + word.start(), word.as_str().trim_matches(['"', '\'']));
        if std::mem::take(&mut is_value) {
            continue;
        }
        if word.starts_with('-') {
            is_value = !word.contains('=') && !FLAGS_WITHOUT_VALUE.contains(&word);
            continue;
        }
        return mention(at, word);
    }
    None
}

/// The Windows version that a tag says its image is of.
pub(super) fn version_of_tag(
    reference: &ImageReference,
    tables: &Tables,
) -> Option<WindowsVersion> {
    let text = match &reference.selector {
        Selector::Tag(text) | Selector::Digest { tag: Some(text), .. } => text,
        Selector::Default | Selector::Digest { tag: None, .. } => return None,
    };
    if let Some(tag) = Tag::parse(text) {
        return match tag.core {
            Core::Build(version) => Some(version),
            Core::Line(line) => tables.build_of_line(&line).map(WindowsVersion::of_build),
            Core::Kb { line, kb, .. } => {
                let build = tables.build_of_line(&line)?;
                // An update that brought several revisions of the build says none.
                let versions = tables.versions_of(kb).into_iter().map(|entry| entry.version);
                let of_build: Vec<WindowsVersion> =
                    versions.filter(|version| version.build == build).collect();
                Some(if let [only] = of_build[..] { only } else { WindowsVersion::of_build(build) })
            }
            Core::None => None,
        };
    }
    // Images that are built on others name the base somewhere in the tag:
    // `4.8-windowsservercore-ltsc2019`. A number of four digits alone could be a year.
    let mut after_base = false;
    for word in text.split(['-', '_']) {
        if let Ok(version) = word.parse() {
            return Some(version);
        }
        let names_release = after_base || !word.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(build) = tables.build_of_line(word).filter(|_| names_release) {
            return Some(WindowsVersion::of_build(build));
        }
        after_base = ["windowsservercore", "nanoserver", "servercore", "windows"].contains(&word);
    }
    None
}

/// Where a text says how containers are isolated.
pub(super) struct IsolationMention {
    at: usize,
    isolation: Isolation,
    said: Said,
}

/// Who says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// A command, a file, or the inspection of a container.
    Caller,
    /// The details that the engine prints after an error.
    Engine,
    /// The host, of containers for which nobody says it.
    HostDefault,
}

/// Every isolation mode that the tight text mentions.
pub(super) fn isolations(tight: &str) -> Vec<IsolationMention> {
    let mention = |found: regex::Match<'_>| {
        let text = found.as_str();
        let said = match text.as_bytes() {
            [b'd', ..] => Said::HostDefault,
            [b'h', ..] => Said::Engine,
            _ => Said::Caller,
        };
        let is_process = text.ends_with("process") || text.ends_with("false");
        let isolation = if is_process { Isolation::Process } else { Isolation::HyperV };
        IsolationMention { at: found.start(), isolation, said }
    };
    ISOLATION.find_iter(tight).take(MOST_MENTIONS).map(mention).collect()
}

/// The isolation mode of what failed here in the tight text: as the error's own details say after
/// it, as it was asked for before or else after it, or as the host has it by default.
pub(super) fn isolation_at(mentions: &[IsolationMention], error: usize) -> Option<Isolation> {
    let said = |by: Said| mentions.iter().filter(move |mention| mention.said == by);
    let details = said(Said::Engine).find(|it| (error..error + LONGEST_DETAILS).contains(&it.at));
    let asked = || {
        said(Said::Caller)
            .take_while(|it| it.at < error)
            .last()
            .or_else(|| said(Said::Caller).next())
    };
    details
        .or_else(asked)
        .or_else(|| said(Said::HostDefault).next())
        .map(|mention| mention.isolation)
}

/// Every word of the tight text that only one kind of place uses.
pub(super) fn settings(tight: &str) -> Vec<(usize, Setting)> {
    let groups = [
        ("kubernetes", Setting::Kubernetes),
        ("swarm", Setting::Swarm),
        ("ecs", Setting::Ecs),
        ("buildkit", Setting::BuildKit),
    ];
    let setting = |found: Captures<'_>| {
        groups.into_iter().find_map(|(name, setting)| Some((found.name(name)?.start(), setting)))
    };
    SETTINGS.captures_iter(tight).take(MOST_MENTIONS).filter_map(setting).collect()
}

/// What runs the container that failed here in the tight text: what is named last before the end of
/// the error, or first after it.
pub(super) fn setting_at(settings: &[(usize, Setting)], end: usize) -> Setting {
    let before = settings.iter().take_while(|(at, _)| *at < end).last();
    before.or(settings.first()).map(|(_, setting)| *setting).unwrap_or_default()
}

/// So many places of one form are looked at; a paste of 64 KiB that means something has fewer.
const MOST_MENTIONS: usize = 128;
/// So far after an error the engine's details of the container go on, in bytes; they name every
/// layer.
const LONGEST_DETAILS: usize = 8192;

/// An image reference, as far as its characters go; what is one is read by the grammar of
/// references.
const REFERENCE: &str = "(?P<image>[A-Za-z0-9][A-Za-z0-9._/:@-]+)";

fn regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace("REF", REFERENCE)).expect("every pattern is compiled by a test")
}

/// The places where images are named, but for command lines.
static IMAGES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // `kubectl describe pod`, Compose files, manifests, `docker inspect`.
        r#"(?m)^[ ]*(?:-[ ]+)?"?[Ii]mage"?[ ]*[:=][ ]*"?REF"#,
        // `Failed to pull image "…"`, `Unable to find image '…'`.
        r#"(?i)\bimage[ ]+["']REF["']"#,
        r#"(?i)\bresolve reference "REF""#,
        r"(?i)\bmanifest for REF not found",
        r"\bpull access denied for REF,",
        r"\bload metadata for REF",
        // A Dockerfile, and what a build prints of it.
        r"(?m)^(?:[ ]*|[ -~]{0,40}Step \d+/\d+ : |[ -~]{0,40}\[[a-z0-9 /-]{1,60}\] )FROM (?:--platform=[^ \n]+ )?REF",
        // `docker service ps`: identity, name with slot, image.
        r"(?m)^[ ]*[0-9a-z]{12,25}[ ]+(?:\\_[ ]+)?[A-Za-z0-9_.-]+\.[A-Za-z0-9]+[ ]+REF",
        // `docker service ls`: mode, replicas, image.
        r"(?m)\b(?:replicated|global)[ ]+\d+/\d+[ ]+REF",
        // `docker ps`: identity, image, command.
        r#"(?m)^[0-9a-f]{12}[ ]+REF[ ]+""#,
        // Microsoft's own names are images wherever they stand.
        r"(?:^|[^A-Za-z0-9./-])(?P<image>(?:mcr\.microsoft\.com|microsoft)/[a-z0-9][A-Za-z0-9._/:@-]+)",
    ];
    patterns.into_iter().map(regex).collect()
});

static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    let verbs = r"(?:container[ ]+|image[ ]+|service[ ]+)?(?:run|create|pull)";
    regex(&format!(
        r"\b(?:docker|docker\.exe|nerdctl|crictl|podman)[ ]+{verbs}[ ]+(?P<arguments>[^\n]+)"
    ))
});

/// `ltsc2022: Pulling from windows/servercore`.
static PULLING: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}): Pulling from (?P<path>[a-z0-9][a-z0-9._/-]+)",
    )
});

static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r#""[^"]*"|'[^']*'|[^ ]+"#));

static ISOLATION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:default)?isolation[=:]?(?:process|hyper-?v)|hvpartition:(?:true|false)|runhcs-wcow-(?:process|hypervisor)",
    )
});

/// Words that only one kind of place uses.
static SETTINGS: LazyLock<Regex> = LazyLock::new(|| {
    let kubernetes = "kubernetes\\.io/|node-selectors:|starterror|containerversion:containerd://|kubelet|kubectl|podsandbox|sandboxcontainer|sandboximage|crictl|crashloopbackoff|imagepullbackoff|containercannotrun|failedtopullimage|error:failedtostartcontainer[^s]";
    let swarm = "dockerservice|dockerstack|startingcontainerfailed|nosuitablenode|dockernode";
    let ecs = "cannotpullcontainererror";
    let buildkit = "failedtosolve|dockerbuildx|buildkit|\\[internal\\]load";
    regex(&format!(
        "(?P<kubernetes>{kubernetes})|(?P<swarm>{swarm})|(?P<ecs>{ecs})|(?P<buildkit>{buildkit})"
    ))
});

/// The options of `docker run`, `create` and `pull` that take no value.
const FLAGS_WITHOUT_VALUE: &[&str] = &[
    "-d",
    "-i",
    "-t",
    "-it",
    "-ti",
    "-dit",
    "-itd",
    "-P",
    "-q",
    "-a",
    "--rm",
    "--detach",
    "--interactive",
    "--tty",
    "--privileged",
    "--init",
    "--read-only",
    "--publish-all",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--quiet",
    "--all-tags",
    "--disable-content-trust",
    "--with-registry-auth",
    "--no-resolve-image",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let written: Vec<String> =
            images(text).into_iter().map(|mention| mention.written).collect();
        assert_eq!(written, expected, "{text:?}");
    }

    #[test]
    fn images_are_found_where_tools_name_them() {
        check(
            "docker run -it --rm -v C:\\a:C:\\b --isolation=process \
             mcr.microsoft.com/windows/nanoserver:1809 cmd",
            &["mcr.microsoft.com/windows/nanoserver:1809"],
        );
        check("PS> docker pull nginx\nlatest: Pulling from library/nginx", &["nginx"]);
        check("ltsc2022: Pulling from windows/servercore", &["windows/servercore:ltsc2022"]);
        check(
            "    Image:              contoso/app:1\n    Image ID: \
             docker-pullable://contoso/app@sha256:12",
            &["contoso/app:1"],
        );
        check("OS Image:   Windows Server 2019 Datacenter", &[]);
        check("Step 1/4 : FROM microsoft/aspnet\n ---> 6ca2a1990fce", &["microsoft/aspnet"]);
        check("    image: contoso/myimage\n", &["contoso/myimage"]);
        check(
            "klkbhn742lv0        angry_liskov.1       contoso/x:1   WIN-BSTMQDRQC2E",
            &["contoso/x:1"],
        );
        check(
            "y5blbdum70zo         \\_ angry_liskov.1   contoso/x:1   WIN-BSTMQDRQC2E",
            &["contoso/x:1"],
        );
        check(
            "no matching manifest for windows/amd64 10.0.17763 in the manifest list entries",
            &[],
        );
        check("failed to pull image \"<ref>\"", &[]);
    }

    #[test]
    fn tags_name_the_windows_version() {
        let version = |reference: &str| {
            let version = version_of_tag(&reference.parse().unwrap(), Tables::embedded());
            version.map(|version| version.to_string()).unwrap_or_default()
        };
        assert_eq!(version("microsoft/iis:windowsservercore-10.0.14393.1715"), "10.0.14393.1715");
        assert_eq!(version("microsoft/nanoserver:1709_KB4043961"), "10.0.16299.19");
        assert_eq!(version("x/y:4.8-windowsservercore-ltsc2019"), "10.0.17763");
        assert_eq!(version("x/y:5.0-nanoserver-1809"), "10.0.17763");
        assert_eq!(version("x/y:release-2004-3"), "");
        assert_eq!(version("x/y:latest"), "");
        assert_eq!(version("x/y"), "");
    }
}

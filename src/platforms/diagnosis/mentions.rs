//! The images, the isolation modes and the settings that a text mentions, with their positions.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::images::{ImageReference, Selector, Tag};
use crate::windows::{Isolation, Platform, Tables, WindowsVersion};
use crate::words::words;

words! {
    /// What runs the container.
    #[derive(Default)]
    pub enum Setting {
        /// A Docker Engine on its own.
        #[default]
        Docker = "docker",
        /// A build by BuildKit.
        BuildKit = "buildkit",
        /// A Docker Swarm service.
        Swarm = "swarm",
        /// A Kubernetes pod.
        Kubernetes = "kubernetes",
        /// A task of Amazon ECS.
        Ecs = "ecs",
    }
}

impl Setting {
    /// Whether its containers can run in Hyper-V isolation.
    pub const fn can_isolate_with_hyperv(self) -> bool {
        matches!(self, Self::Docker | Self::Swarm)
    }

    /// The platform whose compatibility rules apply.
    pub const fn platform(self) -> Platform {
        match self {
            Self::Kubernetes => Platform::Kubernetes,
            Self::Swarm => Platform::Swarm,
            Self::Docker | Self::BuildKit | Self::Ecs => Platform::Docker,
        }
    }
}

/// An image in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageMention {
    /// The position in the clean text.
    pub at: usize,
    pub reference: ImageReference,
    /// The reference as the text has it.
    pub written: String,
}

impl ImageMention {
    /// Whether it is the pause image, which holds the sandbox of a pod.
    pub fn is_pause(&self) -> bool {
        let path = self.reference.repository.path();
        path.rsplit('/').next().is_some_and(|name| name.contains("pause"))
    }
}

/// Every image that the clean text mentions, in its order.
pub(super) fn images(clean: &str) -> Vec<ImageMention> {
    let mut mentions: Vec<ImageMention> = Vec::new();
    for regex in IMAGES.iter() {
        for found in regex.captures_iter(clean).take(MAX_MENTIONS) {
            mentions.extend(
                found.name("image").and_then(|image| mention(image.start(), image.as_str())),
            );
        }
    }
    for found in COMMAND.captures_iter(clean).take(MAX_MENTIONS) {
        mentions.extend(image_of_command(&found));
    }
    // Docker leaves the registry out here, so an earlier reference to the same repository wins.
    for found in PULLING.captures_iter(clean).take(MAX_MENTIONS) {
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
    // The reference may be the end of a sentence.
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

/// The Windows version in the name of a tag.
pub(super) fn version_of_tag(
    reference: &ImageReference,
    tables: &Tables,
) -> Option<WindowsVersion> {
    let text = match &reference.selector {
        Selector::Tag(text) | Selector::Digest { tag: Some(text), .. } => text,
        Selector::Default | Selector::Digest { tag: None, .. } => return None,
    };
    if let Some(tag) = Tag::parse(text) {
        return tag.version(tables);
    }
    // Images built on a base image name it somewhere in the tag: `4.8-windowsservercore-ltsc2019`.
    // A number alone could be a year, so it counts only after the name of a base.
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

/// An isolation mode in the text.
pub(super) struct IsolationMention {
    at: usize,
    isolation: Isolation,
    origin: Origin,
}

/// Where an isolation mode comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A command, a file, or the inspection of a container.
    Caller,
    /// The details that the engine prints after an error.
    Engine,
    /// The default of the host.
    HostDefault,
}

/// Every isolation mode in the tight text.
pub(super) fn isolations(tight: &str) -> Vec<IsolationMention> {
    let mention = |found: regex::Match<'_>| {
        let text = found.as_str();
        // The first letter tells the alternatives of the pattern apart.
        let origin = match text.as_bytes() {
            [b'd', ..] => Origin::HostDefault,
            [b'h', ..] => Origin::Engine,
            _ => Origin::Caller,
        };
        let is_process = text.ends_with("process") || text.ends_with("false");
        let isolation = if is_process { Isolation::Process } else { Isolation::HyperV };
        IsolationMention { at: found.start(), isolation, origin }
    };
    ISOLATION.find_iter(tight).take(MAX_MENTIONS).map(mention).collect()
}

/// The isolation mode of the container that failed at this position of the tight text: the one in
/// the details after the error, else the one that the caller chose before or after it, else the
/// default of the host.
pub(super) fn isolation_at(mentions: &[IsolationMention], error: usize) -> Option<Isolation> {
    let from = |origin: Origin| mentions.iter().filter(move |mention| mention.origin == origin);
    let details =
        from(Origin::Engine).find(|it| (error..error + MAX_DETAILS_BYTES).contains(&it.at));
    let chosen = || {
        let before = from(Origin::Caller).take_while(|it| it.at < error).last();
        before.or_else(|| from(Origin::Caller).next())
    };
    details
        .or_else(chosen)
        .or_else(|| from(Origin::HostDefault).next())
        .map(|mention| mention.isolation)
}

/// Every word of the tight text that only one setting uses.
pub(super) fn settings(tight: &str) -> Vec<(usize, Setting)> {
    let mut settings = Vec::new();
    for (setting, words) in SETTINGS {
        for word in *words {
            let found = tight.match_indices(word).take(MAX_MENTIONS);
            settings.extend(found.map(|(at, _)| (at, *setting)));
        }
    }
    // Compose prints the same about several containers, with an `s`.
    let is_container = |(at, word): &(usize, &str)| {
        tight.as_bytes().get(at + word.len()).is_some_and(|next| *next != b's')
    };
    let started = tight.match_indices(KUBELET_FAILED_TO_START).filter(is_container);
    settings.extend(started.take(MAX_MENTIONS).map(|(at, _)| (at, Setting::Kubernetes)));
    settings.sort_unstable();
    settings
}

/// The setting of the container that failed in the tight text: the last one before the end of the
/// error, else the first one after it.
pub(super) fn setting_at(settings: &[(usize, Setting)], end: usize) -> Setting {
    let before = settings.iter().take_while(|(at, _)| *at < end).last();
    before.or(settings.first()).map(|(_, setting)| *setting).unwrap_or_default()
}

/// More mentions of one form than any output that people paste.
const MAX_MENTIONS: usize = 128;
/// How far after an error the engine's details of the container reach; they name every layer.
const MAX_DETAILS_BYTES: usize = 8192;

/// The characters of an image reference. Whether they are one, its grammar decides.
const REFERENCE: &str = "(?P<image>[A-Za-z0-9][A-Za-z0-9._/:@-]+)";

fn regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace("REF", REFERENCE)).expect("a test compiles every pattern")
}

/// The forms in which tools name images, except for command lines.
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
        // A Dockerfile, and the steps of a build.
        concat!(
            r"(?m)^(?:[ ]*|[ -~]{0,40}Step \d+/\d+ : |[ -~]{0,40}\[[a-z0-9 /-]{1,60}\] )",
            r"FROM (?:--platform=[^ \n]+ )?REF",
        ),
        // `docker service ps`: identity, name with slot, image.
        r"(?m)^[ ]*[0-9a-z]{12,25}[ ]+(?:\\_[ ]+)?[A-Za-z0-9_.-]+\.[A-Za-z0-9]+[ ]+REF",
        // `docker service ls`: mode, replicas, image.
        r"(?m)\b(?:replicated|global)[ ]+\d+/\d+[ ]+REF",
        // `docker ps`: identity, image, command.
        r#"(?m)^[0-9a-f]{12}[ ]+REF[ ]+""#,
        // Microsoft's repositories are images wherever they stand.
        concat!(
            r"(?:^|[^A-Za-z0-9./-])",
            r"(?P<image>(?:mcr\.microsoft\.com|microsoft)/[a-z0-9][A-Za-z0-9._/:@-]+)",
        ),
    ];
    patterns.into_iter().map(regex).collect()
});

/// A command line that names an image after its options.
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

/// A word of a command line.
static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r#""[^"]*"|'[^']*'|[^ ]+"#));

/// The default of a host, a choice of the caller, the details of an engine, and the runtime class
/// of a pod.
static ISOLATION: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?:default)?isolation[=:]?(?:process|hyper-?v)|hvpartition:(?:true|false)",
        r"|runhcs-wcow-(?:process|hypervisor)",
    ))
});

/// Words of the tight text that only one setting uses.
const SETTINGS: &[(Setting, &[&str])] = &[
    (
        Setting::Kubernetes,
        &[
            "kubernetes.io/",
            "node-selectors:",
            "starterror",
            "containerversion:containerd://",
            "kubelet",
            "kubectl",
            "podsandbox",
            "sandboxcontainer",
            "sandboximage",
            "crictl",
            "crashloopbackoff",
            "imagepullbackoff",
            "containercannotrun",
            "failedtopullimage",
        ],
    ),
    (
        Setting::Swarm,
        &[
            "dockerservice",
            "dockerstack",
            "startingcontainerfailed",
            "nosuitablenode",
            "dockernode",
        ],
    ),
    (Setting::Ecs, &["cannotpullcontainererror"]),
    (Setting::BuildKit, &["failedtosolve", "dockerbuildx", "buildkit", "[internal]load"]),
];
/// The kubelet's event for a container, whose name follows.
const KUBELET_FAILED_TO_START: &str = "error:failedtostartcontainer";

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

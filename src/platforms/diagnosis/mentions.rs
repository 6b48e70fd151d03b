//! The images that a text mentions, with their positions.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::images::{ImageReference, Selector, Tag};
use crate::windows::{Tables, WindowsVersion};

use super::pasted::MAX_MENTIONS;

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
    // `docker run` takes an ID as well, which names nothing elsewhere.
    let is_id =
        written.len() == SHORT_ID_DIGITS && written.bytes().all(|it| it.is_ascii_hexdigit());
    let is_version = written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_id || is_version || WORDS_OF_SENTENCES.contains(&written) {
        return None;
    }
    let reference: ImageReference = written.parse().ok()?;
    // Platforms look like repositories.
    let is_platform = written.starts_with("windows/a") || written.starts_with("linux/");
    (!is_platform).then(|| ImageMention { at, reference, written: written.to_owned() })
}

/// The version of the image that a text states under a heading of its own.
pub(super) fn stated_image_version(clean: &str) -> Option<WindowsVersion> {
    let mut stated = STATED_VERSION.captures_iter(clean).take(MAX_MENTIONS).filter_map(|found| {
        let (_, [build, revision]) = found.extract();
        let revision = revision.strip_prefix('.').and_then(|digits| digits.parse().ok());
        Some(WindowsVersion { build: build.parse().ok()?, revision })
    });
    let first = stated.next()?;
    stated.all(|other| other == first).then_some(first)
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
    if let Some(version) = Tag::parse(text).and_then(|tag| tag.version(tables)) {
        return Some(version);
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

/// The length of an ID as Docker prints it.
const SHORT_ID_DIGITS: usize = 12;
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
        r"(?i)\bin the manifest list entries: (?P<image>[a-z0-9][a-z0-9._-]*[/:][a-z0-9._/:@-]+)",
        r"\b(?:load metadata|resolve\s+source\s+metadata) for REF",
        r"(?i)\bmanifest list docker://REF",
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

/// Words of sentences that follow `docker run` or `image`, and are no images.
const WORDS_OF_SENTENCES: [&str; 31] = [
    "no",
    "a",
    "again",
    "an",
    "and",
    "any",
    "as",
    "at",
    "but",
    "by",
    "command",
    "container",
    "error",
    "fails",
    "failed",
    "for",
    "from",
    "if",
    "image",
    "images",
    "in",
    "is",
    "it",
    "not",
    "of",
    "on",
    "the",
    "this",
    "to",
    "with",
    "works",
];

/// `Container OS Version: 10.0.17763.437`, `Image: 26100.7462`.
static STATED_VERSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?im)^[ *|-]*(?:container|image)[ ]?(?:os)?[ ]?(?:version|build)?[ ]*[:=][ ]*",
        r"(?:10\.0\.)?([0-9]{5})((?:\.[0-9]{1,6})?)(?:[^0-9.]|$)",
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
    fn words_and_versions_are_no_images() {
        for text in [
            "docker pull fails",
            "docker run if it works",
            "Image: 26100.7462",
            "in the manifest list entries",
        ] {
            check(text, &[]);
        }
        check(
            "resolve \nsource metadata for docker.io/library/python:3.8: no match",
            &["docker.io/library/python:3.8"],
        );
    }

    #[test]
    fn the_version_of_an_image_can_be_stated() {
        let stated = |text: &str| stated_image_version(text).map(|version| version.to_string());
        let check = |text, version: Option<&str>| {
            assert_eq!(stated(text).as_deref(), version, "{text}");
        };
        check("Container OS Version: 10.0.17763.437 (ltsc2019)", Some("10.0.17763.437"));
        check("container osversion: 10.0.18363.900", Some("10.0.18363.900"));
        check("Image: 26100.7462", Some("10.0.26100.7462"));
        check("Image: contoso/app:1", None);
        check("Image: 26100.1\nImage: 20348.1", None);
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

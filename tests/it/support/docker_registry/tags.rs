//! Reads just enough off a tag to know what the test registry must put behind it.
//!
//! Written apart from the service's own grammar on purpose, so that a mistake there is not repeated
//! here.

/// The words for a release and the build each stands for.
const BUILD_OF_WORD: [(&str, u32); 16] = [
    ("1607", 14393),
    ("ltsc2016", 14393),
    ("sac2016", 14393),
    ("1709", 16299),
    ("1803", 17134),
    ("1809", 17763),
    ("ltsc2019", 17763),
    ("1903", 18362),
    ("1909", 18363),
    ("2004", 19041),
    ("2009", 19042),
    ("20H2", 19042),
    ("ltsc2022", 20348),
    ("ltsc2025", 26100),
    ("win10-21h1-preview", 20348),
    ("latest", 26100),
];

/// A tag in its parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The tag without architecture and language: `1809-KB4493509`.
    pub base: &'a str,
    /// The one image it names when it has such an ending; otherwise it names an index.
    pub single: Option<&'static str>,
}

/// The endings that name one image, with the architecture as configs write it.
const ARCHITECTURES: [(&str, &str); 6] = [
    ("-amd64", "amd64"),
    ("_amd64", "amd64"),
    ("-arm64", "arm64"),
    ("-arm32v7", "arm"),
    ("-arm", "arm"),
    ("_arm", "arm"),
];

/// Takes a tag apart.
pub fn split(tag: &str) -> Tag<'_> {
    let without_language = strip_language(tag);
    let language_seen = without_language.len() < tag.len();
    for (ending, architecture) in ARCHITECTURES {
        if let Some(base) = without_language.strip_suffix(ending) {
            return Tag { base, single: Some(architecture) };
        }
    }
    Tag { base: without_language, single: language_seen.then_some("amd64") }
}

/// Removes an ending such as `-de-de` or `_pt-br`.
fn strip_language(tag: &str) -> &str {
    let is_language = |ending: &[u8]| match ending {
        [b'-' | b'_', a, b, b'-', c, d] => {
            [a, b, c, d].iter().all(|byte| byte.is_ascii_lowercase())
        }
        _ => false,
    };
    match tag.len().checked_sub(6).and_then(|at| tag.split_at_checked(at)) {
        Some((rest, ending)) if is_language(ending.as_bytes()) => rest,
        _ => tag,
    }
}

/// What a tag without its endings says about the Windows inside.
#[derive(Debug, PartialEq, Eq)]
pub enum Says<'a> {
    /// The whole version: `10.0.17763.557`.
    Version { build: u32, revision: u32 },
    /// A build and the update on it: `1809-KB4493509`.
    Update { build: u32, kb: &'a str },
    /// A release, of which it is the newest.
    Newest { build: u32 },
    /// A build and nothing more.
    BuildOnly { build: u32 },
    /// Nothing.
    Nothing,
}

/// Reads the base of a tag.
pub fn read(base: &str) -> Says<'_> {
    let name = base.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = if base.len() - name.len() == 8 { name.trim_start_matches('-') } else { base };
    let name = name
        .strip_prefix("windowsservercore-")
        .or(name.strip_prefix("nanoserver-"))
        .unwrap_or(name);

    if let Some((build, revision)) =
        name.strip_prefix("10.0.").and_then(|rest| rest.split_once('.'))
    {
        return match (build.parse(), revision.parse()) {
            (Ok(build), Ok(revision)) => Says::Version { build, revision },
            _ => Says::Nothing,
        };
    }
    let build_of = |word: &str| {
        BUILD_OF_WORD.iter().find(|(known, _)| *known == word).map(|(_, build)| *build)
    };
    if let Some(at) = name.find("KB") {
        return match build_of(name[..at].trim_end_matches(['-', '_'])) {
            Some(build) => Says::Update { build, kb: &name[at..] },
            None => Says::Nothing,
        };
    }
    match (name, build_of(name)) {
        // A preview was not moved along with the release, and `latest` names no release.
        ("win10-21h1-preview" | "latest", Some(build)) => Says::BuildOnly { build },
        (_, Some(build)) => Says::Newest { build },
        (_, None) => Says::Nothing,
    }
}

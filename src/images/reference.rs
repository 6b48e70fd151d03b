//! Image references: registry, repository path, tag and digest.
//!
//! The grammar and its normalisation are those of Docker (distribution/reference, `regexp.go` and
//! `normalize.go`). It is read by hand: the OCI crate compiles a regular expression for it, which
//! costs more than all else that a command does. A property test compares the two.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::digest::Digest;
use super::tag::is_tag;

/// A repository in a registry, such as `mcr.microsoft.com/windows/nanoserver`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// The longest text that names a repository alone, in bytes: with the host and namespace that
    /// Docker Hub's short names leave out it has 255, which is where clients stop (OCI
    /// distribution specification).
    pub const MAX_TEXT_BYTES: usize = 255 - "docker.io/library/".len();

    /// Reads a repository name, with or without the registry host; without one it is on Docker Hub
    /// (`docker.io`), as every client takes it.
    ///
    /// # Errors
    /// When the text is too long, is not a reference, or carries a tag or digest.
    pub fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        let reference: ImageReference =
            text.parse().map_err(ParseReferenceError::of_a_repository)?;
        match reference.selector {
            Selector::Default => Ok(reference.repository),
            Selector::Tag(_) | Selector::Digest { .. } => Err(ParseReferenceError::NotARepository),
        }
    }

    /// The registry host in small letters, with its port if it has one that is not 443:
    /// `mcr.microsoft.com`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry: `windows/nanoserver`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl serde::Serialize for Repository {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a reference selects in its repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Neither tag nor digest was written; clients read that as the tag `latest`.
    Default,
    /// A tag.
    Tag(String),
    /// A digest. A tag written beside it is kept for people; the digest decides.
    Digest {
        /// The tag that stood before the digest.
        tag: Option<String>,
        /// What is selected.
        digest: Digest,
    },
}

/// A whole image reference: a repository and what it selects there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// The repository.
    pub repository: Repository,
    /// The tag or digest.
    pub selector: Selector,
}

impl ImageReference {
    /// The longest reference that is read, in bytes. A repository name has at most 255 characters,
    /// a tag 128, a digest 71 (OCI distribution specification).
    pub const MAX_TEXT_BYTES: usize = 512;
}

/// The reason why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// Longer than [`ImageReference::MAX_TEXT_BYTES`].
    #[error("an image reference has at most {} bytes", ImageReference::MAX_TEXT_BYTES)]
    TooLong,
    /// Longer than [`Repository::MAX_TEXT_BYTES`].
    #[error("a repository is written with at most {} bytes", Repository::MAX_TEXT_BYTES)]
    RepositoryTooLong,
    /// Not in the grammar of references.
    #[error("not an image reference; write it like mcr.microsoft.com/windows/nanoserver:ltsc2022")]
    Grammar,
    /// The same where only a repository is allowed.
    #[error("not a repository; write it like mcr.microsoft.com/windows/nanoserver")]
    RepositoryGrammar,
    /// The name has capital letters, which the OCI distribution specification does not allow.
    #[error("image names are written in small letters: {small}")]
    Capitals {
        /// The text in small letters, which is a reference; the tag is left as it is, because its
        /// case matters.
        small: String,
    },
    /// The digest is not a sha256 digest.
    #[error(
        "the digest of an image reference is written @sha256: and 64 lower-case hexadecimal digits"
    )]
    Digest,
    /// A tag or digest where only a repository is allowed.
    #[error("must be a repository: leave the tag or digest out, or use check, which takes one")]
    NotARepository,
}

impl ParseReferenceError {
    /// This error where only a repository is allowed, in words that name no tag.
    pub(super) fn of_a_repository(self) -> Self {
        match self {
            Self::Grammar => Self::RepositoryGrammar,
            Self::Capitals { small } => Self::Capitals { small: parts_of(&small).0.to_owned() },
            other => other,
        }
    }
}

/// A registry host in its canonical form: in small letters, because the names of hosts have no case
/// (RFC 4343), and without the default port of https. The port stays where it alone shows that the
/// name is a host: `myhost:443/x` is not `myhost/x`, a repository of Docker Hub.
pub fn canonical_registry(written: &str) -> String {
    let small = written.to_ascii_lowercase();
    // A host has at most one port: `a.b:443:443` is not a host, and must not become `a.b:443`.
    let host =
        small.strip_suffix(HTTPS_PORT).filter(|host| !host.contains(':') && names_host(host));
    host.map(str::to_owned).unwrap_or(small)
}

const HTTPS_PORT: &str = ":443";

impl FromStr for ImageReference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX_TEXT_BYTES {
            return Err(ParseReferenceError::TooLong);
        }
        let text = &*with_canonical_registry(text);
        let (name, selector) = parts_of(text);
        let (tag, digest) = match selector.split_once('@') {
            Some((tag, digest)) => (tag, Some(digest)),
            None => (selector, None),
        };
        let tag = tag.strip_prefix(':');
        let repository = read_name(name).filter(|_| tag.is_none_or(is_tag));
        let repository = repository.ok_or_else(|| grammar_error(text))?;
        let digest = digest
            .map(|digest| digest.parse().map_err(|_| ParseReferenceError::Digest))
            .transpose()?;
        let selector = match (tag.map(str::to_owned), digest) {
            (tag, Some(digest)) => Selector::Digest { tag, digest },
            (Some(tag), None) => Selector::Tag(tag),
            (None, None) => Selector::Default,
        };
        Ok(Self { repository, selector })
    }
}

/// The text with its registry host, if any, in canonical form.
fn with_canonical_registry(text: &str) -> Cow<'_, str> {
    match text.split_once('/') {
        Some((host, rest)) if names_host(host) => {
            Cow::Owned(format!("{}/{rest}", canonical_registry(host)))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Whether the first part of a name is a registry host: it has a dot or a port, or is `localhost`.
fn names_host(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
}

/// The name in a reference, and what follows it: `:tag`, `@digest` or both.
fn parts_of(text: &str) -> (&str, &str) {
    let path = text.rfind('/').map_or(0, |slash| slash + 1);
    let after = text.get(path..).unwrap_or_default();
    let end = after.find([':', '@']).map_or(text.len(), |at| path + at);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The error for a text that is no reference: its capital letters, if it is one without them.
fn grammar_error(text: &str) -> ParseReferenceError {
    let (name, selector) = parts_of(text);
    let small = format!("{}{selector}", name.to_ascii_lowercase());
    if small != text && small.parse::<ImageReference>().is_ok() {
        ParseReferenceError::Capitals { small }
    } else {
        ParseReferenceError::Grammar
    }
}

/// Reads a name, and completes a short one: without a host it is on Docker Hub, and there without a
/// namespace in that of the official images.
fn read_name(name: &str) -> Option<Repository> {
    let (registry, path) = match name.split_once('/') {
        // Docker takes a host with underscores, which is a component but not a host name.
        Some((host, path)) if names_host(host) => {
            (host, (is_host(host) || is_component(host)).then_some(path)?)
        }
        _ => (DOCKER_HUB, name),
    };
    if !path.split('/').all(is_component) {
        return None;
    }
    let registry = if registry == DOCKER_HUB_LEGACY { DOCKER_HUB } else { registry };
    let namespace =
        if registry == DOCKER_HUB && !path.contains('/') { DOCKER_HUB_OFFICIAL } else { "" };
    let path = format!("{namespace}{path}");
    (path.len() <= MAX_PATH_BYTES).then(|| Repository { registry: registry.to_owned(), path })
}

/// Labels of letters, digits and inner hyphens, joined by dots, and a port.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_label = |label: &str| {
        is_enclosed(label, u8::is_ascii_alphanumeric)
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(is_label)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Runs of small letters and digits, with a dot, one or two underscores, or hyphens between them.
fn is_component(text: &str) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_enclosed(text, is_alphanumeric)
        && text.as_bytes().split(is_alphanumeric).all(|separator| {
            matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
        })
}

/// Whether the first and the last byte are of this kind.
fn is_enclosed(text: &str, kind: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(&kind) && bytes.last().is_some_and(&kind)
}

/// The longest path of a repository (distribution/reference, `RepositoryNameTotalLengthMax`).
const MAX_PATH_BYTES: usize = 255;

/// Docker Hub as references name it. A name without a registry host is there.
pub(super) const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_LEGACY: &str = "index.docker.io";
/// The namespace of Docker Hub's official images, which references leave out.
pub(super) const DOCKER_HUB_OFFICIAL: &str = "library/";

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        match &self.selector {
            Selector::Default => Ok(()),
            Selector::Tag(tag) => write!(f, ":{tag}"),
            Selector::Digest { tag: Some(tag), digest } => write!(f, ":{tag}@{digest}"),
            Selector::Digest { tag: None, digest } => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use oci_distribution::Reference;
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a";

    fn check(text: &str, printed: &str) {
        assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), printed);
    }

    #[test]
    fn references_read_and_print() {
        check(
            "mcr.microsoft.com/windows/nanoserver:1709",
            "mcr.microsoft.com/windows/nanoserver:1709",
        );
        check("mcr.microsoft.com/windows", "mcr.microsoft.com/windows");
        check("microsoft/nanoserver", "docker.io/microsoft/nanoserver");
        check("golang:1.25-nanoserver", "docker.io/library/golang:1.25-nanoserver");
        check("localhost:5000/x:latest", "localhost:5000/x:latest");
        check("localhost:5000/x", "localhost:5000/x");
        // Hosts have no case, and 443 is the port of https; tags have a case.
        check(
            "MCR.microsoft.com/windows/nanoserver:ltsc2022",
            "mcr.microsoft.com/windows/nanoserver:ltsc2022",
        );
        check(
            "mcr.microsoft.com:443/windows/nanoserver:20H2",
            "mcr.microsoft.com/windows/nanoserver:20H2",
        );
        check("Localhost/x", "localhost/x");
        check("a.example:4430/x", "a.example:4430/x");
        check("myhost:443/x", "myhost:443/x");
        check("localhost:443/x", "localhost/x");
        check(&format!("A.example:443/x:Y@{DIGEST}"), &format!("a.example/x:Y@{DIGEST}"));
        check(&format!("a.example/x:y@{DIGEST}"), &format!("a.example/x:y@{DIGEST}"));
        check(&format!("a.example/x@{DIGEST}"), &format!("a.example/x@{DIGEST}"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            " ",
            "A/B:c",
            "W/i",
            "Microsoft/nanoserver:1709",
            "a b",
            "x@sha256:12",
            "http://x/y",
            "user:pw@host/x",
            "a/../b",
            "a/b:é",
            "0:443:443/x/x:t",
            "a.example:443:443/x",
            &"a".repeat(600),
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_error_of_a_name_with_capital_letters_says_so() {
        let small = |text: &str| match text.parse::<ImageReference>() {
            Err(ParseReferenceError::Capitals { small }) => Some(small),
            _ => None,
        };
        assert_eq!(small("NanoServer").as_deref(), Some("nanoserver"));
        assert_eq!(
            small("Microsoft/NanoServer:20H2").as_deref(),
            Some("microsoft/nanoserver:20H2")
        );
        assert_eq!(
            small("MCR.microsoft.com/Windows/x").as_deref(),
            Some("mcr.microsoft.com/windows/x")
        );
        assert_eq!(small("User:pw@host/X"), None);
        assert_eq!(small("A B"), None);
        let of_repository = |text| Repository::parse(text).unwrap_err().to_string();
        assert_eq!(
            of_repository("NanoServer:20H2"),
            "image names are written in small letters: nanoserver"
        );
        assert!(!of_repository("a b").contains("ltsc"));
    }

    #[test]
    fn a_repository_has_no_tag() {
        assert_eq!(Repository::parse("a.example/x:y"), Err(ParseReferenceError::NotARepository));
        assert_eq!(Repository::parse("a.example/x").unwrap().path(), "x");
    }

    /// Reads the text with the OCI crate and expects the same of ours. Ours differs on purpose in
    /// four ways: the host is made canonical before, a tag has ASCII letters only (as registries
    /// have it), a path has no capital letters (the crate takes a first part with them for a host
    /// and then puts it into the path), and a digest is sha256 in small letters.
    fn compare(text: &str) -> Result<(), TestCaseError> {
        let ours = text.parse::<ImageReference>();
        let theirs = with_canonical_registry(text).parse::<Reference>();
        let expected = theirs.ok().filter(|theirs| {
            text.is_ascii()
                && text.len() <= ImageReference::MAX_TEXT_BYTES
                && theirs.repository().to_ascii_lowercase() == theirs.repository()
                && theirs.digest().is_none_or(|digest| digest.parse::<Digest>().is_ok())
        });
        let ours_parts = ours.ok().map(|ours| {
            let (tag, digest) = match ours.selector {
                Selector::Default => (Some("latest".to_owned()), None),
                Selector::Tag(tag) => (Some(tag), None),
                Selector::Digest { tag, digest } => (tag, Some(digest.to_string())),
            };
            (ours.repository.registry, ours.repository.path, tag, digest)
        });
        let expected_parts = expected.map(|theirs| {
            let owned = |part: Option<&str>| part.map(str::to_owned);
            (
                theirs.registry().to_owned(),
                theirs.repository().to_owned(),
                owned(theirs.tag()),
                owned(theirs.digest()),
            )
        });
        prop_assert_eq!(ours_parts, expected_parts, "{:?}", text);
        Ok(())
    }

    /// Texts of the grammar, with what lies near its borders.
    fn references() -> impl Strategy<Value = String> {
        let host = prop_oneof![
            Just(String::new()),
            Just("localhost/".to_owned()),
            Just("index.docker.io/".to_owned()),
            Just("docker.io/".to_owned()),
            "[a-zA-Z0-9-]{1,4}(\\.[a-zA-Z0-9-]{1,4}){0,3}(:[0-9]{0,5})?/",
            "[a-z]{1,3}_{1,2}[a-z]\\.[a-z]/",
            "[a-z0-9]{1,3}(:443)?/",
        ];
        let path = prop_oneof![
            4 => "[a-z0-9]{1,4}((\\.|_{1,3}|-{0,3}|\\.\\.)[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,4}){0,3}",
            1 => "[a-z0-9._/-]{0,12}",
            1 => "[a-zA-Z0-9/]{1,8}",
            1 => "[a-z]{240,256}",
            1 => "[a-z]{244,250}/[a-z]{0,8}",
        ];
        let tag = prop_oneof![
            2 => Just(String::new()),
            3 => ":[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,8}",
            1 => ":[a-zA-Z0-9_.-]{0,4}",
            1 => ":[a-z]{126,130}",
        ];
        let digest = prop_oneof![
            4 => Just(String::new()),
            2 => "@sha256:[0-9a-f]{64}",
            1 => "@sha256:[0-9a-fA-F]{63,65}",
            1 => "@(sha512|sha384|sha256|md5|a+b|a_b|Sha256):[0-9a-f]{31,33}",
            1 => "@sha512:[0-9a-f]{128}",
        ];
        (host, path, tag, digest)
            .prop_map(|(host, path, tag, digest)| host + &path + &tag + &digest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn references_are_read_as_the_oci_crate_reads_them(text in references()) {
            compare(&text)?;
        }

        #[test]
        fn mutated_references_are_read_as_the_oci_crate_reads_them(
            text in references(),
            changes in proptest::collection::vec(
                (0..80_usize, 0..3_u8, "[-a-cA-C0-9_.:/@ é+]"), 1..4,
            ),
        ) {
            let mut characters: Vec<char> = text.chars().collect();
            for (at, kind, character) in changes {
                let at = at.min(characters.len());
                let end = if kind == 0 { at } else { (at + 1).min(characters.len()) };
                characters.splice(at..end, character.chars().filter(|_| kind < 2));
            }
            compare(&characters.into_iter().collect::<String>())?;
        }
    }
}

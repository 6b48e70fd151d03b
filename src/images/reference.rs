//! Image references: registry, repository path, tag and digest.
//!
//! The grammar is the OCI crate's; what is added is a bound on the input, our digest type, and a
//! repository as a value of its own.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use oci_distribution::Reference;

use super::digest::Digest;

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

/// Why a text is not an image reference.
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
    /// The same where a repository was asked for.
    #[error("not a repository; write it like mcr.microsoft.com/windows/nanoserver")]
    RepositoryGrammar,
    /// The name has capital letters, which the grammar of the OCI distribution specification has
    /// not.
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
    /// A repository was asked for, and a tag or digest was given with it.
    #[error(
        "a repository is wanted here: leave the tag or digest out, or ask check, which takes one"
    )]
    NotARepository,
}

impl ParseReferenceError {
    /// This error where a repository was asked for: the words for it name no tag.
    pub(super) fn of_a_repository(self) -> Self {
        match self {
            Self::Grammar => Self::RepositoryGrammar,
            Self::Capitals { small } => Self::Capitals { small: parts_of(&small).0.to_owned() },
            other => other,
        }
    }
}

/// A registry host in the one form in which it is known here: in small letters, because the names
/// of hosts have no case (RFC 4343), and without the port that https has anyway.
pub fn canonical_registry(written: &str) -> String {
    let small = written.to_ascii_lowercase();
    small.strip_suffix(HTTPS_PORT).map(str::to_owned).unwrap_or(small)
}

/// The text with its registry host in canonical form, where it has one: as in docker's grammar, a
/// first part with a dot or a port, or `localhost`.
fn with_canonical_registry(text: &str) -> Cow<'_, str> {
    match text.split_once('/') {
        Some((host, rest))
            if host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost") =>
        {
            Cow::Owned(format!("{}/{rest}", canonical_registry(host)))
        }
        _ => Cow::Borrowed(text),
    }
}

/// The name in a reference, and what follows it: the tag and the digest.
fn parts_of(text: &str) -> (&str, &str) {
    let path = text.rfind('/').map_or(0, |slash| slash + 1);
    let after = text.get(path..).unwrap_or_default();
    let end = after.find([':', '@']).map_or(text.len(), |at| path + at);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// What is wrong with a text that is no reference: its capital letters, if it is one without them.
fn grammar_error(text: &str) -> ParseReferenceError {
    let (name, selector) = parts_of(text);
    let small = format!("{}{selector}", name.to_ascii_lowercase());
    if small != text && small.parse::<ImageReference>().is_ok() {
        ParseReferenceError::Capitals { small }
    } else {
        ParseReferenceError::Grammar
    }
}

const HTTPS_PORT: &str = ":443";

impl FromStr for ImageReference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX_TEXT_BYTES {
            return Err(ParseReferenceError::TooLong);
        }
        // In the crate's grammar a tag may have letters of any script; registries take ASCII only.
        if !text.is_ascii() {
            return Err(ParseReferenceError::Grammar);
        }
        let text = &*with_canonical_registry(text);
        let reference: Reference = text.parse().map_err(|_| grammar_error(text))?;
        let repository = Repository {
            registry: reference.registry().to_owned(),
            path: reference.repository().to_owned(),
        };
        // In the crate's grammar a first part with capital letters is a host, which it then makes a
        // part of the path.
        if repository.path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(grammar_error(text));
        }
        // The crate fills in the tag `latest` where none is written; whether one was written shows
        // in the text.
        let tag =
            reference.tag().filter(|tag| text.contains(&format!(":{tag}"))).map(str::to_owned);
        let digest = reference
            .digest()
            .map(|digest| digest.parse().map_err(|_| ParseReferenceError::Digest))
            .transpose()?;
        let selector = match (tag, digest) {
            (tag, Some(digest)) => Selector::Digest { tag, digest },
            (Some(tag), None) => Selector::Tag(tag),
            (None, None) => Selector::Default,
        };
        Ok(Self { repository, selector })
    }
}

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
        check(&format!("A.example:443/x:Y@{DIGEST}"), &format!("a.example/x:Y@{DIGEST}"));
        check(&format!("a.example/x:y@{DIGEST}"), &format!("a.example/x:y@{DIGEST}"));
        check(&format!("a.example/x@{DIGEST}"), &format!("a.example/x@{DIGEST}"));
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
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
            &"a".repeat(600),
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn capital_letters_in_a_name_are_the_error_that_is_told() {
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
}

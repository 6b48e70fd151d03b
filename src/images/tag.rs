//! The grammar of the tags that Windows base images have.
//!
//! A tag is read into its parts and printed back without loss. What a part means (which build a
//! line such as `ltsc2022` stands for) is in the tables of [`crate::windows`], not here, so that a
//! new release needs a new table row and no new code.
//!
//! ```text
//! tag     = [ date "-" ] [ flavour "-" ] core [ arch ] [ locale ]
//!         | [ date "-" ] flavour
//!         | "latest"
//! core    = "10.0." build "." revision                         a build tag
//!         | line ( "_" | "-" ) "KB" 7 digits                   a KB tag
//!         | line                                               a release tag
//! line    = "ltsc" 4 digits | "sac" 4 digits | 4 digits | 2 digits "H" digit
//! flavour = "windowsservercore" | "nanoserver"                 images built on others (IIS)
//! arch    = ( "-" | "_" ) ( "amd64" | "arm64" | "arm32v7" | "arm" )
//! locale  = ( "-" | "_" ) 2 letters "-" 2 letters              14393 only
//! date    = 8 digits                                           IIS
//! ```
//!
//! Sources: the complete listing of windows/servercore of July 2019, and the catalogue in `data/`.

use std::fmt;

use crate::windows::{Kb, Tables, WindowsVersion};
use crate::words::words;

/// The longest tag a registry may have (OCI distribution specification).
pub const MAX_TAG_BYTES: usize = 128;

/// A tag that follows the grammar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// `20191112` in `20191112-windowsservercore-ltsc2019`.
    pub date: Option<String>,
    /// `windowsservercore` in `windowsservercore-ltsc2019`.
    pub flavour: Option<Flavour>,
    /// The release, update or version that the tag names.
    pub core: Core,
    /// The architecture, when the tag names one. Such a tag is a single manifest, not an index.
    pub architecture: Option<(Separator, TagArchitecture)>,
    /// The language, when the tag names one; without one it is en-us.
    pub locale: Option<(Separator, String)>,
}

/// The part of a tag that says which image it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Core {
    /// A build tag: the whole version.
    Build(WindowsVersion),
    /// A KB tag: a line and the patch it had.
    Kb {
        /// The release or channel, such as `1709`.
        line: String,
        /// `_` until January 2019, `-` since.
        separator: Separator,
        /// The patch.
        kb: Kb,
    },
    /// A release tag, which moves with every patch: `1709`, `ltsc2022`.
    Line(String),
    /// Only a flavour, such as `windowsservercore`, or `latest`: it names no Windows release.
    None,
}

words! {
    /// The base that an image was built on, in the tags of images such as IIS.
    pub enum Flavour {
        /// On Windows Server Core.
        WindowsServerCore = "windowsservercore",
        /// On Nano Server.
        NanoServer = "nanoserver",
    }

    /// The architecture as tags write it.
    pub enum TagArchitecture {
        /// 64-bit x86.
        Amd64 = "amd64",
        /// 64-bit ARM.
        Arm64 = "arm64",
        /// 32-bit ARM.
        Arm32v7 = "arm32v7",
        /// The older word for `arm32v7`.
        Arm = "arm",
    }

    /// The character before a part of a tag.
    pub enum Separator {
        /// The usual one.
        Hyphen = "-",
        /// Before a KB until January 2019, and before some languages.
        Underscore = "_",
    }
}

words! {
    /// The form of a tag.
    pub enum TagKind {
        /// Names a release and moves with its updates.
        Release = "release",
        /// Names one update by its KB.
        Kb = "kb",
        /// Names one update by its version.
        Build = "build",
        /// Any other form. It is listed, never chosen.
        Other = "other",
    }

    /// The form of a tag to choose.
    #[derive(Default)]
    pub enum Pin {
        /// The floating tag of the release, which has the latest updates.
        #[default]
        Release = "release",
        /// The tag that names the KB.
        Kb = "kb",
        /// The tag that names the full version.
        Build = "build",
    }
}

impl Tag {
    /// Reads a tag; `None` when the grammar does not cover it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > MAX_TAG_BYTES || !text.is_ascii() {
            return None;
        }
        let without_core = |date, flavour| Self {
            date,
            flavour,
            core: Core::None,
            architecture: None,
            locale: None,
        };
        if text == "latest" {
            return Some(without_core(None, None));
        }
        let (date, rest) = take_date(text);
        let (flavour, rest) = take_flavour(rest);
        if flavour.is_some() && rest.is_empty() {
            return Some(without_core(date, flavour));
        }
        if date.is_some() && flavour.is_none() {
            return None;
        }
        let (locale, rest) = take_locale(rest);
        let (architecture, rest) = take_architecture(rest);
        let core = parse_core(rest)?;
        if locale.is_some() && !matches!(core, Core::Build(_)) {
            return None;
        }
        Some(Self { date, flavour, core, architecture, locale })
    }

    /// Which form this tag has.
    pub fn kind(&self) -> TagKind {
        if self.date.is_some() {
            return TagKind::Other;
        }
        match self.core {
            Core::Build(_) => TagKind::Build,
            Core::Kb { .. } => TagKind::Kb,
            Core::Line(_) => TagKind::Release,
            Core::None => TagKind::Other,
        }
    }

    /// The Windows version that the tag stands for: with its revision for a build tag, and for a KB
    /// tag whose KB brought one revision of the build; without for a release tag.
    pub fn version(&self, tables: &Tables) -> Option<WindowsVersion> {
        match &self.core {
            Core::Build(version) => Some(*version),
            Core::Line(line) => tables.build_of_line(line).map(WindowsVersion::of_build),
            Core::Kb { line, kb, .. } => {
                tables.build_of_line(line).map(|build| tables.version_of_kb(*kb, build))
            }
            Core::None => None,
        }
    }

    /// The architecture that the tag names.
    pub fn named_architecture(&self) -> Option<TagArchitecture> {
        self.architecture.map(|(_, architecture)| architecture)
    }

    /// The release word of the tag, such as `1709` or `ltsc2022`.
    pub fn line(&self) -> Option<&str> {
        match &self.core {
            Core::Kb { line, .. } | Core::Line(line) => Some(line),
            Core::Build(_) | Core::None => None,
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(date) = &self.date {
            write!(f, "{date}-")?;
        }
        match (self.flavour, &self.core) {
            (Some(flavour), Core::None) => return flavour.fmt(f),
            (Some(flavour), _) => write!(f, "{flavour}-")?,
            (None, Core::None) => return f.write_str("latest"),
            (None, _) => {}
        }
        match &self.core {
            Core::Build(version) => version.fmt(f)?,
            Core::Kb { line, separator, kb } => write!(f, "{line}{separator}{kb}")?,
            Core::Line(line) => f.write_str(line)?,
            Core::None => {}
        }
        if let Some((separator, architecture)) = self.architecture {
            write!(f, "{separator}{architecture}")?;
        }
        if let Some((separator, locale)) = &self.locale {
            write!(f, "{separator}{locale}")?;
        }
        Ok(())
    }
}

/// A date that leads the tag: eight digits and a hyphen.
fn take_date(text: &str) -> (Option<String>, &str) {
    const DATE_DIGITS: usize = 8;
    match text.split_once('-') {
        Some((date, rest)) if date.len() == DATE_DIGITS && all_digits(date) => {
            (Some(date.to_owned()), rest)
        }
        _ => (None, text),
    }
}

fn take_flavour(text: &str) -> (Option<Flavour>, &str) {
    for flavour in Flavour::ALL {
        match text.strip_prefix(flavour.as_str()) {
            Some("") => return (Some(flavour), ""),
            Some(rest) if rest.len() > 1 && rest.starts_with('-') => {
                return (Some(flavour), &rest[1..]);
            }
            _ => {}
        }
    }
    (None, text)
}

/// A language that ends the tag, such as `_de-de`.
fn take_locale(text: &str) -> (Option<(Separator, String)>, &str) {
    const LOCALE_BYTES: usize = "de-de".len();
    let Some((head, locale)) =
        text.len().checked_sub(LOCALE_BYTES).and_then(|at| text.split_at_checked(at))
    else {
        return (None, text);
    };
    let is_locale = locale
        .bytes()
        .enumerate()
        .all(|(at, byte)| if at == 2 { byte == b'-' } else { byte.is_ascii_lowercase() });
    match take_separator(head) {
        Some((head, separator)) if is_locale => (Some((separator, locale.to_owned())), head),
        _ => (None, text),
    }
}

fn take_architecture(text: &str) -> (Option<(Separator, TagArchitecture)>, &str) {
    for architecture in TagArchitecture::ALL {
        let Some(head) = text.strip_suffix(architecture.as_str()) else { continue };
        if let Some((head, separator)) = take_separator(head) {
            return (Some((separator, architecture)), head);
        }
    }
    (None, text)
}

/// The separator that ends the text, and the text before it.
fn take_separator(text: &str) -> Option<(&str, Separator)> {
    Separator::ALL
        .into_iter()
        .find_map(|separator| Some((text.strip_suffix(separator.as_str())?, separator)))
}

fn parse_core(text: &str) -> Option<Core> {
    if let Ok(version) = text.parse::<WindowsVersion>() {
        return version.revision.map(|_| Core::Build(version));
    }
    if is_line(text) {
        return Some(Core::Line(text.to_owned()));
    }
    let at = text.find(['-', '_'])?;
    let (line, rest) = text.split_at(at);
    let separator = rest.get(..1)?.parse().ok()?;
    let kb = rest.get(1..).filter(|kb| kb.starts_with("KB"))?.parse().ok()?;
    is_line(line).then(|| Core::Kb { line: line.to_owned(), separator, kb })
}

/// The word of a release or channel. Any of that shape is read, even one that is in no table yet.
fn is_line(text: &str) -> bool {
    const YEAR_DIGITS: usize = 4;
    let year = |digits: &str| digits.len() == YEAR_DIGITS && all_digits(digits);
    match text.as_bytes() {
        [a, b, b'H', half] => [a, b, half].iter().all(|byte| byte.is_ascii_digit()),
        _ => {
            let digits =
                text.strip_prefix("ltsc").or_else(|| text.strip_prefix("sac")).unwrap_or(text);
            year(digits)
        }
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: TagKind) {
        let tag = Tag::parse(text).unwrap_or_else(|| panic!("{text} does not parse"));
        assert_eq!(tag.kind(), kind, "{text}");
        assert_eq!(tag.to_string(), text);
    }

    #[test]
    fn every_form_reads_and_prints() {
        for text in [
            "1709",
            "ltsc2022",
            "sac2016",
            "20H2",
            "1809-amd64",
            "1809_amd64",
            "1809_arm",
            "ltsc2025-arm64",
        ] {
            check(text, TagKind::Release);
        }
        for text in ["windowsservercore-ltsc2022", "nanoserver-sac2016"] {
            check(text, TagKind::Release);
        }
        for text in
            ["1709_KB4043961", "1809_KB4464455_amd64", "20H2-KB5016616", "ltsc2025-KB5122871-arm64"]
        {
            check(text, TagKind::Kb);
        }
        for text in [
            "10.0.14393.1770",
            "10.0.14393.1066_cs-cz",
            "10.0.14393.2906-de-de",
            "10.0.14393.2906-amd64-de-de",
            "10.0.17763.557-amd64",
            "10.0.26100.32230-arm64",
            "windowsservercore-10.0.14393.1715",
        ] {
            check(text, TagKind::Build);
        }
        for text in ["latest", "windowsservercore", "20191112-windowsservercore-ltsc2019"] {
            check(text, TagKind::Other);
        }
    }

    #[test]
    fn what_is_not_in_the_grammar_is_not_read() {
        for text in [
            "",
            "-",
            "win10-21h1-preview",
            "10.0.14393",
            "1709_kb4043961",
            "1709_KB404396",
            "1709-",
            "ltsc",
            "windowsservercore-",
            "20191112-ltsc2019",
            "4.8-windowsservercore-ltsc2019",
            "1809-de-de",
            "KB4043961",
            "é",
            "10.0.14393.1770\n",
        ] {
            assert_eq!(Tag::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_loss_or_not_at_all(text in "[a-zA-Z0-9._-]{0,40}|\\PC{0,40}") {
            if let Some(tag) = Tag::parse(&text) {
                proptest::prop_assert_eq!(tag.to_string(), text);
            }
        }

        #[test]
        fn tags_made_of_the_grammars_pieces_are_read_without_loss(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "10.0.14393.1770", "ltsc2019", "1709", "20H2", "KB4043961", "amd64", "arm",
                "arm32v7", "de-de",
                "windowsservercore", "nanoserver", "20191112", "latest",
            ]), 1..5),
            separators in proptest::collection::vec(proptest::sample::select(vec!['-', '_']), 5),
        ) {
            let mut text = String::new();
            for (piece, separator) in pieces.iter().zip(separators) {
                text.push_str(piece);
                text.push(separator);
            }
            text.pop();
            if let Some(tag) = Tag::parse(&text) {
                proptest::prop_assert_eq!(tag.to_string(), text);
            }
        }
    }
}

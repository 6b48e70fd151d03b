//! The grammar of the tags of Windows images.
//!
//! A tag is read into its parts and printed back without loss. What a part means (which build a
//! line such as `ltsc2022` stands for) is in the tables of [`crate::windows`], not here, so that a
//! new release needs a new table row and no new code.
//!
//! ```text
//! tag     = [ stem "-" ] [ base [ "-" ] ] core [ arch ] [ locale ]    of one Windows build
//!         | [ stem "-" ] base [ arch ]                                shared: all builds of a base
//!         | core "-" suffix                                           Business Central
//!         | stem | "latest"                                           shared, or not Windows
//! core    = "10.0." build "." revision                         a build tag
//!         | line ( "_" | "-" ) "KB" 7 digits                   a KB tag
//!         | line                                               a release tag
//! line    = "ltsc" 4 digits | "sac" 4 digits | 4 digits | 2 digits "H" digit
//! base    = "windowsservercore" | "nanoserver" | "servercore" | "windowsserver" | "windows"
//! arch    = ( "-" | "_" ) ( "amd64" | "arm64" | "arm32v7" | "arm" )
//! locale  = ( "-" | "_" ) 2 letters "-" 2 letters              build tags of 14393 only
//! ```
//!
//! | tag | stem | base | core | suffix |
//! |---|---|---|---|---|
//! | `ltsc2022`, `10.0.17763.557` | | | the whole tag | |
//! | `windowsservercore-ltsc2022` | | `windowsservercore` | `ltsc2022` | |
//! | `4.8-20250513-nanoserver-1809` | `4.8-20250513` | `nanoserver` | `1809` | |
//! | `jdk21-nanoserver-1809` | `jdk21` | `nanoserver` | `1809` | |
//! | `x86_64-v17.8.3-servercore21H2` (GitLab) | `x86_64-v17.8.3` | `servercore` | `21H2` | |
//! | `1.2-windows-2022`, `1.2-ltsc2022` | `1.2` | `windows`, none | `2022`, `ltsc2022` | |
//! | `ltsc2022-filesonly-dev`, `10.0.19042.844-1.0.2.14` | | | the first part | the rest |
//! | `1.24-windowsservercore` | `1.24` | `windowsservercore` | | |
//! | `1.24`, `8u1809`, `ubuntu-20.04`, `jammy-2004` | the whole tag | | | |
//!
//! The release is read at the end and directly after a base, except for the words `ltsc` and `sac`,
//! which nothing else uses: software versions and dates look like release names.
//!
//! Sources: the complete listing of windows/servercore of July 2019, the catalogue and
//! `data/software.csv`, which has 1,705 real tags of 33 repositories.

use std::fmt;

use jiff::civil::Date;

use super::architecture::TagArchitecture;
use super::base::TagBase;
use super::form::TagKind;
use super::version::day_of_version;
use crate::windows::{Kb, Tables, WindowsVersion};
use crate::words::words;

/// The longest tag a registry may have (OCI distribution specification).
pub const MAX_TAG_BYTES: usize = 128;

/// The first build with a tag, a preview of Windows Server 2016. A lower number is a version of
/// something else.
const MIN_BUILD: u32 = 14300;

/// The releases of GitLab's runner helper, which names servers by the client of the same code
/// (gitlab-runner, `helpers/container/windows/version.go`).
const GITLAB_LINES: [(&str, &str); 2] = [("21H2", "ltsc2022"), ("24H2", "ltsc2025")];

/// A tag that follows the grammar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The software and its version: `4.8-20250513` in `4.8-20250513-windowsservercore-ltsc2019`;
    /// empty for base images and for `latest`.
    pub stem: String,
    /// The base that the tag names.
    pub base: Option<TagBase>,
    /// The release, update or version that the tag names.
    pub core: Core,
    /// The architecture, when the tag names one. Such a tag is a single manifest, not an index.
    pub architecture: Option<(Separator, TagArchitecture)>,
    /// The language, when the tag names one; without one it is en-us.
    pub locale: Option<(Separator, String)>,
    /// The variant, which Business Central writes after the Windows part: `filesonly`.
    pub suffix: String,
    /// Whether the release follows the base without a hyphen, as GitLab writes it.
    pub is_glued: bool,
}

/// What a tag says of the software: tags with the same software are the same image for different
/// Windows builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Software {
    /// As in [`Tag::stem`].
    pub stem: String,
    /// The base; `None` if any base fits.
    pub base: Option<TagBase>,
    /// As in [`Tag::suffix`].
    pub suffix: String,
}

/// The part of a tag that says which image it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Core {
    /// A build tag: the whole version.
    Build(WindowsVersion),
    /// A KB tag: a line and the update it had.
    Kb {
        /// The release or channel, such as `1709`.
        line: String,
        /// `_` until January 2019, `-` since.
        separator: Separator,
        /// The update.
        kb: Kb,
    },
    /// A release tag, which moves with every update: `1709`, `ltsc2022`.
    Line(String),
    /// No Windows release: a shared tag, `latest`, or a tag for another system.
    #[default]
    None,
}

words! {
    /// The character before a part of a tag.
    pub enum Separator {
        /// The usual one.
        Hyphen = "-",
        /// Before a KB until January 2019, and before some languages.
        Underscore = "_",
    }
}

impl Software {
    /// Whether this is one build of the software, of a certain day.
    pub fn is_dated(&self) -> bool {
        day_of_version(&self.stem).is_some()
    }
}

impl Tag {
    /// Reads a tag; `None` when it is none that a registry can have.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_tag(text) {
            return None;
        }
        let (without_locale, locale) = take_locale(text);
        let (rest, architecture) = take_architecture(without_locale);
        let whole = |end: WindowsPart<'_>| {
            let is_read = locale.is_none() || matches!(end.core, Core::Build(_));
            is_read.then(|| end.into_tag(architecture, locale.clone()))
        };
        let tag = read_end(rest).and_then(whole).or_else(|| read_start(text));
        Some(tag.unwrap_or_else(|| {
            let stem = if text == LATEST { "" } else { text };
            WindowsPart { stem, ..WindowsPart::default() }.into_tag(None, None)
        }))
    }

    /// Which form this tag has.
    pub fn kind(&self) -> TagKind {
        if self.day().is_some() {
            return TagKind::Other;
        }
        match self.core {
            Core::Build(_) => TagKind::Build,
            Core::Kb { .. } => TagKind::Kb,
            Core::Line(_) => TagKind::Release,
            Core::None => TagKind::Other,
        }
    }

    /// The day of its build, if the tag has it and so never moves: `20191112-…`, `4.8-20250513-…`.
    pub fn day(&self) -> Option<Date> {
        day_of_version(&self.stem)
    }

    /// The software.
    pub fn software(&self) -> Software {
        Software { stem: self.stem.clone(), base: self.base, suffix: self.suffix.clone() }
    }

    /// The Windows version that the tag stands for: with its revision for a build tag, and for a KB
    /// tag whose KB brought one revision of the build; without for a release tag.
    pub fn version(&self, tables: &Tables) -> Option<WindowsVersion> {
        match &self.core {
            Core::Build(version) => Some(*version),
            Core::Line(line) => self.build_of_line(line, tables).map(WindowsVersion::of_build),
            Core::Kb { line, kb, .. } => {
                self.build_of_line(line, tables).map(|build| tables.version_of_kb(*kb, build))
            }
            Core::None => None,
        }
    }

    fn build_of_line(&self, line: &str, tables: &Tables) -> Option<u32> {
        let of_gitlab = GITLAB_LINES.iter().find(|(word, _)| self.is_glued && *word == line);
        let known = tables.build_of_line(of_gitlab.map_or(line, |(_, line)| line));
        // `windows-2022` is `ltsc2022`; no release is called by its year alone.
        known.or_else(|| self.base.and_then(|_| tables.build_of_line(&format!("ltsc{line}"))))
    }

    /// Whether the tag has a word that nothing but Windows has.
    pub fn names_windows(&self) -> bool {
        self.base.is_some() || self.line().is_some_and(is_windows_line)
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
        let base = self.base.map(TagBase::as_str);
        let core = match &self.core {
            Core::Build(version) => Some(version.to_string()),
            Core::Kb { line, separator, kb } => Some(format!("{line}{separator}{kb}")),
            Core::Line(line) => Some(line.clone()),
            Core::None => None,
        };
        let stem = Some(self.stem.as_str()).filter(|stem| !stem.is_empty());
        let windows = match (base, core) {
            (Some(base), Some(core)) if self.is_glued => Some(format!("{base}{core}")),
            (Some(base), Some(core)) => Some(format!("{base}-{core}")),
            (base, core) => base.map(str::to_owned).or(core),
        };
        match (stem, windows) {
            (Some(stem), Some(windows)) => write!(f, "{stem}-{windows}")?,
            (Some(stem), None) => f.write_str(stem)?,
            (None, windows) => f.write_str(windows.as_deref().unwrap_or(LATEST))?,
        }
        if let Some((separator, architecture)) = self.architecture {
            write!(f, "{separator}{architecture}")?;
        }
        if let Some((separator, locale)) = &self.locale {
            write!(f, "{separator}{locale}")?;
        }
        if !self.suffix.is_empty() {
            write!(f, "-{}", self.suffix)?;
        }
        Ok(())
    }
}

/// Whether a registry can have this tag: letters, digits, `_`, `.` and `-`; the last two not at the
/// start.
pub(super) fn is_tag(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=MAX_TAG_BYTES).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with(['.', '-'])
}

/// The tag without a stem that names no Windows release.
const LATEST: &str = "latest";
/// A tag without its architecture and language.
#[derive(Default)]
struct WindowsPart<'t> {
    stem: &'t str,
    base: Option<TagBase>,
    is_glued: bool,
    core: Core,
    suffix: &'t str,
}

impl WindowsPart<'_> {
    fn into_tag(
        self,
        architecture: Option<(Separator, TagArchitecture)>,
        locale: Option<(Separator, String)>,
    ) -> Tag {
        let Self { stem, base, is_glued, core, suffix } = self;
        let (stem, suffix) = (stem.to_owned(), suffix.to_owned());
        Tag { stem, base, core, architecture, locale, suffix, is_glued }
    }
}

/// Reads what ends with a Windows release, or with a base alone.
fn read_end(text: &str) -> Option<WindowsPart<'_>> {
    if let Some(core) = parse_core(text) {
        return Some(WindowsPart { core, ..WindowsPart::default() });
    }
    if let Some(read) = TagBase::ALL.into_iter().find_map(|base| read_base(text, base)) {
        return Some(read);
    }
    let (stem, line) = text.rsplit_once('-')?;
    (is_windows_line(line) && !stem.is_empty()).then(|| WindowsPart {
        stem,
        core: Core::Line(line.to_owned()),
        ..WindowsPart::default()
    })
}

/// Reads the stem, this base, and the release after it, if there is one.
fn read_base(text: &str, base: TagBase) -> Option<WindowsPart<'_>> {
    let at = text.rfind(base.as_str())?;
    let (before, rest) = text.split_at_checked(at)?;
    let after = rest.strip_prefix(base.as_str())?;
    let stem = match before {
        "" => "",
        _ => before.strip_suffix('-').filter(|stem| !stem.is_empty())?,
    };
    let is_glued = !after.is_empty() && !after.starts_with('-');
    let core = match after.strip_prefix('-').unwrap_or(after) {
        // `windows` alone says less than a base: it may be the name of the software.
        "" if after.is_empty() && base != TagBase::Windows => Core::None,
        core => parse_core(core)?,
    };
    let may_be_glued = matches!(base, TagBase::ServerCore | TagBase::NanoServer);
    let is_read = !is_glued || (may_be_glued && matches!(core, Core::Line(_)));
    is_read.then_some(WindowsPart { stem, base: Some(base), is_glued, core, suffix: "" })
}

/// Reads what begins with a Windows release and goes on with a variant.
fn read_start(text: &str) -> Option<Tag> {
    let (core, suffix) = text.split_once('-').filter(|(_, suffix)| !suffix.is_empty())?;
    let core = parse_core(core).filter(|core| match core {
        Core::Build(_) => true,
        Core::Line(line) => line.starts_with("ltsc"),
        Core::Kb { .. } | Core::None => false,
    })?;
    Some(WindowsPart { core, suffix, ..WindowsPart::default() }.into_tag(None, None))
}

/// A language that ends the tag, such as `_de-de`.
fn take_locale(text: &str) -> (&str, Option<(Separator, String)>) {
    const LOCALE_BYTES: usize = "de-de".len();
    let Some((head, locale)) =
        text.len().checked_sub(LOCALE_BYTES).and_then(|at| text.split_at_checked(at))
    else {
        return (text, None);
    };
    let is_locale = locale
        .bytes()
        .enumerate()
        .all(|(at, byte)| if at == 2 { byte == b'-' } else { byte.is_ascii_lowercase() });
    match take_separator(head) {
        Some((head, separator)) if is_locale => (head, Some((separator, locale.to_owned()))),
        _ => (text, None),
    }
}

fn take_architecture(text: &str) -> (&str, Option<(Separator, TagArchitecture)>) {
    for architecture in TagArchitecture::ALL {
        let Some(head) = text.strip_suffix(architecture.as_str()) else { continue };
        if let Some((head, separator)) = take_separator(head) {
            return (head, Some((separator, architecture)));
        }
    }
    (text, None)
}

/// The separator that ends the text, and the text before it.
fn take_separator(text: &str) -> Option<(&str, Separator)> {
    Separator::ALL
        .into_iter()
        .find_map(|separator| Some((text.strip_suffix(separator.as_str())?, separator)))
}

fn parse_core(text: &str) -> Option<Core> {
    if let Ok(version) = text.parse::<WindowsVersion>() {
        let is_build = version.revision.is_some() && version.build >= MIN_BUILD;
        return is_build.then_some(Core::Build(version));
    }
    if is_line(text) {
        return Some(Core::Line(text.to_owned()));
    }
    let at = text.find(['-', '_'])?;
    let (line, rest) = text.split_at_checked(at)?;
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

/// A release word that is not a bare number.
fn is_windows_line(text: &str) -> bool {
    (text.starts_with("ltsc") || text.starts_with("sac")) && is_line(text)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::software::SOFTWARE;

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
        for text in [
            "windowsservercore-ltsc2022",
            "nanoserver-sac2016",
            "4.8.1-windowsservercore-ltsc2022",
            "jdk21-nanoserver-1809",
            "x86_64-v17.8.3-servercore21H2",
            "1.2-windows-2022",
            "windows-ltsc2022-amd64",
            "v1.6-ltsc2022",
            "ltsc2022-filesonly-dev",
        ] {
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
            "10.0.19042.844-1.0.2.14-24-filesonly",
        ] {
            check(text, TagKind::Build);
        }
        for text in [
            "latest",
            "windowsservercore",
            "1.24-windowsservercore",
            "3.10-hotfix-20230808",
            "20191112-windowsservercore-ltsc2019",
            "4.8-20250513-windowsservercore-ltsc2019",
        ] {
            check(text, TagKind::Other);
        }
    }

    /// The stem, the base, the build and the suffix of a tag.
    fn parts(text: &str) -> (String, Option<&'static str>, Option<u32>, String) {
        let tag = Tag::parse(text).unwrap_or_else(|| panic!("{text} does not parse"));
        let build = tag.version(Tables::embedded()).map(|version| version.build);
        (tag.stem, tag.base.map(TagBase::as_str), build, tag.suffix)
    }

    #[test]
    fn software_and_windows_are_told_apart() {
        for (text, stem, base, build, suffix) in [
            ("4.8-windowsservercore-ltsc2019", "4.8", Some("windowsservercore"), 17763, ""),
            ("3.1-nanoserver-2009", "3.1", Some("nanoserver"), 19042, ""),
            ("x86_64-v17.8.3-servercore21H2", "x86_64-v17.8.3", Some("servercore"), 20348, ""),
            ("arm64-latest-nanoserver24H2", "arm64-latest", Some("nanoserver"), 26100, ""),
            ("1.2-windows-2022", "1.2", Some("windows"), 20348, ""),
            ("1.2-windows-1809-amd64", "1.2", Some("windows"), 17763, ""),
            ("windows-ltsc2022-amd64", "", Some("windows"), 20348, ""),
            ("v1.6-ltsc2025", "v1.6", None, 26100, ""),
            ("ltsc2022-filesonly-dev", "", None, 20348, "filesonly-dev"),
            ("10.0.19042.844-1.0.2.14", "", None, 19042, "1.0.2.14"),
        ] {
            let expected = (stem.to_owned(), base, Some(build), suffix.to_owned());
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn tags_of_other_systems_name_no_build() {
        for text in [
            "ubuntu-20.04",
            "jammy-2004",
            "1.18",
            "8u1809",
            "10.0.100-preview.1",
            "10.0.100.5",
            "10.0.100.5-alpine",
            "1.24-1809",
            "1.2-21H2",
            "windows",
            "1.2-windows",
            "windowsservercore-",
            "nanoserverltsc",
            "servercore-21H2x",
            "1709_kb4043961",
            "1709_KB404396",
            "1709-",
            "ltsc",
            "20191112",
            "1809-de-de",
            "KB4043961",
            "win10-21h1-preview",
        ] {
            assert_eq!(parts(text).2, None, "{text}");
        }
        for text in
            ["", "é", "-windowsservercore-ltsc2022", "10.0.14393.1770\n", "a b", &"a".repeat(129)]
        {
            assert_eq!(Tag::parse(text), None, "{text:?}");
        }
    }

    /// The table lists the Windows builds that each tag holds.
    #[test]
    fn the_build_of_every_known_tag_is_read_from_its_name() {
        let mut named = 0;
        for row in csv::Reader::from_reader(SOFTWARE.as_bytes()).records() {
            let row = row.expect("the table is well-formed");
            let (tag, builds, grammar) = (&row[1], &row[4], &row[12]);
            let parsed = Tag::parse(tag).unwrap_or_else(|| panic!("{tag} does not parse"));
            assert_eq!(parsed.to_string(), tag);
            let build = parsed.version(Tables::embedded()).map(|version| version.build);
            if grammar.starts_with("shared") {
                assert_eq!(build, None, "{tag}");
            } else if let Some(build) = build {
                assert_eq!(build.to_string(), builds, "{tag}");
                named += 1;
            } else {
                // The base alone, where a repository has one build of it only.
                assert!(parsed.base.is_some(), "{tag}");
            }
        }
        assert!(named > 1000, "{named}");
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
                "windowsservercore", "nanoserver", "servercore", "windows", "20191112", "latest",
                "4.8", "2022", "24H2", "filesonly",
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

//! What the words of a host string say, before the tables are asked.
//!
//! A host string is not one grammar but dozens: what `ver`, `winver`, `systeminfo`, docker and
//! kubectl print, in many languages, and what people type. So nothing is matched as a whole. The
//! text is cut into words, each word is looked at once with its neighbour, and the reader
//! weighs what was found.

use super::vocabulary::{
    ARM_WORDS, CLIENT_WORDS, FOREIGN_WORDS, HARMLESS_WORDS, HOME_WORDS, MovingName, OLD_BUILDS,
    SERVER_WORDS, UPDATE_REVISION, is_build_word, is_codename, is_file_word, is_half_year,
    is_value_type, is_windows_word, moving_name, year_of_runner,
};
use super::words::words_of;
use crate::windows::builds::BUILD_2016;
use crate::windows::release::HostKind;
use crate::windows::version::WindowsVersion;

/// What was found in a text.
#[derive(Debug, Default)]
pub(super) struct Clues {
    /// Versions written so that nothing else can be meant: `10.0.17763.557`, `10.0 17763`, `Build
    /// 17763`.
    pub stated: Vec<WindowsVersion>,
    /// Numbers that look like a build, with or without a revision: `17763`, `17763.557`.
    pub bare: Vec<WindowsVersion>,
    /// Builds of a `BuildLabEx`. See [`patch_level_of_branch`] for what they are worth.
    pub branches: Vec<WindowsVersion>,
    /// Versions of files of Windows, which may be those of another build.
    pub files: Vec<WindowsVersion>,
    /// What the registry value `UBR` (update build revision) says: the revision of the host,
    /// whatever stands elsewhere.
    pub update_revisions: Vec<u32>,
    /// Words that name a release: `1809`, `22h2`, `2019`, `rs5`.
    pub names: Vec<String>,
    /// The 10 of `Windows 10`.
    pub windows_number: Option<u32>,
    /// The text names a Long-Term Servicing Channel or Branch.
    pub long_term: bool,
    /// The Home edition is named.
    pub home: bool,
    /// A Windows without containers is named; its name.
    pub too_old: Option<String>,
    /// Another operating system is named, or a version as Linux prints it.
    pub foreign: bool,
    /// Windows or Microsoft is named.
    pub names_windows: bool,
    /// A name that means another Windows after a while, unless the text has a version too.
    pub moving: Option<&'static MovingName>,
    /// The text is what `docker version` prints: versions of Docker, and dates on which it was
    /// built.
    pub docker_version: bool,
    /// The first few words that mean nothing here.
    pub unknown: Vec<String>,
    /// The number of words.
    pub words: usize,
    /// `auto` is all that the text says.
    pub automatic: bool,
    windows_server: bool,
    server_word: bool,
    client_word: bool,
    arm_word: bool,
    long_term_branch: bool,
}

impl Clues {
    /// Looks at every word of the text once.
    pub(super) fn of(text: &str) -> Self {
        let words = words_of(text);
        let mut clues = Self { words: words.len(), ..Self::default() };
        clues.automatic = matches!(words.as_slice(), [only] if only.text == "auto");
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        clues.moving = moving_name(&texts);
        // `[Environment]::OSVersion.Version` prints the parts of the version in columns.
        for parts in texts.windows(4) {
            if let ["10", "0", build, revision] = *parts
                && let Some(build @ 10_000..=99_999) = number(build)
            {
                clues.say_stated(build, number(revision));
            }
        }
        let has_heading = |text| words.iter().any(|word| word.before_colon && word.text == text);
        // `Git commit:` and `Built:`.
        clues.docker_version = has_heading("commit") && has_heading("built");
        let mut previous = "";
        for (index, word) in words.iter().enumerate() {
            let heading = word.before_colon
                || (word.text == "server"
                    && words
                        .get(index + 1)
                        .is_some_and(|next| next.text == "version" && next.before_colon));
            if is_value_type(&word.text) {
                continue;
            }
            clues.look_at(&word.text, previous, heading);
            // Older engines print `Update Build Revision 1`.
            let is_revision = word.text == "revision"
                && previous == "build"
                && index
                    .checked_sub(2)
                    .and_then(|at| words.get(at))
                    .is_some_and(|it| it.text == "update");
            previous = if is_revision { UPDATE_REVISION } else { &word.text };
        }
        clues
    }

    /// The kind of host that the text names, if it does. `Windows 10` and `Windows Server` count
    /// for more than the loose words around them.
    pub(super) fn kind(&self) -> Option<HostKind> {
        if self.windows_server {
            Some(HostKind::Server)
        } else if self.windows_number.is_some() || self.long_term_branch {
            Some(HostKind::Client)
        } else if self.server_word {
            Some(HostKind::Server)
        } else if self.client_word || self.arm_word {
            Some(HostKind::Client)
        } else {
            None
        }
    }

    /// Whether words that mean nothing here are no reason to doubt the rest: they are in every
    /// pasted output, and in every translation.
    pub(super) fn is_trustworthy(&self) -> bool {
        self.unknown.is_empty()
            || self.names_windows
            || !self.stated.is_empty()
            || !self.branches.is_empty()
    }

    fn look_at(&mut self, word: &str, previous: &str, heading: bool) {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            self.look_at_number(word, previous);
            return;
        }
        match word {
            "windows" | "win" | "ws" | "windowsserver" | "winserver" | "microsoft" => {
                self.names_windows = true
            }
            "akswindows" => (self.names_windows, self.server_word) = (true, true),
            "ltsc" => self.long_term = true,
            "ltsb" => {
                self.long_term = true;
                self.long_term_branch = true;
            }
            "vista" | "xp" if self.names_windows => {
                self.say_too_old("Windows Vista and older".to_owned())
            }
            // Docker Desktop names itself as the system when it runs Linux containers.
            "desktop" if previous == "docker" => self.foreign = true,
            "desktop" | "experience" => {}
            _ if is_codename(word) => self.say_name(word),
            _ if FOREIGN_WORDS.contains(&word) => self.foreign = true,
            _ if SERVER_WORDS.contains(&word) => self.server_word |= !heading,
            _ if CLIENT_WORDS.contains(&word) => self.client_word |= !heading,
            _ if word.ends_with(UPDATE_REVISION) => {}
            _ if ARM_WORDS.contains(&word) => self.arm_word = true,
            _ if is_file_word(word) => {}
            _ if HARMLESS_WORDS.contains(&word)
                || word.ends_with("build")
                || is_build_word(word) => {}
            _ => self.say_unknown(word),
        }
        self.home |= HOME_WORDS.contains(&word);
        self.windows_server |= matches!(word, "ws" | "windowsserver" | "winserver")
            || (word == "server"
                && !heading
                && matches!(previous, "windows" | "win" | "microsoft"));
    }

    fn look_at_number(&mut self, word: &str, previous: &str) {
        if previous.ends_with(UPDATE_REVISION) {
            self.say_update_revision(word);
            return;
        }
        let parts: Vec<Option<u32>> = word.split('.').map(number).collect();
        match parts.as_slice() {
            [Some(10), Some(0)] => {}
            [Some(10), Some(0), Some(build @ 10_000..=999_999), Some(revision)]
                if is_file_word(previous) =>
            {
                self.files.extend(version(*build, Some(*revision)));
            }
            [Some(10), Some(0), Some(build @ 10_000..=999_999)] => self.say_stated(*build, None),
            [Some(10), Some(0), Some(build @ 10_000..=999_999), Some(revision)] => {
                self.say_stated(*build, Some(*revision));
            }
            [Some(10), Some(0), lab @ ..] => self.look_at_lab(word, lab),
            // Windows 8.1 and older; Linux kernels have small third numbers.
            [Some(5 | 6), Some(0..=3), Some(build), ..] if *build >= 1000 => {
                self.say_old_build(*build)
            }
            [Some(7 | 8)] | [Some(8), Some(1)] if is_windows_word(previous) => {
                self.say_too_old(format!("Windows {word}"));
            }
            [Some(number)] if previous == "win" && year_of_runner(*number).is_some() => {
                self.server_word = true;
                self.say_name(&format!("20{number}"));
            }
            [Some(number @ 10..=20)] if is_windows_word(previous) => {
                self.windows_number.get_or_insert(*number);
            }
            [Some(build @ 10_000..=99_999)] if previous == "10.0" || is_build_word(previous) => {
                self.say_stated(*build, None);
            }
            [Some(build @ 10_000..=99_999), Some(revision)] if is_build_word(previous) => {
                self.say_stated(*build, Some(*revision));
            }
            // The version of an image in Azure ends with its date: `17763.6775.250117`.
            [Some(build @ 10_000..=99_999), Some(revision), Some(200_101..=991_231)] => {
                self.say_stated(*build, Some(*revision));
            }
            [Some(build @ 10_000..=99_999)] => self.say_bare(*build, None),
            [Some(build @ 10_000..=99_999), Some(revision)] => {
                self.say_bare(*build, Some(*revision))
            }
            [Some(number @ 1000..=9999)] => self.say_four_digits(*number, word),
            [Some(32 | 64)] => {}
            [Some(2..=7), Some(_), ..] if has_small_third_part(word) => self.foreign = true,
            [None] if is_half_year(word) => self.say_name(word),
            lab => self.look_at_lab(word, lab),
        }
    }

    /// `14393.1715.amd64fre.rs1_release_inmarket.170906-1810` (`BuildLabEx`) and
    /// `16299.rs3_release.170928-1534` (`BuildLab`).
    fn look_at_lab(&mut self, word: &str, parts: &[Option<u32>]) {
        self.arm_word |= word.contains("arm64fre.");
        let is_lab = word.contains("fre.") || word.contains("chk.") || word.contains("_release.");
        match parts {
            [Some(build), revision, None, ..] if is_lab => self.say_branch(*build, *revision),
            [Some(build), None, _] if is_lab => self.say_branch(*build, None),
            _ => self.say_unknown(word),
        }
    }

    fn say_four_digits(&mut self, number: u32, word: &str) {
        match number {
            1507 | 1511 => self.say_too_old(format!("Windows 10, version {number}")),
            2000 | 2003 | 2008 | 2012 => self.say_too_old(format!("Windows Server {number}")),
            _ if OLD_BUILDS.contains(&number) => self.say_old_build(number),
            _ => self.say_name(word),
        }
    }

    fn say_stated(&mut self, build: u32, revision: Option<u32>) {
        match version(build, revision) {
            Some(version) => self.stated.push(version),
            None => self.say_old_build(build),
        }
    }

    fn say_bare(&mut self, build: u32, revision: Option<u32>) {
        match version(build, revision) {
            Some(version) => self.bare.push(version),
            None => self.say_old_build(build),
        }
    }

    fn say_branch(&mut self, build: u32, revision: Option<u32>) {
        match version(build, patch_level_of_branch(build, revision)) {
            Some(version) => self.branches.push(version),
            None => self.say_old_build(build),
        }
    }

    /// `reg query` prints the value in hexadecimal (`0x6b3`), PowerShell in decimal.
    fn say_update_revision(&mut self, word: &str) {
        let revision = match word.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number(word),
        };
        // As with `version`, 0 says nothing.
        self.update_revisions.extend(revision.filter(|&revision| revision != 0));
    }

    fn say_name(&mut self, word: &str) {
        if self.names.len() < MAX_WORDS_KEPT && !self.names.iter().any(|known| known == word) {
            self.names.push(word.to_owned());
        }
    }

    fn say_unknown(&mut self, word: &str) {
        if self.unknown.len() < MAX_WORDS_KEPT {
            self.unknown.push(word.to_owned());
        }
    }

    fn say_old_build(&mut self, build: u32) {
        self.say_too_old(format!("Windows build {build}"));
    }

    fn say_too_old(&mut self, what: String) {
        self.too_old.get_or_insert(what);
    }
}

/// The revision that the branch in a `BuildLabEx` says about the patch level of the host.
///
/// It is that of the kernel, which only Windows Server 2016 and its client replaced with every
/// update; there it is the revision people know (14393.1715), unless it is the 0 or 1 of the
/// release. Later builds keep the number of the release branch for years:
/// `17763.1.amd64fre.rs5_release` is printed at every patch level, and
/// `16299.431.amd64fre.rs3_release_svc_escrow` was seen at 16299.611. So there it says nothing.
fn patch_level_of_branch(build: u32, revision: Option<u32>) -> Option<u32> {
    revision.filter(|&revision| build == BUILD_2016 && revision > 1)
}

/// The version, if it is one that can run containers. A revision 0 is what .NET's
/// `Environment.OSVersion` prints for every revision, so it is taken as not known.
fn version(build: u32, revision: Option<u32>) -> Option<WindowsVersion> {
    (build >= BUILD_2016)
        .then_some(WindowsVersion { build, revision: revision.filter(|&revision| revision != 0) })
}

/// A decimal number without leading zeros that fits 32 bits.
fn number(text: &str) -> Option<u32> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// `5.15.0-1053-azure`, `6.8.0`, `3.10.0-1160.el7.x86_64`.
fn has_small_third_part(word: &str) -> bool {
    let third = word.split('.').nth(2).unwrap_or_default();
    let digits = third.find(|character: char| !character.is_ascii_digit()).unwrap_or(third.len());
    (1..=3).contains(&digits)
}

/// More names, or more words that mean nothing, make no difference.
const MAX_WORDS_KEPT: usize = 8;

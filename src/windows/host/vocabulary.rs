//! The words that host strings are made of, by what they say.

/// `22h2`.
pub(super) fn is_half_year(word: &str) -> bool {
    matches!(word.as_bytes(), [b'0'..=b'9', b'0'..=b'9', b'h', b'0'..=b'9'])
}

/// `rs5`.
pub(super) fn is_codename(word: &str) -> bool {
    matches!(word.as_bytes(), [b'r', b's', b'1'..=b'9'])
}

/// What stands before a build in the output of `winver`, PowerShell, and the registry.
pub(super) fn is_build_word(word: &str) -> bool {
    matches!(
        word,
        "build"
            | "osbuild"
            | "buildnumber"
            | "currentbuild"
            | "currentbuildnumber"
            | "osbuildnumber"
            | "windowsbuildnumber"
    )
}

/// What stands before the version of a file: its heading, or the name of the file. The file of an
/// update that the host shares with another build has the version of that other build: Windows 10,
/// version 22H2 (19045) has files of 19041.
pub(super) fn is_file_word(word: &str) -> bool {
    matches!(word, "clientversion" | "fileversion" | "productversion")
        || [".dll", ".exe", ".sys"].iter().any(|ending| word.ends_with(ending))
}

/// The year of the Windows Server that a runner's image is named after, as in `win22/20260317.73`
/// (actions/runner-images).
pub(super) const fn year_of_runner(number: u32) -> Option<u32> {
    match number {
        16 | 19 | 22 | 25 => Some(2000 + number),
        _ => None,
    }
}

/// The types that `reg query` prints between the name of a value and the value (`REG_SZ`), in parts
/// as words are cut.
pub(super) fn is_value_type(word: &str) -> bool {
    matches!(word, "reg" | "sz" | "dword")
}

pub(super) fn is_windows_word(word: &str) -> bool {
    matches!(word, "windows" | "win")
}

/// The registry value under `Windows NT\CurrentVersion` that has the revision; `CurrentBuild` has
/// none.
pub(super) const UPDATE_REVISION: &str = "ubr";

/// A name that means another Windows after a while.
#[derive(Debug)]
pub(super) struct MovingName {
    /// The name as tools write it.
    pub name: &'static str,
    /// Its words, in their order; nothing else in the text may name a version.
    words: &'static [&'static str],
    /// What it means, and since when.
    pub meaning: &'static str,
    /// What to give instead; each is accepted as a host.
    pub instead: &'static [&'static str],
}

/// The moving names of hosts. Sources: actions/runner-images issue 12677 and
/// actions/partner-runner-images issue 74; the release notes of AKS of 2026-05-15; GKE's page on
/// the end of the Semi-Annual Channel.
const MOVING_NAMES: [MovingName; 4] = [
    MovingName {
        name: "windows-latest",
        words: &["windows", "latest"],
        meaning: "on GitHub and Azure Pipelines it has been Windows Server 2025 since September \
                  2025",
        instead: &["windows-2025", "windows-2022"],
    },
    MovingName {
        name: "windows-11-arm",
        words: &["windows", "11", "arm"],
        meaning: "it has been Windows 11, version 24H2 for arm64 since July 2025",
        instead: &["Windows 11 24H2 arm64", "Windows 11 25H2 arm64"],
    },
    MovingName {
        name: "WindowsAnnual",
        words: &["windowsannual"],
        meaning: "it was Windows Server, version 23H2 until AKS ended it in May 2026",
        instead: &["23H2"],
    },
    MovingName {
        name: "WINDOWS_LTSC_CONTAINERD",
        words: &["windows", "ltsc", "containerd"],
        meaning: "it is Windows Server 2019 or 2022, by the option --windows-os-version of the \
                  node pool",
        instead: &["ltsc2019", "ltsc2022"],
    },
];

/// The moving name that all of these words are, in this order, with at most other words around.
pub(super) fn moving_name(words: &[&str]) -> Option<&'static MovingName> {
    let is_in = |name: &&MovingName| words.windows(name.words.len()).any(|it| it == name.words);
    MOVING_NAMES.iter().find(is_in)
}

pub(super) const SERVER_WORDS: &[&str] =
    &["server", "datacenter", "windowsservercore", "servercore", "nanoserver"];

/// Words for a processor that no released Windows Server runs on.
pub(super) const ARM_WORDS: &[&str] = &["arm64", "aarch64", "arm"];

pub(super) const CLIENT_WORDS: &[&str] = &[
    "client",
    "pro",
    "professional",
    "home",
    "education",
    "enterprise",
    "iot",
    "workstation",
    "workstations",
];

/// The Home edition; it is translated into few languages.
pub(super) const HOME_WORDS: &[&str] = &["home", "famille", "家庭版", "家庭中文版"];

/// Words of other systems, and of what prints them.
pub(super) const FOREIGN_WORDS: &[&str] = &[
    "linux",
    "gnu",
    "ubuntu",
    "debian",
    "centos",
    "rhel",
    "fedora",
    "alpine",
    "suse",
    "sles",
    "opensuse",
    "mariner",
    "azurelinux",
    "flatcar",
    "bottlerocket",
    "photon",
    "talos",
    "wsl",
    "wsl2",
    "darwin",
    "macos",
    "freebsd",
    "android",
    "linuxkit",
];

/// Words that go with a version or an edition and need no Windows next to them.
pub(super) const HARMLESS_WORDS: &[&str] = &[
    "version",
    "ver",
    "v",
    "release",
    "os",
    "osversion",
    "kernel",
    "kernelversion",
    "operating",
    "system",
    "host",
    "sac",
    "channel",
    "standard",
    "core",
    "edition",
    "evaluation",
    "essentials",
    "azure",
    "nano",
    "nt",
    "r2",
    "n",
    "a",
    "x64",
    "amd64",
    "arm64",
    "bit",
    "for",
    "with",
    "containers",
    "containerd",
    "annual",
    "latest",
    "gen2",
    "g2",
    "smalldisk",
];

/// The builds of Windows XP to Windows 8.1 and their servers.
pub(super) const OLD_BUILDS: &[u32] = &[2600, 3790, 6000, 6001, 6002, 6003, 7600, 7601, 9200, 9600];

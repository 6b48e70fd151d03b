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
    matches!(word, "build" | "osbuild" | "buildnumber" | "currentbuild" | "currentbuildnumber")
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

pub(super) const SERVER_WORDS: &[&str] = &["server", "datacenter"];

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
    "gen2",
    "g2",
    "smalldisk",
];

/// The builds of Windows XP to Windows 8.1 and their servers.
pub(super) const OLD_BUILDS: &[u32] = &[2600, 3790, 6000, 6001, 6002, 6003, 7600, 7601, 9200, 9600];

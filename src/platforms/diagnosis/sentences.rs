//! The hosts that sentences and names tell, where no output of a machine does.

use std::sync::LazyLock;

use regex::Regex;

use super::pasted::MAX_MENTIONS;

/// The machines that sentences name: `on a Windows Server 2019`, `host 10.0.17763.557`. They count
/// only where nothing is printed by a machine, and not where the sentence goes on about an image.
pub(super) fn in_sentences(clean: &str) -> Vec<String> {
    let mut machines = Vec::new();
    for found in SENTENCES.iter().flat_map(|form| form.captures_iter(clean).take(MAX_MENTIONS)) {
        let Some(value) = found.name("value").filter(|_| machines.len() < MAX_MENTIONS) else {
            continue;
        };
        let line_start =
            clean.get(..value.start()).and_then(|it| it.rfind('\n')).map_or(0, |it| it + 1);
        let before = clean.get(line_start..value.start()).unwrap_or_default();
        let after = clean.get(value.end()..).unwrap_or_default();
        if !BEFORE_IMAGE.is_match(before) && !AFTER_IMAGE.is_match(after) {
            machines.push(value.as_str().trim().to_owned());
        }
    }
    machines
}

/// The lines that could be the name of a machine's Windows and nothing else, such as
/// `WINDOWS_SERVER_2022_CORE`. The reader of hosts decides; they count only where no sentence names
/// a machine either.
pub(super) fn lines_alone(clean: &str) -> Vec<String> {
    let is_name = |line: &&str| {
        (MIN_NAME_BYTES..=MAX_NAME_BYTES).contains(&line.len())
            && line.split(' ').count() <= MAX_NAME_WORDS
            && OF_WINDOWS.is_match(line)
            && !OF_SOMETHING_ELSE.is_match(&line.replace("with-containers", ""))
    };
    let lines = clean.lines().map(|line| line.trim_matches([' ', '-', '*', '"', '\'', ',']));
    lines.filter(is_name).take(MAX_MENTIONS).map(str::to_owned).collect()
}

/// The shortest name is `win25`.
const MIN_NAME_BYTES: usize = 5;
/// Longer than any name of a cloud's image.
const MAX_NAME_BYTES: usize = 120;
/// More words are a sentence.
const MAX_NAME_WORDS: usize = 6;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles every pattern")
}

/// The forms in which sentences and names tell the Windows version of a host, anywhere in a line.
static SENTENCES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let forms = [
        // The name of a node image of AKS, and a machine's name for itself.
        r"\b(?P<value>AKSWindows-[0-9A-Za-z.-]{5,60})",
        r"\b(?P<value>(?:MINGW|MSYS|CYGWIN|UCRT|CLANG)[0-9A-Z]{0,4}_NT-10\.0-[0-9]{5})\b",
        r"\b(?P<value>Windows-1[01]-10\.0\.[0-9]{5}(?:-SP0)?)\b",
        // An image of Azure, with its version.
        r"\b(?P<value>MicrosoftWindows(?:Server|Desktop):[A-Za-z0-9:._-]{5,100})",
        // The queue of a build farm, and the label of a runner.
        r"\bwindows\.amd64\.(?P<value>server20[0-9]{2})\b",
        r"(?:^|[^:/A-Za-z0-9-])(?P<value>windows-20(?:16|19|22|25))\b",
        r"\b(?P<value>win(?:19|22|25)/[0-9]{8})\b",
        // containerd's platform: architecture, system, version.
        r#"\{"[0-9a-z]{3,9}" "windows" "(?P<value>10\.0\.[0-9]{5}(?:\.[0-9]{1,6})?)""#,
        // `host 10.0.17763.557`, `on the host (10.0.17763)`.
        concat!(
            r"(?i)\b(?:host|node|machine)s?\b[^0-9\n,;:.]{0,24}",
            r"(?P<value>10\.0\.[0-9]{5}(?:\.[0-9]{1,6})?)",
        ),
        concat!(
            r"(?P<value>\bWindows[ ](?:Server[ ](?:Core[ ])?)?(?:,?[ ]?[Vv]ersion[ ])?",
            r"(?:10\.0\.[0-9]{5}(?:\.[0-9]{1,6})?|10|11|20[0-9]{2}|[0-9]{2}H[12]|1[6-9]0[39])\b",
            r"(?:,?[ ](?:[Vv]ersion|Pro|Home|Enterprise|Education|Datacenter|Standard|IoT|LTSC",
            r"|LTSB|Core|for|Workstations|instance|[0-9]{2}H[12]|1[5-9]0[379]|20[0-9]{2})\b)*",
            r"(?:,?[ ]?\((?:[OoSs ]{0,3}[Bb]uild[ ])?[0-9]{5}(?:\.[0-9]{1,6})?\))?)",
        ),
    ];
    forms.into_iter().map(regex).collect()
});

/// A word of Windows, as names of hosts have.
static OF_WINDOWS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)win(?:dows|[0-9]|-)|server(?:core)?[ _-]?[0-9]|ltsc_?20|datacenter|10\.0\.[0-9]{5}")
});

/// A line about an image, an update or an error, or of JSON or a program.
static OF_SOMETHING_ELSE: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)\b(?:images?|containers?|tags?|docker|nerdctl|podman|pull(?:ing|ed)?|from|manifest",
        r"|error|fail(?:ed|s)?|KB[0-9]{6,7}|mcr\.microsoft\.com|sha256)\b",
        r#"|["{}<>$]|windows/|(?:nanoserver|servercore|windows|server):"#,
        r"|[a-z0-9]:[a-z0-9._-]*(?:ltsc|windows)|^10\.0\.[0-9.]+$|^Microsoft Windows \[",
    ))
});

/// Before the version of an image in a sentence.
static BEFORE_IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)(?:\b(?:images?|containers?|tags?|base|based[ ]on|built[ ](?:on|for)",
        r"|support(?:s|ed)?)",
        r"(?:[ ](?:is|of|for|from|os|version|build|tag))*[ :=(]*|[-:/])$",
    ))
});

/// After the version of an image in a sentence.
static AFTER_IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)^[-/]?[ ]?(?:[a-z]+[ ])?(?:base[ ])?(?:images?|containers?|tags?|based|base)\b")
});

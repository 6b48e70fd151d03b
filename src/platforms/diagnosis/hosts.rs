//! The hosts that a text mentions: what `docker info`, `kubectl describe node`, `ver`, `systeminfo`
//! and build logs print.
//!
//! Each tool prints the version in a form of its own, in its own language or not, and inspections
//! of images look much the same. So there is a table of forms (`FORMS`), each a regular
//! expression that matches one line of one tool; a looser form would take the version of an image
//! or an update for that of a host. The lines are grouped into machines, because the lines of one
//! machine complete each other and two machines must not be mixed.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::names::{field, is_word};
use super::sentences::{in_sentences, lines_alone};
use crate::windows::{HostReading, MAX_HOST_TEXT_BYTES, Tables, WindowsVersion, read_host};

/// What one machine prints about itself.
struct Machine {
    /// The node's name, where it is known.
    name: Option<String>,
    /// Each heading with its value. A value often needs the others: the kernel version does not
    /// tell server from client, the operating system has no revision.
    facts: Vec<(String, String)>,
}

/// The hosts that a text mentions.
pub(super) struct Hosts {
    /// With the names of the nodes, where they are known.
    readings: Vec<(Option<String>, HostReading)>,
    /// The node of the pod that the text describes.
    node: Option<String>,
}

impl Hosts {
    /// Every host that the clean text mentions.
    pub fn of(clean: &str, tables: &Tables) -> Self {
        let mut texts = HostTexts { tables, known: HashMap::new(), failures_left: MAX_FAILURES };
        let mut read = |machines: Vec<Machine>| -> Vec<_> {
            machines
                .into_iter()
                .filter_map(|machine| Some((machine.name.clone(), machine.read(&mut texts)?)))
                .collect()
        };
        let mut readings = read(machines(clean));
        for mentioned in [in_sentences, lines_alone] {
            if readings.is_empty() {
                let machine = |value| {
                    let facts = vec![("sentence".to_owned(), value)];
                    Machine { name: None, facts }
                };
                readings = read(mentioned(clean).into_iter().map(machine).collect());
            }
        }
        // A pod has the field `Node: NAME/10.240.0.6`.
        let node = |(field, value): (&str, &str)| {
            let (name, _address) = value.split_once('/').filter(|_| field == "Node")?;
            is_word(name).then(|| name.to_owned())
        };
        Self { readings, node: clean.lines().filter_map(field).find_map(node) }
    }

    /// The different hosts.
    pub fn into_readings(self) -> Vec<HostReading> {
        let mut different: Vec<HostReading> = Vec::new();
        for (_, reading) in self.readings {
            let version = |it: &HostReading| it.host.as_ref().map(|host| host.version);
            if different.len() < MAX_DIFFERENT
                && different.iter().all(|known| version(known) != version(&reading))
            {
                different.push(reading);
            }
        }
        different
    }

    /// The host that an error is about. An error may name the host's version itself; then only a
    /// machine of that build adds to it. Among several machines it is the one on which the pod
    /// runs; without a pod they must agree.
    pub fn pick(&self, named: Option<WindowsVersion>, tables: &Tables) -> Option<HostReading> {
        let fitting = || {
            self.readings
                .iter()
                .filter(|(_, it)| named.is_none_or(|named| build_of(it) == Some(named.build)))
        };
        let of_pod = || {
            fitting()
                .find(|(name, _)| name.is_some() && *name == self.node)
                .map(|(_, reading)| reading.clone())
        };
        of_pod().or_else(|| the_only_one(fitting().map(|(_, reading)| reading))).or_else(|| {
            let named = named?;
            read_host(&named.to_string(), None, tables).ok()
        })
    }
}

/// The host that all readings agree on; without its revision where they differ in that.
fn the_only_one<'r>(
    readings: impl Iterator<Item = &'r HostReading> + Clone,
) -> Option<HostReading> {
    let first = build_of(readings.clone().next()?);
    if readings.clone().any(|reading| build_of(reading) != first) {
        return None;
    }
    let mut revisions: Vec<u32> =
        readings.clone().filter_map(|reading| reading.host.as_ref()?.version.revision).collect();
    revisions.dedup();
    let says_most = |reading: &&HostReading| {
        reading
            .host
            .as_ref()
            .is_some_and(|host| host.version.revision == revisions.first().copied())
    };
    let mut reading = readings.clone().find(says_most)?.clone();
    if let Some(host) = reading.host.as_mut().filter(|_| revisions.len() > 1) {
        host.version = host.version.without_revision();
    }
    Some(reading)
}

fn build_of(reading: &HostReading) -> Option<u32> {
    reading.host.as_ref().map(|host| host.version.build)
}

impl Machine {
    /// The node of a row of `kubectl get nodes -o wide`.
    fn of_node_row(line: &str) -> Option<Self> {
        let (_, [name, system, kernel]) = NODE_ROW.captures(line)?.extract();
        let facts = vec![("row".to_owned(), format!("{system}; {kernel}"))];
        Some(Self { name: Some(name.to_owned()), facts })
    }

    fn read(&self, texts: &mut HostTexts<'_>) -> Option<HostReading> {
        let values = || self.facts.iter().map(|(_, value)| value.as_str());
        let with_heading = |(heading, value): &(String, String)| {
            // The number of a registry value says nothing without its name.
            let is_number = heading.ends_with("ubr") || heading.contains("build");
            if is_number { format!("{heading} {value}") } else { value.clone() }
        };
        let mut together = self.facts.iter().map(with_heading).collect::<Vec<_>>().join("; ");
        together.truncate(together.floor_char_boundary(MAX_HOST_TEXT_BYTES));
        // Remarks follow in parentheses.
        let without_remark = values().filter_map(|value| value.split_once('(')).map(|(it, _)| it);
        let readings = std::iter::once(together.as_str()).chain(values()).chain(without_remark);
        readings.filter_map(|text| texts.read(text)).find(|reading| reading.host.is_some())
    }
}

/// Reads each host text once, and gives up after a few that name no host.
struct HostTexts<'t> {
    tables: &'t Tables,
    known: HashMap<String, Option<HostReading>>,
    failures_left: usize,
}

impl HostTexts<'_> {
    fn read(&mut self, text: &str) -> Option<HostReading> {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        if self.failures_left == 0 {
            return None;
        }
        let reading = read_host(text, None, self.tables).ok();
        if reading.is_none() {
            self.failures_left -= 1;
        }
        self.known.insert(text.to_owned(), reading.clone());
        reading
    }
}

/// The machines, in the order of the text. A heading that comes again begins the next one.
fn machines(clean: &str) -> Vec<Machine> {
    let mut machines: Vec<Machine> = Vec::new();
    let mut name = None;
    let (mut in_image_json, mut after_inspect, mut in_container) = (false, false, false);
    for line in clean.lines() {
        // What a container prints is the version of its image.
        in_container = IN_CONTAINER.is_match(line)
            || in_container && !(PROMPT.is_match(line) || line.contains("rror") || line == "ver");
        if let Some((_, value)) =
            field(line).filter(|(name, value)| *name == "Name" && is_word(value))
        {
            name = Some(value.to_owned());
        }
        if let Some(node) = Machine::of_node_row(line) {
            machines.push(node);
            continue;
        }
        // `docker image inspect` prints the version of the image between "Os" and its layers; a
        // node has the label "OS".
        if line.contains(r#""Os":"#) || line.contains(r#""OS":"#) {
            in_image_json = line.contains(r#""Os":"#);
        }
        let facts = facts_of(line);
        if facts.is_empty() {
            // `docker image inspect --format '{{.OsVersion}}'` prints the version of the image in
            // the form of a host's, on the next line.
            after_inspect = line.contains("inspect");
            continue;
        }
        let is_of_image = std::mem::take(&mut after_inspect);
        for (heading, value) in facts {
            let is_printed = in_container && matches!(heading, "ver" | "version");
            if is_of_image || is_printed || (heading == "OsVersion" && in_image_json) {
                continue;
            }
            let heading = heading.to_ascii_lowercase().replace(' ', "");
            let value: String = value.chars().take(MAX_VALUE_CHARS).collect();
            let has_heading =
                |last: &Machine| last.facts.iter().any(|(known, _)| *known == heading);
            if machines.last().is_none_or(|last| last.name != name || has_heading(last)) {
                if machines.len() >= MAX_MACHINES {
                    return machines;
                }
                machines.push(Machine { name: name.clone(), facts: Vec::new() });
            }
            if let Some(last) = machines.last_mut() {
                last.facts.push((heading, value.trim().to_owned()));
            }
        }
    }
    machines
}

/// The headings and values with which a line describes a host; a form without headings has its
/// name as the heading. Only JSON has several on one line.
fn facts_of(line: &str) -> Vec<(&str, &str)> {
    let of_json: Vec<_> = JSON
        .captures_iter(line)
        .take(MAX_MACHINES)
        .map(|found| {
            let (_, [heading, value]) = found.extract();
            (heading, value)
        })
        .collect();
    if !of_json.is_empty() {
        return of_json;
    }
    let first = FORMS.iter().find_map(|(name, form)| {
        let found = form.captures(line)?;
        let part = |group: &str| found.name(group).map(|part| part.as_str());
        // The build of `systeminfo` comes twice, or the line is not from there. Release notes and
        // lists of images print the version of an image in the form of `winver`.
        if part("build") != part("again") || *name == "winver" && OF_IMAGE.is_match(line) {
            return None;
        }
        Some((part("heading").unwrap_or(name), part("value")?))
    });
    first.into_iter().collect()
}

/// Each text that names no host costs up to some milliseconds, because its nearest readings are
/// searched; tools print only a few of them.
const MAX_FAILURES: usize = 8;
/// More different hosts than a person asks about at once.
const MAX_DIFFERENT: usize = 8;
/// More machines in one text make no difference: they have to agree.
const MAX_MACHINES: usize = 64;
/// Longer than any value that a machine prints under one heading.
const MAX_VALUE_CHARS: usize = 200;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles every pattern")
}

/// The forms in which tools print the Windows version of a host on a line, in the order in which
/// they are tried; the first that matches counts.
static FORMS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let forms = [
        // A heading, as in `docker info`, `kubectl describe node`, bug reports and Markdown
        // tables.
        (
            "",
            concat!(
                r#"(?i)^(?:\{"log":")?[ *|-]*(?:[0-9]\.[ ])?(?:\*\*)?"?"#,
                r"(?P<heading>kernel ?version|operating ?system|os ?image|os ?version|os ?name",
                r"|os|host|host ?os(?: ?version)?|windows ?version|buildlabex|winver|edition|node",
                r"|os ?build(?: ?number)?|osdescription|vm ?image|runs-on|caption|build ?number",
                r"|sku|ami|buildversion|platformfamily",
                r"|windows(?:ubr|productname|installationtype|buildlabex)",
                r"|current ?build(?:number)?",
                r"|ubr|productname|installationtype|displayversion)",
                r#""?(?:\*\*)?(?:[ ]*[:=]|[ ]+is[ ])[ ]*(?:\*\*)?[ ]*["']?(?P<value>[^"\n]+)"#,
            ),
        ),
        // The page of the settings, whose tabs are spaces here.
        ("edition", r"^[ ]*Edition[ ]+(?P<value>Windows[ ][0-9A-Za-z ]{2,60})$"),
        // `[Environment]::OSVersion.Version` in PowerShell.
        ("numbers", r"^[ ]*(?P<value>10[ ]+0[ ]+[0-9]{5}[ ]+[0-9]{1,6})[ ]*$"),
        // `reg query` of the key `Windows NT\CurrentVersion`.
        (
            "registry",
            concat!(
                r"(?i)^[ ]*(?P<heading>CurrentBuild(?:Number)?|UBR|ProductName|InstallationType)",
                r"[ ]+REG_(?:SZ|DWORD)[ ]+(?P<value>[!-~][ -~]*)",
            ),
        ),
        // The version in `systeminfo` in any language: `OS Version: 10.0.20348 N/A Build 20348`.
        // Only there the build comes twice.
        (
            "osversion",
            concat!(
                r"^[^:]{1,60}:[ ]+(?P<value>10\.0\.(?P<build>[0-9]{5,6}))",
                r"[ ][^:0-9]{1,60}[ ](?P<again>[0-9]{5,6})[ ]*$",
            ),
        ),
        // `ver`: `Version` in any language.
        ("ver", r"(?P<value>Microsoft Windows \[[^\[\]]{1,40}[ ]10\.0\.[0-9.]{5,14}\])"),
        // The label of a node.
        (
            "label",
            concat!(
                r"(?P<value>(?:node\.kubernetes\.io/windows-build|beta\.kubernetes\.io/osbuild)",
                r"=[0-9.]{5,20})",
            ),
        ),
        // The log of a hosted build.
        ("name", r"^[ -]*(?P<value>Microsoft Windows Server 20[0-9]{2})[ ]*$"),
        // A command that prints only the version.
        ("version", r"^[ ']*(?P<value>10\.0\.[0-9]{5}(?:\.[0-9]{1,6})?)[ ']*$"),
        // The name in `systeminfo` in any language.
        (
            "osname",
            concat!(
                r"^[^:\x22]{4,60}:[ ]{2,40}",
                r"(?P<value>Microsoft Windows (?:Server|10|11)[ ][^:\x22]{1,80})$",
            ),
        ),
        // What `winver` and the settings show: `Windows 11 Pro 23H2 (OS Build 22631.3007)`.
        (
            "winver",
            concat!(
                r"(?i)(?P<value>(?:\bWindows[ ][a-z0-9 ,.]{1,80}[ ]?\(|\b)OS[ -]?Build[ :]{1,3}",
                r"[0-9]{5}(?:\.[0-9]{1,6})?)(?:[^0-9.]|\.?$)",
            ),
        ),
    ];
    forms.into_iter().map(|(name, pattern)| (name, regex(pattern))).collect()
});

/// `docker info --format '{{json .}}'` and objects of Kubernetes, on one line or on many. The case
/// distinguishes them from the inspection of an image, which has `OsVersion`.
static JSON: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r#""([Kk]ernelVersion|OperatingSystem|OSVersion|osImage|platformFamily"#,
        r#"|node\.kubernetes\.io/windows-build)"[ ]*:[ ]*"([^"]{1,200})""#,
    ))
});

/// A line about an image or an update, and not about a machine.
static OF_IMAGE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\bimages?\b|\bcontainers?\b|\bKB[0-9]{6,7}\b"));

/// A command that runs a shell in a container, or a step of a build that prints the version.
static IN_CONTAINER: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"\b(?:docker|nerdctl|podman)(?:\.exe)?[ ](?:container[ ])?(?:run|exec)[ ]",
        r".{0,400}[ ](?:cmd|powershell|pwsh)(?:\.exe)?(?:[ ]|$)|\bRUN[ ].{0,99}\bver\b",
    ))
});

/// The prompt of a shell on the host.
static PROMPT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:PS[ ]?[^>]{0,99}>|[A-Z]:\\[^>]{0,99}>|[$#][ ])"));

/// `kubectl get nodes -o wide`.
static NODE_ROW: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^[ ]*([!-~]+)[ ].*[ ](Windows [A-Za-z0-9 ,]{2,80}?)[ ]+(10\.0\.[0-9.]{5,14})",
        r"[ ]+[a-z-]+://",
    ))
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::diagnosis::pasted::Pasted;

    fn check(text: &str, expected: &str) {
        let tables = Tables::embedded();
        let host = Hosts::of(&Pasted::new(text).clean, tables)
            .pick(None, tables)
            .and_then(|reading| reading.host);
        let said = host.map(|host| format!("{} {}", host.version, host.kind)).unwrap_or_default();
        assert_eq!(said, expected, "{text:?}");
    }

    #[test]
    fn hosts_are_found_where_tools_name_them() {
        check(
            "Kernel Version: 10.0 14393 (14393.2007.amd64fre.rs1_release.171231-1800)\nOperating \
             System: Windows Server 2016 Datacenter",
            "10.0.14393.2007 server",
        );
        check(
            " Kernel Version: 10.0 15063 (15063.0.amd64fre.rs2_release.170317-1834)\n Operating \
             System: Windows 10 Enterprise\n OSType: windows",
            "10.0.15063 client",
        );
        check("Microsoft Windows [Version 10.0.16299.371]", "10.0.16299.371 server");
        check(
            "  - Windows Version: Windows Server 2019 (Version 1809 (OS Build 17763.3772))",
            "10.0.17763.3772 server",
        );
        check(
            "worker-win-2   Ready    <none>   17h   v1.19.3   10.240.0.22   <none>        Windows \
             Server 2019 Datacenter   10.0.17763.1397    containerd://1.4.1",
            "10.0.17763.1397 server",
        );
        check(
            "                        node.kubernetes.io/windows-build=10.0.20348",
            "10.0.20348 server",
        );
        check(
            "  Kernel Version: 5.4.0-1046-azure\n  OS Image: Ubuntu 18.04.5 LTS\n  Operating \
             System: linux",
            "",
        );
        check("        \"Os\": \"windows\",\n        \"OsVersion\": \"10.0.20348.1249\",", "");
        check(
            "            \"OS\": \"windows\",\n            \"OsVersion\": \"10.0.16296\"",
            "10.0.16296 server",
        );
        check("Operating System\n  Microsoft Windows Server 2022\n", "10.0.20348 server");
        check("Host: mcr.microsoft.com", "");
        check(
            "Operating System\n  Microsoft Windows Server 2022\n  10.0.20348\n  Datacenter",
            "10.0.20348 server",
        );
        check(
            "2020-08-28T10:00:00.1234567Z Kernel Version: 10.0.17763.1397",
            "10.0.17763.1397 server",
        );
        check("PS> docker info --format '{{.OSVersion}}'\n10.0.17763.557", "10.0.17763.557 server");
        check("PS> docker image inspect --format '{{.OsVersion}}' x\n10.0.17763.557", "");
    }

    #[test]
    fn hosts_are_found_in_any_language_and_form() {
        check("Microsoft Windows [版本 10.0.20348.2113]", "10.0.20348.2113 server");
        check("Microsoft Windows [Versión 10.0.17763.557]", "10.0.17763.557 server");
        check(
            "Betriebssystemversion: 10.0.20348 Nicht zutreffend Build 20348",
            "10.0.20348 server",
        );
        check(
            "Nombre del sistema operativo:               Microsoft Windows 10 Pro\nVersión del \
             sistema operativo:              10.0.19045 N/D Compilación 19045",
            "10.0.19045 client",
        );
        check("OS 版本:          10.0.20348 暂缺 Build 20348", "10.0.20348 server");
        check("OS Version: 10.0.20348 N/A Build 20348", "10.0.20348 server");
        check("Windows 11 Pro 23H2 (OS Build 22631.3007)", "10.0.22631.3007 client");
        check("OS Build 22631.3007", "10.0.22631.3007 client");
        check("Version 21H2 (OS Build 20348.2113)", "10.0.20348.2113 server");
        check(r#"{"OSType":"windows","OSVersion":"10.0.17763.557"}"#, "10.0.17763.557 server");
        check(
            concat!(
                r#"{"KernelVersion":"10.0 17763 (17763.1.amd64fre.rs5_release.180914-1434)","#,
                r#""OperatingSystem":"Windows 10 Pro Version 1809 (OS Build 17763.557)","#,
                r#""OSVersion":"1809","OSType":"windows"}"#,
            ),
            "10.0.17763.557 client",
        );
        check(r#""nodeInfo": {"kernelVersion": "10.0.17763.557"}"#, "10.0.17763.557 server");
        let node = |version| format!(r#"{{"nodeInfo":{{"kernelVersion":"{version}"}}}}"#);
        check(&format!("{},{}", node("10.0.17763.557"), node("10.0.20348.1")), "");
    }

    #[test]
    fn hosts_are_found_in_sentences_and_names() {
        for (text, expected) in [
            ("Host OS Version: 10.0.18362.116 (1903)", "10.0.18362.116 server"),
            ("Edition: Windows 10 Pro 22H2", "10.0.19045 client"),
            ("Host: 26100.6905 (after an update)", "10.0.26100.6905 server"),
            ("Host is Microsoft Windows 10 Pro - 1903", "10.0.18362 client"),
            ("on host 10.0.17763.557 nothing starts", "10.0.17763.557 server"),
            ("a Windows Server 2016 instance(14393.2906). Docker", "10.0.14393.2906 server"),
            ("I tried it on Windows Server 20H2 and failed", "10.0.19042 server"),
            ("- Windows 10 22H2 (Build 19045.6809), Azure VM", "10.0.19045.6809 client"),
            ("MINGW64_NT-10.0-19045 DESKTOP 3.4.9", "10.0.19045 client"),
            ("pool:\n  vmImage: 'windows-2019'", "10.0.17763 server"),
            ("    runs-on: windows-2022", "10.0.20348 server"),
            ("error\nWINDOWS_SERVER_2022_CORE\n", "10.0.20348 server"),
            ("2022-datacenter-azure-edition-core", "10.0.20348 server"),
            ("2019-datacenter-with-containers-g2", "10.0.17763 server"),
            ("vs2017-win2016", "10.0.14393 server"),
            ("servercore21H2", "10.0.20348 server"),
            ("contoso/app:ltsc2022", ""),
            ("servercore:ltsc2019", ""),
            ("ltsc2019: Pulling from windows/servercore", ""),
            ("FROM servercore-2019", ""),
            ("job (windows.amd64.server2022.open) using docker image x", "10.0.20348 server"),
            ("node-image-version=AKSWindows-2025-gen2-26100.6905.251027", "10.0.26100.6905 server"),
            (r#"unpacked for platform {"386" "windows" "10.0.22631" [] ""}"#, "10.0.22631 client"),
            (
                "    CurrentBuild    REG_SZ    20348\n    UBR    REG_DWORD    0x8fc",
                "10.0.20348.2300 server",
            ),
            // Images, and what somebody else has.
            ("a Windows Server 2019 container on another machine", ""),
            ("the image is based on Windows Server 2019", ""),
            ("image for Windows Server 2022", ""),
            ("mcr.microsoft.com/contoso/app:windows-2022", ""),
            ("The container is built for Windows 10 22H2", ""),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn the_version_of_an_image_is_not_that_of_the_host() {
        check(r#"[{"Os":"windows","OsVersion":"10.0.20348.1249"}]"#, "");
        check(r#"{"architecture":"amd64","os":"windows","os.version":"10.0.20348.1249"}"#, "");
        check(r#"{"platform":{"os":"windows","os.version":"10.0.20348.1249"}}"#, "");
        check("Windows Server 2022 base image (OS Build 20348.2113)", "");
        check("January 9, 2024 - KB5034129 (OS Build 20348.2227)", "");
        check("Image version: 10.0.20348 of build 17763", "");
    }

    #[test]
    fn several_machines_are_not_guessed_between() {
        let node = |name: &str, kernel: &str| {
            format!("Name: {name}\nSystem Info:\n Kernel Version: {kernel}\n OS Image:\n")
        };
        let two = node("a", "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)")
            + &node("b", "10.0.16299.15");
        check(&two, "");
        check(&format!("Name: pod\nNode:  b/10.240.0.6\n{two}"), "10.0.16299.15 server");
        check(&(node("a", "10.0.17763.1") + &node("b", "10.0.17763.557")), "10.0.17763 server");
    }
}

//! The hosts that a text mentions: what `docker info`, `kubectl describe node`, `ver`, `systeminfo`
//! and build logs print.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::windows::{HostReading, MAX_HOST_TEXT_BYTES, Tables, WindowsVersion, read_host};

/// What one machine prints about itself.
struct Machine {
    /// The node's name, where it is known.
    name: Option<String>,
    /// Each heading with its value. The values together say more than each alone.
    says: Vec<(String, String)>,
}

/// The hosts that a text mentions, read.
pub(super) struct Hosts {
    /// With the names of the nodes, where they are known.
    read: Vec<(Option<String>, HostReading)>,
    /// The node of the pod that the text describes.
    node: Option<String>,
}

impl Hosts {
    /// Every host that the clean text mentions.
    pub fn of(clean: &str, tables: &Tables) -> Self {
        let mut texts = HostTexts { tables, known: HashMap::new(), failures_left: MOST_FAILURES };
        let read = machines(clean)
            .into_iter()
            .filter_map(|machine| Some((machine.name.clone(), machine.read(&mut texts)?)));
        let node =
            NODE.captures(clean).and_then(|found| Some(found.name("name")?.as_str().to_owned()));
        Self { read: read.collect(), node }
    }

    /// The host that an error is about. The error may name its version itself; then only a machine
    /// of that build adds to it. Where the text shows several machines, it is the one on which
    /// the pod runs, and without one none.
    pub fn pick(&self, named: Option<WindowsVersion>, tables: &Tables) -> Option<HostReading> {
        let fitting = || {
            self.read
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
    fn read(&self, texts: &mut HostTexts<'_>) -> Option<HostReading> {
        let values = || self.says.iter().map(|(_, value)| value.as_str());
        let mut together = values().collect::<Vec<_>>().join("; ");
        together.truncate(together.floor_char_boundary(MAX_HOST_TEXT_BYTES));
        let readings = std::iter::once(together.as_str()).chain(values());
        readings.filter_map(|text| texts.read(text)).find(|reading| reading.host.is_some())
    }
}

/// Host texts, each of which is read once; a few of those that mean nothing are enough.
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
    let (mut os_key_before, mut is_of_image) = ("", false);
    for line in clean.lines() {
        if let Some(found) = NAME.captures(line) {
            name = found.name("name").map(|name| name.as_str().to_owned());
        }
        if let Some(found) = NODE_ROW.captures(line) {
            let part = |group: &str| found.name(group).map_or("", |part| part.as_str());
            let says = vec![("row".to_owned(), format!("{}; {}", part("system"), part("kernel")))];
            machines.push(Machine { name: Some(part("name").to_owned()), says });
            continue;
        }
        if line.contains("\"Os\":") || line.contains("\"OS\":") {
            os_key_before = line;
        }
        let said = said_by(line);
        if said.is_empty() {
            // This asks for the version of the image, in the same form.
            is_of_image = line.contains("inspect");
            continue;
        }
        let is_of_image = std::mem::take(&mut is_of_image);
        for (heading, value) in said {
            // `docker image inspect` says the version of the image between "Os" and its layers; a
            // node has the label "OS".
            if is_of_image || (heading == "OsVersion" && os_key_before.contains("\"Os\":")) {
                continue;
            }
            let heading = heading.to_ascii_lowercase().replace(' ', "");
            let value: String = value.chars().take(LONGEST_VALUE).collect();
            let is_said = |last: &Machine| last.says.iter().any(|(known, _)| *known == heading);
            if machines.last().is_none_or(|last| last.name != name || is_said(last)) {
                if machines.len() >= MOST_MACHINES {
                    return machines;
                }
                machines.push(Machine { name: name.clone(), says: Vec::new() });
            }
            if let Some(last) = machines.last_mut() {
                last.says.push((heading, value.trim().to_owned()));
            }
        }
    }
    machines
}

/// What a line says of a host, and under which headings; what needs none goes by a name of ours.
fn said_by(line: &str) -> Vec<(&str, &str)> {
    let part = |found: &Captures<'_>, group: &str| {
        found.name(group).and_then(|part| line.get(part.range()))
    };
    let pair = |found: &Captures<'_>| part(found, "heading").zip(part(found, "value"));
    let of_json: Vec<_> =
        JSON.captures_iter(line).take(MOST_MACHINES).filter_map(|found| pair(&found)).collect();
    if !of_json.is_empty() {
        return of_json;
    }
    if let Some(said) = HEADING.captures(line) {
        return pair(&said).into_iter().collect();
    }
    let of_systeminfo =
        SYSTEMINFO.captures(line).filter(|found| part(found, "build") == part(found, "again"));
    let said = of_systeminfo.and_then(|found| Some(("osversion", part(&found, "value")?)));
    let forms = LOOSE.iter().zip(["ver", "label", "name", "version", "osname"]);
    let loose = || {
        forms
            .filter_map(|(form, heading)| Some((heading, part(&form.captures(line)?, "value")?)))
            .next()
    };
    // What a release note or a list of images says in this form is the version of an image.
    let winver = || {
        let found = WINVER.captures(line).filter(|_| !OF_IMAGE.is_match(line))?;
        Some(("winver", part(&found, "value")?))
    };
    said.or_else(loose).or_else(winver).into_iter().collect()
}

/// So many texts that mean no host are read in one diagnosis. Each costs up to some milliseconds,
/// because what it could have meant is looked for; what tools print has a few.
const MOST_FAILURES: usize = 8;
/// More machines in one text make no difference: what several say is not told apart by guessing.
const MOST_MACHINES: usize = 64;
/// What a machine says of itself under one heading is not longer, in characters.
const LONGEST_VALUE: usize = 200;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("every pattern is compiled by a test")
}

/// A heading under which something prints its Windows, and the value.
static HEADING: LazyLock<Regex> = LazyLock::new(|| {
    let headings = "kernel ?version|operating ?system|os ?image|os ?version|os ?name|os|host|host \
                    ?os|windows ?version|buildlabex";
    regex(&format!(
        r#"(?i)^(?:[0-9TZ:.-]{{20,40}} )?[ *|-]*(?:\*\*)?"?(?P<heading>{headings})"?(?:\*\*)?[ ]*[:=][ ]*(?:\*\*)?[ ]*"?(?P<value>[^"]+)"#
    ))
});

/// What says by itself that it is a host: `ver`, the label of a node, the log of a hosted build,
/// and what the commands print that ask for nothing but the version.
static LOOSE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // `Version` in any language.
        r"(?P<value>Microsoft Windows \[[^\[\]]{1,40}[ ]10\.0\.[0-9.]{5,14}\])",
        r"(?P<value>(?:node\.kubernetes\.io/windows-build|beta\.kubernetes\.io/osbuild)=[0-9.]{5,20})",
        r"^[0-9TZ:. -]*(?P<value>Microsoft Windows Server 20[0-9]{2})[ ]*$",
        r"^(?:[0-9TZ:.-]{20,40})?[ ']*(?P<value>10\.0\.[0-9]{5}(?:\.[0-9]{1,6})?)[ ']*$",
        // The name in `systeminfo` in any language.
        r"^[^:\x22]{4,60}:[ ]{2,40}(?P<value>Microsoft Windows (?:Server|10|11)[ ][^:\x22]{1,80})$",
    ];
    patterns.into_iter().map(regex).collect()
});

/// `docker info --format '{{json .}}'` and objects of Kubernetes, on one line or on many. The case
/// tells them from the inspection of an image, which says `OsVersion`.
static JSON: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#""(?P<heading>[Kk]ernelVersion|OperatingSystem|OSVersion|osImage|node\.kubernetes\.io/windows-build)"[ ]*:[ ]*"(?P<value>[^"]{1,200})""#,
    )
});

/// The version in `systeminfo` in any language: `OS Version: 10.0.20348 N/A Build 20348`. Only
/// there the build comes twice.
static SYSTEMINFO: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^[^:]{1,60}:[ ]+(?P<value>10\.0\.(?P<build>[0-9]{5,6}))[ ][^:0-9]{1,60}[ ](?P<again>[0-9]{5,6})[ ]*$",
    )
});

/// What `winver` and the settings show: `Windows 11 Pro 23H2 (OS Build 22631.3007)`.
static WINVER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?P<value>(?:\bWindows[ ][a-z0-9 ,.]{1,80}[ ]?\(|\b)OS[ -]?Build[ :]{1,3}[0-9]{5}(?:\.[0-9]{1,6})?)(?:[^0-9.]|\.?$)",
    )
});

/// A line about an image or an update, and not about a machine.
static OF_IMAGE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\bimages?\b|\bcontainers?\b|\bKB[0-9]{6,7}\b"));

/// `kubectl get nodes -o wide`.
static NODE_ROW: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^[ ]*(?P<name>[!-~]+)[ ].*[ ](?P<system>Windows [A-Za-z0-9 ,]{2,80}?)[ ]+(?P<kernel>10\.0\.[0-9.]{5,14})[ ]+[a-z-]+://",
    )
});

static NAME: LazyLock<Regex> = LazyLock::new(|| regex(r"^Name:[ ]+(?P<name>[!-~]+)[ ]*$"));

/// The node of a pod: `Node: NAME/10.240.0.6`.
static NODE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^Node:[ ]+(?P<name>[!-.0-~]+)/"));

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let tables = Tables::embedded();
        let host = Hosts::of(text, tables).pick(None, tables).and_then(|reading| reading.host);
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
            r#"{"KernelVersion":"10.0 17763 (17763.1.amd64fre.rs5_release.180914-1434)","OperatingSystem":"Windows 10 Pro Version 1809 (OS Build 17763.557)","OSVersion":"1809","OSType":"windows"}"#,
            "10.0.17763.557 client",
        );
        check(r#""nodeInfo": {"kernelVersion": "10.0.17763.557"}"#, "10.0.17763.557 server");
        let two = r#"{"nodeInfo":{"kernelVersion":"10.0.17763.557"}},{"nodeInfo":{"kernelVersion":"10.0.20348.1"}}"#;
        check(two, "");
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

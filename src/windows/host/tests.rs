//! Host strings as machines print them and people type them, and what is made of each.

use proptest::prelude::*;

use super::*;
use crate::windows::host::suggest::words_for;
use HostKind::{Client, Server};
use cases::GOOD;

#[path = "cases.rs"]
mod cases;

fn read(text: &str, host_type: Option<HostKind>) -> Result<HostReading, HostError> {
    read_host(text, host_type, Tables::embedded())
}

#[test]
fn hosts_are_read() {
    assert!(GOOD.len() >= 90);
    for &(text, build, revision, kind) in GOOD {
        let reading = read(text, None).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let host = reading.host.unwrap_or_else(|| panic!("{text:?}: {:?}", reading.could_mean));
        assert_eq!(
            (host.version, host.kind),
            (WindowsVersion { build, revision }, kind),
            "{text:?}"
        );
        assert_eq!(host.requested, text);
        let chosen = reading.could_mean.first().unwrap();
        assert_eq!((chosen.build, chosen.kind), (build, kind), "{text:?}");
    }
}

/// `kubectl get nodes -o wide`.
const NODES: &str = "\
    NAME     STATUS   ROLES   AGE   VERSION   INTERNAL-IP   OS-IMAGE                         \
                     KERNEL-VERSION      CONTAINER-RUNTIME\naks-l    Ready    agent   12d   \
                     v1.27.3   10.240.0.4    Ubuntu 22.04.3 LTS               5.15.0-1053-azure   \
                     containerd://1.7.7-1\nakswin1  Ready    agent   12d   v1.27.3   10.240.0.35   \
                     Windows Server 2019 Datacenter   10.0.17763.5122     \
                     containerd://1.6.21\nakswin2  Ready    agent   12d   v1.27.3   10.240.0.66   \
                     Windows Server 2022 Datacenter   10.0.20348.2113     \
                     containerd://1.6.21\nakswin3  Ready    agent   12d   v1.27.3   10.240.0.97   \
                     Windows Server 2022 Datacenter   10.0.20348.2031     containerd://1.6.21\n";

/// `docker version`, with Docker Desktop, whose number looks like a build.
const DOCKER_VERSION: &str = "\
    Client: Docker Engine - Community\n Version:           24.0.7\n API version:       1.43\n \
    Go version:        go1.20.10\n \
    Git commit:        afdd53b\n Built:             Thu Oct 26 09:08:02 2023\n \
    OS/Arch:           windows/amd64\n \
    Context:           default\n\nServer: Docker Desktop 4.4.4 (73704)\n Engine:\n  \
    Version:          24.0.7\n  \
    API version:      1.43 (minimum version 1.24)\n  Go version:       go1.20.10\n  Git \
    commit:       311b9ff\n  \
    Built:            Thu Oct 26 09:07:37 2023\n  OS/Arch:          windows/amd64\n  \
    Experimental:     false\n";

#[test]
fn what_docker_version_prints_as_an_object_is_read() {
    let object = concat!(
        r#"{"Client":{"Version":"24.0.7","GitCommit":"afdd53b","Os":"windows","BuildTime":"Thu "#,
        r#"Oct 26 09:08:02 2023"},"Server":{"Components":[{"Name":"Engine","Details":{"#,
        r#""KernelVersion":"10.0 20348 (20348.1.amd64fre.fe_release.210507-1500)"}}]}}"#,
    );
    assert_eq!(read(object, None).unwrap().host.unwrap().version, WindowsVersion::of_build(20348));
    // Other output beside it may tell the build.
    let both = format!("{DOCKER_VERSION}Microsoft Windows [Version 10.0.20348.2113]");
    assert_eq!(read(&both, None).unwrap().host.unwrap().version, WindowsVersion::new(20348, 2113));
}

#[test]
fn what_is_not_a_host_is_refused() {
    let too_old = |what: &str| HostError::TooOld { what: what.to_owned() };
    let unknown = |suggestions: &[&str]| HostError::Unknown {
        suggestions: suggestions.iter().map(|&suggestion| suggestion.to_owned()).collect(),
    };
    let several = |versions: &[(u32, Option<u32>)]| HostError::Several {
        versions: versions
            .iter()
            .map(|&(build, revision)| WindowsVersion { build, revision })
            .collect(),
    };
    let cases = [
        ("", HostError::Empty),
        (" \r\n\"\" ", HostError::Empty),
        ("auto", HostError::Automatic),
        ("Auto ", HostError::Automatic),
        ("linux", HostError::NotWindows),
        ("5.15.0-1053-azure", HostError::NotWindows),
        ("6.8.0", HostError::NotWindows),
        ("3.10.0-1160.el7.x86_64", HostError::NotWindows),
        ("5.15.90.1-microsoft-standard-WSL2", HostError::NotWindows),
        ("Ubuntu 22.04", HostError::NotWindows),
        ("Docker Desktop", HostError::NotWindows),
        ("Darwin Kernel Version 23.1.0", HostError::NotWindows),
        ("6.3.9600", too_old("Windows build 9600")),
        ("9600", too_old("Windows build 9600")),
        ("6.3 9600 (9600.17415.amd64fre.winblue_r4.141028-1500)", too_old("Windows build 9600")),
        ("Microsoft Windows [Version 6.1.7601]", too_old("Windows build 7601")),
        ("Windows Server 2012 R2", too_old("Windows Server 2012")),
        ("Windows Server 2008", too_old("Windows Server 2008")),
        ("Windows 8.1", too_old("Windows 8.1")),
        ("Win7", too_old("Windows 7")),
        ("10240", too_old("Windows build 10240")),
        ("10.0.10586.162", too_old("Windows build 10586")),
        ("Windows 10 1511", too_old("Windows 10, version 1511")),
        ("1609", unknown(&["1607", "1709", "1809"])),
        ("Windows 10 1609", unknown(&["1607", "1709", "1809"])),
        ("22H3", unknown(&["22H2"])),
        ("ltcs2019", unknown(&["ltsc2019", "ltsc2016"])),
        ("lstc2022", unknown(&["ltsc2022", "ltsc2025"])),
        ("ltsc2028", unknown(&["ltsc2025", "ltsc2022", "ltsc2019"])),
        ("2028", unknown(&["Windows Server 2025", "Windows Server 2022"])),
        ("Windows Server 2021", unknown(&["Windows Server 2022", "Windows Server 2025"])),
        ("27H1", unknown(&["26H1", "21H1"])),
        ("Windows 10 23H2", unknown(&["Windows Server, version 23H2", "Windows 11, version 23H2"])),
        ("Windows Server 22H2", unknown(&["Windows 10, version 22H2", "Windows 11, version 22H2"])),
        ("foo 1709", unknown(&["Windows Server, version 1709", "Windows 10, version 1709"])),
        ("UBR : 2114", unknown(&[])),
        ("UBR REG_DWORD 0xzz", unknown(&[])),
        ("foo 17763", unknown(&["10.0.17763"])),
        ("10.0.17763 10.0.20348", several(&[(17763, None), (20348, None)])),
        ("foo 17763 20348", unknown(&["10.0.17763", "10.0.20348"])),
        (DOCKER_VERSION, HostError::DockerVersion),
        (NODES, several(&[(17763, Some(5122)), (20348, Some(2113))])),
        ("Windows", unknown(&[])),
        ("10.0", unknown(&[])),
        ("10.0.5", unknown(&[])),
        ("10.0.4294967295", unknown(&[])),
        ("10.0.017763", unknown(&[])),
        ("10.0.17763.1.2", unknown(&[])),
        ("10.0.99999999999", unknown(&[])),
        ("176.63", unknown(&[])),
        ("-", HostError::Empty),
        ("banana", unknown(&[])),
        ("🪟", HostError::Empty),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text, None), Err(expected), "{text:?}");
    }
    assert_eq!(read(&"1".repeat(MAX_HOST_TEXT_BYTES + 1), None), Err(HostError::TooLong));
}

#[test]
fn a_moving_name_says_what_to_give() {
    for (text, first) in [
        ("windows-latest", "windows-2025"),
        ("vmImage: 'Windows-Latest'", "windows-2025"),
        ("windows-11-arm", "Windows 11 24H2 arm64"),
        ("WindowsAnnual", "23H2"),
        ("WINDOWS_LTSC_CONTAINERD", "ltsc2019"),
    ] {
        let Err(HostError::Moving { instead, .. }) = read(text, None) else { panic!("{text:?}") };
        assert_eq!(instead.first(), Some(&first), "{text:?}");
        for name in instead {
            assert!(read(name, None).unwrap().host.is_some(), "{name}");
        }
    }
    let ami = "/aws/service/ami-windows-latest/Windows_Server-2025-English-Core";
    assert_eq!(read(ami, None).unwrap().host.unwrap().version.build, 26100);
}

#[test]
fn the_kind_is_settled_by_host_type() {
    let cases = [
        ("17763", Some(Client), 17763, Client),
        ("19045", Some(Server), 19045, Server),
        ("28123", Some(Client), 28123, Client),
        ("ltsc2019", Some(Client), 17763, Client),
        ("Windows Server 2019", Some(Client), 17763, Client),
        ("Windows 10 22H2", Some(Server), 19045, Server),
        ("Windows 10 10.0.17763.557", Some(Server), 17763, Server),
        ("1703", Some(Server), 15063, Server),
        ("24H2", Some(Client), 26100, Client),
        ("23H2", Some(Client), 22631, Client),
        ("21H2", Some(Server), 20348, Server),
    ];
    for (text, host_type, build, kind) in cases {
        let host = read(text, host_type).unwrap().host.unwrap_or_else(|| panic!("{text:?}"));
        assert_eq!((host.version.build, host.kind), (build, kind), "{text:?}");
    }
}

fn could_mean(text: &str, host_type: Option<HostKind>) -> (bool, Vec<String>) {
    let reading = read(text, host_type).unwrap();
    let names = reading.could_mean.into_iter().map(|candidate| {
        format!(
            "{} {} {}",
            candidate.build,
            candidate.kind,
            candidate.name.as_deref().unwrap_or("?")
        )
    });
    (reading.host.is_some(), names.collect())
}

#[test]
fn everything_a_text_could_mean_is_told() {
    let cases: [(&str, Option<HostKind>, bool, &[&str]); 13] = [
        (
            "22H2",
            None,
            false,
            &["19045 client Windows 10, version 22H2", "22621 client Windows 11, version 22H2"],
        ),
        (
            "21H2",
            Some(Client),
            false,
            &["19044 client Windows 10, version 21H2", "22000 client Windows 11, version 21H2"],
        ),
        (
            "21H2",
            None,
            true,
            &[
                "20348 server Windows Server 2022",
                "19044 client Windows 10, version 21H2",
                "22000 client Windows 11, version 21H2",
            ],
        ),
        (
            "23H2",
            None,
            true,
            &["25398 server Windows Server, version 23H2", "22631 client Windows 11, version 23H2"],
        ),
        (
            "17763",
            None,
            true,
            &[
                "17763 server Windows Server 2019",
                "17763 server Windows Server, version 1809",
                "17763 client Windows 10, version 1809",
            ],
        ),
        ("17763", Some(Client), true, &["17763 client Windows 10, version 1809"]),
        (
            "10.0.26100.8246",
            None,
            true,
            &["26100 client Windows 11, version 24H2", "26100 server Windows Server 2025"],
        ),
        ("10.0.26100.8246", Some(Server), true, &["26100 server Windows Server 2025"]),
        ("22H2", Some(Server), false, &["19045 server ?", "22621 server ?"]),
        ("28123", None, true, &["28123 server ?"]),
        (
            "Windows 10 Pro Version 2009",
            None,
            false,
            &[
                "19042 client Windows 10, version 20H2",
                "19043 client Windows 10, version 21H1",
                "19044 client Windows 10, version 21H2",
                "19045 client Windows 10, version 22H2",
            ],
        ),
        ("Windows 11 24H2", None, true, &["26100 client Windows 11, version 24H2"]),
        ("Windows 10 22H2", Some(Server), true, &["19045 server ?"]),
    ];
    for (text, host_type, decided, names) in cases {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(could_mean(text, host_type), (decided, names), "{text:?} {host_type:?}");
    }
    // A product without a version is every release of it.
    assert_eq!(could_mean("Windows 11", None).1.len(), 7);
    assert_eq!(could_mean("Windows Server", None).1.len(), 12);
    assert!(!could_mean("Windows 11", None).0 && !could_mean("Windows Server", None).0);
}

#[test]
fn the_full_name_of_a_release_is_that_release() {
    let name = |text| read(text, None).unwrap().host.unwrap().name;
    let cases = [
        ("Windows Server, version 1809", "Windows Server, version 1809"),
        ("windows server, version 1809 (10.0.17763.1039)", "Windows Server, version 1809"),
        ("Microsoft Windows Server Version 1809 (OS Build 17763.316)", "Windows Server 2019"),
        (
            "Windows Server 2019 Datacenter Version 1809 (OS Build 17763.1039)",
            "Windows Server 2019",
        ),
        ("1809", "Windows Server 2019"),
        ("17763", "Windows Server 2019"),
        ("Windows 10 1809", "Windows 10, version 1809"),
    ];
    for (text, expected) in cases {
        assert_eq!(name(text).as_deref(), Some(expected), "{text:?}");
    }
    assert_eq!(
        could_mean("Windows Server, version 1809", None).1,
        ["17763 server Windows Server, version 1809"]
    );
}

#[test]
fn home_is_an_edition_of_clients() {
    let edition = |text, host_type| read(text, host_type).unwrap().host.unwrap().edition;
    assert_eq!(edition("Windows 11 Home 23H2", None), Edition::Home);
    assert_eq!(edition("Windows 10 Famille 22H2", None), Edition::Home);
    assert_eq!(edition("Windows 10 家庭版 22H2", None), Edition::Home);
    assert_eq!(edition("Windows 11 Pro 23H2", None), Edition::Other);
    assert_eq!(edition("Windows 11 Home 23H2", Some(Server)), Edition::Other);
}

#[test]
fn a_whole_docker_info_is_read() {
    let info = "Client:\n Version:    24.0.7\n Context:    default\nServer:\n Containers: 12\n  \
                Running: 3\n Images: 20134\n Server Version: 24.0.7\n Storage Driver: \
                windowsfilter\n  Windows:\n Logging Driver: json-file\n Plugins:\n  Volume: \
                local\n  Network: ics internal l2bridge l2tunnel nat null overlay private \
                transparent\n Swarm: inactive\n Default Isolation: hyperv\n Kernel Version: 10.0 \
                22621 (22621.1.amd64fre.ni_release.220506-1250)\n Operating System: Microsoft \
                Windows Version 22H2 (OS Build 22621.963)\n OSType: windows\n Architecture: \
                x86_64\n CPUs: 8\n Total Memory: 31.78GiB\n Name: DESKTOP-7\n ID: \
                5HFO:IWWG:2QZC\n Docker Root Dir: C:\\ProgramData\\Docker\n";
    let host = read(info, None).unwrap().host.unwrap();
    assert_eq!((host.version, host.kind), (WindowsVersion::new(22621, 963), Client));
}

#[test]
fn messages_say_what_to_do() {
    let message = |text| read(text, None).unwrap_err().to_string();
    for text in ["", "auto", "linux", "banana"] {
        let message = message(text);
        for way in [
            "cmd /c ver",
            "docker info --format '{{.OSVersion}}'",
            "'{.status.nodeInfo.kernelVersion}'",
        ] {
            assert!(message.contains(way), "{message}");
        }
    }
    assert!(message("1609").starts_with(
        "could not recognise a Windows version in this text (did you mean 1607, 1709, 1809?); give"
    ));
    assert!(
        message("Windows Server 2012 R2")
            .starts_with("Windows Server 2012 cannot run containers; the first")
    );
}

#[test]
fn suggestions_and_names_are_hosts_themselves() {
    for release in Tables::embedded().releases() {
        let host = read(&release.name, None).unwrap().host.unwrap();
        assert_eq!(
            (host.version.build, host.kind),
            (release.build, release.kind),
            "{}",
            release.name
        );
        for (word, name) in words_for(release) {
            assert!(read(word, None).is_ok() && read(name, None).is_ok(), "{word}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".*", client: bool) {
        let _ = read(&text, client.then_some(Client));
    }

    #[test]
    fn any_mutated_host_is_answered(
        index in 0..GOOD.len(),
        position: prop::sample::Index,
        inserted in "[0-9a-zA-Z. ():_\\-\\[\\]\u{feff}é版]{0,6}",
        dropped in 0..4_usize,
    ) {
        let mut characters: Vec<char> = GOOD[index].0.chars().collect();
        let start = position.index(characters.len());
        let end = (start + dropped).min(characters.len());
        characters.splice(start..end, inserted.chars());
        let text: String = characters.into_iter().collect();
        if let Ok(reading) = read(&text, None) {
            prop_assert!(!reading.could_mean.is_empty());
            if let Some(host) = reading.host {
                prop_assert!(host.version.build >= 14393);
            }
        }
    }

    #[test]
    fn every_version_reads_as_itself(build in 14393_u32..=99999, revision in 1_u32..=99999) {
        let version = WindowsVersion::new(build, revision);
        prop_assert_eq!(read(&version.to_string(), None).unwrap().host.unwrap().version, version);
        let short = format!("{build}.{revision}");
        prop_assert_eq!(read(&short, None).unwrap().host.unwrap().version, version);
    }
}

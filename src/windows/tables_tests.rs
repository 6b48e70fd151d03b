//! Tests of the tables: what the built-in data says, and what is wrong with bad data.

use jiff::civil::date;

use super::*;
use crate::windows::Support;

/// The state of each release on 2026-11-23, recorded separately from the dates when the table was
/// made.
const SUPPORT_ON_2026_11_23: [(&str, Support); 31] = [
    ("Windows Server 2016", Support::Extended),
    ("Windows Server, version 1709", Support::Ended),
    ("Windows Server, version 1803", Support::Ended),
    ("Windows Server 2019", Support::Extended),
    ("Windows Server, version 1809", Support::Ended),
    ("Windows Server, version 1903", Support::Ended),
    ("Windows Server, version 1909", Support::Ended),
    ("Windows Server, version 2004", Support::Ended),
    ("Windows Server, version 20H2", Support::Ended),
    ("Windows Server 2022", Support::Extended),
    ("Windows Server, version 23H2", Support::Ended),
    ("Windows Server 2025", Support::Mainstream),
    ("Windows 10, version 1607", Support::Ended),
    ("Windows 10, version 1703", Support::Ended),
    ("Windows 10, version 1709", Support::Ended),
    ("Windows 10, version 1803", Support::Ended),
    ("Windows 10, version 1809", Support::LongTermEditionsOnly),
    ("Windows 10, version 1903", Support::Ended),
    ("Windows 10, version 1909", Support::Ended),
    ("Windows 10, version 2004", Support::Ended),
    ("Windows 10, version 20H2", Support::Ended),
    ("Windows 10, version 21H1", Support::Ended),
    ("Windows 10, version 21H2", Support::LongTermEditionsOnly),
    ("Windows 10, version 22H2", Support::ExtendedSecurityUpdates),
    ("Windows 11, version 21H2", Support::Ended),
    ("Windows 11, version 22H2", Support::Ended),
    ("Windows 11, version 23H2", Support::Ended),
    ("Windows 11, version 24H2", Support::EnterpriseOnly),
    ("Windows 11, version 25H2", Support::Mainstream),
    ("Windows 11, version 26H2", Support::Mainstream),
    ("Windows 11, version 26H1", Support::Mainstream),
];

#[test]
fn support_in_november_2026() {
    let on = date(2026, 11, 23);
    let actual: Vec<(&str, Support)> = Tables::embedded()
        .releases()
        .iter()
        .map(|release| (release.name.as_str(), release.support(on)))
        .collect();
    assert_eq!(actual, SUPPORT_ON_2026_11_23);
}

#[test]
fn the_files_are_sorted_as_the_tables_are() {
    let releases = read_releases(EMBEDDED_RELEASES).unwrap();
    assert_eq!(releases, Tables::embedded().releases);
    let kbs = read_kbs(EMBEDDED_KB).unwrap();
    assert_eq!(kbs.len(), 1587);
    assert_eq!(kbs, Tables::embedded().kbs);
}

#[test]
fn dates_are_plausible() {
    let first = date(2016, 8, 2);
    for release in Tables::embedded().releases() {
        assert!(release.available >= first, "{release:?}");
        // The last days of 26H2 are in no source yet.
        let is_new = release.version == "26H2";
        assert_ne!(release.mainstream_end.is_some(), is_new, "{release:?}");
        assert_ne!(release.extended_end.is_some(), is_new, "{release:?}");
        for end in [release.nanoserver_end, release.servercore_end].into_iter().flatten() {
            assert!(Some(end) <= release.extended_end && end > release.available, "{release:?}");
        }
        assert!(release.kind == HostKind::Server || release.lines.is_empty(), "{release:?}");
    }
    let mut newest = first;
    for entry in Tables::embedded().kbs() {
        assert!(entry.released.is_none_or(|released| released >= first), "{entry:?}");
        newest = newest.max(entry.released.unwrap_or(first));
        assert!(entry.version.revision.is_some(), "{entry:?}");
    }
    assert_eq!(newest, date(2026, 11, 10));
}

#[test]
fn every_build_with_updates_has_a_release() {
    for entry in Tables::embedded().kbs() {
        assert!(
            Tables::embedded().releases_of_build(entry.version.build).next().is_some(),
            "{entry:?}"
        );
    }
}

#[test]
fn a_shared_build_is_the_long_term_release() {
    let tables = Tables::embedded();
    let name = |build, kind| tables.release_for(build, kind).map(|release| release.name.as_str());
    assert_eq!(name(17763, HostKind::Server), Some("Windows Server 2019"));
    assert_eq!(name(17763, HostKind::Client), Some("Windows 10, version 1809"));
    assert_eq!(name(14393, HostKind::Server), Some("Windows Server 2016"));
    assert_eq!(name(15063, HostKind::Server), None);
    assert_eq!(name(99999, HostKind::Client), None);
    assert_eq!(tables.releases_of_build(17763).count(), 3);
}

#[test]
fn words_of_tags_name_builds() {
    let tables = Tables::embedded();
    let cases = [
        ("ltsc2016", Some((14393, 0))),
        ("sac2016", Some((14393, 1))),
        ("1607", Some((14393, 2))),
        ("1709", Some((16299, 0))),
        ("1803", Some((17134, 0))),
        ("ltsc2019", Some((17763, 0))),
        ("1809", Some((17763, 1))),
        ("sac2019", Some((17763, 2))),
        ("1903", Some((18362, 0))),
        ("1909", Some((18363, 0))),
        ("2004", Some((19041, 0))),
        ("20H2", Some((19042, 0))),
        ("2009", Some((19042, 1))),
        ("ltsc2022", Some((20348, 0))),
        ("ltsc2025", Some((26100, 0))),
        ("LTSC2022", None),
        ("23H2", None),
        ("1703", None),
        ("latest", None),
        ("", None),
    ];
    for (line, expected) in cases {
        let actual = tables.build_of_line(line).map(|build| (build, tables.line_rank(build, line)));
        assert_eq!(actual, expected, "{line}");
    }
    assert_eq!(tables.build_of_line("20h2"), Some(19042));
    assert_eq!(tables.line_rank(17763, "ltsc2022"), usize::MAX);
}

#[test]
fn updates_and_versions_are_many_to_many() {
    let tables = Tables::embedded();
    let versions = |kb| -> Vec<String> {
        tables.versions_of(Kb(kb)).iter().map(|entry| entry.version.to_string()).collect()
    };
    let kbs = |build, revision| -> Vec<String> {
        tables
            .kbs_of(WindowsVersion::new(build, revision))
            .iter()
            .filter_map(|entry| entry.kb.map(|kb| kb.to_string()))
            .collect()
    };
    assert_eq!(
        versions(5008212),
        ["10.0.19041.1415", "10.0.19042.1415", "10.0.19043.1415", "10.0.19044.1415"]
    );
    assert_eq!(versions(5005625), ["10.0.17763.2210", "10.0.17763.2213"]);
    assert_eq!(versions(1), [""; 0]);
    assert_eq!(kbs(14393, 187), ["KB3189866", "KB3193494"]);
    assert_eq!(kbs(16299, 19), ["KB4043961"]);
    assert_eq!(kbs(17763, 1040), ["KB4546852"]);
    assert_eq!(kbs(17763, 1041), [""; 0]);
    assert_eq!(tables.kbs_of(WindowsVersion::of_build(17763)), Vec::<&KbEntry>::new());
    for entry in tables.kbs() {
        assert!(
            tables.kbs_of(entry.version).contains(&entry)
                && entry.kb.is_none_or(|kb| tables.versions_of(kb).contains(&entry))
        );
    }
}

#[test]
fn container_only_updates_are_marked() {
    let container_only: Vec<String> = Tables::embedded()
        .kbs()
        .iter()
        .filter(|entry| entry.container_only)
        .filter_map(|entry| Some(format!("{} {}", entry.version, entry.kb?)))
        .collect();
    assert_eq!(
        container_only,
        [
            "10.0.14393.3506 KB4546850",
            "10.0.14393.3568 KB4551573",
            "10.0.17134.1305 KB4546851",
            "10.0.17763.1040 KB4546852",
            "10.0.18362.658 KB4546853",
            "10.0.18363.658 KB4546853",
        ]
    );
}

const RELEASES_HEADER: &str = "kind,name,version,codename,build,channel,available,mainstream_end,\
                               extended_end,long_term_end,security_updates_end,lines,\
                               nanoserver_end,servercore_end,note,source\n";
const RELEASES_ROW: &str = "server,Windows Server \
                            2031,31H2,,40000,LTSC,2031-01-02,2036-01-02,2041-01-02,,,ltsc2031,,,,\
                            lifecycle page\n";
const KB_HEADER: &str = "build,revision,kb,released,kind_of_release,os_type,source,note\n";
const KB_ROW: &str = "40000,1,KB6000000,2031-01-02,Standard,client/server,a page,\n";

#[test]
fn newer_tables_are_read() {
    let releases = format!("\u{feff}{RELEASES_HEADER}{RELEASES_ROW}").replace('\n', "\r\n");
    let tables = Tables::from_csv(&releases, &format!("{KB_HEADER}{KB_ROW}")).unwrap();
    assert_eq!(tables.build_of_line("ltsc2031"), Some(40000));
    assert_eq!(tables.versions_of(Kb(6000000)).len(), 1);
}

#[test]
fn bad_tables_are_refused_with_file_and_line() {
    let wrong = |releases: &str, kb: &str| Tables::from_csv(releases, kb).unwrap_err().to_string();
    let good_releases = format!("{RELEASES_HEADER}{RELEASES_ROW}");
    let good_kb = format!("{KB_HEADER}{KB_ROW}");

    let releases = [
        (String::new(), "releases.csv line 1: the column kind is missing"),
        (RELEASES_HEADER.to_owned(), "releases.csv: no rows"),
        (
            good_releases.replace("server,", "desktop,"),
            "releases.csv line 2: kind \"desktop\": must be one of server, client",
        ),
        (
            good_releases.replace("40000", "9600"),
            "releases.csv line 2: build 9600 is older than 14393",
        ),
        (
            good_releases.replace("40000", "40k"),
            "releases.csv line 2: build \"40k\": invalid digit",
        ),
        (
            good_releases.replace("LTSC", "STS"),
            "releases.csv line 2: channel \"STS\": must be one of LTSC",
        ),
        (
            good_releases.replace("2031-01-02", "02.01.2031"),
            "releases.csv line 2: available \"02.01.2031\": ",
        ),
        (good_releases.replace("2031-01-02", ""), "releases.csv line 2: available is empty"),
        (
            good_releases.replace("2041", "2035"),
            "line 2: extended_end 2035-01-02 is before mainstream_end 2036-01-02",
        ),
        (good_releases.replace("lifecycle page", ""), "releases.csv line 2: source is empty"),
        (
            format!("{good_releases}{RELEASES_ROW}"),
            "releases.csv line 3: Windows Server 2031 is there twice",
        ),
        (
            good_releases.clone()
                + &RELEASES_ROW.replace("Server 2031", "Server 2032").replace("40000", "40001"),
            "releases.csv line 3: the word ltsc2031 stands for build 40000",
        ),
        (format!("{good_releases}server\n"), "releases.csv line 3: "),
        (" ".repeat(8 * 1024 * 1024 + 1), "releases.csv: 8388609 bytes are more than the limit"),
    ];
    for (releases, expected) in releases {
        let message = wrong(&releases, &good_kb);
        assert!(message.contains(expected), "{message}");
    }

    let kbs = [
        (
            good_kb.replace("KB6000000", "6000"),
            "kb.csv line 2: kb \"6000\": a KB is written KB and seven digits",
        ),
        (
            good_kb.replace("client/server", "phone"),
            "kb.csv line 2: os_type \"phone\": must be one of server, client",
        ),
        (good_kb.replace(",1,", ",,"), "kb.csv line 2: revision is empty"),
        (format!("{good_kb}{KB_ROW}"), "kb.csv line 3: 10.0.40000.1 with KB6000000 is there twice"),
        (
            KB_HEADER.to_owned() + &"\n".repeat(3) + &KB_ROW.repeat(50_001),
            "kb.csv line 6: 10.0.40000.1 with",
        ),
    ];
    for (kb, expected) in kbs {
        let message = wrong(&good_releases, &kb);
        assert!(message.contains(expected), "{message}");
    }

    let too_many: String =
        (0..50_001).map(|revision| format!("40000,{revision},KB6000000,,,,a page,\n")).collect();
    assert_eq!(
        wrong(&good_releases, &format!("{KB_HEADER}{too_many}")),
        "kb.csv: more than 50000 rows; is this the right file?"
    );
}

#[test]
fn h24_tables_that_are_behind_the_built_in_ones_are_refused() {
    let (releases, kb) = (EMBEDDED_RELEASES, EMBEDDED_KB);
    assert!(Tables::replacing(releases, kb).is_ok());
    let cut = |text: &str| text.lines().take(20).collect::<Vec<_>>().join("\n");
    let newest = Tables::embedded().kbs().iter().filter_map(|entry| entry.released).max();
    let newest = newest.unwrap().to_string();
    let older = kb.replace(&newest, "2016-08-02");
    for (releases, kb, file) in [
        (releases, cut(kb).as_str(), "kb.csv: 19 rows up to 20"),
        (releases, &older, "kb.csv: "),
        (&cut(releases), kb, "releases.csv: 19 rows up to 20"),
    ] {
        let error = Tables::replacing(releases, kb).unwrap_err().to_string();
        assert!(error.starts_with(file), "{error}");
        assert!(error.contains("cut off or older than this version of wintag"), "{error}");
    }
}

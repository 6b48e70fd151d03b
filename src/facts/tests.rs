//! The readers on documents as they really look, and what follows from them.

use jiff::civil::{Date, date};

use super::*;
use crate::windows::{HostKind, Kb, Tables, WindowsVersion};

macro_rules! feed {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/feeds/", $name))
    };
}

const SERVER_MAY: &[u8] = feed!("learn-windows-server-release-info-2026-05-13.excerpt.md");
const SERVER_SEPTEMBER: &[u8] = feed!("made-windows-server-release-info-2026-09.md");
const SERVER_NOVEMBER: &[u8] = feed!("made-windows-server-release-info-2026-11.md");
const CLIENT_NOVEMBER: &[u8] = feed!("made-windows11-release-information-2026-11.md");
const CVRF_JUNE: &[u8] = feed!("msrc-cvrf-2026-Jun.excerpt.xml");
const CVRF_OCTOBER: &[u8] = feed!("made-msrc-cvrf-2026-Oct.xml");
const CVRF_NOVEMBER: &[u8] = feed!("made-msrc-cvrf-2026-Nov.xml");
const CVE_SEPTEMBER: &[u8] = feed!("cve-record-CVE-2026-69839.abridged.json");
const CVE_NOVEMBER: &[u8] = feed!("made-cve-record-CVE-2026-99911.json");
const TODAY: Date = date(2026, 11, 20);

/// The tables as they were at the end of August 2026.
fn tables_of_august() -> Tables {
    let kb = include_str!("../windows/data/kb.csv");
    let is_kept = |line: &&str| line.split(',').nth(3).is_none_or(|day| day < "2026-09");
    let kept: Vec<&str> =
        kb.lines().filter(|line| line.starts_with("build") || is_kept(line)).collect();
    Tables::from_csv(include_str!("../windows/data/releases.csv"), &kept.join("\n")).unwrap()
}

/// The tables with what was learnt.
fn with(tables: &Tables, learnt: &[LearntUpdate]) -> Tables {
    tables.with(learnt.iter().map(|update| update.entry(tables)).collect(), None)
}

fn server(page: &[u8]) -> Vec<Claim> {
    let read = release_information::read(page, HostKind::Server).unwrap();
    assert_eq!(read.refused, Vec::<String>::new());
    read.claims
}

fn pair(build: u32, revision: u32, kb: u32) -> (WindowsVersion, Option<Kb>) {
    (WindowsVersion::new(build, revision), Some(Kb(kb)))
}

#[test]
fn every_row_of_the_real_page_agrees_with_the_tables() {
    let claims = server(SERVER_MAY);
    assert_eq!(claims.len(), 16);
    for claim in &claims {
        let known = Tables::embedded().kbs_of(claim.version);
        let is_known = known.iter().any(|it| {
            (it.kb, it.released, &it.release_type)
                == (claim.kb, claim.released, &claim.release_type)
        });
        assert!(is_known, "{claim:?}");
    }
    assert!(claims[0].evidence.contains("2026-05-13"), "{}", claims[0].evidence);
}

#[test]
fn a_page_gives_updates_and_hotpatches() {
    let claims = server(SERVER_NOVEMBER);
    let types = |build: u32, revision: u32| -> Vec<&str> {
        let version = WindowsVersion::new(build, revision);
        let of = claims.iter().filter(|claim| claim.version == version);
        of.map(|claim| claim.release_type.as_deref().unwrap()).collect()
    };
    // In the table of updates and, as a baseline, in the calendar.
    assert_eq!(types(26100, 33650), ["Standard", "Standard"]);
    assert_eq!(types(26100, 33721), ["Hotpatch"]);
    // Its row in the calendar ends with an empty cell more.
    assert_eq!(types(26100, 33220), ["Hotpatch"]);
    assert_eq!(types(20348, 5631), ["Out-of-band"]);
    // Media, and months to come.
    assert!(claims.iter().all(|claim| claim.kb.is_some() && claim.version.revision != Some(1742)));

    let client = release_information::read(CLIENT_NOVEMBER, HostKind::Client).unwrap();
    let client: Vec<_> = client.claims.iter().map(|claim| (claim.version, claim.kb)).collect();
    assert!(client.contains(&pair(26300, 9902, 5_999_120)), "{client:?}");
    assert!(client.contains(&pair(26100, 9711, 5_999_110)), "{client:?}");
    assert!(client.iter().all(|(version, _)| version.revision != Some(9990)), "{client:?}");
}

#[test]
fn a_page_of_another_form_is_refused() {
    let page = String::from_utf8(SERVER_SEPTEMBER.to_vec()).unwrap();
    let read = |page: &str| release_information::read(page.as_bytes(), HostKind::Server);
    for (what, from, to) in [
        ("another header", "| Build | KB article |", "| KB article | Build |"),
        ("a column less", "| Servicing option | Update", "| Update"),
        ("no tables", "|", ""),
        ("no headings", "(OS build", "(build"),
        ("another KB", "[KB5122882]", "[KB512288]"),
        ("another day", "2026-09-14 |", "September 14 |"),
        ("another build", "| 20348.5622", "| 26100.5622"),
        ("another type", "2026-09 OOB", "2026-09 X"),
    ] {
        let changed = page.replace(from, to);
        assert_ne!(changed, page, "{what}");
        match read(&changed) {
            Err(_) => {}
            Ok(read) => {
                assert!(!read.refused.is_empty(), "{what}");
                // The whole table, and no other.
                let of_table = |claim: &&Claim| claim.version.build == 20348;
                assert_eq!(read.claims.iter().filter(of_table).count(), 0, "{what}");
            }
        }
    }
    // Wherever it is cut off, nothing is read that the whole page does not say.
    let whole = read(&page).unwrap().claims;
    for end in (0..page.len()).filter(|end| page.is_char_boundary(*end)) {
        if let Ok(part) = read(&page[..end]) {
            assert!(part.claims.iter().all(|claim| whole.contains(claim)), "{end}");
        }
    }
}

#[test]
fn the_real_cvrf_document_agrees_with_the_tables() {
    let document = cvrf::read(CVRF_JUNE).unwrap();
    let found: Vec<_> = document.claims.iter().map(|claim| (claim.version, claim.kb)).collect();
    let expected = [
        pair(14393, 9234, 5_094_122),
        pair(17763, 8880, 5_094_123),
        pair(20348, 5256, 5_094_128),
        pair(26100, 32995, 5_094_125),
    ];
    assert_eq!(found, expected);
    for (version, kb) in found {
        assert!(Tables::embedded().kbs_of(version).iter().any(|known| known.kb == kb), "{version}");
    }
    assert_eq!(document.claims[0].named, Some(date(2026, 6, 9)));
    assert_eq!(cvrf::read(CVRF_NOVEMBER).unwrap().without_build, ["CVE-2026-99911"]);
}

#[test]
fn a_cvrf_document_of_another_form_is_refused() {
    let text = String::from_utf8(CVRF_OCTOBER.to_vec()).unwrap();
    for (what, changed) in [
        ("half of it", text[..text.len() / 2].to_owned()),
        ("no vulnerability", text.replace("vuln:Vulnerability", "vuln:Other")),
        ("another root", text.replace("cvrfdoc", "rss")),
        ("no day", text.replace("InitialReleaseDate", "Date")),
        ("a document type", format!("<!DOCTYPE x [<!ENTITY e \"e\">]>{text}")),
        ("deep", "<cvrfdoc>".repeat(1000)),
        ("nothing", String::new()),
        ("a page", "<html><body>Service unavailable</body></html>".to_owned()),
    ] {
        assert!(cvrf::read(changed.as_bytes()).is_err(), "{what}");
    }
    let whole = cvrf::read(text.as_bytes()).unwrap();
    for end in 0..text.trim_end().len() {
        assert!(cvrf::read(&text.as_bytes()[..end]).is_err(), "{end}");
    }
    assert_eq!(whole.claims.len(), 4);
}

#[test]
fn the_list_of_documents_and_a_cve_record_are_read() {
    let months = updates_list::read(feed!("msrc-updates-2026-07-06.excerpt.json")).unwrap();
    let ids: Vec<&str> = months.iter().map(|month| month.id.as_str()).collect();
    assert_eq!(ids, ["2026-Jul", "2026-Jun", "2026-May", "2026-Jan", "2020-Feb", "2018-FEB"]);
    assert!(updates_list::read(b"{\"value\":[{\"ID\":\"2026-Jun\"}]}").is_err());
    let claims = cve::read(CVE_SEPTEMBER).unwrap();
    let versions: Vec<String> = claims.iter().map(|claim| claim.version.to_string()).collect();
    let expected = ["10.0.14393.9512", "10.0.17763.9245", "10.0.20348.5622", "10.0.26100.33438"];
    assert_eq!(versions, expected);
    assert_eq!(cve::path_of("CVE-2026-69839").unwrap(), "2026/69xxx/CVE-2026-69839");
    assert_eq!(cve::path_of("CVE-2026-0839").unwrap(), "2026/0xxx/CVE-2026-0839");
    for id in ["CVE-2026-../1", "CVE-2026-839", "2026-1234", "CVE-20é6-1234"] {
        assert_eq!(cve::path_of(id), None, "{id}");
    }
}

#[test]
fn from_august_to_november_in_one_step() {
    let tables = tables_of_august();
    let mut ledger = Ledger::default();
    assert!(ledger.consider(server(SERVER_NOVEMBER), &tables, TODAY));
    let client = release_information::read(CLIENT_NOVEMBER, HostKind::Client).unwrap().claims;
    ledger.consider(client, &tables, TODAY);
    ledger.consider(cvrf::read(CVRF_OCTOBER).unwrap().claims, &tables, TODAY);
    ledger.consider(cvrf::read(CVRF_NOVEMBER).unwrap().claims, &tables, TODAY);
    ledger.consider(cve::read(CVE_NOVEMBER).unwrap(), &tables, TODAY);
    let Conclusions { learnt, contradictions } = ledger.conclude(&tables);
    let of = |build, revision| {
        let version = WindowsVersion::new(build, revision);
        let of: Vec<_> = learnt.iter().filter(|learnt| learnt.version == version).collect();
        assert!(of.len() <= 1, "{of:?}");
        of.first().map(|it| (it.kb.map(|kb| kb.0), it.confidence))
    };
    use Confidence::{Confirmed, Single};
    assert_eq!(of(20348, 5622), Some((Some(5_122_882), Single)));
    assert_eq!(of(20348, 5761), Some((Some(5_999_103), Confirmed)));
    assert_eq!(of(20348, 5870), Some((Some(5_999_113), Confirmed)));
    // MSRC names no revision, but the CVE record does.
    assert_eq!(of(26100, 33790), Some((Some(5_999_114), Confirmed)));
    // A hotpatch, and the client of the same build.
    assert_eq!(of(26100, 33721), Some((Some(5_999_011), Confirmed)));
    assert_eq!(of(26100, 9902), Some((Some(5_999_120), Confirmed)));
    // MSRC names another update: both know the revision, and neither is believed about its KB.
    assert_eq!(of(17763, 9487), Some((None, Confirmed)));
    let apart: Vec<_> = contradictions.iter().map(|it| it.claim.kb.unwrap().0).collect();
    assert_eq!(apart, [5_999_112, 5_999_312]);
    // A build without a release is reported and never enters.
    assert_eq!(ledger.unknown_builds.iter().copied().collect::<Vec<_>>(), [29600]);
    let renewed = with(&tables, &learnt);
    assert_eq!(renewed.versions_of(Kb(5_999_113))[0].version, WindowsVersion::new(20348, 5870));
    assert!(renewed.kbs_of_build(29600).is_empty());
    assert_eq!(renewed.kind_of_revision(WindowsVersion::new(26100, 9902)), Some(HostKind::Client));
    assert_eq!(renewed.kind_of_revision(WindowsVersion::new(26100, 33790)), Some(HostKind::Server));
    // Clients of this build get the same updates, which the page about servers does not say.
    assert_eq!(renewed.kind_of_revision(WindowsVersion::new(14393, 9688)), None);
    // Nothing new the second time.
    assert!(!ledger.consider(server(SERVER_NOVEMBER), &tables, TODAY));
    // Once the tables have it, it is no longer learnt.
    ledger.forget_known(&renewed);
    assert_eq!(ledger.conclude(&renewed).learnt, []);
}

#[test]
fn the_tables_of_this_version_get_the_updates_that_they_lack() {
    let tables = Tables::embedded();
    let mut ledger = Ledger::default();
    ledger.consider(server(SERVER_NOVEMBER), tables, TODAY);
    let learnt = ledger.conclude(tables).learnt;
    let renewed = with(tables, &learnt);
    // The version was known from a CVE record, without its update.
    let known = |tables: &Tables| -> Vec<Option<Kb>> {
        let of = tables.kbs_of(WindowsVersion::new(20348, 5870));
        of.iter().map(|entry| entry.kb).collect()
    };
    assert_eq!((known(tables), known(&renewed)), (vec![None], vec![Some(Kb(5_999_113))]));
}

#[test]
fn what_does_not_fit_is_left_out() {
    let tables = tables_of_august();
    let one = |version: &str, kb: u32, day: Date| Claim {
        version: version.parse().unwrap(),
        kb: Some(Kb(kb)),
        released: Some(day),
        named: Some(day),
        release_type: Some("Standard".to_owned()),
        kind: Some(HostKind::Server),
        source: Source::ReleaseInformation,
        evidence: String::new(),
    };
    let september = date(2026, 9, 8);
    for (what, claim) in [
        ("below the newest", one("10.0.20348.5498", 5_999_000, september)),
        ("of the future", one("10.0.20348.6000", 5_999_000, date(2026, 12, 8))),
        ("long after the last", one("10.0.20348.6000", 5_999_000, date(2026, 10, 1))),
        ("long ago", one("10.0.20348.6000", 5_999_000, date(2025, 9, 8))),
        ("known", one("10.0.20348.5499", 5_120_242, date(2026, 8, 11))),
        ("of an unknown build", one("10.0.30000.1", 5_999_000, september)),
        ("of a kind that the build has not", one("10.0.22631.9999", 5_999_000, september)),
    ] {
        let mut ledger = Ledger::default();
        let today = if what == "long after the last" { date(2026, 11, 27) } else { TODAY };
        ledger.consider(vec![claim], &tables, today);
        assert_eq!(ledger.claims, [], "{what}");
    }
    // Another update for a known revision, and a known update for another revision.
    let mut ledger = Ledger::default();
    let august = date(2026, 8, 11);
    let claims =
        vec![one("10.0.20348.5499", 5_999_000, august), one("10.0.20348.5500", 5_120_242, august)];
    ledger.consider(claims, &tables, date(2026, 8, 20));
    let conclusions = ledger.conclude(&tables);
    assert_eq!((conclusions.learnt.len(), conclusions.contradictions.len()), (0, 2));
}

#[test]
fn tags_of_one_image_prove_a_pair() {
    let repository =
        crate::images::Repository::parse("mcr.microsoft.com/windows/servercore").unwrap();
    let digest = |text: &str| crate::images::Digest::of(text.as_bytes());
    let tag = |tag: &str, image: &str, version: Option<&str>| ObservedTag {
        repository: repository.clone(),
        tag: tag.to_owned(),
        digest: digest(image),
        versions: version.map(|text| text.parse().unwrap()).into_iter().collect(),
    };
    let observed = [
        // The registry names the os.version.
        tag("ltsc2022-KB5999113", "a", Some("10.0.20348.5870")),
        // It does not, but a build tag has the same digest.
        tag("ltsc2019-KB5999112", "b", None),
        tag("10.0.17763.9487", "b", None),
        // Only the image of the release tag is known, and one of no version.
        tag("ltsc2025", "c", Some("10.0.26100.33790")),
        tag("ltsc2016-KB5999111", "d", None),
    ];
    let tables = tables_of_august();
    let mut ledger = Ledger::default();
    assert!(ledger.consider(observed::claims(&observed), &tables, TODAY));
    let learnt = ledger.conclude(&tables).learnt;
    let found: Vec<_> = learnt.iter().map(|it| (it.version, it.kb, it.confidence)).collect();
    let single = |(version, kb)| (version, kb, Confidence::Single);
    let expected = [
        single(pair(17763, 9487, 5_999_112)),
        single(pair(20348, 5870, 5_999_113)),
        single((WindowsVersion::new(26100, 33790), None)),
    ];
    assert_eq!(found, expected);
    let evidence = &learnt[0].sources[0].evidence;
    assert!(evidence.contains("servercore:ltsc2019-KB5999112 and :10.0.17763.9487 at sha256:"));
    // The page confirms one and names the update of another; what it says of the third differs from
    // what the registry proves, and is set apart.
    ledger.consider(server(SERVER_NOVEMBER), &tables, TODAY);
    ledger.consider(cvrf::read(CVRF_NOVEMBER).unwrap().claims, &tables, TODAY);
    let Conclusions { learnt, contradictions } = ledger.conclude(&tables);
    let of = |build, revision| {
        let version = WindowsVersion::new(build, revision);
        let of = learnt.iter().find(|learnt| learnt.version == version).unwrap();
        (of.kb.map(|kb| kb.0), of.confidence)
    };
    assert_eq!(of(17763, 9487), (Some(5_999_112), Confidence::Confirmed));
    assert_eq!(of(26100, 33790), (Some(5_999_114), Confidence::Confirmed));
    let apart: Vec<_> = contradictions.iter().map(|it| it.claim.kb.unwrap().0).collect();
    assert_eq!(apart, [5_999_312]);
    // It outlives the process.
    let state = State { ledger, ..State::default() };
    let text = serde_json::to_string(&StoredState::from(&state)).unwrap();
    assert_eq!(State::from(serde_json::from_str::<StoredState>(&text).unwrap()), state);
}

//! Facts about Windows renew themselves: from the tables of August to those of November, over a
//! site on the loopback interface whose answers are those of the real ones.

use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use wintag::app::{App, Renewal};
use wintag::clock::Clock;
use wintag::config::{ConfigFile, Settings, SourceSettings};
use wintag::facts::{Confidence, DocumentOutcome, next_reading};
use wintag::windows::{Kb, Tables, WindowsVersion};

use crate::support::feed_site::{Answer, FeedSite};
use crate::support::service::WINTAG;

const SERVER: &str = "/health/windows-server-release-info?accept=text/markdown";
const CLIENT: &str = "/health/windows11-release-information?accept=text/markdown";
const OCTOBER: &str = "/msrc/cvrf/2026-Oct";
const NOVEMBER: &str = "/msrc/cvrf/2026-Nov";

/// A site as it is in November 2026.
fn site() -> FeedSite {
    let site = FeedSite::start();
    site.put_file(SERVER, "made-windows-server-release-info-2026-11.md");
    site.put_file(CLIENT, "made-windows11-release-information-2026-11.md");
    site.put_file("/msrc/updates", "made-msrc-updates-2026-11.json");
    site.put_file("/msrc/cvrf/2026-Sep", "made-msrc-cvrf-2026-Sep.xml");
    site.put_file(OCTOBER, "made-msrc-cvrf-2026-Oct.xml");
    site.put_file(NOVEMBER, "made-msrc-cvrf-2026-Nov.xml");
    let record = "made-cve-record-CVE-2026-99911.json";
    site.put_file("/cve/2026/99xxx/CVE-2026-99911.json", record);
    site
}

/// The facts of a service with the tables of August.
fn renewal(site: &FeedSite, clock: &Clock) -> Renewal {
    let of = |text: &str| text.parse().unwrap();
    let source = SourceSettings {
        facts_from: vec![
            of(&format!("release-information={}/health", site.url)),
            of(&format!("msrc={}/msrc", site.url)),
            of(&format!("cve={}/cve", site.url)),
        ],
        ..SourceSettings::default()
    };
    let mut settings = Settings::of_command(&source, ConfigFile::default()).unwrap();
    let kb = include_str!("../../src/windows/data/kb.csv");
    let is_old = |line: &&str| line.split(',').nth(3).is_none_or(|day| day < "2026-09");
    let kept = kb.lines().filter(|line| line.starts_with("build") || is_old(line));
    let releases = include_str!("../../src/windows/data/releases.csv");
    let tables = Tables::from_csv(releases, &kept.collect::<Vec<_>>().join("\n")).unwrap();
    settings.tables = tables.into();
    App::with_clock(settings, clock.clone()).unwrap().renewal()
}

fn clock(at: &str) -> Clock {
    Clock::manual(at.parse().unwrap())
}

/// The newest revision of each server build that the tables in use know with its update.
fn newest(renewal: &Renewal) -> Vec<(u32, u32, Kb)> {
    let tables = renewal.context().tables.clone();
    let of = |build| {
        let with_kb = tables.kbs_of_build(build).iter().filter(|it| it.kb.is_some());
        let newest = with_kb.max_by_key(|entry| entry.version).unwrap();
        (build, newest.version.revision.unwrap(), newest.kb.unwrap())
    };
    [14393, 17763, 20348, 26100].map(of).to_vec()
}

#[tokio::test]
async fn from_august_to_november_without_an_edit() {
    let (site, clock) = (site(), clock("2026-11-20T09:00:00Z"));
    let renewal = renewal(&site, &clock);
    let before = renewal.context();
    assert_eq!(before.tables.as_of().to_string(), "2026-08-27");
    assert_eq!(newest(&renewal)[2], (20348, 5499, Kb(5_120_242)));
    let reports = renewal.read_sources().await;
    assert!(reports.iter().all(|it| it.outcome == DocumentOutcome::Ok), "{reports:?}");
    assert_eq!(reports.len(), 7);
    let context = renewal.context();
    assert_eq!(context.tables.as_of().to_string(), "2026-11-20");
    let expected = [
        (14393, 9688, Kb(5_999_111)),
        // Two sources name different updates for 9487: the revision is known, its update is not.
        (17763, 9376, Kb(5_999_102)),
        (20348, 5870, Kb(5_999_113)),
        (26100, 33790, Kb(5_999_114)),
    ];
    assert_eq!(newest(&renewal), expected);
    let version = WindowsVersion::new(17763, 9487);
    assert_eq!(context.tables.kbs_of(version).iter().map(|it| it.kb).collect::<Vec<_>>(), [None]);
    let conclusions = &context.renewed.conclusions;
    assert_eq!(conclusions.contradictions.len(), 2);
    let single = conclusions.learnt.iter().filter(|it| it.confidence == Confidence::Single);
    // Updates between Patch Tuesdays, previews, and those of clients, which only one page names.
    assert!(single.clone().any(|it| it.version == WindowsVersion::new(20348, 5631)));
    assert!(single.clone().all(|it| it.version != WindowsVersion::new(20348, 5870)));
    assert!(context.renewed.unknown_builds.contains(&29600));
    // A question that began before still has the tables with which it began.
    assert_eq!(before.tables.as_of().to_string(), "2026-08-27");
    // Nothing is read twice: pages have a validator, and documents the moment of their revision.
    site.take_requests();
    let reports = renewal.read_sources().await;
    let unchanged = reports.iter().filter(|it| it.outcome == DocumentOutcome::Unchanged).count();
    assert_eq!((reports.len(), unchanged), (6, 5), "{reports:?}");
    let requests = site.take_requests();
    let expected = [(SERVER, 304), (CLIENT, 304), ("/msrc/updates", 200)];
    assert_eq!(requests, expected.map(|(path, status)| (path.to_owned(), status)));
}

/// What a source that is broken in this way leads to.
async fn broken(path: &str, answer: Answer) -> (Vec<DocumentOutcome>, Vec<(u32, u32, Kb)>) {
    let (site, clock) = (site(), clock("2026-10-20T09:00:00Z"));
    site.put_file(SERVER, "made-windows-server-release-info-2026-10.md");
    site.put_file(CLIENT, "made-windows11-release-information-2026-11.md");
    let renewal = renewal(&site, &clock);
    renewal.read_sources().await;
    let known = renewal.context().renewed.conclusions.clone();
    clock.advance(Duration::from_secs(30 * 24 * 3600));
    site.put_file(SERVER, "made-windows-server-release-info-2026-11.md");
    site.put(path, answer);
    let reports = renewal.read_sources().await;
    // Nothing that was known is lost.
    let after = renewal.context().renewed.conclusions.clone();
    for update in &known.learnt {
        let is_kept =
            after.learnt.iter().any(|it| (it.version, it.kb) == (update.version, update.kb));
        assert!(is_kept, "{path}: {update:?}");
    }
    let of_path = reports.iter().filter(|it| path.ends_with(&it.path));
    (of_path.map(|it| it.outcome).collect(), newest(&renewal))
}

#[tokio::test]
async fn broken_sources_lose_nothing() {
    use DocumentOutcome::{Ok, Refused, Unavailable};
    let file = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/feeds/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    };
    let page = file("made-windows-server-release-info-2026-11.md");
    let november = file("made-msrc-cvrf-2026-Nov.xml");
    let text = String::from_utf8(page.clone()).unwrap();
    let other_header = text.replace("| Build | KB article |", "| OS build | KB article |");
    let cut = page[..page.len() * 2 / 5].to_vec();
    let elsewhere = "Location: http://127.0.0.1:9/health\r\nContent-Length: 0\r\n".to_owned();
    let empty = || "Content-Length: 0\r\n".to_owned();
    let wrong_pair = text.replace("20348.5870 | [KB5999113]", "20348.5870 | [KB5999103]");
    // What MSRC alone says of November is single, and is used.
    let (single, confirmed) = (5870, 5870);
    for (what, path, answer, outcome, revision) in [
        ("another header", SERVER, Answer::Document(other_header.into()), Refused, single),
        ("half a page", SERVER, Answer::Document(cut.clone()), Refused, single),
        ("a page that breaks off", SERVER, Answer::Half(cut), Unavailable, single),
        ("500", SERVER, Answer::Status(500, empty()), Unavailable, single),
        ("a redirect elsewhere", SERVER, Answer::Status(302, elsewhere), Unavailable, single),
        ("20 MB", SERVER, Answer::Document(vec![b'|'; 20 << 20]), Unavailable, single),
        ("nothing", SERVER, Answer::Document(Vec::new()), Refused, single),
        // The update of October for the revision of November: neither is believed.
        ("a wrong pair", SERVER, Answer::Document(wrong_pair.into()), Ok, 5761),
        ("a month that vanished", NOVEMBER, Answer::Status(404, empty()), Unavailable, confirmed),
        ("half a month", NOVEMBER, Answer::Document(november[..1500].to_vec()), Refused, confirmed),
        ("an empty month", NOVEMBER, Answer::Document(Vec::new()), Refused, confirmed),
        ("20 MB", NOVEMBER, Answer::Document(vec![b' '; 20 << 20]), Unavailable, confirmed),
        ("no list", "/msrc/updates", Answer::Document(b"<html>".to_vec()), Refused, confirmed),
    ] {
        let (outcomes, newest) = broken(path, answer).await;
        assert_eq!((outcomes, newest[2].1), (vec![outcome], revision), "{what}: {path}");
    }
}

#[tokio::test]
async fn the_requests_of_a_month() {
    let (site, clock) = (site(), clock("2026-11-01T00:00:00Z"));
    site.put_file(SERVER, "made-windows-server-release-info-2026-10.md");
    let renewal = renewal(&site, &clock);
    let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let published: Timestamp = "2026-11-10T18:00:00Z".parse().unwrap();
    let (mut readings, mut known_at) = (0, None);
    while clock.now().utc < end {
        if clock.now().utc >= published {
            site.put_file(SERVER, "made-windows-server-release-info-2026-11.md");
        }
        renewal.read_sources().await;
        readings += 1;
        if known_at.is_none() && newest(&renewal)[2].1 == 5870 && clock.now().utc >= published {
            known_at = Some(clock.now().utc);
        }
        let next = next_reading(clock.now().utc, 0.5);
        clock.advance(next.duration_since(clock.now().utc).unsigned_abs());
    }
    let requests = site.take_requests();
    let of = |path: &str, status: u16| {
        requests.iter().filter(|(asked, answered)| asked == path && *answered == status).count()
    };
    assert_eq!(readings, 115);
    // The page is sent when it is new, and each document once.
    assert_eq!((of(SERVER, 200), of(SERVER, 304)), (2, readings - 2));
    assert_eq!((of(OCTOBER, 200), of(NOVEMBER, 200)), (1, 1));
    assert_eq!(of("/msrc/updates", 200), readings);
    let known_at = known_at.unwrap().duration_since(published);
    assert!(known_at <= SignedDuration::from_mins(10), "{known_at}");
}

#[test]
fn the_command_writes_tables_and_moves_the_state() {
    let (site, place) = (site(), tempfile::TempDir::new().unwrap());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (tables, state, other, bundle) = (at("tables"), at("state"), at("other"), at("bundle"));
    std::fs::create_dir(&tables).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(WINTAG).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let sources = format!("release-information={0}/health,msrc={0}/msrc,cve={0}/cve", site.url);
    let update = [
        "facts",
        "update",
        "--facts-from",
        &sources,
        "--tables-dir",
        &tables,
        "--state-dir",
        &state,
    ];
    for _ in 0..2 {
        let (status, text) = run(&update);
        assert_eq!(status, Some(0), "{text}");
        let read = |name: &str| std::fs::read_to_string(format!("{tables}/{name}")).unwrap();
        let written = Tables::replacing(&read("releases.csv"), &read("kb.csv")).unwrap();
        let known = written.kbs_of(WindowsVersion::new(20348, 5870));
        assert_eq!(known.iter().map(|it| it.kb).collect::<Vec<_>>(), [Some(Kb(5_999_113))]);
    }
    assert_eq!(run(&["state", "export", &bundle, "--state-dir", &state]).0, Some(0));
    assert_eq!(run(&["state", "import", &bundle, "--state-dir", &other]).0, Some(0));
    let shown = run(&["facts", "show", "--state-dir", &other, "--offline"]).1;
    assert!(shown.contains("\"kb\": \"KB5999113\""), "{shown}");
    // A document that cannot be read is named, and the exit status says so.
    site.put(SERVER, Answer::Status(500, "Content-Length: 0\r\n".to_owned()));
    let (status, text) = run(&update);
    assert_eq!(status, Some(4), "{text}");
    assert!(text.contains("unavailable") && text.contains("status 500"), "{text}");
}

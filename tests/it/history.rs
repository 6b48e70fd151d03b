//! What a tag was: the record of others, what the service sees itself, and questions about a
//! former day.

use std::fs;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::resolve::codes;
use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, index,
};
use crate::support::docker_registry::storage::Content;
use crate::support::service::{Service, get};
use crate::support::still_service::StillService;

const REPOSITORY: &str = "windows/servercore";
const HISTORY: &str = "/history?image=servercore&tag=ltsc2022";
const TODAY: &str = "/tags?image=servercore&tag=ltsc2022";

/// An index with one image of this version.
fn image(version: &str) -> Vec<u8> {
    let platform = Platform::windows("amd64", Some(version), true);
    index(DOCKER_LIST, vec![Entry::of(DOCKER_MANIFEST, version.as_bytes(), platform)])
}

fn content(tag: &str, version: &str) -> (Content, String) {
    let mut content = Content::default();
    let digest = content.tag(REPOSITORY, tag, &image(version));
    (content, digest)
}

/// The entries that the service saw itself, the newest first.
fn own(history: &Value) -> Vec<&Value> {
    let entries = history["entries"].as_array().expect("it has entries");
    entries.iter().filter(|entry| entry["evidence"] == "registry").collect()
}

#[tokio::test]
async fn a_tag_that_moves_twice_is_remembered_over_a_restart() {
    let folder = TempDir::with_prefix("wintag-history-").expect("a temporary folder can be made");
    let state_dir = folder.path().to_str().expect("its name is text");
    let (first, first_digest) = content("ltsc2022", "10.0.20348.5800");
    let registry = DockerRegistry::start_holding(first);
    let options = ["--state-dir", state_dir, "--fresh-for", "0s"];
    let service = Service::mirrored(&registry.host(), &options);
    // Observations are dated to the second.
    let tick = || tokio::time::sleep(Duration::from_millis(1100));
    assert_eq!(service.json(TODAY).await["tags"][0]["digest"], *first_digest);
    tick().await;
    let (second, second_digest) = content("ltsc2022", "10.0.20348.5900");
    registry.add(&second);
    for _ in 0..2 {
        assert_eq!(service.json(TODAY).await["tags"][0]["digest"], *second_digest);
        tick().await;
    }
    let (third, third_digest) = content("ltsc2022", "10.0.20348.6000");
    registry.add(&third);
    registry.add(&content("ltsc2025", "10.0.26100.40000").0);
    let history = service.json(HISTORY).await;
    let digests = |history: &Value| -> Vec<Value> {
        own(history).iter().map(|entry| entry["digest"].clone()).collect()
    };
    let expected = [json!(third_digest), json!(second_digest), json!(first_digest)];
    assert_eq!(digests(&history), expected);
    assert!(service.terminate().success());

    // Without its registry, and after a restart.
    let service = Service::mirrored("127.0.0.1:1", &options);
    let history = service.json(HISTORY).await;
    assert_eq!(digests(&history), expected);
    let [newest, between, oldest] = own(&history)[..] else { panic!("{history}") };
    assert_eq!(between["os_version"], "10.0.20348.5900");
    assert_eq!((&oldest["moved_by"], &between["moved_by"]), (&between["from"], &newest["from"]));
    assert!(between["from"].as_str() < between["to"].as_str(), "{between}");
    // The record of others is older, and its last entry moved to what was seen first.
    let entries = history["entries"].as_array().expect("it has entries");
    assert_eq!(entries[3]["os_version"], "10.0.20348.5622");
    assert_eq!(entries[3]["moved_by"], oldest["from"]);

    for (moment, digest) in [
        (&oldest["from"], Some(&first_digest)),
        (&between["from"], Some(&second_digest)),
        (&between["to"], Some(&second_digest)),
        (&newest["from"], Some(&third_digest)),
    ] {
        let as_of = moment.as_str().expect("a moment");
        let asked = format!("/resolve?image=servercore&host=ltsc2022&as_of={as_of}");
        let then = service.json(&asked).await;
        assert_eq!(then["digest"], json!(digest), "{then}");
        assert_eq!(then["freshness"]["source"], "history");
        let check = format!("/check?image={}&host=ltsc2022&as_of={as_of}", then["reference"]);
        let check = service.json(&check.replace('"', "")).await;
        assert_eq!(check["image"]["digest"], json!(digest), "{check}");
    }
    // On that day it moved.
    let day = &newest["from"].as_str().expect("a moment")[..10];
    let then = service.json(&format!("{TODAY}&as_of={day}")).await;
    assert_eq!(then["tags"][0]["digest"], Value::Null, "{then}");
    assert_eq!(then["tags"][0]["observed"]["basis"], "unknown", "{then}");

    let feed = service.get(&format!("{HISTORY}&format=atom")).await;
    assert_eq!(feed.header("content-type"), "application/atom+xml");
    let titles: Vec<&str> = feed.text.lines().filter(|line| line.starts_with("<title>")).collect();
    assert_eq!(titles[1], "<title>ltsc2022 is 10.0.20348.6000</title>");
    assert_eq!(titles[2], "<title>ltsc2022 is 10.0.20348.5900</title>");
    let picture = service.get(&format!("{HISTORY}&format=svg")).await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(picture.text.contains("10.0.20348.6000 seen from"), "{}", picture.text);
}

#[tokio::test]
async fn a_list_tells_which_tags_there_were() {
    let (first, _) = content("ltsc2022", "10.0.20348.5800");
    let registry = DockerRegistry::start_holding(first);
    registry.add(&content("10.0.20348.5800", "10.0.20348.5800").0);
    let service = Service::mirrored(&registry.host(), &["--fresh-for", "0s"]);
    let list = "/tags?image=servercore&build=20348&limit=1000";
    let before = service.json(list).await["freshness"]["as_of"].clone();
    // The date of the list is rounded.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    registry.add(&content("10.0.20348.5900", "10.0.20348.5900").0);
    registry.remove_tag(REPOSITORY, "10.0.20348.5800");
    let after = service.json(list).await["freshness"]["as_of"].clone();
    for (moment, has_old, has_new) in [(before, true, false), (after, false, true)] {
        let as_of = moment.as_str().expect("a moment");
        let then = service.json(&format!("{list}&as_of={as_of}")).await;
        let tags = then["tags"].as_array().expect("a list");
        let has = |text: &str| tags.iter().any(|tag| tag["tag"] == text);
        assert_eq!((has("10.0.20348.5800"), has("10.0.20348.5900")), (has_old, has_new), "{as_of}");
    }
}

/// Each question is explained in the last column of the table.
#[tokio::test]
async fn thirty_dated_questions_have_the_answers_that_the_record_gives() {
    let service = StillService::start();
    let table = include_str!("../data/history/as_of.csv");
    let mut rows = 0;
    for row in csv::Reader::from_reader(table.as_bytes()).into_records() {
        let row = row.expect("the table is read");
        let [image, tag, as_of] = [&row[0], &row[1], &row[2]];
        let query = format!("image={image}&tag={tag}&as_of={as_of}");
        let answer = get(service.address(), &format!("/tags?{query}")).await.json();
        let found = &answer["tags"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let digest = text(&found["digest"]);
        let observed = &found["observed"];
        let given = [
            text(&found["os_version"]),
            digest.get(7..15).unwrap_or_default().to_owned(),
            text(&observed["basis"]),
            text(&observed["last"]),
            text(&observed["next"]),
        ];
        let expected = [&row[3], &row[4], &row[5], &row[6], &row[7]];
        assert_eq!(given, expected, "{query}: {}", &row[8]);
        rows += 1;
    }
    assert_eq!(rows, 30);
}

#[tokio::test]
async fn what_is_not_known_of_a_day_is_null_and_explained() {
    let service = StillService::start();
    let address = service.address();
    for (day, digest, code) in [
        ("2024-02-18", true, None),
        ("2024-03-01", true, Some("as-of-by-rule")),
        ("2024-03-13", false, Some("as-of-unknown")),
    ] {
        let asked = format!("/resolve?image=servercore&host=20348&as_of={day}");
        let answer = get(address, &asked).await.json();
        assert_eq!(answer["digest"].is_string(), digest, "{day}");
        assert_eq!(answer["kb"].is_string(), digest, "{day}");
        let codes = codes(&answer["warnings"]);
        let of_day = codes.iter().find(|code| code.starts_with("as-of-")).copied();
        assert_eq!(of_day, code, "{day}");
        let freshness = &answer["freshness"];
        let seen = json!(["history", "2024-02-18T00:00:00Z", false]);
        let given = json!([freshness["source"], freshness["as_of"], freshness["stale"]]);
        assert_eq!(given, seen, "{day}");
        // What came out later is not missing on that day.
        let newest = answer["patch"]["newest_released"].as_str();
        assert!(newest.is_none_or(|newest| newest <= day), "{day}: {newest:?}");
    }
    // Support is that of the day too.
    let answer = get(address, "/resolve?image=servercore&host=1909&as_of=2020-09-10").await.json();
    assert_eq!(answer["host"]["support_ended"], Value::Null);
    for (query, status, word) in [
        ("/resolve?image=servercore&host=20348&as_of=2016-01-01", 404, "by 2016-01-01; the first"),
        ("/resolve?image=servercore&host=20348&as_of=2026-12-01", 400, "future"),
        ("/history?image=servercore&tag=ltsc2021", 404, "check the tag"),
        ("/resolve?image=servercore&host=20348&as_of=2024-03", 400, "must be a day"),
        ("/resolve?image=servercore&host=20348&as_of=2024-03-01&engine=docker", 400, "as_of"),
        ("/check?image=servercore:ltsc2025&host=26100&as_of=2022-01-01", 404, "by 2022-01-01"),
        ("/history?image=servercore", 400, "tag"),
        ("/history?image=servercore&tag=..", 400, "a tag begins with"),
        ("/history?image=servercore&tag=nosuchtag", 404, "servercore"),
    ] {
        let answer = get(address, query).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).expect("a status"), "{query}");
        assert!(answer.text.contains(word), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_credentials_opened_is_not_remembered() {
    let folder = TempDir::with_prefix("wintag-history-").expect("a temporary folder can be made");
    let registry = DockerRegistry::start_behind_login("me", "canary");
    let (password, config) = (folder.path().join("password"), folder.path().join("wintag.toml"));
    fs::write(&password, "canary\n").expect("the folder is writable");
    let text = format!(
        "state_dir = '{0}/state'\n[registries.\"mcr.microsoft.com\"]\nmirror = 'http://{1}'\n\
         username = 'me'\npassword_file = '{2}'\n",
        folder.path().display(),
        registry.host(),
        password.display()
    );
    fs::write(&config, text).expect("the folder is writable");
    let service = Service::start(&["--config", config.to_str().expect("its name is text")]);
    assert_eq!(own(&service.json(HISTORY).await), Vec::<&Value>::new());
    assert_eq!(service.json(TODAY).await["freshness"]["source"], "registry");
    assert!(service.terminate().success());
    assert!(!folder.path().join("state/history.snapshot").exists());
}

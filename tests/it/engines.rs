//! Engines: each pick that was recorded with the engines' own code, against the rules of the table.

use std::collections::{BTreeMap, BTreeSet};

use crate::resolve::codes;
use crate::support::docker_registry::DockerRegistry;
use crate::support::docker_registry::storage::Content;
use crate::support::service::Service;
use serde_json::Value;
use wintag::images::Architecture;
use wintag::platforms::engines::{
    Engine, Fetches, Host, Image, IndexEntry, Names, Outcome, Requested, Store, engine, engines,
    is_accepted_by_swarm, pick,
};

/// The recorded files; `tests/data/engines/README.md` says how they came to be.
const FILES: [&str; 4] = [
    include_str!("../data/engines/indexes.jsonl"),
    include_str!("../data/engines/picks.jsonl"),
    include_str!("../data/engines/errors.jsonl"),
    include_str!("../data/engines/versions.csv"),
];

/// The indexes with entries that they do not describe: without a platform, or an index inside the
/// index. Engines read what such an entry refers to where nothing else matches; the program does
/// not, and says so instead of a pick.
const UNDESCRIBED: [&str; 3] = ["noplatform-first", "noplatform-last", "nested-index"];
/// Docker 29 downloads the attestation of the entry that it takes, too. Which attestation belongs
/// to which entry is not known here.
const WITH_ATTESTATIONS: [&str; 2] = ["attest-last", "attest-buildx"];
/// The level of the processor that the engines ran on.
const CPU_LEVEL: u8 = 3;
/// The lines of `picks.jsonl`, the picks that are equal, and those of `UNDESCRIBED`: so that none
/// is lost.
const RECORDED: (usize, usize, usize) = (1440, 56_507, 1008);

fn lines(file: usize) -> impl Iterator<Item = Value> {
    FILES[file].lines().map(|line| serde_json::from_str(line).expect("each line is JSON"))
}

/// An entry with texts of its own.
struct Entry {
    texts: [Option<String>; 4],
    features: Vec<String>,
}

impl Entry {
    fn read(value: &Value) -> Self {
        let described = value["no_platform_in_index"] != true;
        let text = |name: &str| Some(value[name].as_str()?.to_owned()).filter(|_| described);
        let texts = ["os", "architecture", "variant", "os_version"].map(text);
        let features = value["os_features"].as_array().into_iter().flatten();
        let features = features.map(|text| text.as_str().expect("a text").to_owned()).collect();
        Self { texts, features }
    }

    fn view(&self) -> IndexEntry<'_> {
        let [operating_system, architecture, variant, os_version] =
            self.texts.each_ref().map(Option::as_deref);
        let os_features = &self.features;
        IndexEntry { operating_system, architecture, variant, os_version, os_features }
    }
}

/// The engine of a key of `picks`, and the platform in its command.
fn read_key(key: &str) -> (Engine, Requested, Option<Architecture>, bool) {
    let (name, platform) = key.split_once('+').unwrap_or((key, ""));
    let (name, is_linux) = name.strip_suffix("-linux").map_or((name, false), |name| (name, true));
    let (name, is_local) = name.strip_suffix("-local").map_or((name, false), |name| (name, true));
    let name = name.replace("docker-classic", "docker").replace("-master", "-next");
    let mut found = engine(&name.replace("-main", "-next"), None).expect(key).clone();
    if is_local && found.fetches == Fetches::All {
        // The path of older versions, which `use_local_image_pull` brings back.
        found.fetches = Fetches::One;
        found.refusal = engine("containerd-2.0", None).expect("in the table").refusal;
    }
    let architecture = platform.rsplit_once('/').map(|(_, name)| name.parse().expect(key));
    let requested = match platform {
        "" | "local" => Requested::Default,
        "osver" => Requested::WholeVersion,
        _ => match platform.strip_prefix("windows(10.0.") {
            Some(rest) => {
                let (build, _) = rest.split_once(')').expect(key);
                Requested::Build(build.parse().expect(key))
            }
            None => Requested::Windows,
        },
    };
    (found, requested, architecture, is_linux)
}

#[test]
fn every_recorded_pick_follows_the_table() {
    let indexes: BTreeMap<String, (Value, Vec<Entry>)> = lines(0)
        .map(|index| {
            let entries = index["entries"].as_array().expect("entries").iter();
            let of_the_index =
                entries.filter(|entry| !entry["pos"].as_str().expect("a position").contains('.'));
            let entries = of_the_index.map(Entry::read).collect();
            (index["id"].as_str().expect("an id").to_owned(), (index, entries))
        })
        .collect();
    let texts: BTreeMap<String, String> = lines(2)
        .map(|error| {
            let text = |name: &str| error[name].as_str().expect("a text").to_owned();
            (text("id"), text("text"))
        })
        .collect();
    let names = Names { reference: "{ref}", digest: "{digest}", path: "{path}" };
    // Per key: equal, and not known because the index does not describe its entry.
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut fetches, mut placements, mut seen) = (0, 0, 0);
    let mut wrong = Vec::new();
    for line in lines(1) {
        seen += 1;
        let id = line["index"].as_str().expect("an index");
        let (index, entries) = &indexes[id];
        let views: Vec<IndexEntry<'_>> = entries.iter().map(Entry::view).collect();
        let image = match (index["kind"].as_str(), views.as_slice()) {
            (Some("manifest"), [only]) => Image::Single(*only),
            (_, views) => Image::Index(views),
        };
        let os_version = line["host"].as_str();
        let build = os_version.and_then(|text| text.split('.').nth(2)?.parse().ok());
        let of_host = line["arch"].as_str().map(|name| name.parse().expect("an architecture"));
        for (key, expected) in line["picks"].as_object().expect("picks") {
            let expected = expected.as_str().expect("a pick");
            let (engine, requested, asked, is_linux) = read_key(key);
            let windows = build.zip(os_version).filter(|_| !is_linux);
            let architecture = asked.or(of_host).unwrap_or_default();
            let host = Host { windows, architecture, cpu_level: CPU_LEVEL, requested };
            let outcome = pick(&engine, image, &host, &names);
            let count = counts.entry(key.clone()).or_default();
            let is_equal = match &outcome {
                Outcome::Undescribed => {
                    count.1 += 1;
                    if !UNDESCRIBED.contains(&id) {
                        wrong.push(format!("{key} {id} {os_version:?}: {expected}, not known"));
                    }
                    continue;
                }
                Outcome::Picked { position, .. } => expected == position.to_string(),
                Outcome::Refused(text) => expected.strip_prefix('!').is_some_and(|error| {
                    let (build, version) = (
                        build.map(|build: u32| build.to_string()).unwrap_or_default(),
                        os_version.and_then(|text| text.strip_prefix("10.0.")).unwrap_or_default(),
                    );
                    let of_image =
                        views.first().and_then(|entry| entry.os_version?.split('.').nth(2));
                    let template = texts[error]
                        .replace("{host_build}", &build)
                        .replace("{host}", version)
                        .replace("{variant}", &format!("/v{CPU_LEVEL}"))
                        .replace("{image_build}", of_image.unwrap_or_default());
                    template == *text
                }),
            };
            count.0 += usize::from(is_equal);
            if !is_equal {
                let expected = expected.strip_prefix('!').map_or(expected, |id| &texts[id]);
                wrong.push(format!("{key} {id} {os_version:?}: {expected}, not {outcome:?}"));
            }
            if let (Outcome::Picked { position, fetched }, false) =
                (&outcome, WITH_ATTESTATIONS.contains(&id) && key.starts_with("docker"))
            {
                let fetched: Vec<String> = fetched.iter().map(usize::to_string).collect();
                let recorded = match &line["fetched"][key] {
                    Value::Null => vec![position.to_string()],
                    recorded => serde_json::from_value(recorded.clone()).expect("positions"),
                };
                fetches += 1;
                if fetched != recorded {
                    wrong.push(format!(
                        "{key} {id} {os_version:?}: fetched {recorded:?}, not {fetched:?}"
                    ));
                }
            }
        }
        for (architecture, expected) in line["swarm_node_ok"].as_object().into_iter().flatten() {
            placements += 1;
            let architecture = architecture.parse().expect("an architecture");
            if is_accepted_by_swarm(image, architecture) != *expected {
                wrong.push(format!("swarm {id} {architecture}: {expected}"));
            }
        }
    }
    for (key, (equal, unknown)) in &counts {
        println!("{key}: {equal} equal, {unknown} not described");
    }
    let equal: usize = counts.values().map(|count| count.0).sum();
    let unknown: usize = counts.values().map(|count| count.1).sum();
    println!("{equal} picks equal, {unknown} not described, {} differ", wrong.len());
    println!("{fetches} downloads, {placements} placements of Swarm");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
    assert_eq!((seen, equal, unknown), RECORDED, "lines, picks that are equal, and not described");
}

#[test]
fn each_range_of_versions_has_its_rule() {
    let mut reader = csv::Reader::from_reader(FILES[3].as_bytes());
    let mut compared = 0;
    for row in reader.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("a row of text");
        let is_containerd =
            |product: &str| ["containerd", "docker-containerd", "nerdctl"].contains(&product);
        if !is_containerd(&row["product"]) {
            continue;
        }
        let order = if row["order"] == "string" {
            "text".to_owned()
        } else {
            row["order"].replace(' ', "-")
        };
        for end in ["from", "to"].into_iter().filter(|end| !row[*end].is_empty()) {
            let version = row[end].replace("main", "next").replace("master", "next");
            let name = format!("{}-{}", row["product"], version.replace("HEAD", "next"));
            let found = engine(&name, None).expect(&name);
            assert_eq!(
                (found.filter.as_str(), found.order.as_str()),
                (&*row["rule"], &*order),
                "{name}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 45, "both ends of each range");
}

#[test]
fn names_and_versions_lead_to_their_engine() {
    for row in engines() {
        assert_eq!(engine(&row.name, None).expect(&row.name).name, row.name);
    }
    for (text, store, expected) in [
        ("docker", None, "docker"),
        ("docker-29.6.2", None, "docker"),
        ("docker-29.6.2", Some(Store::Containerd), "docker-containerd-29.6"),
        ("docker-29", Some(Store::Containerd), "docker-containerd-29.6"),
        ("docker-containerd-27", None, "docker-containerd-27"),
        ("docker-containerd-27.2", None, "docker-containerd-27.1"),
        ("docker-containerd-27.0", None, "docker-containerd-25"),
        ("docker-containerd-28.1", None, "docker-containerd-28.0"),
        ("docker-containerd-28.5", Some(Store::Classic), "docker"),
        ("docker-24.0.9", None, "docker-19.03"),
        ("containerd-2.1.4", None, "containerd-2.1.0"),
        ("containerd-v1.7.20-azure.1", None, "containerd-1.7"),
        ("containerd-1.6", None, "containerd-1.6"),
        ("containerd-1.6.17", None, "containerd-1.5"),
        ("containerd-next", None, "containerd-next"),
        ("containerd-2.9", None, "containerd-2.3"),
        ("nerdctl", None, "nerdctl"),
        ("regctl-next", None, "regctl"),
        ("crane-0.20.2", None, "crane"),
    ] {
        assert_eq!(engine(text, store).expect(text).name, expected, "{text}");
    }
    for text in [
        "",
        "podman",
        "docker-",
        "docker-x",
        "docker-1.2.3.4",
        "dockerd",
        "containerd-1",
        "containerd-9.0",
    ] {
        let found = engine(text, None);
        assert_eq!(found.is_ok(), text == "containerd-1", "{text}: {found:?}");
    }
    for (name, since) in [
        ("docker", "19.03.0"),
        ("docker-containerd-28", "25.0.0"),
        ("docker-containerd-29.6", "29.6.0"),
        ("docker-containerd-next", "next"),
        ("containerd-2.1.0", "1.7.6"),
        ("containerd-2.3", "2.1.6"),
        ("buildkit-0.26", "0.15.0"),
    ] {
        let found = engine(name, None).expect(name).first_with_rule(Requested::Default);
        assert_eq!(found.from, since, "{name}");
    }
    let old = engine("containerd-1.4.3", None).expect_err("no rule is known");
    assert!(old.to_string().contains("1.5.0"), "{old}");
    assert!(engine(&"docker-".repeat(20), None).is_err());
}

/// The platforms in commands that were recorded, and those of which the table says what they do.
#[test]
fn a_platform_is_read_where_it_is_known_what_it_does() {
    let recorded: BTreeSet<String> = lines(1)
        .flat_map(|line| {
            line["picks"].as_object().expect("picks").keys().cloned().collect::<Vec<_>>()
        })
        .filter(|key| {
            key.contains("+windows") && !key.contains("-linux") && !key.contains("-local")
        })
        .collect();
    for key in &recorded {
        let (engine, requested, ..) = read_key(key);
        assert_eq!(engine.reads(requested), Ok(()), "{key}");
    }
    assert_eq!(recorded.len(), 20);
    let build = Requested::Build(20348);
    for (name, windows, version) in [
        ("docker", true, false),
        ("docker-containerd-24", false, false),
        ("docker-containerd-25", true, false),
        ("docker-containerd-28.0", true, true),
        ("containerd-2.2", false, false),
        ("nerdctl", false, false),
        ("buildkit-0.15", true, false),
        ("buildkit", true, true),
        ("crane", true, false),
    ] {
        let engine = engine(name, None).expect(name);
        assert_eq!(engine.reads(Requested::Default), Ok(()));
        let reads = (engine.reads(Requested::Windows).is_ok(), engine.reads(build).is_ok());
        assert_eq!(reads, (windows, version), "{name}");
    }
    // The rule, and since when, are those with the platform.
    for (name, requested, since, rule) in [
        ("docker-containerd-29.0", Requested::Windows, "27.1.0", "any build"),
        ("docker-containerd-28", build, "28.2.0", "the host's build; from 20348"),
        ("docker-containerd-28.0", build, "27.1.0", "any build"),
        ("docker-containerd-25", Requested::Windows, "25.0.0", "the host's build; from 20348"),
        ("buildkit-0.26", build, "0.26.0", "only down to 26100"),
        ("buildkit-0.26", Requested::Windows, "0.15.0", "any build"),
        ("buildkit-0.13", Requested::Windows, "0.13.0", "without os.version only"),
    ] {
        let engine = engine(name, None).expect(name);
        let (first, sentence) = (engine.first_with_rule(requested), engine.rule(requested));
        assert!(sentence.contains(rule), "{name}: {sentence}");
        assert_eq!(first.from, since, "{name} {requested:?}");
    }
    for (text, expected) in [
        ("windows/amd64", Some((Requested::Windows, Architecture::Amd64))),
        ("windows(10.0.20348)/arm64", Some((Requested::Build(20348), Architecture::Arm64))),
        ("windows(10.0.20348.587)/amd64", None),
        ("windows(10.0.+348)/amd64", None),
        ("windows(10.0.)/amd64", None),
        ("windows(10.0.99999)/amd64", None),
        ("windows()/amd64", None),
        ("windows/amd64/v3", None),
        ("windows/", None),
        ("linux/amd64", None),
    ] {
        let read = Requested::read(text);
        assert_eq!(read, expected, "{text}");
        let written = read.and_then(|(requested, architecture)| requested.written(architecture));
        assert_eq!(written.as_deref(), expected.map(|_| text));
    }
}

/// The registry has the recorded indexes, as bytes, and the program asks it for them.
#[tokio::test]
async fn a_check_says_what_the_engine_takes() {
    const REPOSITORY: &str = "engines/recorded";
    let mut content = Content::default();
    for index in lines(0).filter(|index| index["kind"] == "index") {
        let text = |name: &str| index[name].as_str().expect("a text").to_owned();
        let digest = content.tag(REPOSITORY, &text("id"), text("body").as_bytes());
        assert_eq!(digest, text("digest"));
    }
    let registry = DockerRegistry::start_holding(content);
    let service = Service::mirrored(&registry.host(), &[]);
    let indexes: BTreeMap<String, Value> =
        lines(0).map(|index| (index["id"].as_str().expect("an id").to_owned(), index)).collect();
    let picks: Vec<Value> = lines(1).collect();
    let mut compared = 0;
    for id in ["ltsc-old-new", "rev-cross", "docker-library-2026", "386-only", "attest-buildx"] {
        for host in [None, Some("10.0.20348.587"), Some("10.0.26200.8246")] {
            let is_it = |line: &&Value| line["index"] == id && line["host"].as_str() == host;
            let Some(line) = picks.iter().find(is_it) else { continue };
            for (engine, key) in [
                ("docker", "docker-classic-29.7"),
                ("docker-29.7.2&store=containerd", "docker-containerd-29.7"),
                ("docker-containerd-27.5", "docker-containerd-27.5"),
                ("containerd-1.6.17", "containerd-1.6.17"),
                ("containerd-2.1.4", "containerd-2.1.5"),
                ("containerd-2.2", "containerd-2.2.7"),
                ("nerdctl", "nerdctl-2.3"),
                ("buildkit", "buildkit-0.32"),
                ("regctl", "regctl+local"),
                ("docker&platform=windows/amd64", "docker-classic-29.7+windows/amd64"),
                (
                    "docker-containerd-27.5&platform=windows/amd64",
                    "docker-containerd-27.5+windows/amd64",
                ),
                (
                    "docker-29.7&store=containerd&platform=windows(10.0.20348)/amd64",
                    "docker-containerd-29.7+windows(10.0.20348)/amd64",
                ),
                ("crane&platform=windows/arm64", "crane+windows/arm64"),
            ] {
                let Some(expected) = line["picks"][key].as_str() else { continue };
                let host = host.unwrap_or("10.0.20348.587");
                let image = format!("mcr.microsoft.com/{REPOSITORY}:{id}");
                let query = format!("/check?image={image}&host={host}&engine={engine}");
                let answer = service.json(&query).await;
                let engine = &answer["engine"];
                let position = engine["position"].as_u64().map(|position| position.to_string());
                let is_refused = expected.starts_with('!');
                let expected = Some(expected.to_owned()).filter(|_| !is_refused);
                assert_eq!(position, expected, "{query}: {engine}");
                assert_eq!(engine["refusal"].is_string(), is_refused, "{query}: {engine}");
                let of_index = &indexes[id]["entries"]
                    [position.map_or(usize::MAX, |position| position.parse().expect("a number"))];
                assert_eq!(engine["digest"], of_index["digest"], "{query}");
                assert_eq!(engine["os_version"], of_index["os_version"], "{query}");
                assert_eq!(answer["engines"], serde_json::json!([]), "{query}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 106);
    // Without `engine`: today's engines that take something else, and why that matters.
    let lowest = "docker (since 19.03.0) takes 10.0.17763.9245, which needs Hyper-V isolation; \
                  buildkit (since 0.31.0) takes 10.0.17763.9245, which needs Hyper-V isolation";
    for (id, host, platform, expected) in [
        ("ltsc-old-new", "10.0.26200.8246", "docker", Some((2, lowest))),
        (
            "rev-2025-4061-33296",
            "10.0.26100.33296",
            "kubernetes",
            Some((1, "containerd-2.3 (since 2.1.6) takes 10.0.26100.4061, an older revision")),
        ),
        (
            "rev-2025-33296-4061",
            "10.0.26100.4061",
            "docker",
            Some((1, "docker (since 19.03.0) takes 10.0.26100.33296, whose revision is newer")),
        ),
        (
            "single-2019",
            "10.0.20348.587",
            "docker",
            Some((
                0,
                "docker-containerd-29.6 (since 29.6.0) refuses the image; nerdctl (since 2.3.0) \
                 refuses the image: mcr",
            )),
        ),
        ("rev-2025-4061-33296", "10.0.26100.4061", "kubernetes", None),
        ("single-2022", "10.0.20348.587", "docker", None),
        ("ltsc-old-new", "10.0.17134", "docker", None),
        ("linux-only", "20348", "docker", None),
    ] {
        let image = format!("mcr.microsoft.com/{REPOSITORY}:{id}");
        let query = format!("/check?image={image}&host={host}&platform={platform}");
        let answer = service.json(&query).await;
        let warnings = answer["warnings"].as_array().expect("warnings");
        let warning = warnings.iter().find(|warning| warning["code"] == "engine-picks-other");
        let message = warning.map_or("", |it| it["message"].as_str().expect("a text"));
        let Some((best, start)) = expected else {
            assert_eq!((message, answer["engines"].to_string()), ("", "[]".to_owned()), "{query}");
            continue;
        };
        assert!(message.starts_with(start), "{query}: {message}");
        let digest = indexes[id]["entries"][best]["digest"].as_str().expect("a digest");
        let end = format!(": mcr.microsoft.com/{REPOSITORY}@{digest} leaves no engine a choice");
        assert!(message.ends_with(&end), "{query}: {message}");
        let named = answer["engines"].as_array().expect("engines").iter();
        let mut named = named.map(|pick| pick["name"].as_str().expect("a name"));
        assert!(named.all(|name| message.contains(name)), "{query}: {message}");
        // The rules of the engines replace what the compatibility rule guesses about them.
        let codes = codes(&answer["warnings"]);
        assert!(codes.iter().all(|code| !code.ends_with("may-refuse-pull")), "{codes:?}");
    }
}

#[tokio::test]
async fn a_resolution_says_what_the_engine_takes() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let old = "containerd-may-refuse-pull";
    // A tag of one build, which needs Hyper-V isolation: only the classic store pulls it.
    let question = "/resolve?image=servercore&host=19045";
    let without = service.json(question).await;
    assert_eq!((&without["isolation"], &without["engine"]), (&"hyperv".into(), &Value::Null));
    assert!(codes(&without["warnings"]).contains(&old), "{without}");
    let classic = service.json(&format!("{question}&engine=docker-29.7")).await;
    assert_eq!(classic["tag"], without["tag"]);
    assert_eq!(classic["engine"]["name"], "docker");
    assert_eq!(classic["engine"]["digest"], without["manifest_digest"]);
    let warnings = codes(&classic["warnings"]);
    assert!(!warnings.contains(&old) && !warnings.contains(&"engine-picks-other"), "{warnings:?}");
    let refused = service.json(&format!("{question}&engine=docker-29.7&store=containerd")).await;
    let text = "no matching manifest for windows(10.0.19045)/amd64/v3 in the manifest list \
                entries: no match for platform in manifest: not found";
    assert_eq!(refused["engine"]["refusal"], text);
    let warnings = refused["warnings"].as_array().expect("warnings");
    let warning = warnings.iter().find(|warning| warning["code"] == "engine-picks-other");
    let message = warning.map_or("", |it| it["message"].as_str().expect("a text"));
    let digest = without["manifest_digest"].as_str().expect("a digest");
    assert!(message.contains("docker-containerd-29.6") && message.contains(digest), "{refused}");
    // The canonical address has the engine, by its name.
    let answer = service.get(&format!("{question}&engine=docker-29.7&store=containerd")).await;
    let location = answer.header("content-location");
    assert!(location.contains("engine=docker-containerd-29.6"), "{location}");
    assert_eq!(service.json(location).await["engine"], refused["engine"]);
    for (query, expected) in [
        ("engine=podman", "such as docker, docker-containerd-29.6"),
        ("engine=containerd-1.4", "oldest known version of containerd is 1.5.0"),
        ("engine=docker-containerd-30.1", "newest known version of docker-containerd is 29.7.2"),
        ("engine=crane&store=classic", "needs engine=docker"),
        ("store=classic", "needs engine=docker"),
        ("engine=docker&store=overlay2", "must be one of classic, containerd"),
        ("platform=windows/amd64", "needs engine"),
        ("engine=crane&platform=linux/amd64", "must be a platform such as windows/amd64"),
        ("engine=crane&platform=windows(10.0.20348)/amd64", "without a version only"),
        ("engine=containerd-2.2&platform=windows/amd64", "Kubernetes gives containerd no platform"),
        ("engine=nerdctl&platform=windows/amd64", "is not known for nerdctl"),
        ("engine=crane&platform=windows/arm64&arch=amd64", "another architecture than arch"),
        ("engine=crane&platform=openshift", "must be one of docker, kubernetes, swarm"),
    ] {
        for path in [question, "/check?image=servercore:ltsc2019&host=19045"] {
            let answer = service.get(&format!("{path}&{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.text.contains(expected), "{query}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_platform_in_the_command_is_part_of_the_question() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let question = "/resolve?image=servercore&host=20348&engine=docker-29.7&store=containerd";
    let platform = "&platform=windows(10.0.17763)/amd64";
    let plain = service.json(question).await;
    assert_eq!(plain["engine"]["platform"], Value::Null);
    assert_eq!(plain["engine"]["refusal"], Value::Null);
    // As if the host were the other build.
    let other = service.get(&format!("{question}{platform}")).await;
    let location = other.header("content-location").to_owned();
    let other = other.json();
    assert_eq!(other["tag"], plain["tag"]);
    assert_eq!(other["engine"]["platform"], "windows(10.0.17763)/amd64");
    let refusal = other["engine"]["refusal"].as_str().expect("it refuses");
    assert!(refusal.contains("windows(10.0.17763)/amd64"), "{refusal}");
    assert!(codes(&other["warnings"]).contains(&"engine-picks-other"), "{other}");
    assert_eq!(service.json(&location).await["engine"], other["engine"], "{location}");
    // In a batch too; and where containers run is another question.
    let batch = r#"{"requests": [{"image": "servercore", "host": "20348", "engine": "crane",
        "platform": "windows/amd64"}, {"image": "servercore", "host": "20348",
        "engine": "crane", "platform": "windows/amd64", "arch": "arm64"}]}"#;
    let answers = service.post_as("/resolve", "application/json", batch).await.json();
    let results = &answers["results"];
    assert_eq!(results[0]["resolution"]["engine"]["platform"], "windows/amd64");
    assert_eq!(results[1]["status"], 400);
    let format = service.get(&format!("{question}{platform}&format=kubernetes")).await;
    assert_eq!(format.status, 400, "{}", format.text);
}

/// What a user of Kubernetes reads in `kubectl describe pod`.
#[tokio::test]
async fn on_kubernetes_a_refusal_is_the_event_of_the_kubelet() {
    let registry = DockerRegistry::start();
    let service = Service::mirrored(&registry.host(), &[]);
    let image = "mcr.microsoft.com/windows/servercore:ltsc2019";
    let path = "/check?image=servercore:ltsc2019&host=20348";
    let of = async |engine: &str| {
        let answer = service.json(&format!("{path}&engine={engine}")).await;
        answer["engine"]["refusal"].as_str().map(str::to_owned)
    };
    let text = format!(
        "failed to pull and unpack image \"{image}\": no match for platform in \
                        manifest: not found"
    );
    assert_eq!(of("containerd-1.7").await, Some(text.clone()));
    let event = format!("Failed to pull image \"{image}\": rpc error: code = NotFound desc = ");
    assert_eq!(of("containerd-1.7&platform=kubernetes").await, Some(format!("{event}{text}")));
    let newer = of("containerd-2.2&platform=kubernetes").await.expect("it refuses");
    assert!(newer.starts_with(&format!("{event}get image config descriptor: ")), "{newer}");
    // The events that /diagnose knows have the same beginning.
    let found = service.post_as("/diagnose", "text/plain", newer).await.json();
    assert_eq!(found["findings"][0]["code"], "no-matching-manifest", "{found}");
}

/// Without the index, the rule is said and why nothing more is; an index that was kept serves.
#[tokio::test]
async fn without_the_index_the_answer_says_why_there_is_no_pick() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state_dir = folder.path().to_str().expect("the path is text");
    let paths = [
        "/check?image=servercore:ltsc2019&host=20348&engine=containerd-1.7",
        "/resolve?image=servercore&host=20348&engine=containerd-1.7",
    ];
    let service = Service::offline();
    for path in paths {
        let answer = service.json(path).await;
        let engine = &answer["engine"];
        assert!(engine["rule"].is_string(), "{engine}");
        assert_eq!((&engine["position"], &engine["refusal"]), (&Value::Null, &Value::Null));
        let warnings = answer["warnings"].as_array().expect("warnings");
        let why = warnings.iter().find(|warning| warning["code"] == "engine-pick-unknown");
        let why = why.map_or("", |it| it["message"].as_str().expect("a text"));
        assert!(why.contains("containerd-1.7") && why.contains("registry only"), "{path}: {why}");
        let without = service.json(path.split("&engine").next().expect("a path")).await;
        assert!(!codes(&without["warnings"]).contains(&"engine-pick-unknown"), "{path}");
    }
    let registry = DockerRegistry::start();
    let asked = Service::mirrored(&registry.host(), &["--state-dir", state_dir]);
    let mut known = Vec::new();
    for path in paths {
        known.push(asked.json(path).await["engine"].clone());
    }
    assert!(asked.terminate().success());
    let service = Service::start(&["--offline", "--state-dir", state_dir]);
    for (path, known) in paths.into_iter().zip(known) {
        assert!(!known["position"].is_null() || !known["refusal"].is_null(), "{known}");
        assert_eq!(service.json(path).await["engine"], known, "{path}");
    }
}

//! Engines: each pick that was recorded with the engines' own code, against the rules of the table.

use std::collections::BTreeMap;

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
        ("docker-containerd-27.2", None, "docker-containerd-25"),
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
        assert_eq!(engine(name, None).expect(name).first_with_rule().from, since, "{name}");
    }
    let old = engine("containerd-1.4.3", None).expect_err("no rule is known");
    assert!(old.to_string().contains("1.5.0"), "{old}");
    assert!(engine(&"docker-".repeat(20), None).is_err());
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
    assert_eq!(compared, 84);
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
    ] {
        for path in [question, "/check?image=servercore:ltsc2019&host=19045"] {
            let answer = service.get(&format!("{path}&{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.text.contains(expected), "{query}: {}", answer.text);
        }
    }
}

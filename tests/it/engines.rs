//! Engines: each pick that was recorded with the engines' own code, against the rules of the table.

use std::collections::BTreeMap;

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
/// What `picks.jsonl` has: so that no line is lost.
const LINES: usize = 1440;

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
    assert_eq!(seen, LINES);
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
        ("containerd-9.0", None, "containerd-2.3"),
        ("nerdctl", None, "nerdctl"),
        ("regctl-next", None, "regctl"),
        ("crane-0.20.2", None, "crane"),
    ] {
        assert_eq!(engine(text, store).expect(text).name, expected, "{text}");
    }
    for text in ["", "podman", "docker-", "docker-x", "docker-1.2.3.4", "dockerd", "containerd-1"] {
        let found = engine(text, None);
        assert_eq!(found.is_ok(), text == "containerd-1", "{text}: {found:?}");
    }
    let old = engine("containerd-1.4.3", None).expect_err("no rule is known");
    assert!(old.to_string().contains("1.5.0"), "{old}");
    assert!(engine(&"docker-".repeat(20), None).is_err());
}

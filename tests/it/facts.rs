//! The rule against Microsoft's own table, and the tag grammar against a whole real listing.

use wintag::images::{Tag, TagKind};
use wintag::windows::{Edition, HostFacts, HostKind, Platform, Verdict, WindowsVersion, verdict};

#[derive(serde::Deserialize)]
struct Row {
    host: String,
    container_base_image: String,
    hyperv: String,
    process: String,
    footnote: String,
}

/// The hosts that a row of Microsoft's table stands for. It has one row for all of Windows 10 and
/// one for all of Windows 11; the versions that are supported today are meant.
fn hosts(row: &Row) -> Vec<(u32, HostKind)> {
    let from_24h2 = row.footnote.contains("24H2");
    match row.host.as_str() {
        "Windows Server 2025" => vec![(26100, HostKind::Server)],
        "Windows Server 2022" => vec![(20348, HostKind::Server)],
        "Windows Server 2019" => vec![(17763, HostKind::Server)],
        "Windows Server 2016" => vec![(14393, HostKind::Server)],
        "Windows 11" if from_24h2 => {
            vec![(26100, HostKind::Client), (26200, HostKind::Client), (28000, HostKind::Client)]
        }
        "Windows 11" => [22000, 22621, 22631, 26100, 26200, 28000]
            .map(|build| (build, HostKind::Client))
            .to_vec(),
        "Windows 10" => vec![(19044, HostKind::Client), (19045, HostKind::Client)],
        "Windows Server, version 23H2 (Annual Channel)" => vec![(25398, HostKind::Server)],
        other => panic!("the table has a new host: {other}"),
    }
}

fn image(name: &str) -> u32 {
    match name {
        "Windows Server 2025" => 26100,
        "Windows Server 2022" => 20348,
        "Windows Server 2019" => 17763,
        "Windows Server 2016" => 14393,
        other => panic!("the table has a new image: {other}"),
    }
}

#[test]
fn the_rule_says_what_microsofts_table_says() {
    let text = include_str!("../data/compat_microsoft_docs.csv");
    let mut compared = 0;
    for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<Row>() {
        let row = row.expect("the table is CSV");
        let build = image(&row.container_base_image);
        for (host, kind) in hosts(&row) {
            // Windows Server 2016 wants equal revisions, which the page says below the table.
            let revision = (host == 14393 && build == 14393).then_some(1770);
            let host = HostFacts {
                version: WindowsVersion { build: host, revision },
                kind,
                edition: Edition::Other,
            };
            let compatibility =
                verdict(host, Some(WindowsVersion { build, revision }), Platform::Docker);
            let at = format!("{} ({host:?}) with {}", row.host, row.container_base_image);
            assert_eq!(
                compatibility.process.verdict == Verdict::Yes,
                row.process.starts_with("yes"),
                "process: {at}"
            );
            // The table leaves the cell of the Annual Channel empty; the answer warns of that.
            if !row.hyperv.is_empty() {
                assert_eq!(
                    compatibility.hyperv.verdict == Verdict::Yes,
                    row.hyperv == "yes",
                    "Hyper-V: {at}"
                );
            }
            compared += 1;
        }
    }
    assert_eq!(
        compared,
        21 + 2 + 3 * 5 + 3,
        "every row was compared with every host it stands for"
    );
}

#[derive(serde::Deserialize)]
struct TagList {
    tags: Vec<String>,
}

#[test]
fn every_tag_of_the_real_listing_is_read_and_printed_without_loss() {
    let list: TagList =
        serde_json::from_str(include_str!("../data/tags-list-servercore-2019-07-05.json"))
            .expect("it is JSON");
    let mut kinds = [0; 4];
    for text in &list.tags {
        let tag = Tag::parse(text).unwrap_or_else(|| panic!("{text} is not in the grammar"));
        assert_eq!(tag.to_string(), *text);
        match tag.kind() {
            TagKind::Release => kinds[0] += 1,
            TagKind::Kb => kinds[1] += 1,
            TagKind::Build => kinds[2] += 1,
            TagKind::Other => kinds[3] += 1,
        }
    }
    assert_eq!(list.tags.len(), 808);
    // Counted in the listing by form, with their architecture and language forms.
    assert_eq!(kinds, [16, 77, 715, 0]);
}

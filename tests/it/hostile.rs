//! Every public parser of outside text under random and under mutated input. The parsers of what
//! registries send are private; they are tested the same way where they are.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;

#[path = "../fuzz/parsers.rs"]
mod parsers;

/// Texts that are right for one parser or another; mutations start from them.
const RIGHT: [&str; 37] = [
    "Dockerfile\n# escape=`\nARG A=1 B=\"c d\"\nFROM --platform=$X a:${A:-x} AS b\n\
     COPY --from=b x `\n y",
    "x.yaml\napiVersion: v1\nkind: &k Pod\nspec: {<<: *k, \
     containers: [{image: \"é/b:1\"}]}\n---\n- |\n x",
    "x.hcl\nvariable \"A\" {\n default = \"b\"\n}\nc = { d = \"docker-image://e:${A}\" } # x",
    "mcr.microsoft.com/windows/nanoserver:ltsc2022",
    "mcr.microsoft.com/windows/servercore@sha256:\
     308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a",
    "microsoft/nanoserver",
    "localhost:5000/x:latest",
    "nanoserver",
    "sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a",
    "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)",
    "Microsoft Windows [Version 10.0.17763.557]",
    "Microsoft Windows Server Version 1709 (OS Build 16299.15)",
    "Windows 10 Enterprise LTSC 2019",
    "Windows 10, version 22H2 (OS Build 19045.3570)",
    "Windows Server 2022 Datacenter",
    "10.0.20348.2113",
    "20H2-KB5016616",
    "1809_KB4464455_amd64",
    "20191112-windowsservercore-ltsc2019",
    "10.0.14393.2906-amd64-de-de",
    "KB4043961",
    "image=microsoft/nanoserver&host=16299&format=tag",
    "image=mcr.microsoft.com/windows/servercore:ltsc2022&host=10.0.20348.2113&arch=amd64&\
     platform=kubernetes",
    "image=iis&host=Windows+Server+2019&isolation=hyperv&pin=build&kb=KB5031364&host_type=server",
    "hosts=ltsc2019,10.0.26100.4061;1709&images=ltsc2022",
    "image=servercore&tag=ltsc2019&limit=10&offset=5&build=17763",
    "family,base,repository,names,legacy_names,source\nx,nanoserver,a.example/x,x;y,,s\n",
    concat!(
        r#"{"kind": "Node", "metadata": {"name": "a", "labels": {"#,
        r#""node.kubernetes.io/windows-build": "10.0.17763"}}, "status": {"nodeInfo": {"#,
        r#""operatingSystem": "windows", "kernelVersion": "10.0.17763.557", "osImage": "#,
        r#""Windows Server 2019"}}}"#,
    ),
    concat!(
        r#"[{"ID": "n1", "Description": {"Hostname": "WIN-1", "Platform": {"OS": "windows"}}, "#,
        r#""Spec": {"Labels": {"OsVersion": "10.0.16299"}}}] {"Name": "WIN-1", "#,
        r#""KernelVersion": "10.0 14393 (14393.1715)", "Swarm": {"NodeID": "n1"}}"#,
    ),
    concat!(
        r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "#,
        r#""u", "kind": {"kind": "Pod"}, "operation": "CREATE", "object": {"spec": {"os": {"#,
        r#""name": "windows"}, "containers": [{"image": "#,
        r#""mcr.microsoft.com/windows/nanoserver:ltsc2022"}], "affinity": {"nodeAffinity": {"#,
        r#""requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}}}}}"#,
    ),
    "%FF%FE%00&&==&image=%24(id)&host=%0d%0a%u2028",
    "no matching manifest for windows(10.0.26200)/amd64/v3 in the manifest list entries: no match \
     for platform in manifest",
    "a Windows version 10.0.20348-based image is incompatible with a 10.0.17763 host",
    "docker run --isolation=hyperv -v a:b contoso/app:ltsc2019 cmd\n\u{1b}[31mexited \
     unexpectedly\u{1b}[0m. (0xc0370106)",
    "Name: a\nNode: b/1\nKernel Version: 10.0.17763.1\nImage: \\\"contoso/app\\\"\nfailed to \
     start sandbox container 0x80370101",
    "y5blbdum70zo \\_ web.1 microsoft/iis:windowsservercore-10.0.14393.1715 WIN \"starting \
     container failed: 3221225785\"",
    "##vso[task.setvariable variable=x]$(id)`id`\r\n\u{1b}[31m\u{202e}\u{2028}",
];

/// A right text with a few bytes inserted, replaced, dropped or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "\0", "/", "//", "..", ":", "@", "&", "=", "%", ",", ";", "\"", "\n", "é", "４", "0", "9",
        "-", "_", " ",
    ]);
    let change = (any::<prop::sample::Index>(), 0..5_u8, pieces);
    (select(RIGHT.to_vec()), prop::collection::vec(change, 1..6)).prop_map(|(text, changes)| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, kind, piece) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match kind {
                0 => drop(text.splice(at..at, piece.chars())),
                1 => drop(text.splice(at..=at, piece.chars())),
                2 => drop(text.remove(at)),
                3 => text.truncate(at),
                _ => text.extend_from_within(at..),
            }
        }
        text.into_iter().collect()
    })
}

fn random() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,200}",
        "[0-9a-zA-Z./:@_%&=, -]{0,80}",
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        prop::collection::vec(select(RIGHT.to_vec()), 1..4).prop_map(|texts| texts.concat()),
        ("[ -~]", 1..6000_usize).prop_map(|(unit, count)| unit.repeat(count)),
    ]
}

/// The tables of the repository, with one field spoilt.
fn spoilt_table() -> impl Strategy<Value = (String, bool)> {
    let file = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/windows/data").join(name);
        fs::read_to_string(path)
            .expect("it is committed")
            .lines()
            .take(30)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let tables = vec![(file("releases.csv"), true), (file("kb.csv"), false)];
    (select(tables), any::<prop::sample::Index>(), "[ -~é\n\"]{0,6}").prop_map(
        |((text, is_releases), at, spoilt)| {
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            characters.splice(at..=at, spoilt.chars());
            (characters.into_iter().collect(), is_releases)
        },
    )
}

#[test]
fn right_texts_are_read() {
    for (_, parser) in parsers::ALL {
        RIGHT.into_iter().for_each(parser);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn o10_no_random_text_breaks_a_parser(text in random()) {
        for (_, parser) in parsers::ALL {
            parser(&text);
        }
    }

    #[test]
    fn o10_no_mutated_text_breaks_a_parser(text in mutated()) {
        for (_, parser) in parsers::ALL {
            parser(&text);
        }
    }

    #[test]
    fn o10_no_value_breaks_an_operation(
        name in select(vec![
            "image", "host", "hosts", "images", "kb", "tag", "build", "limit", "release",
                "platform",
        ]),
        value in prop_oneof![random(), mutated()],
    ) {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        parsers::query(&format!("image=nanoserver&host=16299&{name}={encoded}"));
        parsers::query(&format!("{name}={encoded}"));
    }

    #[test]
    fn o10_no_spoilt_table_breaks_the_reading((text, is_releases) in spoilt_table()) {
        if is_releases {
            parsers::tables(&text);
        } else {
            parsers::tables(&format!("\0{text}"));
        }
    }
}

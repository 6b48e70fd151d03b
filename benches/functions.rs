//! What the functions cost that an answer is made of: `cargo bench --bench functions`, with `--
//! NAME` only some of them.
//!
//! Where one call works through a list, the second line of its figures says how many items a second
//! that is. `growth` shows what comes of a repository with more tags; `benches/run` prints those
//! figures in its table.

use std::hint::black_box;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};
use wintag::answers::{self, Context, Resolution, ResolveQuestion};
use wintag::api::params::pairs_of_query;
use wintag::api::reading::Reading;
use wintag::api::resolve::ResolveRequest;
use wintag::app::App;
use wintag::catalogue::{KnownTag, RepositoryTags};
use wintag::config::{ConfigFile, Settings, SourceSettings};
use wintag::images::Tag;
use wintag::windows::{
    Edition, HostFacts, HostKind, Platform, Tables, WindowsVersion, read_host, verdict,
};

/// Hosts in the forms in which machines print them.
const HOSTS: [&str; 12] = [
    "16299",
    "10.0.17763.1039",
    "ltsc2022",
    "1809",
    "Windows Server 2019",
    "Windows Server 2022 Datacenter",
    "Windows 11 Pro 23H2",
    "Microsoft Windows [Version 10.0.20348.2113]",
    "Operating System: Windows Server 2016 Standard Version 1607 (OS Build 14393.5786)",
    "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)",
    "Kernel Version: 10.0 26100 (26100.1.amd64fre.ge_release.240331-1435)",
    "10.0.25398.830",
];

/// Questions to which the embedded catalogue has an answer.
const QUESTIONS: [&str; 8] = [
    "image=microsoft/nanoserver&host=16299",
    "image=nanoserver&host=10.0.17763.1039",
    "image=servercore&host=10.0.17763.1039&pin=build",
    "image=servercore&host=10.0.14393.1715&pin=kb",
    "image=servercore&host=17763&isolation=process",
    "image=windows&host=1809",
    "image=servercore&host=20348",
    "image=iis&host=ltsc2019",
];

/// How many tags a repository has, where that is what is looked at.
const TAG_COUNTS: [usize; 3] = [1_000, 10_000, 100_000];

/// Registries would be asked on it, which does not happen here.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_all().build().expect("it starts no thread")
});

/// The application as `wintag --offline` builds it.
static APP: LazyLock<App> = LazyLock::new(|| {
    let _current = RUNTIME.enter();
    let source = SourceSettings { offline: true, ..SourceSettings::default() };
    let settings = Settings::of_command(&source, ConfigFile::default()).expect("it reads no file");
    App::new(settings).expect("no registry is configured")
});

fn main() {
    divan::main();
}

/// Every tag of the embedded catalogue, read.
#[divan::bench]
fn read_tags(bencher: Bencher<'_, '_>) {
    let tags = catalogue_tags();
    bencher.counter(ItemsCount::new(tags.len())).bench_local(|| {
        for tag in &tags {
            black_box(Tag::parse(black_box(tag)));
        }
    });
}

/// What hosts print, read.
#[divan::bench]
fn read_hosts(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(HOSTS.len())).bench_local(|| {
        for text in HOSTS {
            black_box(read_host(black_box(text), None, Tables::embedded()).is_ok());
        }
    });
}

/// The compatibility rule, for each build of the tables as the host and as the image.
#[divan::bench]
fn verdicts(bencher: Bencher<'_, '_>) {
    let builds: Vec<u32> =
        Tables::embedded().releases().iter().map(|release| release.build).collect();
    bencher.counter(ItemsCount::new(builds.len() * builds.len())).bench_local(|| {
        for host in &builds {
            let version = WindowsVersion::of_build(*host);
            let host = HostFacts { version, kind: HostKind::Server, edition: Edition::Other };
            for image in &builds {
                black_box(verdict(
                    black_box(host),
                    Some(WindowsVersion::of_build(*image)),
                    Platform::Docker,
                ));
            }
        }
    });
}

/// From the question to the resolution: the tags of a real repository, the decision among them, the
/// reasons.
#[divan::bench(args = QUESTIONS)]
fn decide(bencher: Bencher<'_, '_>, query: &str) {
    let (context, question) = (APP.context(), question(query));
    bencher.bench_local(|| resolution(context, black_box(&question)));
}

/// From the resolution to JSON.
#[divan::bench]
fn write_json(bencher: Bencher<'_, '_>) {
    let resolution = resolution(APP.context(), &question(QUESTIONS[0]));
    bencher.bench_local(|| json(black_box(&resolution)));
}

/// From the text of the query to JSON.
#[divan::bench(args = QUESTIONS)]
fn answer(bencher: Bencher<'_, '_>, query: &str) {
    let context = APP.context();
    bencher.bench_local(|| json(&resolution(context, &question(black_box(query)))));
}

/// What comes of a repository with more tags.
mod growth {
    use super::*;

    /// A list of tags, read and indexed.
    #[divan::bench(args = TAG_COUNTS, sample_count = 20)]
    fn index(bencher: Bencher<'_, '_>, count: usize) {
        bencher
            .counter(ItemsCount::new(count))
            .with_inputs(|| made_up_tags(count))
            .bench_local_values(indexed);
    }

    /// A tag, found: many times for each reading of the timer, which takes longer than that.
    #[divan::bench(args = TAG_COUNTS, sample_size = 128)]
    fn find(bencher: Bencher<'_, '_>, count: usize) {
        let tags = made_up_tags(count);
        let wanted = tags[count / 2].clone();
        let index = indexed(tags);
        bencher.bench_local(|| index.find(black_box(&wanted)).is_some());
    }
}

fn question(query: &str) -> ResolveQuestion {
    let read = ResolveRequest::read(pairs_of_query(query), Reading::from(APP.context()));
    read.unwrap_or_else(|problem| panic!("{query}: {problem:?}")).question
}

fn resolution(context: &Context, question: &ResolveQuestion) -> Resolution {
    let answered = answers::resolve(context, question).now_or_never();
    answered
        .expect("nothing waits where no registry is asked")
        .expect("the catalogue has an answer")
}

fn json(resolution: &Resolution) -> Vec<u8> {
    serde_json::to_vec(&resolution).expect("these types have only string keys")
}

fn indexed(tags: Vec<String>) -> RepositoryTags {
    RepositoryTags::new(
        tags.into_iter().map(|tag| KnownTag::new(tag, None, Tables::embedded())).collect(),
    )
}

/// The tags of the embedded catalogue, as text.
fn catalogue_tags() -> Vec<String> {
    let rows = include_str!("../src/images/data/catalogue.csv");
    let column = |row: csv::Result<csv::StringRecord>| row.expect("a test reads it")[1].to_owned();
    csv::Reader::from_reader(rows.as_bytes()).into_records().map(column).collect()
}

/// This many tags in the forms of real ones: three tags for each revision of four builds.
fn made_up_tags(count: usize) -> Vec<String> {
    let lines =
        [(14393, "ltsc2016"), (17763, "ltsc2019"), (20348, "ltsc2022"), (26100, "ltsc2025")];
    let tags = (1..).flat_map(|revision| {
        lines.into_iter().flat_map(move |(build, line)| {
            let version = format!("10.0.{build}.{revision}");
            [format!("{version}-amd64"), format!("{line}-KB{}", 4_000_000 + revision), version]
        })
    });
    tags.take(count).collect()
}

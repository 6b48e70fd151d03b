//! S01 to S03: many who ask the same at once make one request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::bed::{Bed, tags_of};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Gate};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry};
use crate::support::raw_client::{RawClient, exchange};
use crate::support::service::Service;

/// So many requests are under way at once, each on a connection of its own.
const CROWD: usize = 10_000;
/// Where the system allows fewer open files, so many at least; with fewer this shows nothing.
const SMALLEST_CROWD: usize = 2_000;
/// Open files beside the connections of the crowd, of this test and of those that run at the same
/// time.
const OTHER_FILES: usize = 1_000;
/// A repository that the embedded catalogue does not have, so that everybody must wait.
const QUESTION: &str = "/resolve?image=mcr.microsoft.com/crowd/x&host=20348";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// The tags behind a gate, for those with the token only.
fn behind_a_gate(asked: &Asked, gate: &Gate, holdings: &Holdings) -> Behaviour {
    if asked.path() == "/token" {
        return Behaviour::json(r#"{"token":"good","expires_in":300}"#);
    }
    if asked.header("authorization") != "Bearer good" {
        let realm = format!("http://{}/token", asked.header("host"));
        return Behaviour::unauthorized(&format!(r#"Bearer realm="{realm}",service="x""#));
    }
    match asked.path().ends_with("/tags/list") {
        true => holdings.answer(asked).held(gate),
        false => holdings.answer(asked),
    }
}

/// How large the crowd can be: two processes have a socket for each of it, within the same limit
/// each.
fn crowd() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files is known");
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    let crowd = allowed.min(CROWD);
    assert!(
        crowd >= SMALLEST_CROWD,
        "only {crowd} sockets: raise the hard limit of open files for this test"
    );
    if crowd < CROWD {
        eprintln!("s01: {crowd} at once and not {CROWD}, because no more files may be open here");
    }
    crowd
}

/// Asks on a connection of its own. Plain sockets: the crowd must cost less than what it asks for.
fn ask_in_crowd(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("the service listens");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("it is a time");
    client.write_all(get(QUESTION).as_bytes()).expect("the service reads");
    client
}

/// The status and the body of the one answer.
fn answer_in_crowd(client: TcpStream) -> (u16, Value) {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let from = head.len();
        assert!(reader.read_line(&mut head).expect("every request is answered") > 0);
        if let Some(value) = head[from..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length is a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body arrives");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("an answer has a status");
    (status, serde_json::from_slice(&body).expect("answers are JSON"))
}

/// Does what blocks beside the registry, which runs on the thread of the test.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

/// Waits until so many questions are under way in the service, by its own count. `false` when the
/// first were answered before that, because nobody waits longer than ten seconds.
async fn are_under_way(service: &Service, count: usize) -> bool {
    let sample = format!("wintag_requests_under_way {count}");
    loop {
        let metrics = service.ask_admin("GET", "/metrics", &[]).await.text;
        if metrics.lines().any(|line| line == sample) {
            return true;
        }
        if metrics.contains("http_server_request_duration_seconds_count{") {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks with so many at once; `false` where the machine is too slow for so many to ask in ten
/// seconds.
async fn check_crowd(crowd: usize) -> bool {
    let (gate, holdings) = (Gate::closed(), Holdings::usual());
    let digest = holdings.digest("ltsc2022").to_owned();
    let script_gate = gate.clone();
    let registry =
        MisbehavingRegistry::start(move |asked| behind_a_gate(asked, &script_gate, &holdings))
            .await;
    let service = Service::mirrored(&registry.authority(), &["--admin-listen", "127.0.0.1:0"]);

    let address = service.address().to_owned();
    let clients =
        blocking(move || (0..crowd).map(|_| ask_in_crowd(&address)).collect::<Vec<_>>()).await;
    if !are_under_way(&service, crowd).await {
        return false;
    }
    // The question without a token, the token, the question with it.
    registry.arrived(3).await;
    gate.open();
    for (status, body) in
        blocking(|| clients.into_iter().map(answer_in_crowd).collect::<Vec<_>>()).await
    {
        assert_eq!(
            (status, &body["tag"], &body["digest"]),
            (200, &"ltsc2022".into(), &digest.as_str().into())
        );
    }
    let list = "/v2/crowd/x/tags/list";
    let manifest = "/v2/crowd/x/manifests/ltsc2022";
    let targets = registry.targets();
    assert_eq!(targets[..1], [list]);
    assert!(targets[1].starts_with("/token?"), "{targets:?}");
    assert_eq!(targets[2..], [list, manifest]);
    // All of them waited for that one list, but for those that the service began to answer as the
    // gate opened: one for each of its threads.
    let metrics = service.ask_admin("GET", "/metrics", &[]).await.text;
    let waited = metrics.lines().find_map(|line| {
        line.strip_prefix("wintag_cache_requests_total{layer=\"tags\",result=\"new\"} ")?
            .parse::<usize>()
            .ok()
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(waited.is_some_and(|waited| waited + threads >= crowd), "{metrics}");
    true
}

#[tokio::test]
async fn s01_ten_thousand_who_ask_the_same_make_one_request() {
    let mut crowd = crowd();
    while !check_crowd(crowd).await {
        eprintln!("s01: this machine is too slow just now for {crowd} to ask within ten seconds");
        assert!(crowd > SMALLEST_CROWD, "a crowd of {crowd} is the smallest that shows anything");
        crowd = (crowd / 2).max(SMALLEST_CROWD);
    }
    eprintln!("s01: {crowd} asked at once");
}

#[tokio::test]
async fn s02_a_fetch_outlives_the_client_that_caused_it() {
    let gate = Gate::closed();
    let answer = Behaviour::from(tag_list(&["ltsc2022"])).held(&gate);
    let bed = Bed::start(move |_| answer.clone()).await;
    let mut leader = RawClient::connect(bed.service.address()).await;
    leader.send(get(&tags_of(0))).await;
    bed.registry.arrived(1).await;
    drop(leader);
    let mut follower = RawClient::connect(bed.service.address()).await;
    follower.send(get(&tags_of(0))).await;
    gate.open();
    let answer = follower.answer().await.expect("it is answered");
    let body: Value = serde_json::from_slice(&answer.body).expect("answers are JSON");
    assert_eq!((answer.status, &body["tags"][0]["tag"]), (200, &"ltsc2022".into()));
    assert_eq!(bed.registry.count("tags/list"), 1);
}

#[tokio::test]
async fn s03_a_failure_is_shared_and_not_tried_again_by_each() {
    const CROWD: usize = 200;
    let gate = Gate::closed();
    let failure = Behaviour::status(500).held(&gate);
    let bed = Bed::start(move |_| failure.clone()).await;
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        let mut client = RawClient::connect(bed.service.address()).await;
        client.send(get(&tags_of(0))).await;
        clients.push(client);
    }
    bed.registry.arrived(1).await;
    gate.open();
    for answer in join_all(clients.iter_mut().map(RawClient::answer)).await {
        assert_eq!(answer.map(|answer| answer.status), Some(503));
    }
    let late = exchange(bed.service.address(), get(&tags_of(0))).await;
    assert_eq!(late.map(|answer| answer.status), Some(503));
    // At most the two retries of the one fetch.
    assert!(bed.registry.count("tags/list") <= 3, "{:?}", bed.registry.targets());
}

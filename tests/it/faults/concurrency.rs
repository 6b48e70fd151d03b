//! S01 to S03: concurrent identical questions share one request. H08: those about one registry
//! leave the others alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::Value;
use wintag::catalogue::MAX_FLIGHTS_PER_REGISTRY;

use super::bed::{Bed, tags_of};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Latch};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry};
use crate::support::raw_client::{RawAnswer, RawClient, exchange};
use crate::support::service::Service;

/// Concurrent requests, each on its own connection.
const MAX_CLIENTS: usize = 10_000;
/// The minimum where the system allows fewer open files; fewer would show nothing.
const MIN_CLIENTS: usize = 2_000;
/// Other open files, of this test and of those that run at the same time.
const OTHER_FILES: usize = 1_000;
/// A repository that the embedded catalogue does not have, so that every client must wait.
const QUESTION: &str = "/resolve?image=mcr.microsoft.com/concurrent/x&host=20348";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// Tags that only a token opens, held back by a latch.
fn held_back(asked: &Asked, latch: &Latch, holdings: &Holdings) -> Behaviour {
    if asked.path() == "/token" {
        return Behaviour::json(r#"{"token":"good","expires_in":300}"#);
    }
    if asked.header("authorization") != "Bearer good" {
        let realm = format!("http://{}/token", asked.header("host"));
        return Behaviour::unauthorized(&format!(r#"Bearer realm="{realm}",service="x""#));
    }
    match asked.path().ends_with("/tags/list") {
        true => holdings.answer(asked).held(latch),
        false => holdings.answer(asked),
    }
}

/// How many clients are possible: each needs a socket in both processes, each with this limit.
fn client_count() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files is known");
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    let count = allowed.min(MAX_CLIENTS);
    assert!(
        count >= MIN_CLIENTS,
        "only {count} sockets: raise the hard limit of open files for this test"
    );
    if count < MAX_CLIENTS {
        eprintln!(
            "s01: {count} at once and not {MAX_CLIENTS}, because no more files may be open here"
        );
    }
    count
}

/// Sends the question on a new connection. Plain sockets, so that clients cost less than answers.
fn send_question(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("the service listens");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("it is a time");
    client.write_all(get(QUESTION).as_bytes()).expect("the service reads");
    client
}

/// The status and the body of the answer.
fn read_answer(client: TcpStream) -> (u16, Value) {
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

/// Runs blocking work on another thread, because the registry runs on the thread of the test.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

/// Waits until this many questions are in progress in the service, by its own count. `false` if the
/// first were answered before that, because no question waits longer than ten seconds.
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

/// Sends this many questions at once; `false` if the machine is too slow to send them within ten
/// seconds.
async fn check_single_flight(count: usize) -> bool {
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let digest = holdings.digest("ltsc2022").to_owned();
    let script_latch = latch.clone();
    let registry =
        MisbehavingRegistry::start(move |asked| held_back(asked, &script_latch, &holdings)).await;
    let options = ["--admin-listen", "127.0.0.1:0", "--max-connections", "12000"];
    let service = Service::mirrored(&registry.authority(), &options);

    let address = service.address().to_owned();
    let clients =
        blocking(move || (0..count).map(|_| send_question(&address)).collect::<Vec<_>>()).await;
    if !are_under_way(&service, count).await {
        return false;
    }
    // The question without a token, the token, the question with it.
    registry.arrived(3).await;
    latch.open();
    for (status, body) in
        blocking(|| clients.into_iter().map(read_answer).collect::<Vec<_>>()).await
    {
        assert_eq!(
            (status, &body["tag"], &body["digest"]),
            (200, &"ltsc2022".into(), &digest.as_str().into())
        );
    }
    let list = "/v2/concurrent/x/tags/list";
    let manifest = "/v2/concurrent/x/manifests/ltsc2022";
    let targets = registry.targets();
    assert_eq!(targets[..1], [list]);
    assert!(targets[1].starts_with("/token?"), "{targets:?}");
    assert_eq!(targets[2..], [list, manifest]);
    // All of them waited for that one list, but for those that the service began to answer as the
    // latch opened: one for each of its threads.
    let metrics = service.ask_admin("GET", "/metrics", &[]).await.text;
    let waited = metrics.lines().find_map(|line| {
        line.strip_prefix("wintag_cache_requests_total{layer=\"tags\",result=\"new\"} ")?
            .parse::<usize>()
            .ok()
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(waited.is_some_and(|waited| waited + threads >= count), "{metrics}");
    true
}

#[tokio::test]
async fn s01_ten_thousand_identical_questions_make_one_request() {
    let mut count = client_count();
    while !check_single_flight(count).await {
        eprintln!("s01: this machine is too slow just now for {count} to ask within ten seconds");
        assert!(count > MIN_CLIENTS, "{count} clients are the minimum");
        count = (count / 2).max(MIN_CLIENTS);
    }
    eprintln!("s01: {count} asked at once");
}

#[tokio::test]
async fn s02_a_fetch_outlives_the_client_that_caused_it() {
    let latch = Latch::closed();
    let answer = Behaviour::from(tag_list(&["ltsc2022"])).held(&latch);
    let bed = Bed::start(move |_| answer.clone()).await;
    let mut leader = RawClient::connect(bed.service.address()).await;
    leader.send(get(&tags_of(0))).await;
    bed.registry.arrived(1).await;
    drop(leader);
    let mut follower = RawClient::connect(bed.service.address()).await;
    follower.send(get(&tags_of(0))).await;
    latch.open();
    let answer = follower.answer().await.expect("it is answered");
    let body: Value = serde_json::from_slice(&answer.body).expect("answers are JSON");
    assert_eq!((answer.status, &body["tags"][0]["tag"]), (200, &"ltsc2022".into()));
    assert_eq!(bed.registry.count("tags/list"), 1);
}

#[tokio::test]
async fn s03_concurrent_callers_share_a_failure() {
    const MAX_CLIENTS: usize = 200;
    let latch = Latch::closed();
    let failure = Behaviour::status(500).held(&latch);
    let bed = Bed::start(move |_| failure.clone()).await;
    let mut clients = Vec::new();
    for _ in 0..MAX_CLIENTS {
        let mut client = RawClient::connect(bed.service.address()).await;
        client.send(get(&tags_of(0))).await;
        clients.push(client);
    }
    bed.registry.arrived(1).await;
    latch.open();
    for answer in join_all(clients.iter_mut().map(RawClient::answer)).await {
        assert_eq!(answer.map(|answer| answer.status), Some(503));
    }
    let late = exchange(bed.service.address(), get(&tags_of(0))).await;
    assert_eq!(late.map(|answer| answer.status), Some(503));
    // At most the two retries of the one fetch.
    assert!(bed.registry.count("tags/list") <= 3, "{:?}", bed.registry.targets());
}

/// The question for a tag list that the registry holds back.
fn slow(number: usize) -> String {
    get(&format!("/tags?image=c0.example/slow/{number}"))
}

async fn send_all(service: &Service, requests: impl Iterator<Item = String>) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for request in requests {
        let mut client = RawClient::connect(service.address()).await;
        client.send(request).await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn h08_a_slow_registry_takes_no_lookups_from_the_others() {
    const TOO_MANY: usize = 6;
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let registry = MisbehavingRegistry::start(move |asked| match asked.path().contains("/slow/") {
        true => holdings.answer(asked).held(&latch),
        false => holdings.answer(asked),
    })
    .await;
    let mirror = |name: &str| format!("{name}=http://{}", registry.authority());
    let (slow_mirror, well_mirror) = (mirror("c0.example"), mirror("c1.example"));
    let service = Service::start(&["--mirror", &slow_mirror, "--mirror", &well_mirror]);
    let mut clients = send_all(&service, (0..MAX_FLIGHTS_PER_REGISTRY + TOO_MANY).map(slow)).await;
    let answers: FuturesUnordered<_> = clients.iter_mut().map(RawClient::answer).collect();
    for answer in answers.take(TOO_MANY).collect::<Vec<_>>().await {
        assert_eq!(answer.map(|answer| answer.status), Some(503));
    }
    assert_eq!(service.get(&tags_of(1)).await.status.as_u16(), 200);
}

#[tokio::test]
async fn h08_a_lookup_that_gets_no_slot_ends() {
    let (latch, holdings) = (Latch::closed(), Holdings::usual());
    let bed = Bed::start(move |asked| holdings.answer(asked).held(&latch)).await;
    let mut clients = send_all(&bed.service, (0..MAX_FLIGHTS_PER_REGISTRY).map(slow)).await;
    let answers = join_all(clients.iter_mut().map(RawClient::answer)).await;
    let says = |answer: &Option<RawAnswer>, text| {
        let body = answer.as_ref().map(|answer| String::from_utf8_lossy(&answer.body));
        body.is_some_and(|body| body.contains(text))
    };
    let busy = "too many requests to it are under way";
    assert!(answers.iter().any(|answer| says(answer, busy)));
}

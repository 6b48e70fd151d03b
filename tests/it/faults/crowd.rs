//! S01 to S03: many who ask the same at once make one request.

use futures_util::future::join_all;
use serde_json::Value;

use super::bed::{Bed, tags_of};
use crate::support::misbehaving_registry::behaviour::{Behaviour, Gate};
use crate::support::misbehaving_registry::holdings::{Holdings, tag_list};
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry};
use crate::support::raw_client::{RawClient, exchange};
use crate::support::service::Service;

/// 10,000 requests by so many clients, each of which asks again when it has its answer. All of them
/// have asked before the registry answers.
const CLIENTS: usize = 500;
const REQUESTS_A_CLIENT: usize = 20;

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

#[tokio::test]
async fn s01_ten_thousand_who_ask_the_same_make_one_request() {
    let (gate, holdings) = (Gate::closed(), Holdings::usual());
    let digest = holdings.digest("ltsc2022").to_owned();
    let script_gate = gate.clone();
    let registry = MisbehavingRegistry::start(move |asked| behind_a_gate(asked, &script_gate, &holdings)).await;
    let service = Service::mirrored(&registry.authority(), &[]);

    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = RawClient::connect(service.address()).await;
        client.send(get(QUESTION)).await;
        clients.push(client);
    }
    // The question without a token, the token, the question with it.
    registry.arrived(3).await;
    gate.open();
    let read_all = clients.into_iter().map(|mut client| async move {
        let mut answers = Vec::new();
        loop {
            answers.push(client.answer().await.expect("every request is answered"));
            if answers.len() == REQUESTS_A_CLIENT {
                return answers;
            }
            client.send(get(QUESTION)).await;
        }
    });
    let answers: Vec<_> = join_all(read_all).await.into_iter().flatten().collect();

    assert_eq!(answers.len(), CLIENTS * REQUESTS_A_CLIENT);
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let body: Value = serde_json::from_slice(&answer.body).expect("answers are JSON");
        assert_eq!((&body["tag"], &body["digest"]), (&"ltsc2022".into(), &digest.as_str().into()));
    }
    let list = "/v2/crowd/x/tags/list";
    let manifest = "/v2/crowd/x/manifests/ltsc2022";
    let targets = registry.targets();
    assert_eq!(targets[..1], [list]);
    assert!(targets[1].starts_with("/token?"), "{targets:?}");
    assert_eq!(targets[2..], [list, manifest]);
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
    assert_eq!(follower.answer().await.map(|answer| answer.status), Some(200));
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

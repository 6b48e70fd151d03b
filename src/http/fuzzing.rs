//! The connection layer against the HTTP library alone: both read the same requests from any bytes.
//! The tests of this file check it with random and mutated requests, and a fuzz target
//! (`tests/fuzz`) with the input of a fuzzer. It is in no ordinary build.

use std::cell::RefCell;
use std::rc::Rc;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, Service as _, ServiceFactory as _, map_config};
use actix_web::dev::{AppConfig, Extensions, ServiceRequest};
use actix_web::{App, HttpRequest, web};
use futures_util::StreamExt as _;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex,
};
use tokio::task::{LocalSet, yield_now};

use super::connection::{Answering, Connection, MAX_HEAD_BYTES};

/// The body of every answer; no refusal has it.
const ANSWER: &str = "answered";
/// How often the tasks take turns until nothing more is expected. Nothing waits for anything else
/// than bytes in memory.
const TURNS: usize = 64;
/// More than a client sends or gets here.
const PIPE_BYTES: usize = 1 << 20;

/// What came of the bytes that a client sent.
#[derive(Debug)]
struct Exchange {
    /// Each request with its body, in the order of their answers.
    requests: Vec<String>,
    /// All that the client received.
    output: String,
    /// Whether the server closed the connection.
    is_closed: bool,
}

impl Exchange {
    fn statuses(&self) -> Vec<&str> {
        let starts = self.output.match_indices("HTTP/1.");
        let statuses = starts.filter_map(|(at, _)| self.output.get(at + 9..at + 12));
        // The text of a problem names HTTP/1.1 too.
        statuses.filter(|status| status.bytes().all(|byte| byte.is_ascii_digit())).collect()
    }

    fn without_dates(&self) -> Vec<&str> {
        self.output.lines().filter(|line| !line.starts_with("date: ")).collect()
    }
}

/// The bytes of one connection; the first of them decides in which pieces the rest arrives.
pub fn connection(bytes: &[u8]) {
    let Some((step, sent)) = bytes.split_first() else { return };
    // The layer alone refuses longer heads and fragments.
    if sent.len() > MAX_HEAD_BYTES || sent.contains(&b'#') {
        return;
    }
    let step = usize::from(*step).max(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (alone, layered) =
        LocalSet::new().block_on(&runtime.expect("a runtime can be made"), async {
            let alone = exchange(|stream| stream, |_, _| (), sent, step).await;
            let share = |connection: &Connection<DuplexStream>, data: &mut Extensions| {
                data.insert(connection.shared_state());
            };
            (alone, exchange(Connection::new, share, sent, step).await)
        });
    let (requests, statuses) = (&layered.requests, layered.statuses());
    assert!(alone.requests.starts_with(requests), "{alone:#?} {layered:#?}");
    assert!(alone.statuses().starts_with(&statuses), "{alone:#?} {layered:#?}");
    // Alone, the library goes on with requests behind one that ends the connection.
    let is_shorter = alone.statuses() != statuses || alone.requests != *requests;
    assert!(layered.is_closed || !is_shorter, "{alone:#?} {layered:#?}");
    if alone.requests.len() == 1 && alone.statuses() == ["200"] {
        assert_eq!(alone.without_dates(), layered.without_dates());
    }
    // Alone, the library answers a request in the form of a later one.
    let has_body = layered.requests.iter().filter(|request| !request.starts_with("HEAD "));
    assert_eq!(layered.output.matches(ANSWER).count(), has_body.count(), "{layered:#?}");
}

/// Sends the bytes to the HTTP library on this kind of connection.
async fn exchange<S>(
    open: fn(DuplexStream) -> S,
    share: fn(&S, &mut Extensions),
    sent: &[u8],
    step: usize,
) -> Exchange
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let requests = Rc::new(RefCell::new(Vec::new()));
    let seen = requests.clone();
    let answer = move |request: HttpRequest, mut payload: web::Payload| {
        let seen = seen.clone();
        async move {
            let mut line =
                format!("{} {} {:?} ", request.method(), request.uri(), request.version());
            while let Some(chunk) = payload.next().await {
                match chunk {
                    Ok(chunk) => line += &String::from_utf8_lossy(&chunk),
                    Err(error) => line += &format!("{error:?}"),
                }
            }
            Answering::body_ended(&request);
            seen.borrow_mut().push(line);
            ANSWER
        }
    };
    let app = App::new()
        .wrap_fn(|request: ServiceRequest, next| {
            let answering = Answering::begin(request.request());
            let answered = next.call(request);
            async move {
                let _answering = answering;
                answered.await
            }
        })
        .default_service(web::to(answer))
        .into_factory();
    let http = HttpService::build()
        .on_connect_ext(share)
        .finish(map_config(app, |()| AppConfig::default()))
        .new_service(())
        .await
        .unwrap_or_else(|()| panic!("the service can be made"));
    let (server, client) = duplex(PIPE_BYTES);
    let serving = tokio::task::spawn_local(http.call((open(server), Protocol::Http1, None)));
    let (mut input, mut client) = tokio::io::split(client);
    for piece in sent.chunks(step) {
        // A server that has refused something reads no more.
        let _ = client.write_all(piece).await;
        take_turns().await;
    }
    let (mut output, mut is_closed) = (Vec::new(), false);
    loop {
        tokio::select! {
            biased;
            read = input.read_buf(&mut output) => {
                if matches!(read, Ok(0) | Err(_)) {
                    is_closed = true;
                    break;
                }
            }
            () = take_turns() => break,
        }
    }
    serving.abort();
    let output = String::from_utf8_lossy(&output).into_owned();
    Exchange { requests: requests.take(), output, is_closed }
}

async fn take_turns() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    const REQUESTS: [&str; 12] = [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "HEAD /head HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /old HTTP/1.0\r\n\r\n",
        "GET /alive HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        "GET /end HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "POST /length HTTP/1.1\r\ncontent-length: 11\r\n\r\none\n\n\r\n\r\ntw",
        "POST /none HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "POST /zeros HTTP/1.1\r\ncontent-length: 00\r\n\r\n",
        "POST /chunks HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
        "PUT /short HTTP/1.1\r\ncontent-length: 9\r\n\r\nx",
        "\r\n\r\nGET /lines HTTP/1.1\r\n\r\n",
        "this is no request\r\n\r\n",
    ];

    #[test]
    fn s10_each_request_is_read_as_by_the_library_alone() {
        for request in REQUESTS {
            for step in [1, 7, 255] {
                connection(&[&[step], request.as_bytes()].concat());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 100, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn s10_pipelined_and_mutated_requests_are_read_as_by_the_library_alone(
            requests in prop::collection::vec(select(&REQUESTS[..]), 1..6),
            step in 1_u8..,
            mutation in prop::option::of((any::<Index>(), any::<u8>())),
        ) {
            let mut bytes = requests.concat().into_bytes();
            if let Some((at, byte)) = mutation {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.insert(0, step);
            connection(&bytes);
        }
    }
}

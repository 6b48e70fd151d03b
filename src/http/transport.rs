//! What lies between a connection and the HTTP library. The refusals that the library gives by
//! itself, before there is a request, leave as problems like all others (`refusals.rs`). What a
//! client sends is handed on one request at a time, and not while it waits for an answer or does
//! not take one, because the library would read any number of further requests into memory, turn
//! round and round when that is full, and answer one request in the manner of a later one. A
//! connection on which nothing moves any more is closed.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};

use super::refusals::{Bare, Refusal};
use crate::telemetry::Metrics;

/// A connection on which nothing was asked or written for so long is closed, and for twice as long
/// at most. Who asks is answered first: a body takes five seconds at most and its answer ten, which
/// is less.
const STILL: Duration = Duration::from_secs(30);
/// The library would close a connection that was idle for so long. It counts from when it has given
/// an answer away, also when the client has not taken that, so that it must not be the first.
pub const KEEP_ALIVE: Duration = Duration::from_secs(3 * STILL.as_secs());
/// So much is read at a time, in bytes: the head of most requests.
const PIECE_BYTES: usize = 1 << 10;

/// A connection, as the HTTP library sees it.
pub struct Transport<S> {
    stream: S,
    turn: Rc<Turn>,
    piece: Box<[u8; PIECE_BYTES]>,
    /// Where in the piece that is which was read and not handed on yet.
    held: Range<usize>,
    /// Whether the line that is handed on has had nothing in it so far. An empty one ends a head,
    /// unless there is none yet.
    is_empty_line: bool,
    /// Whether a line with something in it was handed on since the last end.
    has_begun: bool,
    /// Whether a request ended, so that the library has to read it before more is handed on.
    has_ended: bool,
    /// Whether the library would have read on.
    is_paused: bool,
    /// Whether what is to be written waits for the client to take what was written before.
    is_blocked: bool,
    /// The refusal that is being sent in place of the library's.
    refusal: Option<Refusal>,
    /// Whether one was sent. Nothing comes after it.
    is_refused: bool,
    /// Counts it.
    metrics: Option<Arc<Metrics>>,
    /// The connection is looked after once in so long.
    still: Duration,
    /// Looks after the connection. Nothing is timed for a single request: that would be most of
    /// what this costs.
    watch: Pin<Box<Sleep>>,
    /// Whom the watch wakes.
    watched_by: Option<Waker>,
    /// Whether nothing was written or asked since the watch last looked.
    is_still: bool,
}

/// Whose turn it is on a connection: known where requests are answered, and heeded where they are
/// read.
#[derive(Debug, Default)]
pub struct Turn {
    is_ours: Cell<bool>,
    /// What is to come of the body of the request, in bytes, when its head says how long that is.
    body_left: Cell<usize>,
    /// Whether something was asked since the connection was last looked after.
    was_asked: Cell<bool>,
}

/// A request that is being answered; when this ends, the client may ask again.
pub struct Answering(Option<Rc<Turn>>);

impl Answering {
    /// A request is being answered, or as much of it as there is when it has a body.
    pub fn begin(request: &HttpRequest, has_body: bool) -> Self {
        let turn = request.conn_data::<Rc<Turn>>().cloned();
        if let Some(turn) = &turn {
            turn.is_ours.set(!has_body);
            turn.was_asked.set(true);
            let length = request
                .headers()
                .get(CONTENT_LENGTH)
                .and_then(|length| length.to_str().ok()?.parse().ok());
            turn.body_left.set(length.unwrap_or_default());
        }
        Self(turn)
    }

    /// The whole body of this request has been read.
    pub fn body_ended(request: &HttpRequest) {
        if let Some(turn) = request.conn_data::<Rc<Turn>>() {
            turn.is_ours.set(true);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.is_ours.set(false);
            turn.body_left.set(0);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// A connection that was made just now.
    pub fn new(stream: S) -> Self {
        Self::with_patience(stream, STILL)
    }

    fn with_patience(stream: S, still: Duration) -> Self {
        Self {
            stream,
            still,
            turn: Rc::default(),
            piece: Box::new([0; PIECE_BYTES]),
            held: 0..0,
            is_empty_line: true,
            has_begun: false,
            has_ended: false,
            is_paused: false,
            is_blocked: false,
            refusal: None,
            is_refused: false,
            metrics: None,
            watch: Box::pin(sleep(still)),
            watched_by: None,
            is_still: false,
        }
    }

    /// The same connection, whose refusals are counted.
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The connection itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Whose turn it is on the connection.
    pub fn turn(&self) -> Rc<Turn> {
        self.turn.clone()
    }

    /// Nothing can be done now; an error when nothing moves any more. What waits is woken up to see
    /// that.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let is_watched =
            self.watched_by.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_watched && !self.watch.is_elapsed() {
            return Poll::Pending;
        }
        // Whatever else the task has done in its time: else it might be told to wait without being
        // woken.
        while pin!(unconstrained(self.watch.as_mut())).poll(context).is_ready() {
            if self.is_still && !self.turn.was_asked.get() {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing moved on the connection",
                )));
            }
            self.is_still = !self.turn.was_asked.take();
            self.watch.as_mut().reset(Instant::now() + self.still);
        }
        self.watched_by = Some(context.waker().clone());
        Poll::Pending
    }

    /// How much of what is held is handed on: to the end of a head, of a body whose length is
    /// known, or all of it. Heads, and bodies in chunks, end with an empty line; where one is
    /// within a body, nothing is lost but a moment. Empty lines before a head are part of it:
    /// each by itself would be read by the library together with all before it.
    fn take_some(&mut self, most: usize) -> &[u8] {
        let held = self.piece.get(self.held.clone()).unwrap_or_default();
        let held = held.get(..most).unwrap_or(held);
        let body_left = self.turn.body_left.get();
        let mut taken = 0;
        if body_left > 0 {
            taken = held.len().min(body_left);
            self.turn.body_left.set(body_left - taken);
            (self.has_ended, self.is_empty_line, self.has_begun) =
                (taken == body_left, true, false);
        } else {
            for line in held.split_inclusive(|byte| *byte == b'\n') {
                taken += line.len();
                let is_empty = self.is_empty_line && [&b"\n"[..], b"\r\n", b"\r"].contains(&line);
                let is_whole = line.ends_with(b"\n");
                self.has_ended = is_empty && is_whole && self.has_begun;
                self.has_begun = !self.has_ended && (self.has_begun || !is_empty);
                self.is_empty_line = is_empty || is_whole;
                if self.has_ended {
                    break;
                }
            }
        }
        let start = self.held.start;
        self.held.start += taken;
        self.piece.get(start..self.held.start).unwrap_or_default()
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.is_blocked = written.is_pending();
        if self.is_blocked {
            return self.wait(context);
        }
        self.is_still = false;
        self.turn.was_asked.set(false);
        if std::mem::take(&mut self.is_paused) {
            // The library reads before it writes, and would not read again by itself.
            context.waker().wake_by_ref();
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_blocked || this.turn.is_ours.get() {
            this.is_paused = true;
            this.has_ended = false;
            return this.wait(context);
        }
        if this.held.is_empty() {
            let mut piece = ReadBuf::new(this.piece.as_mut_slice());
            match Pin::new(&mut this.stream).poll_read(context, &mut piece) {
                Poll::Pending => {
                    this.has_ended = false;
                    return this.wait(context);
                }
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    this.held = 0..piece.filled().len()
                }
                ended => return ended,
            }
        }
        if std::mem::take(&mut this.has_ended) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        buffer.put_slice(this.take_some(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.is_refused {
            // While the refusal was on its way, the library refused again.
            return Poll::Ready(Ok(buffer.len()));
        }
        if this.refusal.is_none() {
            match Bare::find(buffer) {
                None => return this.write(context, buffer),
                Some((0, bare)) => {
                    if let Some(metrics) = &this.metrics {
                        metrics.count_unread_request(bare.status());
                    }
                    this.refusal = Some(Refusal::instead_of(&bare));
                }
                // What is before it is an answer that goes as it is.
                Some((start, _)) => {
                    return this.write(context, buffer.get(..start).unwrap_or_default());
                }
            }
        }
        if let Some(refusal) = &mut this.refusal {
            ready!(refusal.send(&mut this.stream, context))?;
        }
        this.is_refused = true;
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const DATE: &str = "date: Wed, 12 Aug 2026 00:00:00 GMT";

    /// A connection, and its other end, which takes so many bytes at a time.
    fn connected(bytes: usize) -> (Transport<DuplexStream>, DuplexStream) {
        let (here, there) = duplex(bytes);
        (Transport::new(here), there)
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The library, which reads and writes, and is told when to do so again.
    #[derive(Default)]
    struct Library(Arc<Wakes>);

    impl Library {
        /// How many bytes it reads until it has to stop.
        fn read(&self, transport: &mut Transport<DuplexStream>) -> usize {
            let (waker, mut bytes) = (Waker::from(self.0.clone()), [0; 8192]);
            let (mut context, mut buffer) = (Context::from_waker(&waker), ReadBuf::new(&mut bytes));
            while Pin::new(&mut *transport).poll_read(&mut context, &mut buffer).is_ready() {}
            buffer.filled().len()
        }

        fn write(&self, transport: &mut Transport<DuplexStream>, bytes: &[u8]) -> Poll<usize> {
            let waker = Waker::from(self.0.clone());
            Pin::new(transport)
                .poll_write(&mut Context::from_waker(&waker), bytes)
                .map(|written| written.expect("it is open"))
        }

        /// How often it was told, since this was asked last.
        fn told(&self) -> usize {
            self.0.0.swap(0, Ordering::Relaxed)
        }
    }

    fn bare(status_line: &str) -> String {
        format!("{status_line}\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}\r\n\r\n")
    }

    async fn read_all(mut stream: DuplexStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it is text");
        text
    }

    #[tokio::test]
    async fn s10_a_refusal_leaves_as_a_problem_however_slowly_it_is_taken() {
        for at_a_time in [1, 7, 100, 100_000] {
            let (mut transport, client) = connected(at_a_time);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{DATE}\r\n\r\nok");
            let bytes = answer.clone() + &bare("HTTP/1.1 431 Request Header Fields Too Large");
            let reading = tokio::spawn(read_all(client));
            transport.write_all(bytes.as_bytes()).await.expect("all of it is taken");
            drop(transport);
            let text = reading.await.expect("it is read");
            let refusal = text.strip_prefix(&answer).expect("the answer before it is as it was");
            let (head, body) = refusal.split_once("\r\n\r\n").expect("it has a body");
            let mut lines = head.lines();
            assert_eq!(lines.next(), Some("HTTP/1.1 431 Request Header Fields Too Large"));
            for line in [
                &format!("content-length: {}", body.len()),
                "connection: close",
                DATE,
                "content-type: application/problem+json",
                "cache-control: no-store",
            ] {
                assert_eq!(
                    head.lines().filter(|other| *other == line).count(),
                    1,
                    "{line}: {head}"
                );
            }
            let problem: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
            assert_eq!(
                (&problem["status"], &problem["code"]),
                (&431.into(), &"headers-too-large".into())
            );
        }
    }

    #[tokio::test]
    async fn s10_requests_are_handed_on_one_at_a_time() {
        for (sent, parts) in [
            (
                "GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nhost: x\r\n\r\nGET",
                &["GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nhost: x\r\n\r\n", "GET"][..],
            ),
            ("a\n\nb\n\r\nc\r\n\n", &["a\n\n", "b\n\r\n", "c\r\n\n"]),
            ("a\r\r\nb\r\n \r\nc\r\n\r\n", &["a\r\r\nb\r\n \r\nc\r\n\r\n"]),
            ("5\r\nabcde\r\n0\r\n\r\nGET", &["5\r\nabcde\r\n0\r\n\r\n", "GET"]),
            (
                "\n\r\n\r\n\na\n\n\n\n\r\n\r\rb\n\n\n",
                &["\n\r\n\r\n\na\n\n", "\n\n\r\n\r\rb\n\n", "\n"],
            ),
        ] {
            for step in [1, 2, 3, 1000] {
                let (mut transport, mut client) = connected(100_000);
                let library = Library::default();
                let mut handed = Vec::new();
                let mut since = 0;
                for piece in sent.as_bytes().chunks(step) {
                    client.write_all(piece).await.expect("it is taken");
                    // As often as it is told to; the first time because there is something.
                    let mut again = true;
                    while again {
                        let bytes = library.read(&mut transport);
                        since += bytes;
                        again = library.told() > 0;
                        let so_far: usize = handed.iter().map(|part: &&str| part.len()).sum();
                        if parts.get(handed.len()).is_some_and(|part| since == part.len()) {
                            handed.push(&sent[so_far..so_far + since]);
                            since = 0;
                        }
                    }
                }
                assert_eq!((&handed[..], since), (parts, 0), "{step}: {sent:?}");
            }
        }
    }

    #[tokio::test]
    async fn s10_a_body_is_handed_on_to_its_end() {
        let (mut transport, mut client) = connected(100_000);
        let library = Library::default();
        client
            .write_all(b"one\r\n\r\ntwo\n\nthreeGET / HTTP/1.1\r\n\r\n")
            .await
            .expect("it is taken");
        assert_eq!((library.read(&mut transport), library.told()), (7, 1));
        transport.turn.body_left.set(b"two\n\nthree".len());
        assert_eq!((library.read(&mut transport), library.told()), (10, 1));
        assert_eq!((library.read(&mut transport), library.told()), (18, 0));
    }

    #[tokio::test]
    async fn s10_nothing_is_read_from_a_client_that_does_not_take_its_answers() {
        let (mut transport, mut client) = connected(100);
        let library = Library::default();
        assert_eq!(library.write(&mut transport, &[b'x'; 150]), Poll::Ready(100));
        assert_eq!(library.write(&mut transport, &[b'x'; 50]), Poll::Pending);
        client.write_all(&[b'y'; 10]).await.expect("it is taken");
        for _ in 0..100 {
            assert_eq!((library.read(&mut transport), library.told()), (0, 0));
            assert_eq!(
                (library.write(&mut transport, &[b'x'; 50]), library.told()),
                (Poll::Pending, 0)
            );
        }
        client.read_exact(&mut [0; 100]).await.expect("it is there");
        assert!(library.told() > 0, "there is room");
        assert_eq!(library.write(&mut transport, &[b'x'; 50]), Poll::Ready(50));
        assert!(library.told() > 0, "there is something to read");
        assert_eq!(library.read(&mut transport), 10);
    }

    #[tokio::test]
    async fn s10_nothing_is_read_while_a_request_is_answered() {
        let (mut transport, mut client) = connected(100);
        let library = Library::default();
        transport.turn.is_ours.set(true);
        let answering = Answering(Some(transport.turn()));
        client.write_all(&[b'y'; 10]).await.expect("it is taken");
        for _ in 0..100 {
            assert_eq!((library.read(&mut transport), library.told()), (0, 0));
        }
        drop(answering);
        assert_eq!(library.write(&mut transport, b"an answer"), Poll::Ready(9));
        assert!(library.told() > 0, "it is the turn of the client");
        assert_eq!(library.read(&mut transport), 10);
        assert_eq!(library.write(&mut transport, b"an answer"), Poll::Ready(9));
        assert_eq!(library.told(), 0, "nothing was left unread");
    }

    #[tokio::test]
    async fn s10_nothing_comes_after_a_refusal() {
        let (mut transport, client) = connected(100_000);
        let refusal = bare("HTTP/1.1 408 Request Timeout").repeat(2);
        let reading = tokio::spawn(read_all(client));
        transport
            .write_all(bare("HTTP/1.1 408 Request Timeout").as_bytes())
            .await
            .expect("it is taken");
        transport.write_all(refusal.as_bytes()).await.expect("it is taken");
        drop(transport);
        assert_eq!(reading.await.expect("it is read").matches("HTTP/1.1").count(), 1);
    }

    #[tokio::test]
    async fn s10_what_comes_after_a_refusal_is_read_for_a_while() {
        let (mut transport, mut client) = connected(100_000);
        let sending = tokio::spawn(async move {
            for _ in 0..20 {
                client.write_all(&[b'x'; 100_000]).await.expect("it is read");
            }
            client
        });
        // It ends although the client is still there.
        transport
            .write_all(bare("HTTP/1.1 400 Bad Request").as_bytes())
            .await
            .expect("it is taken");
        sending.await.expect("all of it was read");
    }

    #[tokio::test]
    async fn s10_a_client_that_does_not_take_its_refusal_holds_nothing() {
        let (mut transport, _client) = connected(1);
        transport
            .write_all(bare("HTTP/1.1 408 Request Timeout").as_bytes())
            .await
            .expect("it is given up");
    }

    #[tokio::test]
    async fn s10_a_connection_on_which_nothing_moves_ends() {
        let patience = Duration::from_millis(50);
        // A client that sends a little now and then and never a whole request.
        let (here, mut client) = duplex(100);
        let mut transport = Transport::with_patience(here, patience);
        let sending = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut byte = [0; 1];
        let error = loop {
            match transport.read_exact(&mut byte).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(transport);
        sending.await.expect("it ends");

        // One that never takes its answer.
        let (here, _client) = duplex(10);
        let mut transport = Transport::with_patience(here, patience);
        let error = transport.write_all(&[b'x'; 100]).await.expect_err("nobody takes it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn s10_who_asks_late_is_answered() {
        // As above.
        const PATIENCE: Duration = Duration::from_secs(1);
        let (here, mut client) = duplex(100);
        let mut transport = Transport::with_patience(here, PATIENCE);
        let turn = transport.turn();
        let asking = tokio::spawn(async move {
            let mut byte = [0; 1];
            tokio::time::sleep(PATIENCE * 19 / 10).await;
            client.write_all(b"x").await.expect("it is open");
            client.read_exact(&mut byte).await.expect("it is open");
            client
        });
        let mut byte = [0; 1];
        transport.read_exact(&mut byte).await.expect("it is open");
        turn.was_asked.set(true);
        turn.is_ours.set(true);
        // The library looks whether more comes.
        let reading = tokio::time::timeout(PATIENCE / 2, transport.read_exact(&mut byte)).await;
        assert!(reading.is_err(), "it is being answered: {reading:?}");
        turn.is_ours.set(false);
        transport.write_all(b"y").await.expect("it is open");
        let client = asking.await.expect("it is answered");
        let error = transport.read_exact(&mut byte).await.expect_err("nothing more is asked");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn s10_a_connection_that_is_answered_now_and_then_lives() {
        // Long enough that a machine with much to do does not miss it, and short against all
        // questions together.
        const PATIENCE: Duration = Duration::from_secs(1);
        const QUESTIONS: u32 = 15;
        let (here, mut client) = duplex(100);
        let mut transport = Transport::with_patience(here, PATIENCE);
        let asking = tokio::spawn(async move {
            let mut byte = [0; 1];
            for _ in 0..QUESTIONS {
                tokio::time::sleep(PATIENCE / 5).await;
                client.write_all(b"x").await.expect("it is open");
                client.read_exact(&mut byte).await.expect("it is open");
            }
        });
        let mut byte = [0; 1];
        for _ in 0..QUESTIONS {
            transport.read_exact(&mut byte).await.expect("it is open");
            transport.write_all(b"y").await.expect("it is open");
        }
        asking.await.expect("all is answered");
    }
}

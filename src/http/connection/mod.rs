//! The layer between a connection and the HTTP library, and what it works around in it.
//!
//! All of it is about HTTP/1 in actix-http 3.20.0 (`src/h1/dispatcher.rs` there). None of it can
//! be had by configuration. Without this layer:
//!
//! 1. *Refusals have no body.* What the library refuses before there is a request (400 for what it
//!    cannot parse, 431 for a large head, 408 for a slow one; `poll_request`, `poll_head_timer`)
//!    leaves as a bare status line, past all middleware, and is counted nowhere. Here it becomes a
//!    problem (`refusal.rs`).
//! 2. *Refusals are lost.* The library closes while the client still sends. The system then resets
//!    the connection, and the client may never read the refusal. Here the rest is read for a moment
//!    first.
//! 3. *Pipelined requests are read without bounds of ours.* The library decodes up to 16 requests
//!    ahead and buffers another 128 KiB (`MAX_PIPELINED_MESSAGES`, `MAX_BUFFER_SIZE`). With both
//!    full, `read_available` wakes its own task each time it is polled: one client that pipelines
//!    and does not read keeps a core busy.
//! 4. *Answers take the form of a later request.* The library's codec keeps the version, the method
//!    and the keep-alive of the request decoded last. With two in the pipeline, the answer to a GET
//!    before a HEAD has no body. Here requests are handed on one at a time (`state.rs`).
//! 5. *A head may have 128 KiB*, and unfinished heads have no limit together. Here a head ends with
//!    18 KiB, and what unfinished heads hold is allotted (`connections.rs`).
//! 6. *A request that arrived is refused as too slow* when the worker was busy: the library looks
//!    at the clock before it looks at the socket. Here the clock counts when there was nothing to
//!    read.
//! 7. *A fragment in the request line is dropped*, where others may read another path.
//! 8. *A client that does not read keeps its connection open indefinitely.* The keep-alive timer
//!    runs only when nothing is left to write, and nothing times the writing. Here a connection on
//!    which nothing moves is closed.
//!
//! `tests/it/faults/inbound.rs` shows each with the whole program.

// In reading order.

mod state;
mod refusal;

use std::future::Future as _;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};

use super::connections::OpenConnection;
use crate::answers::Contexts;
use crate::api::problem::Problem;
use crate::telemetry::Metrics;
use refusal::{BareRefusal, Refusal};
use state::{BODY_READ_BYTES, MAX_UNUSED_BYTES, State};

#[cfg(any(test, fuzzing))]
pub use refusal::MAX_HEAD_BYTES;
pub use refusal::REQUEST_TIMEOUT;
pub use state::{Answering, SharedState, has_body};

/// A connection on which nothing was asked or written for this time is closed, after twice the
/// time at most. It is longer than a request takes: a body takes at most five seconds, and its
/// answer ten.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The library's own timeout for idle connections. It counts from when the library has written an
/// answer, even if the client has not taken it, so that it must not be the first to end.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3 * IDLE_TIMEOUT.as_secs());
/// How much is read at a time: the head of most requests.
const READ_BYTES: usize = 1 << 10;

/// A connection, as the HTTP library sees it.
pub struct Connection<S> {
    stream: S,
    shared: Rc<SharedState>,
    buffer: Box<[u8; READ_BYTES]>,
    /// The part of the buffer that is not handed on yet.
    unread: Range<usize>,
    output: Output,
    /// Whether the library tried to read while it must not, so that it has to be woken.
    is_paused: bool,
    /// How much of an unfinished head was handed on.
    head_bytes: usize,
    /// How much of a body was read after the request was answered.
    unused_bytes: usize,
    /// None in tests of this layer.
    service: Option<Service>,
    /// How often the connection is checked for being idle.
    idle_timeout: Duration,
    /// The next check. Nothing is timed for a single request: that would be most of the cost of
    /// this layer.
    idle_check: Pin<Box<Sleep>>,
    /// The task that the check wakes.
    woken_by_check: Option<Waker>,
    /// Whether nothing was written or asked since the last check.
    is_idle: bool,
    /// Whether the head of the first request is not whole yet, for which the first check is.
    is_new: bool,
}

/// What a connection of the service has, and one of a test of this layer does not need.
pub struct Service {
    /// Its place among all connections.
    pub place: OpenConnection,
    /// For the time.
    pub contexts: Arc<Contexts>,
    /// Counts refusals.
    pub metrics: Arc<Metrics>,
}

/// What becomes of the bytes that the library writes.
enum Output {
    /// They go to the client.
    Open,
    /// They wait until the client has taken what was written before.
    Blocked,
    /// This refusal goes in their place.
    Refusing(Refusal),
    /// A refusal was sent, and nothing comes after it.
    Refused,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A new connection.
    pub fn new(stream: S) -> Self {
        Self {
            idle_check: Box::pin(sleep(REQUEST_TIMEOUT)),
            is_new: true,
            ..Self::answered_before(stream, IDLE_TIMEOUT)
        }
    }

    /// A connection on which something was answered already.
    fn answered_before(stream: S, idle_timeout: Duration) -> Self {
        Self {
            stream,
            shared: Rc::default(),
            buffer: Box::new([0; READ_BYTES]),
            unread: 0..0,
            output: Output::Open,
            is_paused: false,
            head_bytes: 0,
            unused_bytes: 0,
            service: None,
            idle_timeout,
            idle_check: Box::pin(sleep(idle_timeout)),
            woken_by_check: None,
            is_idle: false,
            is_new: false,
        }
    }

    /// The same connection as part of the service.
    pub fn of_service(self, service: Service) -> Self {
        Self { service: Some(service), ..self }
    }

    /// What [`Answering`] looks for in the data of the connection.
    pub fn shared_state(&self) -> Rc<SharedState> {
        self.shared.clone()
    }

    /// Waits until something can be done; an error when the connection is idle for too long.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let is_woken =
            self.woken_by_check.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_woken && !self.idle_check.is_elapsed() {
            return Poll::Pending;
        }
        // Unconstrained, because a task that has used up its cooperative budget would return
        // pending without being woken.
        while pin!(unconstrained(self.idle_check.as_mut())).poll(context).is_ready() {
            if self.is_new {
                self.refuse(&refusal::too_slow());
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.is_idle && !self.shared.has_request.get() {
                let error = io::Error::new(io::ErrorKind::TimedOut, "the connection is idle");
                return Poll::Ready(Err(error));
            }
            self.is_idle = !self.shared.has_request.take();
            self.idle_check.as_mut().reset(Instant::now() + self.idle_timeout);
        }
        self.woken_by_check = Some(context.waker().clone());
        if let Some(service) = &self.service {
            service.place.wake_to_close(context.waker());
            // It may have had to close before that.
            self.check_place()?;
        }
        Poll::Pending
    }

    /// An error when the place is needed for another client.
    fn check_place(&self) -> io::Result<()> {
        match &self.service {
            Some(service) if service.place.must_close() => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the place is needed"))
            }
            _ => Ok(()),
        }
    }

    /// Sends this problem in place of what the library writes from now on.
    fn refuse(&mut self, problem: &Problem) {
        self.count_refusal(problem.status);
        let now = self.service.as_ref().map(|service| service.contexts.now().utc);
        self.output = Output::Refusing(Refusal::of(problem, now.unwrap_or_default()));
    }

    fn count_refusal(&self, status: u16) {
        if let Some(Service { metrics, .. }) = &self.service {
            metrics.count_unread_request(status);
        }
    }

    /// Sends the refusal, if there is one. Nothing is read or written after it.
    fn send_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Output::Refusing(refusal) = &mut self.output {
            ready!(refusal.send(&mut self.stream, context))?;
            self.output = Output::Refused;
        }
        Poll::Ready(Ok(()))
    }

    /// Counts the bytes of a head, to which these were added.
    ///
    /// # Errors
    /// When the head is too large.
    fn count_head(&mut self, added: usize, is_whole: bool) -> Result<(), Problem> {
        self.head_bytes += added;
        if self.head_bytes > refusal::MAX_HEAD_BYTES {
            return Err(refusal::too_large());
        }
        if is_whole {
            self.is_new = false;
            self.head_bytes = 0;
            self.hold_head()?;
        }
        Ok(())
    }

    /// Holds memory for the part of a head that is handed on, beyond the first read.
    ///
    /// # Errors
    /// When there is none left.
    fn hold_head(&self) -> Result<(), Problem> {
        let bytes = if self.head_bytes > READ_BYTES { self.head_bytes } else { 0 };
        match &self.service {
            Some(service) if !service.place.hold_head(bytes) => Err(refusal::too_many()),
            _ => Ok(()),
        }
    }

    /// Reads a part of a body, without a copy in between.
    fn read_body(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        bytes_left: usize,
    ) -> Poll<io::Result<()>> {
        let is_unused = !self.shared.is_answering.get();
        if is_unused && self.unused_bytes >= MAX_UNUSED_BYTES {
            return self.wait(context);
        }
        let most = BODY_READ_BYTES.min(bytes_left).min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let read = Pin::new(&mut self.stream).poll_read(context, &mut part);
        if read.is_pending() {
            return self.wait(context);
        }
        let (taken, state) = State::Body { bytes_left }.take(part.filled());
        self.shared.state.set(state);
        self.unused_bytes += if is_unused { taken } else { 0 };
        buffer.advance(taken);
        read
    }

    /// Gives the library time to read the request that ended.
    fn leave_ended(&self) -> bool {
        let has_ended = self.shared.state.get() == State::Ended;
        if has_ended {
            self.shared.state.set(State::BeforeHead);
        }
        has_ended
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_pending() {
            self.output = Output::Blocked;
            return self.wait(context);
        }
        self.output = Output::Open;
        self.is_idle = false;
        self.shared.has_request.set(false);
        if std::mem::take(&mut self.is_paused) {
            // The library reads before it writes, and would not read again by itself.
            context.waker().wake_by_ref();
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.check_place()?;
        if matches!(this.output, Output::Refusing(_) | Output::Refused) {
            return this.send_refusal(context);
        }
        if matches!(this.output, Output::Blocked) || this.shared.state.get() == State::Answering {
            this.is_paused = true;
            this.leave_ended();
            return this.wait(context);
        }
        if this.unread.is_empty() {
            if let State::Body { bytes_left } = this.shared.state.get() {
                return this.read_body(context, buffer, bytes_left);
            }
            let mut read = ReadBuf::new(this.buffer.as_mut_slice());
            match Pin::new(&mut this.stream).poll_read(context, &mut read) {
                Poll::Pending => {
                    this.leave_ended();
                    if let Err(problem) = this.hold_head() {
                        this.refuse(&problem);
                        return this.send_refusal(context);
                    }
                    return this.wait(context);
                }
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    this.unread = 0..read.filled().len()
                }
                ended => return ended,
            }
        }
        if this.leave_ended() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let unread = this.buffer.get(this.unread.clone()).unwrap_or_default();
        let unread = unread.get(..buffer.remaining()).unwrap_or(unread);
        let before = this.shared.state.get();
        let (taken, state) = before.take(unread);
        if !this.shared.is_answering.get() && !matches!(before, State::Body { .. }) {
            let has_fragment = before.has_fragment(unread);
            let counted = this.count_head(taken, state == State::Ended);
            let refused = if has_fragment { Err(refusal::has_fragment()) } else { counted };
            if let Err(problem) = refused {
                this.refuse(&problem);
                return this.send_refusal(context);
            }
        }
        let unread = this.buffer.get(this.unread.clone()).unwrap_or_default();
        this.shared.state.set(state);
        this.unread.start += taken;
        buffer.put_slice(unread.get(..taken).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.check_place()?;
        if matches!(this.output, Output::Open | Output::Blocked) {
            match BareRefusal::find(buffer) {
                None => return this.write(context, buffer),
                Some((0, bare)) => {
                    this.count_refusal(bare.status());
                    this.output = Output::Refusing(Refusal::instead_of(&bare));
                }
                // What is before it is an answer that goes as it is.
                Some((start, _)) => {
                    return this.write(context, buffer.get(..start).unwrap_or_default());
                }
            }
        }
        ready!(this.send_refusal(context))?;
        // The library may refuse again while the refusal is on its way.
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

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const DATE: &str = "date: Wed, 12 Aug 2026 00:00:00 GMT";

    /// A connection, and its other end, which accepts this many bytes at a time.
    fn connected(bytes: usize) -> (Connection<DuplexStream>, DuplexStream) {
        let (here, there) = duplex(bytes);
        (Connection::new(here), there)
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The HTTP library, which reads and writes, and is woken to do so again.
    #[derive(Default)]
    struct Library(Arc<Wakes>);

    impl Library {
        /// How many bytes it reads until it has to stop.
        fn read(&self, connection: &mut Connection<DuplexStream>) -> usize {
            let (waker, mut bytes) = (Waker::from(self.0.clone()), [0; 8192]);
            let (mut context, mut buffer) = (Context::from_waker(&waker), ReadBuf::new(&mut bytes));
            let mut has_read = true;
            while has_read && buffer.remaining() > 0 {
                let read = Pin::new(&mut *connection).poll_read(&mut context, &mut buffer);
                has_read = read.is_ready();
            }
            buffer.filled().len()
        }

        fn write(&self, connection: &mut Connection<DuplexStream>, bytes: &[u8]) -> Poll<usize> {
            let waker = Waker::from(self.0.clone());
            Pin::new(connection)
                .poll_write(&mut Context::from_waker(&waker), bytes)
                .map(|written| written.expect("it is open"))
        }

        /// How often it was woken since the last call.
        fn wakes(&self) -> usize {
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
            let (mut connection, client) = connected(at_a_time);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{DATE}\r\n\r\nok");
            let bytes = answer.clone() + &bare("HTTP/1.1 431 Request Header Fields Too Large");
            let reading = tokio::spawn(read_all(client));
            connection.write_all(bytes.as_bytes()).await.expect("all of it is taken");
            drop(connection);
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
                let (mut connection, mut client) = connected(100_000);
                let library = Library::default();
                let mut handed = Vec::new();
                let mut since = 0;
                for piece in sent.as_bytes().chunks(step) {
                    client.write_all(piece).await.expect("it is taken");
                    // As often as it is woken; the first time because there is something.
                    let mut again = true;
                    while again {
                        let bytes = library.read(&mut connection);
                        since += bytes;
                        again = library.wakes() > 0;
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
        let (mut connection, mut client) = connected(100_000);
        let library = Library::default();
        client
            .write_all(b"one\r\n\r\ntwo\n\nthreeGET / HTTP/1.1\r\n\r\n")
            .await
            .expect("it is taken");
        assert_eq!((library.read(&mut connection), library.wakes()), (7, 1));
        let bytes_left = b"two\n\nthree".len();
        connection.shared.state.set(State::Body { bytes_left });
        assert_eq!((library.read(&mut connection), library.wakes()), (10, 1));
        assert_eq!((library.read(&mut connection), library.wakes()), (18, 0));
    }

    #[tokio::test]
    async fn h03_a_body_that_is_not_used_is_read_up_to_a_limit() {
        let body = vec![b'x'; 3 << 20];
        for (is_answered, expected) in [(true, MAX_UNUSED_BYTES), (false, body.len())] {
            let (mut connection, mut client) = connected(body.len());
            let library = Library::default();
            client.write_all(&body).await.expect("it is taken");
            connection.shared.state.set(State::Body { bytes_left: body.len() + 1 });
            connection.shared.is_answering.set(!is_answered);
            let mut read = 0;
            while let bytes @ 1.. = library.read(&mut connection) {
                read += bytes;
                tokio::task::yield_now().await;
            }
            // A read more, which may begin below the limit.
            assert!((expected..expected + BODY_READ_BYTES).contains(&read), "{read}");
        }
    }

    #[tokio::test]
    async fn s10_nothing_is_read_from_a_client_that_does_not_take_its_answers() {
        let (mut connection, mut client) = connected(100);
        let library = Library::default();
        assert_eq!(library.write(&mut connection, &[b'x'; 150]), Poll::Ready(100));
        assert_eq!(library.write(&mut connection, &[b'x'; 50]), Poll::Pending);
        client.write_all(&[b'y'; 10]).await.expect("it is taken");
        for _ in 0..100 {
            assert_eq!((library.read(&mut connection), library.wakes()), (0, 0));
            assert_eq!(
                (library.write(&mut connection, &[b'x'; 50]), library.wakes()),
                (Poll::Pending, 0)
            );
        }
        client.read_exact(&mut [0; 100]).await.expect("it is there");
        assert!(library.wakes() > 0, "there is room");
        assert_eq!(library.write(&mut connection, &[b'x'; 50]), Poll::Ready(50));
        assert!(library.wakes() > 0, "there is something to read");
        assert_eq!(library.read(&mut connection), 10);
    }

    #[tokio::test]
    async fn s10_nothing_is_read_while_a_request_is_answered() {
        let (mut connection, mut client) = connected(100);
        let library = Library::default();
        connection.shared.state.set(State::Answering);
        let answering = Answering(Some(connection.shared_state()));
        client.write_all(&[b'y'; 10]).await.expect("it is taken");
        for _ in 0..100 {
            assert_eq!((library.read(&mut connection), library.wakes()), (0, 0));
        }
        drop(answering);
        assert_eq!(library.write(&mut connection, b"an answer"), Poll::Ready(9));
        assert!(library.wakes() > 0, "the client may ask again");
        assert_eq!(library.read(&mut connection), 10);
        assert_eq!(library.write(&mut connection, b"an answer"), Poll::Ready(9));
        assert_eq!(library.wakes(), 0, "nothing was left unread");
    }

    #[tokio::test]
    async fn s10_nothing_comes_after_a_refusal() {
        let (mut connection, client) = connected(100_000);
        let refusal = bare("HTTP/1.1 431 Request Header Fields Too Large").repeat(2);
        let reading = tokio::spawn(read_all(client));
        connection
            .write_all(bare("HTTP/1.1 431 Request Header Fields Too Large").as_bytes())
            .await
            .expect("it is taken");
        connection.write_all(refusal.as_bytes()).await.expect("it is taken");
        drop(connection);
        assert_eq!(reading.await.expect("it is read").matches("HTTP/1.1").count(), 1);
    }

    #[tokio::test]
    async fn s10_what_comes_after_a_refusal_is_read_for_a_while() {
        let (mut connection, mut client) = connected(100_000);
        let sending = tokio::spawn(async move {
            for _ in 0..20 {
                client.write_all(&[b'x'; 100_000]).await.expect("it is read");
            }
            client
        });
        // It ends although the client is still there.
        connection
            .write_all(bare("HTTP/1.1 400 Bad Request").as_bytes())
            .await
            .expect("it is taken");
        sending.await.expect("all of it was read");
    }

    #[tokio::test]
    async fn h01_a_head_ends_with_eighteen_kibibytes() {
        let heads = |bytes: usize| {
            let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(bytes));
            head.repeat(2)
        };
        for (sent, is_refused) in [(heads(MAX_HEAD_BYTES - 30), false), (heads(1 << 20), true)] {
            let (mut connection, mut client) = connected(4 << 20);
            client.write_all(sent.as_bytes()).await.expect("it is taken");
            let mut handed = Vec::new();
            let mut piece = [0; 8192];
            let reading = async {
                loop {
                    let count = connection.read(&mut piece).await.expect("it is open");
                    handed.extend_from_slice(&piece[..count]);
                    if count == 0 || handed.len() == sent.len() {
                        break;
                    }
                }
            };
            let talking = async {
                client.shutdown().await.expect("it is open");
                if is_refused { read_all(client).await } else { String::new() }
            };
            let ((), answer) = tokio::join!(reading, talking);
            assert_eq!(handed.len() <= MAX_HEAD_BYTES, is_refused, "{}", handed.len());
            assert_eq!(answer.starts_with("HTTP/1.1 431 "), is_refused, "{answer}");
            assert_eq!(answer.contains("headers-too-large"), is_refused, "{answer}");
        }
    }

    #[tokio::test]
    async fn h22_fragments_are_refused_in_whatever_pieces_they_arrive() {
        for (head, is_refused) in [
            (&b"GET /a#b HTTP/1.1\r\n\r\n"[..], true),
            (b"\r\nGET /a# HTTP/1.1\r\n\r\n", true),
            (b"GET /a HTTP/1.1\r\nx: #\r\n\r\n", false),
        ] {
            for step in 1..head.len() {
                let (mut connection, mut client) = connected(1000);
                let library = Library::default();
                for piece in head.chunks(step) {
                    client.write_all(piece).await.expect("it is taken");
                    library.read(&mut connection);
                    // A new cooperative budget.
                    tokio::task::yield_now().await;
                }
                let mut answer = [0; 12];
                let answered = client.read(&mut answer).now_or_never().is_some();
                let is_400 = answer == *b"HTTP/1.1 400";
                assert_eq!((answered, is_400), (is_refused, is_refused), "{step} of {head:?}");
            }
        }
    }

    #[tokio::test]
    async fn h05_a_request_that_arrived_is_not_late_because_the_worker_was_busy() {
        for arrives in [true, false] {
            let (mut connection, mut client) = connected(1000);
            let library = Library::default();
            assert_eq!(library.read(&mut connection), 0);
            if arrives {
                client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is taken");
            }
            // The time is over, and the connection was not polled meanwhile.
            connection.idle_check.as_mut().reset(Instant::now());
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert_eq!(library.read(&mut connection) > 0, arrives);
            library.read(&mut connection);
            let mut answer = [0; 12];
            let answered = client.read(&mut answer).now_or_never();
            let is_late = answered.is_some_and(|read| read.is_ok_and(|bytes| bytes > 0));
            assert_eq!(is_late, !arrives, "{}", String::from_utf8_lossy(&answer));
            assert!(!is_late || answer == *b"HTTP/1.1 408");
        }
    }

    #[tokio::test]
    async fn s10_a_client_that_does_not_take_its_refusal_holds_nothing() {
        let (mut connection, _client) = connected(1);
        connection
            .write_all(bare("HTTP/1.1 408 Request Timeout").as_bytes())
            .await
            .expect("it is given up");
    }

    #[tokio::test]
    async fn s10_a_connection_on_which_nothing_moves_ends() {
        let timeout = Duration::from_millis(50);
        // A client that sends a little now and then and never a whole request.
        let (here, mut client) = duplex(100);
        let mut connection = Connection::answered_before(here, timeout);
        let sending = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut byte = [0; 1];
        let error = loop {
            match connection.read_exact(&mut byte).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(connection);
        sending.await.expect("it ends");

        // One that never takes its answer.
        let (here, _client) = duplex(10);
        let mut connection = Connection::answered_before(here, timeout);
        let error = connection.write_all(&[b'x'; 100]).await.expect_err("it is never taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn s10_a_late_request_is_answered() {
        // As above.
        const TIMEOUT: Duration = Duration::from_secs(1);
        let (here, mut client) = duplex(100);
        let mut connection = Connection::answered_before(here, TIMEOUT);
        let shared = connection.shared_state();
        let asking = tokio::spawn(async move {
            let mut byte = [0; 1];
            tokio::time::sleep(TIMEOUT * 19 / 10).await;
            client.write_all(b"x").await.expect("it is open");
            client.read_exact(&mut byte).await.expect("it is open");
            client
        });
        let mut byte = [0; 1];
        connection.read_exact(&mut byte).await.expect("it is open");
        shared.has_request.set(true);
        shared.state.set(State::Answering);
        // The library looks whether more comes.
        let reading = tokio::time::timeout(TIMEOUT / 2, connection.read_exact(&mut byte)).await;
        assert!(reading.is_err(), "it is being answered: {reading:?}");
        shared.state.set(State::BeforeHead);
        connection.write_all(b"y").await.expect("it is open");
        let client = asking.await.expect("it is answered");
        let error = connection.read_exact(&mut byte).await.expect_err("nothing more is asked");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn s10_a_connection_that_is_answered_now_and_then_lives() {
        // Long enough that a machine with much to do does not miss it, and short against all
        // questions together.
        const TIMEOUT: Duration = Duration::from_secs(1);
        const QUESTIONS: u32 = 15;
        let (here, mut client) = duplex(100);
        let mut connection = Connection::answered_before(here, TIMEOUT);
        let asking = tokio::spawn(async move {
            let mut byte = [0; 1];
            for _ in 0..QUESTIONS {
                tokio::time::sleep(TIMEOUT / 5).await;
                client.write_all(b"x").await.expect("it is open");
                client.read_exact(&mut byte).await.expect("it is open");
            }
        });
        let mut byte = [0; 1];
        for _ in 0..QUESTIONS {
            connection.read_exact(&mut byte).await.expect("it is open");
            connection.write_all(b"y").await.expect("it is open");
        }
        asking.await.expect("all is answered");
    }
}

//! A registry of our own making that does what a test tells it to: right, wrong, slowly, or not at
//! all.
//!
//! It speaks HTTP/1.1 by hand over TCP or TLS, so that it can also break the protocol itself. What
//! each request gets is decided by a script, a function of the request; every request is
//! remembered. It lives in the test's own runtime, on a loopback address, and ends with the test.

pub mod behaviour;
pub mod holdings;
pub mod tls;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use behaviour::{Behaviour, Response};

/// What a request gets.
pub type Script = Arc<dyn Fn(&Asked) -> Behaviour + Send + Sync>;

/// The pause between two bytes of a trickle. The answers are long enough that the whole never
/// arrives in time.
const TRICKLE_PAUSE: Duration = Duration::from_millis(100);
/// A head that is longer is not a request of the program under test.
const MAX_HEAD_BYTES: u64 = 64 << 10;
/// Longer than any wait in a test takes; then the test has failed.
const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A running registry; dropping it ends it.
pub struct MisbehavingRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    fails_on_credentials: bool,
}

struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    arrived: watch::Sender<usize>,
    tls: Option<TlsAcceptor>,
}

impl MisbehavingRegistry {
    /// A registry on a free port of 127.0.0.1 that follows this script.
    pub async fn start(script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", None, script).await
    }

    /// The same over TLS.
    pub async fn start_tls(
        tls: TlsAcceptor,
        script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        Self::listen("127.0.0.1:0", Some(tls), script).await
    }

    /// A host that must never be shown a credential: the test fails if it sees one. It answers
    /// everything with this.
    pub async fn trap(ip: &str, behaviour: Behaviour) -> Self {
        let mut trap = Self::listen(&format!("{ip}:0"), None, move |_| behaviour.clone()).await;
        trap.fails_on_credentials = true;
        trap
    }

    async fn listen(
        address: &str,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("loopback has free ports");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            arrived: watch::channel(0).0,
            tls,
        });
        let address = listener.local_addr().expect("it is bound");
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, server, fails_on_credentials: false }
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it follows this script.
    pub fn behave(&self, script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
    }

    /// Closes its port and all connections.
    pub async fn stop(&mut self) {
        self.server.abort();
        // It has ended only when the port is closed.
        let _ = (&mut self.server).await;
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The targets of the requests so far.
    pub fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }

    /// How many requests had a target with this in it.
    pub fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|request| request.target.contains(part)).count()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until this many requests have arrived.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        let wait = arrived.wait_for(|arrived| *arrived >= count);
        tokio::time::timeout(WAIT_TIMEOUT, wait)
            .await
            .expect("the requests arrive")
            .expect("the registry lives");
    }

    fn credentials_seen(&self) -> usize {
        let shows = |request: &&Asked| {
            request.headers.iter().any(|(name, _)| {
                ["authorization", "proxy-authorization", "cookie"].contains(&&**name)
            })
        };
        self.requests().iter().filter(shows).count()
    }
}

impl Drop for MisbehavingRegistry {
    fn drop(&mut self) {
        self.server.abort();
        if self.fails_on_credentials && !std::thread::panicking() {
            assert_eq!(
                self.credentials_seen(),
                0,
                "a host that must not see credentials was shown them"
            );
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            // The client may go away at any time; what it asked is what a test looks at.
            let _ = match shared.tls.clone() {
                None => converse(stream, &shared, |stream| drop(stream.set_zero_linger())).await,
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    converse(stream, &shared, |stream| drop(stream.get_ref().0.set_zero_linger()))
                        .await
                }
            };
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection until one of them ends it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Shared,
    close_with_reset: impl Fn(&S),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read_head(&mut stream).await? {
        let is_head = asked.method == "HEAD";
        let script = Arc::clone(&shared.script.lock().unwrap_or_else(PoisonError::into_inner));
        let mut behaviour = script(&asked);
        shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        shared.arrived.send_modify(|arrived| *arrived += 1);
        while let Behaviour::Held(latch, then) = behaviour {
            latch.opened().await;
            behaviour = *then;
        }
        match behaviour {
            Behaviour::Answer(response) => {
                stream.write_all(&response.bytes(is_head)).await?;
                continue;
            }
            Behaviour::Raw(bytes) => stream.write_all(&bytes).await?,
            Behaviour::ResetAfter(response, count) => {
                let bytes = response.bytes(is_head);
                stream.write_all(&bytes[..count.min(bytes.len())]).await?;
                stream.flush().await?;
                close_with_reset(stream.get_ref());
                return Ok(());
            }
            Behaviour::Trickle(response) => trickle(&mut stream, &response).await?,
            Behaviour::Flood(response, byte_count) => {
                flood(&mut stream, &response, byte_count).await?
            }
            Behaviour::Silence => until_the_client_leaves(&mut stream).await?,
            Behaviour::Held(..) => unreachable!("the loop above opened all latches"),
        }
        return stream.shutdown().await;
    }
    Ok(())
}

/// The next request, or nothing when the client has closed.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<Option<Asked>> {
    let mut lines = stream.take(MAX_HEAD_BYTES).lines();
    let Some(first) = lines.next_line().await? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Asked { method, target, headers }))
}

async fn trickle<S: AsyncWrite + Unpin>(
    stream: &mut S,
    response: &Response,
) -> std::io::Result<()> {
    for byte in response.bytes(false) {
        stream.write_all(&[byte]).await?;
        stream.flush().await?;
        tokio::time::sleep(TRICKLE_PAUSE).await;
    }
    Ok(())
}

/// A body of unknown length: the head without a length, then spaces, chunk by chunk.
async fn flood<S: AsyncWrite + Unpin>(
    stream: &mut S,
    response: &Response,
    byte_count: usize,
) -> std::io::Result<()> {
    const CHUNK: usize = 0x1_0000;
    stream.write_all(&response.chunked_head()).await?;
    let mut chunk = b"10000\r\n".to_vec();
    chunk.resize(chunk.len() + CHUNK, b' ');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..byte_count / CHUNK {
        stream.write_all(&chunk).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

async fn until_the_client_leaves<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let mut rest = [0; 256];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The address of a port without a listener.
pub fn closed_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").to_string()
}

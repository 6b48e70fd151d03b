//! A registry far away: a proxy on loopback that holds each request back for a while and then
//! passes it on.
//!
//! The time is added to each request and not to each connection, as a real distance would. Each
//! request is printed on stderr with a number, which shows how many round trips an answer
//! took.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Passes requests without a body on to a server, each a little later, until a signal.
#[derive(Parser)]
struct Arguments {
    /// Address and port of the server.
    upstream: SocketAddr,
    /// What is added to each request, in milliseconds.
    #[arg(long, default_value_t = 30)]
    delay_milliseconds: u64,
    /// The port on 127.0.0.1; a free one when not given.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// A longer head is not passed on; those of registry clients have a few hundred bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// What a connection begins with when the client wants TLS: the type of a handshake record (RFC
/// 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Arguments { upstream, delay_milliseconds, port } = Arguments::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let requests = Arc::new(AtomicUsize::new(0));
    let delay = Duration::from_millis(delay_milliseconds);
    loop {
        let (client, _) = listener.accept().await?;
        let requests = requests.clone();
        // A broken connection affects no other.
        tokio::spawn(async move { pass_on(client, upstream, delay, &requests).await });
    }
}

/// Passes on one connection. What comes back is not looked at, so that a client must wait for its
/// answer before it asks again, as those of HTTP/1.1 do.
async fn pass_on(
    client: TcpStream,
    upstream: SocketAddr,
    delay: Duration,
    requests: &AtomicUsize,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let mut from_client = BufReader::new(from_client);
    // A client that tries TLS first has to hear at once that there is none.
    if from_client.fill_buf().await?.first() == Some(&TLS_HANDSHAKE) {
        return Ok(());
    }
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        while let Some(head) = read_head(&mut from_client).await? {
            let first = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
            eprintln!("request {number}: {}", String::from_utf8_lossy(first));
            tokio::time::sleep(delay).await;
            to_server.write_all(&head).await?;
        }
        Ok(())
    };
    let answering = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended.map(drop),
    }
}

/// The next request up to the empty line, or nothing when the client has closed.
async fn read_head(
    client: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_until(b'\n', &mut head).await? == 0 || head.len() > MAX_HEAD_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

//! Requests at a steady rate, and how long their answers took.
//!
//! Each request has a moment at which it is due, and its latency is counted from that moment: when
//! the server holds up those before it, that is part of what it took. (A client that asks again
//! only after an answer, as `wrk` does, leaves out the requests that it would have made meanwhile,
//! and with them the long waits.)
//!
//! One thread looks after all connections without ever sleeping, because a timer of the system or
//! of tokio would be late by more than an answer takes. So reserve a core for it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;

/// Sends GET requests at a steady rate and prints how long the answers took, in microseconds.
#[derive(Parser)]
struct Arguments {
    /// Address and port of the server.
    server: SocketAddr,
    /// Path and query. NUMBER in it is another number for each request.
    target: String,
    /// Requests a second; as fast as the connections can when not given.
    #[arg(long)]
    rate: Option<f64>,
    /// How many requests.
    #[arg(long, default_value_t = 1000)]
    requests: usize,
    /// How many connections; a request that is due when all of them are busy waits.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// After how many seconds it is given up.
    #[arg(long, default_value_t = 60)]
    timeout_seconds: u64,
}

/// What in the target is replaced by the number of the request.
const NUMBER: &str = "NUMBER";

/// A connection, and what of the answer under way has arrived.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// When the request under way was due.
    due: Option<Instant>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut latencies = measure(&arguments)?;
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let at = (share * latencies.len() as f64).ceil() as usize;
        latencies.get(at.max(1) - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    println!(
        "requests {} p50 {:.1} p90 {:.1} p99 {:.1} max {:.1}",
        latencies.len(),
        quantile(0.50),
        quantile(0.90),
        quantile(0.99),
        quantile(1.0)
    );
    Ok(())
}

/// Sends all requests and returns the latency of each.
fn measure(arguments: &Arguments) -> io::Result<Vec<Duration>> {
    let Arguments { server, target, .. } = arguments;
    let request_for =
        |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n\r\n").into_bytes();
    let are_alike = !target.contains(NUMBER);
    let mut request = request_for(target);
    let open = |_| Connection::open(*server);
    let mut connections =
        (0..arguments.connections.max(1)).map(open).collect::<io::Result<Vec<_>>>()?;
    let mut latencies = Vec::with_capacity(arguments.requests);
    let start = Instant::now();
    let end = start + Duration::from_secs(arguments.timeout_seconds);
    let due_at = |number: usize, now| match arguments.rate {
        Some(rate) => start + Duration::from_secs_f64(number as f64 / rate),
        None => now,
    };
    let (mut sent, mut turn) = (0, 0);
    while latencies.len() < arguments.requests {
        let now = Instant::now();
        if now > end {
            return Err(io::Error::new(ErrorKind::TimedOut, "the answers do not come"));
        }
        // In turn, so that the server closes none as idle.
        turn = (turn + 1) % connections.len();
        let connection = &mut connections[turn];
        let under_way = connection.due;
        match under_way {
            Some(due) if connection.is_answered()? => {
                latencies.push(due.elapsed());
                connection.due = None;
            }
            None if sent < arguments.requests && due_at(sent, now) <= now => {
                if !are_alike {
                    request = request_for(&target.replace(NUMBER, &sent.to_string()));
                }
                connection.send(&request, due_at(sent, now))?;
                sent += 1;
            }
            _ => {}
        }
    }
    Ok(latencies)
}

impl Connection {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), due: None })
    }

    /// A request is so short that it fits into the buffer of an idle connection.
    fn send(&mut self, request: &[u8], due: Instant) -> io::Result<()> {
        self.stream.write_all(request)?;
        self.due = Some(due);
        Ok(())
    }

    /// Whether the whole answer is there.
    fn is_answered(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server closed a connection",
                ));
            }
            Ok(length) => self.received.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        let Some(length) = length_of_answer(&self.received)? else { return Ok(false) };
        let is_whole = self.received.len() >= length;
        if is_whole {
            self.received.clear();
        }
        Ok(is_whole)
    }
}

/// How many bytes an answer has with its head; nothing while the head is not all there. An answer
/// that is not a 200 with a length ends the measurement.
fn length_of_answer(received: &[u8]) -> io::Result<Option<usize>> {
    let Some(head_length) =
        received.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
    else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&received[..head_length]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) if head.starts_with("http/1.1 200") => Ok(Some(head_length + length)),
        _ => Err(io::Error::other(format!("the answer is not a 200 with a length: {head}"))),
    }
}

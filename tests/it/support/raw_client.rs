//! A client that sends exactly the bytes it is given, for requests that no HTTP client would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// Longer than any answer takes; then the test has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection.
pub struct RawClient(BufReader<TcpStream>);

/// An answer.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl RawClient {
    pub async fn connect(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.expect("the service listens")))
    }

    /// A connection from this address of this machine.
    pub async fn connect_from(source: &str, address: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        let source = SocketAddr::new(source.parse().expect("it is an address"), 0);
        socket.bind(source).expect("it is of this machine");
        let address = address.parse().expect("it is an address");
        Self(BufReader::new(socket.connect(address).await.expect("the service listens")))
    }

    /// Sends as much as the service reads.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        // The service may have closed already.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the service reads");
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        // The service may have closed already.
        let _ = self.0.shutdown().await;
    }

    /// The next answer, or nothing when the service has closed the connection.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        tokio::time::timeout(ANSWER_TIMEOUT, self.read())
            .await
            .expect("the service answers or closes")
    }

    async fn read(&mut self) -> Option<RawAnswer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            // A connection that is reset has ended too.
            if self.0.read_line(&mut head).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        head.make_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(RawAnswer { status, body })
    }
}

/// One exchange on a new connection.
pub async fn exchange(address: &str, bytes: impl AsRef<[u8]>) -> Option<RawAnswer> {
    let mut client = RawClient::connect(address).await;
    client.send(bytes).await;
    client.answer().await
}

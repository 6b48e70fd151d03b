//! `wintag healthcheck`: one plain request to a service on this machine. An image from scratch
//! has no curl for a health check.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::ending::{Ending, say};

/// A service that takes longer than this to say that it is ready is not.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The status line is in the first bytes.
const STATUS_BYTES: usize = "HTTP/1.1 200".len();

/// Asks the service that listens here, and says whether it is ready.
pub(super) fn run(listen: SocketAddr) -> Ending {
    let address = reachable(listen);
    let failure = match ask(address) {
        Ok(true) => return Ending::Answered,
        Ok(false) => "is not ready".to_owned(),
        Err(error) => format!("does not answer: {error}"),
    };
    say(&format!("wintag: the service on {address} {failure}"));
    Ending::Failed
}

/// A service that listens everywhere is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port())
        }
        _ => listen,
    }
}

fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; STATUS_BYTES];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:81".parse().unwrap()).to_string(), "127.0.0.1:81");
        assert_eq!(reachable("[::]:81".parse().unwrap()).to_string(), "127.0.0.1:81");
        assert_eq!(reachable("10.1.2.3:81".parse().unwrap()).to_string(), "10.1.2.3:81");
    }
}

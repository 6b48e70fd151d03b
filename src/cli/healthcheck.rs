//! `wintag healthcheck`: one plain request to a service on this machine. An image from scratch has
//! no curl that a health check could use.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::{Ending, fail};
use crate::config::Settings;

/// A service that needs longer than this to say that it is ready is not.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The status line is in the first bytes.
const STATUS_BYTES: usize = "HTTP/1.1 200".len();

#[derive(Debug, clap::Args)]
pub struct HealthcheckArguments {
    /// Address and port of the service, as it was told to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "WINTAG_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Configuration file of the service, for its address when no other is given
    #[arg(long, env = "WINTAG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Asks, and says how it went.
pub fn run(arguments: &HealthcheckArguments) -> Ending {
    let address = match Settings::listen_of(arguments.listen, arguments.config.as_deref()) {
        Ok(listen) => reachable(listen),
        Err(error) => return fail(Ending::Failed, &error),
    };
    match ask(address) {
        Ok(true) => Ending::Answered,
        Ok(false) => {
            eprintln!("wintag: the service on {address} is not ready");
            Ending::Failed
        }
        Err(error) => {
            eprintln!("wintag: the service on {address} does not answer: {error}");
            Ending::Failed
        }
    }
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

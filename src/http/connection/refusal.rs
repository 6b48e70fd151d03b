//! Refusals from before there is a request: those of the HTTP library, in whose place a problem is
//! sent, and those of this layer.

use std::fmt::Write as _;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::api::problem::{Problem, ProblemKind};
use crate::http::reply;

/// The longest head that is read: a path and query of 2,048 bytes and headers of 16 KiB.
pub const MAX_HEAD_BYTES: usize = 18 << 10;
/// How long a client has to send the head of its first request. Slow clients would hold
/// connections.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a refused client is read from. The system resets a connection that is closed while
/// something is unread, and then the client may not see the refusal.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// How much is thrown away at a time.
const SCRATCH_BYTES: usize = 4 << 10;
/// The end of a head.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// More than a refusal of the library has: a status line and three headers.
const MAX_REFUSAL_BYTES: usize = 256;

/// A refusal on its way.
pub struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
    until: Pin<Box<Sleep>>,
}

impl Refusal {
    /// What is sent in place of the library's refusal.
    pub fn instead_of(bare: &BareRefusal<'_>) -> Self {
        Self::new(written(bare.status_line, bare.date, &problem_of(bare.status)))
    }

    /// This problem, at this time.
    pub fn of(problem: &Problem, now: Timestamp) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or_default();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        let date = format!("date: {}", date.unwrap_or_default());
        Self::new(written(&format!("HTTP/1.1 {status}"), &date, problem))
    }

    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0, until: Box::pin(sleep(LINGER_TIMEOUT)) }
    }

    /// Sends it and closes the writing side. Then reads until the client closes too, or until the
    /// time is up.
    pub fn send<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut stream = Pin::new(stream);
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(stream.as_mut().poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        ready!(stream.as_mut().poll_shutdown(context))?;
        loop {
            let mut scratch = [0; SCRATCH_BYTES];
            let mut scratch = ReadBuf::new(&mut scratch);
            ready!(stream.as_mut().poll_read(context, &mut scratch))?;
            if scratch.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// A refusal without a body, as the library sends it. Every refusal of this service has a body.
#[derive(Debug, PartialEq, Eq)]
pub struct BareRefusal<'a> {
    status_line: &'a str,
    status: u16,
    date: &'a str,
    length: usize,
}

impl<'a> BareRefusal<'a> {
    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The refusal at the end of these bytes, and where it begins. The library closes after it.
    pub fn find(bytes: &'a [u8]) -> Option<(usize, Self)> {
        if !bytes.ends_with(END_OF_HEAD) {
            return None;
        }
        let end = bytes.get(bytes.len().saturating_sub(MAX_REFUSAL_BYTES)..)?;
        let start = end.windows(b"HTTP/1.".len()).rposition(|window| window == b"HTTP/1.")?;
        let bare = Self::read(end.get(start..)?)?;
        Some((bytes.len() - bare.length, bare))
    }

    /// Takes exactly what the library writes, so that nothing else is mistaken for it.
    fn read(head: &'a [u8]) -> Option<Self> {
        let mut lines =
            std::str::from_utf8(head).ok()?.split("\r\n").filter(|line| !line.is_empty());
        let status_line = lines.next()?;
        let status = status_line
            .split(' ')
            .nth(1)?
            .parse()
            .ok()
            .filter(|status| (400..500).contains(status))?;
        let (mut is_empty, mut date) = (false, None);
        for line in lines {
            match line.split_once(": ")? {
                ("content-length", "0") => is_empty = true,
                ("connection", _) => {}
                ("date", _) => date = Some(line),
                _ => return None,
            }
        }
        is_empty.then_some(Self { status_line, status, date: date?, length: head.len() })
    }
}

/// A response with a problem as its body.
fn written(status_line: &str, date: &str, problem: &Problem) -> Vec<u8> {
    let (head, body) = reply::problem_as(false, problem).into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    let mut written = format!(
        "{status_line}\r\ncontent-length: {}\r\nconnection: close\r\n{date}\r\n",
        body.len()
    );
    for (name, value) in head.headers() {
        // All of them are text, and writing to a string does not fail.
        let _ = write!(written, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    written.push_str("\r\n");
    let mut written = written.into_bytes();
    written.extend_from_slice(&body);
    written
}

/// The head did not arrive in time.
pub fn too_slow() -> Problem {
    let seconds = REQUEST_TIMEOUT.as_secs();
    let detail = format!(
        "the head of the request did not arrive within {seconds} seconds; open a connection only \
         when the request is ready, and send it at once"
    );
    Problem::new(ProblemKind::RequestTimeout, detail)
}

/// The head is longer than any that is accepted.
pub fn too_large() -> Problem {
    let detail = format!(
        "the head of a request may have at most 96 headers and {MAX_HEAD_BYTES} bytes; send \
         a longer text of a host as a body, and fewer cookies and other headers"
    );
    Problem::new(ProblemKind::HeadersTooLarge, detail)
}

/// The target of the request has a fragment.
pub fn has_fragment() -> Problem {
    let detail = "the request line has a #, after which a client sends nothing; write %23 for a # \
                  that is meant";
    Problem::new(ProblemKind::MalformedRequest, detail.to_owned())
}

/// There is no memory left for a head that is not whole.
pub fn too_many() -> Problem {
    let detail = "too many unfinished requests are open; send the head of a request at once";
    Problem::new(ProblemKind::TemporaryReducedCapacity, detail.to_owned())
}

/// What the library means by the status of a refusal.
fn problem_of(status: u16) -> Problem {
    match status {
        431 => too_large(),
        _ => {
            let detail = "this is not an HTTP/1.1 request, or it could be read as more than one; \
                          check the request line, the headers, and the length of the body";
            Problem::new(ProblemKind::MalformedRequest, detail.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_the_library_are_found() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n",
            "HTTP/1.0 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: \
             keep-alive\r\ndate: x\r\n\r\n",
        ] {
            let before = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: x\r\n\r\nok".repeat(20);
            for before in ["", &before] {
                let (start, found) = BareRefusal::find((before.to_owned() + text).as_bytes())
                    .map(|(start, bare)| (start, bare.length))
                    .unwrap();
                assert_eq!((start, found), (before.len(), text.len()), "{text}");
            }
        }
        for text in [
            "",
            "\r\n\r\n",
            "HTTP/1.1 \r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ndate: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: x\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\ndate: x\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\ndate: x\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nallow: GET\r\ndate: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-location: /HTTP/1.1 400 x\r\ncontent-length: 0\r\nlink: \
             x\r\ndate: x\r\n\r\n",
            "HTTP/1.1 400 \u{fc}\r\ncontent-length 0\r\ndate: x\r\n\r\n",
        ] {
            assert_eq!(BareRefusal::find(text.as_bytes()), None, "{text}");
        }
    }
}

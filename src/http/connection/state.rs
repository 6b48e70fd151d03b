//! Where a connection stands in what its client sends. The handlers and the reading of the
//! connection share it.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// How much of a body is read at a time: what the library has room for.
pub const BODY_READ_BYTES: usize = 32 << 10;
/// How much of a body is read after the request was answered, so that a client that is still
/// sending gets the answer. Go's server reads as much (`maxPostHandlerReadBytes` in `net/http`).
pub const MAX_UNUSED_BYTES: usize = 256 << 10;

/// What the next byte from the client belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// A new request, of which at most empty lines have been handed on.
    #[default]
    BeforeHead,
    /// The first line of a request, of which something has been handed on.
    InRequestLine,
    /// A new line of a head, or of a body in chunks.
    LineStart,
    /// A line of which something has been handed on.
    InLine,
    /// Another request. The HTTP library has to read the one that ended before more is handed on.
    Ended,
    /// A body, of which this many bytes are to come.
    Body {
        /// By the `Content-Length` of the head; never zero, because handing nothing on would mean
        /// the end of the connection.
        bytes_left: usize,
    },
    /// Another request, while this one is being answered. Nothing is handed on.
    Answering,
}

impl State {
    /// How many of these bytes to hand on, and the state after them: to the end of a head, of a
    /// body whose length is known, or all of them. Heads, and bodies in chunks, end with an empty
    /// line; where one is within a body, nothing is lost but a moment. Empty lines before a head
    /// are part of it: the HTTP library would read each by itself together with all before it.
    pub fn take(self, bytes: &[u8]) -> (usize, Self) {
        if let Self::Body { bytes_left } = self {
            let taken = bytes.len().min(bytes_left);
            let state = if taken == bytes_left {
                Self::Ended
            } else {
                Self::Body { bytes_left: bytes_left - taken }
            };
            return (taken, state);
        }
        let (mut taken, mut state) = (0, self);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            taken += line.len();
            state = state.after_line(line);
            if state == Self::Ended {
                break;
            }
        }
        (taken, state)
    }

    /// Whether these bytes have a fragment in the request line. RFC 9112 allows none there, and the
    /// HTTP library drops it without a word: a proxy that does not would read another path.
    pub fn has_fragment(self, bytes: &[u8]) -> bool {
        // Nearly no head has one anywhere, which is found out fast.
        if !bytes.contains(&b'#') {
            return false;
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let line = match self {
            Self::InRequestLine => lines.next(),
            Self::BeforeHead => lines.find(|line| !matches!(line, [] | [b'\r'])),
            _ => None,
        };
        line.is_some_and(|line| line.contains(&b'#'))
    }

    /// The state after a line, or after as much of it as there is.
    fn after_line(self, line: &[u8]) -> Self {
        let is_whole = line.ends_with(b"\n");
        let is_started = matches!(self, Self::InRequestLine | Self::InLine);
        let is_empty = !is_started && [&b"\n"[..], b"\r\n", b"\r"].contains(&line);
        match (self, is_empty, is_whole) {
            (Self::LineStart, true, true) => Self::Ended,
            (Self::LineStart, true, false) => Self::LineStart,
            (_, true, _) => Self::BeforeHead,
            (_, false, true) => Self::LineStart,
            (Self::BeforeHead | Self::InRequestLine, false, false) => Self::InRequestLine,
            (_, false, false) => Self::InLine,
        }
    }
}

/// Whether the request says that it has a body.
pub fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.is_some_and(|length| length != "0") || request.headers().contains_key(TRANSFER_ENCODING)
}

/// The state of a connection, and whether anything has been asked on it.
#[derive(Debug, Default)]
pub struct SharedState {
    /// The state.
    pub state: Cell<State>,
    /// Whether a request was read since this was last looked at.
    pub has_request: Cell<bool>,
    /// Whether a request is being answered, so that the bytes that arrive are its body.
    pub is_answering: Cell<bool>,
}

/// A request that is being answered. The next one is read when this is dropped.
pub struct Answering(pub(super) Option<Rc<SharedState>>);

impl Answering {
    /// Begins to answer a request, or as much of it as there is when it has a body.
    pub fn begin(request: &HttpRequest) -> Self {
        let shared = request.conn_data::<Rc<SharedState>>().cloned();
        if let Some(shared) = &shared {
            shared.has_request.set(true);
            shared.is_answering.set(true);
            let length = request.headers().get(CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
            match length {
                _ if !has_body(request) => shared.state.set(State::Answering),
                Some(bytes_left) if bytes_left > 0 => shared.state.set(State::Body { bytes_left }),
                // A body in chunks, or one of `00` bytes.
                _ => {}
            }
        }
        Self(shared)
    }

    /// Notes that the whole body of the request was read.
    pub fn body_ended(request: &HttpRequest) {
        if let Some(shared) = request.conn_data::<Rc<SharedState>>() {
            shared.state.set(State::Answering);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.is_answering.set(false);
            // The library reads and drops the rest of a body.
            if shared.state.get() == State::Answering {
                shared.state.set(State::BeforeHead);
            }
        }
    }
}

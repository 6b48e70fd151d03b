//! What the misbehaving registry can do with a request.

use tokio::sync::watch;

/// What happens to one request.
#[derive(Clone)]
pub enum Behaviour {
    /// A whole answer; the connection stays open.
    Answer(Response),
    /// These bytes, which need not be HTTP, and the end of the connection.
    Raw(Vec<u8>),
    /// This many bytes of the answer, then a reset.
    ResetAfter(Response, usize),
    /// The answer byte by byte, with a pause after each.
    Trickle(Response),
    /// A body of this many bytes, without an announced length.
    Flood(Response, usize),
    /// Nothing, for as long as the client waits.
    Silence,
    /// This, once the latch is open.
    Held(Latch, Box<Behaviour>),
}

impl Behaviour {
    /// Status 200 with this JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Response::json(body).into()
    }

    /// This status and an empty body.
    pub fn status(status: u16) -> Self {
        Response::new(status, "").into()
    }

    /// A redirect.
    pub fn redirect(target: &str) -> Self {
        Response::new(307, "").header("location", target).into()
    }

    /// A 401 with this challenge.
    pub fn unauthorized(challenge: &str) -> Self {
        Response::new(401, "{}").header("www-authenticate", challenge).into()
    }

    /// The same, once the latch is open.
    pub fn held(self, latch: &Latch) -> Self {
        Self::Held(latch.clone(), Box::new(self))
    }
}

impl From<Response> for Behaviour {
    fn from(response: Response) -> Self {
        Self::Answer(response)
    }
}

/// An answer. Its length is announced, unless a header does that.
#[derive(Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// Status 200 with this JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).header("content-type", "application/json")
    }

    /// The same with another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// How long it is on the wire.
    pub fn byte_count(&self) -> usize {
        self.bytes(false).len()
    }

    /// The answer on the wire; one to HEAD has no body.
    pub fn bytes(&self, is_head: bool) -> Vec<u8> {
        let announces = self
            .headers
            .iter()
            .any(|(name, _)| ["content-length", "transfer-encoding"].contains(&&**name));
        let length = if announces {
            String::new()
        } else {
            format!("content-length: {}\r\n", self.body.len())
        };
        let mut bytes = self.head(&length);
        if !is_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head of an answer whose body comes in chunks.
    pub fn chunked_head(&self) -> Vec<u8> {
        self.head("transfer-encoding: chunked\r\n")
    }

    fn head(&self, length: &str) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} X\r\n{length}", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// Holds answers back until a test opens it.
#[derive(Clone)]
pub struct Latch(watch::Sender<bool>);

impl Latch {
    pub fn closed() -> Self {
        Self(watch::channel(false).0)
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub async fn opened(&self) {
        let mut state = self.0.subscribe();
        // The sender lives in `self`, so this ends only with the latch open.
        let _ = state.wait_for(|open| *open).await;
    }
}

//! Bodies of requests: read within limits of size and time, and only in a supported media type.

use std::ops::Deref;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ToStrError};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::Answering;
use crate::api::problem::{Problem, ProblemKind};

/// The limit for questions: a hundred of them, or a screen or two of pasted text.
pub const MAX_BODY_BYTES: usize = 64 << 10;
/// The limit for a list of nodes or an admission review: the API server of Kubernetes stores and
/// sends objects of up to 3 MiB.
pub const MAX_LIST_BYTES: usize = 3 << 20;
/// The limit for all bodies that are being read: a part of the 256 MiB of memory that the service
/// is given, and a thousand questions of the usual size.
const MAX_ALL_BODIES_BYTES: usize = 48 << 20;
/// The unit in which that memory is allotted.
const PIECE_BYTES: usize = 1 << 10;
/// The pieces that are free.
static FREE_PIECES: Semaphore = Semaphore::const_new(MAX_ALL_BODIES_BYTES / PIECE_BYTES);
/// How long a client has to send the body. Slow clients would hold memory and connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The media type of questions and lists.
pub const JSON: &str = "application/json";
/// The media type of what programs print.
pub const TEXT: &str = "text/plain";
/// The media type that `curl --data` sends by default; it is treated as none.
const CURL_DEFAULT_MEDIA: &str = "application/x-www-form-urlencoded";

/// A body, and the memory that is allotted to it until it is dropped.
pub struct Body {
    bytes: Bytes,
    _memory: SemaphorePermit<'static>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of one of these media types.
///
/// # Errors
/// When it is of another type, too large, compressed, slow, or incomplete, or when too many bodies
/// are being read.
pub async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    media: &[&str],
    max_bytes: usize,
) -> Result<Body, Problem> {
    refuse_other_media(request, media)?;
    let mut body = BytesMut::new();
    let mut memory = FREE_PIECES.try_acquire_many(0).map_err(|_| overloaded())?;
    let reading = async {
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| unreadable(&format!("the body is incomplete: {error}")))?;
            if body.len() + chunk.len() > max_bytes {
                let detail = format!("the body may have at most {max_bytes} bytes");
                return Err(Problem::new(ProblemKind::PayloadTooLarge, detail));
            }
            let missing =
                (body.len() + chunk.len()).saturating_sub(memory.num_permits() * PIECE_BYTES);
            let missing = u32::try_from(missing.div_ceil(PIECE_BYTES)).map_err(|_| overloaded())?;
            memory.merge(FREE_PIECES.try_acquire_many(missing).map_err(|_| overloaded())?);
            body.extend_from_slice(&chunk);
        }
        Answering::body_ended(request);
        Ok(Body { bytes: body.freeze(), _memory: memory })
    };
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs());
        Err(Problem::new(ProblemKind::RequestTimeout, detail))
    })
}

/// Reads a JSON body. The parser limits its nesting to 128 levels.
///
/// # Errors
/// As [`read`], and when it is not JSON of this type; the text says where and why.
pub async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    max_bytes: usize,
) -> Result<T, Problem> {
    let body = read(request, payload, &[JSON], max_bytes).await?;
    serde_json::from_slice(&body)
        .map_err(|error| unreadable(&format!("the body is not valid JSON for this call: {error}")))
}

fn overloaded() -> Problem {
    let detail = "too many bodies are being read at once; try again a little later".to_owned();
    Problem::new(ProblemKind::TemporaryReducedCapacity, detail)
}

fn unreadable(detail: &str) -> Problem {
    Problem::of_parameter("body", "not-allowed", detail.to_owned())
}

/// A body without a media type is accepted, and so is one with the default of curl.
fn refuse_other_media(request: &HttpRequest, media: &[&str]) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return refuse("send the body uncompressed, without Content-Encoding".to_owned());
    }
    let is_supported = match media_of(request) {
        None => true,
        Some(Ok(given)) => {
            media.iter().chain([&CURL_DEFAULT_MEDIA]).any(|media| given.eq_ignore_ascii_case(media))
        }
        Some(Err(_)) => false,
    };
    if is_supported { Ok(()) } else { refuse(format!("send the body as {}", media.join(" or "))) }
}

/// Whether the body is sent as plain text.
pub fn is_text(request: &HttpRequest) -> bool {
    matches!(media_of(request), Some(Ok(given)) if given.eq_ignore_ascii_case(TEXT))
}

/// The media type of the body without its parameters.
fn media_of(request: &HttpRequest) -> Option<Result<&str, ToStrError>> {
    let given = request.headers().get(CONTENT_TYPE)?.to_str();
    Some(given.map(|given| given.split(';').next().unwrap_or_default().trim()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web::{FromRequest as _, test};

    use super::*;

    #[test]
    async fn a_body_has_its_memory_until_it_is_dropped() {
        let before = FREE_PIECES.available_permits();
        let sent = "x".repeat(10 * PIECE_BYTES + 1);
        let (request, mut payload) = TestRequest::post().set_payload(sent.clone()).to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.expect("it is there");
        let body = read(&request, payload, &[TEXT], MAX_BODY_BYTES).await.expect("it is read");
        assert_eq!(&*body, sent.as_bytes());
        assert_eq!(FREE_PIECES.available_permits(), before - 11);
        drop(body);
        assert_eq!(FREE_PIECES.available_permits(), before);
    }
}

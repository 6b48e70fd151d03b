//! Bodies of requests: read within bounds of size and time, and only in a form that is understood.

use std::ops::Deref;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, http::header::HeaderValue};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::transport::Answering;
use crate::api::problem::{Problem, ProblemKind};

/// What a question asked in a body may take, in bytes: a hundred questions, or a screen or two of
/// pasted text.
pub const MAX_BODY_BYTES: usize = 64 << 10;
/// What a list of nodes or a pod to admit may take, in bytes: the API server of Kubernetes stores
/// and sends objects of up to 3 MiB.
pub const MAX_LIST_BYTES: usize = 3 << 20;
/// The bodies that are being read may take so many bytes together: a part of the 256 MiB of memory
/// that the service is given, and a thousand questions of the usual size.
const MAX_ALL_BODIES_BYTES: usize = 48 << 20;
/// What they may take is given out in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 10;
/// The pieces that nobody has.
static FREE_PIECES: Semaphore = Semaphore::const_new(MAX_ALL_BODIES_BYTES / PIECE_BYTES);
/// A client must have sent the body within so long. The slow ones would hold memory and
/// connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// What `curl --data` says when nobody said anything; it is taken as if nothing was said.
const SAID_BY_CURL: &str = "application/x-www-form-urlencoded";

/// A body, and the room that it takes until it is let go.
pub struct Body {
    bytes: Bytes,
    _room: SemaphorePermit<'static>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of this media type and of at most so many bytes.
///
/// # Errors
/// When it is of another type, too large, compressed, too slow, or breaks off, or there is no room
/// for it now.
pub async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    media: &str,
    most_bytes: usize,
) -> Result<Body, Problem> {
    refuse_other_media(request, media)?;
    let mut body = BytesMut::new();
    let mut room = FREE_PIECES.try_acquire_many(0).map_err(|_| crowded())?;
    let reading = async {
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| unreadable(&format!("the body broke off: {error}")))?;
            if body.len() + chunk.len() > most_bytes {
                let detail = format!("the body has at most {most_bytes} bytes here");
                return Err(Problem::new(ProblemKind::PayloadTooLarge, detail));
            }
            let missing =
                (body.len() + chunk.len()).saturating_sub(room.num_permits() * PIECE_BYTES);
            let missing = u32::try_from(missing.div_ceil(PIECE_BYTES)).map_err(|_| crowded())?;
            room.merge(FREE_PIECES.try_acquire_many(missing).map_err(|_| crowded())?);
            body.extend_from_slice(&chunk);
        }
        Answering::body_ended(request);
        Ok(Body { bytes: body.freeze(), _room: room })
    };
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs());
        Err(Problem::new(ProblemKind::RequestTimeout, detail))
    })
}

/// Reads a JSON body of at most so many bytes; nesting is bounded by the parser, to 128 levels.
///
/// # Errors
/// As [`read`], and when it is not the JSON that is wanted; the text says where and why.
pub async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    most_bytes: usize,
) -> Result<T, Problem> {
    let body = read(request, payload, "application/json", most_bytes).await?;
    serde_json::from_slice(&body)
        .map_err(|error| unreadable(&format!("the body is not the JSON wanted: {error}")))
}

fn crowded() -> Problem {
    let detail =
        "too many bodies are being read at a time; send it again a little later".to_owned();
    Problem::new(ProblemKind::TemporaryReducedCapacity, detail)
}

fn unreadable(detail: &str) -> Problem {
    Problem::of_parameter("body", "not-allowed", detail.to_owned())
}

/// A type that is not said is not held against anybody, and neither is the one that curl says by
/// itself.
fn refuse_other_media(request: &HttpRequest, media: &str) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return refuse("send the body as it is, without Content-Encoding".to_owned());
    }
    let said = request.headers().get(CONTENT_TYPE).map(HeaderValue::to_str);
    let is_fitting = match said {
        None => true,
        Some(Ok(said)) => {
            let essence = said.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case(media) || essence.eq_ignore_ascii_case(SAID_BY_CURL)
        }
        Some(Err(_)) => false,
    };
    if is_fitting { Ok(()) } else { refuse(format!("send the body as {media}")) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web::{FromRequest as _, test};

    use super::*;

    #[test]
    async fn a_body_takes_its_room_until_it_is_let_go() {
        let before = FREE_PIECES.available_permits();
        let sent = "x".repeat(10 * PIECE_BYTES + 1);
        let (request, mut payload) = TestRequest::post().set_payload(sent.clone()).to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.expect("it is there");
        let body = read(&request, payload, "text/plain", MAX_BODY_BYTES).await.expect("it is read");
        assert_eq!(&*body, sent.as_bytes());
        assert_eq!(FREE_PIECES.available_permits(), before - 11);
        drop(body);
        assert_eq!(FREE_PIECES.available_permits(), before);
    }
}

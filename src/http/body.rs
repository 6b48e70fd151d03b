//! Bodies of requests: read within limits of size and time, and only in a supported media type.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ToStrError};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::clients::Clients;
use super::connection::Answering;
use super::rate_limiter::RateLimiter;
use super::room::{Full, Held, Room};
use crate::api::problem::{Problem, ProblemKind};

/// The limit for questions: a hundred of them, or a screen or two of pasted text.
pub const MAX_BODY_BYTES: usize = 64 << 10;
/// The limit for a list of nodes or an admission review: the API server of Kubernetes stores and
/// sends objects of up to 3 MiB.
pub const MAX_LIST_BYTES: usize = 3 << 20;
/// The memory for questions: for 128 of the largest, of which one client may have 16.
pub static QUESTIONS: Room = Room::new(8 << 20, 1 << 20);
/// The memory for what lists have beyond the size of a question: for three of the largest, of
/// which one client may have one.
pub static LISTS: Room = Room::new(9 << 20, 3 << 20);
/// The memory for admission reviews, which nothing else takes away: for 32 of 64 KiB, of which one
/// client may have eight. The API servers of a cluster are few clients, and nearly all reviews have
/// some KiB.
pub static REVIEWS: Room = Room::new(2 << 20, 512 << 10);
/// The memory for what a review has beyond that size: for one of the largest.
pub static LARGE_REVIEWS: Room = Room::new(4 << 20, 3 << 20);
/// A body costs as much as a further request for each of these bytes. The most costly text of 64
/// KiB takes 20 ms of processor time, a question about known tags 0.05 ms.
const BYTES_PER_REQUEST: usize = 8 << 10;
/// How long a client has to send the body. Slow clients would hold memory and connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The path of admission reviews.
const REVIEWS_PATH: &str = "/kubernetes/admission";
/// The media type of questions and lists.
pub const JSON: &str = "application/json";
/// The media type of what programs print.
pub const TEXT: &str = "text/plain";
/// The media type that `curl --data` sends by default; it is treated as none.
const CURL_DEFAULT_MEDIA: &str = "application/x-www-form-urlencoded";

/// A body, and the memory that it holds until it is dropped.
pub struct Body {
    bytes: Bytes,
    _held: [Held; 2],
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
/// are being read, of this client or of all.
pub async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    media: &[&str],
    max_bytes: usize,
) -> Result<Body, Problem> {
    refuse_other_media(request, media)?;
    let too_large = || {
        let detail = format!("the body may have at most {max_bytes} bytes");
        Problem::new(ProblemKind::PayloadTooLarge, detail)
    };
    let client = Clients::of_request(request);
    let is_review = request.path() == REVIEWS_PATH;
    let (first, more) = if is_review { (&REVIEWS, &LARGE_REVIEWS) } else { (&QUESTIONS, &LISTS) };
    let taken = Arc::new(Notify::new());
    let mut held = [first, more].map(|room| room.hold(client, taken.clone()));
    let length = request.headers().get(CONTENT_LENGTH);
    let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length| length > max_bytes) {
        return Err(too_large());
    }
    // Before it is read: a body that never ends must not be free of charge.
    let mut charged = length.unwrap_or_default() / BYTES_PER_REQUEST;
    RateLimiter::charge(request, charged)?;
    hold(&mut held, length.unwrap_or_default())?;
    let mut body = BytesMut::with_capacity(length.unwrap_or_default());
    let reading = async {
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| unreadable(&format!("the body is incomplete: {error}")))?;
            let bytes = body.len() + chunk.len();
            if bytes > max_bytes {
                return Err(too_large());
            }
            if bytes > body.capacity() {
                let requests = bytes / BYTES_PER_REQUEST;
                RateLimiter::charge(request, requests.saturating_sub(charged))?;
                charged = charged.max(requests);
                // Room for as much again, as it grows.
                hold(&mut held, (2 * bytes).min(max_bytes))?;
                body.reserve((2 * bytes).min(max_bytes) - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        held.iter_mut().try_for_each(Held::keep).map_err(overloaded)?;
        Answering::body_ended(request);
        RateLimiter::charge(request, (body.len() / BYTES_PER_REQUEST).saturating_sub(charged))?;
        Ok(Body { bytes: body.freeze(), _held: held })
    };
    let reading = async {
        tokio::select! {
            biased;
            () = taken.notified() => Err(overloaded(Full::OfAll)),
            body = reading => body,
        }
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

/// Holds memory for a body of this size: first that for questions, then that for what is larger.
fn hold(held: &mut [Held; 2], bytes: usize) -> Result<(), Problem> {
    let of_question = bytes.min(MAX_BODY_BYTES);
    let parts = [of_question, bytes - of_question];
    held.iter_mut().zip(parts).try_for_each(|(held, bytes)| held.set(bytes)).map_err(overloaded)
}

fn overloaded(full: Full) -> Problem {
    match full {
        Full::OfClient => {
            let detail = "this address is sending too many bodies at once; send them one by one";
            Problem::of_quota("bodies", detail.to_owned(), 1)
        }
        Full::OfAll => {
            let detail = "too many bodies are being read at once; try again a little later";
            Problem::new(ProblemKind::TemporaryReducedCapacity, detail.to_owned())
        }
    }
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
    use actix_web::web::Data;
    use actix_web::{FromRequest as _, test};

    use super::*;
    use crate::config::ClientLimits;

    /// What reading this body of a client ends with. The body is kept.
    async fn post(client: u8, path: &str, bytes: usize) -> Result<Body, u16> {
        let limits = ClientLimits { includes_this_machine: true, ..ClientLimits::default() };
        let request = TestRequest::post().uri(path).peer_addr(([192, 0, 2, client], 1).into());
        let request = request.app_data(Data::new(Clients::new(limits)));
        let (request, mut payload) = request.set_payload("x".repeat(bytes)).to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.expect("it is there");
        let body = read(&request, payload, &[TEXT], MAX_LIST_BYTES).await;
        body.map_err(|problem| problem.status)
    }

    // One test, because the memory is of the whole process.
    #[test]
    async fn h03_one_client_leaves_memory_for_the_bodies_of_others() {
        let (list, lists, reviews) = (MAX_LIST_BYTES, "/kubernetes/nodes", REVIEWS_PATH);
        let first = post(1, lists, list).await.expect("it is read");
        assert_eq!(first.len(), list);
        assert_eq!(post(1, lists, list).await.err(), Some(429));
        assert!(post(1, lists, MAX_BODY_BYTES).await.is_ok(), "a question is not a list");
        let mut held = Vec::new();
        for client in 2..4 {
            held.push(post(client, lists, list).await.expect("two others are read"));
        }
        assert_eq!(post(9, lists, list).await.err(), Some(503));
        assert!(post(10, reviews, list).await.is_ok(), "reviews have memory of their own");
        assert!(post(10, "/diagnose", MAX_BODY_BYTES).await.is_ok());
        drop((first, held));
        assert!(post(1, lists, list).await.is_ok(), "what is dropped is free");
    }
}

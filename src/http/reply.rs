//! Replies: bodies with their caching headers, problems, and the choice between JSON and text.

use std::io::Write as _;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, Accept, AcceptEncoding, Encoding, Header as _, HeaderName, HeaderValue, Quality,
};
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::pieces::in_pieces;
use crate::answers::{Freshness, Provenance};
use crate::api::choices::Format;
use crate::api::etag::etag;
use crate::api::problem::{Problem, ProblemKind};
use crate::telemetry;

/// Caches may keep a fresh answer for a minute, shared ones for five; they may give an older one
/// while they ask again, and for a day when that fails (RFC 5861).
const CACHE_FRESH: &str =
    "public, max-age=60, s-maxage=300, stale-while-revalidate=600, stale-if-error=86400";
/// A stale answer may be cached for 30 seconds, as RFC 8767 advises for stale data.
pub const CACHE_STALE: &str = "public, max-age=30";
/// Problems, the state of the service, and answers to POST are not cached.
const NO_STORE: &str = "no-store";
/// How long browsers may cache a preflight answer: a day. Browsers have lower limits of their own.
const PREFLIGHT_MAX_AGE_SECONDS: u32 = 86_400;
/// Where the interface is described.
const LINKS: &str = "</openapi.json>; rel=\"service-desc\", </swagger-ui/>; rel=\"service-doc\"";
/// Where an answer came from, for caches in between (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Most answers are shorter, so that their memory does not grow while they are written.
const USUAL_BODY_BYTES: usize = 4096;
/// The media type of answers.
const JSON: &str = "application/json";
/// The media type of answers for tools.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of problems (RFC 9457).
const PROBLEM_JSON: &str = "application/problem+json";

/// What the headers of a reply say of its answer.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Where the answer comes from; tables inside the program have none.
    pub freshness: Option<Freshness>,
    /// The canonical URL of the answer, for `Content-Location`.
    pub canonical: Option<String>,
    /// Whether the format depends on the request's `Accept`.
    pub negotiated: bool,
    /// Whether a parameter chose the format, so that `Accept` does not matter.
    pub explicit_format: bool,
}

/// The media type that the request prefers, of those an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// JSON, or anything.
    Json,
    /// Text rather than JSON.
    Text,
    /// Neither.
    Nothing,
}

/// Whether the request accepts any media type: with `*/*`, or without the header.
pub fn accepts_anything(request: &HttpRequest) -> bool {
    let mut all = request.headers().get_all(header::ACCEPT);
    all.next().is_none_or(|accept| accept == "*/*") && all.next().is_none()
}

/// The media type that the request prefers.
pub fn accepted(request: &HttpRequest) -> Accepted {
    if accepts_anything(request) {
        return Accepted::Json;
    }
    let Ok(accept) = Accept::parse(request) else { return Accepted::Json };
    if accept.0.is_empty() {
        return Accepted::Json;
    }
    // A weight of zero means not acceptable (RFC 9110).
    let mut named: Vec<_> = accept.0.iter().filter(|item| item.quality > Quality::ZERO).collect();
    named.sort_by_key(|item| std::cmp::Reverse(item.quality));
    for media in named {
        match (media.item.type_().as_str(), media.item.subtype().as_str()) {
            ("*", _) | ("application", "*" | "json") => return Accepted::Json,
            ("text", "plain" | "*") => return Accepted::Text,
            _ => {}
        }
    }
    Accepted::Nothing
}

/// Whether the request accepts a body compressed with gzip.
pub fn accepts_gzip(request: &HttpRequest) -> bool {
    let supported = [Encoding::identity(), Encoding::gzip()];
    let accepted = AcceptEncoding::parse(request).ok();
    accepted.and_then(|accepted| accepted.negotiate(supported.iter())) == Some(Encoding::gzip())
}

/// A JSON answer, or 304 if the client has it.
///
/// # Errors
/// When the request accepts something else.
pub fn json<T: Serialize>(
    request: &HttpRequest,
    body: &T,
    metadata: &Metadata,
) -> Result<HttpResponse, Problem> {
    written_json(request, json_bytes(body)?, metadata)
}

/// As [`json`], of an answer that is written already.
///
/// # Errors
/// When the request does not accept JSON.
pub fn written_json(
    request: &HttpRequest,
    body: Vec<u8>,
    metadata: &Metadata,
) -> Result<HttpResponse, Problem> {
    accept_json(request, metadata)?;
    Ok(bytes(request, JSON, body, metadata))
}

/// An answer as JSON.
///
/// # Errors
/// When it cannot be written, which is a defect.
pub fn json_bytes<T: Serialize>(body: &T) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(USUAL_BODY_BYTES);
    serde_json::to_writer(&mut bytes, body)
        .map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
    Ok(bytes)
}

/// Refuses a request that does not accept JSON, unless a parameter chose it.
fn accept_json(request: &HttpRequest, metadata: &Metadata) -> Result<(), Problem> {
    if metadata.explicit_format || accepted(request) == Accepted::Json {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::NotAcceptable, "answers are application/json".to_owned()))
}

/// A problem that a handler returns is written as JSON; `in_asked_form` makes it text.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        problem_as(false, self)
    }
}

/// The state of the service, which must not be cached.
pub fn health(state: impl Into<String>) -> HttpResponse {
    let mut response = begin(StatusCode::OK);
    response.insert_header((header::CACHE_CONTROL, NO_STORE));
    response.content_type(TEXT).body(state.into())
}

/// The answer to a browser's preflight request: a page of any origin may use these methods and
/// send JSON.
pub fn preflight(methods: &'static str) -> HttpResponse {
    let mut response = begin(StatusCode::NO_CONTENT);
    response
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_SECONDS))
        .finish()
}

/// The same response; in text if it is the problem of a handler and the request prefers text.
pub fn in_asked_form(response: ServiceResponse) -> ServiceResponse {
    let refused = response.response().error().and_then(Error::as_error::<Problem>);
    let Some(refused) = refused.filter(|_| wants_text(response.request())) else { return response };
    let in_text = problem_as(true, refused);
    response.into_response(in_text)
}

/// A problem: JSON, or one line if the request prefers text.
pub fn problem(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    problem_as(wants_text(request), problem)
}

/// A problem as one line of text, or as JSON.
pub fn problem_as(text: bool, problem: &Problem) -> HttpResponse {
    let mut response = begin(problem.status_code());
    response.insert_header((header::CACHE_CONTROL, NO_STORE));
    if let Some(seconds) = problem.retry_after_seconds {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if text {
        return response.content_type(TEXT).body(problem.line());
    }
    let written = match telemetry::trace_id() {
        Some(trace_id) => serde_json::to_vec(&problem.clone().in_trace(Some(trace_id))),
        None => serde_json::to_vec(problem),
    };
    match written {
        Ok(bytes) => response.content_type(PROBLEM_JSON).body(in_pieces(Bytes::from(bytes))),
        Err(_) => response.finish(),
    }
}

/// Whether the request prefers text, by parameter or by header.
pub fn wants_text(request: &HttpRequest) -> bool {
    let query = request.query_string();
    // Only a query with the word in it is worth parsing.
    let query = if query.contains("format") {
        crate::api::params::pairs_of_query(query)
    } else {
        Vec::new()
    };
    match query.iter().find(|(name, _)| name == "format") {
        Some((_, word)) => {
            Format::all().any(|format| format != Format::Json && format.as_str() == word)
        }
        None => {
            request.headers().contains_key(header::ACCEPT) && accepted(request) == Accepted::Text
        }
    }
}

/// An answer of this media type, or 304 if the client has it.
pub fn bytes(
    request: &HttpRequest,
    media: &'static str,
    body: Vec<u8>,
    metadata: &Metadata,
) -> HttpResponse {
    if request.method().is_safe() {
        return StoredResponse::new(media, body, metadata).respond(request);
    }
    let mut response = begin(StatusCode::OK);
    // The question is in the body, which is in no cache key.
    response
        .insert_header((header::CACHE_CONTROL, NO_STORE))
        .content_type(media)
        .body(in_pieces(Bytes::from(body)))
}

/// An answer with its headers, the same for every client. Sending it again makes nothing anew.
pub struct StoredResponse {
    body: Bytes,
    etag: HeaderValue,
    /// All headers. Those before `Cache-Control` are only sent with a body.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl StoredResponse {
    /// A JSON answer.
    ///
    /// # Errors
    /// When the request accepts something else.
    pub fn json<T: Serialize>(
        request: &HttpRequest,
        body: &T,
        metadata: &Metadata,
    ) -> Result<Self, Problem> {
        accept_json(request, metadata)?;
        Ok(Self::new(JSON, json_bytes(body)?, metadata))
    }

    /// A text for a tool. It is text/plain even in a language that has a media type: browsers show
    /// it, and the tools do not look.
    pub fn text(text: String, metadata: &Metadata) -> Self {
        Self::new(TEXT, text.into_bytes(), metadata)
    }

    /// An answer of this media type.
    pub fn new(media: &'static str, body: Vec<u8>, metadata: &Metadata) -> Self {
        let etag = header_value(&etag(&body));
        let is_stale = metadata.freshness.is_some_and(|freshness| freshness.stale);
        let cache_control = if is_stale { CACHE_STALE } else { CACHE_FRESH };
        let vary = if metadata.negotiated { "Accept, Accept-Encoding" } else { "Accept-Encoding" };
        let mut headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static(media)),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache_control)),
            (header::ETAG, etag.clone()),
            (header::VARY, HeaderValue::from_static(vary)),
        ];
        headers.extend(common_headers());
        if let Some(freshness) = metadata.freshness {
            let modified = httpdate::fmt_http_date(std::time::SystemTime::from(freshness.as_of));
            headers.push((header::LAST_MODIFIED, header_value(&modified)));
            headers.push((CACHE_STATUS, HeaderValue::from_static(cache_status(freshness))));
        }
        if let Some(canonical) = &metadata.canonical {
            headers.push((header::CONTENT_LOCATION, header_value(canonical)));
        }
        Self { body: Bytes::from(body), etag, headers }
    }

    /// The same answer, compressed with gzip. It is another representation, and has another tag.
    pub fn gzipped(&self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        let body = Bytes::from(written.expect("a vector takes all bytes"));
        let plain_etag = self.etag.to_str().unwrap_or_default().trim_end_matches('"');
        let etag = header_value(&format!("{plain_etag}-gzip\""));
        let mut headers = self.headers.clone();
        headers.insert(0, (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        for (name, value) in &mut headers {
            if *name == header::ETAG {
                value.clone_from(&etag);
            }
        }
        Self { body, etag, headers }
    }

    /// The memory that this takes, in bytes, roughly.
    pub fn weight(&self) -> usize {
        /// The texts of the headers, and the structures around them.
        const OVERHEAD_BYTES: usize = 1024;
        self.body.len() + OVERHEAD_BYTES
    }

    /// The reply to GET or HEAD: the answer, or 304 if the client has it.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        if has_etag(request, self.etag.as_bytes()) {
            let response = HttpResponse::with_body(StatusCode::NOT_MODIFIED, BoxBody::new(()));
            let of_body = self.headers.iter().take_while(|(name, _)| name != header::CACHE_CONTROL);
            let headers = self.headers.get(of_body.count()..).unwrap_or_default();
            return with_headers(response, headers);
        }
        with_headers(
            HttpResponse::with_body(StatusCode::OK, in_pieces(self.body.clone())),
            &self.headers,
        )
    }
}

/// The response with these headers, none of which it has.
fn with_headers(mut response: HttpResponse, headers: &[(HeaderName, HeaderValue)]) -> HttpResponse {
    let all = response.headers_mut();
    for (name, value) in headers {
        all.append(name.clone(), value.clone());
    }
    response
}

/// All texts here are of characters that a header may have; an empty header would do no harm.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The headers of every answer and problem.
fn common_headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (header::LINK, HeaderValue::from_static(LINKS)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Everything here is public and the same for everyone, so that any page may read it.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ]
}

/// The beginning of a response.
fn begin(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    for header in common_headers() {
        response.insert_header(header);
    }
    response
}

/// Where the answer came from, for caches in between (RFC 9211).
fn cache_status(freshness: Freshness) -> &'static str {
    match (freshness.provenance, freshness.stale) {
        (Provenance::Registry, _) => "wintag; fwd=miss; stored",
        (Provenance::Cache, false) => "wintag; hit",
        (Provenance::Cache, true) => "wintag; hit; detail=stale",
        (Provenance::Snapshot, false) => "wintag; hit; detail=snapshot",
        (Provenance::Snapshot, true) => "wintag; hit; detail=stale-snapshot",
        (Provenance::Embedded, _) => "wintag; hit; detail=embedded",
        (Provenance::History, _) => "wintag; hit; detail=history",
    }
}

/// Whether `If-None-Match` names this tag, by weak comparison (RFC 9110).
fn has_etag(request: &HttpRequest, etag: &[u8]) -> bool {
    fn opaque(tag: &[u8]) -> &[u8] {
        let tag = tag.trim_ascii();
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|tag| tag.trim_ascii() == b"*" || opaque(tag) == opaque(etag))
}

//! The response cache: what `/resolve` answered a moment ago answers the same request again.
//!
//! Each worker has a cache of its own, so that nothing is locked or shared. The key is the query as
//! it was written, because an answer repeats its words; another spelling is another key. An answer
//! is kept for a second only, so that nothing has to be invalidated when a fact changes or grows
//! old: an answer is at most a second older than it says, and facts in use are still looked up, and
//! renewed, once a second.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use hashbrown::HashMap;

use crate::http::reply::{self, StoredResponse};
use crate::telemetry::AnswerSource;

/// The path whose answers are kept.
pub const PATH: &str = "/resolve";
/// Under load one answer in thousands is then made anew, and a second does not matter in what
/// registries change a few times a month.
const RESPONSE_TTL: Duration = Duration::from_secs(1);
/// The memory of the caches of all workers. An answer takes about 3 kB, so that more than a
/// thousand fit; all known hosts and families have fewer.
pub const MAX_ALL_RESPONSES_BYTES: usize = 4 << 20;

/// The cache of one worker.
pub struct ResponseCache {
    max_bytes: usize,
    entries: RefCell<Entries>,
}

#[derive(Default)]
struct Entries {
    /// With the quick hash of that map, whose seed is of this process: entries are few, and none
    /// is kept for long.
    by_query: HashMap<Box<str>, Entry>,
    bytes: usize,
}

struct Entry {
    response: StoredResponse,
    /// Where its facts came from, for the metrics.
    source: AnswerSource,
    /// Whether a parameter gave the format, so that `Accept` does not matter; otherwise the entry
    /// is only for requests that accept anything.
    has_explicit_format: bool,
    /// On the monotonic clock.
    until: Duration,
}

impl ResponseCache {
    /// An empty cache, for one of this many workers.
    pub fn of_workers(count: usize) -> Self {
        Self { max_bytes: MAX_ALL_RESPONSES_BYTES / count.max(1), entries: RefCell::default() }
    }

    /// Keeps the response to a query. `now` is on the monotonic clock.
    pub fn keep(
        &self,
        query: &str,
        has_explicit_format: bool,
        response: StoredResponse,
        source: AnswerSource,
        now: Duration,
    ) {
        let Entries { by_query, bytes } = &mut *self.entries.borrow_mut();
        let weight = query.len() + response.weight();
        if *bytes + weight > self.max_bytes {
            // Most of them have expired, and the others are soon made again.
            by_query.clear();
            *bytes = 0;
        }
        let entry = Entry { response, source, has_explicit_format, until: now + RESPONSE_TTL };
        *bytes += weight;
        if let Some(before) = by_query.insert(query.into(), entry) {
            *bytes -= query.len() + before.response.weight();
        }
    }

    /// The response to this request, if it is cached, and where its facts came from. `now` is on
    /// the monotonic clock.
    pub fn find(
        &self,
        request: &HttpRequest,
        now: Duration,
    ) -> Option<(HttpResponse, AnswerSource)> {
        if request.path() != PATH || ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        let entries = self.entries.borrow();
        let entry =
            entries.by_query.get(request.query_string()).filter(|entry| now < entry.until)?;
        let fits = entry.has_explicit_format || reply::accepts_anything(request);
        fits.then(|| (entry.response.respond(request), entry.source))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::reply::Metadata;

    fn now(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn response(text: &str) -> StoredResponse {
        StoredResponse::text(text.to_owned(), &Metadata::default())
    }

    fn is_cached(cache: &ResponseCache, query: &str, accept: Option<&str>, at: Duration) -> bool {
        let mut request = TestRequest::get().uri(&format!("/resolve?{query}"));
        if let Some(accept) = accept {
            request = request.insert_header(("accept", accept));
        }
        cache.find(&request.to_http_request(), at).is_some()
    }

    #[test]
    fn a_response_is_cached_for_a_second() {
        let cache = ResponseCache::of_workers(2);
        cache.keep("a=b", false, response("1709\n"), AnswerSource::Cache, now(5000));
        assert!(is_cached(&cache, "a=b", None, now(5999)));
        assert!(!is_cached(&cache, "a=b", None, now(6000)));
        assert!(!is_cached(&cache, "b=a", None, now(5999)));
    }

    #[test]
    fn without_a_format_a_response_is_for_requests_that_accept_any() {
        let cache = ResponseCache::of_workers(2);
        cache.keep("any", false, response("{}"), AnswerSource::Cache, now(0));
        cache.keep("named", true, response("1709\n"), AnswerSource::Cache, now(0));
        for (accept, expected) in [
            (None, true),
            (Some("*/*"), true),
            (Some("text/plain"), false),
            (Some("image/png"), false),
        ] {
            assert_eq!(is_cached(&cache, "any", accept, now(1)), expected, "{accept:?}");
            assert!(is_cached(&cache, "named", accept, now(1)), "{accept:?}");
        }
    }

    #[test]
    fn the_cache_of_a_worker_is_bounded() {
        let cache = ResponseCache::of_workers(2);
        let largest = "x".repeat(MAX_ALL_RESPONSES_BYTES / 20);
        for number in 0..100 {
            cache.keep(
                &format!("n={number}"),
                false,
                response(&largest),
                AnswerSource::Cache,
                now(0),
            );
            cache.keep("same", false, response(&largest), AnswerSource::Cache, now(0));
            assert!(is_cached(&cache, "same", None, now(1)));
            let inner = cache.entries.borrow();
            let bytes: usize = inner
                .by_query
                .iter()
                .map(|(query, entry)| query.len() + entry.response.weight())
                .sum();
            assert_eq!(bytes, inner.bytes);
            assert!(bytes <= MAX_ALL_RESPONSES_BYTES / 2);
        }
    }
}

//! Answers that are ready: what `/resolve` said a moment ago is said again to who asks the same.
//!
//! Each worker has answers of its own, so that no lock is taken and nothing is shared. They are
//! found by the query as it was written, because an answer repeats its words; another spelling is
//! another question here. An answer is kept for a second only. So nothing has to be told when a
//! fact changes or grows old: an answer is at most so much older than it says, and facts in use are
//! still asked for, and renewed, once a second.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use hashbrown::HashMap;

use super::reply::{self, Prepared};
use crate::telemetry::AnswerSource;

/// The path whose answers are kept.
pub const PATH: &str = "/resolve";
/// For so long an answer is given again. One in thousands is then made anew under load, and nobody
/// notices a second in what registries change a few times a month.
const READY_FOR: Duration = Duration::from_secs(1);
/// The memory that the answers of one worker may take. An answer takes about 3 kB, so that these
/// are more than a thousand; all known hosts and families have fewer.
const MAX_BYTES: usize = 4 << 20;

/// The answers of one worker.
#[derive(Default)]
pub struct ReadyAnswers(RefCell<Answers>);

#[derive(Default)]
struct Answers {
    /// With the quick hash of that map, whose seed is of this process: the answers are few, and
    /// none is kept for long.
    by_query: HashMap<Box<str>, Ready>,
    bytes: usize,
}

struct Ready {
    answer: Prepared,
    /// Where its facts came from, for the metrics.
    source: AnswerSource,
    /// Whether a parameter gave the form, so that `Accept` does not matter; else it is for who
    /// accepts anything.
    form_is_named: bool,
    /// On the monotonic clock.
    until: Duration,
}

impl ReadyAnswers {
    /// Keeps the answer to a query. `now` is on the monotonic clock.
    pub fn keep(
        &self,
        query: &str,
        form_is_named: bool,
        answer: Prepared,
        source: AnswerSource,
        now: Duration,
    ) {
        let Answers { by_query, bytes } = &mut *self.0.borrow_mut();
        let weight = query.len() + answer.weight();
        if *bytes + weight > MAX_BYTES {
            // Most of them are past their second, and the others are soon made again.
            by_query.clear();
            *bytes = 0;
        }
        let ready = Ready { answer, source, form_is_named, until: now + READY_FOR };
        *bytes += weight;
        if let Some(before) = by_query.insert(query.into(), ready) {
            *bytes -= query.len() + before.answer.weight();
        }
    }

    /// The answer to this request, if it is ready, and where its facts came from. `now` is on the
    /// monotonic clock.
    pub fn find(
        &self,
        request: &HttpRequest,
        now: Duration,
    ) -> Option<(HttpResponse, AnswerSource)> {
        if request.path() != PATH || ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        let answers = self.0.borrow();
        let ready =
            answers.by_query.get(request.query_string()).filter(|ready| now < ready.until)?;
        let fits = ready.form_is_named || reply::accepts_anything(request);
        fits.then(|| (ready.answer.respond(request), ready.source))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::reply::About;

    fn now(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn answer(text: &str) -> Prepared {
        Prepared::text(text.to_owned(), &About::default())
    }

    fn is_ready(answers: &ReadyAnswers, query: &str, accept: Option<&str>, at: Duration) -> bool {
        let mut request = TestRequest::get().uri(&format!("/resolve?{query}"));
        if let Some(accept) = accept {
            request = request.insert_header(("accept", accept));
        }
        answers.find(&request.to_http_request(), at).is_some()
    }

    #[test]
    fn an_answer_is_ready_for_a_second() {
        let answers = ReadyAnswers::default();
        answers.keep("a=b", false, answer("1709\n"), AnswerSource::Cache, now(5000));
        assert!(is_ready(&answers, "a=b", None, now(5999)));
        assert!(!is_ready(&answers, "a=b", None, now(6000)));
        assert!(!is_ready(&answers, "b=a", None, now(5999)));
    }

    #[test]
    fn a_form_that_is_not_named_is_for_those_who_take_any() {
        let answers = ReadyAnswers::default();
        answers.keep("any", false, answer("{}"), AnswerSource::Cache, now(0));
        answers.keep("named", true, answer("1709\n"), AnswerSource::Cache, now(0));
        for (accept, expected) in [
            (None, true),
            (Some("*/*"), true),
            (Some("text/plain"), false),
            (Some("image/png"), false),
        ] {
            assert_eq!(is_ready(&answers, "any", accept, now(1)), expected, "{accept:?}");
            assert!(is_ready(&answers, "named", accept, now(1)), "{accept:?}");
        }
    }

    #[test]
    fn the_answers_of_a_worker_are_bounded() {
        let answers = ReadyAnswers::default();
        let largest = "x".repeat(MAX_BYTES / 10);
        for number in 0..100 {
            answers.keep(
                &format!("n={number}"),
                false,
                answer(&largest),
                AnswerSource::Cache,
                now(0),
            );
            answers.keep("same", false, answer(&largest), AnswerSource::Cache, now(0));
            assert!(is_ready(&answers, "same", None, now(1)));
            let inner = answers.0.borrow();
            let bytes: usize = inner
                .by_query
                .iter()
                .map(|(query, ready)| query.len() + ready.answer.weight())
                .sum();
            assert_eq!(bytes, inner.bytes);
            assert!(bytes <= MAX_BYTES);
        }
    }
}

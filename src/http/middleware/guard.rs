//! Limits on the size of a request, and panics of a handler kept to their request.

use std::panic::AssertUnwindSafe;

use actix_http::{HttpMessage as _, Request, Response};
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::FutureExt as _;

use crate::api::problem::{Problem, ProblemKind};
use crate::http::body::MAX_LIST_BYTES;
use crate::http::clients::Clients;
use crate::http::connection::has_body;
use crate::http::{reply, routes};

/// The longest path and query. The longest that makes sense is a list of 64 hosts; proxies in
/// between allow little more.
const MAX_URI_BYTES: usize = 2048;
/// The size of all headers together: what common proxies allow.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Refuses a request that is malformed or too large.
pub fn refuse(request: &HttpRequest) -> Option<HttpResponse> {
    malformed(request).or_else(|| too_large(request)).map(|it| reply::problem(request, &it))
}

/// Refuses a body that is too large before the client sends it, if the client waits for that
/// (`Expect: 100-continue`).
pub async fn accept_body(request: Request) -> Result<Request, Response<BoxBody>> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_none_or(|length| length <= MAX_LIST_BYTES as u64) {
        return Ok(request);
    }
    let detail = format!("the body may have at most {MAX_LIST_BYTES} bytes");
    let problem = Problem::new(ProblemKind::PayloadTooLarge, detail);
    Err(reply::problem_as(false, &problem).into())
}

/// Answers the request; a panic becomes a problem.
pub async fn contain_panics(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let wants_text = reply::wants_text(request.request());
    // The request cannot be kept for the reply: actix routes it only while it is the one owner.
    AssertUnwindSafe(next.call(request)).catch_unwind().await.unwrap_or_else(|_| {
        let detail = "a defect in wintag; only this request failed".to_owned();
        let response = reply::problem_as(wants_text, &Problem::new(ProblemKind::Internal, detail));
        Err(InternalError::from_response("a handler panicked", response).into())
    })
}

/// Keeps an answer with private facts from web pages and shared caches. It is given only under the
/// configured names of this service: a web page could point a name of its own at it (DNS
/// rebinding), and a browser would let the page read what the service says under that name.
pub fn protect(mut response: ServiceResponse, clients: &Clients) -> ServiceResponse {
    if !clients.allows_host(response.request()) {
        let detail = "this answer has data from a private registry, which is only given under the \
                      names of --allowed-host";
        let problem = Problem::new(ProblemKind::HostNotAllowed, detail.to_owned());
        let refusal = reply::problem(response.request(), &problem);
        response = response.into_response(refusal);
    }
    let headers = response.headers_mut();
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Whether a byte may be in a host name with a port (RFC 3986). A table, because each request is
/// checked.
const IN_HOST: [bool; 256] = {
    let mut is_in = [false; 256];
    let mut byte = 0;
    while byte < is_in.len() {
        is_in[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~!$&'()*+,;=:[]%";
    let mut at = 0;
    while at < others.len() {
        is_in[others[at] as usize] = true;
        at += 1;
    }
    is_in
};

/// What the HTTP library lets pass, and what would mean something else to others.
fn malformed(request: &HttpRequest) -> Option<Problem> {
    let is_of_host = |byte: &u8| IN_HOST.get(usize::from(*byte)) == Some(&true);
    let is_host = |host: &HeaderValue| host.as_bytes().iter().all(is_of_host);
    if !request.headers().get_all(header::HOST).all(is_host) {
        let detail = "the header Host is not a host name with an optional port; send the name \
                      of this service, such as localhost:8080";
        return Some(Problem::new(ProblemKind::MalformedRequest, detail.to_owned()));
    }
    // The library reads such a request to the end of the connection, whatever its length.
    let upgrade = || request.headers().get(header::UPGRADE)?.to_str().ok();
    if request.method() == Method::POST
        && upgrade().is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
    {
        let detail = "there are no web sockets here; leave out the header Upgrade";
        return Some(Problem::new(ProblemKind::MalformedRequest, detail.to_owned()));
    }
    None
}

fn too_large(request: &HttpRequest) -> Option<Problem> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri_bytes > MAX_URI_BYTES {
        let detail = format!(
            "path and query may have at most {MAX_URI_BYTES} bytes; send a longer text of a host \
             as the body of POST /resolve or POST /identify, as text/plain"
        );
        return Some(Problem::new(ProblemKind::UriTooLong, detail));
    }
    let header_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > MAX_HEADER_BYTES {
        let detail = format!("all headers together may have at most {MAX_HEADER_BYTES} bytes");
        return Some(Problem::new(ProblemKind::HeadersTooLarge, detail));
    }
    // Where only POST is allowed, the problem is the method.
    let is_read = || !routes::is_only_posted(request.path());
    if has_body(request) && [Method::GET, Method::HEAD].contains(request.method()) && is_read() {
        let detail = "GET and HEAD take their parameters in the query; send no body".to_owned();
        return Some(Problem::new(ProblemKind::PayloadTooLarge, detail));
    }
    None
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};

    use super::*;

    async fn fails() -> HttpResponse {
        panic!("as a defect would")
    }

    #[actix_web::test]
    async fn a_handler_that_panics_fails_alone() {
        let app = App::new().wrap(from_fn(contain_panics)).route("/fails", web::get().to(fails));
        let app = test::init_service(app).await;
        for _ in 0..2 {
            let request = test::TestRequest::get().uri("/fails").to_request();
            let refused =
                test::try_call_service(&app, request).await.expect_err("the handler panics");
            let response = refused.error_response();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
        }
    }
}

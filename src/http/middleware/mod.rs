//! Middleware for every request: metrics and traces, rate limits, limits on the size of a
//! request, and the response cache. What is left goes to the handlers.
//!
//! It is one future and not a chain of actix's middleware, because each of those costs a request
//! two allocations, and most requests need nothing else than what is here.

// In reading order.

mod measure;
mod guard;
mod response_cache;

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use tracing::Instrument as _;

use super::clients::{Client, Clients};
use super::connection::Answering;
use super::rate_limiter::RateLimiter;
use super::reply;
use super::shutdown::ShutdownState;
use crate::answers::{Caller, Contexts};
use crate::telemetry::{
    CacheLayer, CacheResult, Method, Metrics, RequestMetrics, ResolutionOutcome, Route, Traces,
};

pub use guard::accept_body;
#[cfg(test)]
pub use response_cache::MAX_ALL_RESPONSES_BYTES;
pub use response_cache::ResponseCache;

/// The middleware of one worker.
pub struct Middleware {
    /// For the time.
    pub contexts: Arc<Contexts>,
    /// For the clients of requests.
    pub clients: Arc<Clients>,
    /// Shared by all workers.
    pub rate_limiter: Arc<RateLimiter>,
    /// Closes connections once the service shuts down.
    pub shutdown: Arc<ShutdownState>,
    /// Of this worker alone.
    pub response_cache: Arc<ResponseCache>,
    /// Counts answers.
    pub metrics: Arc<Metrics>,
    /// Times requests.
    pub requests: Arc<RequestMetrics>,
    /// Decides which requests are traced.
    pub traces: Traces,
}

impl Middleware {
    /// Answers the request.
    ///
    /// # Errors
    /// When a handler panicked; the error has the response.
    pub async fn handle(
        &self,
        request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse, Error> {
        let began = self.contexts.elapsed();
        let _under_way = self.requests.begin();
        let (method, version) = (Method::of(request.method().as_str()), measure::version(&request));
        let span = self.traces.span(
            began,
            || measure::caller(&request, &self.clients),
            || measure::traced(&request, &self.requests),
        );
        let (answered, route) = match &span {
            Some(span) => self.answer(request, next, began).instrument(span.clone()).await,
            None => self.answer(request, next, began).await,
        };
        let status = match &answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        if let Some(span) = &span {
            Traces::conclude(span, status.as_u16());
        }
        let took = self.contexts.elapsed().saturating_sub(began);
        self.requests.observe(route, method, version, status.as_u16(), took);
        let mut answered = answered?;
        if self.shutdown.has_begun() {
            // A client that keeps its connection open would lose a request when the process ends.
            answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        Ok(answered)
    }

    /// The answer, and the route that it is of.
    async fn answer(
        &self,
        request: ServiceRequest,
        next: Next<BoxBody>,
        now: Duration,
    ) -> (Result<ServiceResponse, Error>, Route) {
        let refused = self
            .rate_limiter
            .refuse(request.request(), now)
            .or_else(|| guard::refuse(request.request()));
        if let Some(refusal) = refused {
            let _answering = Answering::begin(request.request());
            let route = self.requests.route(request.request().match_name());
            return (Ok(request.into_response(refusal)), route);
        }
        if let Some(response) = self.find_cached(&request, now) {
            let route = self.requests.route(Some(response_cache::PATH));
            return (Ok(request.into_response(response)), route);
        }
        let _answering = Answering::begin(request.request());
        let caller = Caller::new(self.clients.client(request.request()).map(Client::key));
        let answering = caller.clone().scope(guard::contain_panics(request, next));
        let mut answered = answering.await.map(reply::in_asked_form);
        if caller.has_private() {
            answered = answered.map(|response| guard::protect(response, &self.clients));
        }
        let pattern = answered.as_ref().ok().and_then(|response| response.request().match_name());
        let route = self.requests.route(pattern);
        (answered, route)
    }

    fn find_cached(&self, request: &ServiceRequest, now: Duration) -> Option<HttpResponse> {
        let (response, source) = self.response_cache.find(request.request(), now)?;
        self.metrics.count_cache_request(CacheLayer::Answers, CacheResult::Fresh);
        self.metrics.count_resolution(ResolutionOutcome::Ok, source);
        Some(response)
    }
}

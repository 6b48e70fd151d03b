//! What every request passes, in one place: it is counted, timed and perhaps traced; who takes more
//! than a share is refused, and so is what is too large; an answer that is ready is given; the rest
//! goes to the handlers.
//!
//! All of it is one future and not a chain of middlewares, because each of those costs a request
//! two allocations, and most requests need nothing else than what is here.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use tracing::Instrument as _;

use super::clients::Clients;
use super::drain::Draining;
use super::ready::{self, ReadyAnswers};
use super::transport::Answering;
use super::{guard, measure, reply};
use crate::answers::Context;
use crate::telemetry::{
    CacheLayer, CacheResult, Method, Metrics, RequestMetrics, ResolutionOutcome, Route, Traces,
};

/// What stands before the handlers of one worker.
pub struct Door {
    /// For what the time is.
    pub context: Arc<Context>,
    /// What clients have taken.
    pub clients: Arc<Clients>,
    /// Whether the service was told to stop.
    pub draining: Arc<Draining>,
    /// The answers that are ready.
    pub ready: Arc<ReadyAnswers>,
    /// Counts answers.
    pub metrics: Arc<Metrics>,
    /// Times requests.
    pub requests: Arc<RequestMetrics>,
    /// Decides which requests are traced.
    pub traces: Traces,
}

impl Door {
    /// Answers the request.
    pub async fn pass(
        &self,
        request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse, Error> {
        let began = self.context.elapsed();
        let _under_way = self.requests.begin();
        let (method, version) = (Method::of(request.method().as_str()), measure::version(&request));
        let span = self
            .traces
            .span(|| measure::caller(&request), || measure::traced(&request, &self.requests));
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
        let took = self.context.elapsed().saturating_sub(began);
        self.requests.observe(route, method, version, status.as_u16(), took);
        let mut answered = answered?;
        if self.draining.has_begun() {
            // Who keeps a connection open would else go on using it, and lose a request when it
            // ends.
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
            .clients
            .refuse(request.request(), now)
            .or_else(|| guard::refuse_too_large(request.request()));
        if let Some(refusal) = refused {
            let route = self.requests.route(request.request().match_name());
            return (Ok(request.into_response(refusal)), route);
        }
        if let Some(response) = self.find_ready(&request, now) {
            return (Ok(request.into_response(response)), self.requests.route(Some(ready::PATH)));
        }
        let has_body = guard::has_body(request.request());
        let _turn = Answering::begin(request.request(), has_body);
        let answered = guard::contain_panics(request, next).await.map(reply::in_asked_form);
        let pattern = answered.as_ref().ok().and_then(|response| response.request().match_name());
        let route = self.requests.route(pattern);
        (answered, route)
    }

    fn find_ready(&self, request: &ServiceRequest, now: Duration) -> Option<HttpResponse> {
        let (response, source) = self.ready.find(request.request(), now)?;
        self.metrics.count_cache_request(CacheLayer::Answers, CacheResult::Fresh);
        self.metrics.count_resolution(ResolutionOutcome::Ok, source);
        Some(response)
    }
}

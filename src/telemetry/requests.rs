//! Durations of requests by route, method, version of HTTP and status.
//!
//! This is on the path of every request, so that a series is found by numbers in a table and not by
//! text. A series is created at its first request, because most never have any.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntGauge};

use super::labels::{HttpVersion, Method};

/// The labels of a request (OpenTelemetry semantic conventions, `http.server.request.duration`).
pub(super) const LABELS: [&str; 6] = [
    "http_request_method",
    "http_route",
    "http_response_status_code",
    "url_scheme",
    "network_protocol_version",
    "error_type",
];
/// A proxy may serve HTTPS; wintag itself serves HTTP only.
const SCHEME: &str = "http";
/// The upper bounds of the durations, in seconds (as above, and the same for
/// `http.client.request.duration`).
pub(super) const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The label of requests to unknown paths.
const NO_ROUTE: &str = "other";
/// The statuses of this service, the most frequent first. Others are counted too, but slower.
const STATUSES: [u16; 19] =
    [200, 304, 404, 400, 403, 429, 204, 303, 405, 406, 408, 413, 414, 415, 431, 500, 502, 503, 504];

/// The durations of requests, and the number in progress.
pub struct RequestMetrics {
    durations: HistogramVec,
    in_progress: IntGauge,
    routes: &'static [&'static str],
    /// By route, method, version and status; the last route is that of unknown paths.
    series: Box<[OnceLock<Histogram>]>,
}

/// The route of a request: the pattern of its path, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(usize);

impl RequestMetrics {
    pub(super) fn new(
        durations: HistogramVec,
        in_progress: IntGauge,
        routes: &'static [&'static str],
    ) -> Self {
        let count =
            (routes.len() + 1) * Method::ALL.len() * HttpVersion::ALL.len() * STATUSES.len();
        Self {
            durations,
            in_progress,
            routes,
            series: (0..count).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Counts a request as in progress until the returned guard is dropped.
    pub fn begin(&self) -> InProgress<'_> {
        self.in_progress.inc();
        InProgress(&self.in_progress)
    }

    /// The route of this pattern; unknown ones share one route.
    pub fn route(&self, pattern: Option<&str>) -> Route {
        let at = pattern.and_then(|pattern| self.routes.iter().position(|route| *route == pattern));
        Route(at.unwrap_or(self.routes.len()))
    }

    /// The pattern of a route, `None` for that of unknown paths.
    pub fn pattern(&self, route: Route) -> Option<&'static str> {
        self.routes.get(route.0).copied()
    }

    /// Counts a request that has been answered.
    pub fn observe(
        &self,
        route: Route,
        method: Method,
        version: HttpVersion,
        status: u16,
        took: Duration,
    ) {
        let make = || {
            let pattern = self.pattern(route).unwrap_or(NO_ROUTE);
            let status_text = status.to_string();
            // No error is an empty label, which is the same as none.
            let error = if status >= 500 { status_text.as_str() } else { "" };
            let values = [method.as_str(), pattern, &status_text, SCHEME, version.as_str(), error];
            self.durations.with_label_values(&values)
        };
        let position = STATUSES.iter().position(|known| *known == status).map(|at| {
            let before = (route.0 * Method::ALL.len() + method as usize) * HttpVersion::ALL.len()
                + version as usize;
            before * STATUSES.len() + at
        });
        match position.and_then(|position| self.series.get(position)) {
            Some(series) => series.get_or_init(make).observe(took.as_secs_f64()),
            None => make().observe(took.as_secs_f64()),
        }
    }
}

/// A request in progress.
pub struct InProgress<'a>(&'a IntGauge);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        // This happens also if the client disconnects while it sends a body.
        self.0.dec();
    }
}

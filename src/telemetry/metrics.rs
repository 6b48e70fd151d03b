//! The metrics, and every name and label they have.
//!
//! Labels have closed sets of values: our own words, the patterns of our paths, the registries of
//! the configuration and the repositories of the families. Nothing that a caller writes becomes a
//! label, so that nobody can make the memory grow with made-up names.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::labels::{
    AnswerSource, CacheLayer, CacheResult, Operation, ResolutionOutcome, UpstreamOutcome,
};
use super::requests::{BUCKETS, LABELS, RequestMetrics};

/// The statuses of registries that have a label of their own. What else a registry answers is one
/// value, so that it cannot make labels up.
const STATUSES_OF_REGISTRIES: [u16; 14] =
    [200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 429, 500, 502, 503];
/// The statuses of refusals that come before there is a request (README, "Limits and stopping").
const STATUSES_OF_UNREAD: [u16; 3] = [400, 408, 431];
/// The value for what could be anything: a status, or a host that a registry has named.
const OTHER: &str = "_OTHER";

/// All metrics, in a registry of their own. One of it lives as long as the process.
pub struct Metrics {
    registry: Registry,
    durations: HistogramVec,
    client_durations: HistogramVec,
    requests_under_way: IntGauge,
    unread_requests: IntCounterVec,
    resolutions: IntCounterVec,
    /// Those of `resolutions`, so that counting one looks nothing up.
    resolutions_by_number:
        [[OnceLock<IntCounter>; AnswerSource::ALL.len()]; ResolutionOutcome::ALL.len()],
    cache_requests: [[IntCounter; CacheResult::ALL.len()]; CacheLayer::ALL.len()],
    upstream_requests: IntCounterVec,
    flights: IntGaugeVec,
    waiters: IntGaugeVec,
    circuit_open: IntGaugeVec,
    last_refresh: GaugeVec,
    data_age: GaugeVec,
    snapshot_write_failures: IntCounter,
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    ///
    /// # Panics
    /// Never: names and labels are constants, and every test that starts the service makes them.
    pub fn new() -> Self {
        let registry = Registry::new();
        let histograms = |name, help, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            registered(&registry, HistogramVec::new(options, labels).expect(VALID))
        };
        let requests_under_way =
            IntGauge::new("wintag_requests_under_way", "Requests that are being answered now.")
                .expect(VALID);
        let counters = |name, help, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels).expect(VALID))
        };
        let gauges = |name, help, labels: &[&str]| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID))
        };
        let seconds = |name, help, labels: &[&str]| {
            registered(&registry, GaugeVec::new(Opts::new(name, help), labels).expect(VALID))
        };
        let resolutions = counters(
            "wintag_resolutions_total",
            "Questions for a tag, by how they ended and where the facts came from.",
            &["outcome", "freshness"],
        );
        let cache_requests = counters(
            "wintag_cache_requests_total",
            "Times that something was looked for in memory, by what came of it.",
            &["layer", "result"],
        );
        let snapshot_write_failures = IntCounter::new(
            "wintag_snapshot_write_failures_total",
            "Times that the snapshot could not be written to disk.",
        );
        let build_info =
            gauges("wintag_build_info", "Always 1; the version is the label.", &["version"]);
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            durations: histograms(
                "http_server_request_duration_seconds",
                "Time from a request's head to its answer, by the pattern of the path.",
                &LABELS,
            ),
            client_durations: histograms(
                "http_client_request_duration_seconds",
                "Time that one request to a registry, its mirror or its token service took, \
                 answer included.",
                &[
                    "http_request_method",
                    "server_address",
                    "server_port",
                    "http_response_status_code",
                    "error_type",
                ],
            ),
            unread_requests: counters(
                "wintag_unread_requests_total",
                "Requests that were refused before they could be read, by the status they got; \
                 they are in no other metric.",
                &["http_response_status_code"],
            ),
            requests_under_way: registered(&registry, requests_under_way),
            resolutions_by_number: Default::default(),
            resolutions,
            cache_requests: CacheLayer::ALL.map(|layer| {
                CacheResult::ALL.map(|result| {
                    cache_requests.with_label_values(&[layer.as_str(), result.as_str()])
                })
            }),
            upstream_requests: counters(
                "wintag_upstream_requests_total",
                "Times that a registry was asked for something; one may take several requests.",
                &["registry", "operation", "outcome"],
            ),
            flights: gauges(
                "wintag_flights",
                "Different things that registries are being asked for now, by the layer that will \
                 keep them.",
                &["layer"],
            ),
            waiters: gauges(
                "wintag_singleflight_waiters",
                "Questions that wait for a flight now; any number may wait for one.",
                &["layer"],
            ),
            circuit_open: gauges(
                "wintag_circuit_open",
                "1 while the circuit breaker of a registry is open, else 0.",
                &["registry"],
            ),
            last_refresh: seconds(
                "wintag_last_refresh_success_timestamp_seconds",
                "When a registry last gave what it was asked for, as seconds since 1970.",
                &["registry"],
            ),
            // Not by registry alone: lists of one registry are of different ages, and a mean or
            // maximum of them would hide which one is old. The families of the
            // configuration bound the label.
            data_age: seconds(
                "wintag_data_age_seconds",
                "Age of the tag list of a repository of the families, as its registry gave it; \
                 none while only the catalogue is known.",
                &["registry", "repository"],
            ),
            snapshot_write_failures: registered(&registry, snapshot_write_failures.expect(VALID)),
            registry,
        };
        metrics.begin_at_zero();
        metrics
    }

    /// Shows the resolutions and refusals that there can be from the start: what appears with its
    /// first event hides that event from `rate` and `increase`.
    fn begin_at_zero(&self) {
        for status in STATUSES_OF_UNREAD {
            self.unread_requests.with_label_values(&[&status.to_string()]);
        }
        for outcome in ResolutionOutcome::ALL {
            for source in AnswerSource::ALL {
                if outcome.has_facts() == (source != AnswerSource::Nothing) {
                    self.resolution(outcome, source);
                }
            }
        }
    }

    /// What counts requests to these routes.
    pub fn requests(&self, routes: &'static [&'static str]) -> RequestMetrics {
        RequestMetrics::new(self.durations.clone(), self.requests_under_way.clone(), routes)
    }

    /// Counts a question for a tag. It costs one addition.
    pub fn count_resolution(&self, outcome: ResolutionOutcome, source: AnswerSource) {
        self.resolution(outcome, source).inc();
    }

    fn resolution(&self, outcome: ResolutionOutcome, source: AnswerSource) -> &IntCounter {
        let make = || self.resolutions.with_label_values(&[outcome.as_str(), source.as_str()]);
        self.resolutions_by_number[outcome as usize][source as usize].get_or_init(make)
    }

    /// Counts that something was looked for in memory. It costs one addition.
    pub fn count_cache_request(&self, layer: CacheLayer, result: CacheResult) {
        self.cache_requests[layer as usize][result as usize].inc();
    }

    /// Counts that a configured registry was asked.
    pub fn count_upstream_request(
        &self,
        registry: &str,
        operation: Operation,
        outcome: UpstreamOutcome,
    ) {
        self.upstream_requests
            .with_label_values(&[registry, operation.as_str(), outcome.as_str()])
            .inc();
    }

    /// Counts that the snapshot could not be written.
    pub fn count_snapshot_write_failure(&self) {
        self.snapshot_write_failures.inc();
    }

    /// Says how many flights are under way for a layer, and how many questions wait for them.
    pub fn tell_flights(&self, layer: CacheLayer, flights: usize, waiters: usize) {
        for (gauges, number) in [(&self.flights, flights), (&self.waiters, waiters)] {
            gauges
                .with_label_values(&[layer.as_str()])
                .set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }

    /// Sets whether the circuit breaker of a registry is open.
    pub fn tell_circuit(&self, registry: &str, is_open: bool) {
        self.circuit_open.with_label_values(&[registry]).set(i64::from(is_open));
    }

    /// Says when a configured registry gave what it was asked for, in seconds since 1970.
    pub fn tell_refresh(&self, registry: &str, at_seconds: f64) {
        self.last_refresh.with_label_values(&[registry]).set(at_seconds);
    }

    /// Says how old the tag lists of the families are, as registries gave them: registry, path of
    /// the repository, seconds. What is not among them is no longer known.
    pub fn tell_data_ages<'a>(&self, ages: impl Iterator<Item = (&'a str, &'a str, f64)>) {
        self.data_age.reset();
        for (registry, repository, seconds) in ages {
            self.data_age.with_label_values(&[registry, repository]).set(seconds);
        }
    }

    /// Counts a request that was refused with this status before it could be read.
    pub fn count_unread_request(&self, status: u16) {
        self.unread_requests.with_label_values(&[&status.to_string()]).inc();
    }

    /// Counts a request to a registry or what belongs to it, and how long it took. The host is one
    /// of the configuration; none where a registry has named it.
    pub fn observe_client_request(
        &self,
        server: Option<(&str, u16)>,
        status: Option<u16>,
        error: Option<&str>,
        took: Duration,
    ) {
        let (host, port) =
            server.map_or((OTHER, String::new()), |(host, port)| (host, port.to_string()));
        let status_text = match status {
            Some(status) if STATUSES_OF_REGISTRIES.contains(&status) => status.to_string(),
            Some(_) => OTHER.to_owned(),
            None => String::new(),
        };
        let error = error.unwrap_or(if status >= Some(400) { &status_text } else { "" });
        let values = ["GET", host, &port, &status_text, error];
        self.client_durations.with_label_values(&values).observe(took.as_secs_f64());
    }

    /// Everything, in the text format of Prometheus.
    ///
    /// # Errors
    /// Never in practice: the names are valid.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The metric, from now on shown.
fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> C {
    registry.register(Box::new(metric.clone())).expect(ONCE);
    metric
}

const VALID: &str = "the names of metrics and labels are valid constants";
const ONCE: &str = "each name is registered once";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::{HttpVersion, Method};

    /// The samples of one duration, which fits into these buckets.
    fn ended(name: &str, labels: &str, bounds: &[&str], seconds: &str) -> Vec<String> {
        let buckets =
            bounds.iter().map(|bound| format!("{name}_bucket{{{labels},le=\"{bound}\"}} 1"));
        buckets
            .chain([
                format!("{name}_sum{{{labels}}} {seconds}"),
                format!("{name}_count{{{labels}}} 1"),
            ])
            .collect()
    }

    /// Dashboards and alerts hold on to these names.
    #[test]
    fn names_and_labels_are_kept() {
        let metrics = Metrics::new();
        let requests = metrics.requests(&["/resolve"]);
        requests.observe(
            requests.route(Some("/resolve")),
            Method::Get,
            HttpVersion::Http11,
            404,
            Duration::from_millis(30),
        );
        let made_up = (requests.route(Some("/made/up")), Method::of("MADE-UP"));
        requests.observe(made_up.0, made_up.1, HttpVersion::Http10, 518, Duration::from_secs(60));
        metrics.observe_client_request(
            Some(("mcr.microsoft.com", 443)),
            Some(404),
            None,
            Duration::from_secs(7),
        );
        metrics.observe_client_request(None, Some(999), None, Duration::from_secs(60));
        metrics.observe_client_request(
            Some(("mcr.microsoft.com", 443)),
            None,
            Some("timeout"),
            Duration::from_secs(60),
        );
        metrics.count_unread_request(431);
        metrics.count_resolution(ResolutionOutcome::Ok, AnswerSource::StaleSnapshot);
        metrics.count_upstream_request(
            "mcr.microsoft.com",
            Operation::Tags,
            UpstreamOutcome::RateLimited,
        );
        metrics.count_cache_request(CacheLayer::Manifests, CacheResult::Stale);
        metrics.count_snapshot_write_failure();
        metrics.tell_flights(CacheLayer::Tags, 2, 3);
        metrics.tell_circuit("mcr.microsoft.com", true);
        metrics.tell_refresh("mcr.microsoft.com", 1.5e9);
        metrics.tell_data_ages([("mcr.microsoft.com", "gone", 9.5)].into_iter());
        metrics.tell_data_ages([("mcr.microsoft.com", "windows", 1.5)].into_iter());
        drop(requests.begin());
        let _under_way = requests.begin();
        let text = metrics.text().unwrap();
        let is_shown = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0");
        let samples: Vec<&str> = text.lines().filter(is_shown).collect();
        let version = env!("CARGO_PKG_VERSION");
        let (server, client) =
            ("http_server_request_duration_seconds", "http_client_request_duration_seconds");
        let asked = |error: &str, status: &str, host: &str, port: &str| {
            format!(
                "error_type=\"{error}\",http_request_method=\"GET\",http_response_status_code=\"\
                 {status}\",server_address=\"{host}\",server_port=\"{port}\""
            )
        };
        let answered = |error: &str, method: &str, status: &str, route: &str, version: &str| {
            format!(
                "error_type=\"{error}\",http_request_method=\"{method}\",\
                 http_response_status_code=\"{status}\",http_route=\"{route}\",\
                 network_protocol_version=\"{version}\",url_scheme=\"http\""
            )
        };
        let all =
            ["0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf"];
        let mut expected: Vec<String> = Vec::new();
        expected.extend(ended(
            client,
            &asked("404", "404", "mcr.microsoft.com", "443"),
            &["7.5", "10", "+Inf"],
            "7",
        ));
        expected.extend(ended(client, &asked("_OTHER", "_OTHER", "_OTHER", ""), &["+Inf"], "60"));
        expected.extend(ended(
            client,
            &asked("timeout", "", "mcr.microsoft.com", "443"),
            &["+Inf"],
            "60",
        ));
        expected.extend(ended(
            server,
            &answered("", "GET", "404", "/resolve", "1.1"),
            &all,
            "0.03",
        ));
        expected.extend(ended(
            server,
            &answered("518", "_OTHER", "518", "other", "1.0"),
            &["+Inf"],
            "60",
        ));
        expected.extend([format!("wintag_build_info{{version=\"{version}\"}} 1")]);
        expected.extend(
            [
                "wintag_cache_requests_total{layer=\"manifests\",result=\"stale\"} 1",
                "wintag_circuit_open{registry=\"mcr.microsoft.com\"} 1",
                "wintag_data_age_seconds{registry=\"mcr.microsoft.com\",repository=\"windows\"} \
                 1.5",
                "wintag_flights{layer=\"tags\"} 2",
                "wintag_last_refresh_success_timestamp_seconds{registry=\"mcr.microsoft.com\"} \
                 1500000000",
                "wintag_requests_under_way 1",
                "wintag_resolutions_total{freshness=\"stale_snapshot\",outcome=\"ok\"} 1",
                "wintag_singleflight_waiters{layer=\"tags\"} 3",
                "wintag_snapshot_write_failures_total 1",
                "wintag_unread_requests_total{http_response_status_code=\"431\"} 1",
                "wintag_upstream_requests_total{operation=\"tags\",outcome=\"rate_limited\",\
                 registry=\"mcr.microsoft.com\"} 1",
            ]
            .map(str::to_owned),
        );
        assert_eq!(samples, expected);
        // The resolutions that there can be, and no others, are shown before they happen.
        assert_eq!(
            text.lines().filter(|line| line.starts_with("wintag_resolutions_total{")).count(),
            3 * 6 + 3
        );
    }
}

//! The metrics, with all their names and labels.
//!
//! Labels have closed sets of values: our own words, the patterns of our paths, the configured
//! registries and the repositories of the families. Text from callers never becomes a label, so
//! that invented names cannot make memory grow.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::facts::FactsMetrics;
use super::labels::{
    AnswerSource, CacheLayer, CacheResult, Operation, ResolutionOutcome, UpstreamOutcome,
};
use super::requests::{BUCKETS, LABELS, RequestMetrics};

/// The statuses of registries that have a label of their own. All others share one value, so that
/// a registry cannot invent labels.
const REGISTRY_STATUSES: [u16; 14] =
    [200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 429, 500, 502, 503];
/// The statuses of requests that are rejected before they are read.
const UNREAD_STATUSES: [u16; 3] = [400, 408, 431];
/// The label of other statuses, and of hosts that a registry has named.
const OTHER: &str = "_OTHER";

/// The lines of the log that were not written. The log is there before all else, and is one for the
/// process too.
pub static LOG_LINES_DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
    IntCounter::new(
        "wintag_log_lines_dropped_total",
        "Lines of the log that were dropped because nothing read the log, or writing it failed.",
    )
    .expect(VALID)
});

/// All metrics, in a registry of their own. There is one for the process.
pub struct Metrics {
    registry: Registry,
    durations: HistogramVec,
    client_durations: HistogramVec,
    requests_in_progress: IntGauge,
    unread_requests: IntCounterVec,
    resolutions: IntCounterVec,
    /// The counters of `resolutions` by outcome and source, which saves a lookup by text.
    resolution_counters:
        [[OnceLock<IntCounter>; AnswerSource::ALL.len()]; ResolutionOutcome::ALL.len()],
    cache_requests: [[IntCounter; CacheResult::ALL.len()]; CacheLayer::ALL.len()],
    upstream_requests: IntCounterVec,
    fetches: IntGaugeVec,
    waiters: IntGaugeVec,
    circuit_open: IntGaugeVec,
    last_refresh: GaugeVec,
    data_age: GaugeVec,
    snapshot_write_failures: IntCounter,
    /// The facts that renew themselves.
    pub facts: FactsMetrics,
}

impl Metrics {
    /// Creates the metrics.
    ///
    /// # Panics
    /// Never: names and labels are constants, and every test that starts the service uses them.
    pub fn new() -> Self {
        let registry = Registry::new();
        let histograms = |name, help, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            registered(&registry, HistogramVec::new(options, labels).expect(VALID))
        };
        let requests_in_progress =
            IntGauge::new("wintag_requests_under_way", "Requests in progress.").expect(VALID);
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
            "Resolutions, by outcome and by source of the facts.",
            &["outcome", "freshness"],
        );
        let cache_requests = counters(
            "wintag_cache_requests_total",
            "Cache lookups, by result.",
            &["layer", "result"],
        );
        let snapshot_write_failures = IntCounter::new(
            "wintag_snapshot_write_failures_total",
            "Failures to write the snapshot to disk.",
        );
        let build_info =
            gauges("wintag_build_info", "Always 1; the label has the version.", &["version"]);
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            durations: histograms(
                "http_server_request_duration_seconds",
                "Time from the head of a request to its response.",
                &LABELS,
            ),
            client_durations: histograms(
                "http_client_request_duration_seconds",
                "Duration of a request to a registry, its mirror or its token service, \
                 response included.",
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
                "Requests rejected before they were read, by status; no other metric includes \
                 them.",
                &["http_response_status_code"],
            ),
            requests_in_progress: registered(&registry, requests_in_progress),
            resolution_counters: Default::default(),
            resolutions,
            cache_requests: CacheLayer::ALL.map(|layer| {
                CacheResult::ALL.map(|result| {
                    cache_requests.with_label_values(&[layer.as_str(), result.as_str()])
                })
            }),
            upstream_requests: counters(
                "wintag_upstream_requests_total",
                "Fetches from registries, by outcome; a fetch may take several requests.",
                &["registry", "operation", "outcome"],
            ),
            fetches: gauges(
                "wintag_flights",
                "Fetches from registries in progress, by the layer that will cache the result.",
                &["layer"],
            ),
            waiters: gauges(
                "wintag_singleflight_waiters",
                "Questions waiting for a fetch; any number may wait for the same one.",
                &["layer"],
            ),
            circuit_open: gauges(
                "wintag_circuit_open",
                "1 while the circuit breaker of a registry is open, otherwise 0.",
                &["registry"],
            ),
            last_refresh: seconds(
                "wintag_last_refresh_success_timestamp_seconds",
                "Time of the last successful fetch from a registry, in seconds since 1970.",
                &["registry"],
            ),
            // By repository too: lists of one registry differ in age, and a mean or maximum would
            // hide which one is old. The configured families bound the label.
            data_age: seconds(
                "wintag_data_age_seconds",
                "Age of the tag list of a family's repository; absent until its registry has \
                 answered.",
                &["registry", "repository"],
            ),
            snapshot_write_failures: registered(&registry, snapshot_write_failures.expect(VALID)),
            facts: FactsMetrics::new(&registry).expect(VALID),
            registry,
        };
        registered(&metrics.registry, LOG_LINES_DROPPED.clone());
        metrics.begin_at_zero();
        metrics
    }

    /// Creates the series of all possible resolutions and rejections at zero: a series that appears
    /// with its first event hides that event from `rate` and `increase`.
    fn begin_at_zero(&self) {
        for status in UNREAD_STATUSES {
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

    /// The metrics of requests to these routes.
    pub fn requests(&self, routes: &'static [&'static str]) -> RequestMetrics {
        RequestMetrics::new(self.durations.clone(), self.requests_in_progress.clone(), routes)
    }

    /// Counts a resolution. It costs one addition.
    pub fn count_resolution(&self, outcome: ResolutionOutcome, source: AnswerSource) {
        self.resolution(outcome, source).inc();
    }

    fn resolution(&self, outcome: ResolutionOutcome, source: AnswerSource) -> &IntCounter {
        let make = || self.resolutions.with_label_values(&[outcome.as_str(), source.as_str()]);
        self.resolution_counters[outcome as usize][source as usize].get_or_init(make)
    }

    /// Counts a cache lookup. It costs one addition.
    pub fn count_cache_request(&self, layer: CacheLayer, result: CacheResult) {
        self.cache_requests[layer as usize][result as usize].inc();
    }

    /// Counts a fetch from a configured registry.
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

    /// Counts a failure to write the snapshot.
    pub fn count_snapshot_write_failure(&self) {
        self.snapshot_write_failures.inc();
    }

    /// Sets the number of fetches in progress for a layer, and of questions that wait for them.
    pub fn set_fetches(&self, layer: CacheLayer, fetches: usize, waiters: usize) {
        for (gauges, number) in [(&self.fetches, fetches), (&self.waiters, waiters)] {
            gauges
                .with_label_values(&[layer.as_str()])
                .set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }

    /// Sets whether the circuit breaker of a configured registry is open.
    pub fn set_circuit(&self, registry: &str, is_open: bool) {
        self.circuit_open.with_label_values(&[registry]).set(i64::from(is_open));
    }

    /// Sets the time of the last successful fetch from a registry, in seconds since 1970.
    pub fn set_last_refresh(&self, registry: &str, at_seconds: f64) {
        self.last_refresh.with_label_values(&[registry]).set(at_seconds);
    }

    /// Sets the ages of the tag lists that registries gave: registry, path of the repository,
    /// seconds. Series of other repositories are removed.
    pub fn set_data_ages<'a>(&self, ages: impl Iterator<Item = (&'a str, &'a str, f64)>) {
        self.data_age.reset();
        for (registry, repository, seconds) in ages {
            self.data_age.with_label_values(&[registry, repository]).set(seconds);
        }
    }

    /// Counts a request that was rejected with this status before it was read.
    pub fn count_unread_request(&self, status: u16) {
        self.unread_requests.with_label_values(&[&status.to_string()]).inc();
    }

    /// Counts a request to a registry, its mirror or its token service. The server is `None` if it
    /// is not configured but was named by a registry.
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
            Some(status) if REGISTRY_STATUSES.contains(&status) => status.to_string(),
            Some(_) => OTHER.to_owned(),
            None => String::new(),
        };
        let error = error.unwrap_or(if status >= Some(400) { &status_text } else { "" });
        let values = ["GET", host, &port, &status_text, error];
        self.client_durations.with_label_values(&values).observe(took.as_secs_f64());
    }

    /// All metrics in the text format of Prometheus.
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

/// Registers a metric, so that it is shown.
fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> C {
    registry.register(Box::new(metric.clone())).expect(ONCE);
    metric
}

const VALID: &str = "the names of metrics and labels are valid constants";
const ONCE: &str = "each name is registered once";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{HttpVersion, Method};

    /// The samples of one duration that falls into these buckets.
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

    /// Dashboards and alerts depend on these names.
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
        metrics.set_fetches(CacheLayer::Tags, 2, 3);
        metrics.set_circuit("mcr.microsoft.com", true);
        metrics.set_last_refresh("mcr.microsoft.com", 1.5e9);
        metrics.set_data_ages([("mcr.microsoft.com", "gone", 9.5)].into_iter());
        metrics.set_data_ages([("mcr.microsoft.com", "windows", 1.5)].into_iter());
        drop(requests.begin());
        let _under_way = requests.begin();
        let text = metrics.text().unwrap();
        // Other tests of this process drop lines too.
        let is_shown = |line: &&str| {
            !line.starts_with('#')
                && !line.ends_with(" 0")
                && !line.starts_with("wintag_log_lines_dropped_total ")
        };
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
        assert!(text.contains("\nwintag_log_lines_dropped_total "));
        // All possible resolutions, and no others, are shown before they happen.
        assert_eq!(
            text.lines().filter(|line| line.starts_with("wintag_resolutions_total{")).count(),
            3 * 7 + 3
        );
    }
}

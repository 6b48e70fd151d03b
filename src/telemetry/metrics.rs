//! The metrics, and every name and label they have.
//!
//! Labels have closed sets of values: our own words, the patterns of our paths, the registries of the
//! configuration and the repositories of the families. Nothing that a caller writes becomes a label, so
//! that nobody can make the memory grow with made-up names.

use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// All metrics, in a registry of their own. One of it lives as long as the process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    requests_under_way: IntGauge,
    upstream_requests: IntCounterVec,
    cache_requests: IntCounterVec,
    snapshot_write_failures: IntCounter,
    data_age: GaugeVec,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// A status below 400.
    Ok,
    /// A status of 4xx.
    ClientError,
    /// A status of 5xx.
    ServerError,
}

/// What a registry was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The tags of a repository.
    Tags,
    /// What a tag or digest stands for.
    Manifest,
}

impl Operation {
    /// Its word in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Manifest => "manifest",
        }
    }
}

/// How asking a registry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamOutcome {
    /// With an answer.
    Ok,
    /// There is no such thing.
    NotFound,
    /// The registry, or a rule of ours, does not allow it.
    Refused,
    /// The registry wants fewer requests.
    RateLimited,
    /// The registry cannot be reached, or is out of order.
    Unavailable,
    /// It took too long.
    Timeout,
    /// The answer cannot be used.
    Invalid,
}

/// Which kind of fact was looked for in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheLayer {
    /// Tag lists.
    Tags,
    /// Manifests.
    Manifests,
}

/// What was found in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// A fact that is still fresh.
    Fresh,
    /// Nothing fresh; a registry gave the fact.
    New,
    /// A fact that is no longer fresh and could not be renewed.
    Stale,
    /// Nothing, and no registry gave it.
    Nothing,
    /// Nothing, and no registry was asked because too much waits for them.
    Crowded,
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    ///
    /// # Panics
    /// Never: names and labels are constants, and every test that starts the service makes them.
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels).expect(VALID);
            registry.register(Box::new(counters.clone())).expect(ONCE);
            counters
        };
        let requests =
            counters("wintag_requests_total", "Requests, by the pattern of their path.", &["route", "outcome"]);
        let requests_under_way =
            IntGauge::new("wintag_requests_under_way", "Requests that are being answered now.").expect(VALID);
        registry.register(Box::new(requests_under_way.clone())).expect(ONCE);
        let upstream_requests = counters(
            "wintag_upstream_requests_total",
            "Times that a registry was asked for something; one may take several requests.",
            &["registry", "operation", "outcome"],
        );
        let cache_requests = counters(
            "wintag_cache_requests_total",
            "Times that something was looked for in memory, by what came of it.",
            &["layer", "result"],
        );
        let snapshot_write_failures = IntCounter::new(
            "wintag_snapshot_write_failures_total",
            "Times that the snapshot could not be written to disk.",
        )
        .expect(VALID);
        registry.register(Box::new(snapshot_write_failures.clone())).expect(ONCE);
        let data_age = GaugeVec::new(
            Opts::new("wintag_data_age_seconds", "Age of the tag list of a repository of the configured families."),
            &["repository"],
        )
        .expect(VALID);
        registry.register(Box::new(data_age.clone())).expect(ONCE);
        let build_info =
            IntGaugeVec::new(Opts::new("wintag_build_info", "Always 1; the version is the label."), &["version"])
                .expect(VALID);
        registry.register(Box::new(build_info.clone())).expect(ONCE);
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            registry,
            requests,
            requests_under_way,
            upstream_requests,
            cache_requests,
            snapshot_write_failures,
            data_age,
        }
    }

    /// Counts a request as under way until what is returned is dropped.
    pub fn begin_request(&self) -> UnderWay {
        self.requests_under_way.inc();
        UnderWay(self.requests_under_way.clone())
    }

    /// Counts a request. The route is the pattern of a path, never what the caller wrote.
    pub fn count_request(&self, route: &str, outcome: RequestOutcome) {
        let outcome = match outcome {
            RequestOutcome::Ok => "ok",
            RequestOutcome::ClientError => "client_error",
            RequestOutcome::ServerError => "server_error",
        };
        self.requests.with_label_values(&[route, outcome]).inc();
    }

    /// Counts that a configured registry was asked.
    pub fn count_upstream_request(&self, registry: &str, operation: Operation, outcome: UpstreamOutcome) {
        let outcome = match outcome {
            UpstreamOutcome::Ok => "ok",
            UpstreamOutcome::NotFound => "not_found",
            UpstreamOutcome::Refused => "refused",
            UpstreamOutcome::RateLimited => "rate_limited",
            UpstreamOutcome::Unavailable => "unavailable",
            UpstreamOutcome::Timeout => "timeout",
            UpstreamOutcome::Invalid => "invalid",
        };
        self.upstream_requests.with_label_values(&[registry, operation.as_str(), outcome]).inc();
    }

    /// Counts that something was looked for in memory.
    pub fn count_cache_request(&self, layer: CacheLayer, result: CacheResult) {
        let layer = match layer {
            CacheLayer::Tags => "tags",
            CacheLayer::Manifests => "manifests",
        };
        let result = match result {
            CacheResult::Fresh => "fresh",
            CacheResult::New => "new",
            CacheResult::Stale => "stale",
            CacheResult::Nothing => "nothing",
            CacheResult::Crowded => "crowded",
        };
        self.cache_requests.with_label_values(&[layer, result]).inc();
    }

    /// Counts that the snapshot could not be written.
    pub fn count_snapshot_write_failure(&self) {
        self.snapshot_write_failures.inc();
    }

    /// Says how old, in seconds, the tag list of a family's repository is.
    pub fn tell_data_age(&self, repository: &str, seconds: f64) {
        self.data_age.with_label_values(&[repository]).set(seconds);
    }

    /// Everything, in the text format of Prometheus.
    ///
    /// # Errors
    /// Never in practice: the names are valid.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// A request under way.
pub struct UnderWay(IntGauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Also when the caller goes away before the answer.
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

const VALID: &str = "the names of metrics and labels are valid constants";
const ONCE: &str = "each name is registered once";

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards and alerts hold on to these names.
    #[test]
    fn names_and_labels_are_kept() {
        let metrics = Metrics::new();
        metrics.count_request("/resolve", RequestOutcome::ClientError);
        metrics.count_upstream_request("mcr.microsoft.com", Operation::Tags, UpstreamOutcome::RateLimited);
        metrics.count_cache_request(CacheLayer::Manifests, CacheResult::Stale);
        metrics.count_snapshot_write_failure();
        metrics.tell_data_age("mcr.microsoft.com/windows", 1.5);
        drop(metrics.begin_request());
        let _under_way = metrics.begin_request();
        let text = metrics.text().unwrap();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            samples,
            [
                &format!("wintag_build_info{{version=\"{version}\"}} 1"),
                "wintag_cache_requests_total{layer=\"manifests\",result=\"stale\"} 1",
                "wintag_data_age_seconds{repository=\"mcr.microsoft.com/windows\"} 1.5",
                "wintag_requests_total{outcome=\"client_error\",route=\"/resolve\"} 1",
                "wintag_requests_under_way 1",
                "wintag_snapshot_write_failures_total 1",
                "wintag_upstream_requests_total{operation=\"tags\",outcome=\"rate_limited\",registry=\"mcr.microsoft.com\"} 1",
            ]
        );
    }
}

//! The metrics of the facts that renew themselves.

use prometheus::core::Collector;
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// These metrics.
pub struct FactsMetrics {
    documents: IntCounterVec,
    learnt: IntGaugeVec,
    contradictions: IntGauge,
    unknown_builds: IntGauge,
    as_of: Gauge,
}

impl FactsMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            documents: IntCounterVec::new(
                Opts::new("wintag_facts_documents_total", "Documents about updates, by outcome."),
                &["source", "outcome"],
            )?,
            learnt: IntGaugeVec::new(
                Opts::new(
                    "wintag_facts_learnt",
                    "Updates that were learnt since the tables, by how much is behind them.",
                ),
                &["confidence"],
            )?,
            contradictions: IntGauge::new(
                "wintag_facts_contradictions",
                "Statements of sources that contradict others or the tables, and are not used.",
            )?,
            unknown_builds: IntGauge::new(
                "wintag_facts_unknown_builds",
                "Builds that a source names and that need a row in releases.csv.",
            )?,
            as_of: Gauge::new(
                "wintag_facts_as_of_timestamp_seconds",
                "The day up to which updates are known, in seconds since 1970.",
            )?,
        };
        let all: [Box<dyn Collector>; 5] = [
            Box::new(metrics.documents.clone()),
            Box::new(metrics.learnt.clone()),
            Box::new(metrics.contradictions.clone()),
            Box::new(metrics.unknown_builds.clone()),
            Box::new(metrics.as_of.clone()),
        ];
        for collector in all {
            registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// Begins at zero: a series that appears with its first event hides that event from `increase`.
    pub fn begin(&self, sources: &[&str], outcomes: &[&str]) {
        for (source, outcome) in
            sources.iter().flat_map(|it| outcomes.iter().map(move |of| (it, of)))
        {
            self.documents.with_label_values(&[source, outcome]);
        }
    }

    /// Counts a document of a source. Both are words of closed sets.
    pub fn count_document(&self, source: &str, outcome: &str) {
        self.documents.with_label_values(&[source, outcome]).inc();
    }

    /// Sets how many updates were learnt with this confidence.
    pub fn set_learnt(&self, confidence: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.learnt.with_label_values(&[confidence]).set(count);
    }

    /// Sets what people should look at.
    pub fn set_open_questions(&self, contradictions: usize, unknown_builds: usize) {
        self.contradictions.set(i64::try_from(contradictions).unwrap_or(i64::MAX));
        self.unknown_builds.set(i64::try_from(unknown_builds).unwrap_or(i64::MAX));
    }

    /// Sets up to when updates are known.
    pub fn set_as_of(&self, seconds: f64) {
        self.as_of.set(seconds);
    }
}

//! What the service tells of itself to those who run it: metrics, logs and traces.

mod labels;
mod logs;
mod metrics;
mod requests;
mod traces;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogSettings;
pub use labels::{
    AnswerSource, CacheLayer, CacheResult, HttpVersion, Method, Operation, ResolutionOutcome,
    UpstreamOutcome,
};
pub use metrics::Metrics;
pub use requests::{RequestMetrics, Route, UnderWay};
pub use traces::{Caller, TracedRequest, Traces, in_current_trace, trace_id};

/// Logs and traces, from the start of the process to its end. Dropping it sends the spans that are
/// still to be sent, for which it may wait some seconds, so that it must not happen on an async
/// thread.
pub struct Telemetry {
    traces: Traces,
    provider: Option<SdkTracerProvider>,
}

/// Why logs and traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log is not valid.
    #[error("--log-level: {0}; write it like info, or wintag=debug,warn")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot be made.
    #[error("traces, as OTEL_EXPORTER_OTLP_ENDPOINT asks for: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// It was done before.
    #[error("logs are already set up: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logs and, where the environment names a collector, traces. Once for a process.
///
/// # Errors
/// When a setting cannot be used.
pub fn init(settings: &LogSettings) -> Result<Telemetry, TelemetryError> {
    let wanted = traces::Wanted::read(|name| std::env::var(name).ok());
    let (traces, provider) = wanted.as_ref().map(traces::start).transpose()?.unzip();
    let spans = provider.as_ref().map(traces::layer);
    tracing_subscriber::registry().with(logs::layer(settings)?).with(spans).try_init()?;
    if let Some(wanted) = wanted {
        for ignored in &wanted.ignored {
            tracing::warn!("traces: {ignored}");
        }
        tracing::info!(
            ratio = wanted.ratio,
            "traces are sent to where OTEL_EXPORTER_OTLP_ENDPOINT says"
        );
    }
    Ok(Telemetry { traces: traces.unwrap_or_default(), provider })
}

impl Telemetry {
    /// What decides which requests are traced.
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.provider.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(error = error.to_string(), "the last traces could not be sent");
        }
    }
}

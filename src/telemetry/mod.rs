//! Metrics, logs and traces for the operators of the service.

mod facts;
mod labels;
mod lines;
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
use lines::Lines;
pub use metrics::Metrics;
pub use requests::{InProgress, RequestMetrics, Route};
pub use traces::{Caller, TracedRequest, Traces, in_current_trace, trace_id};

/// Logs and traces, from the start of the process to its end. Dropping it sends the remaining spans
/// and lines and may wait some seconds for that, so it must not happen on an async thread.
pub struct Telemetry {
    lines: Lines,
    traces: Traces,
    provider: Option<SdkTracerProvider>,
}

/// Why logs and traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is not valid.
    #[error("--log-level: {0}; write it like info, or wintag=debug,warn")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot be created.
    #[error("cannot export traces to OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The system gives no thread for the log.
    #[error("cannot start the log: {0}")]
    Log(#[from] std::io::Error),
    /// This is not the first call.
    #[error("logs are already set up: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logs and, if the environment names a collector, traces. Once per process.
///
/// # Errors
/// When a setting cannot be used.
pub fn init(settings: &LogSettings) -> Result<Telemetry, TelemetryError> {
    let configured = traces::TraceSettings::read(|name| std::env::var(name).ok());
    let (traces, provider) = configured.as_ref().map(traces::start).transpose()?.unzip();
    let spans = provider.as_ref().map(traces::layer);
    let lines = Lines::written_to(std::io::stderr())?;
    let layer = logs::layer(settings, lines.clone())?;
    tracing_subscriber::registry().with(layer).with(spans).try_init()?;
    // The standard hook writes to stderr itself, and waits there while nothing reads it.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    if let Some(settings) = configured {
        for ignored in &settings.ignored {
            tracing::warn!("traces: {ignored}");
        }
        tracing::info!(ratio = settings.ratio, "sending traces to OTEL_EXPORTER_OTLP_ENDPOINT");
    }
    Ok(Telemetry { lines, traces: traces.unwrap_or_default(), provider })
}

impl Telemetry {
    /// The sampling of requests.
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// Writes a line to stderr, as it is. Never waits, as the log.
    pub fn say(&self, line: impl Into<String>) {
        self.lines.send(line.into());
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.provider.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(error = error.to_string(), "could not send the last traces");
        }
        self.lines.flush();
    }
}

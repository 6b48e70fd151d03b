//! Traces: a span for some requests, sent to a collector by OTLP over HTTP.
//!
//! Whether a request is traced is decided before a span is made. Measured, spans that are made and
//! then dropped by a sampler cost nearly half of the throughput, and one in a hundred costs nothing.
//! Nothing of a trace is passed on to registries.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::field::Empty;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// Where the collector is (OpenTelemetry specification, protocol exporter). Nothing is traced without it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The share of requests that is traced, from 0 to 1 (OpenTelemetry specification, SDK environment variables).
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// One request in a hundred; in measurements its cost was lost in the noise.
const DEFAULT_RATIO: f64 = 0.01;
/// Under which name the service is known, where the environment gives it no other.
const SERVICE_NAME: (&str, &str) = ("OTEL_SERVICE_NAME", "wintag");
/// Only spans of this target are sent: not those that libraries make.
const TARGET: &str = "wintag::request";
/// The methods that have a name in a span; any other is `_OTHER` (OpenTelemetry semantic conventions, HTTP).
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Decides which requests are traced; none unless the environment asks for it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Sampling>>);

struct Sampling {
    ratio: f64,
    counter: AtomicU64,
    hasher: RandomState,
    propagator: TraceContextPropagator,
}

/// A request, as far as a span tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedRequest {
    /// The method.
    pub method: String,
    /// The pattern of the path, when it is one of ours.
    pub route: Option<String>,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The header `traceparent` (W3C Trace Context).
    pub traceparent: Option<String>,
    /// The header `tracestate`, likewise.
    pub tracestate: Option<String>,
}

/// The traces that the environment asks for.
pub fn from_environment() -> Result<(Traces, Option<SdkTracerProvider>), ExporterBuildError> {
    if std::env::var_os(ENDPOINT).is_none_or(|endpoint| endpoint.is_empty()) {
        return Ok((Traces(None), None));
    }
    let ratio = std::env::var(RATIO).ok().and_then(|text| text.parse().ok());
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio)).unwrap_or(DEFAULT_RATIO);
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var_os(SERVICE_NAME.0).is_none() {
        resource = resource.with_service_name(SERVICE_NAME.1);
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        // It was decided already when a span is made; the environment's sampler would decide again.
        .with_sampler(Sampler::AlwaysOn)
        .with_batch_exporter(exporter)
        .build();
    let sampling = Sampling {
        ratio,
        counter: AtomicU64::new(0),
        hasher: RandomState::new(),
        propagator: TraceContextPropagator::new(),
    };
    Ok((Traces(Some(Arc::new(sampling))), Some(provider)))
}

/// The layer that sends spans.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let only_requests = Targets::new().with_target(TARGET, Level::INFO);
    tracing_opentelemetry::layer().with_tracer(provider.tracer("wintag")).with_filter(only_requests)
}

impl Traces {
    /// The share of requests that is traced; `None` when there are no traces.
    pub fn ratio(&self) -> Option<f64> {
        self.0.as_ref().map(|sampling| sampling.ratio)
    }

    /// A span for this request if it is to be traced. A caller that traces decides; of other requests
    /// the configured share is taken.
    pub fn span(&self, request: impl FnOnce() -> TracedRequest) -> Option<Span> {
        let sampling = self.0.as_ref()?;
        let request = request();
        let parent = sampling.propagator.extract_with_context(&Context::new(), &request);
        let caller = parent.span().span_context().clone();
        let is_taken = if caller.is_valid() { caller.is_sampled() } else { sampling.takes_next() };
        is_taken.then(|| {
            let span = request.span();
            // It fails only for spans that nobody sends.
            let _ = span.set_parent(parent);
            span
        })
    }

    /// Notes how the request of a span ended.
    pub fn conclude(span: &Span, status: u16) {
        span.record("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", status.to_string());
        }
    }
}

impl Sampling {
    /// Whether the next request is one of the share.
    fn takes_next(&self) -> bool {
        // The hash of a counter under a random key is as good as random for this.
        let random = self.hasher.hash_one(self.counter.fetch_add(1, Ordering::Relaxed));
        // The upper 53 bits are what a float holds exactly: a number from 0 up to, but not, 1.
        let random = (random >> 11) as f64 / (1_u64 << 53) as f64;
        random < self.ratio
    }
}

impl TracedRequest {
    fn span(&self) -> Span {
        let method = METHODS.into_iter().find(|known| *known == self.method);
        // Names are from closed sets, so that a method or path that is made up does not become one.
        let name = match (method, &self.route) {
            (Some(method), Some(route)) => format!("{method} {route}"),
            (Some(method), None) => method.to_owned(),
            (None, Some(route)) => format!("HTTP {route}"),
            (None, None) => "HTTP".to_owned(),
        };
        tracing::info_span!(
            target: TARGET,
            "request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method.unwrap_or("_OTHER"),
            http.route = self.route,
            http.response.status_code = Empty,
            url.scheme = "http",
            url.path = self.path,
            error.type = Empty,
        )
    }
}

impl Extractor for TracedRequest {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent.as_deref(),
            "tracestate" => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(ratio: f64) -> Traces {
        Traces(Some(Arc::new(Sampling {
            ratio,
            counter: AtomicU64::new(0),
            hasher: RandomState::new(),
            propagator: TraceContextPropagator::new(),
        })))
    }

    fn is_taken(traces: &Traces, traceparent: Option<&str>) -> bool {
        let traceparent = traceparent.map(str::to_owned);
        traces.span(|| TracedRequest { traceparent, ..TracedRequest::default() }).is_some()
    }

    #[test]
    fn a_caller_that_traces_decides() {
        let id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for ratio in [0.0, 1.0] {
            assert!(is_taken(&traces(ratio), Some(&format!("{id}-01"))));
            assert!(!is_taken(&traces(ratio), Some(&format!("{id}-00"))));
            for none in [None, Some(""), Some("garbage"), Some("00-0-0-01"), Some("ff-0af7-01")] {
                assert_eq!(is_taken(&traces(ratio), none), ratio == 1.0, "{none:?}");
            }
        }
        assert!(!is_taken(&Traces(None), Some(&format!("{id}-01"))));
    }

    #[test]
    fn the_share_is_about_as_asked() {
        let traces = traces(0.25);
        let taken = (0..10_000).filter(|_| is_taken(&traces, None)).count();
        assert!((2_200..2_800).contains(&taken), "{taken}");
    }
}

//! Traces: spans of sampled requests and of the requests to registries that they cause, sent to a
//! collector by OTLP over HTTP.
//!
//! Sampling happens before a span is created. Measured, spans that a sampler drops after their
//! creation cost nearly half of the throughput, and one in a hundred costs nothing. Registries
//! receive no trace context.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanId, TraceContextExt as _, TraceId, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::labels::{HttpVersion, Method};

/// The address of the collector (OpenTelemetry specification, protocol exporter). Without one of
/// them there are no traces.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The protocol (same specification); wintag supports one.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const PROTOCOL: &str = "http/protobuf";
/// There are no traces if the first is `true` or the second is `none` (OpenTelemetry specification,
/// SDK environment variables).
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// The sampler, and the ratio of sampled requests from 0 to 1 (same specification). Invalid values
/// are logged and ignored.
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// One request in a hundred, whose cost was below the noise of measurements.
const DEFAULT_RATIO: f64 = 0.01;
/// The variable with the name of the service, and the name by default.
const SERVICE_NAME: (&str, &str) = ("OTEL_SERVICE_NAME", "wintag");
/// The target of the spans of requests. Spans of this target and the next are sent, those of
/// libraries are not.
const REQUEST: &str = "wintag::request";
/// The target of the spans of exchanges with registries (`registry/spans.rs`), which exist only
/// within a trace.
const EXCHANGE: &str = "wintag::exchange";
/// The maximum length of an unknown method in a span.
const MAX_METHOD_BYTES: usize = 32;

/// How often a client that is not trusted can have its request traced by saying so; its other
/// requests are sampled as if it had not. Ours: enough to look into a fault, and with all that a
/// request may say, some hundred megabytes a day.
const REQUESTED_TRACE_INTERVAL: Duration = Duration::from_secs(1);
/// The longest `tracestate` that is kept; a longer one is dropped. At least 512 characters should
/// be propagated (W3C Trace Context, 3.3.1.5).
const MAX_TRACESTATE_BYTES: usize = 512;

/// Samples requests; by default, none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Sampling>>);

struct Sampling {
    ratio: f64,
    counter: AtomicU64,
    hasher: RandomState,
    propagator: TraceContextPropagator,
    /// When any client may request a trace again, in nanoseconds of the monotonic clock.
    next_requested: AtomicU64,
}

/// The data of a request for its span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRequest {
    /// The method as it was sent.
    pub method: String,
    /// The pattern of the path; `None` if it is unknown.
    pub route: Option<&'static str>,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// The host, as the client names it.
    pub host: Option<String>,
    /// The port, if the client names one.
    pub port: Option<u16>,
}

/// The trace to which a client says that its request belongs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The header `traceparent` (W3C Trace Context).
    pub traceparent: Option<&'a str>,
    /// The header `tracestate` (same specification).
    pub tracestate: Option<&'a str>,
    /// Whether its decision to sample always counts.
    pub is_trusted: bool,
}

/// The ids of a trace and of a span in it.
pub(super) struct TraceIds {
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// The current trace and span, if they are sampled.
pub(super) fn current() -> Option<TraceIds> {
    let context = Context::current();
    let current = context.span().span_context().clone();
    (current.is_valid() && current.is_sampled())
        .then(|| TraceIds { trace_id: current.trace_id(), span_id: current.span_id() })
}

/// The id of the current trace in hexadecimal digits; `None` if there is none.
pub fn trace_id() -> Option<String> {
    current().map(|ids| ids.trace_id.to_string())
}

/// Makes work part of the current trace, wherever it runs. It does not keep the span of the request
/// open: a request may be answered before the work is done.
pub fn in_current_trace<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    work.with_current_context()
}

/// The settings of traces, from the environment.
#[derive(Debug, PartialEq)]
pub struct TraceSettings {
    /// The ratio of sampled requests among those without a sampling decision of the client that
    /// counts.
    pub ratio: f64,
    /// Messages about invalid variables.
    pub ignored: Vec<String>,
}

impl TraceSettings {
    /// Reads the variables; `None` if traces are off.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty());
        let is_off = set(DISABLED).is_some_and(|text| text.eq_ignore_ascii_case("true"))
            || set(EXPORTER).is_some_and(|text| text == "none");
        if is_off || ENDPOINTS.iter().all(|name| set(name).is_none()) {
            return None;
        }
        let mut ignored = Vec::new();
        if let Some(protocol) =
            PROTOCOLS.iter().find_map(|name| set(name)).filter(|protocol| protocol != PROTOCOL)
        {
            ignored.push(format!(
                "only {PROTOCOL} is supported, not {protocol}; use the port of the collector for \
                 {PROTOCOL}"
            ));
        }
        let ratio = set(SAMPLER_RATIO).and_then(|text| {
            let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
            if ratio.is_none() {
                ignored.push(format!(
                    "{SAMPLER_RATIO} must be a number from 0 to 1, not {text}; using \
                     {DEFAULT_RATIO}"
                ));
            }
            ratio
        });
        let ratio = match set(SAMPLER).as_deref() {
            Some("parentbased_always_on") => 1.0,
            Some("parentbased_always_off") => 0.0,
            sampler => {
                if let Some(other) = sampler.filter(|name| *name != "parentbased_traceidratio") {
                    ignored.push(format!(
                        "{SAMPLER} must be parentbased_traceidratio, parentbased_always_on or \
                         parentbased_always_off, not {other}; using parentbased_traceidratio, \
                         because the decision of a trusted client always counts"
                    ));
                }
                ratio.unwrap_or(DEFAULT_RATIO)
            }
        };
        Some(Self { ratio, ignored })
    }
}

/// Creates the sampling and the exporter.
pub fn start(settings: &TraceSettings) -> Result<(Traces, SdkTracerProvider), ExporterBuildError> {
    let exporter =
        SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let mut resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var_os(SERVICE_NAME.0).is_none() {
        resource = resource.with_service_name(SERVICE_NAME.1);
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        // Spans are created for sampled requests only; the sampler of the environment would decide
        // a second time.
        .with_sampler(Sampler::AlwaysOn)
        .with_batch_exporter(exporter)
        .build();
    let sampling = Sampling {
        ratio: settings.ratio,
        counter: AtomicU64::new(0),
        hasher: RandomState::new(),
        propagator: TraceContextPropagator::new(),
        next_requested: AtomicU64::new(0),
    };
    Ok((Traces(Some(Arc::new(sampling))), provider))
}

/// Creates the layer that sends spans.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = dynamic_filter_fn(|metadata, _| match (metadata.is_span(), metadata.target()) {
        (true, REQUEST) => true,
        (true, EXCHANGE) => Context::current().has_active_span(),
        _ => false,
    });
    // Callsites whose spans are never sent are disabled once, unless they are logged.
    let ours =
        ours.with_max_level_hint(LevelFilter::INFO).with_callsite_filter(|metadata| {
            match (metadata.is_span(), metadata.target()) {
                (true, REQUEST) => Interest::always(),
                (true, EXCHANGE) => Interest::sometimes(),
                _ => Interest::never(),
            }
        });
    // The readers of a trace do not need the location in the code and the thread.
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("wintag"));
    let spans = spans
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    spans.with_filter(ours)
}

impl Traces {
    /// Creates a span for this request if it is sampled. That a client samples counts if it is
    /// trusted, or seldom (`REQUESTED_TRACE_INTERVAL`); that it does not, always. Other requests
    /// are sampled at the configured ratio. `now` is on the monotonic clock.
    pub fn span<'a>(
        &self,
        now: Duration,
        caller: impl FnOnce() -> Caller<'a>,
        request: impl FnOnce() -> TracedRequest,
    ) -> Option<Span> {
        let sampling = self.0.as_ref()?;
        let caller = caller();
        let (parent, is_sampled) = match caller.traceparent {
            Some(_) => {
                let parent = sampling.propagator.extract_with_context(&Context::new(), &caller);
                let of_caller = parent.span().span_context().clone();
                let is_sampled = match (of_caller.is_valid(), of_caller.is_sampled()) {
                    (true, false) => false,
                    (true, true) if caller.is_trusted || sampling.takes_request(now) => true,
                    _ => sampling.samples_next(),
                };
                (parent, is_sampled)
            }
            None if sampling.samples_next() => (Context::new(), true),
            None => return None,
        };
        is_sampled.then(|| {
            let span = request().span();
            // It fails only for spans that are not sent.
            let _ = span.set_parent(parent);
            span
        })
    }

    /// Records the status of the response.
    pub fn conclude(span: &Span, status: u16) {
        span.record("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", status.to_string());
        }
    }
}

impl Sampling {
    /// Whether a client that is not trusted has its request traced now.
    fn takes_request(&self, now: Duration) -> bool {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let next = nanoseconds(now.saturating_add(REQUESTED_TRACE_INTERVAL));
        let is_due = |due| (due <= nanoseconds(now)).then_some(next);
        self.next_requested.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok()
    }

    /// Whether to sample the next request.
    fn samples_next(&self) -> bool {
        // The hash of a counter under a random key is random enough for sampling.
        let random = self.hasher.hash_one(self.counter.fetch_add(1, Ordering::Relaxed));
        // A float holds the upper 53 bits exactly: a number from 0 to 1, without 1.
        let random = (random >> 11) as f64 / (1_u64 << 53) as f64;
        random < self.ratio
    }
}

impl TracedRequest {
    fn span(&self) -> Span {
        let method = Method::of(&self.method);
        let is_known = method != Method::Other;
        // Names are from closed sets, so that invented methods and paths do not become names.
        let word = if is_known { method.as_str() } else { "HTTP" };
        let name = self.route.map_or_else(|| word.to_owned(), |route| format!("{word} {route}"));
        let original =
            (!is_known).then(|| self.method.get(..MAX_METHOD_BYTES).unwrap_or(&self.method));
        tracing::info_span!(
            target: REQUEST,
            "request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method.as_str(),
            http.request.method_original = original,
            http.route = self.route,
            http.response.status_code = Empty,
            url.scheme = "http",
            url.path = self.path,
            server.address = self.host,
            server.port = self.port.map(i64::from),
            network.protocol.version = self.version.as_str(),
            error.type = Empty,
        )
    }
}

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate.filter(|text| text.len() <= MAX_TRACESTATE_BYTES),
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
            next_requested: AtomicU64::new(0),
        })))
    }

    fn is_sampled(traces: &Traces, traceparent: Option<&str>) -> bool {
        is_sampled_at(traces, Duration::ZERO, Caller { traceparent, ..Caller::default() })
    }

    fn is_sampled_at(traces: &Traces, now: Duration, caller: Caller<'_>) -> bool {
        let request = || TracedRequest {
            method: "GET".to_owned(),
            route: None,
            path: "/".to_owned(),
            version: HttpVersion::Http11,
            host: None,
            port: None,
        };
        traces.span(now, || caller, request).is_some()
    }

    #[test]
    fn the_decision_of_a_client_that_traces_counts() {
        let id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for ratio in [0.0, 1.0] {
            assert!(is_sampled(&traces(ratio), Some(&format!("{id}-01"))));
            assert!(!is_sampled(&traces(ratio), Some(&format!("{id}-00"))));
            for none in [None, Some(""), Some("garbage"), Some("00-0-0-01"), Some("ff-0af7-01")] {
                assert_eq!(is_sampled(&traces(ratio), none), ratio == 1.0, "{none:?}");
            }
        }
        assert!(!is_sampled(&Traces(None), Some(&format!("{id}-01"))));
    }

    #[test]
    fn h14_only_trusted_clients_have_all_their_requests_traced() {
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let traces = traces(0.0);
        let sampled = |is_trusted, milliseconds: &[u64]| {
            let at = |now: &u64| {
                let caller = Caller { traceparent, is_trusted, ..Caller::default() };
                is_sampled_at(&traces, Duration::from_millis(*now), caller)
            };
            milliseconds.iter().map(at).collect::<Vec<_>>()
        };
        assert_eq!(
            sampled(false, &[5000, 5000, 5999, 6000, 6001]),
            [true, false, false, true, false]
        );
        assert_eq!(sampled(true, &[6001, 6001]), [true, true]);
    }

    #[test]
    fn h14_a_long_tracestate_is_dropped() {
        for (bytes, is_kept) in [(MAX_TRACESTATE_BYTES, true), (MAX_TRACESTATE_BYTES + 1, false)] {
            let state = format!("k={}", "v".repeat(bytes - 2));
            let caller = Caller { tracestate: Some(&state), ..Caller::default() };
            assert_eq!(caller.get("tracestate").is_some(), is_kept, "{bytes}");
        }
    }

    fn read(variables: &[(&str, &str)]) -> Option<(f64, usize)> {
        let read = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned())
        };
        let settings = TraceSettings::read(read)?;
        Some((settings.ratio, settings.ignored.len()))
    }

    #[test]
    fn traces_are_configured_by_the_environment() {
        let of_all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces");
        for (variables, result) in [
            (&[][..], None),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None),
            (&[of_all], Some((0.01, 0))),
            (&[of_traces], Some((0.01, 0))),
            (&[of_all, ("OTEL_SDK_DISABLED", "True")], None),
            (&[of_all, ("OTEL_SDK_DISABLED", "false")], Some((0.01, 0))),
            (&[of_all, ("OTEL_TRACES_EXPORTER", "none")], None),
            (&[of_all, ("OTEL_TRACES_EXPORTER", "otlp")], Some((0.01, 0))),
            (&[of_all, ("OTEL_TRACES_SAMPLER_ARG", "0.5")], Some((0.5, 0))),
            (&[of_all, ("OTEL_TRACES_SAMPLER_ARG", "50")], Some((0.01, 1))),
            (&[of_all, ("OTEL_TRACES_SAMPLER_ARG", "NaN")], Some((0.01, 1))),
            (&[of_all, ("OTEL_TRACES_SAMPLER_ARG", "ten")], Some((0.01, 1))),
            (&[of_all, ("OTEL_TRACES_SAMPLER", "parentbased_always_on")], Some((1.0, 0))),
            (&[of_all, ("OTEL_TRACES_SAMPLER", "parentbased_always_off")], Some((0.0, 0))),
            (
                &[
                    of_all,
                    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                    ("OTEL_TRACES_SAMPLER_ARG", "1"),
                ],
                Some((1.0, 0)),
            ),
            (
                &[of_all, ("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")],
                Some((0.5, 1)),
            ),
            (&[of_all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Some((0.01, 0))),
            (&[of_all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Some((0.01, 1))),
        ] {
            assert_eq!(read(variables), result, "{variables:?}");
        }
    }

    #[test]
    fn the_ratio_is_about_as_configured() {
        let traces = traces(0.25);
        let sampled = (0..10_000).filter(|_| is_sampled(&traces, None)).count();
        assert!((2_200..2_800).contains(&sampled), "{sampled}");
    }
}

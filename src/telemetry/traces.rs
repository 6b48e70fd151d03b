//! Traces: a span for some requests and for what registries are asked because of them, sent to a
//! collector by OTLP over HTTP.
//!
//! Whether a request is traced is decided before a span is made. Measured, spans that are made and
//! then dropped by a sampler cost nearly half of the throughput, and one in a hundred costs
//! nothing. Nothing of a trace is passed on to registries.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Where the collector is (OpenTelemetry specification, protocol exporter). Nothing is traced
/// without one of them.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How it is spoken to, likewise; wintag speaks one of the ways that there are.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const PROTOCOL: &str = "http/protobuf";
/// Nothing is traced when the first is `true` or the second `none` (OpenTelemetry specification,
/// SDK environment variables).
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// How requests are chosen, and the share of them, from 0 to 1 (likewise). What cannot be used
/// there is logged and ignored.
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// One request in a hundred; in measurements its cost was lost in the noise.
const DEFAULT_RATIO: f64 = 0.01;
/// Under which name the service is known, where the environment gives it no other.
const SERVICE_NAME: (&str, &str) = ("OTEL_SERVICE_NAME", "wintag");
/// The target of the spans of requests. Only spans of this and the next are sent: not those that
/// libraries make.
const REQUEST: &str = "wintag::request";
/// The target of the spans of exchanges, which are made where registries are asked
/// (`registry/spans.rs`). There are such spans only within a trace.
const EXCHANGE: &str = "wintag::exchange";
/// So much is told of a method that has no name here, in bytes.
const MAX_METHOD_BYTES: usize = 32;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRequest {
    /// The method as it was sent.
    pub method: String,
    /// The pattern of the path, when it is one of ours.
    pub route: Option<&'static str>,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// The host that was asked, as the caller names it.
    pub host: Option<String>,
    /// Its port, where the caller names one.
    pub port: Option<u16>,
}

/// The trace that a caller says its request belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The header `traceparent` (W3C Trace Context).
    pub traceparent: Option<&'a str>,
    /// The header `tracestate`, likewise.
    pub tracestate: Option<&'a str>,
}

/// Which trace and span something belongs to.
pub(super) struct TraceIds {
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// The trace and span that are current here, if they are sent.
pub(super) fn current() -> Option<TraceIds> {
    let context = Context::current();
    let current = context.span().span_context().clone();
    (current.is_valid() && current.is_sampled())
        .then(|| TraceIds { trace_id: current.trace_id(), span_id: current.span_id() })
}

/// The id of the trace that what runs here belongs to, in hexadecimal digits; `None` when it is not
/// traced.
pub fn trace_id() -> Option<String> {
    current().map(|ids| ids.trace_id.to_string())
}

/// The same work, which belongs to the trace that is current here wherever it runs. It does not
/// keep the span of the request open: a request may be answered before the work is done.
pub fn in_current_trace<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    work.with_current_context()
}

/// What the environment asks for.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// The share of requests that is traced, of those whose callers do not decide.
    pub ratio: f64,
    /// What cannot be used of the environment, and what is done instead.
    pub ignored: Vec<String>,
}

impl Wanted {
    /// Reads the variables; `None` when nothing is to be traced.
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
                "the collector is spoken to by {PROTOCOL} and not by {protocol}; name its port \
                 for that"
            ));
        }
        let share = set(RATIO).and_then(|text| {
            let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            if share.is_none() {
                ignored.push(format!(
                    "{RATIO} is a share from 0 to 1 and not {text}; {DEFAULT_RATIO} is taken"
                ));
            }
            share
        });
        let ratio = match set(SAMPLER).as_deref() {
            Some("parentbased_always_on") => 1.0,
            Some("parentbased_always_off") => 0.0,
            sampler => {
                if let Some(other) = sampler.filter(|name| *name != "parentbased_traceidratio") {
                    ignored.push(format!(
                        "{SAMPLER} is parentbased_traceidratio, parentbased_always_on or \
                         parentbased_always_off and not {other}; the first is taken, since who \
                         traces its own requests decides"
                    ));
                }
                share.unwrap_or(DEFAULT_RATIO)
            }
        };
        Some(Self { ratio, ignored })
    }
}

/// The traces that are wanted.
pub fn start(wanted: &Wanted) -> Result<(Traces, SdkTracerProvider), ExporterBuildError> {
    let exporter =
        SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let mut resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
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
        ratio: wanted.ratio,
        counter: AtomicU64::new(0),
        hasher: RandomState::new(),
        propagator: TraceContextPropagator::new(),
    };
    Ok((Traces(Some(Arc::new(sampling))), provider))
}

/// The layer that sends spans.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = dynamic_filter_fn(|metadata, _| match (metadata.is_span(), metadata.target()) {
        (true, REQUEST) => true,
        (true, EXCHANGE) => Context::current().has_active_span(),
        _ => false,
    });
    // What is never sent is found out once for each place in the code, unless it is logged.
    let ours =
        ours.with_max_level_hint(LevelFilter::INFO).with_callsite_filter(|metadata| {
            match (metadata.is_span(), metadata.target()) {
                (true, REQUEST) => Interest::always(),
                (true, EXCHANGE) => Interest::sometimes(),
                _ => Interest::never(),
            }
        });
    // Where in the code a span was made, and on which thread, is nothing that who reads a trace
    // asks for.
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("wintag"));
    let spans = spans
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    spans.with_filter(ours)
}

impl Traces {
    /// A span for this request if it is to be traced. A caller that traces decides; of other
    /// requests the configured share is taken.
    pub fn span<'a>(
        &self,
        caller: impl FnOnce() -> Caller<'a>,
        request: impl FnOnce() -> TracedRequest,
    ) -> Option<Span> {
        let sampling = self.0.as_ref()?;
        let caller = caller();
        let (parent, is_taken) = match caller.traceparent {
            Some(_) => {
                let parent = sampling.propagator.extract_with_context(&Context::new(), &caller);
                let of_caller = parent.span().span_context().clone();
                let is_taken = if of_caller.is_valid() {
                    of_caller.is_sampled()
                } else {
                    sampling.takes_next()
                };
                (parent, is_taken)
            }
            None if sampling.takes_next() => (Context::new(), true),
            None => return None,
        };
        is_taken.then(|| {
            let span = request().span();
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
        let method = Method::of(&self.method);
        let is_known = method != Method::Other;
        // Names are from closed sets, so that a method or path that is made up does not become one.
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
            "tracestate" => self.tracestate,
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
        let request = || TracedRequest {
            method: "GET".to_owned(),
            route: None,
            path: "/".to_owned(),
            version: HttpVersion::Http11,
            host: None,
            port: None,
        };
        traces.span(|| Caller { traceparent, tracestate: None }, request).is_some()
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

    fn wanted(variables: &[(&str, &str)]) -> Option<(f64, usize)> {
        let read = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned())
        };
        Wanted::read(read).map(|wanted| (wanted.ratio, wanted.ignored.len()))
    }

    #[test]
    fn the_environment_decides_what_is_traced() {
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
            assert_eq!(wanted(variables), result, "{variables:?}");
        }
    }

    #[test]
    fn the_share_is_about_as_asked() {
        let traces = traces(0.25);
        let taken = (0..10_000).filter(|_| is_taken(&traces, None)).count();
        assert!((2_200..2_800).contains(&taken), "{taken}");
    }
}

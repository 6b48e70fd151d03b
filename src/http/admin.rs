//! The listener for those who run the service: metrics, and health in detail. It has an address of
//! its own, so that none of it is reached through the public one.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::{fmt, io};

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App as ActixApp, Error, HttpResponse, HttpServer, web};

use super::drain::Draining;
use super::query::Query;
use super::{REQUEST_TIMEOUT, health, read_only, reply};
use crate::answers::{Context, Freshness, Provenance};
use crate::api::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// The media type of Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// So many repositories are listed; a service that is asked for more than the families has any
/// number.
const MAX_LISTED: usize = 100;
/// The paths that are answered, for the text of a 404.
const PATHS: &str = "/metrics, /livez, /readyz?verbose";

/// Where this listener is.
#[derive(Clone, Copy)]
struct Bound(SocketAddr);

/// The server of this listener, which stops when it is told to and not by a signal.
///
/// # Errors
/// When the socket cannot be used.
pub fn server(
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    draining: web::Data<Draining>,
    listener: TcpListener,
) -> io::Result<Server> {
    let bound = Bound(listener.local_addr()?);
    let (context, metrics) = (web::Data::from(context), web::Data::from(metrics));
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(context.clone())
            .app_data(metrics.clone())
            .app_data(draining.clone())
            .app_data(web::Data::new(bound))
            .wrap(from_fn(refuse_other_hosts))
            .wrap(from_fn(shut_out_pages))
            .service(read_only("/metrics", show_metrics))
            .service(read_only("/livez", health::live))
            .service(read_only("/readyz", show_readiness))
            .default_service(web::to(nothing_here))
    });
    Ok(server
        .workers(1)
        .disable_signals()
        .client_request_timeout(REQUEST_TIMEOUT)
        .listen(listener)?
        .run())
}

async fn show_metrics(
    context: web::Data<Context>,
    metrics: web::Data<Metrics>,
) -> Result<HttpResponse, Problem> {
    let now = context.now().utc;
    // The catalogue inside the program has an age too, but one that no refresh can lower.
    metrics.tell_data_ages(context.families.iter().filter_map(|family| {
        let repository = &family.repository;
        let freshness = context.catalogue.freshness(repository)?;
        let age = now.duration_since(freshness.as_of).as_secs_f64().max(0.0);
        (freshness.provenance != Provenance::Embedded).then_some((
            repository.registry(),
            repository.path(),
            age,
        ))
    }));
    context.catalogue.report_state();
    let text =
        metrics.text().map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type(METRICS_TEXT)
        .body(text))
}

async fn show_readiness(
    Query(query): Query,
    context: web::Data<Context>,
    draining: web::Data<Draining>,
) -> Result<HttpResponse, Problem> {
    health::refuse_when_draining(&draining)?;
    Ok(if query.iter().any(|(name, _)| name == "verbose") {
        reply::health(verbose_readiness(&context))
    } else {
        reply::health("ok\n")
    })
}

/// A line for each part, in the manner of Kubernetes. None of them makes the service unready: the
/// embedded catalogue is always there.
fn verbose_readiness(context: &Context) -> String {
    let mut lines = vec![
        "[+]embedded ok".to_owned(),
        format!("[+]snapshot {}", context.catalogue.snapshot_state()),
    ];
    let known = context.catalogue.in_memory();
    let now = context.now().utc;
    lines.extend(known.iter().take(MAX_LISTED).map(|(repository, freshness)| {
        let age = now.duration_since(freshness.as_of).as_secs().max(0);
        format!("[+]repository {repository} source={} age={age}s", SourceInWords(*freshness))
    }));
    if known.len() > MAX_LISTED {
        lines.push(format!("[+]repositories {} more", known.len() - MAX_LISTED));
    }
    lines.push("readyz check passed\n".to_owned());
    lines.join("\n")
}

/// The source of a fact, and whether it is stale.
struct SourceInWords(Freshness);

impl fmt::Display for SourceInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.provenance {
            Provenance::Registry | Provenance::Cache => "registry",
            Provenance::Snapshot => "snapshot",
            Provenance::Embedded => "embedded",
        })?;
        if self.0.stale { f.write_str(" stale") } else { Ok(()) }
    }
}

/// No page may read what is here, so that none is told that it may.
async fn shut_out_pages(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let mut answered = reply::in_asked_form(next.call(request).await?);
    answered.headers_mut().remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    Ok(answered)
}

/// A page in a browser of this machine could have its own name point here (DNS rebinding) and read
/// what is meant for the people of this machine. It cannot change the name in `Host`.
async fn refuse_other_hosts(
    bound: web::Data<Bound>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let named =
        request.headers().get_all(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let in_target = request.uri().authority().map(|authority| authority.as_str());
    let hosts: Vec<&str> = named.chain(in_target).collect();
    let address = bound.0;
    if address.ip().is_loopback()
        && (hosts.is_empty() || !hosts.iter().all(|host| is_local(host, address.ip())))
    {
        let detail = format!(
            "ask for it as localhost or {address}; other names are refused on a loopback address"
        );
        let refusal = Problem::new(ProblemKind::HostNotAllowed, detail);
        return Ok(request.error_response(refusal));
    }
    next.call(request).await
}

/// Whether a host, with or without a port, is a name of this machine on a loopback address. The
/// port is left to those who forward it.
fn is_local(host: &str, bound: IpAddr) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') =>
        {
            name
        }
        _ => host,
    };
    let bound = match bound {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    ["localhost", "127.0.0.1", "[::1]", &bound].iter().any(|local| name.eq_ignore_ascii_case(local))
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemKind::NotFound, format!("the paths are {PATHS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o07_only_names_of_this_machine_are_local() {
        let bound: IpAddr = "127.0.0.2".parse().unwrap();
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "127.0.0.1:1",
            "127.0.0.2",
            "127.0.0.2:9090",
            "[::1]",
            "[::1]:9090",
        ] {
            assert!(is_local(host, bound), "{host}");
        }
        for host in [
            "",
            ":9090",
            "localhost.example.com",
            "example.com:9090",
            "127.0.0.1.example.com",
            "::1",
            "127.0.0.3",
            "localhost:x",
            "user@localhost",
        ] {
            assert!(!is_local(host, bound), "{host}");
        }
    }
}

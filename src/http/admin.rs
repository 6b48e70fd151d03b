//! The listener for operators: metrics, and health in detail. It has an address of its own, so that
//! none of it can be reached through the public one.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::{fmt, io};

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App as ActixApp, Error, HttpResponse, HttpServer, web};

use super::clients::without_port;
use super::connection::REQUEST_TIMEOUT;
use super::context::CurrentContext;
use super::handlers::health;
use super::query::Query;
use super::reply;
use super::routes::{self, Route};
use super::shutdown::ShutdownState;
use crate::answers::{Context, Contexts, Freshness, Provenance};
use crate::api::problem::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// The media type of Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How many repositories are listed. A service that is used for more than the families may know any
/// number.
const MAX_LISTED_REPOSITORIES: usize = 100;
/// The paths, for the text of a 404.
const PATHS: &str = "/metrics, /livez, /readyz?verbose";

/// The address of this listener.
#[derive(Clone, Copy)]
struct Bound(SocketAddr);

/// The server of this listener. It handles no signals.
///
/// # Errors
/// When the socket cannot be used.
pub fn server(
    contexts: Arc<Contexts>,
    metrics: Arc<Metrics>,
    shutdown: web::Data<ShutdownState>,
    listener: TcpListener,
) -> io::Result<Server> {
    let bound = Bound(listener.local_addr()?);
    let (contexts, metrics) = (web::Data::from(contexts), web::Data::from(metrics));
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(contexts.clone())
            .app_data(metrics.clone())
            .app_data(shutdown.clone())
            .app_data(web::Data::new(bound))
            .wrap(from_fn(refuse_other_hosts))
            .wrap(from_fn(forbid_other_origins))
            .service(Route::new("/metrics").get(|| web::to(show_metrics)).resource())
            .service(Route::new("/livez").get(|| web::to(health::live)).resource())
            .service(Route::new("/readyz").get(|| web::to(show_readiness)).resource())
            .default_service(web::to(not_found))
    });
    Ok(server
        .workers(1)
        .disable_signals()
        .client_request_timeout(REQUEST_TIMEOUT)
        .listen(listener)?
        .run())
}

async fn show_metrics(
    context: CurrentContext,
    metrics: web::Data<Metrics>,
) -> Result<HttpResponse, Problem> {
    let now = context.now().utc;
    // The embedded catalogue has an age too, but one that no refresh can lower.
    metrics.set_data_ages(context.families.iter().filter_map(|family| {
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
    context: CurrentContext,
    shutdown: web::Data<ShutdownState>,
) -> Result<HttpResponse, Problem> {
    health::refuse_when_shutting_down(&shutdown)?;
    Ok(if query.iter().any(|(name, _)| name == "verbose") {
        reply::health(verbose_readiness(&context))
    } else {
        reply::health("ok\n")
    })
}

/// A line for each part, as Kubernetes writes them. None of them makes the service unready, because
/// the embedded catalogue is always there.
fn verbose_readiness(context: &Context) -> String {
    let mut lines = vec![
        "[+]embedded ok".to_owned(),
        format!("[+]snapshot {}", context.catalogue.snapshot_state()),
    ];
    let known = context.catalogue.in_memory();
    let now = context.now().utc;
    lines.extend(known.iter().take(MAX_LISTED_REPOSITORIES).map(|(repository, freshness)| {
        let age = now.duration_since(freshness.as_of).as_secs().max(0);
        format!("[+]repository {repository} source={} age={age}s", SourceInWords(*freshness))
    }));
    if known.len() > MAX_LISTED_REPOSITORIES {
        lines.push(format!("[+]repositories {} more", known.len() - MAX_LISTED_REPOSITORIES));
    }
    let failing = context.catalogue.failing_servers();
    lines.extend(failing.map(|(server, error)| format!("[-]server {server}: {error}")));
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
            Provenance::History => "history",
        })?;
        if self.0.stale { f.write_str(" stale") } else { Ok(()) }
    }
}

/// Removes the permission for pages of other origins, which have no business here.
async fn forbid_other_origins(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let mut answered = reply::in_asked_form(next.call(request).await?);
    answered.headers_mut().remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    Ok(answered)
}

/// A web page could point its own name at this machine (DNS rebinding) and read what is here
/// through a browser. It cannot change the name in `Host`.
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
            "use localhost or {address} as the host; other names are refused on a loopback address"
        );
        let refusal = Problem::new(ProblemKind::HostNotAllowed, detail);
        return Ok(request.error_response(refusal));
    }
    next.call(request).await
}

/// Whether a host, with or without a port, is a loopback name of this machine. The port may be any,
/// because it may be forwarded.
fn is_local(host: &str, bound: IpAddr) -> bool {
    let name = without_port(host);
    let bound = match bound {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    ["localhost", "127.0.0.1", "[::1]", &bound].iter().any(|local| name.eq_ignore_ascii_case(local))
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(routes::no_such_path(PATHS))
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

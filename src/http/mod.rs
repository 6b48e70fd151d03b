//! The HTTP service: the route table, middleware, connections, replies, and a file for each
//! endpoint.

// In the order of a request.

mod clients;
mod connections;
mod connection;
mod rate_limiter;
mod middleware;
mod routes;
mod handlers;
mod query;
mod context;
mod background;
mod room;
mod body;
mod resolutions;
mod reply;
mod pieces;
mod problems;
mod document;
mod admin;
mod shutdown;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
pub mod memory;

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Server, ServiceRequest};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App as ActixApp, Error, web};

use crate::answers::Contexts;
use crate::config::ClientLimits;
use crate::telemetry::{Metrics, Traces};

use background::Background;
use clients::Clients;
use connection::Connection;
use connections::Connections;
use handlers::openapi::ServedDocument;
use handlers::swagger_ui;
use middleware::{Middleware, ResponseCache};
use rate_limiter::RateLimiter;
use shutdown::ShutdownState;

pub use document::document_text;
pub use shutdown::{Reload, Signals};

/// The most connections that a worker accepts beyond its part of the limit, while others are being
/// closed for them.
const MAX_SPARE_CONNECTIONS: usize = 64;
/// How long a client has to take the last bytes when its connection ends.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The sockets of the service.
pub struct Listeners {
    /// For clients.
    pub public: TcpListener,
    /// For operators: metrics, and health in detail.
    pub admin: Option<TcpListener>,
}

/// The limits of the service, and how it ends.
pub struct Behaviour {
    /// The limits of clients.
    pub clients: ClientLimits,
    /// How long requests are still accepted after the shutdown has begun.
    pub drain_delay: Duration,
}

/// Serves until a signal; without signals, it never ends. The listener for operators is the last to
/// stop.
///
/// # Errors
/// When a socket cannot be used.
pub async fn serve(
    contexts: Arc<Contexts>,
    metrics: Arc<Metrics>,
    traces: Traces,
    listeners: Listeners,
    behaviour: Behaviour,
    signals: Option<Signals>,
) -> io::Result<()> {
    let shutdown = web::Data::new(ShutdownState::default());
    let admin = match listeners.admin {
        Some(listener) => {
            Some(admin::server(contexts.clone(), metrics.clone(), shutdown.clone(), listener)?)
        }
        None => None,
    };
    let admin_handle = admin.as_ref().map(actix_web::dev::Server::handle);
    let admin = admin.map(tokio::spawn);
    let Behaviour { clients, drain_delay } = behaviour;
    let server =
        public_server(contexts, metrics, traces, shutdown.clone(), clients, listeners.public)?;
    let handle = server.handle();
    let served = tokio::select! {
        served = server => served,
        () = shutdown::stop_on_signal(signals, &shutdown, &handle, drain_delay) => Ok(()),
    };
    if let (Some(handle), Some(admin)) = (admin_handle, admin) {
        handle.stop(false).await;
        let _ = admin.await;
    }
    served
}

/// Threads that answer requests: the cores, up to four. Four answer some hundred thousand questions
/// a second; each further one takes memory that the limits do not count, and a node with 64 cores
/// has 256 MiB for a container too.
pub fn worker_count() -> usize {
    const MAX_WORKERS: usize = 4;
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)
}

/// The server for clients. It handles no signals.
fn public_server(
    contexts: Arc<Contexts>,
    metrics: Arc<Metrics>,
    traces: Traces,
    shutdown: web::Data<ShutdownState>,
    limits: ClientLimits,
    listener: TcpListener,
) -> io::Result<Server> {
    let document = web::Data::new(ServedDocument::new(|| {
        document_text().expect("the document is made of plain values")
    }));
    let swagger_ui = web::Data::from(swagger_ui::config());
    let requests = Arc::new(metrics.requests(routes::LABELS));
    let (contexts, metrics) = (web::Data::from(contexts), web::Data::from(metrics));
    let workers = worker_count();
    // Never the first limit: with all workers at their own limit no connection would be accepted,
    // so that none of another client could be closed for it.
    let max_connections = limits.max_connections.get() as usize;
    let spare = (max_connections / 64).clamp(1, MAX_SPARE_CONNECTIONS);
    let connections_a_worker = max_connections.div_ceil(workers) + spare;
    let background = web::Data::new(Background::current());
    let clients = web::Data::new(Clients::new(limits));
    let connections = Arc::new(Connections::new(clients.clone().into_inner()));
    let rate_limiter = web::Data::new(RateLimiter::new(clients.clone().into_inner()));
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_a_worker)
        .shutdown_timeout(shutdown::SHUTDOWN_TIMEOUT.as_secs())
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    // As `actix_web::HttpServer` does it, with our layer between the connection and HTTP.
    let server = server.listen("public", listener, move || {
        let response_cache = web::Data::new(ResponseCache::of_workers(workers));
        let middleware = Rc::new(Middleware {
            contexts: contexts.clone().into_inner(),
            clients: clients.clone().into_inner(),
            rate_limiter: rate_limiter.clone().into_inner(),
            shutdown: shutdown.clone().into_inner(),
            response_cache: response_cache.clone().into_inner(),
            metrics: metrics.clone().into_inner(),
            requests: requests.clone(),
            traces: traces.clone(),
        });
        let handle = move |request: ServiceRequest, next: Next<BoxBody>| {
            let middleware = middleware.clone();
            async move { middleware.handle(request, next).await }
        };
        let app = ActixApp::new()
            .app_data(shutdown.clone())
            .app_data(response_cache)
            .app_data(background.clone())
            .app_data(clients.clone())
            .app_data(rate_limiter.clone())
            .app_data(contexts.clone())
            .app_data(document.clone())
            .app_data(swagger_ui.clone())
            .app_data(metrics.clone())
            .configure(routes::configure)
            .wrap(from_fn(handle))
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let stopping = stopping.clone();
        let (connections, contexts, metrics) =
            (connections.clone(), contexts.clone().into_inner(), metrics.clone().into_inner());
        let http = HttpService::build()
            .keep_alive(connection::KEEP_ALIVE_TIMEOUT)
            // Our layer has a better clock.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .expect(fn_service(middleware::accept_body))
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(move |connection: &Connection<TcpStream>, data| {
                data.insert(connection.shared_state());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let open = move |stream: TcpStream| {
            let (connections, contexts, metrics) =
                (connections.clone(), contexts.clone(), metrics.clone());
            async move {
                let peer = stream.peer_addr().ok();
                let place = connections.open(peer.map(|peer| peer.ip()));
                let place = place.ok_or(DispatchError::DisconnectTimeout)?;
                let service = connection::Service { place, contexts, metrics };
                let connection = Connection::new(stream).of_service(service);
                Ok::<_, DispatchError>((connection, Protocol::Http1, peer))
            }
        };
        fn_service(open).and_then(http)
    })?;
    Ok(server.run())
}

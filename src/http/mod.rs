//! The HTTP service: routes, handlers of a few lines, replies.

// In reading order.

mod resolve;
mod batch;
mod diagnose;
mod check;
mod kubernetes;
mod swarm;
mod matrix;
mod lists;
mod tags;
mod renovate;
mod badge;
mod health;
mod document;
mod door;
mod guard;
mod ready;
mod clients;
mod transport;
mod refusals;
mod drain;
mod problems;
mod query;
mod body;
mod reply;
mod measure;
mod counting;
mod admin;

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
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{
    App as ActixApp, Error, FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder,
    Route, web,
};

use crate::answers::Context;
use crate::api::problem::{Problem, ProblemKind};
use crate::config::ClientLimits;
use crate::telemetry::{Metrics, Traces};

use clients::Clients;
use door::Door;
use drain::Draining;
use transport::Transport;

pub use document::document_text;
pub use drain::Signals;

/// A client must have sent its request within so long; the slow ones would hold connections.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// When a connection ends, the client gets so long to take what was sent.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The paths that are answered, for the text of a 404.
const PATHS: &str = "/resolve, /diagnose, /check, /kubernetes/nodes, /kubernetes/admission, \
                     /swarm/nodes, /matrix, /identify, /releases, /images, /tags, /renovate, \
                     /badge, /openapi.json, /swagger-ui/, /livez, /readyz";

/// The pattern of each path, by which metrics and traces name it.
const ROUTES: [&str; 19] = [
    "/resolve",
    "/diagnose",
    "/check",
    "/kubernetes/nodes",
    "/kubernetes/admission",
    "/swarm/nodes",
    "/matrix",
    "/identify",
    "/releases",
    "/images",
    "/tags",
    "/renovate",
    "/badge",
    "/livez",
    "/readyz",
    "/openapi.json",
    "/",
    "/swagger-ui",
    "/swagger-ui/{path:.*}",
];

/// The sockets of the service.
pub struct Listeners {
    /// For everybody.
    pub public: TcpListener,
    /// For those who run it: metrics, and health in detail.
    pub admin: Option<TcpListener>,
}

/// What the service allows, and how it ends.
pub struct Behaviour {
    /// What clients may take.
    pub clients: ClientLimits,
    /// How long requests are still taken after the service was told to stop.
    pub drain_delay: Duration,
}

/// Serves until a signal says to stop, or for ever without them; the listener for those who run it
/// is the last to stop.
///
/// # Errors
/// When a socket cannot be used.
pub async fn serve(
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    traces: Traces,
    listeners: Listeners,
    behaviour: Behaviour,
    signals: Option<Signals>,
) -> io::Result<()> {
    let draining = web::Data::new(Draining::default());
    let admin = match listeners.admin {
        Some(listener) => {
            Some(admin::server(context.clone(), metrics.clone(), draining.clone(), listener)?)
        }
        None => None,
    };
    let admin_handle = admin.as_ref().map(actix_web::dev::Server::handle);
    let admin = admin.map(tokio::spawn);
    let Behaviour { clients, drain_delay } = behaviour;
    let server =
        public_server(context, metrics, traces, draining.clone(), clients, listeners.public)?;
    let handle = server.handle();
    let served = tokio::select! {
        served = server => served,
        () = drain::stop(signals, &draining, &handle, drain_delay) => Ok(()),
    };
    if let (Some(handle), Some(admin)) = (admin_handle, admin) {
        handle.stop(false).await;
        let _ = admin.await;
    }
    served
}

/// The server for everybody, which stops when it is told to and not by a signal.
fn public_server(
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    traces: Traces,
    draining: web::Data<Draining>,
    limits: ClientLimits,
    listener: TcpListener,
) -> io::Result<Server> {
    let document = document_text().map_err(io::Error::other)?;
    let document = web::Data::new(document::Served::new(document));
    let requests = Arc::new(metrics.requests(&ROUTES));
    let (context, metrics) = (web::Data::from(context), web::Data::from(metrics));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let connections_a_worker = (limits.max_connections.get() as usize).div_ceil(workers);
    let clients = Arc::new(Clients::new(limits));
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_a_worker)
        .shutdown_timeout(drain::FINISHING.as_secs())
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    // As `actix_web::HttpServer` does it, with a transport of our own between the connection and
    // HTTP.
    let server = server.listen("public", listener, move || {
        let ready = web::Data::new(ready::ReadyAnswers::default());
        let door = Rc::new(Door {
            context: context.clone().into_inner(),
            clients: clients.clone(),
            draining: draining.clone().into_inner(),
            ready: ready.clone().into_inner(),
            metrics: metrics.clone().into_inner(),
            requests: requests.clone(),
            traces: traces.clone(),
        });
        let pass = move |request: ServiceRequest, next: Next<BoxBody>| {
            let door = door.clone();
            async move { door.pass(request, next).await }
        };
        let app = ActixApp::new()
            .app_data(draining.clone())
            .app_data(ready)
            .app_data(context.clone())
            .app_data(document.clone())
            .app_data(metrics.clone())
            .configure(routes)
            .wrap(from_fn(pass))
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let (stopping, counting, metrics) =
            (stopping.clone(), clients.clone(), metrics.clone().into_inner());
        let http = HttpService::build()
            .keep_alive(transport::KEEP_ALIVE)
            .client_request_timeout(REQUEST_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(move |transport: &Transport<TcpStream>, data| {
                counting.connected(transport.stream().peer_addr().ok(), data);
                data.insert(transport.turn());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let open = move |stream: TcpStream| {
            let metrics = metrics.clone();
            async move {
                let peer = stream.peer_addr().ok();
                Ok::<_, DispatchError>((
                    Transport::new(stream).counted_by(metrics),
                    Protocol::Http1,
                    peer,
                ))
            }
        };
        fn_service(open).and_then(http)
    })?;
    Ok(server.run())
}

/// Every path, once.
fn routes(config: &mut web::ServiceConfig) {
    config
        .service(read_or_posted("/resolve", resolve::resolve, batch::resolve_batch))
        .service(posted_only("/diagnose", diagnose::diagnose))
        .service(read_only("/check", check::check_image))
        .service(posted_only("/kubernetes/nodes", kubernetes::answer_for_kubernetes_nodes))
        .service(posted_only("/kubernetes/admission", kubernetes::review_admission))
        .service(posted_only("/swarm/nodes", swarm::answer_for_swarm_nodes))
        .service(read_only("/matrix", matrix::compare))
        .service(read_only("/identify", lists::identify))
        .service(read_only("/releases", lists::list_releases))
        .service(read_only("/images", lists::list_images))
        .service(read_only("/tags", tags::list_tags))
        .service(read_only("/renovate", renovate::feed_renovate))
        .service(read_only("/badge", badge::show_badge))
        .service(read_only("/livez", health::live))
        .service(read_only("/readyz", health::ready))
        .service(read_only("/openapi.json", document::serve))
        .service(read_only("/", document::home))
        .service(read_only("/swagger-ui", document::home))
        .service(read_only("/swagger-ui/{path:.*}", document::swagger_ui))
        .default_service(web::to(nothing_here));
}

/// A path that is read with GET and HEAD.
fn read_only<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    read_with(path, handler).default_service(refuse_method("GET, HEAD"))
}

/// A path that is read, and that also takes questions in a body.
fn read_or_posted<F, Args, G, GArgs>(path: &str, read: F, posted: G) -> Resource
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
    G: Handler<GArgs>,
    GArgs: FromRequest + 'static,
    G::Output: Responder + 'static,
{
    read_with(path, read)
        .route(web::post().to(posted))
        .default_service(refuse_method("GET, HEAD, POST"))
}

/// A path that only takes questions in a body.
fn posted_only<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path).route(web::post().to(handler)).default_service(refuse_method("POST"))
}

fn read_with<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path)
        .route(web::method(Method::GET).to(handler.clone()))
        .route(web::method(Method::HEAD).to(handler))
}

/// A path whose pattern is also its name, by which it is found without a search and without a copy.
fn resource(path: &str) -> Resource {
    web::resource(path).name(path)
}

/// Answers a method that the path does not take.
fn refuse_method(methods: &'static str) -> Route {
    web::to(move |request| other_method(request, methods))
}

/// A method that the path does not take is a problem that names those it takes. OPTIONS is how a
/// browser asks whether a page may send what it wants to send.
async fn other_method(request: HttpRequest, methods: &'static str) -> HttpResponse {
    let asks = |name| request.headers().contains_key(name);
    if request.method() == Method::OPTIONS
        && asks(header::ORIGIN)
        && asks(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return reply::preflight(methods);
    }
    let detail = format!("this path takes {methods}");
    let mut response =
        reply::problem(&request, &Problem::new(ProblemKind::MethodNotAllowed, detail));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemKind::NotFound, format!("the paths are {PATHS}")))
}

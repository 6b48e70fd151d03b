//! The HTTP service: routes, handlers of a few lines, replies.

// In reading order; the blank lines keep rustfmt from sorting.

mod resolve;

mod check;

mod matrix;

mod lists;

mod tags;

mod health;

mod document;

mod guard;

mod problems;

mod reply;

mod measure;

mod admin;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, FromRequest, Handler, HttpRequest, HttpResponse, HttpServer, Responder, web};

use crate::answers::Context;
use crate::api::problem::{Problem, ProblemKind};
use crate::telemetry::{Metrics, Traces};

pub use document::document_text;

/// Requests under way get so long when the service is told to stop: less than the 30 seconds that
/// Kubernetes and Docker Swarm give a container.
const DRAIN: Duration = Duration::from_secs(25);
/// A client must have sent its request within so long; the slow ones would hold connections.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The paths that are answered, for the text of a 404.
const PATHS: &str =
    "/resolve, /check, /matrix, /identify, /releases, /images, /tags, /openapi.json, /swagger-ui/, /livez, /readyz";

/// The sockets of the service.
pub struct Listeners {
    /// For everybody.
    pub public: TcpListener,
    /// For those who run it: metrics, and health in detail.
    pub admin: Option<TcpListener>,
}

/// Serves until SIGTERM or SIGINT; the listener for those who run it is the last to stop.
///
/// # Errors
/// When a socket cannot be used.
pub async fn serve(
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    traces: Traces,
    listeners: Listeners,
) -> io::Result<()> {
    let admin = match listeners.admin {
        Some(listener) => Some(admin::server(context.clone(), metrics.clone(), listener)?),
        None => None,
    };
    let admin_handle = admin.as_ref().map(actix_web::dev::Server::handle);
    let admin = admin.map(tokio::spawn);
    let served = serve_everybody(context, metrics, traces, listeners.public).await;
    if let (Some(handle), Some(admin)) = (admin_handle, admin) {
        handle.stop(false).await;
        let _ = admin.await;
    }
    served
}

async fn serve_everybody(
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    traces: Traces,
    listener: TcpListener,
) -> io::Result<()> {
    let document = document_text().map_err(io::Error::other)?;
    let document = web::Data::new(document::Served::new(document));
    let (context, metrics, traces) = (web::Data::from(context), web::Data::from(metrics), web::Data::new(traces));
    let server = HttpServer::new(move || {
        ActixApp::new()
            .wrap(from_fn(guard::guard))
            .app_data(context.clone())
            .app_data(document.clone())
            .app_data(metrics.clone())
            .app_data(traces.clone())
            .configure(routes)
            .wrap(from_fn(measure::measure_requests))
    });
    server.client_request_timeout(REQUEST_TIMEOUT).shutdown_timeout(DRAIN.as_secs()).listen(listener)?.run().await
}

/// Every path, once.
fn routes(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/resolve", resolve::resolve))
        .service(read_only("/check", check::check_image))
        .service(read_only("/matrix", matrix::compare))
        .service(read_only("/identify", lists::identify))
        .service(read_only("/releases", lists::list_releases))
        .service(read_only("/images", lists::list_images))
        .service(read_only("/tags", tags::list_tags))
        .service(read_only("/livez", health::live))
        .service(read_only("/readyz", health::ready))
        .service(read_only("/openapi.json", document::serve))
        .service(read_only("/", document::home))
        .service(read_only("/swagger-ui", document::home))
        .service(read_only("/swagger-ui/{path:.*}", document::swagger_ui))
        .default_service(web::to(nothing_here));
}

/// A path that is read with GET and HEAD; any other method is a problem that names these two.
fn read_only<F, Args>(path: &str, handler: F) -> impl HttpServiceFactory + use<F, Args>
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::method(Method::GET).to(handler.clone()))
        .route(web::method(Method::HEAD).to(handler))
        .default_service(web::to(wrong_method))
}

async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let detail = "this path takes GET and HEAD".to_owned();
    let mut response = reply::problem(&request, &Problem::new(ProblemKind::MethodNotAllowed, detail));
    response
        .headers_mut()
        .insert(actix_web::http::header::ALLOW, actix_web::http::header::HeaderValue::from_static("GET, HEAD"));
    response
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    reply::problem(&request, &Problem::new(ProblemKind::NotFound, format!("the paths are {PATHS}")))
}

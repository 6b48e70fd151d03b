//! The one table of routes. From it come the routes of actix, the paths of the OpenAPI document,
//! the text of a 404, and the labels of metrics and traces.
//!
//! The paths are here alone: what `#[utoipa::path]` says of a handler has an empty one.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use utoipa::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{self, HttpMethod};

use super::{handlers, reply};
use crate::api::problem::{Problem, ProblemKind};

/// A path, and the handlers of its methods.
pub struct Route {
    path: &'static str,
    read: Option<Handler>,
    posted: Option<Handler>,
}

/// Gives actix a handler.
type Handler = fn() -> actix_web::Route;

macro_rules! routes {
    (
        $($path:literal { $($method:ident $module:ident::$handler:ident),+ })+
        undocumented: $($other:literal {
            $($other_method:ident $other_module:ident::$other_handler:ident),+
        })+
    ) => {
        /// Every route.
        pub const ROUTES: &[Route] = &[
            $(Route::new($path)$(.$method(|| web::to(handlers::$module::$handler)))+,)+
            $(
                Route::new($other)
                    $(.$other_method(|| web::to(handlers::$other_module::$other_handler)))+,
            )+
        ];

        /// The paths of all routes, by which metrics and traces name them.
        pub const LABELS: &[&str] = &[$($path,)+ $($other),+];

        /// The paths in the OpenAPI document.
        const DOCUMENTED: &[&str] = &[$($path),+];

        /// Adds the paths and their schemas to the document.
        pub fn document(document: &mut openapi::OpenApi) {
            $($({
                #[derive(OpenApi)]
                #[openapi(paths(handlers::$module::$handler))]
                struct Operation;
                add_operation(document, $path, Operation::openapi());
            })+)+
        }
    };
}

// In the order of their use.
routes! {
    "/resolve" { get resolve::resolve, post batch::resolve_batch }
    "/diagnose" { post diagnose::diagnose }
    "/audit" { post audit::audit_files }
    "/check" { get check::check_image }
    "/fleet" { get fleet::answer_for_fleet }
    "/hosts" { get hosts::list_hosts }
    "/tags" { get tags::list_tags }
    "/history" { get history::show_history }
    "/identify" { get identify::identify, post identify::identify_text }
    "/matrix" { get matrix::compare }
    "/releases" { get releases::list_releases }
    "/images" { get images::list_images }
    "/engines" { get engines::list_engines }
    "/kubernetes/nodes" { post kubernetes_nodes::answer_for_kubernetes_nodes }
    "/kubernetes/admission" { post admission::review_admission }
    "/swarm/nodes" { post swarm_nodes::answer_for_swarm_nodes }
    "/renovate" { get renovate::feed_renovate }
    "/badge" { get badge::show_badge }
    "/livez" { get health::live }
    "/readyz" { get health::ready }
    "/openapi.json" { get openapi::serve }
    undocumented:
    "/swagger-ui/{path:.*}" { get swagger_ui::serve_file }
    "/swagger-ui" { get swagger_ui::redirect }
    "/" { get swagger_ui::redirect }
}

/// Adds one operation, which is documented with an empty path, under its path.
fn add_operation(document: &mut openapi::OpenApi, path: &str, mut operation: openapi::OpenApi) {
    let PathItem { get, post, .. } = operation.paths.paths.swap_remove("").unwrap_or_default();
    for (method, operation) in [(HttpMethod::Get, get), (HttpMethod::Post, post)] {
        if let Some(operation) = operation {
            document.paths.add_path_operation(path, vec![method], operation);
        }
    }
    document.merge(operation);
}

impl Route {
    /// A path without handlers.
    pub const fn new(path: &'static str) -> Self {
        Self { path, read: None, posted: None }
    }

    /// The same path with this handler for GET and HEAD.
    pub const fn get(self, handler: Handler) -> Self {
        Self { read: Some(handler), ..self }
    }

    const fn post(self, handler: Handler) -> Self {
        Self { posted: Some(handler), ..self }
    }

    /// The methods of the path, as the header `Allow` lists them.
    const fn allowed(&self) -> &'static str {
        match (self.read, self.posted) {
            (Some(_), Some(_)) => "GET, HEAD, POST",
            (_, None) => "GET, HEAD",
            (None, _) => "POST",
        }
    }

    /// The resource of actix. Its name is the path, so that a request finds its label without a
    /// search and without a copy.
    pub fn resource(&self) -> Resource {
        let methods =
            [(Method::GET, self.read), (Method::HEAD, self.read), (Method::POST, self.posted)];
        let mut resource = web::resource(self.path).name(self.path);
        for (method, handler) in methods {
            if let Some(handler) = handler {
                resource = resource.route(handler().method(method));
            }
        }
        let allowed = self.allowed();
        resource.default_service(web::to(move |request| refuse_method(request, allowed)))
    }
}

/// Adds every route, and the answer to what matches none.
pub fn configure(config: &mut web::ServiceConfig) {
    for route in ROUTES {
        config.service(route.resource());
    }
    config.default_service(web::to(not_found));
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(no_such_path(&format!("{}, /swagger-ui/", DOCUMENTED.join(", "))))
}

/// The problem of a path that matches no route; these are the paths.
pub fn no_such_path(paths: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("the paths are {paths}"))
}

/// Whether this path takes POST alone.
pub fn is_only_posted(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path && route.read.is_none())
}

/// Refuses a method that the path does not take, and names those that it takes. OPTIONS is how a
/// browser asks on behalf of a page of another origin.
async fn refuse_method(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    let has = |name| request.headers().contains_key(name);
    if request.method() == Method::OPTIONS
        && has(header::ORIGIN)
        && has(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return reply::preflight(allowed);
    }
    let detail = format!("this path takes {allowed}");
    let mut response =
        reply::problem(&request, &Problem::new(ProblemKind::MethodNotAllowed, detail));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

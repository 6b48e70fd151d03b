//! Swagger UI under `/swagger-ui/`, and the redirect to it.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};

use crate::api::problem::{Problem, ProblemKind};
use crate::http::pieces::in_pieces;

/// Swagger UI loads only its own files and calls only this service. It sets styles in its elements
/// and shows images from data URLs.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
                                       'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
                                       connect-src 'self'; frame-ancestors 'none'; \
                                       base-uri 'none'; form-action 'self'";

/// How Swagger UI is set up.
pub type Config = utoipa_swagger_ui::Config<'static>;

/// Swagger UI with forms that are open, and without requests to a validator elsewhere.
pub fn config() -> Arc<Config> {
    let config = Config::new(["/openapi.json"]).validator_url("none");
    Arc::new(config.try_it_out_enabled(true).display_operation_id(true))
}

/// Leads a browser from `/` to Swagger UI.
pub async fn redirect() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/swagger-ui/")).finish()
}

/// A file of Swagger UI, from the program itself.
pub async fn serve_file(
    path: web::Path<String>,
    config: web::Data<Config>,
) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(&path, config.into_inner())
        .map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?
        .ok_or_else(|| {
            let detail = "Swagger UI begins at /swagger-ui/".to_owned();
            Problem::new(ProblemKind::NotFound, detail)
        })?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .content_type(file.content_type)
        .body(in_pieces(bytes)))
}

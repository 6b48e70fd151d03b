//! `GET /openapi.json`.

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::problems::GeneralProblems;
use crate::http::reply::{self, Metadata, StoredResponse};

/// The OpenAPI document as it is served. It is written and compressed when it is first requested,
/// which keeps that out of the start of the program.
pub struct ServedDocument {
    text: fn() -> String,
    plain: OnceLock<StoredResponse>,
    gzip: OnceLock<StoredResponse>,
}

impl ServedDocument {
    /// The document that this function writes.
    pub const fn new(text: fn() -> String) -> Self {
        Self { text, plain: OnceLock::new(), gzip: OnceLock::new() }
    }

    fn plain(&self) -> &StoredResponse {
        self.plain.get_or_init(|| {
            let text = (self.text)().into_bytes();
            StoredResponse::new("application/json", text, &Metadata::default())
        })
    }

    fn gzip(&self) -> &StoredResponse {
        self.gzip.get_or_init(|| self.plain().gzipped())
    }
}

/// OpenAPI document
///
/// This document, in OpenAPI 3.1, the same as in the repository.
#[utoipa::path(
    get, path = "", operation_id = "getDocument", tag = "Health",
    responses((status = 200, description = "The document", body = Object), GeneralProblems)
)]
pub async fn serve(request: HttpRequest, document: web::Data<ServedDocument>) -> HttpResponse {
    let stored = if reply::accepts_gzip(&request) { document.gzip() } else { document.plain() };
    stored.respond(&request)
}

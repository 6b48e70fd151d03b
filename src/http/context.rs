//! The context of a request: taken once, when its handler is called.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::answers::{Context, Contexts};

/// What this request is answered from.
pub struct CurrentContext(Arc<Context>);

impl CurrentContext {
    /// The context itself, for work beside the workers.
    pub fn into_inner(self) -> Arc<Context> {
        self.0
    }
}

impl Deref for CurrentContext {
    type Target = Arc<Context>;

    fn deref(&self) -> &Arc<Context> {
        &self.0
    }
}

impl FromRequest for CurrentContext {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let contexts = Data::<Contexts>::from_request(request, payload).into_inner();
        ready(contexts.map(|contexts| Self(contexts.current())))
    }
}

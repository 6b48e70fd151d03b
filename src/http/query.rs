//! The query of a request, as an argument of a handler.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::api::params::{NoParams, Params, pairs_of_query};
use crate::api::problem::Problem;

/// The names and values of a query, in its order.
pub struct Query(pub Vec<(String, String)>);

impl FromRequest for Query {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(pairs_of_query(request.query_string()))))
    }
}

/// The query of an operation without parameters. Any parameter in it is a problem.
pub struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = Params::new::<NoParams>(pairs_of_query(request.query_string()));
        ready(params.finish().map(|()| Self))
    }
}

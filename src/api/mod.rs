//! The interface as types: what callers send and what they get, over HTTP and on the command line.
//!
//! The doc comments here are the reference that the OpenAPI document shows.

pub mod check;
pub mod common;
pub mod etag;
pub mod lists;
pub mod matrix;
pub mod params;
pub mod problem;
pub mod reading;
pub mod resolve;
pub mod tags;

//! The interface as types: what callers send and what they get, over HTTP and on the command line.
//!
//! The doc comments here are the reference that the OpenAPI document shows.

// In reading order.

pub mod params;
pub mod choices;
pub mod reading;
pub mod resolve;
pub mod batch;
pub mod check;
mod host_list;
pub mod hosts;
pub mod nodes;
pub mod fleet;
mod fleet_text;
mod markdown;
pub mod admission;
pub mod matrix;
pub mod lists;
pub mod tags;
pub mod releases;
pub mod history;
pub mod renovate;
pub mod badge;
pub mod diagnose;
pub mod audit;
pub mod problem;
mod refusals;
pub mod etag;

//! Outgoing requests, with the bounds that hold for all of them.

// In reading order.

mod request;
mod client;
mod address;
pub(super) mod redirect;
pub(super) mod retry_after;
mod spans;

pub(super) use client::EgressClient;
pub(super) use request::{Authorization, EgressRequest, EgressResponse, Reach};
pub use request::{Body, Validators};
pub use spans::{EndedRequest, Observer};

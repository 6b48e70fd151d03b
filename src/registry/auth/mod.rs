//! Authentication at a registry, without giving the credentials to any other server.

// In reading order.

mod authenticator;
pub(super) mod challenge;
pub(super) mod realm;
pub(super) mod token;
mod credentials;
mod helper;

pub(super) use authenticator::Authenticator;

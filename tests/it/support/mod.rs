//! What the integration tests stand on.

pub mod docker_registry;
pub mod service;

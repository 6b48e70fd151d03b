//! What the integration tests stand on.

pub mod docker_registry;
pub mod misbehaving_registry;
pub mod raw_client;
pub mod service;

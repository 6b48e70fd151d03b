//! What the integration tests stand on.

pub mod collector;
pub mod docker_registry;
pub mod feed_site;
pub mod misbehaving_registry;
pub mod raw_client;
pub mod service;
pub mod still_service;

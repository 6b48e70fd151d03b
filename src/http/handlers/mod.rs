//! The handlers: one file for each endpoint.

// In the order of the routes.

pub mod resolve;
pub mod batch;
pub mod audit;
pub mod diagnose;
pub mod check;
pub mod fleet;
pub mod hosts;
pub mod tags;
pub mod history;
pub mod identify;
pub mod matrix;
pub mod releases;
pub mod images;
pub mod engines;
pub mod kubernetes_nodes;
pub mod admission;
pub mod swarm_nodes;
pub mod renovate;
pub mod badge;
pub mod health;
pub mod openapi;
pub mod swagger_ui;

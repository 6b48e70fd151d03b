//! wintag: which tag of a Windows base image runs on a Windows host, and in which isolation mode.

pub mod answers;
pub mod api;
pub mod app;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod images;
pub mod registry;
pub mod telemetry;
pub mod windows;

//! The integration tests: one binary, one file for each thing that is tested.

mod admin;
mod registry_fixture;
mod snapshot;
mod support;
mod telemetry;

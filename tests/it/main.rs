//! The integration tests: one binary, one file for each thing that is tested.

mod openapi;
mod registry_fixture;
mod support;

//! The integration tests: one binary, one file for each thing that is tested. The service is the real
//! program, the registry a real one.

mod admin;
mod cli;
mod facts;
mod faults;
mod hostile;
mod http;
mod licences;
mod openapi;
mod readme;
mod registry_fixture;
mod resolve;
mod snapshot;
mod support;
mod telemetry;

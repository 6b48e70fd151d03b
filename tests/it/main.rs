//! The integration tests: one binary, one file for each thing that is tested. The service is the real
//! program, the registry a real one.

mod cli;
mod facts;
mod hostile;
mod http;
mod licences;
mod openapi;
mod registry_fixture;
mod resolve;
mod support;

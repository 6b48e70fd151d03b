//! The integration tests: one binary, one file for each thing that is tested. The service is the
//! real program, the registry a real one.

mod admin;
mod audit;
mod badge;
mod batch;
mod cli;
mod clusters;
mod contradictions;
mod diagnose;
mod docs;
mod embedded;
mod engines;
mod facts;
mod faults;
mod formats;
mod history;
mod hostile;
mod http;
mod licences;
mod mirrors;
mod openapi;
mod registry_fixture;
mod renewal;
mod renovate;
mod reports;
mod resolve;
mod samples;
mod snapshot;
mod software;
mod support;
mod telemetry;

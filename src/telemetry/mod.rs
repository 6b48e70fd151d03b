//! What the service tells of itself to those who run it.

mod metrics;

pub use metrics::{CacheLayer, CacheResult, Metrics, Operation, RequestOutcome, UpstreamOutcome};

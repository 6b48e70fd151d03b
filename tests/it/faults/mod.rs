//! Faults and abuses that the service must survive, each under the ID it has in the catalogue of
//! faults: F availability, S stampede and resources, X other hosts, credentials and poisoning, O
//! outputs. `rows.csv` says for each ID which tests cover it, or why none does.

mod availability;
pub mod bed;
mod concurrency;
mod good_mode;
mod inbound;
mod matrix;
mod outputs;
mod poisoning;
mod process;
mod requests;
mod resources;
mod secrets;
mod table;
mod tokens;

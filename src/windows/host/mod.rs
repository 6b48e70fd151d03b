//! Host strings: whatever a machine prints about itself, or what people call it, becomes a version
//! and a kind of host.
//!
//! Numbers win over names: `Version 2009 (OS Build 22000.282)` is build 22000, because Windows kept
//! printing 2009 long after 20H2. Names must agree with each other. What could be several builds is
//! not decided by guessing, except that a server is preferred to a client. Server or client follows
//! from the words, else from the version: a revision that only clients have is a client's.

// In reading order: the result, then the way to it.

mod facts;
mod error;
mod words;
mod vocabulary;
mod clues;
mod names;
mod suggest;
mod read;

pub use error::{HostError, MAX_HOST_TEXT_BYTES};
pub use facts::{Edition, Fleets, Host, HostCandidate, HostFacts, HostReading, MAX_FLEET_HOSTS};
pub use read::read_host;

//! Facts about Windows (versions, releases, patches), host strings, and the one compatibility rule.
//!
//! Everything here is pure: values in, values out. No I/O, no clock (dates are arguments), no
//! framework. The tables are data files under `data/`, each row with its source.

// In reading order: numbers, then facts about them, then texts, then the rule.

mod version;
mod builds;
mod release;
mod kb;
mod tables_csv;
mod tables;
mod host;
mod reason;
mod compat;

pub use builds::{BUILD_25H2, BUILD_2016, BUILD_2019, BUILD_2022, BUILD_2025, BUILD_ANNUAL_23H2};
pub use compat::{
    Compatibility, Isolation, ModeVerdict, Platform, Verdict, default_isolation,
    host_process_verdict, verdict,
};
pub use host::{
    Edition, Fleets, Host, HostCandidate, HostError, HostFacts, HostReading, MAX_FLEET_HOSTS,
    MAX_HOST_TEXT_BYTES, read_host,
};
pub use kb::KbEntry;
pub use reason::{Reason, SOURCE_COMPATIBILITY};
pub use release::{Base, Channel, HostKind, Release, Support};
pub use tables::Tables;
pub use tables_csv::{TableError, with_updates};
pub use version::{Kb, ParseKbError, ParseVersionError, WindowsVersion};

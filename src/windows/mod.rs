//! What is known about Windows: versions, releases, patches, host strings, and the one
//! compatibility rule.
//!
//! Everything here is pure: values in, values out. No I/O, no clock (dates are arguments), no
//! framework. The tables are data files under `data/`, each row with its source.

// In reading order: numbers, then facts about them, then texts. The blank lines keep rustfmt from
// sorting.

mod version;
mod release;
mod kb;
mod tables;
mod tables_csv;
mod host;
mod host_clues;
mod host_words;
mod spelling;
mod compat;
mod reason;

pub use compat::{
    BUILD_2016, BUILD_2019, BUILD_2022, BUILD_2025, BUILD_ANNUAL_23H2, Compatibility, HostFacts,
    Isolation, ModeVerdict, Platform, Verdict, default_isolation, verdict,
};
pub use host::{
    Edition, Host, HostCandidate, HostError, HostReading, MAX_HOST_TEXT_BYTES, read_host,
};
pub use kb::KbEntry;
pub use reason::{Reason, SOURCE_COMPATIBILITY};
pub use release::{Channel, HostKind, Release, Support};
pub use spelling::edit_distance;
pub use tables::{TableError, Tables};
pub use version::{Kb, ParseKbError, ParseVersionError, WindowsVersion};

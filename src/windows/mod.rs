//! What is known about Windows: versions, releases, patches, host strings, and the one
//! compatibility rule.
//!
//! Everything here is pure: values in, values out. No I/O, no clock (dates are arguments), no
//! framework. The tables are data files under `data/`, each row with its source.

mod compat;
mod host;
mod reason;
mod version;

pub use compat::*;
pub use host::{Edition, HostKind};
pub use reason::{Reason, SOURCE_COMPATIBILITY};
pub use version::{Kb, ParseKbError, ParseVersionError, WindowsVersion};

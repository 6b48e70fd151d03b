//! Facts about Windows that renew themselves: where new updates are published, and how much to
//! believe it.
//!
//! The readers are pure functions over bytes, each with its limits. They are strict: what is not of
//! the form that is known is refused whole, and what was known before stays.

// In reading order.

mod claim;
mod release_information;
mod updates_list;
mod cvrf;
mod cve;
mod ledger;
mod observed;
mod state;
mod settings;
mod schedule;
mod updater;

pub use claim::{Claim, DocumentOutcome, Read, Refused, Source};
pub use ledger::{Conclusions, Confidence, Contradiction, LearntUpdate, Ledger, Testimony};
pub use observed::ObservedTag;
pub use schedule::next as next_reading;
pub use settings::{FactsFrom, FactsSettings};
pub use state::{State, StoredState};
pub use updater::{DocumentReport, Facts};

#[cfg(test)]
mod tests;

/// The readers, for the fuzz targets.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::cve::{path_of as cve_path, read as cve_record};
    pub use super::cvrf::read as cvrf_document;
    pub use super::release_information::read as release_information;
    pub use super::updates_list::read as updates_list;
}

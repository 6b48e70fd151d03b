//! The only way out: every outgoing request of this service.
//!
//! So the allow-list, the rules for credentials, the size caps and the deadlines hold for all of
//! them. The transport is `reqwest`
//! under our own rules; from the OCI crate come only the types of manifests and indexes, because
//! its client drops pages of tags, has no caps and sends credentials to any token service.
//!
//! The results are our own types. Nothing in them is taken on trust: digests are computed from
//! the bytes received, and text is bounded and printable.

// In reading order.

mod registries;
mod settings;
mod place;
mod error;
mod memory;
mod manifest;
mod manifest_fetch;
mod tags;
mod link;
mod upstream;
mod circuit;
mod failures;
mod rate_limit;
mod auth;
mod egress;
mod documents;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use documents::{DocumentAnswer, DocumentRequest, Documents, MAX_DOCUMENT_BYTES};
pub use egress::{Body, EndedRequest, Observer, Validators};
pub use error::{Missing, RegistryError, SetupError};
pub use manifest::{Entry, EntryMismatch, EntryRole, Manifest, Wanted};
#[cfg(test)]
pub use memory::MAX_RECEIVED_BYTES;
pub use rate_limit::Purpose;
pub use registries::Registries;
pub use settings::{Credentials, RegistriesSettings, RegistrySettings, Secret};
pub use tags::{TagNames, is_tag};
pub use upstream::Received;

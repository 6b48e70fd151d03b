//! The one door out: how a registry is asked, and what may be asked of whom.
//!
//! Every outgoing request of this service is made here, so that the allow-list, the rules for
//! credentials, the size caps and the deadlines hold for all of them. The transport is `reqwest`
//! under our own rules; from the OCI crate come only the types of manifests and indexes, because
//! its client drops pages of tags, has no caps and sends credentials wherever it is told to.
//!
//! What comes back are our own types. Nothing in them is taken on trust: digests are computed from
//! the bytes received, and text is bounded and printable.

mod registries;
mod settings;
mod error;
mod manifest;
mod tags;
mod upstream;
mod egress;
mod spans;
mod gate;
mod address;
mod redirect;
mod authentication;
mod challenge;
mod credentials;
mod realm;
mod token;
mod link;
mod retry_after;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use error::{Missing, RegistryError, SetupError};
pub use manifest::{Entry, EntryMismatch, EntryRole, Manifest, Wanted};
pub use registries::Registries;
pub use settings::{Credentials, RegistriesSettings, RegistrySettings, Secret};
pub use spans::{EndedRequest, Observer};
pub use tags::is_tag;

//! Image names: references, families, the tag grammar, digests.
//!
//! Pure, like [`crate::windows`]: no I/O, no clock, no framework.

mod architecture;
mod base;
mod digest;
mod family;
mod form;
mod reference;
mod software;
mod tag;
mod version;

pub use architecture::{Architecture, TagArchitecture};
pub use base::TagBase;
pub use digest::{Digest, ParseDigestError};
pub use family::{Families, Family, FamilyError, NamedImage};
pub use form::{Pin, TagKind};
pub use reference::{
    ImageReference, ParseReferenceError, Repository, Selector, canonical_registry,
};
pub use software::{SOFTWARE, is_plausible};
pub use tag::{Core, MAX_TAG_BYTES, Separator, Software, Tag};
pub use version::{version_key, version_shape, without_days};

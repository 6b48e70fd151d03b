//! Image names: references, families, the tag grammar, digests.
//!
//! Pure, like [`crate::windows`]: no I/O, no clock, no framework.

mod digest;
mod family;
mod reference;
mod tag;

pub use digest::{Digest, ParseDigestError};
pub use family::{Families, Family, FamilyError, NamedImage};
pub use reference::{
    ImageReference, ParseReferenceError, Repository, Selector, canonical_registry,
};
pub use tag::{Core, Flavour, MAX_TAG_BYTES, Separator, Tag, TagArchitecture, TagKind};

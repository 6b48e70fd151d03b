//! Image names: references, families, the tag grammar, digests.
//!
//! Pure, like [`crate::windows`]: no I/O, no clock, no framework.

mod architecture;
mod digest;
mod family;
mod reference;
mod tag;

pub use architecture::Architecture;
pub use digest::{Digest, ParseDigestError};
pub use family::{Families, Family, FamilyError, NamedImage};
pub use reference::{
    ImageReference, ParseReferenceError, Repository, Selector, canonical_registry,
};
pub use tag::{Core, Flavour, MAX_TAG_BYTES, Pin, Separator, Tag, TagArchitecture, TagKind};

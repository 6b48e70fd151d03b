//! What is known about image names: references, families, the tag grammar, digests.
//!
//! Pure, like [`crate::windows`]: no I/O, no clock, no framework.

mod digest;
mod reference;

pub use digest::{Digest, ParseDigestError};
pub use reference::{ImageReference, ParseReferenceError, Repository, Selector};

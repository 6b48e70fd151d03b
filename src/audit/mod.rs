//! The image references that files name, each with its place: Dockerfiles, Compose files,
//! Kubernetes objects, pipelines and dev containers.
//!
//! [`read`] is a pure function of the name and the bytes of a file. [`find_files`] reads a folder.
//! Whatever a file holds, the result names what could not be read; nothing here is fatal.

// In reading order.

mod traced;
mod mention;
mod lines;
mod variables;
mod dockerfile;
mod yaml;
mod json;
mod hcl;
mod kubernetes;
mod compose;
mod pipelines;
mod kind;
mod folder;

pub use folder::{FileBytes, find_files};
pub use kind::{MAX_FILE_BYTES, Reading, read};
pub use mention::{Ignore, Mention, Place, System};
pub use traced::{Edit, Traced};

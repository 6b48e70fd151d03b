//! The image references that files name, each with its place: Dockerfiles, Compose files,
//! Kubernetes objects, values of Helm charts, pipelines and dev containers.
//!
//! [`read`] is a pure function of the name and the bytes of a file, and of those around it.
//! [`find_files`] reads a folder.
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
mod pipelines;
mod around;
mod dotenv;
mod compose;
mod kind;
mod folder;

pub use around::Around;
pub use folder::{FileBytes, find_files, read_beside};
pub use kind::{MAX_FILE_BYTES, Reading, STDIN, read};
pub use mention::{Ignore, Mention, Place, System};
pub use traced::{Edit, Traced};

//! What is known around a file: values of the command line, and the files beside it.

use std::collections::BTreeMap;

use super::dockerfile::{ARCHITECTURES, BuildArgs};
use super::traced::Traced;

/// What is known around a file that is read.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Values for `ARG` of Dockerfiles.
    pub build_args: &'a BTreeMap<String, String>,
    /// The architecture of the images, which builders give to Dockerfiles.
    pub architecture: &'a str,
    /// Reads a file by its path from the folder of this one; `None` if it is not there, or not to
    /// be read.
    pub beside: &'a dyn Fn(&str) -> Option<String>,
}

impl Around<'_> {
    /// The values for `ARG`, none of which is written in a file.
    pub(super) fn given(&self) -> BuildArgs {
        let of_builder = ARCHITECTURES.iter().map(|name| (*name, self.architecture));
        let given = self.build_args.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = of_builder.chain(given);
        all.map(|(name, value)| (name.to_owned(), Some(Traced::unwritten(value)))).collect()
    }
}

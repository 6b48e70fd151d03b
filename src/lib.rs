//! wintag: which tag of a Windows base image runs on a Windows host, and in which isolation mode.

pub mod images;
pub mod registry;
pub mod windows;

//! Other tools' words: answers in the forms of container tools, and the output of those tools.
//!
//! Everything here is pure: values in, text out. Values are also checked here before they are
//! printed, so that no tool interprets a part of a registry's answer as a command.

// In reading order.

pub mod node;
pub mod kubernetes;
pub mod swarm;
pub mod formats;
pub mod renovate;
mod xml;
pub mod badge;
pub mod atom;
pub mod steps;
pub mod diagnosis;
pub mod engines;

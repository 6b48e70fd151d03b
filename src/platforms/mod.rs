//! The tools that people run containers with: the same answers in their words, and what they print.
//!
//! Everything here is pure: values in, text out. What may be printed is checked here too, so that
//! no tool takes a part of a registry's answer for a command.

// In reading order.

pub mod node;
pub mod kubernetes;
pub mod swarm;
pub mod formats;
pub mod renovate;
pub mod badge;
pub mod diagnosis;

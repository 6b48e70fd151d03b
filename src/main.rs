//! The wintag command.

fn main() {}

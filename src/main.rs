//! The wintag command.

use std::process::ExitCode;

fn main() -> ExitCode {
    remove_empty_settings();
    wintag::cli::run()
}

/// Removes empty variables, with which compose files and charts leave a setting out.
#[expect(
    unsafe_code,
    reason = "removing a variable is sound only while there is one thread, as here"
)]
fn remove_empty_settings() {
    let empty = std::env::vars_os().filter(|(_, value)| value.is_empty()).map(|(name, _)| name);
    let settings: Vec<_> = empty
        .filter(|name| name.to_str().is_some_and(|name| name.starts_with("WINTAG_")))
        .collect();
    for name in settings {
        // SAFETY: nothing has been started yet, so no other thread reads the variables.
        unsafe { std::env::remove_var(name) };
    }
}

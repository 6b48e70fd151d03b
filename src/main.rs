//! The wintag command.

use std::process::ExitCode;

fn main() -> ExitCode {
    forget_empty_settings();
    wintag::cli::run(wintag::cli::Arguments::of_process())
}

/// A variable that is set to nothing is not set: compose files and charts write settings that way.
#[expect(
    unsafe_code,
    reason = "removing a variable is sound only while there is one thread, as here"
)]
fn forget_empty_settings() {
    let empty = std::env::vars_os().filter(|(_, value)| value.is_empty()).map(|(name, _)| name);
    let settings: Vec<_> = empty
        .filter(|name| name.to_str().is_some_and(|name| name.starts_with("WINTAG_")))
        .collect();
    for name in settings {
        // SAFETY: nothing has been started yet, so no other thread reads the variables.
        unsafe { std::env::remove_var(name) };
    }
}

//! The wintag command.

use std::process::ExitCode;

fn main() -> ExitCode {
    remove_empty_settings();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    limit_arenas();
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

/// Keeps glibc from making eight arenas for each core: memory that one arena has free is not used
/// by another, so that the limits of the service would take more than they add up to. On eight
/// cores, `tests/memory-maxima` was above 256 MiB without this. Small requests have caches of their
/// threads, so that two arenas are rarely waited for.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the standard library has no call for this")]
fn limit_arenas() {
    const MAX_ARENAS: libc::c_int = 2;
    // SAFETY: the call takes two numbers, and there is one thread. If it fails, nothing changes.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, MAX_ARENAS) };
}

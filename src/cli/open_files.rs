//! The limit of open files of this process: each connection of a caller is one.

use std::io;

/// Raises the limit to what the system allows this process. Many systems give 1024 at first, for
/// the sake of old programs that use `select`, and allow many times that.
pub fn raise_limit() {
    if let Err(error) = soft_to_hard() {
        tracing::warn!(
            "the limit of open files stays as it is: {error}; with many callers at once, raise it \
             outside"
        );
    }
}

#[expect(unsafe_code, reason = "the standard library does not know these limits")]
fn soft_to_hard() -> io::Result<()> {
    let checked =
        |status: libc::c_int| if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the system writes one value, to which the pointer is valid.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the system reads one value, to which the pointer is valid.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
}

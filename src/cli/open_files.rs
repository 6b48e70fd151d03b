//! The limit of open files, which bounds the connections.

use std::num::NonZeroU32;

/// Files that are kept for all but the connections of clients. Ours: some hundred fetches from
/// registries at once, the operators' listener, the snapshot, the log, and what the workers need.
/// If the limit is low, five eighths of it are kept.
const RESERVED_FILES: u64 = 512;

/// Raises the limit of open files as far as the system allows, and returns how many connections it
/// leaves of those that are set. Many systems start processes with a limit of 1024, for the sake of
/// old programs that use `select`, and allow many times that.
pub(super) fn limited_connections(setting: NonZeroU32) -> NonZeroU32 {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(
                "cannot raise the limit of open files: {error}; for many connections, raise it \
                 before the start"
            );
            return setting;
        }
    };
    let connections = connections_of(files, setting);
    if connections < setting {
        tracing::warn!(
            "--max-connections is {connections} instead of {setting}, because the process may \
             open {files} files only; raise that limit before the start, such as with LimitNOFILE \
             of systemd or --ulimit nofile of Docker"
        );
    }
    connections
}

fn connections_of(files: u64, setting: NonZeroU32) -> NonZeroU32 {
    let left = files.saturating_sub(RESERVED_FILES).max(files / 8 * 3);
    NonZeroU32::new(u32::try_from(left).unwrap_or(u32::MAX))
        .map_or(NonZeroU32::MIN, |left| left.min(setting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h15_connections_leave_files_for_everything_else() {
        for (files, connections) in [
            (0, 1),
            (64, 24),
            (1024, 512),
            (4096, 3584),
            (12_511, 11_999),
            (12_512, 12_000),
            (u64::MAX, 12_000),
        ] {
            let setting = NonZeroU32::new(12_000).unwrap();
            assert_eq!(connections_of(files, setting).get(), connections, "{files}");
        }
    }
}

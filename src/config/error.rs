//! Errors of the settings.

use std::path::PathBuf;

use crate::windows::TableError;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The configuration file is not valid.
    #[error("{}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        detail: String,
    },
    /// A Windows table is not valid.
    #[error("--tables-dir: {0}")]
    Tables(#[from] TableError),
    /// A value is not valid.
    #[error("{setting}: {detail}")]
    Value {
        /// The setting, as it is written.
        setting: String,
        /// What is wrong and what is expected.
        detail: String,
    },
}

//! The body of `POST /audit`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::answers::AuditFile;
use crate::api::problem::Problem;
use crate::audit::read;

/// The most files of one request. Ours: the files of one change.
const MAX_FILES: usize = 100;
/// The most images of one request; each may cost a request to a registry. As many as a batch has
/// questions.
const MAX_IMAGES: usize = 100;

/// The files of an audit.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AuditRequest)]
#[serde(deny_unknown_fields)]
pub struct AuditRequest {
    /// The files.
    #[schema(min_items = 1, max_items = 100)]
    files: Vec<PostedFile>,
    /// Values for `ARG` of Dockerfiles.
    #[serde(default)]
    build_args: BTreeMap<String, String>,
}

/// A file of an audit.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AuditFile)]
#[serde(deny_unknown_fields)]
struct PostedFile {
    /// Its path, which says what kind of file it is.
    #[schema(example = "app/Dockerfile")]
    path: String,
    /// What it holds.
    #[schema(example = "FROM mcr.microsoft.com/windows/servercore:ltsc2019")]
    text: String,
}

impl AuditRequest {
    /// Reads the files, and counts the images that they name.
    ///
    /// # Errors
    /// When there are no files, or too many files or images.
    pub fn read(self) -> Result<(Vec<AuditFile>, usize), Problem> {
        let refuse = |detail| Err(Problem::of_parameter("files", "not-allowed", detail));
        let count = self.files.len();
        if count == 0 || count > MAX_FILES {
            return refuse(format!("must have 1 to {MAX_FILES} files, and has {count}"));
        }
        let read = |PostedFile { path, text }| {
            let reading = read(&path, text.as_bytes(), &self.build_args);
            AuditFile { path, reading }
        };
        let files: Vec<AuditFile> = self.files.into_iter().map(read).collect();
        let mentions = files.iter().flat_map(|file| &file.reading.mentions);
        let images: BTreeSet<&str> =
            mentions.filter_map(|it| it.image.as_ref().ok()).map(|it| it.as_str()).collect();
        let count = images.len();
        if count > MAX_IMAGES {
            return refuse(format!("may name {MAX_IMAGES} images, and name {count}; send less"));
        }
        Ok((files, count))
    }
}

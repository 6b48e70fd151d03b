//! The body of `POST /audit`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::answers::AuditFile;
use crate::api::problem::Problem;
use crate::audit::{Around, read};
use crate::images::Architecture;

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
    /// Reads the files, for hosts of this architecture, and counts the images that they name.
    ///
    /// # Errors
    /// When there are no files, or too many files or images.
    pub fn read(self, architecture: Architecture) -> Result<(Vec<AuditFile>, usize), Problem> {
        let refuse = |detail| Err(Problem::of_parameter("files", "not-allowed", detail));
        let count = self.files.len();
        if count == 0 || count > MAX_FILES {
            return refuse(format!("must have 1 to {MAX_FILES} files, and has {count}"));
        }
        let architecture = architecture.as_str();
        let texts: BTreeMap<PathBuf, &str> =
            self.files.iter().map(|file| (plain(Path::new(&file.path)), &*file.text)).collect();
        let read = |PostedFile { path, text }: &PostedFile| {
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            let beside =
                |name: &str| texts.get(&plain(&folder.join(name))).map(|text| (*text).to_owned());
            let around = Around { build_args: &self.build_args, architecture, beside: &beside };
            let reading = read(path, text.as_bytes(), &around);
            AuditFile { path: path.clone(), reading }
        };
        // Those beside others name no images.
        let is_read = |file: &&PostedFile| !file.path.ends_with(".env");
        let files: Vec<AuditFile> = self.files.iter().filter(is_read).map(read).collect();
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

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

//! The storage folder of `docker-registry`, laid out as that program does it itself.
//!
//! Only what it reads is written: it also keeps a history of each tag (`_manifests/tags/…/index`),
//! which nothing here needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Content for a registry: the files of its storage folder, by their paths in it. Made in memory
/// first, so that the same content is written only once.
#[derive(Default)]
pub struct Content {
    files: BTreeMap<String, Vec<u8>>,
}

impl Content {
    /// Keeps a manifest or an index in a repository, under its digest only.
    pub fn put_manifest(&mut self, repository: &str, body: &[u8]) -> String {
        let digest = self.put_blob(body);
        let link = format!(
            "repositories/{repository}/_manifests/revisions/sha256/{}/link",
            hex_of(&digest)
        );
        self.files.insert(link, digest.clone().into_bytes());
        digest
    }

    /// Keeps a config blob in a repository.
    pub fn put_config(&mut self, repository: &str, body: &[u8]) -> String {
        let digest = self.put_blob(body);
        let link = format!("repositories/{repository}/_layers/sha256/{}/link", hex_of(&digest));
        self.files.insert(link, digest.clone().into_bytes());
        digest
    }

    /// Keeps a manifest or an index, and makes a tag point to it.
    pub fn tag(&mut self, repository: &str, tag: &str, body: &[u8]) -> String {
        let digest = self.put_manifest(repository, body);
        let link = format!("repositories/{repository}/_manifests/tags/{tag}/current/link");
        self.files.insert(link, digest.clone().into_bytes());
        digest
    }

    /// The same content, with the repositories in this project.
    pub fn under(self, project: &str) -> Self {
        let files =
            self.files.into_iter().map(|(path, body)| match path.strip_prefix("repositories/") {
                Some(rest) => (format!("repositories/{project}/{rest}"), body),
                None => (path, body),
            });
        Self { files: files.collect() }
    }

    fn put_blob(&mut self, body: &[u8]) -> String {
        let digest = digest_of(body);
        let hex = hex_of(&digest);
        self.files.insert(format!("blobs/sha256/{}/{hex}/data", &hex[..2]), body.to_vec());
        digest
    }

    /// A text that differs when the content differs.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (path, body) in &self.files {
            for part in [path.as_bytes(), body] {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes the files into a storage folder, beside and over what is there.
    pub fn write_to(&self, storage_folder: &Path) {
        let root = root(storage_folder);
        for (path, body) in &self.files {
            let file = root.join(path);
            let folder = file.parent().expect("each path has a folder");
            fs::create_dir_all(folder)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
            fs::write(&file, body)
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        }
    }
}

/// Removes a tag from a storage folder; what it pointed to stays.
pub fn remove_tag(storage_folder: &Path, repository: &str, tag: &str) {
    let folder = root(storage_folder)
        .join("repositories")
        .join(repository)
        .join("_manifests/tags")
        .join(tag);
    fs::remove_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot remove {}: {error}", folder.display()));
}

/// The digest of these bytes, `sha256:…`; made here so that the tests do not trust the code they
/// test.
pub fn digest_of(body: &[u8]) -> String {
    let hex: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn hex_of(digest: &str) -> &str {
    digest.strip_prefix("sha256:").expect("digests made here begin so")
}

fn root(storage_folder: &Path) -> std::path::PathBuf {
    storage_folder.join("docker/registry/v2")
}

//! What the test registry holds; the same at every run.
//!
//! - `windows`, `windows/nanoserver`, `windows/server`, `windows/servercore`,
//!   `windows/servercore/iis`: every tag of the catalogue. A tag whose recorded digest is that of a
//!   recorded index points to exactly that; all else is made up in the same form: an index with one
//!   amd64 entry, and single images for the tags that name an architecture or a language.
//! - `dotnet/framework/runtime:4.8`: a recorded list of four Windows builds.
//! - `test/…:1`: forms that the base images do not have, see [`fill_special`].

use std::collections::HashMap;

use serde_json::json;

use super::bodies::{
    DOCKER_LIST, DOCKER_MANIFEST, Entry, Image, OCI_INDEX, OCI_MANIFEST, Platform, image, index,
};
use super::catalogue::{Row, revisions_of_updates, verified_indexes};
use super::storage::Content;
use super::tags::{Says, read, split};

pub use super::catalogue::rows_by_repository as repositories;

/// The base image of HostProcess containers.
const HOST_PROCESS: &str = "oss/kubernetes/windows-host-process-containers-base-image";

/// All of it.
pub fn everything() -> Content {
    let mut content = Content::default();
    let recorded: HashMap<String, String> =
        verified_indexes().into_iter().map(|index| (index.digest, index.body)).collect();
    let revisions = revisions_of_updates();
    for (repository, rows) in repositories() {
        let base = BaseRepository { repository, rows, recorded: &recorded, revisions: &revisions };
        base.fill(&mut content);
    }
    fill_special(&mut content);
    content
}

/// One repository of base images.
struct BaseRepository<'a> {
    repository: String,
    rows: Vec<Row>,
    recorded: &'a HashMap<String, String>,
    revisions: &'a HashMap<(u32, String), u32>,
}

impl BaseRepository<'_> {
    fn fill(&self, content: &mut Content) {
        for row in &self.rows {
            let os_version = self.os_version(row);
            match split(&row.tag).single {
                Some(architecture) => {
                    let image = self.single_image(&row.tag, architecture, &os_version);
                    content.put_config(&self.repository, &image.config);
                    content.tag(&self.repository, &row.tag, &image.manifest);
                }
                None => {
                    let index = self.index(row, &os_version, content);
                    content.tag(&self.repository, &row.tag, &index);
                }
            }
        }
    }

    /// The version inside: as recorded, else as the tag says it, else as the same tag without its
    /// ending has it, else the newest of the build that has its own tag here, else the
    /// build alone.
    fn os_version(&self, row: &Row) -> String {
        if !row.os_version.is_empty() {
            return row.os_version.clone();
        }
        let base = split(&row.tag).base;
        if let Some(same) =
            self.rows.iter().find(|other| other.tag == base && !other.os_version.is_empty())
        {
            return same.os_version.clone();
        }
        let (build, revision) = match read(base) {
            Says::Version { build, revision } => (build, Some(revision)),
            Says::Update { build, kb } => {
                (build, self.revisions.get(&(build, kb.to_owned())).copied())
            }
            Says::Newest { build } => (build, self.newest_revision(build)),
            Says::BuildOnly { build } => (build, None),
            Says::Nothing => {
                panic!("the tag {} of {} says nothing about its Windows", row.tag, self.repository)
            }
        };
        match revision {
            Some(revision) => format!("10.0.{build}.{revision}"),
            None => format!("10.0.{build}"),
        }
    }

    fn newest_revision(&self, wanted: u32) -> Option<u32> {
        let revisions = self.rows.iter().filter_map(|row| match read(split(&row.tag).base) {
            Says::Version { build, revision } if build == wanted => Some(revision),
            _ => None,
        });
        revisions.max()
    }

    /// The index of a tag: the recorded one of this tag, else the recorded one of a tag of the same
    /// version, else a made-up one. So all tags of one version share one digest, as they do in
    /// reality.
    fn index(&self, row: &Row, os_version: &str, content: &mut Content) -> Vec<u8> {
        let of_the_version = self.rows.iter().filter(|other| other.os_version == os_version);
        let recorded = std::iter::once(row)
            .chain(of_the_version)
            .find_map(|row| self.recorded.get(&row.digest));
        if let Some(body) = recorded {
            return body.clone().into_bytes();
        }
        let image = self.shared_image(os_version);
        content.put_config(&self.repository, &image.config);
        content.put_manifest(&self.repository, &image.manifest);
        index(
            DOCKER_LIST,
            vec![Entry::of(DOCKER_MANIFEST, &image.manifest, self.platform("amd64", os_version))],
        )
    }

    /// The image of a tag that names one. Where an index was made up for the version, this is the
    /// image in that index.
    fn single_image(&self, tag: &str, architecture: &str, os_version: &str) -> Image {
        if tag.strip_suffix("-amd64") == Some(split(tag).base) {
            return self.shared_image(os_version);
        }
        image(
            &format!("{}:{tag}", self.repository),
            &self.platform(architecture, os_version),
            self.layer_count(),
        )
    }

    fn shared_image(&self, os_version: &str) -> Image {
        let name = format!("{} {os_version}", self.repository);
        image(&name, &self.platform("amd64", os_version), self.layer_count())
    }

    fn platform(&self, architecture: &str, os_version: &str) -> Platform {
        Platform::windows(architecture, Some(os_version), !self.is_nanoserver())
    }

    fn layer_count(&self) -> usize {
        if self.is_nanoserver() { 1 } else { 2 }
    }

    fn is_nanoserver(&self) -> bool {
        self.repository.ends_with("nanoserver")
    }
}

/// The repositories beside the base images, each with the tag `1`:
/// an index without `os.version`, one with an attestation, one of several systems, one of Linux
/// only, one inside another, and a recorded single image with foreign layers.
fn fill_special(content: &mut Content) {
    let recorded_list = include_bytes!(
        "../../../data/manifests/list-dotnet-framework-runtime-4.8-four-windows-builds.json"
    );
    let recorded_manifest = include_bytes!(
        "../../../data/manifests/manifest-foreign-layers-servercore-child-10.0.20348.473.json"
    );
    let recorded_config =
        include_bytes!("../../../data/manifests/config-servercore-child-10.0.20348.473.json");
    for repository in ["dotnet/framework/runtime", "test/image-20348-473"] {
        content.put_config(repository, recorded_config);
        content.put_manifest(repository, recorded_manifest);
    }
    content.tag("dotnet/framework/runtime", "4.8", recorded_list);
    content.tag("test/image-20348-473", "1", recorded_manifest);

    let windows = |version| Platform::windows("amd64", Some(version), true);
    let linux = |architecture| Platform::plain("linux", architecture);

    // The base of HostProcess containers has no version either.
    for path in ["test/no-os-version", HOST_PROCESS] {
        let entries = put_images(content, path, vec![Platform::windows("amd64", None, false)]);
        content.tag(path, "1", &index(DOCKER_LIST, entries));
    }

    let mixed = vec![
        linux("amd64"),
        linux("arm64"),
        windows("10.0.17763.7249"),
        windows("10.0.20348.3566"),
    ];
    let entries = put_images(content, "test/mixed", mixed);
    content.tag("test/mixed", "1", &index(DOCKER_LIST, entries));

    let entries = put_images(content, "test/linux", vec![linux("amd64"), linux("arm64")]);
    content.tag("test/linux", "1", &index(DOCKER_LIST, entries));

    let mut entries = put_images(content, "test/attestation", vec![windows("10.0.20348.3566")]);
    entries.push(put_attestation(content, "test/attestation", &entries[0].digest));
    content.tag("test/attestation", "1", &index(OCI_INDEX, entries));

    let inner =
        index(OCI_INDEX, put_images(content, "test/nested", vec![windows("10.0.20348.3566")]));
    content.put_manifest("test/nested", &inner);
    let entry =
        Entry { platform: None, ..Entry::of(OCI_INDEX, &inner, windows("10.0.20348.3566")) };
    content.tag("test/nested", "1", &index(OCI_INDEX, vec![entry]));
}

/// Makes an image for each platform, and the lines of an index that name them.
fn put_images(content: &mut Content, repository: &str, platforms: Vec<Platform>) -> Vec<Entry> {
    let put = |(number, platform)| {
        let image = image(&format!("{repository} {number}"), &platform, 1);
        content.put_config(repository, &image.config);
        content.put_manifest(repository, &image.manifest);
        Entry::of(DOCKER_MANIFEST, &image.manifest, platform)
    };
    platforms.into_iter().enumerate().map(put).collect()
}

/// Makes the attestation that BuildKit adds to an image: a separate manifest for the platform
/// `unknown/unknown`.
fn put_attestation(content: &mut Content, repository: &str, image_digest: &str) -> Entry {
    let config = content.put_config(repository, b"{}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": config
        },
        "layers": [],
    });
    let manifest = manifest.to_string().into_bytes();
    content.put_manifest(repository, &manifest);
    let annotations = json!({
        "vnd.docker.reference.digest": image_digest,
        "vnd.docker.reference.type": "attestation-manifest",
    });
    let entry = Entry::of(OCI_MANIFEST, &manifest, Platform::plain("unknown", "unknown"));
    Entry { annotations: Some(annotations), ..entry }
}

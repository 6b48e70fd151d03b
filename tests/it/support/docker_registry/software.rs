//! The images that people build on the base images, with every tag of the embedded table.
//!
//! Each tag of one Windows build is an image made up for it: a single manifest in .NET's
//! repositories, an index with one entry elsewhere, as published. A shared tag is an index of the
//! images of its builds, the newest first, after images for Linux where it has those. So the tags
//! of one software share the digests of their images, as they do in reality.

use serde::Deserialize;

use super::bodies::{DOCKER_LIST, DOCKER_MANIFEST, Entry, Image, Platform, image, index};
use super::catalogue::csv_rows;
use super::storage::Content;

/// A row of the table, as far as it is needed here.
#[derive(Deserialize)]
struct Row {
    repository: String,
    tag: String,
    kind: String,
    tag_type: String,
    windows_builds: String,
    base: String,
    suffix: String,
    also_linux: String,
}

/// The revision of every image.
const REVISION: u32 = 1000;

/// The content of these repositories.
pub fn software() -> Content {
    let mut content = Content::default();
    for row in csv_rows::<Row>(include_str!("../../../../src/images/data/software.csv")) {
        row.fill(&mut content);
    }
    content
}

impl Row {
    fn fill(&self, content: &mut Content) {
        let path = self.path();
        let mut builds: Vec<&str> = self.windows_builds.split(';').collect();
        builds.reverse();
        let images: Vec<(Image, Platform)> = builds.iter().map(|build| self.image(build)).collect();
        for (image, _) in &images {
            content.put_config(path, &image.config);
            content.put_manifest(path, &image.manifest);
        }
        let entry = |(image, platform): (Image, Platform)| {
            Entry::of(DOCKER_MANIFEST, &image.manifest, platform)
        };
        let is_single = self.kind == "single" && self.tag_type != "shared";
        if is_single && path.starts_with("dotnet/") {
            let [(image, _)] = images.as_slice() else { panic!("{} has one build", self.tag) };
            content.tag(path, &self.tag, &image.manifest);
            return;
        }
        let linux = (self.also_linux == "yes").then(|| {
            let platform = Platform::plain("linux", "amd64");
            let image = image(&format!("{path} {} linux", self.stem()), &platform, 1);
            content.put_config(path, &image.config);
            content.put_manifest(path, &image.manifest);
            (image, platform)
        });
        let entries = linux.into_iter().chain(images).map(entry).collect();
        content.tag(path, &self.tag, &index(DOCKER_LIST, entries));
    }

    /// The path in the registry.
    fn path(&self) -> &str {
        self.repository.split_once('/').map_or("", |(_, path)| path)
    }

    /// The software and its version.
    fn stem(&self) -> &str {
        let tag = if self.tag == "latest" { "" } else { self.tag.as_str() };
        tag.strip_suffix(self.suffix.as_str()).unwrap_or(tag).trim_end_matches('-')
    }

    /// The image of the software for this build.
    fn image(&self, build: &str) -> (Image, Platform) {
        let version = format!("10.0.{build}.{REVISION}");
        let platform = Platform::windows("amd64", Some(&version), self.base != "nanoserver");
        let name = format!("{} {} {} {build}", self.path(), self.stem(), self.base);
        (image(&name, &platform, 1), platform)
    }
}

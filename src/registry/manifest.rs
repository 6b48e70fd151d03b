//! Manifests: the images that a tag or digest refers to, and their platforms.

use std::collections::BTreeMap;

use oci_distribution::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
    OciDescriptor, OciImageIndex, OciImageManifest,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::RegistryError;
use crate::images::Digest;
use crate::windows::WindowsVersion;
use crate::words::words;

/// The manifest to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The one that the tag refers to now.
    Tag(String),
    /// As [`Self::Tag`], but the configuration of a single image is not fetched: its digest is
    /// enough.
    DigestOfTag(String),
    /// Exactly this one.
    Digest(Digest),
}

impl Wanted {
    /// The tag, if it is by a tag.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(tag) | Self::DigestOfTag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }
}

/// The manifest that a tag or digest refers to. The configuration of a single image is fetched by
/// the digest in its manifest, so that both belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of the body received, computed here.
    pub digest: Digest,
    /// Whether it is an index (a manifest list), or the manifest of a single image.
    pub is_index: bool,
    /// The entries of the index in their order, or the one image; none if its configuration was not
    /// fetched.
    pub entries: Vec<Entry>,
}

/// One entry of an index, or the single image. A text that the registry leaves out, or that is
/// unprintable or too long, is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The digest of the entry's manifest.
    pub digest: Digest,
    /// The operating system: `windows`, `linux`.
    pub operating_system: Option<String>,
    /// The architecture as Go names it: `amd64`, `arm64`.
    pub architecture: Option<String>,
    /// The variant of the architecture: `v8`.
    pub variant: Option<String>,
    /// `os.version`: `10.0.20348.2849`.
    pub os_version: Option<String>,
    /// `os.features`: `win32k`.
    pub os_features: Vec<String>,
    /// Its role in the index.
    pub role: EntryRole,
}

words! {
    /// The role of an entry of an index.
    pub enum EntryRole {
        /// An image that can run somewhere.
        Image = "image",
        /// A statement about an image, as buildx adds them: for the platform `unknown/unknown`, or
        /// marked as an `attestation-manifest`.
        Attestation = "attestation",
        /// Anything else, such as an index inside the index. It is not followed.
        Other = "other",
    }

    /// Why an entry is not a Windows image for an architecture.
    pub enum EntryMismatch {
        /// It is a statement about an image.
        Attestation = "attestation",
        /// It is neither an image nor a statement about one.
        NotAnImage = "not-an-image",
        /// It is for another operating system.
        NotWindows = "not-windows",
        /// It is for another architecture.
        OtherArchitecture = "other-architecture",
    }
}

impl Manifest {
    /// Whether it is of a single image whose configuration was not fetched.
    pub fn is_undescribed(&self) -> bool {
        !self.is_index && self.entries.is_empty()
    }

    /// The Windows images for this architecture, named as Go names it.
    pub fn windows_images(&self, architecture: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.mismatch(architecture).is_none())
    }

    /// The Windows image with this digest, if its version is given.
    pub(super) fn description_of(&self, digest: &Digest) -> Option<Entry> {
        let is_it = |entry: &&Entry| entry.digest == *digest && entry.windows_version().is_some();
        self.entries.iter().find(is_it).cloned()
    }
}

impl Entry {
    /// Why this is not a Windows image for this architecture; `None` where it is one, or may be:
    /// what a registry leaves out contradicts nothing.
    pub fn mismatch(&self, architecture: &str) -> Option<EntryMismatch> {
        let contradicts = |given: &Option<String>, wanted: &str| {
            given.as_deref().is_some_and(|given| given != wanted)
        };
        match self.role {
            EntryRole::Attestation => Some(EntryMismatch::Attestation),
            EntryRole::Other => Some(EntryMismatch::NotAnImage),
            EntryRole::Image if contradicts(&self.operating_system, "windows") => {
                Some(EntryMismatch::NotWindows)
            }
            EntryRole::Image if contradicts(&self.architecture, architecture) => {
                Some(EntryMismatch::OtherArchitecture)
            }
            EntryRole::Image => None,
        }
    }

    /// The `os.version` as a version, where it is given and is one.
    pub fn windows_version(&self) -> Option<WindowsVersion> {
        self.os_version.as_deref()?.parse().ok()
    }
}

/// The largest manifest or configuration that is read (OCI distribution specification:
/// registries take manifests of 4 MiB at least).
pub(super) const MAX_BODY_BYTES: usize = 4 << 20;

/// Entries of an index, and layers of an image; docker stops at 127 layers. Ours.
pub(super) const MAX_DESCRIPTORS: usize = 256;

/// The longest text of a platform, and the number of its features. Ours; real ones stay below 20.
pub(super) const MAX_TEXT_BYTES: usize = 128;
pub(super) const MAX_FEATURES: usize = 32;

/// The annotation with which buildx marks attestations (docker build documentation, "Image
/// attestation storage").
const REFERENCE_TYPE: (&str, &str) = ("vnd.docker.reference.type", "attestation-manifest");

/// The content of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ManifestContent {
    Index(Vec<Entry>),
    /// `config` is `None` for other artefacts, such as a chart or a signature.
    Image {
        config: Option<BlobReference>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct BlobReference {
    pub digest: Digest,
    pub size_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ManifestKind {
    Index,
    Image,
}

/// The fields that distinguish the kinds, read first so that a body that could be both is refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

pub(super) fn read(
    body: &[u8],
    content_type: Option<&str>,
) -> Result<ManifestContent, RegistryError> {
    let not_in_format = |_| RegistryError::invalid("the manifest is not in the format");
    let outline: Outline = serde_json::from_slice(body).map_err(not_in_format)?;
    if outline.schema_version != 2 {
        return Err(RegistryError::invalid("the manifest has an obsolete schema version"));
    }
    let kind = match outline.media_type.as_deref().or(content_type) {
        Some(media_type) => kind_of(media_type),
        None => None,
    };
    let kind =
        kind.ok_or_else(|| RegistryError::invalid("the manifest has an unknown media type"))?;
    let is_index = outline.manifests.is_some();
    let is_image = outline.layers.is_some() || outline.config.is_some();
    let other_kind_named = content_type.and_then(kind_of).is_some_and(|named| named != kind);
    if (is_index, is_image) != (kind == ManifestKind::Index, kind == ManifestKind::Image)
        || other_kind_named
    {
        return Err(RegistryError::invalid("the manifest is ambiguous: an index and an image"));
    }
    match kind {
        ManifestKind::Index => {
            let index: OciImageIndex = serde_json::from_slice(body).map_err(not_in_format)?;
            check_count(index.manifests.len())?;
            index
                .manifests
                .into_iter()
                .map(entry)
                .collect::<Result<_, _>>()
                .map(ManifestContent::Index)
        }
        ManifestKind::Image => {
            let image: OciImageManifest = serde_json::from_slice(body).map_err(not_in_format)?;
            check_count(image.layers.len())?;
            Ok(ManifestContent::Image { config: config_reference(&image.config)? })
        }
    }
}

fn kind_of(media_type: &str) -> Option<ManifestKind> {
    // A content type may carry parameters.
    match media_type.split(';').next().unwrap_or_default().trim() {
        IMAGE_MANIFEST_LIST_MEDIA_TYPE | OCI_IMAGE_INDEX_MEDIA_TYPE => Some(ManifestKind::Index),
        IMAGE_MANIFEST_MEDIA_TYPE | OCI_IMAGE_MEDIA_TYPE => Some(ManifestKind::Image),
        _ => None,
    }
}

fn check_count(descriptors: usize) -> Result<(), RegistryError> {
    match descriptors {
        0..=MAX_DESCRIPTORS => Ok(()),
        _ => Err(RegistryError::invalid("the manifest has too many entries")),
    }
}

fn entry(written: ImageIndexEntry) -> Result<Entry, RegistryError> {
    let digest = sha256(&written.digest)?;
    let marked = is_marked_attestation(written.annotations.as_ref());
    let is_image = kind_of(&written.media_type) == Some(ManifestKind::Image);
    let described = match written.platform {
        Some(platform) => ImageConfig {
            os: Some(platform.os.to_string()),
            architecture: Some(platform.architecture.to_string()),
            variant: platform.variant,
            os_version: platform.os_version,
            os_features: platform.os_features,
        },
        None => ImageConfig::default(),
    };
    let mut entry = described.into_entry(digest);
    if marked {
        entry.role = EntryRole::Attestation;
    } else if !is_image {
        entry.role = EntryRole::Other;
    }
    Ok(entry)
}

fn is_marked_attestation(annotations: Option<&BTreeMap<String, String>>) -> bool {
    let (name, value) = REFERENCE_TYPE;
    annotations.and_then(|annotations| annotations.get(name)).is_some_and(|marked| marked == value)
}

fn config_reference(config: &OciDescriptor) -> Result<Option<BlobReference>, RegistryError> {
    if ![IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_CONFIG_MEDIA_TYPE]
        .contains(&config.media_type.as_str())
    {
        return Ok(None);
    }
    let size_bytes = usize::try_from(config.size)
        .ok()
        .filter(|size| *size <= MAX_BODY_BYTES)
        .ok_or_else(|| RegistryError::invalid("the image configuration is too large"))?;
    Ok(Some(BlobReference { digest: sha256(&config.digest)?, size_bytes }))
}

fn sha256(text: &str) -> Result<Digest, RegistryError> {
    text.parse().map_err(|_| {
        RegistryError::invalid("the manifest contains a digest that is not a sha256 digest")
    })
}

/// The platform in the configuration of an image.
#[derive(Default, Deserialize)]
pub(super) struct ImageConfig {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
}

impl ImageConfig {
    pub(super) fn into_entry(self, digest: Digest) -> Entry {
        let features = self.os_features.unwrap_or_default().into_iter().take(MAX_FEATURES);
        let mut entry = Entry {
            digest,
            operating_system: printable(self.os),
            architecture: printable(self.architecture),
            variant: printable(self.variant),
            os_version: printable(self.os_version),
            os_features: features.filter_map(|feature| printable(Some(feature))).collect(),
            role: EntryRole::Image,
        };
        let unknown = |text: &Option<String>| text.as_deref() == Some("unknown");
        if unknown(&entry.operating_system) && unknown(&entry.architecture) {
            entry.role = EntryRole::Attestation;
        }
        entry
    }
}

fn printable(text: Option<String>) -> Option<String> {
    text.filter(|text| {
        !text.is_empty()
            && text.len() <= MAX_TEXT_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::fuzzing;

    const A: &str = "sha256:308ef3f8ee3e9c9a1bdec460009c1e6394b329db13eb3149461f8841be5b538a";

    fn index(entry: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST_LIST_MEDIA_TYPE}",
                "manifests":[{entry}]}}"#
        )
    }

    fn descriptor(rest: &str) -> String {
        format!(r#"{{"mediaType":"{IMAGE_MANIFEST_MEDIA_TYPE}","size":429,"digest":"{A}"{rest}}}"#)
    }

    fn image(config: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST_MEDIA_TYPE}",
                "config":{config},"layers":[]}}"#
        )
    }

    fn only_entry(rest: &str) -> Entry {
        match read(index(&descriptor(rest)).as_bytes(), None).unwrap() {
            ManifestContent::Index(mut entries) if entries.len() == 1 => entries.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn check_invalid(body: &str, content_type: Option<&str>) {
        assert!(
            matches!(read(body.as_bytes(), content_type), Err(RegistryError::Invalid { .. })),
            "{body}"
        );
    }

    #[test]
    fn an_index_entry_is_read_whole() {
        let entry = only_entry(
            r#","platform":{"architecture":"amd64","os":"windows","variant":"v8",
                "os.version":"10.0.20348.2849","os.features":["win32k"]}"#,
        );
        assert_eq!(
            entry,
            Entry {
                digest: A.parse().unwrap(),
                operating_system: Some("windows".to_owned()),
                architecture: Some("amd64".to_owned()),
                variant: Some("v8".to_owned()),
                os_version: Some("10.0.20348.2849".to_owned()),
                os_features: vec!["win32k".to_owned()],
                role: EntryRole::Image,
            }
        );
    }

    #[test]
    fn entries_have_roles() {
        let role = |rest: &str| only_entry(rest).role;
        assert_eq!(role(""), EntryRole::Image);
        assert_eq!(
            role(r#","platform":{"architecture":"unknown","os":"unknown"}"#),
            EntryRole::Attestation
        );
        assert_eq!(
            role(r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#),
            EntryRole::Attestation
        );
        let nested =
            format!(r#"{{"mediaType":"{OCI_IMAGE_INDEX_MEDIA_TYPE}","size":1,"digest":"{A}"}}"#);
        let ManifestContent::Index(entries) = read(index(&nested).as_bytes(), None).unwrap() else {
            panic!()
        };
        assert_eq!(entries[0].role, EntryRole::Other);
    }

    #[test]
    fn hostile_text_is_dropped() {
        let long = "9".repeat(200);
        let features = vec!["\"f\""; 100].join(",");
        let entry = only_entry(&format!(
            r#","platform":{{"architecture":"amd 64","os":"win\u001b[31m",
                "os.version":"{long}","os.features":["\n",{features}]}}"#
        ));
        assert_eq!(
            (entry.operating_system, entry.architecture, entry.os_version),
            (None, None, None)
        );
        assert_eq!(entry.os_features.len(), MAX_FEATURES - 1);
    }

    #[test]
    fn the_kind_may_come_from_the_content_type() {
        let body = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(""));
        let read_as = |content_type| read(body.as_bytes(), content_type);
        assert!(read_as(Some("application/vnd.oci.image.index.v1+json; charset=utf-8")).is_ok());
        assert!(read_as(Some("application/json")).is_err());
        assert!(read_as(Some(OCI_IMAGE_MEDIA_TYPE)).is_err());
        assert!(read_as(None).is_err());
    }

    #[test]
    fn x11_ambiguous_manifests_are_refused() {
        let config = format!(
            r#"{{"mediaType":"{IMAGE_DOCKER_CONFIG_MEDIA_TYPE}","size":2,"digest":"{A}"}}"#
        );
        check_invalid(&image(&config).replace("\"layers\"", "\"manifests\":[],\"layers\""), None);
        check_invalid(
            &image(&config).replace(IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE),
            None,
        );
        check_invalid(&image(&config), Some(OCI_IMAGE_INDEX_MEDIA_TYPE));
        check_invalid(
            &index("").replace(IMAGE_MANIFEST_LIST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE),
            None,
        );
        check_invalid(
            &index("").replace("\"manifests\"", "\"mediaType\":\"x\",\"manifests\""),
            None,
        );
    }

    #[test]
    fn f09_what_is_not_a_manifest_is_refused() {
        for body in
            ["", "{}", "[]", "null", r#"{"schemaVersion":2}"#, "<html>", &"[".repeat(10_000)]
        {
            check_invalid(body, Some(OCI_IMAGE_MEDIA_TYPE));
        }
        check_invalid(
            r#"{"schemaVersion":1,"fsLayers":[],"history":[{"v1Compatibility":"{}"}]}"#,
            Some("application/vnd.docker.distribution.manifest.v1+prettyjws"),
        );
        check_invalid(&index(&descriptor("").replace("sha256:308", "sha512:308")), None);
        check_invalid(&index(&descriptor("").replace("sha256:308e", "sha256:../")), None);
    }

    #[test]
    fn s08_descriptors_are_bounded() {
        let entries = |count: usize| index(&vec![descriptor(""); count].join(","));
        assert!(read(entries(256).as_bytes(), None).is_ok());
        check_invalid(&entries(257), None);
    }

    #[test]
    fn only_configurations_of_images_are_asked_for() {
        let check = |media_type: &str, size: i64, expected: Option<bool>| {
            let body =
                image(&format!(r#"{{"mediaType":"{media_type}","size":{size},"digest":"{A}"}}"#));
            let found = match read(body.as_bytes(), None) {
                Ok(ManifestContent::Image { config }) => Some(config.is_some()),
                _ => None,
            };
            assert_eq!(found, expected, "{media_type} {size}");
        };
        check(IMAGE_DOCKER_CONFIG_MEDIA_TYPE, 2, Some(true));
        check(IMAGE_CONFIG_MEDIA_TYPE, 4 << 20, Some(true));
        check("application/vnd.cncf.helm.config.v1+json", 2, Some(false));
        check(IMAGE_CONFIG_MEDIA_TYPE, -1, None);
        check(IMAGE_CONFIG_MEDIA_TYPE, (4 << 20) + 1, None);
    }

    #[test]
    fn an_entry_fits_unless_it_says_otherwise() {
        let platform = |os: &str, architecture: &str| {
            let platform = serde_json::json!({ "os": os, "architecture": architecture });
            only_entry(&format!(r#","platform":{platform}"#)).mismatch("amd64")
        };
        assert_eq!(only_entry("").mismatch("amd64"), None);
        assert_eq!(platform("windows", "amd64"), None);
        assert_eq!(platform("linux", "amd64"), Some(EntryMismatch::NotWindows));
        assert_eq!(platform("windows", "arm64"), Some(EntryMismatch::OtherArchitecture));
        assert_eq!(platform("unknown", "unknown"), Some(EntryMismatch::Attestation));
    }

    proptest::proptest! {
        #[test]
        fn f09_no_body_gives_unprintable_text(
            text in ".{0,20}",
            at in proptest::prelude::any::<proptest::sample::Index>(),
            byte in proptest::prelude::any::<u8>(),
        ) {
            let text = serde_json::Value::from(text);
            let platform = format!(
                r#","platform":{{"os":{text},"architecture":"amd64","os.version":{text}}}"#
            );
            fuzzing::config(format!(r#"{{"os":{text},"os.features":[{text},{text}]}}"#).as_bytes());
            for body in [index(&descriptor(&platform)), image(&descriptor(""))] {
                let mut spoilt = body.clone().into_bytes();
                let at = at.index(spoilt.len());
                spoilt[at] = byte;
                for body in [body.as_bytes(), &spoilt, &body.as_bytes()[..at]] {
                    fuzzing::manifest(body);
                }
            }
        }
    }
}

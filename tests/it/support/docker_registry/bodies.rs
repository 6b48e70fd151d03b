//! Image indexes, manifests and configs in the form the registries serve them.

use serde::Serialize;

use super::storage::digest_of;

/// Docker's media type of an index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's media type of a single image.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's media type of an image's config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// OCI's media type of an index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI's media type of a single image.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What one image is made for.
#[derive(Clone, Debug, Serialize)]
pub struct Platform {
    pub architecture: String,
    pub os: String,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

impl Platform {
    /// A Windows platform; `win32k` is the feature that all base images but nanoserver name.
    pub fn windows(architecture: &str, os_version: Option<&str>, win32k: bool) -> Self {
        Self {
            architecture: architecture.to_owned(),
            os: "windows".to_owned(),
            os_version: os_version.map(str::to_owned),
            os_features: if win32k { vec!["win32k".to_owned()] } else { Vec::new() },
        }
    }

    /// A platform without a version.
    pub fn plain(os: &str, architecture: &str) -> Self {
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: None,
            os_features: Vec::new(),
        }
    }
}

/// One line of an index. The order of the fields is the order on the wire.
#[derive(Clone, Serialize)]
pub struct Entry {
    #[serde(rename = "mediaType")]
    pub media_type: &'static str,
    pub size: usize,
    pub digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<serde_json::Value>,
}

impl Entry {
    /// The entry for this image.
    pub fn of(media_type: &'static str, body: &[u8], platform: Platform) -> Self {
        Self {
            media_type,
            size: body.len(),
            digest: digest_of(body),
            platform: Some(platform),
            annotations: None,
        }
    }
}

/// An index in the compact form that Microsoft's registry has used since May 2022.
pub fn index(media_type: &'static str, entries: Vec<Entry>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Index {
        #[serde(rename = "schemaVersion")]
        schema_version: u8,
        #[serde(rename = "mediaType")]
        media_type: &'static str,
        manifests: Vec<Entry>,
    }
    bytes(&Index { schema_version: 2, media_type, manifests: entries })
}

/// One made-up image: its manifest and the config that the manifest names.
pub struct Image {
    pub manifest: Vec<u8>,
    pub config: Vec<u8>,
}

/// Makes an image for a platform. `name` makes it differ from others of the same platform; its
/// layers are named but are nowhere, since nothing here pulls an image.
pub fn image(name: &str, platform: &Platform, layer_count: usize) -> Image {
    #[derive(Serialize)]
    struct Config<'a> {
        #[serde(flatten)]
        platform: &'a Platform,
        created: &'static str,
        config: serde_json::Value,
        history: serde_json::Value,
        rootfs: serde_json::Value,
    }
    #[derive(Serialize)]
    struct Manifest {
        #[serde(rename = "schemaVersion")]
        schema_version: u8,
        #[serde(rename = "mediaType")]
        media_type: &'static str,
        config: Entry,
        layers: Vec<Entry>,
    }

    let layers: Vec<String> = (0..layer_count)
        .map(|number| digest_of(format!("{name}, layer {number}").as_bytes()))
        .collect();
    let config = bytes(&Config {
        platform,
        created: "2020-01-01T00:00:00Z",
        config: serde_json::json!({ "Cmd": ["c:\\windows\\system32\\cmd.exe"] }),
        history: serde_json::json!([{
            "created": "2020-01-01T00:00:00Z",
            "created_by": format!("made for a test: {name}"),
        }]),
        rootfs: serde_json::json!({ "type": "layers", "diff_ids": layers }),
    });
    let blob = |media_type, size, digest| Entry {
        media_type,
        size,
        digest,
        platform: None,
        annotations: None,
    };
    let layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = bytes(&Manifest {
        schema_version: 2,
        media_type: DOCKER_MANIFEST,
        config: blob(DOCKER_CONFIG, config.len(), digest_of(&config)),
        layers: layers.into_iter().map(|digest| blob(layer_type, 100_000_000, digest)).collect(),
    });
    Image { manifest, config }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("these types have only string keys")
}

//! The requests for a manifest, and for the configuration of a single image.

use std::sync::Arc;

use reqwest::header::CONTENT_TYPE;

use super::error::{Missing, RegistryError};
use super::manifest::{
    self, BlobReference, Entry, EntryRole, ImageConfig, MAX_BODY_BYTES, Manifest, ManifestContent,
    Wanted,
};
use super::rate_limit::Purpose;
use super::tags::is_tag;
use super::upstream::{Received, Upstream, UpstreamRequest};
use crate::images::Digest;

/// All four media types: registries answer 404, or with an obsolete format, where theirs is
/// missing.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.oci.image.index.v1+json, \
                      application/vnd.oci.image.manifest.v1+json";

/// The header with the digest of a manifest (OCI distribution specification).
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Fetches a manifest and, for a single image, its configuration, unless this index describes the
/// image or its digest is enough.
pub(super) async fn fetch(
    upstream: &Upstream,
    repository_path: &str,
    wanted: &Wanted,
    index: impl Future<Output = Option<Arc<Manifest>>> + Send,
    purpose: Purpose,
) -> Result<Received<Manifest>, RegistryError> {
    let reference = match wanted {
        Wanted::Tag(tag) | Wanted::DigestOfTag(tag) if is_tag(tag) => tag.as_str(),
        Wanted::Digest(digest) => digest.as_str(),
        // No repository can have it, and it must not become part of a path.
        _ => return Err(RegistryError::NotFound { what: Missing::Manifest }),
    };
    let document = upstream
        .fetch(UpstreamRequest {
            purpose,
            repository_path,
            url: upstream.endpoint(repository_path, &format!("manifests/{reference}")),
            accept: Some(ACCEPT),
            max_body_bytes: MAX_BODY_BYTES,
            follow_redirects: false,
            missing: Some(Missing::Manifest),
            is_continuation: false,
        })
        .await?;
    let digest = Digest::of(&document.body);
    document.span.record("oci.manifest.digest", digest.as_str());
    let announced =
        document.headers.get_all(CONTENT_DIGEST).iter().all(|value| value == digest.as_str());
    let asked = match wanted {
        Wanted::Digest(asked) => *asked == digest,
        _ => true,
    };
    if !announced || !asked {
        return Err(RegistryError::invalid("the manifest has another digest"));
    }
    let content_type = document.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut with_credentials = document.with_credentials;
    let manifest = match manifest::read(&document.body, content_type)? {
        ManifestContent::Index(entries) => Manifest { digest, is_index: true, entries },
        ManifestContent::Image { config } => {
            let described = index.await.and_then(|index| index.description_of(&digest));
            let entry = match (config, described) {
                (None, _) => Some(Entry {
                    role: EntryRole::Other,
                    ..ImageConfig::default().into_entry(digest.clone())
                }),
                (Some(_), Some(entry)) => Some(entry),
                (Some(_), None) if matches!(wanted, Wanted::DigestOfTag(_)) => None,
                (Some(config), None) => {
                    let config = fetch_config(upstream, repository_path, &config, purpose).await?;
                    with_credentials |= config.with_credentials;
                    Some(config.value.into_entry(digest.clone()))
                }
            };
            Manifest { digest, is_index: false, entries: entry.into_iter().collect() }
        }
    };
    Ok(Received { value: manifest, with_credentials })
}

async fn fetch_config(
    upstream: &Upstream,
    repository_path: &str,
    config: &BlobReference,
    purpose: Purpose,
) -> Result<Received<ImageConfig>, RegistryError> {
    let document = upstream
        .fetch(UpstreamRequest {
            purpose,
            repository_path,
            url: upstream.endpoint(repository_path, &format!("blobs/{}", config.digest)),
            accept: None,
            max_body_bytes: config.size_bytes,
            follow_redirects: true,
            missing: None,
            is_continuation: true,
        })
        .await?;
    if document.body.len() != config.size_bytes || Digest::of(&document.body) != config.digest {
        return Err(RegistryError::invalid("the image configuration has another digest or size"));
    }
    let value = serde_json::from_slice(&document.body)
        .map_err(|_| RegistryError::invalid("the image configuration is not in the format"))?;
    Ok(Received { value, with_credentials: document.with_credentials })
}

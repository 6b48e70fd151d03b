//! What the misbehaving registry holds when it behaves: tags, manifests and configurations, served
//! as the distribution specification says, with real pages.

use std::collections::BTreeMap;

use super::Asked;
use super::behaviour::{Behaviour, Response};
use crate::support::docker_registry::bodies::{
    DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Entry, Platform, image, index,
};
use crate::support::docker_registry::storage::digest_of;

/// Every repository has the same content, whatever its name.
#[derive(Clone, Default)]
pub struct Holdings {
    tags: BTreeMap<String, String>,
    /// Media type and body by digest.
    content: BTreeMap<String, (&'static str, Vec<u8>)>,
    page_size: Option<usize>,
}

impl Holdings {
    /// These tags, each an index with one image for amd64.
    pub fn of(tags: &[(&str, &str)]) -> Self {
        let mut holdings = Self::default();
        for (tag, os_version) in tags {
            let platform = Platform::windows("amd64", Some(os_version), false);
            let image = holdings.put_image(tag, &platform);
            let index = index(DOCKER_LIST, vec![Entry::of(DOCKER_MANIFEST, &image, platform)]);
            holdings.tag(tag, DOCKER_LIST, &index);
        }
        holdings
    }

    /// The releases that most tests ask for.
    pub fn usual() -> Self {
        Self::of(&[
            ("ltsc2019", "10.0.17763.5000"),
            ("ltsc2022", "10.0.20348.2113"),
            ("ltsc2025", "10.0.26100.4061"),
        ])
    }

    /// The same in pages of this many tags, unless the client requests another size.
    pub fn in_pages_of(mut self, page_size: usize) -> Self {
        self.page_size = Some(page_size);
        self
    }

    /// Adds an image with its configuration, and gives its manifest.
    pub fn put_image(&mut self, name: &str, platform: &Platform) -> Vec<u8> {
        let made = image(name, platform, 1);
        self.content.insert(digest_of(&made.config), (DOCKER_CONFIG, made.config));
        self.content.insert(digest_of(&made.manifest), (DOCKER_MANIFEST, made.manifest.clone()));
        made.manifest
    }

    /// Makes a tag stand for this body.
    pub fn tag(&mut self, tag: &str, media_type: &'static str, body: &[u8]) {
        let digest = digest_of(body);
        self.content.insert(digest.clone(), (media_type, body.to_vec()));
        self.tags.insert(tag.to_owned(), digest);
    }

    /// Adds what the other one holds.
    pub fn copy_from(&mut self, other: &Self) {
        self.tags.extend(other.tags.clone());
        self.content.extend(other.content.clone());
    }

    /// The digest of a tag.
    pub fn digest(&self, tag: &str) -> &str {
        &self.tags[tag]
    }

    /// The answer to a request.
    pub fn answer(&self, asked: &Asked) -> Behaviour {
        if !["GET", "HEAD"].contains(&asked.method.as_str()) {
            return Behaviour::status(405);
        }
        let Some(path) = asked.path().strip_prefix("/v2/") else { return Behaviour::status(404) };
        if path.is_empty() {
            return Response::json("{}")
                .header("docker-distribution-api-version", "registry/2.0")
                .into();
        }
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return self.list(repository, asked);
        }
        match path.rsplit('/').collect::<Vec<_>>()[..] {
            [reference, "manifests", ..] => {
                self.serve(self.tags.get(reference).map_or(reference, String::as_str))
            }
            [digest, "blobs", ..] => self.serve(digest),
            _ => Behaviour::status(404),
        }
    }

    /// A page of tags: those after `last`, at most `n`, with the way to the next.
    fn list(&self, repository: &str, asked: &Asked) -> Behaviour {
        let last = asked.parameter("last").unwrap_or_default();
        let size = asked
            .parameter("n")
            .and_then(|n| n.parse().ok())
            .or(self.page_size)
            .unwrap_or(usize::MAX);
        let rest: Vec<&String> = self.tags.keys().filter(|tag| **tag > last).collect();
        let page = &rest[..size.min(rest.len())];
        let response =
            Response::json(serde_json::json!({ "name": repository, "tags": page }).to_string());
        match page.last() {
            Some(last) if page.len() < rest.len() => {
                let next =
                    format!("</v2/{repository}/tags/list?last={last}&n={size}>; rel=\"next\"");
                response.header("link", next).into()
            }
            _ => response.into(),
        }
    }

    fn serve(&self, digest: &str) -> Behaviour {
        let Some((media_type, body)) = self.content.get(digest) else {
            let unknown =
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return Response::new(404, unknown).header("content-type", "application/json").into();
        };
        Response::new(200, body.clone())
            .header("content-type", *media_type)
            .header("docker-content-digest", digest)
            .into()
    }
}

/// The list of these tags, and nothing more.
pub fn tag_list(tags: &[&str]) -> Response {
    Response::json(serde_json::json!({ "name": "x", "tags": tags }).to_string())
}

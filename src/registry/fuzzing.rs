//! Properties of each parser of registry responses that hold for any bytes. The tests of this room
//! check them with random texts, and the fuzz targets (`tests/fuzz`) with the input of a fuzzer.
//! They are in no ordinary build.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{
    HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use url::Url;

use super::auth::{challenge, realm, token};
use super::egress::{redirect, retry_after};
use super::manifest::{
    Entry, ImageConfig, MAX_BODY_BYTES, MAX_DESCRIPTORS, MAX_FEATURES, MAX_TEXT_BYTES,
    ManifestContent,
};
use super::tags::TagList;
use super::{is_tag, link, manifest};
use crate::images::Digest;

/// `Link` headers, one a line: the next page is at the same endpoint of the same server.
pub fn link(bytes: &[u8]) {
    let current = url("https://a.example/v2/x/y/tags/list?n=1");
    if let Ok(Some(next)) = link::next_page(&headers(&LINK, bytes), &current) {
        assert_eq!((next.origin(), next.path()), (current.origin(), current.path()));
        assert!(
            next.username().is_empty() && next.password().is_none() && next.fragment().is_none(),
            "{next}"
        );
    }
}

/// `WWW-Authenticate` headers, one a line: only the registry's own servers get its credentials, and
/// only over https.
pub fn challenge(bytes: &[u8]) {
    let base = url("https://a.example/");
    for challenge in challenge::parse(&headers(&WWW_AUTHENTICATE, bytes)) {
        let challenge::Challenge::Bearer { realm, .. } = challenge else { continue };
        if let Ok(service) = realm::parse(&realm, "a.example", &base, &[]) {
            assert_eq!(service.url.scheme(), "https");
            assert!(
                service.url.username().is_empty() && service.url.password().is_none(),
                "{}",
                service.url
            );
            let host = service.url.host_str().unwrap_or_default();
            assert!(
                !service.is_pinned || host == "a.example" || host.ends_with(".a.example"),
                "{}",
                service.url
            );
        }
    }
}

/// A `Retry-After` header: the wait is between a second and 15 minutes, at whatever time it is
/// read.
pub fn retry_after(bytes: &[u8]) {
    for now in [0, 1_714_521_600, 4_000_000_000] {
        let wait = retry_after::parse(
            &headers(&RETRY_AFTER, bytes),
            UNIX_EPOCH + Duration::from_secs(now),
        );
        assert!(wait.is_none_or(|wait| (1..=900).contains(&wait.as_secs())), "{wait:?}");
    }
}

/// A `Location` header: the target keeps https and has no user name.
pub fn redirect(bytes: &[u8]) {
    let current = url("https://a.example/v2/x/y/blobs/z");
    if let Ok(target) = redirect::target(&headers(&LOCATION, bytes), &current) {
        assert_eq!(target.scheme(), "https");
        assert!(
            target.username().is_empty()
                && target.password().is_none()
                && target.fragment().is_none(),
            "{target}"
        );
    }
}

/// The answer of a token service: the token can stand in a header, and ends within the hour.
pub fn token(bytes: &[u8]) {
    if let Ok(token) = token::parse(bytes) {
        assert!((1..=3600).contains(&token.ttl.as_secs()), "{:?}", token.ttl);
        assert!(
            HeaderValue::from_str(token.secret.expose()).is_ok()
                && !token.secret.expose().is_empty()
        );
    }
}

/// A page of tags: each is in the grammar and comes once, and the same page again adds nothing.
pub fn tags(bytes: &[u8]) {
    let mut list = TagList::default();
    if let Ok(added) = list.add_page(bytes) {
        assert_eq!(added, list.names.len());
        assert!(list.names.iter().all(|name| is_tag(name)), "{:?}", list.names);
        assert_eq!(list.names.iter().collect::<HashSet<_>>().len(), added);
        assert!(list.add_page(bytes).is_ok_and(|added| added == 0));
    }
}

/// A manifest or index: it is of one kind only, within the bounds, and all of its text is
/// printable.
pub fn manifest(bytes: &[u8]) {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    let [index, image, unsaid] =
        [Some(INDEX), Some(IMAGE), None].map(|kind| manifest::read(bytes, kind).ok());
    assert!(index.is_none() || image.is_none(), "it is of both kinds");
    assert!(
        !matches!(index, Some(ManifestContent::Image { .. }))
            && !matches!(image, Some(ManifestContent::Index(_)))
    );
    for content in [index, image, unsaid].into_iter().flatten() {
        match content {
            ManifestContent::Index(entries) => {
                assert!(entries.len() <= MAX_DESCRIPTORS);
                entries.iter().for_each(check_entry);
            }
            ManifestContent::Image { config } => {
                assert!(config.is_none_or(|config| config.size_bytes <= MAX_BODY_BYTES))
            }
        }
    }
}

/// The configuration of an image: what is taken of it is printable and short.
pub fn config(bytes: &[u8]) {
    if let Ok(config) = serde_json::from_slice::<ImageConfig>(bytes) {
        check_entry(&config.into_entry(Digest::of(bytes)));
    }
}

fn check_entry(entry: &Entry) {
    let texts = [&entry.operating_system, &entry.architecture, &entry.variant, &entry.os_version];
    for text in texts.into_iter().flatten().chain(&entry.os_features) {
        assert!((1..=MAX_TEXT_BYTES).contains(&text.len()), "{text:?}");
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    }
    assert!(entry.os_features.len() <= MAX_FEATURES);
}

/// One header for each line; what cannot stand in a header does not come to us in one.
fn headers(name: &HeaderName, bytes: &[u8]) -> HeaderMap {
    let values =
        bytes.split(|byte| *byte == b'\n').filter_map(|value| HeaderValue::from_bytes(value).ok());
    values.map(|value| (name.clone(), value)).collect()
}

fn url(text: &str) -> Url {
    text.parse().expect("it is one")
}

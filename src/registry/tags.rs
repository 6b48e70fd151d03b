//! The tags of a repository, page by page and within bounds.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use serde::Deserialize;

use super::error::{Missing, RegistryError};
use super::link;
use super::memory::ReceivedMemory;
use super::rate_limit::Purpose;
use super::upstream::{Received, Upstream, UpstreamRequest};

/// The largest page that is read. 100,000 tags have about 2 MiB. Ours.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// Pages of one list (the bound of oras-go); registries serve up to 1,000 tags per page.
const MAX_PAGES: usize = 100;

/// Names of one list. The largest Windows repository is estimated at a few thousand. Ours.
const MAX_NAMES: usize = 100_000;

/// All pages of one list together. Ours.
const MAX_TOTAL_BYTES: usize = 32 << 20;

/// What a name takes beside its text: where the text is, and its hash.
const BYTES_PER_NAME: usize = 48;

/// Time for all pages of one list together; each page also has the timeout of an exchange. Ours.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest tag (OCI distribution specification).
const MAX_TAG_BYTES: usize = 128;

/// The names of all tags of a repository, in the order received, each once.
#[derive(Debug)]
pub struct TagNames {
    /// The names.
    pub names: Vec<String>,
    /// The memory that they take, for as long as they are kept.
    pub held: ReceivedMemory,
}

impl PartialEq for TagNames {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

/// All tags of the repository, in the order received, each once.
///
/// # Errors
/// When a page fails, is over a bound, or leads nowhere new. There is no partial list.
pub(super) async fn list(
    upstream: &Upstream,
    repository_path: &str,
    purpose: Purpose,
) -> Result<Received<TagNames>, RegistryError> {
    match tokio::time::timeout(LIST_TIMEOUT, all_pages(upstream, repository_path, purpose)).await {
        Ok(result) => result,
        Err(_) => Err(RegistryError::TimedOut),
    }
}

/// Whether a text is a tag in the grammar of the specification:
/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
pub fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        && text.len() <= MAX_TAG_BYTES
}

async fn all_pages(
    upstream: &Upstream,
    repository_path: &str,
    purpose: Purpose,
) -> Result<Received<TagNames>, RegistryError> {
    let mut tags = TagList::default();
    let mut with_credentials = false;
    // Without `n`: the registries in use then answer with everything, or with pages of their own
    // size.
    let mut url = upstream.endpoint(repository_path, "tags/list");
    let mut visited = HashSet::new();
    for _ in 0..MAX_PAGES {
        if !visited.insert(url.clone()) {
            return Err(RegistryError::invalid("the same page of tags comes twice"));
        }
        let page = upstream
            .fetch(UpstreamRequest {
                purpose,
                repository_path,
                url: url.clone(),
                accept: Some("application/json"),
                max_body_bytes: MAX_PAGE_BYTES,
                follow_redirects: false,
                missing: Some(Missing::Repository),
                is_continuation: visited.len() > 1,
            })
            .await?;
        let added = tags.add_page(&page.body)?;
        with_credentials |= page.with_credentials;
        match link::next_page(&page.headers, &url)? {
            None => {
                let value = TagNames { names: tags.names, held: tags.held };
                return Ok(Received { value, with_credentials });
            }
            Some(_) if added == 0 => {
                return Err(RegistryError::invalid("a page of tags adds nothing"));
            }
            Some(next) => url = next,
        }
    }
    Err(RegistryError::invalid("too many pages of tags"))
}

/// The list as it grows.
#[derive(Default)]
pub(super) struct TagList {
    pub names: Vec<String>,
    /// The hashes of the names, which take less memory. The names are of one registry, which
    /// cannot know the secret of the hash.
    seen: HashSet<u64>,
    secret: RandomState,
    held: ReceivedMemory,
    received_names: usize,
    received_bytes: usize,
    has_pages: bool,
}

#[derive(Deserialize)]
struct Page {
    // A body without the field is not a list.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}

impl TagList {
    /// Adds a page and returns how many tags were new.
    pub(super) fn add_page(&mut self, body: &[u8]) -> Result<usize, RegistryError> {
        self.received_bytes += body.len();
        if self.received_bytes > MAX_TOTAL_BYTES {
            return Err(RegistryError::invalid("the list of tags is too large"));
        }
        let page: Page = serde_json::from_slice(body)
            .map_err(|_| RegistryError::invalid("the list of tags is not in the format"))?;
        // A later page may be null when it is empty. A whole list that is null is an error: some
        // registries send it for a repository that they have lost, and a cached list is better.
        let had_pages = std::mem::replace(&mut self.has_pages, true);
        if page.tags.is_none() && !had_pages {
            return Err(RegistryError::invalid("the list of tags is null"));
        }
        let received = page.tags.unwrap_or_default();
        self.received_names += received.len();
        if self.received_names > MAX_NAMES {
            return Err(RegistryError::invalid("too many tags"));
        }
        let before = self.names.len();
        for name in received {
            if is_tag(&name) && self.seen.insert(self.secret.hash_one(&name)) {
                self.names.push(name);
            }
        }
        self.held.grow_to(self.received_bytes + self.names.len() * BYTES_PER_NAME)?;
        Ok(self.names.len() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Option<&[&str]>) {
        let mut tags = TagList::default();
        let found = tags.add_page(body).ok().map(|_| tags.names);
        let expected =
            expected.map(|names| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(body));
    }

    #[test]
    fn f09_lists_are_read() {
        check(
            br#"{"name":"x","tags":["b","a","b","ltsc2022-amd64"],"more":[{}]}"#,
            Some(&["b", "a", "ltsc2022-amd64"]),
        );
        check(br#"{"tags":[]}"#, Some(&[]));
    }

    #[test]
    fn f09_names_outside_the_grammar_are_dropped() {
        let long = "x".repeat(10_000);
        check(
            format!(
                r#"{{"tags":["ok","","-a",".a","a b","a/b","$(id)","\u0000","{long}","_","é"]}}"#
            )
            .as_bytes(),
            Some(&["ok", "_"]),
        );
        assert!(is_tag(&"x".repeat(128)));
        assert!(!is_tag(&"x".repeat(129)));
    }

    #[test]
    fn f09_what_is_not_a_list_is_refused() {
        let deep = "[".repeat(10_000);
        for body in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            r#"{"errors":[]}"#,
            r#"{"name":"x","tags":null}"#,
            r#"{"tags":"a"}"#,
            r#"{"tags":[1]}"#,
            r#"{"tags":[null]}"#,
            r#"{"tags":[NaN]}"#,
            r#"{"tags":["a"],"tags":["b"]}"#,
            r#"{"tags":["a"]}x"#,
            "<html>",
            &deep,
            &format!(r#"{{"x":{deep}"#),
            "Ref A: 9E31 Ref B: 1",
        ] {
            check(body.as_bytes(), None);
        }
        check(b"{\"tags\":[\"\xff\"]}", None);
    }

    #[test]
    fn s06_the_list_is_bounded() {
        let mut tags = TagList::default();
        let page = format!(r#"{{"tags":[{}"a"]}}"#, "\"a\",".repeat(60_000));
        assert_eq!(tags.add_page(page.as_bytes()), Ok(1));
        assert!(tags.add_page(page.as_bytes()).is_err());
        let mut tags = TagList { received_bytes: MAX_TOTAL_BYTES, ..TagList::default() };
        assert!(tags.add_page(br#"{"tags":[]}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn f09_no_body_gives_a_name_outside_the_grammar(
            names in proptest::collection::vec(".{0,20}|[a-z0-9.-]{1,140}", 0..8),
            cut in proptest::prelude::any::<proptest::sample::Index>(),
            byte in proptest::prelude::any::<u8>(),
        ) {
            let body = serde_json::json!({ "name": "x", "tags": names }).to_string().into_bytes();
            let mut spoilt = body.clone();
            spoilt[cut.index(body.len())] = byte;
            for body in [body.as_slice(), &spoilt, &body[..cut.index(body.len())]] {
                crate::registry::fuzzing::tags(body);
            }
        }
    }
}

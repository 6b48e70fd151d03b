//! The `Link` header of a page of tags: the URL of the next page, if it is an allowed one.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::error::RegistryError;

/// The longest header; the opaque positions of registries stay far below. Ours.
const MAX_HEADER_BYTES: usize = 8 << 10;

/// The page after `current`, or `None` where no next page is named.
///
/// # Errors
/// When the next page is not at the same endpoint of the same server: a registry chooses the next
/// page, not the server.
pub(super) fn next_page(headers: &HeaderMap, current: &Url) -> Result<Option<Url>, RegistryError> {
    for value in headers.get_all(LINK) {
        if value.len() > MAX_HEADER_BYTES {
            return Err(RegistryError::invalid("a Link header is too long"));
        }
        let text =
            value.to_str().map_err(|_| RegistryError::invalid("a Link header is not text"))?;
        if let Some(target) = next_target(text) {
            return same_endpoint(target, current).map(Some);
        }
    }
    Ok(None)
}

fn same_endpoint(target: &str, current: &Url) -> Result<Url, RegistryError> {
    let mut next =
        current.join(target).map_err(|_| RegistryError::invalid("the next page is not a URL"))?;
    let same = next.scheme() == current.scheme()
        && next.host() == current.host()
        && next.port_or_known_default() == current.port_or_known_default()
        && next.path() == current.path()
        && next.username().is_empty()
        && next.password().is_none();
    if !same {
        return Err(RegistryError::invalid("the next page is not at the same endpoint"));
    }
    next.set_fragment(None);
    Ok(next)
}

/// The target of the first link whose relation is `next` (RFC 8288), in `<a>; rel="next", <b>;
/// rel=x`.
fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let end = end_of_parameters(after);
        let (parameters, after) = after.split_at(end);
        if parameters.split(';').any(is_relation_next) {
            return Some(target);
        }
        rest = after;
    }
}

/// Where the parameters of a link end: at the comma before the next link, but not at one in quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    for (position, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => return position,
            _ => {}
        }
    }
    text.len()
}

fn is_relation_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel")
        && value
            .trim()
            .trim_matches('"')
            .split_ascii_whitespace()
            .any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(links: &[&str]) -> Result<Option<String>, RegistryError> {
        let mut headers = HeaderMap::new();
        for link in links {
            headers.append(LINK, link.parse().unwrap());
        }
        let current = Url::parse("https://a.example/v2/x/y/tags/list?n=2").unwrap();
        next_page(&headers, &current).map(|next| next.map(String::from))
    }

    fn check(link: &str, expected: Option<&str>) {
        assert_eq!(next(&[link]).unwrap().as_deref(), expected, "{link}");
    }

    #[test]
    fn the_next_page_is_found() {
        let expected = Some("https://a.example/v2/x/y/tags/list?last=v1&n=2&orderby=");
        check(r#"</v2/x/y/tags/list?last=v1&n=2&orderby=>; rel="next""#, expected);
        check(r#"<https://a.example/v2/x/y/tags/list?last=v1&n=2&orderby=>; rel="next""#, expected);
        check(
            r#"<https://a.example:443/v2/x/y/tags/list?last=v1&n=2&orderby=>;rel=next"#,
            expected,
        );
        check(r#"<?last=v1&n=2&orderby=#f>; title="a, <b>; rel=no"; REL="last Next""#, expected);
        check(
            r#"</other>; rel="first", </v2/x/y/tags/list?last=v1&n=2&orderby=>; rel=next"#,
            expected,
        );
        check(
            r#"</v2/x/y/tags/list?last=a,b>; rel=next"#,
            Some("https://a.example/v2/x/y/tags/list?last=a,b"),
        );
        assert_eq!(
            next(&["</a>; rel=prev", "<?last=2>; rel=next"])
                .unwrap()
                .unwrap()
                .split_once('?')
                .unwrap()
                .1,
            "last=2"
        );
    }

    #[test]
    fn no_next_page_is_named() {
        for link in [
            "",
            "</x>",
            "</x>; rel=prev",
            "next",
            "<",
            "</x",
            "</x>; rel",
            r#"</x>; rel="nexter""#,
            ">;rel=next<",
        ] {
            check(link, None);
        }
        assert_eq!(next(&[]).unwrap(), None);
    }

    #[test]
    fn x07_other_endpoints_are_refused() {
        for target in [
            "https://evil.example/v2/x/y/tags/list?last=1",
            "//evil.example/v2/x/y/tags/list",
            "http://a.example/v2/x/y/tags/list",
            "https://a.example:444/v2/x/y/tags/list",
            "https://u:p@a.example/v2/x/y/tags/list",
            "/v2/x/z/tags/list",
            "/v2/x/y/../z/tags/list",
            "/v2/x%2fy/tags/list",
            "/",
            "file:///etc/passwd",
            "https://[",
        ] {
            let result = next(&[&format!("<{target}>; rel=\"next\"")]);
            assert!(matches!(result, Err(RegistryError::Invalid { .. })), "{target}");
        }
        assert!(next(&[&format!("<{}>; rel=next", "a".repeat(9000))]).is_err());
    }
}

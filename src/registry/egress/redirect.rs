//! The target of a redirect, if it may be followed.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::registry::error::RegistryError;

/// The longest `Location` header; signed URLs of blob stores stay below 2 KiB. Ours.
const MAX_LOCATION_BYTES: usize = 8 << 10;

/// Whether a status is a redirect with a `Location`.
pub fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The target of a redirect from `current`.
///
/// # Errors
/// When it cannot be followed: not http or https, from https to http, with a user name or password
/// in it (they would be sent), or too long. [`super::address`] decides whether its address may be
/// dialled.
pub fn target(headers: &HeaderMap, current: &Url) -> Result<Url, RegistryError> {
    let location = headers
        .get(LOCATION)
        .filter(|value| value.len() <= MAX_LOCATION_BYTES)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| RegistryError::invalid("a redirect without a readable target"))?;
    let mut target = current
        .join(location)
        .map_err(|_| RegistryError::invalid("a redirect to an invalid URL"))?;
    let scheme_kept = match target.scheme() {
        "https" => true,
        "http" => current.scheme() == "http",
        _ => false,
    };
    if !scheme_kept {
        return Err(RegistryError::invalid("a redirect away from https"));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(RegistryError::invalid("a redirect with a user name in it"));
    }
    target.set_fragment(None);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: &str, location: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        let found = target(&headers, &Url::parse(current).unwrap()).ok().map(String::from);
        assert_eq!(found.as_deref(), expected, "{current} {location}");
    }

    #[test]
    fn redirects_are_resolved() {
        check(
            "https://a.example/v2/x",
            "https://b.example/y?sig=1#f",
            Some("https://b.example/y?sig=1"),
        );
        check("https://a.example/v2/x", "/y", Some("https://a.example/y"));
        check("http://a.example/v2/x", "http://b.example/y", Some("http://b.example/y"));
        check("http://a.example/v2/x", "//b.example/y", Some("http://b.example/y"));
    }

    #[test]
    fn x02_redirects_that_must_not_be_followed() {
        check("https://a.example/v2/x", "http://a.example/y", None);
        check("https://a.example/v2/x", "file:///etc/passwd", None);
        check("http://a.example/v2/x", "ftp://a.example/y", None);
        check("https://a.example/v2/x", "https://u:p@b.example/y", None);
        check("https://a.example/v2/x", "https://[", None);
        check("https://a.example/v2/x", &format!("/{}", "y".repeat(9000)), None);
        assert!(target(&HeaderMap::new(), &Url::parse("https://a.example").unwrap()).is_err());
    }
}

//! The token service that a registry names, and whether it may get the credentials.
//!
//! A registry names its token service in an answer that anyone who can alter answers can write. So
//! credentials go only to a host that is pinned to the registry; any other gets an anonymous
//! request, and only if it is on the public internet.

use url::{Host, Url};

use crate::registry::error::RegistryError;
use crate::registry::settings;

/// The longest URL of a token service. Ours.
const MAX_REALM_BYTES: usize = 2 << 10;

/// Token services that are not on the host of their registry. (Docker Hub: distribution,
/// `docs/spec/auth/token.md`; GitLab: its documentation of the container registry.) Those of
/// ghcr.io, quay.io and public.ecr.aws are on the registry's own host; registry.k8s.io has none.
const PINNED: [(&str, &str); 2] =
    [("docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")];

/// A token service that may be queried.
#[derive(Debug, PartialEq, Eq)]
pub struct TokenService {
    pub url: Url,
    /// Whether it is pinned to the registry: it may get the credentials and be in a private
    /// network.
    pub is_pinned: bool,
}

/// Reads the realm of a challenge of the registry named `registry`, reached at `base`.
///
/// # Errors
/// When it is not an http or https URL, steps down from https to http, or has a user name in it.
pub fn parse(
    realm: &str,
    registry: &str,
    base: &Url,
    token_hosts: &[String],
) -> Result<TokenService, RegistryError> {
    let invalid = || RegistryError::invalid("the registry names an unusable token service");
    if realm.len() > MAX_REALM_BYTES {
        return Err(invalid());
    }
    let mut url = Url::parse(realm).map_err(|_| invalid())?;
    let scheme_kept = match url.scheme() {
        "https" => true,
        "http" => base.scheme() == "http",
        _ => false,
    };
    if !scheme_kept || !url.has_host() || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid());
    }
    url.set_fragment(None);
    let is_pinned = settings::lists(token_hosts, &url)
        || is_same_server(&url, base)
        || (url.scheme() == "https" && is_known(&url, registry))
        || is_same_domain(&url, base);
    Ok(TokenService { url, is_pinned })
}

fn is_same_server(url: &Url, base: &Url) -> bool {
    url.host() == base.host() && url.port_or_known_default() == base.port_or_known_default()
}

fn is_known(url: &Url, registry: &str) -> bool {
    PINNED.iter().any(|(name, host)| {
        *name == registry && url.host_str() == Some(host) && url.port().is_none()
    })
}

/// Whether both hosts are names under the same registrable domain, taken as the last two labels.
/// Where many owners share such a domain (`co.uk`) this is too generous, but it helps only an
/// attacker who already answers for the registry and could ask for the credentials directly.
fn is_same_domain(url: &Url, base: &Url) -> bool {
    match (last_two_labels(url), last_two_labels(base)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn last_two_labels(url: &Url) -> Option<(&str, &str)> {
    let Some(Host::Domain(name)) = url.host() else { return None };
    let mut labels = name.rsplit('.');
    let last = labels.next().filter(|label| !label.is_empty())?;
    let before = labels.next().filter(|label| !label.is_empty())?;
    Some((before, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Some(pinned)`, or `None` where the realm is refused.
    fn check(realm: &str, registry: &str, base: &str, expected: Option<bool>) {
        let token_hosts = ["login.other".to_owned(), "127.0.0.1:9".to_owned()];
        let found = parse(realm, registry, &Url::parse(base).unwrap(), &token_hosts)
            .ok()
            .map(|service| service.is_pinned);
        assert_eq!(found, expected, "{realm} of {registry} at {base}");
    }

    #[test]
    fn x04_credentials_go_to_pinned_hosts_only() {
        let hub = "https://registry-1.docker.io/";
        check("https://auth.docker.io/token", "docker.io", hub, Some(true));
        check("https://auth.docker.io/token", "docker.io", "http://127.0.0.1:5000/", Some(true));
        check("https://auth.docker.io:444/token", "docker.io", "https://m.example/", Some(false));
        check("http://auth.docker.io/token", "docker.io", "http://127.0.0.1:5000/", Some(false));
        check("https://auth.docker.io/token", "a.example", "https://r.a.example/", Some(false));
        check("https://r.a.example/token", "a.example", "https://r.a.example/", Some(true));
        check("https://auth.a.example/token", "a.example", "https://r.a.example/", Some(true));
        check("https://login.other/token", "a.example", "https://r.a.example/", Some(true));
        check("https://evil.test/token", "a.example", "https://r.a.example/", Some(false));
        check("https://a.example.evil.test/token", "a.example", "https://a.example/", Some(false));
        check("https://evila.example/token", "a.example", "https://a.example/", Some(false));
        check("https://localhost/token", "a.example", "https://a.example/", Some(false));
    }

    #[test]
    fn the_token_services_of_the_usual_registries_are_pinned() {
        for (realm, registry) in [
            ("https://ghcr.io/token", "ghcr.io"),
            ("https://quay.io/v2/auth", "quay.io"),
            ("https://gitlab.com/jwt/auth", "registry.gitlab.com"),
            ("https://public.ecr.aws/token/", "public.ecr.aws"),
        ] {
            check(realm, registry, &format!("https://{registry}/"), Some(true));
        }
        // Also behind a mirror, which passes the challenge on.
        let mirror = "https://m.example/";
        check("https://gitlab.com/jwt/auth", "registry.gitlab.com", mirror, Some(true));
        check("https://ghcr.io/token", "ghcr.io", mirror, Some(false));
    }

    #[test]
    fn x04_addresses_are_pinned_only_as_the_same_server_or_by_configuration() {
        check("http://127.0.0.1:5000/token", "a.example", "http://127.0.0.1:5000/", Some(true));
        check("http://127.0.0.1:5001/token", "a.example", "http://127.0.0.1:5000/", Some(false));
        check("http://127.0.0.1:9/token", "a.example", "http://127.0.0.1:5000/", Some(true));
        check("http://10.0.0.1/token", "a.example", "http://127.0.0.1:5000/", Some(false));
        check("http://9.0.0.1/token", "a.example", "http://127.0.0.1/", Some(false));
    }

    #[test]
    fn x05_unusable_realms_are_refused() {
        for realm in [
            "http://a.example/token",
            "file:///etc/passwd",
            "https://u:p@a.example/token",
            "https://",
            "token",
            "",
            &format!("https://a.example/{}", "x".repeat(3000)),
        ] {
            check(realm, "a.example", "https://a.example/", None);
        }
    }
}

//! Where a registry is reached: at its own host, or at a mirror.

use url::Url;

use super::error::SetupError;
use super::settings::RegistrySettings;
use crate::images::Repository;

/// Docker Hub is named `docker.io` in references and answers at another host (docker's own
/// `distribution/reference`).
pub const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// Where a registry is reached.
pub struct Place {
    /// The URL before `v2/`; its path ends in a slash.
    pub base: Url,
    /// What is put before the path of a repository; it ends in a slash unless it is empty.
    pub prefix: String,
}

impl Place {
    /// The place of the registry of this name.
    ///
    /// # Errors
    /// When the name is none, or the mirror cannot be used.
    pub fn of(name: &str, settings: &RegistrySettings) -> Result<Self, SetupError> {
        let mut base = base_url(name, settings)?;
        // A name cannot have `/v2/` in it, so that this is where the interface begins.
        let path = base.path().to_owned();
        let (before, prefix) = path.split_once("/v2/").unwrap_or((path.trim_end_matches('/'), ""));
        base.set_path(&format!("{before}/"));
        Ok(Self { base, prefix: prefix.to_owned() })
    }
}

/// The URL of the registry or of its mirror; the path ends in a slash.
fn base_url(name: &str, settings: &RegistrySettings) -> Result<Url, SetupError> {
    let name_error = || SetupError::Name { name: name.to_owned() };
    // Two path elements, because a single one after `docker.io` gets `library/` put before it.
    let repository = Repository::parse(&format!("{name}/a/b")).map_err(|_| name_error())?;
    if repository.registry() != name {
        return Err(name_error());
    }
    let Some(mirror) = &settings.mirror else {
        let host = if name == DOCKER_HUB.0 { DOCKER_HUB.1 } else { name };
        return Url::parse(&format!("https://{host}/")).map_err(|_| name_error());
    };
    let usable = matches!(mirror.scheme(), "http" | "https")
        && mirror.has_host()
        && mirror.username().is_empty()
        && mirror.password().is_none()
        && mirror.query().is_none()
        && mirror.fragment().is_none();
    if !usable {
        return Err(SetupError::Mirror { registry: name.to_owned() });
    }
    let mut base = mirror.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", mirror.path()));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, mirror: Option<&str>) -> Result<Place, SetupError> {
        let mirror = mirror.map(|mirror| Url::parse(mirror).unwrap());
        Place::of(name, &RegistrySettings { mirror, ..RegistrySettings::default() })
    }

    fn base(name: &str, mirror: Option<&str>) -> Result<String, SetupError> {
        place(name, mirror).map(|place| place.base.into())
    }

    #[test]
    fn a_mirror_may_put_a_project_before_the_repository() {
        for (mirror, base, prefix) in [
            ("https://m.example", "https://m.example/", ""),
            ("https://m.example/art", "https://m.example/art/", ""),
            ("https://m.example/v2", "https://m.example/", ""),
            ("https://m.example/v2/mcr-proxy", "https://m.example/", "mcr-proxy/"),
            ("https://m.example/art/v2/a/b/", "https://m.example/art/", "a/b/"),
        ] {
            let place = place("mcr.microsoft.com", Some(mirror)).unwrap();
            assert_eq!((place.base.as_str(), place.prefix.as_str()), (base, prefix), "{mirror}");
        }
    }

    #[test]
    fn registries_are_reached_where_they_are() {
        assert_eq!(base("mcr.microsoft.com", None).unwrap(), "https://mcr.microsoft.com/");
        assert_eq!(base("docker.io", None).unwrap(), "https://registry-1.docker.io/");
        assert_eq!(base("registry.example:5000", None).unwrap(), "https://registry.example:5000/");
        assert_eq!(
            base("docker.io", Some("http://127.0.0.1:5000")).unwrap(),
            "http://127.0.0.1:5000/"
        );
        assert_eq!(
            base("docker.io", Some("https://m.example/hub")).unwrap(),
            "https://m.example/hub/"
        );
    }

    #[test]
    fn names_that_no_reference_has_are_refused() {
        for name in [
            "",
            "nodots",
            "MCR.microsoft.com/",
            "https://a.example",
            "a.example/x",
            "u:p@a.example",
            "a b.c",
        ] {
            assert!(matches!(base(name, None), Err(SetupError::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn mirrors_that_hide_something_are_refused() {
        for mirror in [
            "http://u:p@m.example",
            "ftp://m.example",
            "http://m.example/?a",
            "http://m.example/#a",
        ] {
            assert!(
                matches!(base("a.example", Some(mirror)), Err(SetupError::Mirror { .. })),
                "{mirror:?}"
            );
        }
    }
}

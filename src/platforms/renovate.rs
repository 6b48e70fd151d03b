//! The values of a release in the form of Renovate's custom datasources.

use jiff::civil::Date;

use crate::images::Repository;
use crate::windows::Kb;

/// The registry whose portal describes its repositories.
const MICROSOFT: &str = "mcr.microsoft.com";
/// The community repository of the base images.
const WINDOWS_CONTAINERS: &str = "https://github.com/microsoft/Windows-Containers";
/// The path of the base images, and of the images that the same team builds on them.
const WINDOWS: &str = "windows";

/// Microsoft's page about an update.
pub fn changelog_url(kb: Kb) -> String {
    format!("https://support.microsoft.com/help/{}", kb.0)
}

/// The start of a day of release in UTC; only the day is known. Renovate rejects a time in the
/// future, so that there is none for a day after today.
pub fn release_timestamp(released: Date, today: Date) -> Option<String> {
    (released <= today).then(|| format!("{released}T00:00:00Z"))
}

/// The page of a repository, if it has one.
pub fn homepage(repository: &Repository) -> Option<String> {
    (repository.registry() == MICROSOFT)
        .then(|| format!("https://{MICROSOFT}/product/{}", repository.path()))
}

/// The repository where the base images are maintained.
pub fn source_url(repository: &Repository) -> Option<&'static str> {
    let top = repository.path().split('/').next();
    (repository.registry() == MICROSOFT && top == Some(WINDOWS)).then_some(WINDOWS_CONTAINERS)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn no_release_is_to_come() {
        let today = date(2026, 8, 12);
        assert_eq!(release_timestamp(today, today).as_deref(), Some("2026-08-12T00:00:00Z"));
        assert_eq!(release_timestamp(date(2026, 8, 13), today), None);
    }

    #[test]
    fn pages_are_given_only_where_there_are_some() {
        let of = |text: &str| {
            let repository = Repository::parse(text).unwrap();
            (homepage(&repository).is_some(), source_url(&repository).is_some())
        };
        assert_eq!(of("mcr.microsoft.com/windows/nanoserver"), (true, true));
        assert_eq!(of("mcr.microsoft.com/windows"), (true, true));
        assert_eq!(of("mcr.microsoft.com/dotnet/framework/aspnet"), (true, false));
        assert_eq!(of("registry.example/windows/nanoserver"), (false, false));
    }
}

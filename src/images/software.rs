//! The known repositories of images that are built on the base images.

use super::reference::{DOCKER_HUB, DOCKER_HUB_OFFICIAL, Repository};

/// The recorded tags of these repositories; `data/README.md` explains the columns.
pub const SOFTWARE: &str = include_str!("data/software.csv");

/// Whether a repository can be believed to exist without asking its registry. A misspelt family
/// reads as an official image of Docker Hub, so of those only the recorded ones are.
pub fn is_plausible(repository: &Repository) -> bool {
    let is_official =
        repository.registry() == DOCKER_HUB && repository.path().starts_with(DOCKER_HUB_OFFICIAL);
    !is_official || SOFTWARE.contains(&format!("\n{repository},"))
}

/// The recorded repositories whose last part is this word.
pub(super) fn repositories_named(word: &str) -> impl Iterator<Item = &'static str> {
    let end = format!("/{word}");
    let mut last = "";
    let names = SOFTWARE.lines().skip(1).filter_map(|line| line.split(',').next());
    // Rows are sorted by repository.
    let repositories = names.filter(move |name| std::mem::replace(&mut last, name) != *name);
    repositories.filter(move |name| name.ends_with(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recorded_official_images_are_plausible() {
        let is_plausible = |text| is_plausible(&Repository::parse(text).unwrap());
        assert!(is_plausible("golang") && is_plausible("a.example/x") && is_plausible("a/b"));
        assert!(!is_plausible("nanosever") && !is_plausible("gol"));
    }
}

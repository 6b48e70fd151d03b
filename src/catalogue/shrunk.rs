//! Lists of tags that shrink: a list of half the length or less is not believed the first time.
//! Tags of base images stay for good; registries have answered with empty lists in an outage.

use moka::sync::Cache;

use crate::images::Repository;
use crate::registry::RegistryError;

/// So many repositories are suspected at most; more would be an attack, and cost one more request
/// each.
const MAX_SUSPECTED: u64 = 1000;

/// How many tags a repository should have: as many as it had last, which was looked at in the same
/// way; else those of the embedded catalogue. A mirror may be meant to hold few, so that of one it
/// is known only that it should have some.
pub fn expected(last: Option<usize>, embedded: Option<usize>, is_mirrored: bool) -> usize {
    let most = if is_mirrored { 1 } else { usize::MAX };
    last.or(embedded.map(|count| count.min(most))).unwrap_or(0)
}

/// The repositories whose last list was too short to be believed, and how long it was.
#[derive(Clone)]
pub struct Shrunk(Cache<Repository, usize>);

impl Default for Shrunk {
    fn default() -> Self {
        Self(Cache::new(MAX_SUSPECTED))
    }
}

impl Shrunk {
    /// Judges a list of `now` tags where there were `before`.
    ///
    /// # Errors
    /// When it is too short and was not as short the last time.
    pub fn judge(
        &self,
        repository: &Repository,
        before: usize,
        now: usize,
    ) -> Result<(), RegistryError> {
        let is_short = now.saturating_mul(2) <= before && before > 0;
        if !is_short || self.0.get(repository) == Some(now) {
            self.0.invalidate(repository);
            return Ok(());
        }
        self.0.insert(repository.clone(), now);
        let detail = format!(
            "its list shrank from {before} tags to {now}; that is believed when it says so again"
        );
        Err(RegistryError::Invalid { detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f12_the_first_list_is_compared_with_the_embedded_catalogue() {
        for (last, embedded, is_mirrored, count) in [
            (None, None, false, 0),
            (None, Some(900), false, 900),
            (None, Some(900), true, 1),
            (Some(5), Some(900), false, 5),
            (Some(5), Some(900), true, 5),
        ] {
            assert_eq!(expected(last, embedded, is_mirrored), count);
        }
        let (shrunk, repository) = (Shrunk::default(), Repository::parse("a.example/b").unwrap());
        let of_a_mirror = expected(None, Some(900), true);
        assert!(shrunk.judge(&repository, of_a_mirror, 0).is_err());
        assert!(shrunk.judge(&repository, of_a_mirror, 1).is_ok());
    }

    #[test]
    fn f12_a_list_that_shrinks_is_believed_the_second_time() {
        let shrunk = Shrunk::default();
        let repository = Repository::parse("a.example/b").unwrap();
        assert!(shrunk.judge(&repository, 0, 0).is_ok());
        assert!(shrunk.judge(&repository, 100, 51).is_ok());
        assert!(shrunk.judge(&repository, 100, 50).is_err());
        assert!(shrunk.judge(&repository, 100, 0).is_err(), "another length is another doubt");
        assert!(shrunk.judge(&repository, 100, 0).is_ok());
        assert!(shrunk.judge(&repository, 100, 0).is_err(), "the doubt was settled");
    }
}

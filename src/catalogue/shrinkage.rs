//! Suspicious shrinkage: a tag list of half the length or less is rejected the first time. Tags of
//! base images are never deleted, and registries have answered with empty lists in an outage.

use moka::sync::Cache;

use crate::images::Repository;
use crate::registry::RegistryError;

/// Suspected repositories. More would be an attack, and each one costs a further request.
const MAX_SUSPECTED: u64 = 1000;

/// How many tags a repository should have: as many as its last list, which passed this check; else
/// as many as in the embedded catalogue. A mirror may have few of them, so it should have any.
pub fn expected_count(last: Option<usize>, embedded: Option<usize>, is_mirrored: bool) -> usize {
    let max = if is_mirrored { 1 } else { usize::MAX };
    last.or(embedded.map(|count| count.min(max))).unwrap_or(0)
}

/// The suspected repositories, with the length of the list that was rejected. Cheap to clone;
/// clones share it.
#[derive(Clone)]
pub struct ShrinkageCheck(Cache<Repository, usize>);

impl Default for ShrinkageCheck {
    fn default() -> Self {
        Self(Cache::new(MAX_SUSPECTED))
    }
}

impl ShrinkageCheck {
    /// Checks a list of `count` tags where `expected` were expected.
    ///
    /// # Errors
    /// When it is suspiciously short and had another length the last time.
    pub fn check(
        &self,
        repository: &Repository,
        expected: usize,
        count: usize,
    ) -> Result<(), RegistryError> {
        let is_short = count.saturating_mul(2) <= expected && expected > 0;
        if !is_short || self.0.get(repository) == Some(count) {
            self.0.invalidate(repository);
            return Ok(());
        }
        self.0.insert(repository.clone(), count);
        let detail = format!(
            "its list shrank from {expected} tags to {count}, which is accepted only when repeated"
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
            assert_eq!(expected_count(last, embedded, is_mirrored), count);
        }
        let (check, repository) =
            (ShrinkageCheck::default(), Repository::parse("a.example/b").unwrap());
        let of_a_mirror = expected_count(None, Some(900), true);
        assert!(check.check(&repository, of_a_mirror, 0).is_err());
        assert!(check.check(&repository, of_a_mirror, 1).is_ok());
    }

    #[test]
    fn f12_a_list_that_shrinks_is_accepted_the_second_time() {
        let check = ShrinkageCheck::default();
        let repository = Repository::parse("a.example/b").unwrap();
        assert!(check.check(&repository, 0, 0).is_ok());
        assert!(check.check(&repository, 100, 51).is_ok());
        assert!(check.check(&repository, 100, 50).is_err());
        assert!(check.check(&repository, 100, 0).is_err(), "another length is a new suspicion");
        assert!(check.check(&repository, 100, 0).is_ok());
        assert!(check.check(&repository, 100, 0).is_err(), "the suspicion was cleared");
    }
}

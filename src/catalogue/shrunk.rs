//! Lists of tags that shrink: a list of half the length or less is not believed the first time. Tags of
//! base images stay for good; registries have answered with empty lists in an outage.

use moka::sync::Cache;

use crate::images::Repository;
use crate::registry::RegistryError;

/// So many repositories are suspected at most; more would be an attack, and cost one more request each.
const MAX_SUSPECTED: u64 = 1000;

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
    pub fn judge(&self, repository: &Repository, before: usize, now: usize) -> Result<(), RegistryError> {
        let is_short = now.saturating_mul(2) <= before && before > 0;
        if !is_short || self.0.get(repository) == Some(now) {
            self.0.invalidate(repository);
            return Ok(());
        }
        self.0.insert(repository.clone(), now);
        let detail = format!("its list shrank from {before} tags to {now}; that is believed when it says so again");
        Err(RegistryError::Invalid { detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! The file `.env`, which gives Compose the values of variables
//! (docs.docker.com/compose/how-tos/environment-variables/variable-interpolation).

use std::collections::BTreeMap;

use super::around::Around;
use super::traced::Traced;
use super::variables::expand;

/// The name of the file.
const NAME: &str = ".env";
/// The most variables. Ours: real files have some tens.
const MAX_VARIABLES: usize = 1_000;

/// The variables of a file. They are not written in the file that uses them.
pub(super) struct Dotenv(BTreeMap<String, Traced>);

impl Dotenv {
    /// Those of the file beside the one that is read; none if there is no such file.
    pub(super) fn beside(around: &Around<'_>) -> Self {
        let mut all = Self(BTreeMap::new());
        let text = (around.beside)(NAME).unwrap_or_default();
        for line in text.lines().take(MAX_VARIABLES) {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
            else {
                continue;
            };
            // A value of variables that are not known is not known.
            match all.value(value.trim()) {
                Some(value) => drop(all.0.insert(name.trim().to_owned(), value)),
                None => drop(all.0.remove(name.trim())),
            }
        }
        all
    }

    pub(super) fn get(&self, name: &str) -> Option<&Traced> {
        self.0.get(name)
    }

    /// In single quotes as it stands; else with variables replaced, and without quotes a comment
    /// after a space left out.
    fn value(&self, text: &str) -> Option<Traced> {
        let quoted = |quote: char| {
            let (inside, _) = text.strip_prefix(quote)?.split_once(quote)?;
            Some(Traced::unwritten(inside))
        };
        if let Some(literal) = quoted('\'') {
            return Some(literal);
        }
        let plain = || Traced::unwritten(text.split(" #").next().unwrap_or_default().trim_end());
        expand(&quoted('"').unwrap_or_else(plain), Some('\\'), &|name| self.get(name)).ok()
    }
}

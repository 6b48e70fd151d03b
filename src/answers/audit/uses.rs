//! Which images of which files are for Windows.

use std::collections::BTreeSet;

use crate::audit::{Mention, System};

use super::audited::AuditFile;
use super::judgement::Holds;

/// The image of a mention, if its variables have values.
pub(super) fn image_of(mention: &Mention) -> Option<&str> {
    mention.image.as_ref().ok().map(|image| image.as_str())
}

/// Which mentions mean Windows.
pub(super) struct Uses<'f> {
    /// The images that are used for Windows.
    pub(super) windows: BTreeSet<&'f str>,
    /// The groups of each file, by its number, that are for Windows.
    groups: BTreeSet<(usize, usize)>,
    /// The images that are for Linux only.
    linux: BTreeSet<&'f str>,
    /// The images that are for both.
    both: BTreeSet<&'f str>,
}

impl<'f> Uses<'f> {
    /// An image for both systems is used for Windows if its file says so, or if another image of
    /// its group is for Windows alone.
    pub(super) fn new(files: &'f [AuditFile], holds: &dyn Fn(&Mention) -> Option<Holds>) -> Self {
        let mut uses = Self {
            windows: BTreeSet::new(),
            groups: BTreeSet::new(),
            linux: BTreeSet::new(),
            both: BTreeSet::new(),
        };
        let mentions = || {
            let files = files.iter().enumerate();
            files.flat_map(|(at, file)| file.reading.mentions.iter().map(move |it| (at, it)))
        };
        for (file, mention) in mentions() {
            let held = holds(mention);
            let is_windows = mention.system == Some(System::Windows)
                || (mention.system.is_none() && held == Some(Holds::Windows));
            if is_windows && held != Some(Holds::Other) {
                uses.groups.insert((file, mention.group));
            }
            let Some(image) = image_of(mention) else { continue };
            match held {
                Some(Holds::Other) => drop(uses.linux.insert(image)),
                Some(Holds::Both) => drop(uses.both.insert(image)),
                Some(Holds::Windows) | None => {}
            }
        }
        for (file, mention) in mentions() {
            let Some(image) = image_of(mention) else { continue };
            if uses.skipped(file, mention).is_none() {
                uses.windows.insert(image);
            }
        }
        uses
    }

    /// The system for which a mention is, if it is skipped.
    pub(super) fn skipped(&self, file: usize, mention: &Mention) -> Option<Holds> {
        let image = image_of(mention)?;
        if mention.system == Some(System::Linux) {
            return Some(Holds::Other);
        }
        if self.linux.contains(image) {
            // On Windows, an image for Linux alone does not run.
            return (mention.system != Some(System::Windows)).then_some(Holds::Other);
        }
        let is_in_windows = self.groups.contains(&(file, mention.group));
        (self.both.contains(image) && !is_in_windows).then_some(Holds::Both)
    }
}

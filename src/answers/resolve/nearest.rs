//! The nearest tags, and why each falls short: for the answers in which no tag fits.

use crate::catalogue::{BuildTags, KnownTag};
use crate::images::Pin;
use crate::windows::{Isolation, Reason};

use super::selection::{Choice, MAX_ALTERNATIVES, Selection};
use super::shortfall::{Alternative, Shortfall};

impl<'a> Selection<'a> {
    /// No tag runs; these should have by their names, and were skipped.
    pub fn none_runs(&self, skipped: Vec<String>) -> Shortfall {
        Shortfall::NoneRuns { nearest: self.nearest(), skipped, sister: None }
    }

    /// The tags nearest to the host; previews come last.
    fn nearest(&self) -> Vec<Alternative> {
        let own = self.question.host.version;
        let mut builds: Vec<(u32, BuildTags<'a>)> = self.candidates.builds().collect();
        builds.sort_by_key(|(build, _)| (!self.was_released(*build), build.abs_diff(own.build)));
        self.shortfalls(builds.into_iter().filter_map(|(build, tags)| {
            let revision = own.revision.filter(|_| build == own.build);
            let exact = revision.and_then(|revision| tags.exact(self.question.pin, revision));
            exact.or_else(|| tags.any())
        }))
    }

    /// Why the first of these tags do not run as requested.
    pub(super) fn shortfalls(&self, tags: impl Iterator<Item = &'a KnownTag>) -> Vec<Alternative> {
        tags.filter_map(|tag| self.shortfall(tag)).take(MAX_ALTERNATIVES).collect()
    }

    /// Why this tag does not run as requested, and the mode in which it does run, if any.
    fn shortfall(&self, tag: &KnownTag) -> Option<Alternative> {
        let version = tag.version?;
        let compatibility = self.verdict(version);
        let requested = self.question.isolation;
        let modes =
            Isolation::ALL.into_iter().filter(|mode| requested.is_none_or(|it| it == *mode));
        let mut reasons: Vec<&'static str> = modes
            .flat_map(|mode| &compatibility.of(mode).reasons)
            .map(|reason| reason.as_str())
            .collect();
        reasons.dedup();
        let isolation = compatibility.recommended(self.question.host.kind);
        Some(Alternative { tag: tag.text.clone(), isolation, os_version: version, reasons })
    }

    /// The other forms of the build that runs, the nearest tag above the host's revision, and other
    /// builds.
    pub(super) fn other_forms(&self, best: Choice<'a>, others: &[Choice<'a>]) -> Vec<Alternative> {
        let mut nearest = Vec::new();
        if let Some(tags) = self.candidates.of_build(best.build) {
            let ceiling = self.question.host.ceiling(best.build);
            for pin in [Pin::Release, Pin::Build, Pin::Kb] {
                if pin != self.question.pin
                    && let Some(tag) = tags.pick(pin, ceiling)
                    && let Some(os_version) = tag.version
                {
                    nearest.push(Alternative {
                        tag: tag.text.clone(),
                        isolation: Some(best.isolation),
                        os_version,
                        reasons: vec!["other-form-of-tag"],
                    });
                }
            }
            let above = tags.lowest_above(self.question.pin, ceiling);
            nearest.extend(above.and_then(|tag| self.above_the_host(tag)));
        }
        nearest.extend(self.best_of_each(others, None));
        nearest.truncate(MAX_ALTERNATIVES);
        nearest
    }

    /// A tag above the host's revision: Hyper-V isolation runs it, process isolation may not.
    fn above_the_host(&self, tag: &KnownTag) -> Option<Alternative> {
        let os_version = tag.version?;
        let isolation = Some(Isolation::HyperV)
            .filter(|mode| self.verdict(os_version).supported().contains(mode));
        let reasons = vec![Reason::ImageRevisionNewerThanHost.as_str()];
        Some(Alternative { tag: tag.text.clone(), isolation, os_version, reasons })
    }
}

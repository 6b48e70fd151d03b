//! What else there is: the other tags that run, and, when none will do, the nearest ones and why
//! each falls short.

use crate::catalogue::KnownTag;
use crate::windows::{Isolation, Reason};

use super::decide::{
    Alternative, Candidate, Choice, Deciding, MAX_ALTERNATIVES, NEVER_RELEASED, Shortfall, ceiling,
};
use super::lineup::BuildTags;
use super::question::Pin;

impl<'a> Deciding<'_, '_, 'a> {
    /// What runs: one tag more than is named, because the one that is chosen will be left out.
    pub(super) fn alternatives(&self) -> Vec<Alternative> {
        let first_of_each =
            self.choices().into_iter().flat_map(|choice| self.tags_for(choice).into_iter().take(1));
        first_of_each.map(|candidate| self.runs(&candidate)).take(MAX_ALTERNATIVES + 1).collect()
    }

    pub(super) fn runs(&self, candidate: &Candidate<'a>) -> Alternative {
        let compatibility = self.verdict(candidate.version);
        Alternative {
            tag: candidate.tag.text.clone(),
            isolation: Some(candidate.isolation),
            os_version: candidate.version,
            reasons: compatibility
                .of(candidate.isolation)
                .reasons
                .iter()
                .map(|reason| reason.as_str())
                .collect(),
        }
    }

    pub(super) fn none_runs(&self, passed_over: Vec<String>) -> Shortfall {
        Shortfall::NoneRuns { nearest: self.nearest(), passed_over }
    }

    /// The tags nearest to the host, and why each falls short; those that were never released come
    /// last.
    pub(super) fn nearest(&self) -> Vec<Alternative> {
        let own = self.question.host.host.version;
        let mut builds: Vec<(u32, &BuildTags<'a>)> = self.lineup.builds().collect();
        builds.sort_by_key(|(build, _)| {
            (self.support_rank(*build) == NEVER_RELEASED, build.abs_diff(own.build))
        });
        let exact = |build: u32, tags: &BuildTags<'a>| {
            own.revision
                .filter(|_| build == own.build)
                .and_then(|revision| tags.exact(self.question.pin, revision))
        };
        let any = builds
            .into_iter()
            .filter_map(|(build, tags)| exact(build, tags).or_else(|| tags.any()));
        any.filter_map(|tag| self.falls_short(tag)).take(MAX_ALTERNATIVES).collect()
    }

    /// Why this tag does not run as asked. Where it runs in the other mode, that mode is named.
    pub(super) fn falls_short(&self, tag: &KnownTag) -> Option<Alternative> {
        let version = tag.version?;
        let compatibility = self.verdict(version);
        let modes = match self.question.isolation {
            Some(wanted) => vec![wanted],
            None => vec![Isolation::Process, Isolation::HyperV],
        };
        let mut reasons: Vec<&'static str> = modes
            .iter()
            .flat_map(|mode| &compatibility.of(*mode).reasons)
            .map(|reason| reason.as_str())
            .collect();
        reasons.dedup();
        let isolation = compatibility.recommended(self.question.host.host.kind);
        Some(Alternative { tag: tag.text.clone(), isolation, os_version: version, reasons })
    }

    /// The other forms of the build that runs, the nearest tag above the host's revision, and other
    /// builds.
    pub(super) fn other_forms(&self, best: Choice, choices: &[Choice]) -> Vec<Alternative> {
        let of_this_build = |tag: &'a KnownTag, reason| {
            let os_version = tag.version?;
            Some(Alternative {
                tag: tag.text.clone(),
                isolation: Some(best.isolation),
                os_version,
                reasons: vec![reason],
            })
        };
        let mut nearest = Vec::new();
        if let Some(tags) = self.lineup.of_build(best.build) {
            let ceiling = ceiling(self.question, best.build);
            let other = [Pin::Release, Pin::Build, Pin::Kb]
                .into_iter()
                .filter(|pin| *pin != self.question.pin);
            let others = other
                .filter_map(|pin| of_this_build(tags.pick(pin, ceiling)?, "other-form-of-tag"));
            nearest.extend(others);
            let above = tags.lowest_above(self.question.pin, ceiling);
            nearest.extend(above.and_then(|tag| self.above_the_host(tag)));
        }
        let others =
            choices.iter().skip(1).flat_map(|choice| self.tags_for(*choice).into_iter().take(1));
        nearest.extend(others.map(|candidate| self.runs(&candidate)));
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

//! The decision, as a pure function: which tags to try, in which order and isolation mode, and what
//! the nearest ones are when none will do.
//!
//! The order: builds that run in process isolation first, the host's own before older ones; then
//! Hyper-V isolation, builds whose images are supported before ended ones, the newest first. Within
//! the build the form that is asked for; the host's revision is a ceiling for pinned tags. On 14393
//! process isolation needs the very revision, so only a tag that names it will do.

use jiff::civil::Date;

use crate::catalogue::{KnownTag, RepositoryTags};
use crate::windows::{
    Compatibility, HostKind, Isolation, Kb, Reason, Tables, Verdict, WindowsVersion, verdict,
};

use super::lineup::{BuildTags, Lineup, kb_of};
use super::observed::base_of;
use super::question::{Pin, ResolveQuestion};

/// So many alternatives are named, the nearest first; more would hide them.
pub(super) const MAX_ALTERNATIVES: usize = 5;
/// So many tags of one build are tried when the first turns out not to exist or not to be what its
/// name says. Each costs a request.
const MAX_TRIES_A_BUILD: usize = 2;

/// The last rank of support: a preview.
pub(super) const NEVER_RELEASED: u8 = 2;

/// A tag to try, in an isolation mode that its name allows.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The tag.
    pub tag: &'a KnownTag,
    /// The version its name stands for.
    pub version: WindowsVersion,
    /// The mode to use.
    pub isolation: Isolation,
}

/// A tag that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The tag.
    pub tag: String,
    /// The mode it runs in; `None` when it runs in none.
    pub isolation: Option<Isolation>,
    /// The version its name stands for.
    pub os_version: WindowsVersion,
    /// Why it runs, or why it falls short.
    pub reasons: Vec<&'static str>,
}

/// The tag for each form of the chosen build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The floating tag.
    pub release: Option<String>,
    /// The newest KB tag not above the host's revision.
    pub kb: Option<String>,
    /// The newest build tag not above the host's revision.
    pub build: Option<String>,
}

/// What to try, and what else there is.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The tags to try, in order; never empty.
    pub candidates: Vec<Candidate<'a>>,
    alternatives: Vec<Alternative>,
    nearest: Vec<Alternative>,
    lineup: Lineup<'a>,
}

/// Why no tag will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The repository has no tag for this architecture that names a Windows release.
    NoTags,
    /// Tags there are, but none runs on the host as asked.
    NoneRuns {
        /// The nearest, and why each falls short.
        nearest: Vec<Alternative>,
        /// The tags that should have run by their names, and why they were passed over.
        passed_over: Vec<String>,
    },
    /// The build that runs has no tag of the form asked for.
    NoSuchForm {
        /// The build.
        build: u32,
        /// The form that was asked for.
        pin: Pin,
        /// Whether there are tags of that form, all of them above the host's revision.
        above_ceiling: bool,
        /// The other forms of that build, and other builds.
        nearest: Vec<Alternative>,
    },
    /// No tag names this KB.
    KbNotFound {
        /// The KBs of the builds that run on the host, the newest first.
        available: Vec<Kb>,
    },
}

/// A build and the mode it would run in.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub build: u32,
    pub isolation: Isolation,
}

/// Which tags to try for this question.
///
/// # Errors
/// When none will do; the nearest are named.
pub fn plan<'a>(
    question: &ResolveQuestion,
    tags: &'a RepositoryTags,
    tables: &Tables,
    today: Date,
) -> Result<Plan<'a>, Shortfall> {
    let lineup = Lineup::new(tags, question.architecture, tables);
    if lineup.builds().next().is_none() {
        return Err(Shortfall::NoTags);
    }
    let deciding = Deciding { question, lineup: &lineup, tables, today };
    let candidates = match question.kb {
        Some(kb) => deciding.by_kb(kb)?,
        None => deciding.by_pin()?,
    };
    let (alternatives, nearest) = (deciding.alternatives(), deciding.nearest());
    Ok(Plan { candidates, alternatives, nearest, lineup })
}

impl<'a> Plan<'a> {
    /// Other tags that run, beside the one that was chosen.
    pub fn beside(&self, chosen: &str) -> Vec<Alternative> {
        let others = self.alternatives.iter().filter(|other| other.tag != chosen);
        others.take(MAX_ALTERNATIVES).cloned().collect()
    }

    /// The refusal when every candidate was passed over.
    pub fn nothing_left(self, passed_over: Vec<String>) -> Shortfall {
        Shortfall::NoneRuns { nearest: self.nearest, passed_over }
    }

    /// The pinned tag that is not above the host's revision, for a caller who got one that is.
    pub fn below_the_host(&self, question: &ResolveQuestion, build: u32) -> Option<&'a KnownTag> {
        let (tags, ceiling) = (self.lineup.of_build(build)?, ceiling(question, build));
        tags.pick(Pin::Build, ceiling).or_else(|| tags.pick(Pin::Kb, ceiling))
    }

    /// The tag for each form of this build.
    pub fn pins(&self, question: &ResolveQuestion, build: u32) -> Pins {
        let Some(tags) = self.lineup.of_build(build) else { return Pins::default() };
        let ceiling = ceiling(question, build);
        let text = |pin| tags.pick(pin, ceiling).map(|tag| tag.text.clone());
        Pins { release: text(Pin::Release), kb: text(Pin::Kb), build: text(Pin::Build) }
    }
}

/// The highest revision of this build to pin: the host's, on a server of the same build. The
/// revisions of client builds are numbered apart since January 2026 and compare with nothing.
pub fn ceiling(question: &ResolveQuestion, build: u32) -> Option<u32> {
    let host = question.host.facts();
    if host.kind == HostKind::Server && host.version.build == build {
        host.version.revision
    } else {
        None
    }
}

pub(super) struct Deciding<'q, 'l, 'a> {
    pub question: &'q ResolveQuestion,
    pub lineup: &'l Lineup<'a>,
    tables: &'q Tables,
    today: Date,
}

impl<'a> Deciding<'_, '_, 'a> {
    fn by_pin(&self) -> Result<Vec<Candidate<'a>>, Shortfall> {
        let choices = self.choices();
        let Some(best) = choices.first() else {
            return Err(self.none_runs(Vec::new()));
        };
        if self.tags_for(*best).is_empty() {
            let Choice { build, .. } = *best;
            let pin = self.question.pin;
            let above_ceiling =
                self.lineup.of_build(build).is_some_and(|tags| !tags.of_form(pin).is_empty());
            return Err(Shortfall::NoSuchForm {
                build,
                pin,
                above_ceiling,
                nearest: self.other_forms(*best, &choices),
            });
        }
        Ok(choices.into_iter().flat_map(|choice| self.tags_for(choice)).collect())
    }

    fn by_kb(&self, kb: Kb) -> Result<Vec<Candidate<'a>>, Shortfall> {
        let named = self.tags_of_patch(kb)?;
        let mut candidates: Vec<(usize, Candidate<'a>)> = named
            .iter()
            .filter_map(|tag| {
                let version = tag.version?;
                let isolation = self.isolation_for(&self.verdict(version))?;
                let own_build_first =
                    usize::from(version.build != self.question.host.host.version.build);
                Some((own_build_first, Candidate { tag, version, isolation }))
            })
            .collect();
        candidates.sort_by_key(|(rank, _)| *rank);
        if candidates.is_empty() {
            let nearest = named
                .iter()
                .filter_map(|tag| self.falls_short(tag))
                .take(MAX_ALTERNATIVES)
                .collect();
            return Err(Shortfall::NoneRuns { nearest, passed_over: Vec::new() });
        }
        Ok(candidates.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// The tags that are this very patch, in the form that is asked for. Without a KB tag it is the
    /// build tag of the version that the patch brought.
    fn tags_of_patch(&self, kb: Kb) -> Result<Vec<&'a KnownTag>, Shortfall> {
        let by_name: Vec<&'a KnownTag> =
            self.lineup.builds().flat_map(|(_, tags)| tags.of_kb(kb)).collect();
        let brought = self.tables.versions_of(kb).into_iter().map(|entry| entry.version);
        let versions: Vec<WindowsVersion> =
            by_name.iter().filter_map(|tag| tag.version).chain(brought).collect();
        let is_patch =
            |tag: &&KnownTag| tag.version.is_some_and(|version| versions.contains(&version));
        let of_build =
            self.lineup.builds().flat_map(|(_, tags)| tags.of_form(Pin::Build).iter().copied());
        let by_version: Vec<&'a KnownTag> = of_build.filter(is_patch).collect();
        let (named, others) = match self.question.pin {
            Pin::Build => (by_version, by_name),
            Pin::Release | Pin::Kb if by_name.is_empty() => (by_version, by_name),
            Pin::Release | Pin::Kb => (by_name, by_version),
        };
        if !named.is_empty() {
            return Ok(named);
        }
        let Some(build) =
            others.iter().find_map(|other| other.version).map(|version| version.build)
        else {
            return Err(Shortfall::KbNotFound { available: self.kbs_that_run() });
        };
        let nearest =
            others.iter().filter_map(|tag| self.falls_short(tag)).take(MAX_ALTERNATIVES).collect();
        Err(Shortfall::NoSuchForm { build, pin: self.question.pin, above_ceiling: false, nearest })
    }

    /// The builds that run as asked, the one to prefer first.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let own = self.question.host.host.version.build;
        let mut process = Vec::new();
        let mut hyperv = Vec::new();
        for (build, tags) in self.lineup.builds() {
            let compatibility = self.verdict_of_build(build, tags);
            let Some(isolation) = self.isolation_for(&compatibility) else {
                if self.may_turn_out_exact(&compatibility) {
                    process.push(Choice { build, isolation: Isolation::Process });
                }
                continue;
            };
            if compatibility.process.verdict == Verdict::Yes
                && self.question.isolation != Some(Isolation::HyperV)
            {
                process.push(Choice { build, isolation });
            } else {
                hyperv.push(Choice { build, isolation });
            }
        }
        // Both are the newest first already, and the sorts are stable.
        process.sort_by_key(|choice| choice.build != own);
        hyperv.sort_by_key(|choice| self.support_rank(choice.build));
        process.into_iter().chain(hyperv).collect()
    }

    /// Whether only process isolation is left, and the tag must be read to know whether it has the
    /// very revision that the host needs.
    fn may_turn_out_exact(&self, compatibility: &Compatibility) -> bool {
        self.question.isolation != Some(Isolation::HyperV)
            && compatibility.process.reasons.contains(&Reason::ImageRevisionUnknown)
    }

    pub(super) fn verdict(&self, image: WindowsVersion) -> Compatibility {
        verdict(self.question.host.facts(), Some(image), self.question.platform)
    }

    /// The verdict for the best tag of this build: on 14393 that is the one of the host's revision.
    fn verdict_of_build(&self, build: u32, tags: &BuildTags<'a>) -> Compatibility {
        let by_build = self.verdict(WindowsVersion::of_build(build));
        match self.exact_tag(&by_build, build, tags).and_then(|tag| tag.version) {
            Some(version) => self.verdict(version),
            None => by_build,
        }
    }

    /// Where only the host's revision will do, the tag that names it.
    fn exact_tag(
        &self,
        by_build: &Compatibility,
        build: u32,
        tags: &BuildTags<'a>,
    ) -> Option<&'a KnownTag> {
        let host = self.question.host.host.version;
        let revision = host.revision.filter(|_| host.build == build)?;
        let needs_it = by_build.process.reasons.contains(&Reason::ImageRevisionUnknown);
        needs_it.then(|| tags.exact(self.question.pin, revision)).flatten()
    }

    /// The mode to use, if the image runs as asked. Where any mode will do that is the host's
    /// default, if it works.
    pub(super) fn isolation_for(&self, compatibility: &Compatibility) -> Option<Isolation> {
        let supported = compatibility.supported();
        match self.question.isolation {
            Some(wanted) => supported.contains(&wanted).then_some(wanted),
            None => compatibility.recommended(self.question.host.host.kind),
        }
    }

    /// The tags to try for this build and mode.
    pub(super) fn tags_for(&self, choice: Choice) -> Vec<Candidate<'a>> {
        let Some(tags) = self.lineup.of_build(choice.build) else { return Vec::new() };
        let by_build = self.verdict(WindowsVersion::of_build(choice.build));
        let exact = self
            .exact_tag(&by_build, choice.build, tags)
            .filter(|_| choice.isolation == Isolation::Process);
        let found: Vec<&'a KnownTag> = match exact {
            Some(tag) => vec![tag],
            None => {
                let pin = self.question.pin;
                let ceiling = ceiling(self.question, choice.build);
                let first = tags.pick(pin, ceiling);
                let of_form = tags.of_form(pin).iter().copied();
                let from_first =
                    of_form.skip_while(|tag| first.is_none_or(|first| first.text != tag.text));
                from_first.take(MAX_TRIES_A_BUILD).collect()
            }
        };
        let candidate = |tag: &'a KnownTag| {
            Some(Candidate { tag, version: tag.version?, isolation: choice.isolation })
        };
        found.into_iter().filter_map(candidate).collect()
    }

    /// The KBs there are for builds that run on the host.
    fn kbs_that_run(&self) -> Vec<Kb> {
        let runs = |tag: &&KnownTag| {
            tag.version.is_some_and(|version| {
                !self.verdict(version.without_revision()).supported().is_empty()
            })
        };
        let mut kbs: Vec<Kb> = self.lineup.kbs().filter(runs).filter_map(kb_of).collect();
        kbs.dedup();
        kbs
    }

    /// Supported images first, then those whose support ended, then previews that were never
    /// released.
    pub(super) fn support_rank(&self, build: u32) -> u8 {
        let base = base_of(&self.question.image);
        let was_released = self.tables.release_for(build, HostKind::Server).is_some();
        match self.tables.image_support_ended(build, base, self.today) {
            _ if !was_released => NEVER_RELEASED,
            Some(_) => 1,
            None => 0,
        }
    }
}

//! The selection, as a pure function: which tags to try, in which order and isolation mode.
//!
//! The order: builds that run in process isolation first, the host's own before older ones; then
//! Hyper-V isolation, builds with supported images before ended ones, the newest first. Within a
//! build, the tags of the requested form; the host's revision is a ceiling for pinned tags. On
//! 14393 process isolation needs the host's own revision, so only a tag that names it fits.
//!
//! The rule is applied once to each build, when the selection is made. The alternatives, the pins
//! and the nearest tags are computed only for the answers that have them.

use jiff::civil::Date;

use super::shortfall::{Alternative, Pins, Shortfall};
use crate::answers::question::ResolveQuestion;
use crate::catalogue::{BuildTags, Candidates, KnownTag, RepositoryTags};
use crate::images::{Pin, Tag};
use crate::windows::{
    Compatibility, HostKind, Isolation, Kb, Reason, Tables, Verdict, WindowsVersion, verdict,
};

/// The most alternatives in an answer, the nearest first; more would hide them.
pub(super) const MAX_ALTERNATIVES: usize = 5;
/// The most tags of one build that are tried, if the first does not exist or is not what its name
/// says. Each costs a request to the registry.
const MAX_TRIES_PER_BUILD: usize = 2;

/// A tag to try, in an isolation mode that its name allows.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The tag.
    pub tag: &'a KnownTag,
    /// The version that its name stands for.
    pub version: WindowsVersion,
    /// The isolation mode to use.
    pub isolation: Isolation,
}

/// A build that runs, and the isolation mode to run it in.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub build: u32,
    pub isolation: Isolation,
    /// The tag that names the host's revision, if no other revision runs.
    exact: Option<&'a KnownTag>,
}

/// Puts the tag of the question before other tags that run in the same mode, or in Hyper-V
/// isolation where it runs in process isolation.
fn asked_first<'a>(mut plan: Vec<Candidate<'a>>, asked: Candidate<'a>) -> Vec<Candidate<'a>> {
    let is_as_good = asked.isolation == Isolation::Process
        || plan.first().is_none_or(|first| first.isolation == asked.isolation);
    if is_as_good {
        plan.retain(|other| other.tag.text != asked.tag.text);
        plan.insert(0, asked);
    }
    plan
}

/// A question, and the tags that could answer it.
pub struct Selection<'a> {
    pub(super) question: &'a ResolveQuestion,
    pub(super) tags: &'a RepositoryTags,
    pub(super) tables: &'a Tables,
    pub(super) today: Date,
    pub(super) candidates: Candidates<'a>,
    /// The builds that run as requested, the preferred one first.
    choices: Vec<Choice<'a>>,
}

impl<'a> Selection<'a> {
    /// Applies the rule to every build of the repository.
    pub fn new(
        question: &'a ResolveQuestion,
        tags: &'a RepositoryTags,
        tables: &'a Tables,
        today: Date,
    ) -> Self {
        let candidates = tags.candidates(&question.software(), question.architecture, tables);
        let mut selection = Self { question, tags, candidates, choices: Vec::new(), tables, today };
        selection.choices = selection.choices();
        selection
    }

    /// The tags to try, in order; never empty.
    ///
    /// # Errors
    /// When no tag fits; the nearest ones are named.
    pub fn plan(&self) -> Result<Vec<Candidate<'a>>, Shortfall> {
        if self.candidates.builds().next().is_none() {
            return Err(self.no_tags());
        }
        match self.question.kb {
            Some(kb) => self.plan_by_kb(kb),
            None => match (self.plan_by_pin(), self.asked_tag()) {
                (Ok(plan), Some(asked)) => Ok(asked_first(plan, asked)),
                (Err(_), Some(asked)) => Ok(vec![asked]),
                (plan, None) => plan,
            },
        }
    }

    /// The tag of the question, if it has the form that is asked for and runs as requested.
    fn asked_tag(&self) -> Option<Candidate<'a>> {
        let asked = self.candidate(&self.question.tag.as_ref()?.to_string());
        let pin = self.question.pin;
        asked.filter(|it| pin == Pin::Release || it.tag.kind().as_str() == pin.as_str())
    }

    /// The tag of the list with this text, and the isolation mode that its name allows.
    pub(super) fn candidate(&self, text: &str) -> Option<Candidate<'a>> {
        let tag = self.tags.find(text)?;
        let version = tag.version?;
        Some(Candidate { tag, version, isolation: self.isolation_for(&self.verdict(version))? })
    }

    /// Why there are no tags to choose from.
    fn no_tags(&self) -> Shortfall {
        let runs = |build| !self.verdict(WindowsVersion::of_build(build)).supported().is_empty();
        let stems = || self.tags.stems(self.question.architecture, self.tables, runs);
        match &self.question.tag {
            Some(_) => Shortfall::NoTags,
            None => match stems() {
                stems if stems.is_empty() => Shortfall::NoTags,
                stems => Shortfall::VersionNeeded { stems },
            },
        }
    }

    fn plan_by_pin(&self) -> Result<Vec<Candidate<'a>>, Shortfall> {
        let Some((best, others)) = self.choices.split_first() else {
            return Err(self.none_runs(Vec::new()));
        };
        let mut plan = self.tags_for(*best);
        if plan.is_empty() {
            let (build, pin) = (best.build, self.question.pin);
            let tags = self.candidates.of_build(build);
            return Err(Shortfall::NoSuchForm {
                build,
                pin,
                above_ceiling: tags.is_some_and(|tags| tags.of_form(pin).next().is_some()),
                nearest: self.other_forms(*best, others),
            });
        }
        plan.extend(others.iter().flat_map(|choice| self.tags_for(*choice)));
        Ok(plan)
    }

    fn plan_by_kb(&self, kb: Kb) -> Result<Vec<Candidate<'a>>, Shortfall> {
        let named = self.tags_of_update(kb)?;
        let candidate = |tag: &'a KnownTag| {
            let version = tag.version?;
            Some(Candidate { tag, version, isolation: self.isolation_for(&self.verdict(version))? })
        };
        let mut plan: Vec<Candidate<'a>> = named.iter().copied().filter_map(candidate).collect();
        if plan.is_empty() {
            return Err(Shortfall::NoneRuns {
                nearest: self.shortfalls(named.into_iter()),
                skipped: Vec::new(),
                sister: None,
            });
        }
        plan.sort_by_key(|candidate| candidate.version.build != self.question.host.version.build);
        Ok(plan)
    }

    /// The tags that are this update, in the requested form. If no KB tag names it, they are the
    /// build tags of the versions that the update brought.
    fn tags_of_update(&self, kb: Kb) -> Result<Vec<&'a KnownTag>, Shortfall> {
        let builds = || self.candidates.builds().map(|(_, tags)| tags);
        let by_name: Vec<&'a KnownTag> = builds().flat_map(|tags| tags.of_kb(kb)).collect();
        let brought = self.tables.versions_of(kb).into_iter().map(|entry| entry.version);
        let versions: Vec<WindowsVersion> =
            by_name.iter().filter_map(|tag| tag.version).chain(brought).collect();
        let is_update =
            |tag: &&KnownTag| tag.version.is_some_and(|version| versions.contains(&version));
        let by_version: Vec<&'a KnownTag> =
            builds().flat_map(|tags| tags.of_form(Pin::Build)).filter(is_update).collect();
        let pin = self.question.pin;
        let (named, others) = if pin == Pin::Build || by_name.is_empty() {
            (by_version, by_name)
        } else {
            (by_name, by_version)
        };
        if !named.is_empty() {
            return Ok(named);
        }
        let Some(version) = others.iter().find_map(|other| other.version) else {
            return Err(Shortfall::KbNotFound { available: self.kbs_that_run() });
        };
        let nearest = self.shortfalls(others.into_iter());
        Err(Shortfall::NoSuchForm { build: version.build, pin, above_ceiling: false, nearest })
    }

    /// The builds that run as requested, the preferred one first.
    fn choices(&self) -> Vec<Choice<'a>> {
        let own = self.question.host.version.build;
        let mut process = Vec::new();
        let mut hyperv = Vec::new();
        for (build, tags) in self.candidates.builds() {
            let by_build = self.verdict(WindowsVersion::of_build(build));
            let exact = self.exact_tag(&by_build, build, tags);
            let compatibility = match exact.and_then(|tag| tag.version) {
                Some(version) => self.verdict(version),
                None => by_build,
            };
            let choice = |isolation| {
                let exact = exact.filter(|_| isolation == Isolation::Process);
                Choice { build, isolation, exact }
            };
            let runs_in_process = compatibility.process.verdict == Verdict::Yes
                && self.question.isolation != Some(Isolation::HyperV);
            match self.isolation_for(&compatibility) {
                Some(isolation) if runs_in_process => process.push(choice(isolation)),
                Some(isolation) => hyperv.push(choice(isolation)),
                None if self.may_turn_out_exact(&compatibility) => {
                    process.push(choice(Isolation::Process));
                }
                None => {}
            }
        }
        // Both have the newest build first already, and the sorts are stable.
        process.sort_by_key(|choice| choice.build != own);
        hyperv.sort_by_key(|choice| self.support_rank(choice.build));
        process.into_iter().chain(hyperv).collect()
    }

    /// Whether only process isolation is left, and only the manifest can tell whether the tag has
    /// the revision that the host needs.
    fn may_turn_out_exact(&self, compatibility: &Compatibility) -> bool {
        self.question.isolation != Some(Isolation::HyperV)
            && compatibility.process.reasons.contains(&Reason::ImageRevisionUnknown)
    }

    pub(super) fn verdict(&self, image: WindowsVersion) -> Compatibility {
        verdict(self.question.host.facts(), Some(image), self.question.platform)
    }

    /// The tag that names the host's revision, if only that revision runs.
    fn exact_tag(
        &self,
        by_build: &Compatibility,
        build: u32,
        tags: BuildTags<'a>,
    ) -> Option<&'a KnownTag> {
        let host = self.question.host.version;
        let revision = host.revision.filter(|_| host.build == build)?;
        let needs_it = by_build.process.reasons.contains(&Reason::ImageRevisionUnknown);
        needs_it.then(|| tags.exact(self.question.pin, revision)).flatten()
    }

    /// The isolation mode to use, if the image runs as requested. If both modes are acceptable, the
    /// host's default is used where it works.
    pub(super) fn isolation_for(&self, compatibility: &Compatibility) -> Option<Isolation> {
        match self.question.isolation {
            Some(wanted) => (compatibility.of(wanted).verdict == Verdict::Yes).then_some(wanted),
            None => compatibility.recommended(self.question.host.kind),
        }
    }

    /// The tags to try for this build and mode.
    fn tags_for(&self, choice: Choice<'a>) -> Vec<Candidate<'a>> {
        let Choice { build, isolation, exact } = choice;
        let candidate =
            |tag: &'a KnownTag| Some(Candidate { tag, version: tag.version?, isolation });
        if let Some(exact) = exact {
            return candidate(exact).into_iter().collect();
        }
        let Some(tags) = self.candidates.of_build(build) else { return Vec::new() };
        let pin = self.question.pin;
        let Some(first) = tags.pick(pin, self.question.host.ceiling(build)) else {
            return Vec::new();
        };
        let from_first = tags.of_form(pin).skip_while(|tag| tag.text != first.text);
        from_first.take(MAX_TRIES_PER_BUILD).filter_map(candidate).collect()
    }

    /// The best tag of each of these builds, except for the tag that was chosen.
    pub(super) fn best_of_each(
        &self,
        choices: &[Choice<'a>],
        chosen: Option<&str>,
    ) -> impl Iterator<Item = Alternative> {
        let first = |choice: &Choice<'a>| self.tags_for(*choice).into_iter().next();
        choices
            .iter()
            .filter_map(first)
            .filter(move |candidate| chosen != Some(candidate.tag.text.as_str()))
            .map(|candidate| self.runs(&candidate))
    }

    /// A tag that runs, and why.
    fn runs(&self, candidate: &Candidate<'a>) -> Alternative {
        let compatibility = self.verdict(candidate.version);
        let reasons = &compatibility.of(candidate.isolation).reasons;
        Alternative {
            tag: candidate.tag.text.clone(),
            isolation: Some(candidate.isolation),
            os_version: candidate.version,
            reasons: reasons.iter().map(|reason| reason.as_str()).collect(),
        }
    }

    /// The other tags that run on the host.
    pub fn alternatives(&self, chosen: &str) -> Vec<Alternative> {
        self.best_of_each(&self.choices, Some(chosen)).take(MAX_ALTERNATIVES).collect()
    }

    /// The pinned tag of this build that is not above the host's revision.
    pub fn below_the_host(&self, build: u32) -> Option<&'a KnownTag> {
        let tags = self.candidates.of_build(build)?;
        let ceiling = self.question.host.ceiling(build);
        tags.pick(Pin::Build, ceiling).or_else(|| tags.pick(Pin::Kb, ceiling))
    }

    /// The tag of each form of this build, of the software of the candidate, which may be the next
    /// version of the requested one.
    pub fn pins(&self, candidate: &Candidate<'_>, build: u32) -> Pins {
        let asked = self.question.software();
        let software = candidate.tag.parsed.as_ref().map(Tag::software);
        let candidates = match software
            .filter(|software| self.question.tag.is_some() && *software != asked)
        {
            Some(other) => self.tags.candidates(&other, self.question.architecture, self.tables),
            None => self.candidates,
        };
        let Some(tags) = candidates.of_build(build) else { return Pins::default() };
        let ceiling = self.question.host.ceiling(build);
        let text = |pin| tags.pick(pin, ceiling).map(|tag| tag.text.clone());
        Pins { release: text(Pin::Release), kb: text(Pin::Kb), build: text(Pin::Build) }
    }

    /// The KBs of the builds that run on the host.
    fn kbs_that_run(&self) -> Vec<Kb> {
        let runs = |tag: &&KnownTag| {
            tag.version.is_some_and(|version| {
                !self.verdict(version.without_revision()).supported().is_empty()
            })
        };
        let mut kbs: Vec<Kb> =
            self.candidates.kbs().filter(runs).filter_map(KnownTag::kb).collect();
        kbs.dedup();
        kbs
    }

    /// Whether any server release has this build; images of other builds are previews.
    pub(super) fn was_released(&self, build: u32) -> bool {
        self.tables.release_for(build, HostKind::Server).is_some()
    }

    /// Supported images first, then those whose support ended, then previews.
    fn support_rank(&self, build: u32) -> u8 {
        let base = self.question.base();
        match self.tables.image_support_ended(build, base, self.today) {
            _ if !self.was_released(build) => 2,
            Some(_) => 1,
            None => 0,
        }
    }
}

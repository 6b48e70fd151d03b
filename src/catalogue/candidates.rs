//! The candidates: the tags of one software in a repository, sorted by Windows build and form.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::known_tag::KnownTag;
use crate::images::{Architecture, Core, Pin, Separator, Software, Tag, version_key};
use crate::windows::{Kb, Tables};

/// The tags of a list by their software. A tag is in two groups: of its own base, and of any base.
#[derive(Clone, Debug)]
pub struct SoftwareIndex(HashMap<Software, Group>);

/// The tags of one software.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Their positions in the list, in its order.
    positions: Vec<usize>,
    /// For each architecture, once a question needs it.
    preferences: [OnceLock<Box<Preference>>; Architecture::ALL.len()],
}

impl SoftwareIndex {
    /// Groups the tags of a list.
    pub fn new(tags: &[KnownTag]) -> Self {
        let mut groups: HashMap<Software, Group> = HashMap::new();
        for (at, tag) in tags.iter().enumerate() {
            let Some(software) = tag.parsed.as_ref().map(Tag::software) else { continue };
            if software.base.is_some() {
                let of_any_base = Software { base: None, ..software.clone() };
                groups.entry(of_any_base).or_default().positions.push(at);
            }
            groups.entry(software).or_default().positions.push(at);
        }
        Self(groups)
    }

    /// The tags of this software to choose from for this architecture.
    pub fn candidates<'a>(
        &'a self,
        tags: &'a [KnownTag],
        software: &Software,
        architecture: Architecture,
        tables: &Tables,
    ) -> Candidates<'a> {
        let preference = self.0.get(software).and_then(|group| {
            let known = group.preferences.get(architecture as usize)?;
            let new = || Box::new(Preference::new(tags, &group.positions, architecture, tables));
            Some(known.get_or_init(new))
        });
        Candidates { tags, builds: preference.map_or(&[], |preference| &preference.builds) }
    }

    /// The stems that have a tag of a build that `runs`, the newest version first.
    pub fn stems(
        &self,
        tags: &[KnownTag],
        architecture: Architecture,
        tables: &Tables,
        runs: impl Fn(u32) -> bool,
    ) -> Vec<String> {
        let of_any_base = self.0.keys().filter(|software| {
            software.base.is_none() && !software.stem.is_empty() && !software.is_dated()
        });
        let mut stems: Vec<String> = of_any_base
            .filter(|software| {
                let candidates = self.candidates(tags, software, architecture, tables);
                candidates.builds().any(|(build, _)| runs(build))
            })
            .map(|software| software.stem.clone())
            .collect();
        stems.sort_by_cached_key(|stem| Reverse(version_key(stem)));
        stems
    }
}

/// The order in which the tags of a software are preferred for one architecture. It depends on the
/// list alone, so that it is sorted once and serves all questions.
#[derive(Clone, Debug)]
struct Preference {
    /// By build, the newest first.
    builds: Vec<(u32, Forms)>,
}

/// The positions of the tags of each form in the list, the preferred tag first. The index is the
/// form.
type Forms = [Vec<usize>; Pin::ALL.len()];

/// The tags that could be chosen for one architecture.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    tags: &'a [KnownTag],
    builds: &'a [(u32, Forms)],
}

/// The tags of one build.
#[derive(Clone, Copy, Debug)]
pub struct BuildTags<'a> {
    tags: &'a [KnownTag],
    forms: &'a Forms,
}

impl Preference {
    /// Sorts the tags, which come by build, the newest first. A tag is never chosen, and left out,
    /// if it is of another architecture or in another language, or if it names no known release.
    fn new(
        tags: &[KnownTag],
        positions: &[usize],
        architecture: Architecture,
        tables: &Tables,
    ) -> Self {
        let mut builds: Vec<(u32, Forms)> = Vec::new();
        for &at in positions {
            let Some(tag) = tags.get(at) else { continue };
            let (Some(parsed), Some(version)) = (&tag.parsed, tag.version) else { continue };
            let fits = parsed.locale.is_none()
                && architecture.rank_of(parsed.named_architecture()).is_some();
            let pin = match parsed.core {
                Core::Line(_) => Pin::Release,
                Core::Kb { .. } => Pin::Kb,
                Core::Build(_) => Pin::Build,
                Core::None => continue,
            };
            if !fits {
                continue;
            }
            if builds.last().is_none_or(|(build, _)| *build != version.build) {
                builds.push((version.build, Forms::default()));
            }
            let form = builds.last_mut().and_then(|(_, forms)| forms.get_mut(pin as usize));
            form.into_iter().for_each(|form| form.push(at));
        }
        for (build, forms) in &mut builds {
            let known = |at: &usize| tags.get(*at);
            let rank = |tag: &KnownTag| rank(tag, *build, architecture, tables);
            let [release, kb, of_build] = forms;
            release.sort_by_cached_key(|at| known(at).map(rank));
            of_build
                .sort_by_cached_key(|at| known(at).map(|tag| (Reverse(tag.version), rank(tag))));
            // A KB in no table is newer than all known ones if its number is higher; any other KB
            // of unknown revision comes last.
            let with_revision = kb.iter().filter_map(known).filter(|tag| tag.revision().is_some());
            let newest_known = with_revision.filter_map(KnownTag::kb).max();
            let age = |tag: &KnownTag| {
                (tag.revision().is_none() && tag.kb() > newest_known, tag.version, tag.kb())
            };
            kb.sort_by_cached_key(|at| known(at).map(|tag| (Reverse(age(tag)), rank(tag))));
        }
        Self { builds }
    }
}

impl<'a> Candidates<'a> {
    /// The builds that have tags, the newest first.
    pub fn builds(self) -> impl Iterator<Item = (u32, BuildTags<'a>)> {
        self.builds.iter().map(move |(build, forms)| (*build, BuildTags { tags: self.tags, forms }))
    }

    /// The tags of this build.
    pub fn of_build(self, build: u32) -> Option<BuildTags<'a>> {
        self.builds().find(|(other, _)| *other == build).map(|(_, tags)| tags)
    }

    /// All KBs that have a tag, the newest first within each build.
    pub fn kbs(self) -> impl Iterator<Item = &'a KnownTag> {
        self.builds().flat_map(|(_, tags)| tags.of_form(Pin::Kb))
    }
}

impl<'a> BuildTags<'a> {
    /// The tags of this form, the preferred one first.
    pub fn of_form(self, pin: Pin) -> impl Iterator<Item = &'a KnownTag> {
        let positions = self.forms.get(pin as usize).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|at| self.tags.get(*at))
    }

    /// The preferred tag of this form whose revision is not above the ceiling. A release tag moves,
    /// so no ceiling applies to it; a KB tag of unknown revision is below no ceiling.
    pub fn pick(self, pin: Pin, ceiling: Option<u32>) -> Option<&'a KnownTag> {
        let within = |tag: &&KnownTag| match (ceiling, pin) {
            (None, _) | (_, Pin::Release) => true,
            (Some(ceiling), _) => tag.revision().is_some_and(|revision| revision <= ceiling),
        };
        self.of_form(pin).find(within)
    }

    /// The tag of this form whose revision is the lowest above the ceiling.
    pub fn lowest_above(self, pin: Pin, ceiling: Option<u32>) -> Option<&'a KnownTag> {
        let above = |tag: &&KnownTag| tag.revision() > ceiling;
        // The newest tags come first, and within a revision the preferred one.
        self.of_form(pin).filter(above).min_by_key(|tag| tag.revision())
    }

    /// The tag that names exactly this revision, preferably in this form: if only one revision
    /// runs, the form matters less. A release tag never names a revision.
    pub fn exact(self, pin: Pin, wanted: u32) -> Option<&'a KnownTag> {
        let forms = if pin == Pin::Kb { [Pin::Kb, Pin::Build] } else { [Pin::Build, Pin::Kb] };
        forms.iter().flat_map(|form| self.of_form(*form)).find(|tag| tag.revision() == Some(wanted))
    }

    /// The tags that name this KB, the preferred one first.
    pub fn of_kb(self, wanted: Kb) -> impl Iterator<Item = &'a KnownTag> {
        self.of_form(Pin::Kb).filter(move |tag| tag.kb() == Some(wanted))
    }

    /// A tag of the build: a release tag, else a build tag, else a KB tag.
    pub fn any(self) -> Option<&'a KnownTag> {
        [Pin::Release, Pin::Build, Pin::Kb].into_iter().find_map(|pin| self.of_form(pin).next())
    }
}

/// The order of tags of the same form and version; the lowest is preferred.
fn rank(
    tag: &KnownTag,
    build: u32,
    architecture: Architecture,
    tables: &Tables,
) -> (usize, usize, usize, usize) {
    let Some(parsed) = &tag.parsed else { return (usize::MAX, 0, 0, 0) };
    let of_architecture = architecture.rank_of(parsed.named_architecture()).unwrap_or(usize::MAX);
    let of_base = parsed.base.map_or(0, |base| base as usize + 1);
    let of_line = parsed.line().map_or(0, |line| tables.line_rank(build, line));
    let separators = [kb_separator(parsed), parsed.architecture.map(|(separator, _)| separator)];
    let of_separators =
        separators.iter().filter(|separator| **separator == Some(Separator::Underscore)).count();
    (of_architecture, of_base, of_line, of_separators)
}

fn kb_separator(tag: &Tag) -> Option<Separator> {
    match &tag.core {
        Core::Kb { separator, .. } => Some(*separator),
        _ => None,
    }
}

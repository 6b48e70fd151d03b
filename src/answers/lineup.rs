//! The tags of a repository that could be chosen, sorted by build and form.

use std::collections::BTreeMap;

use crate::catalogue::{KnownTag, RepositoryTags};
use crate::images::{Flavour, Separator, Tag, TagKind};
use crate::windows::{Kb, Tables};

use super::question::{Architecture, Pin};

/// The tags of one build, each form with the tag to prefer first.
#[derive(Clone, Debug, Default)]
pub struct BuildTags<'a> {
    release: Vec<&'a KnownTag>,
    kb: Vec<&'a KnownTag>,
    build: Vec<&'a KnownTag>,
}

/// The tags that could be chosen for one architecture, by build.
#[derive(Debug)]
pub struct Lineup<'a> {
    builds: BTreeMap<u32, BuildTags<'a>>,
}

impl<'a> Lineup<'a> {
    /// Sorts the tags. Those of another architecture or language, those with a date, and those that
    /// do not parse or name no known release are never chosen and left out.
    pub fn new(tags: &'a RepositoryTags, architecture: Architecture, tables: &Tables) -> Self {
        let mut builds: BTreeMap<u32, BuildTags<'a>> = BTreeMap::new();
        for tag in tags.iter() {
            let (Some(parsed), Some(version)) = (&tag.parsed, tag.version) else { continue };
            let fits =
                parsed.locale.is_none() && architecture.rank_of(architecture_of(parsed)).is_some();
            if !fits {
                continue;
            }
            let of_build = builds.entry(version.build).or_default();
            match tag.kind() {
                TagKind::Release => of_build.release.push(tag),
                TagKind::Kb => of_build.kb.push(tag),
                TagKind::Build => of_build.build.push(tag),
                TagKind::Other => {}
            }
        }
        for (build, tags) in &mut builds {
            let rank = |tag: &KnownTag| rank(tag, *build, architecture, tables);
            tags.release.sort_by_key(|tag| rank(tag));
            tags.build
                .sort_by(|a, b| b.version.cmp(&a.version).then_with(|| rank(a).cmp(&rank(b))));
            // A KB that no table knows yet is newer than all that are known, if its number is; the
            // others of unknown revision come last.
            let newest_known = tags
                .kb
                .iter()
                .filter(|tag| revision(tag).is_some())
                .filter_map(|tag| kb_of(tag))
                .max();
            let age = |tag: &KnownTag| {
                (revision(tag).is_none() && kb_of(tag) > newest_known, tag.version, kb_of(tag))
            };
            tags.kb.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| rank(a).cmp(&rank(b))));
        }
        builds.retain(|_, tags| {
            !(tags.release.is_empty() && tags.kb.is_empty() && tags.build.is_empty())
        });
        Self { builds }
    }

    /// The builds that have tags, the newest first.
    pub fn builds(&self) -> impl Iterator<Item = (u32, &BuildTags<'a>)> {
        self.builds.iter().rev().map(|(build, tags)| (*build, tags))
    }

    /// The tags of this build.
    pub fn of_build(&self, build: u32) -> Option<&BuildTags<'a>> {
        self.builds.get(&build)
    }

    /// All KBs that have a tag, the newest first within each build.
    pub fn kbs(&self) -> impl Iterator<Item = &'a KnownTag> {
        self.builds.values().rev().flat_map(|tags| tags.kb.iter().copied())
    }
}

impl<'a> BuildTags<'a> {
    /// The tags of this form, the one to prefer first.
    pub fn of_form(&self, pin: Pin) -> &[&'a KnownTag] {
        match pin {
            Pin::Release => &self.release,
            Pin::Kb => &self.kb,
            Pin::Build => &self.build,
        }
    }

    /// The tag to use for this form whose revision is not above the ceiling. A release tag moves,
    /// so that no ceiling can hold it; a KB tag of unknown revision is not below any ceiling.
    pub fn pick(&self, pin: Pin, ceiling: Option<u32>) -> Option<&'a KnownTag> {
        let within = |tag: &&&KnownTag| match (ceiling, pin) {
            (None, _) | (_, Pin::Release) => true,
            (Some(ceiling), _) => revision(tag).is_some_and(|revision| revision <= ceiling),
        };
        self.of_form(pin).iter().find(within).copied()
    }

    /// The tag of this form whose revision is the lowest above the ceiling.
    pub fn lowest_above(&self, pin: Pin, ceiling: Option<u32>) -> Option<&'a KnownTag> {
        let above = |tag: &&&KnownTag| revision(tag) > ceiling;
        // The newest come first, and of one revision the one to prefer.
        self.of_form(pin).iter().filter(above).min_by_key(|tag| revision(tag)).copied()
    }

    /// The tag whose name stands for exactly this revision, in this form if there is one: where
    /// only that revision will do, the form is the lesser wish. A release tag never stands for
    /// one.
    pub fn exact(&self, pin: Pin, wanted: u32) -> Option<&'a KnownTag> {
        let forms = if pin == Pin::Kb { [Pin::Kb, Pin::Build] } else { [Pin::Build, Pin::Kb] };
        forms
            .iter()
            .flat_map(|form| self.of_form(*form))
            .find(|tag| revision(tag) == Some(wanted))
            .copied()
    }

    /// The tags that name this KB, the one to prefer first.
    pub fn of_kb(&self, wanted: Kb) -> impl Iterator<Item = &'a KnownTag> {
        self.kb.iter().copied().filter(move |tag| kb_of(tag) == Some(wanted))
    }

    /// Any tag of the build, the most telling form first.
    pub fn any(&self) -> Option<&'a KnownTag> {
        self.release.first().or_else(|| self.build.first()).or_else(|| self.kb.first()).copied()
    }
}

/// The KB that a tag names.
pub fn kb_of(tag: &KnownTag) -> Option<Kb> {
    match &tag.parsed.as_ref()?.core {
        crate::images::Core::Kb { kb, .. } => Some(*kb),
        _ => None,
    }
}

fn revision(tag: &KnownTag) -> Option<u32> {
    tag.version.and_then(|version| version.revision)
}

fn architecture_of(tag: &Tag) -> Option<crate::images::TagArchitecture> {
    tag.architecture.map(|(_, architecture)| architecture)
}

/// What decides between tags of the same form and version: the lower, the better.
fn rank(
    tag: &KnownTag,
    build: u32,
    architecture: Architecture,
    tables: &Tables,
) -> (usize, usize, usize, usize) {
    let Some(parsed) = &tag.parsed else { return (usize::MAX, 0, 0, 0) };
    let of_architecture = architecture.rank_of(architecture_of(parsed)).unwrap_or(usize::MAX);
    let of_flavour = match parsed.flavour {
        None => 0,
        Some(Flavour::WindowsServerCore) => 1,
        Some(Flavour::NanoServer) => 2,
    };
    let of_line = parsed.line().map_or(0, |line| tables.line_rank(build, line));
    let separators = [kb_separator(parsed), parsed.architecture.map(|(separator, _)| separator)];
    let of_separators =
        separators.iter().filter(|separator| **separator == Some(Separator::Underscore)).count();
    (of_architecture, of_flavour, of_line, of_separators)
}

fn kb_separator(tag: &Tag) -> Option<Separator> {
    match &tag.core {
        crate::images::Core::Kb { separator, .. } => Some(*separator),
        _ => None,
    }
}

//! The candidates: the tags of a repository that could be chosen, sorted by build and form.

use crate::catalogue::{KnownTag, RepositoryTags};
use crate::images::{Core, Flavour, Separator, Tag, TagKind};
use crate::windows::{Kb, Tables};

use crate::answers::question::{Architecture, Pin};

/// The tags of one build: of each form, the preferred tag first.
#[derive(Debug, Default)]
pub struct BuildTags<'a> {
    release: Vec<&'a KnownTag>,
    kb: Vec<&'a KnownTag>,
    build: Vec<&'a KnownTag>,
}

/// The tags that could be chosen for one architecture.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// By build, the newest first.
    builds: Vec<(u32, BuildTags<'a>)>,
}

impl<'a> Candidates<'a> {
    /// Sorts the tags. A tag is never chosen, and left out, if it is of another architecture or in
    /// another language, if it has a date, if it is not in the grammar, or if it names no known
    /// release.
    pub fn new(tags: &'a RepositoryTags, architecture: Architecture, tables: &Tables) -> Self {
        let mut builds: Vec<(u32, BuildTags<'a>)> = Vec::new();
        for tag in tags.iter() {
            let (Some(parsed), Some(version)) = (&tag.parsed, tag.version) else { continue };
            let fits = parsed.locale.is_none()
                && architecture.rank_of(parsed.named_architecture()).is_some();
            let kind = parsed.kind();
            if !fits || kind == TagKind::Other {
                continue;
            }
            // The list is sorted by build, the newest first.
            if builds.last().is_none_or(|(build, _)| *build != version.build) {
                builds.push((version.build, BuildTags::default()));
            }
            let Some((_, of_build)) = builds.last_mut() else { continue };
            match kind {
                TagKind::Release => of_build.release.push(tag),
                TagKind::Kb => of_build.kb.push(tag),
                TagKind::Build => of_build.build.push(tag),
                TagKind::Other => {}
            }
        }
        for (build, tags) in &mut builds {
            tags.sort(|tag| rank(tag, *build, architecture, tables));
        }
        Self { builds }
    }

    /// The builds that have tags, the newest first.
    pub fn builds(&self) -> impl Iterator<Item = (u32, &BuildTags<'a>)> {
        self.builds.iter().map(|(build, tags)| (*build, tags))
    }

    /// The tags of this build.
    pub fn of_build(&self, build: u32) -> Option<&BuildTags<'a>> {
        self.builds().find(|(other, _)| *other == build).map(|(_, tags)| tags)
    }

    /// All KBs that have a tag, the newest first within each build.
    pub fn kbs(&self) -> impl Iterator<Item = &'a KnownTag> {
        self.builds().flat_map(|(_, tags)| tags.kb.iter().copied())
    }
}

impl<'a> BuildTags<'a> {
    /// Puts the preferred tag of each form first. `rank` orders tags of the same form and version.
    fn sort<R: Ord>(&mut self, rank: impl Fn(&KnownTag) -> R) {
        self.release.sort_by_key(|tag| rank(tag));
        self.build.sort_by(|a, b| b.version.cmp(&a.version).then_with(|| rank(a).cmp(&rank(b))));
        // A KB in no table is newer than all known ones if its number is higher; any other KB of
        // unknown revision comes last.
        let known = self.kb.iter().filter(|tag| revision(tag).is_some());
        let newest_known = known.filter_map(|tag| kb_of(tag)).max();
        let age = |tag: &KnownTag| {
            (revision(tag).is_none() && kb_of(tag) > newest_known, tag.version, kb_of(tag))
        };
        self.kb.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| rank(a).cmp(&rank(b))));
    }

    /// The tags of this form, the preferred one first.
    pub fn of_form(&self, pin: Pin) -> &[&'a KnownTag] {
        match pin {
            Pin::Release => &self.release,
            Pin::Kb => &self.kb,
            Pin::Build => &self.build,
        }
    }

    /// The preferred tag of this form whose revision is not above the ceiling. A release tag moves,
    /// so no ceiling applies to it; a KB tag of unknown revision is below no ceiling.
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
        // The newest tags come first, and within a revision the preferred one.
        self.of_form(pin).iter().filter(above).min_by_key(|tag| revision(tag)).copied()
    }

    /// The tag that names exactly this revision, preferably in this form: if only one revision
    /// runs, the form matters less. A release tag never names a revision.
    pub fn exact(&self, pin: Pin, wanted: u32) -> Option<&'a KnownTag> {
        let forms = if pin == Pin::Kb { [Pin::Kb, Pin::Build] } else { [Pin::Build, Pin::Kb] };
        forms
            .iter()
            .flat_map(|form| self.of_form(*form))
            .find(|tag| revision(tag) == Some(wanted))
            .copied()
    }

    /// The tags that name this KB, the preferred one first.
    pub fn of_kb(&self, wanted: Kb) -> impl Iterator<Item = &'a KnownTag> {
        self.kb.iter().copied().filter(move |tag| kb_of(tag) == Some(wanted))
    }

    /// A tag of the build: a release tag, else a build tag, else a KB tag.
    pub fn any(&self) -> Option<&'a KnownTag> {
        self.release.first().or_else(|| self.build.first()).or_else(|| self.kb.first()).copied()
    }
}

/// The KB that a tag names.
pub fn kb_of(tag: &KnownTag) -> Option<Kb> {
    match &tag.parsed.as_ref()?.core {
        Core::Kb { kb, .. } => Some(*kb),
        _ => None,
    }
}

fn revision(tag: &KnownTag) -> Option<u32> {
    tag.version.and_then(|version| version.revision)
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
        Core::Kb { separator, .. } => Some(*separator),
        _ => None,
    }
}

//! The use case behind `/tags`: the tags of a repository with what each stands for, and which of
//! them are the same image.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::civil::Date;

use crate::catalogue::{
    Catalogue, Deadline, Freshness, KnownTag, Manifest, Miss, Provenance, RepositoryTags, Wanted,
};
use crate::images::{Digest, NamedImage, TagKind};
use crate::windows::{HostKind, Kb, Tables, WindowsVersion};

use super::context::Context;
use super::host::kb_of_version;
use super::lineup::kb_of;
use super::observed::{base_of, still_true};
use super::question::Architecture;

/// So many manifests are read for one answer: enough for a tag and all its siblings (a floating tag
/// or two, a KB tag, a build tag, each with and without architecture), few enough to be polite.
const MAX_MANIFESTS: usize = 10;

/// The question of `/tags`.
#[derive(Clone, Debug)]
pub struct TagsQuestion {
    /// The image.
    pub image: NamedImage,
    /// Only tags of this build.
    pub build: Option<u32>,
    /// Only tags of the build that this release word stands for, such as `ltsc2022`.
    pub release: Option<String>,
    /// Only tags that are this patch.
    pub kb: Option<Kb>,
    /// Only this tag and those that are the same image.
    pub tag: Option<String>,
    /// Only tags of this architecture.
    pub architecture: Option<Architecture>,
    /// So many tags are passed over.
    pub offset: usize,
    /// So many tags are answered at most.
    pub limit: usize,
}

/// The answer of `/tags`.
#[derive(Clone, Debug)]
pub struct ListedTags {
    /// The image.
    pub image: NamedImage,
    /// The tags, the newest first.
    pub tags: Vec<ListedTag>,
    /// How many tags there are that fit the question.
    pub total: usize,
    /// Where the answer comes from.
    pub freshness: Freshness,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTag {
    /// The tag.
    pub tag: String,
    /// Its form.
    pub kind: TagKind,
    /// The build.
    pub build: Option<u32>,
    /// The version: of its image where that is known, else what the name says.
    pub os_version: Option<WindowsVersion>,
    /// The KB of that version.
    pub kb: Option<Kb>,
    /// The architecture that the name gives.
    pub architecture: Option<&'static str>,
    /// What it points to, where that is known.
    pub digest: Option<Digest>,
    /// The other tags of the repository that point to the same.
    pub same_image: Vec<String>,
}

/// What is known of the image behind a tag.
#[derive(Clone, Default)]
pub(super) struct Known {
    digest: Option<Digest>,
    pub(super) os_version: Option<WindowsVersion>,
}

/// Answers the question.
///
/// # Errors
/// When the tags cannot be had.
pub async fn tags(context: &Context, question: &TagsQuestion) -> Result<ListedTags, Miss> {
    let Context { catalogue, tables, .. } = context;
    let deadline = Deadline::begin(&context.clock);
    let found = catalogue.tags(&question.image.repository, &deadline).await?;
    let all = &*found.value;
    let mut freshness = found.freshness;
    let mut reader = Reader {
        catalogue,
        tables,
        today: context.now().date(),
        question,
        known: HashMap::new(),
        reads_left: MAX_MANIFESTS,
        deadline: &deadline,
        freshness: &mut freshness,
    };
    // What is in memory says of all tags which are the same image. What is not is read for the tags
    // that are answered, if they are few, and for their siblings, whose digests prove that they
    // are the same image.
    reader.learn(&all.iter().collect::<Vec<_>>(), false).await;
    let wanted: Vec<&KnownTag> =
        all.iter().filter(|tag| fits(question, tag, &reader.known, tables)).collect();
    let page: Vec<&KnownTag> = match &question.tag {
        None => wanted.iter().copied().skip(question.offset).take(question.limit).collect(),
        Some(_) => wanted.clone(),
    };
    let read_from_registry =
        found.freshness.provenance != Provenance::Embedded && page.len() <= MAX_MANIFESTS;
    let mut page = page;
    if read_from_registry {
        reader.learn(&page, true).await;
    }
    if let Some(first) = page.first().copied().filter(|_| question.tag.is_some()) {
        let version =
            reader.known.get(&first.text).and_then(|known| known.os_version).or(first.version);
        let siblings: Vec<&KnownTag> =
            all.iter().filter(|tag| may_be(tag, version, first)).collect();
        if read_from_registry {
            reader.learn(&siblings, true).await;
        }
        page.extend(siblings);
    }
    let known = reader.known;
    let by_digest = by_digest(all, &known);
    let mut listed: Vec<ListedTag> =
        page.iter().map(|tag| list(tag, &known, &by_digest, tables)).collect();
    let mut total = wanted.len();
    if let (Some(asked), Some(first)) = (&question.tag, listed.first().cloned()) {
        listed.retain(|tag| tag.tag == *asked || first.same_image.contains(&tag.tag));
        total = listed.len();
        listed = listed.into_iter().skip(question.offset).take(question.limit).collect();
    }
    Ok(ListedTags { image: question.image.clone(), tags: listed, total, freshness })
}

fn fits(
    question: &TagsQuestion,
    tag: &KnownTag,
    known: &HashMap<String, Known>,
    tables: &Tables,
) -> bool {
    let build = tag.version.map(|version| version.build);
    let version = known.get(&tag.text).and_then(|known| known.os_version).or(tag.version);
    let is = |wanted: Option<u32>| wanted.is_none() || build == wanted;
    let of_release = question.release.as_ref().is_none_or(|line| {
        let named = tag.parsed.as_ref().and_then(|parsed| parsed.line()) == Some(line);
        let is_version = |build| {
            tables
                .release_for(build, HostKind::Server)
                .is_some_and(|release| release.version == *line)
        };
        named
            || build
                .is_some_and(|build| Some(build) == tables.build_of_line(line) || is_version(build))
    });
    let of_kb = question.kb.is_none_or(|kb| {
        kb_of(tag) == Some(kb)
            || version
                .is_some_and(|version| tables.kbs_of(version).iter().any(|entry| entry.kb == kb))
    });
    let of_architecture = question.architecture.is_none_or(|wanted| {
        let named = tag
            .parsed
            .as_ref()
            .and_then(|parsed| parsed.architecture)
            .map(|(_, architecture)| architecture);
        wanted.rank_of(named).is_some()
    });
    is(question.build)
        && of_release
        && of_kb
        && of_architecture
        && question.tag.as_ref().is_none_or(|text| *text == tag.text)
}

/// Whether the name of this tag allows it to be the same image as the first, which is of this
/// version.
fn may_be(tag: &KnownTag, version: Option<WindowsVersion>, first: &KnownTag) -> bool {
    let (Some(version), Some(named)) = (version, tag.version) else { return false };
    let same_variant = match (&tag.parsed, &first.parsed) {
        (Some(a), Some(b)) => {
            a.locale == b.locale && a.architecture.is_some() == b.architecture.is_some()
        }
        _ => false,
    };
    tag.text != first.text
        && same_variant
        && named.build == version.build
        && (named.revision.is_none()
            || version.revision.is_none()
            || named.revision == version.revision)
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    tables: &'a Tables,
    today: Date,
    question: &'a TagsQuestion,
    known: HashMap<String, Known>,
    reads_left: usize,
    deadline: &'a Deadline,
    freshness: &'a mut Freshness,
}

impl Reader<'_> {
    /// Learns what tags point to: from the registry if it may be asked, of all at once, so that
    /// they share the wait for it; else from memory or from the embedded catalogue.
    async fn learn(&mut self, tags: &[&KnownTag], may_ask: bool) {
        let repository = &self.question.image.repository;
        let count = if may_ask { self.reads_left.min(tags.len()) } else { 0 };
        self.reads_left -= count;
        let asked = tags.iter().take(count);
        let reads = asked.clone().map(|tag| {
            self.catalogue.manifest(repository, Wanted::Tag(tag.text.clone()), true, self.deadline)
        });
        for (tag, read) in asked.zip(join_all(reads).await) {
            let manifest = read.ok().map(|found| {
                *self.freshness = self.freshness.combine(found.freshness);
                found.value
            });
            self.note(tag, manifest);
        }
        for tag in tags.iter().skip(count) {
            self.note(
                tag,
                self.catalogue.known_manifest(repository, Wanted::Tag(tag.text.clone())),
            );
        }
    }

    fn note(&mut self, tag: &KnownTag, manifest: Option<Arc<Manifest>>) {
        let known = match manifest {
            Some(manifest) => from_manifest(&manifest, tag),
            None => self.seen(tag),
        };
        self.known.insert(tag.text.clone(), known);
    }

    /// What the embedded catalogue saw, where that is still true.
    fn seen(&self, tag: &KnownTag) -> Known {
        let seen = still_true(tag, base_of(&self.question.image), self.today, self.tables);
        seen.map_or_else(Known::default, |seen| Known {
            digest: seen.digest.clone(),
            os_version: seen.os_version,
        })
    }
}

/// What a manifest says of the image behind a tag.
pub(super) fn from_manifest(manifest: &Manifest, tag: &KnownTag) -> Known {
    let versions =
        || manifest.entries.iter().filter_map(|entry| entry.os_version.as_deref()?.parse().ok());
    let named_build = tag.version.map(|version| version.build);
    let of_the_build =
        versions().find(|version: &WindowsVersion| Some(version.build) == named_build);
    // An index of several Windows builds has no single version unless the tag names one of them.
    let mut all = versions();
    let only = all.next().filter(|_| all.next().is_none());
    let said = of_the_build.or(only);
    let os_version = match (said, tag.version) {
        (Some(said), Some(named)) if said.revision.is_none() && said.build == named.build => {
            Some(named)
        }
        (said, _) => said,
    };
    Known { digest: Some(manifest.digest.clone()), os_version }
}

/// The tags that are known to point to a digest, by digest.
fn by_digest<'a>(
    all: &'a RepositoryTags,
    known: &'a HashMap<String, Known>,
) -> HashMap<&'a Digest, Vec<&'a str>> {
    let mut tags: HashMap<&Digest, Vec<&str>> = HashMap::new();
    for tag in all.iter() {
        if let Some(digest) = known.get(&tag.text).and_then(|known| known.digest.as_ref()) {
            tags.entry(digest).or_default().push(&tag.text);
        }
    }
    tags
}

fn list(
    tag: &KnownTag,
    known: &HashMap<String, Known>,
    by_digest: &HashMap<&Digest, Vec<&str>>,
    tables: &Tables,
) -> ListedTag {
    let Known { digest, os_version } = known.get(&tag.text).cloned().unwrap_or_default();
    let same =
        digest.as_ref().and_then(|digest| by_digest.get(digest)).map_or(&[][..], Vec::as_slice);
    let same_image =
        same.iter().filter(|other| **other != tag.text).map(|other| (*other).to_owned()).collect();
    let os_version = os_version.or(tag.version);
    ListedTag {
        tag: tag.text.clone(),
        kind: tag.kind(),
        build: os_version.map(|version| version.build),
        os_version,
        kb: kb_of(tag).or_else(|| os_version.and_then(|version| kb_of_version(version, tables))),
        architecture: tag
            .parsed
            .as_ref()
            .and_then(|parsed| parsed.architecture)
            .map(|(_, named)| named.as_str()),
        digest,
        same_image,
    }
}

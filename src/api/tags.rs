//! `/tags` on the wire.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::common::FreshnessObject;
use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::{self, Reading};
use super::resolve::ArchitectureChoice;
use crate::answers::{ListedTag, ListedTags, TagsQuestion};
use crate::images::{MAX_TAG_BYTES, TagKind};

/// So many tags are answered when no limit is given.
const DEFAULT_LIMIT: usize = 100;
/// So many tags are answered at most.
const MAX_LIMIT: usize = 1000;
/// So many tags a repository has at most; the registry's list is bounded the same way.
const MAX_OFFSET: usize = 100_000;

/// The parameters of `/tags`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TagsParams {
    /// A family or a repository, as in `/resolve`.
    #[param(
        example = "servercore",
        min_length = 1,
        max_length = 237,
        pattern = "^([A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*(:[0-9]+)?/)?\
                   [a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$"
    )]
    pub image: String,
    /// Only tags of this build, such as `20348`.
    #[param(minimum = 0)]
    pub build: Option<u32>,
    /// Only tags of this release, by the word that tags have for it, such as `ltsc2022`, or by its
    /// version, such as `21H2`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub release: Option<String>,
    /// Only tags that are this patch, such as `KB5031364`.
    #[param(pattern = "^(KB|kb)?[1-9][0-9]{6}$")]
    pub kb: Option<String>,
    /// Only this tag, and those that are the same image: which KB is `ltsc2019` today?
    #[param(example = "ltsc2022", pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub tag: Option<String>,
    /// Only tags of this architecture.
    #[param(inline)]
    pub arch: Option<ArchitectureChoice>,
    /// So many tags are passed over; 0 when not given.
    #[param(example = 0, minimum = 0, maximum = 100000)]
    pub offset: Option<u32>,
    /// So many tags are answered at most; 100 when not given.
    #[param(example = 100, minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// Reads the parameters of `/tags`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_tags(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<TagsQuestion, Problem> {
    let mut params = Params::new::<TagsParams>(pairs);
    let image = reading.image(&mut params);
    let build =
        params.number("build", 0, u32::MAX as usize).and_then(|build| u32::try_from(build).ok());
    let release = word(&mut params, "release");
    let tag = word(&mut params, "tag");
    let kb = params.parsed("kb");
    let architecture = reading::architecture(&mut params);
    let offset = params.number("offset", 0, MAX_OFFSET).unwrap_or(0);
    let limit = params.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    params.finish()?;
    let Some(image) = image else {
        return Err(Problem::new(ProblemKind::Internal, "a parameter was lost".to_owned()));
    };
    Ok(TagsQuestion { image, build, release, kb, tag, architecture, offset, limit })
}

/// A word that could be a tag.
fn word(params: &mut Params, name: &str) -> Option<String> {
    let text = params.optional(name)?;
    params.parse_with(name, &text, |text| {
        let is_word = text.len() <= MAX_TAG_BYTES
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_word {
            Ok(text.to_owned())
        } else {
            Err("a tag has letters, digits, dots, hyphens and underscores".to_owned())
        }
    })
}

/// The answer of `/tags`: the tags that fit, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Tags)]
pub struct TagsObject {
    /// The repository, with its registry.
    #[schema(example = "mcr.microsoft.com/windows/servercore")]
    pub repository: String,
    /// The tags.
    pub tags: Vec<TagObject>,
    /// How many tags fit in all.
    pub total: usize,
    /// The path of the next page, or null on the last one.
    pub next: Option<String>,
    /// Where the answer comes from, and how old it is.
    pub freshness: FreshnessObject,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tag)]
pub struct TagObject {
    /// The tag.
    #[schema(example = "ltsc2022")]
    pub tag: String,
    /// Its form.
    pub kind: TagKindWord,
    /// The build, or null when it is not known.
    #[schema(example = 20348)]
    pub build: Option<u32>,
    /// The revision, or null when it is not known.
    #[schema(example = 2113)]
    pub revision: Option<u32>,
    /// The Windows version: of its image where that is known, else what the name says; null when
    /// neither is.
    #[schema(example = "10.0.20348.2113")]
    pub os_version: Option<String>,
    /// The KB of that version, or null when it is not known.
    #[schema(example = "KB5032198")]
    pub kb: Option<String>,
    /// The architecture that the name gives, or null when it gives none.
    pub architecture: Option<String>,
    /// What it points to. Null when that has not been read: it is read when ten tags or fewer are
    /// answered.
    pub digest: Option<String>,
    /// The other tags of the repository that are known to point to the same.
    pub same_image: Vec<String>,
}

/// The form of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TagKind)]
pub enum TagKindWord {
    /// Names a release and moves with its patches.
    Release,
    /// Names one patch by its KB.
    Kb,
    /// Names one patch by its version.
    Build,
    /// Anything else; it is never chosen.
    Other,
}

impl From<TagKind> for TagKindWord {
    fn from(kind: TagKind) -> Self {
        match kind {
            TagKind::Release => Self::Release,
            TagKind::Kb => Self::Kb,
            TagKind::Build => Self::Build,
            TagKind::Other => Self::Other,
        }
    }
}

impl From<&ListedTag> for TagObject {
    fn from(tag: &ListedTag) -> Self {
        Self {
            tag: tag.tag.clone(),
            kind: tag.kind.into(),
            build: tag.build,
            revision: tag.os_version.and_then(|version| version.revision),
            os_version: tag.os_version.map(|version| version.to_string()),
            kb: tag.kb.map(|kb| kb.to_string()),
            architecture: tag.architecture.map(str::to_owned),
            digest: tag.digest.as_ref().map(ToString::to_string),
            same_image: tag.same_image.clone(),
        }
    }
}

impl TagsObject {
    /// The answer to this question.
    pub fn new(question: &TagsQuestion, listed: &ListedTags) -> Self {
        let next = question.offset + question.limit;
        let next = (next < listed.total).then(|| next_page(question, next));
        Self {
            repository: listed.image.repository.to_string(),
            tags: listed.tags.iter().map(TagObject::from).collect(),
            total: listed.total,
            next,
            freshness: listed.freshness.into(),
        }
    }
}

/// The path of the page that begins here.
fn next_page(question: &TagsQuestion, offset: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("image", &question.image.requested);
    let mut append = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    };
    append("build", question.build.map(|build| build.to_string()));
    append("release", question.release.clone());
    append("tag", question.tag.clone());
    append("kb", question.kb.map(|kb| kb.to_string()));
    append("arch", question.architecture.map(|architecture| architecture.as_str().to_owned()));
    append("offset", Some(offset.to_string()));
    append("limit", Some(question.limit.to_string()));
    format!("/tags?{}", query.finish())
}

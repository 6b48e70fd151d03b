//! The parameters and pages of `/tags`.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::choices::ImageName;
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::{Freshness, ListedTag, ListedTags, Patch, TagsQuestion};
use crate::images::Architecture;
use crate::images::MAX_TAG_BYTES;
use crate::windows::Base;

/// The default number of tags in an answer.
const DEFAULT_LIMIT: usize = 100;
/// The most tags in an answer.
const MAX_LIMIT: usize = 1000;
/// The most tags that a repository may have; the registry's list has the same bound.
const MAX_OFFSET: usize = 100_000;

/// The parameters of `/tags`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TagsParams {
    /// A family or a repository, as in `/resolve`.
    #[param(inline, example = "servercore")]
    pub image: ImageName,
    /// Only tags of this build, such as `20348`.
    #[param(minimum = 0)]
    pub build: Option<u32>,
    /// Only tags of this release, by the word that tags have for it, such as `ltsc2022`, or by its
    /// version, such as `21H2`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub release: Option<String>,
    /// Only tags that are this update, such as `KB5031364`.
    #[param(pattern = "^(KB|kb)?[1-9][0-9]{6}$")]
    pub kb: Option<String>,
    /// Only this tag and those that are the same image: which KB is `ltsc2019` today?
    #[param(example = "ltsc2022", pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub tag: Option<String>,
    /// Only tags of this software and version, such as `4.8.1` or `jdk21`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub stem: Option<String>,
    /// Only tags that name this base.
    #[param(inline)]
    pub base: Option<Base>,
    /// Only tags of this architecture.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// A former day, such as `2024-03-01`, or a moment: the answer as it was then, from
    /// observations only. What is not known of that day is null, and `observed` says why.
    #[param(min_length = 10, max_length = 35)]
    pub as_of: Option<String>,
    /// How many tags are skipped; 0 by default.
    #[param(example = 0, minimum = 0, maximum = 100000)]
    pub offset: Option<u32>,
    /// The most tags in the answer; 100 by default.
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
    let stem = word(&mut params, "stem");
    let base = params.word("base");
    let architecture = params.word_with("arch", Architecture::read);
    let as_of = reading.as_of(&mut params);
    let offset = params.number("offset", 0, MAX_OFFSET).unwrap_or(0);
    let limit = params.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let image = params.finish_with(image)?;
    Ok(TagsQuestion {
        image,
        build,
        release,
        kb,
        tag,
        stem,
        base,
        architecture,
        offset,
        limit,
        as_of,
    })
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
            Err("a tag consists of letters, digits, dots, hyphens and underscores".to_owned())
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
    pub tags: Vec<ListedTag>,
    /// With `tag`, how far that tag is behind the updates of its build; null without, and if its
    /// revision is not known.
    pub patch: Option<Patch>,
    /// How many tags fit in total.
    pub total: usize,
    /// The path of the next page; null on the last page.
    pub next: Option<String>,
    /// Where the answer comes from, and how old it is.
    pub freshness: Freshness,
}

impl TagsObject {
    /// The answer to this question.
    pub fn new(question: &TagsQuestion, listed: ListedTags) -> Self {
        let next = question.offset + question.limit;
        let next = (next < listed.total).then(|| next_page(question, next));
        Self {
            repository: listed.image.repository.to_string(),
            tags: listed.tags,
            patch: listed.patch,
            total: listed.total,
            next,
            freshness: listed.freshness,
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
    append("stem", question.stem.clone());
    append("base", question.base.map(|base| base.as_str().to_owned()));
    append("arch", question.architecture.map(|architecture| architecture.as_str().to_owned()));
    append("as_of", question.as_of.as_ref().map(ToString::to_string));
    append("offset", Some(offset.to_string()));
    append("limit", Some(question.limit.to_string()));
    format!("/tags?{}", query.finish())
}

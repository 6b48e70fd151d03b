//! `/renovate` on the wire: the custom-datasource schema of Renovate.

use std::sync::Arc;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::choices::ImageName;
use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::Reading;
use crate::answers::{Feed, FeedLine, FeedQuestion, FeedRefusal, FeedRelease, Freshness};
use crate::catalogue::KnownTag;
use crate::platforms::renovate::{changelog_url, homepage, release_timestamp, source_url};
use crate::windows::Tables;

/// The parameters of `/renovate`: `image`, and either `host` or `like`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RenovateParams {
    /// A family or a repository, as in `/resolve`.
    #[param(inline, example = "nanoserver")]
    pub image: ImageName,
    /// The host, as in `/resolve`: the releases are the build tags of the build that `/resolve`
    /// pins for it. The host's revision, if given, is a ceiling: `host=10.0.17763.1039` holds
    /// back newer releases.
    #[param(example = "20348", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: Option<String>,
    /// A tag in use, such as `10.0.17763.1039`, instead of `host`: the releases are tags of the
    /// same build and the same form, with the same base and architecture in their names. Its
    /// revision is not a ceiling. Of a tag with the version of a software, such as
    /// `8.0.22-nanoserver-ltsc2022`, they are the other versions for the same Windows release.
    #[param(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    pub like: Option<String>,
    /// The highest acceptable revision, such as that of the oldest of your hosts.
    #[param(minimum = 0)]
    pub max_revision: Option<u32>,
}

/// Reads the parameters of `/renovate`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_renovate(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<FeedQuestion, Problem> {
    let mut params = Params::new::<RenovateParams>(pairs);
    let image = reading.image(&mut params);
    let (like, host) = (params.optional("like"), params.optional("host"));
    let line = match like {
        Some(_) if host.is_some() => {
            let message = "like replaces host; give one of the two".to_owned();
            params.refuse("like", "contradiction", message);
            None
        }
        Some(like) => params.parse_with("like", &like, |text| line_like(text, reading.tables)),
        None => reading.host(&mut params).map(|host| FeedLine::Host(Box::new(host))),
    };
    let max_revision = params
        .number("max_revision", 0, u32::MAX as usize)
        .and_then(|most| u32::try_from(most).ok());
    let (image, line) = params.finish_with(image.zip(line))?;
    Ok(FeedQuestion { image: Arc::new(image), line, max_revision })
}

fn line_like(text: &str, tables: &Tables) -> Result<FeedLine, String> {
    let known = KnownTag::new(text.to_owned(), None, tables);
    match (known.parsed, known.version) {
        (Some(tag), Some(version)) => {
            Ok(FeedLine::Like { tag: Box::new(tag), build: version.build })
        }
        _ => Err("must be a tag that names a Windows release or version, such as 10.0.17763.1039"
            .to_owned()),
    }
}

/// The answer of `/renovate`: build tags of one Windows build, the newest first. Unknown values are
/// left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RenovateFeed)]
pub struct RenovateObject {
    /// The releases.
    pub releases: Vec<RenovateReleaseObject>,
    /// The newest of them by name.
    pub tags: RenovateTagsObject,
    /// The page of the repository, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    pub homepage: Option<String>,
    /// The repository of the image's maintainers, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    pub source_url: Option<String>,
    /// Where the answer comes from, and how old it is. Renovate ignores it.
    pub freshness: Freshness,
}

/// Tags that stand for releases.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RenovateTags)]
pub struct RenovateTagsObject {
    /// The newest release.
    #[schema(example = "10.0.17763.8389")]
    pub latest: String,
}

/// One release.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RenovateRelease)]
pub struct RenovateReleaseObject {
    /// The build tag.
    #[schema(example = "10.0.17763.8389")]
    pub version: String,
    /// The release date of its update, as the start of that day in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-02-10T00:00:00Z")]
    pub release_timestamp: Option<String>,
    /// The digest that the tag points to. It is fetched for the newest release; of the others it
    /// is given if it is known already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// Microsoft's page about its update.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        format = "uri",
        example = "https://support.microsoft.com/help/5075904"
    )]
    pub changelog_url: Option<String>,
    /// False when its update is a preview of a later one.
    pub is_stable: bool,
    /// True when support of the images of this build has ended.
    pub is_deprecated: bool,
}

impl RenovateReleaseObject {
    fn new(release: &FeedRelease, feed: &Feed) -> Self {
        Self {
            version: release.tag.clone(),
            release_timestamp: release
                .released
                .and_then(|released| release_timestamp(released, feed.today)),
            digest: release.digest.as_ref().map(ToString::to_string),
            changelog_url: release.kb.map(changelog_url),
            is_stable: !release.is_preview,
            is_deprecated: feed.out_of_support,
        }
    }
}

impl From<&Feed> for RenovateObject {
    fn from(feed: &Feed) -> Self {
        let repository = &feed.image.repository;
        Self {
            releases: feed
                .releases
                .iter()
                .map(|release| RenovateReleaseObject::new(release, feed))
                .collect(),
            tags: RenovateTagsObject {
                latest: feed
                    .releases
                    .first()
                    .map(|release| release.tag.clone())
                    .unwrap_or_default(),
            },
            homepage: homepage(repository),
            source_url: source_url(repository).map(str::to_owned),
            freshness: feed.freshness,
        }
    }
}

/// Why there is no feed. To Renovate an empty feed and a problem are the same, but people can read
/// the problem.
pub fn refused_feed(refusal: &FeedRefusal, question: &FeedQuestion) -> Problem {
    let repository = &question.image.repository;
    let (build, ceiling, builds, nearest) = match refusal {
        FeedRefusal::Miss(miss) => return Problem::of_miss(miss, &question.image),
        FeedRefusal::NoBuildTag { build, ceiling, builds, nearest } => {
            (build, ceiling, builds, nearest)
        }
    };
    let like = if matches!(question.line, FeedLine::Like { .. }) {
        " that is written like the given tag"
    } else {
        ""
    };
    let missing = match (build, ceiling) {
        (None, _) => format!("no image of {repository} runs on that host"),
        (Some(build), None) => format!("{repository} has no build tag for build {build}{like}"),
        (Some(build), Some(most)) => {
            format!(
                "{repository} has no build tag for build {build}{like} with a revision of at most \
                 {most}"
            )
        }
    };
    let builds: Vec<String> = builds.iter().map(ToString::to_string).collect();
    let there_are = match builds.as_slice() {
        [] => "it has none for other builds either".to_owned(),
        builds => format!("these builds have build tags: {}", builds.join(", ")),
    };
    let mut problem = Problem::new(ProblemKind::NoCompatibleTag, format!("{missing}; {there_are}"));
    problem.alternatives = nearest.clone();
    problem
}

//! `/badge` on the wire.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::choices::{IsolationChoice, TaggedImage};
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::{BadgeAnswer, ResolveQuestion};
use crate::images::{Architecture, Pin};
use crate::platforms::badge::Colour;
use crate::windows::{HostKind, Platform};
use crate::words::words;

/// The only version of the schema of shields.io.
const SCHEMA_VERSION: u8 = 1;
/// How long shields.io may keep a badge, in seconds. Tags change once a month.
const CACHE_SECONDS: u32 = 3600;
/// The same if the registry did not answer; the shortest that shields.io accepts.
const CACHE_SECONDS_STALE: u32 = 300;

/// The parameters of `/badge`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BadgeParams {
    /// A family or a repository, as in `/resolve`.
    #[param(inline, example = "nanoserver")]
    pub image: TaggedImage,
    /// The host, as in `/resolve`.
    #[param(example = "17763", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostKind>,
    /// The architecture of the image; `amd64` by default.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// Acceptable isolation modes; `any` by default.
    #[param(inline)]
    pub isolation: Option<IsolationChoice>,
    /// The form of the tag; `release` by default.
    #[param(inline)]
    pub pin: Option<Pin>,
    /// Where the container runs; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
    /// The form of the badge; `json` by default.
    #[param(inline)]
    pub format: Option<BadgeFormat>,
}

words! {
    /// The form of a badge.
    pub enum BadgeFormat {
        /// The endpoint badge of shields.io.
        Json = "json",
        /// A picture.
        Svg = "svg",
    }
}

/// Reads the parameters of `/badge`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_badge(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<(ResolveQuestion, Option<BadgeFormat>), Problem> {
    let mut params = Params::new::<BadgeParams>(pairs);
    let question = reading.question(&mut params);
    let pin = params.word("pin").unwrap_or_default();
    let platform = params.word("platform").unwrap_or_default();
    let format = params.word("format");
    let question = params.finish_with(question)?;
    Ok((ResolveQuestion { pin, platform, ..question }, format))
}

/// The answer of `/badge`, as an endpoint badge of shields.io reads it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Badge)]
pub struct BadgeObject {
    /// Always 1.
    #[schema(example = 1)]
    pub schema_version: u8,
    /// The image and the build of the host.
    #[schema(example = "nanoserver @17763")]
    pub label: String,
    /// The tag, with `(hyperv)` if that is its isolation mode; `none` if no tag runs; `unknown` if
    /// the registry is not available and there is no older answer.
    #[schema(example = "ltsc2019")]
    pub message: String,
    /// `green`: it runs in process isolation. `blue`: it runs in Hyper-V isolation. `yellow`: it
    /// runs, but the host or the image receives no more updates, or the image's revision may fail
    /// on the host's; `/resolve` gives the details. `red`: no tag runs. `lightgrey`: unknown.
    #[schema(example = "green")]
    pub color: String,
    /// Whether no tag runs.
    pub is_error: bool,
    /// How long shields.io may cache the badge, in seconds.
    #[schema(example = 3600)]
    pub cache_seconds: u32,
}

impl From<&BadgeAnswer> for BadgeObject {
    fn from(answer: &BadgeAnswer) -> Self {
        let badge = &answer.badge;
        let is_fresh = answer.freshness.is_some_and(|freshness| !freshness.stale);
        Self {
            schema_version: SCHEMA_VERSION,
            label: badge.label.clone(),
            message: badge.message.clone(),
            color: badge.colour.as_str().to_owned(),
            is_error: badge.colour == Colour::Red,
            cache_seconds: if is_fresh { CACHE_SECONDS } else { CACHE_SECONDS_STALE },
        }
    }
}

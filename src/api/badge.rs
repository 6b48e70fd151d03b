//! `/badge` on the wire.

use std::sync::Arc;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::{self, Reading};
use super::resolve::{
    ArchitectureChoice, HostTypeChoice, IsolationChoice, PinChoice, PlatformChoice,
};
use crate::answers::{BadgeAnswer, Pin, ResolveQuestion};
use crate::platforms::badge::Colour;

/// The version of the form that shields.io reads; there is one only.
const SCHEMA_VERSION: u8 = 1;
/// How long shields.io may keep a badge, in seconds. Tags change once a month.
const CACHE_SECONDS: u32 = 3600;
/// How long when the registry did not answer; shields.io takes nothing shorter.
const CACHE_SECONDS_STALE: u32 = 300;

/// The parameters of `/badge`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BadgeParams {
    /// A family or a repository, as in `/resolve`.
    #[param(
        example = "nanoserver",
        min_length = 1,
        max_length = 237,
        pattern = "^([A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*(:[0-9]+)?/)?\
                   [a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$"
    )]
    pub image: String,
    /// The host, as in `/resolve`.
    #[param(example = "17763", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Settles whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostTypeChoice>,
    /// The architecture of the image; `amd64` when not given.
    #[param(inline)]
    pub arch: Option<ArchitectureChoice>,
    /// Which isolation mode will do; `any` when not given.
    #[param(inline)]
    pub isolation: Option<IsolationChoice>,
    /// Which form of tag is shown; `release` when not given.
    #[param(inline)]
    pub pin: Option<PinChoice>,
    /// Where the container runs; `docker` when not given.
    #[param(inline)]
    pub platform: Option<PlatformChoice>,
    /// The form of the badge; `json` when not given.
    #[param(inline)]
    pub format: Option<BadgeFormatChoice>,
}

/// The form of a badge.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BadgeFormatChoice {
    /// What an endpoint badge of shields.io reads.
    Json,
    /// A picture.
    Svg,
}

/// In which form a badge is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadgeFormat {
    /// What an endpoint badge of shields.io reads.
    Json,
    /// A picture.
    Svg,
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
    let image = reading.image(&mut params);
    let host = reading.host(&mut params);
    let architecture = reading::architecture(&mut params).unwrap_or_default();
    let isolation = reading::isolation(&mut params);
    let pin =
        params.choice("pin", &[("release", Pin::Release), ("kb", Pin::Kb), ("build", Pin::Build)]);
    let pin = pin.unwrap_or_default();
    let platform = reading::platform(&mut params).unwrap_or_default();
    let format = params.choice("format", &[("json", BadgeFormat::Json), ("svg", BadgeFormat::Svg)]);
    params.finish()?;
    let (Some(image), Some(host)) = (image, host) else {
        return Err(Problem::new(ProblemKind::Internal, "a parameter was lost".to_owned()));
    };
    let image = Arc::new(image);
    Ok((ResolveQuestion { image, host, isolation, pin, kb: None, platform, architecture }, format))
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
    /// The tag, with `(hyperv)` where that is its isolation mode; `none` when no tag runs,
    /// `unknown` when the registry cannot be asked and nothing older is known.
    #[schema(example = "ltsc2019")]
    pub message: String,
    /// `green`: it runs in process isolation. `blue`: it runs in Hyper-V isolation. `yellow`: it
    /// runs, but host or image get no patches any more, or the image's revision may fail on
    /// that of the host; `/resolve` tells which. `red`: no tag runs. `lightgrey`: nobody can
    /// tell.
    #[schema(example = "green")]
    pub color: String,
    /// Whether no tag runs.
    pub is_error: bool,
    /// How long shields.io may keep it, in seconds.
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

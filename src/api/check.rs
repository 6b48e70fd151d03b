//! `/check` on the wire.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::common::{FreshnessObject, HostObject, ImageObject, IsolationWord, VerdictWord};
use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::{self, Reading};
use super::resolve::{ArchitectureChoice, HostTypeChoice, PlatformChoice};
use crate::answers::{CheckQuestion, Checked, CheckedEntry, Remark};

/// The parameters of `/check`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CheckParams {
    /// An image reference in a registry that is allowed, with a tag or digest; without either it
    /// is `latest`, which base images do not have.
    #[param(
        example = "mcr.microsoft.com/windows/servercore:10.0.20348.2113",
        min_length = 1,
        max_length = 512
    )]
    pub image: String,
    /// The host, as any machine prints it.
    #[param(example = "10.0.20348.2113", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Settles whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostTypeChoice>,
    /// The architecture of the host; `amd64` when not given.
    #[param(inline)]
    pub arch: Option<ArchitectureChoice>,
    /// Where the container runs; `docker` when not given.
    #[param(inline)]
    pub platform: Option<PlatformChoice>,
}

/// Reads the parameters of `/check`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_check(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<CheckQuestion, Problem> {
    let mut params = Params::new::<CheckParams>(pairs);
    let reference = reading.reference(&mut params);
    let host = reading.host(&mut params);
    let architecture = reading::architecture(&mut params).unwrap_or_default();
    let platform = reading::platform(&mut params).unwrap_or_default();
    params.finish()?;
    let (Some((image, selector)), Some(host)) = (reference, host) else {
        return Err(Problem::new(ProblemKind::Internal, "a parameter was lost".to_owned()));
    };
    Ok(CheckQuestion { image, selector, host, architecture, platform })
}

/// The answer of `/check`: whether the image runs, and why, entry by entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub struct CheckObject {
    /// The image that was asked for.
    pub image: CheckedImageObject,
    /// The host that was asked for.
    pub host: HostObject,
    /// Whether it runs; null when nobody can tell, because the image does not say which Windows it
    /// is.
    pub runs: Option<bool>,
    /// The isolation mode to use, or null when it does not run.
    pub isolation: Option<IsolationWord>,
    /// All isolation modes that work.
    pub isolation_supported: Vec<IsolationWord>,
    /// Every entry of the image index, or the one image.
    pub entries: Vec<CheckedEntryObject>,
    /// What to look out for.
    pub warnings: Vec<Remark>,
    /// Where the answer comes from, and how old it is.
    pub freshness: FreshnessObject,
}

/// The image of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckedImage)]
pub struct CheckedImageObject {
    /// The reference as it was given.
    #[schema(example = "mcr.microsoft.com/windows/servercore:10.0.20348.2113")]
    pub requested: String,
    /// The family, or null when the image is not of a known family.
    pub family: Option<String>,
    /// The repository that answers, with its registry.
    pub repository: String,
    /// What the reference points to, or null when it is not known.
    pub digest: Option<String>,
}

/// An entry of an image index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckedEntry)]
pub struct CheckedEntryObject {
    /// The digest of its manifest, or null when it is not known.
    pub digest: Option<String>,
    /// Its architecture, or null when it gives none.
    #[schema(example = "amd64")]
    pub architecture: Option<String>,
    /// Its os.version, or null when it gives none.
    #[schema(example = "10.0.20348.2113")]
    pub os_version: Option<String>,
    /// Whether it runs in process isolation.
    pub process: VerdictWord,
    /// Whether it runs in Hyper-V isolation.
    pub hyperv: VerdictWord,
    /// Why, as codes: those of `/resolve`, and `not-windows`, `attestation`, `not-an-image`,
    /// `other-architecture`.
    pub reasons: Vec<String>,
}

impl From<&CheckedEntry> for CheckedEntryObject {
    fn from(entry: &CheckedEntry) -> Self {
        Self {
            digest: entry.digest.as_ref().map(ToString::to_string),
            architecture: entry.architecture.clone(),
            os_version: entry.os_version.clone(),
            process: entry.process.into(),
            hyperv: entry.hyperv.into(),
            reasons: entry.reasons.iter().map(|code| (*code).to_owned()).collect(),
        }
    }
}

impl From<&Checked> for CheckObject {
    fn from(checked: &Checked) -> Self {
        let ImageObject { requested, family, repository } = (&checked.image).into();
        let digest = checked.digest.as_ref().map(ToString::to_string);
        Self {
            image: CheckedImageObject { requested, family, repository, digest },
            host: (&checked.host).into(),
            runs: (!checked.is_unknown).then_some(checked.isolation.is_some()),
            isolation: checked.isolation.map(IsolationWord::from),
            isolation_supported: checked
                .supported
                .iter()
                .map(|isolation| (*isolation).into())
                .collect(),
            entries: checked.entries.iter().map(CheckedEntryObject::from).collect(),
            warnings: checked.warnings.clone(),
            freshness: checked.freshness.into(),
        }
    }
}

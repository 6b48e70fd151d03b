//! `/resolve` on the wire.

use std::sync::Arc;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::common::{AlternativeObject, FreshnessObject, HostObject, ImageObject, IsolationWord};
use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::{self, Reading};
use crate::answers::{Pin, Pins, Remark, Resolution, ResolveQuestion};
use crate::platforms::formats::{Chosen, TextFormat, Unprintable};
use crate::windows::{Isolation, Platform};

/// A question of `/resolve`.
#[derive(IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[schema(as = Question)]
pub struct ResolveParams {
    /// A family of base images (`nanoserver`, `servercore` or `windowsservercore`, `server`,
    /// `windows`, `iis`), or a repository, also by its old Docker Hub name.
    #[param(
        example = "microsoft/nanoserver",
        min_length = 1,
        max_length = 237,
        pattern = "^([A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*(:[0-9]+)?/)?\
                   [a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$"
    )]
    pub image: String,
    /// The host, as any machine prints it: a build, a version, a release name, a product name, the
    /// output of `ver`, of `docker info` or of `kubectl get nodes`.
    #[param(example = "16299", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Settles whether the host is a server or a client. Without it the text, the build or a
    /// revision that only one of them has decides; where that leaves both, it is a server.
    #[param(inline)]
    pub host_type: Option<HostTypeChoice>,
    /// The architecture of the image; `amd64` when not given.
    #[param(inline)]
    pub arch: Option<ArchitectureChoice>,
    /// Which isolation mode will do; `any` when not given.
    #[param(inline)]
    pub isolation: Option<IsolationChoice>,
    /// Which form of tag is wanted; `release` when not given.
    #[param(inline)]
    pub pin: Option<PinChoice>,
    /// The very patch that is wanted, such as `KB4043961`.
    #[param(pattern = "^(KB|kb)?[1-9][0-9]{6}$")]
    pub kb: Option<String>,
    /// Where the container runs; `docker` when not given, or what the format is for. Kubernetes
    /// runs process isolation only.
    #[param(inline)]
    pub platform: Option<PlatformChoice>,
    /// The form of the answer; `json`, the whole answer, when not given. All others are text.
    ///
    /// - `tag`, `reference` (repository and tag), `pinned` (with the digest; 503 where that is not
    ///   known): one line.
    /// - `env`: the variables `WINDOWS_TAG`, `WINDOWS_IMAGE` (the reference), `WINDOWS_DIGEST`
    ///   (empty where it is not known), `WINDOWS_BUILD` (of the host, as `10.0.16299`) and
    ///   `WINDOWS_ISOLATION`. `github`, `azure` and `powershell`: the same for GitHub Actions,
    ///   Azure Pipelines and PowerShell.
    /// - `dockerfile`: its first lines. `compose`: a file of Docker Compose.
    /// - `swarm`: a stack file, and `kubernetes`: a RuntimeClass and a Pod, for nodes of the
    ///   host's build. They are of their platform, which need not be given.
    #[param(inline)]
    pub format: Option<FormatChoice>,
}

/// Server or client.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostTypeChoice {
    /// Windows Server.
    Server,
    /// Windows 10, Windows 11.
    Client,
}

/// An architecture.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchitectureChoice {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM.
    Arm,
}

/// The isolation modes that will do.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IsolationChoice {
    /// Process isolation where it works, else Hyper-V.
    Any,
    /// Process isolation only.
    Process,
    /// Hyper-V isolation only.
    Hyperv,
}

/// A form of tag.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PinChoice {
    /// The floating tag, which has the latest patches.
    Release,
    /// The tag that names a KB.
    Kb,
    /// The tag that names the whole version.
    Build,
}

/// Where a container runs.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformChoice {
    /// A Docker engine.
    Docker,
    /// A Kubernetes node.
    Kubernetes,
    /// A Docker Swarm node.
    Swarm,
}

/// The form of an answer.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatChoice {
    /// The whole answer.
    Json,
    /// The tag alone, as one line of text.
    Tag,
    /// The image reference alone, as one line of text.
    Reference,
    /// The image reference with its digest, as one line of text.
    Pinned,
    /// Variables, one in a line: `WINDOWS_TAG=1709`.
    Env,
    /// The same for GitHub Actions.
    Github,
    /// The same variables as logging commands of Azure Pipelines.
    Azure,
    /// The same variables as statements of PowerShell.
    Powershell,
    /// The first lines of a Dockerfile.
    Dockerfile,
    /// A file of Docker Compose.
    Compose,
    /// A stack file of Docker Swarm.
    Swarm,
    /// Objects of Kubernetes.
    Kubernetes,
}

/// In which form the answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The whole answer.
    Json,
    /// Text for a tool.
    Text(TextFormat),
}

impl Format {
    /// What those get who accept text and name no form.
    pub const TAG: Self = Self::Text(TextFormat::Tag);

    /// Every form.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Json).chain(TextFormat::ALL.map(Self::Text))
    }

    /// The word of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text(format) => format.as_str(),
        }
    }

    /// The platform that the form is for, where it is for one only.
    const fn platform(self) -> Option<Platform> {
        match self {
            Self::Json => None,
            Self::Text(format) => format.platform(),
        }
    }
}

/// What `/resolve` was asked, and in which form, when the parameters say so.
pub struct ResolveRequest {
    /// The question.
    pub question: ResolveQuestion,
    /// The form of the answer.
    pub format: Option<Format>,
}

impl ResolveRequest {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A problem that lists everything that is wrong.
    pub fn read(pairs: Vec<(String, String)>, reading: Reading<'_>) -> Result<Self, Problem> {
        let mut params = Params::new::<ResolveParams>(pairs);
        let image = reading.image(&mut params);
        let host = reading.host(&mut params);
        let architecture = reading::architecture(&mut params).unwrap_or_default();
        let isolation = reading::isolation(&mut params);
        let pin = params
            .choice("pin", &[("release", Pin::Release), ("kb", Pin::Kb), ("build", Pin::Build)]);
        let kb = params.parsed("kb");
        let platform = reading::platform(&mut params);
        let formats: Vec<_> = Format::all().map(|format| (format.as_str(), format)).collect();
        let format = params.choice("format", &formats);
        let of_format = format.and_then(Format::platform);
        if of_format.is_some_and(|of_format| platform.is_some_and(|platform| platform != of_format))
        {
            params.refuse(
                "platform",
                "contradiction",
                "the format is for another platform; leave platform out".to_owned(),
            );
        }
        let platform = platform.or(of_format).unwrap_or_default();
        if kb.is_some() && pin == Some(Pin::Release) {
            params.refuse(
                "pin",
                "contradiction",
                "a release tag moves and cannot hold a kb; leave pin out".to_owned(),
            );
        }
        params.finish()?;
        let (Some(image), Some(host)) = (image, host) else {
            return Err(Problem::new(ProblemKind::Internal, "a parameter was lost".to_owned()));
        };
        let pin = pin.unwrap_or(if kb.is_some() { Pin::Kb } else { Pin::Release });
        let image = Arc::new(image);
        let question = ResolveQuestion { image, host, isolation, pin, kb, platform, architecture };
        Ok(Self { question, format })
    }

    /// The one address of this answer: every parameter that decides it, in a fixed order, spelt one
    /// way. What follows from the spelling alone is of that address: `requested` is in its
    /// words, and it has no warning of an old name or of a text that could mean several hosts.
    pub fn canonical(&self, format: Format) -> String {
        let question = &self.question;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("image", &question.image.repository.to_string());
        query.append_pair("host", &question.host.host.version.to_string());
        query.append_pair("host_type", &question.host.host.kind.to_string());
        query.append_pair("arch", question.architecture.as_str());
        match question.isolation {
            Some(Isolation::Process) => query.append_pair("isolation", "process"),
            Some(Isolation::HyperV) => query.append_pair("isolation", "hyperv"),
            None => &mut query,
        };
        match question.kb {
            Some(kb) => query.append_pair("kb", &kb.to_string()),
            None => &mut query,
        };
        if question.kb.is_none() || question.pin == Pin::Build {
            query.append_pair("pin", question.pin.as_str());
        }
        match question.platform {
            Platform::Docker => &mut query,
            Platform::Kubernetes => query.append_pair("platform", "kubernetes"),
            Platform::Swarm => query.append_pair("platform", "swarm"),
        };
        query.append_pair("format", format.as_str());
        format!("/resolve?{}", query.finish())
    }
}

/// The answer as text for a tool.
///
/// # Errors
/// When what the registry says is not safe as text, or when the text has a digest and nobody knows
/// it.
pub fn resolution_text(resolution: &Resolution, format: TextFormat) -> Result<String, Problem> {
    let chosen = Chosen {
        repository: &resolution.image.repository,
        tag: &resolution.tag,
        digest: resolution.digest.as_ref(),
        host: resolution.host.version,
        isolation: resolution.isolation,
    };
    format.print(&chosen).map_err(|why| match why {
        Unprintable::Unsafe => Problem::new(ProblemKind::UpstreamInvalid, why.to_string()),
        Unprintable::NoDigest => {
            let detail = format!(
                "{}: {why}; ask again when it can be asked, or use format=reference",
                resolution.reference()
            );
            Problem::new(ProblemKind::UpstreamUnavailable, detail)
        }
    })
}

/// The answer of `/resolve`: one tag, the isolation mode, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Resolution)]
pub struct ResolutionObject {
    /// The image that was asked for.
    pub image: ImageObject,
    /// The host that was asked for.
    pub host: HostObject,
    /// The tag to use.
    #[schema(example = "1709")]
    pub tag: String,
    /// The image reference to use: repository and tag.
    #[schema(example = "mcr.microsoft.com/windows/nanoserver:1709")]
    pub reference: String,
    /// What the tag points to, or null when it is not known.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// The Windows version of the image; three parts when only its release is known.
    #[schema(example = "10.0.16299.1087")]
    pub os_version: String,
    /// The KB of that version, or null when it is not known.
    #[schema(example = "KB4493441")]
    pub kb: Option<String>,
    /// The isolation mode to use.
    pub isolation: IsolationWord,
    /// All isolation modes that work.
    pub isolation_supported: Vec<IsolationWord>,
    /// The tag for each form.
    pub pins: PinsObject,
    /// Why this tag and this mode.
    pub reasons: Vec<Remark>,
    /// What to look out for.
    pub warnings: Vec<Remark>,
    /// Other tags that run on the host.
    pub alternatives: Vec<AlternativeObject>,
    /// Where the answer comes from, and how old it is.
    pub freshness: FreshnessObject,
}

/// The tag for each form; null where the repository has none that fits the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Pins)]
pub struct PinsObject {
    /// The floating tag of the release.
    #[schema(example = "1709")]
    pub release: Option<String>,
    /// The newest KB tag that is not above the host's revision.
    #[schema(example = "1709-KB4493441")]
    pub kb: Option<String>,
    /// The newest build tag that is not above the host's revision.
    #[schema(example = "10.0.16299.1087")]
    pub build: Option<String>,
}

impl From<&Pins> for PinsObject {
    fn from(pins: &Pins) -> Self {
        Self { release: pins.release.clone(), kb: pins.kb.clone(), build: pins.build.clone() }
    }
}

impl From<&Resolution> for ResolutionObject {
    fn from(resolution: &Resolution) -> Self {
        Self {
            image: resolution.image.as_ref().into(),
            host: (&resolution.host).into(),
            tag: resolution.tag.clone(),
            reference: resolution.reference(),
            digest: resolution.digest.as_ref().map(ToString::to_string),
            os_version: resolution.os_version.to_string(),
            kb: resolution.kb.map(|kb| kb.to_string()),
            isolation: resolution.isolation.into(),
            isolation_supported: resolution
                .supported
                .iter()
                .map(|isolation| (*isolation).into())
                .collect(),
            pins: (&resolution.pins).into(),
            reasons: resolution.reasons.clone(),
            warnings: resolution.warnings.clone(),
            alternatives: resolution.alternatives.iter().map(AlternativeObject::from).collect(),
            freshness: resolution.freshness.into(),
        }
    }
}

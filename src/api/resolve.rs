//! The parameters of `/resolve`, and its answer as text.

use utoipa::{IntoParams, PartialSchema as _, ToSchema};

use super::choices::{Format, IsolationChoice, PlatformChoice, TaggedImage};
use super::params::Params;
use super::problem::{Problem, ProblemKind};
use super::reading::{Pull, Reading, read_pull, refuse_engine_then};
use crate::answers::{Resolution, ResolveQuestion};
use crate::images::{Architecture, Pin};
use crate::platforms::engines::{Requested, Store};
use crate::platforms::formats::{Chosen, TextFormat, Unprintable};
use crate::windows::{HostKind, Platform};

/// A question of `/resolve`.
#[derive(IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[schema(as = Question)]
pub struct ResolveParams {
    /// A family of base images (`nanoserver`, `servercore` or `windowsservercore`, `server`,
    /// `windows`, `iis`), or a repository, also by its old Docker Hub name. With a tag, such as
    /// `golang:1.26` or `mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-1809`: the tag of the same
    /// software for the host.
    #[param(inline, example = "nanoserver")]
    #[schema(schema_with = TaggedImage::schema)]
    pub image: TaggedImage,
    /// The host, in any form that a machine prints: a build, a version, a release name, a product
    /// name, the output of `ver`, `docker info` or `kubectl get nodes`.
    #[param(example = "20348", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Whether the host is a server or a client. By default it follows from the text, the build,
    /// or a revision that only one of the two has; if both are possible, it is a server.
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
    /// The update that the image must contain, such as `KB4043961`.
    #[param(pattern = "^(KB|kb)?[1-9][0-9]{6}$")]
    pub kb: Option<String>,
    /// Where the container runs: `docker`, `kubernetes` or `swarm`; by default the platform of the
    /// format, else `docker`. Kubernetes runs process isolation only. With `engine` also the
    /// `--platform` in its command, as in `/check`.
    #[param(inline)]
    #[schema(inline)]
    pub platform: Option<PlatformChoice>,
    /// The engine that pulls the image, as in `/check`: `engine` of the answer then has what it
    /// takes from the index of the tag.
    #[param(example = "containerd-2.2", min_length = 1, max_length = 48)]
    pub engine: Option<String>,
    /// The image store of Docker, if `engine` is one; `classic` by default, as on Windows.
    #[param(inline)]
    pub store: Option<Store>,
    /// A former day, such as `2024-03-01`, or a moment: the answer as it was then, from
    /// observations only. What is not known of that day is null, and a warning says why.
    #[param(min_length = 10, max_length = 35)]
    pub as_of: Option<String>,
    /// The form of the answer; `json`, the whole answer, by default. All others are text.
    ///
    /// - `tag`, `reference` (repository and tag), `pinned` (with the digest; 503 if it is not
    ///   known): one line.
    /// - `env`: the variables `WINDOWS_TAG`, `WINDOWS_IMAGE` (the reference), `WINDOWS_DIGEST`
    ///   (empty if it is not known), `WINDOWS_BUILD` (of the host, as `10.0.16299`) and
    ///   `WINDOWS_ISOLATION`. `github`, `azure` and `powershell`: the same for GitHub Actions,
    ///   Azure Pipelines and PowerShell.
    /// - `dockerfile`: its first lines. `compose`: a file of Docker Compose.
    /// - `swarm`: a stack file, and `kubernetes`: a RuntimeClass and a Pod, for nodes of the
    ///   host's build. They imply their platform.
    #[param(inline)]
    pub format: Option<Format>,
}

/// The parameters of `/resolve` where the host is a text in the body. With a body in JSON there are
/// none.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ResolveTextParams {
    /// With a text: the image, as in GET.
    pub image: Option<String>,
    /// With a text: server or client, as in GET.
    #[param(inline)]
    pub host_type: Option<HostKind>,
    /// With a text: the architecture, as in GET.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// With a text: acceptable isolation modes, as in GET.
    #[param(inline)]
    pub isolation: Option<IsolationChoice>,
    /// With a text: the form of the tag, as in GET.
    #[param(inline)]
    pub pin: Option<Pin>,
    /// With a text: the update that the image must contain, as in GET.
    pub kb: Option<String>,
    /// With a text: where the container runs, as in GET.
    #[param(inline)]
    pub platform: Option<PlatformChoice>,
    /// With a text: the engine that pulls the image, as in GET.
    pub engine: Option<String>,
    /// With a text: the image store of Docker, as in GET.
    #[param(inline)]
    pub store: Option<Store>,
    /// With a text: a former day, as in GET.
    pub as_of: Option<String>,
    /// With a text: the form of the answer, as in GET.
    #[param(inline)]
    pub format: Option<Format>,
}

/// A request for `/resolve`.
pub struct ResolveRequest {
    /// The question.
    pub question: ResolveQuestion,
    /// The form of the answer, if the parameters name one.
    pub format: Option<Format>,
}

impl ResolveRequest {
    /// Reads the parameters.
    ///
    /// # Errors
    /// A problem that lists everything that is wrong.
    pub fn read(pairs: Vec<(String, String)>, reading: Reading<'_>) -> Result<Self, Problem> {
        let mut params = Params::new::<ResolveParams>(pairs);
        let question = reading.question(&mut params);
        let pin = params.word("pin");
        let kb = params.parsed("kb");
        // The question has it too, but not whether it was given.
        let arch = params.optional("arch").and_then(|text| Architecture::read(&text).ok());
        let Pull { platform, engine, requested, architecture } = read_pull(&mut params, arch);
        let as_of = reading.as_of(&mut params);
        refuse_engine_then(&mut params, engine.is_some(), as_of);
        let format = Format::read(&mut params);
        let of_format = format.and_then(Format::platform);
        let is_given = platform.is_some() || requested != Requested::Default;
        if is_given && of_format.is_some() && platform != of_format {
            let message = "the format is for another platform; leave platform out".to_owned();
            params.refuse("platform", "contradiction", message);
        }
        if kb.is_some() && pin == Some(Pin::Release) {
            let message = "a release tag moves and cannot hold a kb; leave pin out".to_owned();
            params.refuse("pin", "contradiction", message);
        }
        let question = ResolveQuestion {
            pin: pin.unwrap_or(if kb.is_some() { Pin::Kb } else { Pin::Release }),
            kb,
            platform: platform.or(of_format).unwrap_or_default(),
            engine,
            requested,
            architecture,
            as_of,
            ..params.finish_with(question)?
        };
        Ok(Self { question, format })
    }

    /// The canonical URL of this answer: every parameter that affects it, in a fixed order, spelt
    /// in one way. Only details that follow from the spelling differ there: `requested`, and
    /// the warnings about an old name and about a text that could mean several hosts.
    pub fn canonical(&self, format: Format) -> String {
        let question = &self.question;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let tag = question.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
        query.append_pair("image", &format!("{}{tag}", question.image.repository));
        query.append_pair("host", &question.host.version.to_string());
        query.append_pair("host_type", question.host.kind.as_str());
        query.append_pair("arch", question.architecture.as_str());
        if let Some(isolation) = question.isolation {
            query.append_pair("isolation", isolation.as_str());
        }
        if let Some(kb) = question.kb {
            query.append_pair("kb", &kb.to_string());
        }
        if question.kb.is_none() || question.pin == Pin::Build {
            query.append_pair("pin", question.pin.as_str());
        }
        if question.platform != Platform::default() {
            query.append_pair("platform", question.platform.as_str());
        }
        if let Some(engine) = question.engine {
            query.append_pair("engine", &engine.name);
        }
        if let Some(requested) = question.requested.written(question.architecture) {
            query.append_pair("platform", &requested);
        }
        if let Some(as_of) = question.as_of {
            query.append_pair("as_of", &as_of.to_string());
        }
        query.append_pair("format", format.as_str());
        format!("/resolve?{}", query.finish())
    }
}

/// The answer as text for a tool.
///
/// # Errors
/// When the registry's answer is not safe as text, or when the text has a digest that is not known.
pub fn resolution_text(resolution: &Resolution, format: TextFormat) -> Result<String, Problem> {
    let chosen = Chosen {
        repository: &resolution.image.named.repository,
        tag: &resolution.tag,
        digest: resolution.digest.as_ref(),
        host: resolution.host.os_version,
        isolation: resolution.isolation,
    };
    format.print(&chosen).map_err(|why| match why {
        Unprintable::Unsafe => Problem::new(ProblemKind::UpstreamInvalid, why.to_string()),
        Unprintable::NoDigest => {
            let detail = format!(
                "{}: {why}; try again when the registry is available, or use format=reference",
                resolution.reference
            );
            Problem::new(ProblemKind::UpstreamUnavailable, detail)
        }
    })
}

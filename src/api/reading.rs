//! Parameters that several operations share, read the same way everywhere.

use std::sync::Arc;

use jiff::Timestamp;

use crate::answers::{AskedHost, Context, ResolveQuestion};
use crate::catalogue::{Catalogue, Moment, ParseMomentError, RegistryError};
use crate::images::{
    Architecture, Families, FamilyError, NamedImage, ParseReferenceError, Repository, Selector, Tag,
};
use crate::platforms::engines::{Engine, Requested, Store, engine};
use crate::windows::{
    Fleets, HostCandidate, HostError, HostKind, HostReading, Platform, Tables, read_host,
};

use super::choices::IsolationChoice;
use super::params::Params;
use super::problem::{ALLOW_REGISTRY, ErrorObject, NOT_ALLOWED, ProblemKind};

/// What reading needs to know.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The families of images.
    pub families: &'a Families,
    /// The fleets of the configuration.
    pub fleets: &'a Fleets,
    /// The Windows tables.
    pub tables: &'a Tables,
    /// Knows which registries may be asked; reading asks none.
    pub catalogue: &'a Catalogue,
    /// The present moment, after which there are no observations.
    pub now: Timestamp,
}

/// What is wrong with one value.
pub type Refused = (ProblemKind, ErrorObject);

/// The code of a text that could be several hosts.
const AMBIGUOUS: &str = "ambiguous";
/// What takes the text of several hosts.
const LISTS_OF_NODES: &str =
    "for a list of nodes the service has POST /kubernetes/nodes and POST /swarm/nodes";
/// An example host for error texts.
const EXAMPLE_HOST: &str = "10.0.17763.1039";
/// What to write for the Windows version of an image.
const HOW_TO_SAY_VERSION: &str = "give the word that tags have for a release (ltsc2022, 1809), a \
                                  build (20348), or a version (10.0.20348.2113)";
/// What a platform in a command may be.
const NOT_A_PLATFORM: &str = "must be a platform such as windows/amd64 or \
                              windows(10.0.20348)/amd64";
/// An example image for error texts.
const EXAMPLE_IMAGE: &str = "nanoserver";

/// The parameters `engine` and `store`.
pub fn read_engine(params: &mut Params) -> Option<&'static Engine> {
    let store: Option<Store> = params.word("store");
    let name = params.optional("engine");
    if store.is_some() && !name.as_deref().is_some_and(|name| name.starts_with("docker")) {
        params.refuse("store", NOT_ALLOWED, "needs engine=docker, or a version of it".to_owned());
    }
    let read = |text: &str| engine(text, store).map_err(|error| error.to_string());
    name.and_then(|name| params.parse_with("engine", &name, read))
}

/// How an image is pulled.
#[derive(Default)]
pub struct Pull {
    /// Where the container runs; `None` by default, and with a platform in the command.
    pub platform: Option<Platform>,
    /// The engine; `None` for all of today's.
    pub engine: Option<&'static Engine>,
    /// The platform in its command.
    pub requested: Requested,
    /// That of the platform in the command, else that of `arch`.
    pub architecture: Architecture,
}

/// The parameters `platform`, `engine` and `store`. The first is a place where containers run or,
/// with `engine`, the `--platform` of its command, which Kubernetes and Swarm never give.
/// `architecture` is that of `arch`, if it is given.
pub fn read_pull(params: &mut Params, architecture: Option<Architecture>) -> Pull {
    let engine = read_engine(params);
    let pull = Pull { engine, architecture: architecture.unwrap_or_default(), ..Pull::default() };
    let text = params.optional("platform");
    let Some(text) = text.filter(|text| text.contains('/')) else {
        return Pull { platform: params.word("platform"), ..pull };
    };
    let read = Requested::read(&text);
    let wrong = match (read, engine) {
        (None, _) => Some(NOT_A_PLATFORM.to_owned()),
        (Some((_, of_platform)), _) if architecture.is_some_and(|given| given != of_platform) => {
            Some("names another architecture than arch; leave arch out".to_owned())
        }
        (Some((requested, _)), Some(engine)) => {
            engine.reads(requested).err().map(|error| error.to_string())
        }
        // An engine that could not be read has its own message.
        (Some(_), None) if params.is_refused("engine") => None,
        (Some(_), None) => {
            let message = "needs engine, such as engine=docker-29.6, whose --platform it is; \
                           without one, write docker, kubernetes or swarm";
            Some(message.to_owned())
        }
    };
    if let Some(message) = wrong {
        params.refuse("platform", NOT_ALLOWED, message);
    }
    let (requested, architecture) = read.unwrap_or((pull.requested, pull.architecture));
    Pull { requested, architecture, ..pull }
}

/// Refuses `engine` for a former day: of the index of that day, only the digest is known.
pub fn refuse_engine_then(params: &mut Params, has_engine: bool, as_of: Option<Moment>) {
    if has_engine && as_of.is_some() {
        let message = "what an engine took on a former day is not known; leave as_of out";
        params.refuse("engine", "contradiction", message.to_owned());
    }
}

impl<'a> From<&'a Context> for Reading<'a> {
    fn from(context: &'a Context) -> Self {
        let Context { families, fleets, catalogue, tables, .. } = context;
        Self { families, fleets, tables, catalogue, now: context.now().utc }
    }
}

impl Reading<'_> {
    /// The parameter `image`: a family or a repository.
    pub fn image(&self, params: &mut Params) -> Option<NamedImage> {
        let text = params.required("image", EXAMPLE_IMAGE)?;
        let image = self.families.read(&text).map_err(|error| refuse_image(params, &error)).ok()?;
        self.allowed(params, &image).then_some(image)
    }

    /// The parameter `image` where it may have a tag or digest.
    pub fn reference(&self, params: &mut Params) -> Option<(NamedImage, Selector)> {
        let text = params.required("image", "mcr.microsoft.com/windows/nanoserver:ltsc2022")?;
        let read = self
            .families
            .read_reference(&text)
            .map_err(|error| refuse_image(params, &error))
            .ok()?;
        self.allowed(params, &read.0).then_some(read)
    }

    /// Whether the registry of the image may be asked; else that is noted with all else that is
    /// wrong.
    fn allowed(&self, params: &mut Params, image: &NamedImage) -> bool {
        let allowed = self.catalogue.allows(&image.repository);
        if !allowed {
            let error =
                RegistryError::NotAllowed { registry: image.repository.registry().to_owned() };
            let kind = ProblemKind::RegistryNotAllowed;
            params.refuse_as(
                kind,
                "image",
                kind.code(),
                format!("{error}{ALLOW_REGISTRY}"),
                Vec::new(),
            );
        }
        allowed
    }

    /// The parameter `as_of`: a day or a moment that has begun.
    pub fn as_of(&self, params: &mut Params) -> Option<Moment> {
        let text = params.optional("as_of")?;
        params.parse_with("as_of", &text, |text| match text.parse() {
            Ok(Moment::Month(_)) | Err(_) => Err(ParseMomentError.to_string()),
            // The freshness of answers is rounded to seconds.
            Ok(as_of) if as_of.earliest().duration_since(self.now).as_secs() > 0 => {
                Err("lies in the future, of which there are no observations".to_owned())
            }
            Ok(as_of) => Ok(as_of),
        })
    }

    /// The parameters `host` and `host_type`, if they leave no doubt.
    pub fn host(&self, params: &mut Params) -> Option<AskedHost> {
        let reading = self.host_reading(params)?;
        decided("host", reading).map_err(|refused| params.refuse_with(refused)).ok()
    }

    /// The parameter `image` where it may have a tag.
    pub fn tagged_image(&self, params: &mut Params) -> Option<(NamedImage, Option<Tag>)> {
        let text = params.optional("image").unwrap_or_default();
        match self.families.read_reference(&text) {
            Ok((image, Selector::Tag(tag))) => {
                self.allowed(params, &image).then(|| (image, Tag::parse(&tag)))
            }
            Ok((_, Selector::Digest { .. })) => {
                let message = "a digest selects one image already; give a tag or none, or use \
                               check, which takes a digest";
                params.refuse("image", NOT_ALLOWED, message.to_owned());
                None
            }
            Ok((image, Selector::Default))
                if text.contains('/') && text.len() <= Repository::MAX_TEXT_BYTES =>
            {
                self.allowed(params, &image).then_some((image, None))
            }
            // A single word has errors of its own.
            Ok((_, Selector::Default)) | Err(_) => Some((self.image(params)?, None)),
        }
    }

    /// The parameters `image`, `host`, `host_type`, `arch` and `isolation`: a question for a
    /// release tag on Docker.
    pub fn question(&self, params: &mut Params) -> Option<ResolveQuestion> {
        let image = self.tagged_image(params);
        let host = self.host(params);
        let architecture = params.word_with("arch", Architecture::read).unwrap_or_default();
        let isolation = IsolationChoice::read(params);
        let (image, tag) = image?;
        let question = ResolveQuestion::new(Arc::new(image), host?);
        Some(ResolveQuestion { tag, architecture, isolation, ..question })
    }

    /// The parameters `host` and `host_type`, also when the text leaves it open which host it is.
    pub fn host_reading(&self, params: &mut Params) -> Option<HostReading> {
        let kind = params.word("host_type");
        let text = params.required("host", EXAMPLE_HOST)?;
        self.read_host("host", &text, kind).map_err(|refused| params.refuse_with(refused)).ok()
    }

    /// A host, in the parameter of this name.
    ///
    /// # Errors
    /// When the text is no host.
    pub fn read_host(
        &self,
        name: &str,
        text: &str,
        kind: Option<HostKind>,
    ) -> Result<HostReading, Refused> {
        read_host(text, kind, self.tables).map_err(|error| {
            let message = error.to_string();
            match error {
                HostError::Unknown { suggestions } => {
                    unknown(ProblemKind::UnknownHost, name, message, suggestions)
                }
                HostError::Several { versions } => {
                    let allowed = versions.iter().map(ToString::to_string).collect();
                    let message = format!("{message}; {LISTS_OF_NODES}");
                    (ProblemKind::InvalidParameter, error_of(name, AMBIGUOUS, message, allowed))
                }
                HostError::Moving { instead, .. } => {
                    let allowed = instead.iter().map(ToString::to_string).collect();
                    (ProblemKind::InvalidParameter, error_of(name, AMBIGUOUS, message, allowed))
                }
                HostError::NotWindows | HostError::TooOld { .. } | HostError::DockerVersion => {
                    unknown(ProblemKind::UnknownHost, name, message, Vec::new())
                }
                HostError::Empty | HostError::TooLong | HostError::Automatic => (
                    ProblemKind::InvalidParameter,
                    error_of(name, "not-allowed", message, Vec::new()),
                ),
            }
        })
    }

    /// The Windows version of images, in the parameter of this name. It is read as that of a server
    /// host.
    ///
    /// # Errors
    /// When the text is no Windows version.
    pub fn read_version(&self, name: &str, text: &str) -> Result<HostReading, Refused> {
        let read = |text: &str| read_host(text, Some(HostKind::Server), self.tables);
        read(text).map_err(|error| {
            let (what, mut suggestions) = match error {
                HostError::Unknown { suggestions } => {
                    ("no Windows release is known by this text".to_owned(), suggestions)
                }
                HostError::Several { versions } => (
                    "several Windows versions were found in this text".to_owned(),
                    versions.iter().map(ToString::to_string).collect(),
                ),
                HostError::TooOld { what } => (
                    format!("{what} has no container images; the first are those of build 14393"),
                    Vec::new(),
                ),
                _ => ("this is not a Windows version".to_owned(), Vec::new()),
            };
            suggestions.retain(|text| read(text).is_ok_and(|reading| reading.host.is_some()));
            let nearest = match suggestions.as_slice() {
                [] => String::new(),
                some => format!(" (did you mean {}?)", some.join(", ")),
            };
            let message = format!("{what}{nearest}; {HOW_TO_SAY_VERSION}");
            unknown(ProblemKind::UnknownImage, name, message, suggestions)
        })
    }
}

/// The host, if the text could be one build only.
///
/// # Errors
/// When it could be several builds; they are named.
pub fn decided(name: &str, reading: HostReading) -> Result<AskedHost, Refused> {
    let HostReading { host, could_mean } = reading;
    let Some(host) = host else {
        let names: Vec<String> = could_mean.iter().map(describe).collect();
        let build = could_mean.first().map_or(0, |candidate| candidate.build);
        let message = format!(
            "it could be any of these: {}; give the build, such as 10.0.{build}",
            names.join("; ")
        );
        return Err((ProblemKind::InvalidParameter, error_of(name, AMBIGUOUS, message, names)));
    };
    Ok(AskedHost::new(host, could_mean))
}

fn refuse_image(params: &mut Params, error: &FamilyError) {
    match error {
        FamilyError::Unknown { similar, known } => {
            let others = known.iter().filter(|name| !similar.contains(name));
            let allowed = similar.iter().chain(others).cloned().collect();
            let kind = ProblemKind::UnknownImage;
            params.refuse_as(kind, "image", kind.code(), error.to_string(), allowed);
        }
        FamilyError::Reference(ParseReferenceError::Capitals { small }) => {
            params.refuse_among("image", "not-allowed", error.to_string(), vec![small.clone()]);
        }
        FamilyError::Reference(_) | FamilyError::Table { .. } => {
            params.refuse("image", "not-allowed", error.to_string());
        }
    }
}

fn unknown(kind: ProblemKind, name: &str, message: String, allowed: Vec<String>) -> Refused {
    (kind, error_of(name, kind.code(), message, allowed))
}

fn error_of(name: &str, code: &str, message: String, allowed: Vec<String>) -> ErrorObject {
    ErrorObject { parameter: Some(name.to_owned()), code: code.to_owned(), message, allowed }
}

/// What a text could mean, in words.
fn describe(candidate: &HostCandidate) -> String {
    match &candidate.name {
        Some(name) => format!("{name} ({})", candidate.build),
        None => candidate.build.to_string(),
    }
}

//! The parameters that several operations have, read the same way everywhere.

use crate::answers::{Architecture, AskedHost, Context};
use crate::images::{Families, FamilyError, NamedImage, Selector};
use crate::windows::{HostCandidate, HostError, HostKind, HostReading, Isolation, Platform, Tables, read_host};

use super::params::Params;
use super::problem::ProblemKind;

/// What reading needs to know.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The families of images.
    pub families: &'a Families,
    /// The Windows tables.
    pub tables: &'static Tables,
}

/// An example host for error texts.
const EXAMPLE_HOST: &str = "10.0.17763.1039";
/// An example image for error texts.
const EXAMPLE_IMAGE: &str = "nanoserver";

impl<'a> From<&'a Context> for Reading<'a> {
    fn from(context: &'a Context) -> Self {
        Self { families: &context.families, tables: context.tables }
    }
}

impl Reading<'_> {
    /// The parameter `image`: a family or a repository.
    pub fn image(&self, params: &mut Params) -> Option<NamedImage> {
        let text = params.required("image", EXAMPLE_IMAGE)?;
        self.families.read(&text).map_err(|error| self.refuse_image(params, &error)).ok()
    }

    /// The parameter `image` where it may have a tag or digest.
    pub fn reference(&self, params: &mut Params) -> Option<(NamedImage, Selector)> {
        let text = params.required("image", "mcr.microsoft.com/windows/nanoserver:ltsc2022")?;
        self.families.read_reference(&text).map_err(|error| self.refuse_image(params, &error)).ok()
    }

    fn refuse_image(&self, params: &mut Params, error: &FamilyError) {
        match error {
            FamilyError::Unknown { known } => {
                params.refuse_as(ProblemKind::UnknownImage, "image", "unknown-image", error.to_string(), known.clone());
            }
            FamilyError::Reference(_) | FamilyError::Table { .. } => {
                params.refuse("image", "not-allowed", error.to_string());
            }
        }
    }

    /// The parameters `host` and `host_type`: a host that is decided.
    pub fn host(&self, params: &mut Params) -> Option<AskedHost> {
        let reading = self.host_reading(params)?;
        let HostReading { host, could_mean } = reading;
        if host.is_none() {
            let names = could_mean.iter().map(describe).collect();
            let message = "it could be any of these; give the build, such as 10.0.19045".to_owned();
            params.refuse_among("host", "ambiguous", message, names);
        }
        host.map(|host| AskedHost { host, could_mean })
    }

    /// The parameters `host` and `host_type`, also when the text leaves it open which host it is.
    pub fn host_reading(&self, params: &mut Params) -> Option<HostReading> {
        let kind = params.choice("host_type", &[("server", HostKind::Server), ("client", HostKind::Client)]);
        let text = params.required("host", EXAMPLE_HOST)?;
        self.read_host(params, "host", &text, kind)
    }

    /// A host out of a list, such as the hosts of the matrix.
    pub fn read_host(
        &self,
        params: &mut Params,
        name: &str,
        text: &str,
        kind: Option<HostKind>,
    ) -> Option<HostReading> {
        let error = match read_host(text, kind, self.tables) {
            Ok(reading) => return Some(reading),
            Err(error) => error,
        };
        let message = error.to_string();
        match error {
            HostError::Unknown { suggestions } => {
                params.refuse_as(ProblemKind::UnknownHost, name, "unknown-host", message, suggestions);
            }
            HostError::NotWindows | HostError::TooOld { .. } => {
                params.refuse_as(ProblemKind::UnknownHost, name, "unknown-host", message, Vec::new());
            }
            HostError::Empty | HostError::TooLong | HostError::Automatic => params.refuse(name, "not-allowed", message),
        }
        None
    }
}

/// What a text could mean, in words.
pub fn describe(candidate: &HostCandidate) -> String {
    match &candidate.name {
        Some(name) => format!("{name} ({})", candidate.build),
        None => candidate.build.to_string(),
    }
}

/// The parameter `arch`.
pub fn architecture(params: &mut Params) -> Option<Architecture> {
    params.choice("arch", &[("amd64", Architecture::Amd64), ("arm64", Architecture::Arm64), ("arm", Architecture::Arm)])
}

/// The parameter `platform`.
pub fn platform(params: &mut Params) -> Platform {
    let choices = [("docker", Platform::Docker), ("kubernetes", Platform::Kubernetes), ("swarm", Platform::Swarm)];
    params.choice("platform", &choices).unwrap_or_default()
}

/// The parameter `isolation`; none when any will do.
pub fn isolation(params: &mut Params) -> Option<Isolation> {
    let choices = [("any", None), ("process", Some(Isolation::Process)), ("hyperv", Some(Isolation::HyperV))];
    params.choice("isolation", &choices).flatten()
}

//! The request text of `/diagnose`, and its answer as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::answers::{
    Diagnosed, Diagnosis, HostDescription, MentionedHost, MentionedImage, Remedy, RemedyCode,
};
use crate::images::NamedImage;
use crate::platforms::diagnosis::{Cause, Setting};
use crate::windows::Isolation;

/// The hint for a text without findings.
const NOTHING_RECOGNISED: &str = "no error was recognised that comes from the Windows version of a \
     container. Recognised are errors of Docker, containerd, Swarm, Kubernetes and the Host \
     Compute Service about versions, pulls, isolation and Hyper-V. Send the whole error: the \
     output of docker service ps --no-trunc SERVICE, kubectl describe pod POD, or docker run";
/// The hint for a text with hosts and without errors.
const ONLY_HOSTS: &str = "no error was recognised; these are the hosts and images in the text, \
                          with the tags for them. Send the error as well to get its cause";
/// The hint for a text without the host, which determines the tag.
const HOST_MISSING: &str = "add the output of docker info or kubectl describe node: with the host, \
                            the answer includes the tag";

/// The text in a request body or a file. PowerShell's `>` writes UTF-16; invalid bytes become
/// replacement characters.
///
/// # Errors
/// If it is empty: more likely the output of a command that failed than a question.
pub fn read_text(bytes: &[u8]) -> Result<String, Problem> {
    if bytes.trim_ascii().is_empty() {
        let detail = "must not be empty; send the text as it was printed".to_owned();
        return Err(Problem::of_parameter("body", "empty", detail));
    }
    let (is_big_endian, text) = match bytes {
        [0xff, 0xfe, text @ ..] => (false, text),
        [0xfe, 0xff, text @ ..] => (true, text),
        _ => return Ok(String::from_utf8_lossy(bytes).into_owned()),
    };
    // `curl --data @FILE` removes NUL and line ends from a file, which leaves ASCII letters.
    if !text.contains(&0) {
        return Ok(String::from_utf8_lossy(text).into_owned());
    }
    let unit = |pair: &[u8; 2]| {
        if is_big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
    };
    let units: Vec<u16> = text.as_chunks().0.iter().map(unit).collect();
    Ok(String::from_utf16_lossy(&units))
}

/// The errors in a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub struct DiagnosisObject {
    /// The recognised errors, in the order of the text; at most 8.
    pub findings: Vec<FindingObject>,
    /// If no error was recognised: the hosts in the text, with the tags for each; at most 8.
    pub hosts: Vec<MentionedHost>,
    /// If no error was recognised: the images in the text, with the tag for the host; at most 8.
    pub images: Vec<MentionedImage>,
    /// What to send for a better answer, or null if nothing is missing.
    pub hint: Option<String>,
}

/// An error in a text, and its remedies.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingObject {
    /// The stable code.
    #[schema(value_type = String, example = "os-version-mismatch")]
    pub code: Cause,
    /// The cause, for people; the wording may change.
    pub message: String,
    /// The error in the text.
    pub evidence: EvidenceObject,
    /// The image, or null if the text does not name it.
    pub image: Option<NamedImage>,
    /// The Windows version of the image, as far as the error or the tag reveals it.
    #[schema(example = "10.0.14393.1715")]
    pub image_os_version: Option<String>,
    /// The host, or null if the text does not name it.
    pub host: Option<HostDescription>,
    /// The isolation mode of the container, or null if the text does not name it.
    pub isolation: Option<Isolation>,
    /// The platform that runs the container: `docker`, `buildkit`, `swarm`, `kubernetes` or `ecs`.
    #[schema(value_type = String, example = "swarm")]
    pub platform: Setting,
    /// The remedies, the best first.
    pub remedies: Vec<Remedy>,
}

/// A part of the text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Evidence)]
pub struct EvidenceObject {
    /// The position of its first character, in Unicode code points from 0.
    #[schema(example = 128)]
    pub start: usize,
    /// The position after its last character.
    #[schema(example = 222)]
    pub end: usize,
    /// The part on one line, without colours and control characters, cut after 400 characters.
    #[schema(example = "The operating system of the container does not match the operating \
                        system of the host")]
    pub text: String,
}

impl From<&Diagnosis> for DiagnosisObject {
    fn from(diagnosis: &Diagnosis) -> Self {
        let Diagnosis { findings: diagnosed, mentioned } = diagnosis;
        let lacks_host = |it: &Diagnosed| {
            it.remedies.iter().any(|remedy| remedy.code == RemedyCode::FindHostVersion)
        };
        let hint = match diagnosed.as_slice() {
            [] if !mentioned.hosts.is_empty() => Some(ONLY_HOSTS),
            [] => Some(NOTHING_RECOGNISED),
            _ if diagnosed.iter().any(lacks_host) => Some(HOST_MISSING),
            _ => None,
        };
        Self {
            findings: diagnosed.iter().map(FindingObject::from).collect(),
            hosts: mentioned.hosts.clone(),
            images: mentioned.images.clone(),
            hint: hint.map(str::to_owned),
        }
    }
}

impl From<&Diagnosed> for FindingObject {
    fn from(diagnosed: &Diagnosed) -> Self {
        let finding = &diagnosed.finding;
        Self {
            code: finding.cause,
            message: diagnosed.message.clone(),
            evidence: EvidenceObject {
                start: finding.span.start,
                end: finding.span.end,
                text: finding.evidence.clone(),
            },
            image: diagnosed.image.clone(),
            image_os_version: finding.image_version.map(|version| version.to_string()),
            host: diagnosed.host.clone(),
            isolation: finding.isolation,
            platform: finding.setting,
            remedies: diagnosed.remedies.clone(),
        }
    }
}

//! The answer of `/check`.

use serde::Serialize;
use utoipa::ToSchema;

use super::engines::EnginePick;
use super::host::HostDescription;
use super::remark::Remark;
use crate::catalogue::Freshness;
use crate::images::Digest;
use crate::windows::{Base, Compatibility, Isolation, Verdict, WindowsVersion};

/// The answer of `/check`: whether the image runs, and why, entry by entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub struct Checked {
    /// The requested image.
    pub image: CheckedImage,
    /// The requested host.
    pub host: HostDescription,
    /// Whether it runs; null if that is unknown because the image does not say which Windows it
    /// is.
    pub runs: Option<bool>,
    /// The isolation mode to use; null if the image does not run.
    pub isolation: Option<Isolation>,
    /// All isolation modes that work.
    pub isolation_supported: Vec<Isolation>,
    /// A reference of the same software that runs, if this one does not; null if none is known.
    pub suggestion: Option<String>,
    /// Every entry of the image index, or the single image.
    pub entries: Vec<CheckedEntry>,
    /// What the requested engine takes; null if none was requested.
    pub engine: Option<EnginePick>,
    /// Without `engine`: today's engines of the platform that do not take the entry of this answer.
    pub engines: Vec<EnginePick>,
    /// Possible problems with this answer.
    pub warnings: Vec<Remark>,
    /// Where the answer comes from, and how old it is.
    pub freshness: Freshness,
}

/// The image of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckedImage {
    /// The reference as given.
    #[schema(example = "mcr.microsoft.com/windows/servercore:10.0.20348.2113")]
    pub requested: String,
    /// The family; null if the image is not of a known family.
    pub family: Option<String>,
    /// The repository that serves the image, with its registry.
    pub repository: String,
    /// The digest that the reference points to; null if it is not known.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
}

/// An entry of an image index.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckedEntry {
    /// The digest of its manifest; null if it is not known.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
    /// Its architecture; null if it gives none, or none that looks like one.
    #[schema(example = "amd64")]
    pub architecture: Option<String>,
    /// Its os.version as written; null if it gives none, or none that looks like a version.
    #[schema(example = "10.0.20348.2113")]
    pub os_version: Option<String>,
    /// Its base; null if it is not known.
    pub base: Option<Base>,
    /// Whether it runs in process isolation.
    pub process: Verdict,
    /// Whether it runs in Hyper-V isolation.
    pub hyperv: Verdict,
    /// Why, as codes: those of `/resolve`, and `not-windows`, `attestation`, `not-an-image`,
    /// `other-architecture`.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<&'static str>,
    /// What the rule says of it; absent if it is no Windows image or has no version.
    #[serde(skip)]
    #[schema(ignore)]
    pub(super) compatibility: Option<(WindowsVersion, Compatibility)>,
}

impl Checked {
    /// Why it runs or does not, as codes: those of the entries that run, or of all that are Windows
    /// images for the architecture if none does.
    pub fn reasons(&self) -> Vec<&'static str> {
        let runs = |entry: &&CheckedEntry| {
            self.isolation.is_none() || [entry.process, entry.hyperv].contains(&Verdict::Yes)
        };
        let judged = self.entries.iter().filter(|entry| entry.compatibility.is_some());
        let mut reasons = Vec::new();
        for reason in judged.filter(runs).flat_map(|entry| &entry.reasons) {
            if !reasons.contains(reason) {
                reasons.push(*reason);
            }
        }
        reasons
    }
}

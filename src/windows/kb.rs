//! Which update brought which revision.
//!
//! The relation is many to many. One KB can cover several builds, or two revisions of one build;
//! one revision can have two KBs. Some KBs updated container images only.

use jiff::civil::Date;

use super::release::HostKind;
use super::version::{Kb, WindowsVersion};

/// A version and the update that brought it, a row of `data/kb.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KbEntry {
    /// The version after the update; its revision is always known.
    pub version: WindowsVersion,
    /// The update, when it is known.
    pub kb: Option<Kb>,
    /// The day of release, when it is known.
    pub released: Option<Date>,
    /// The kind of release as the source has it: `Standard`, `Preview`, `Out-of-band`, `Hotpatch`,
    /// `Hotpatch-OOB` or `Container-only`. `None` where no source says.
    pub release_type: Option<String>,
    /// The kinds of host that the update is for. Empty where no source says.
    pub kinds: Vec<HostKind>,
    /// The update changed container images only; no host ever had this version.
    pub container_only: bool,
}

impl KbEntry {
    /// Whether it is a hotpatch, which only machines enrolled in hotpatching receive.
    pub fn is_hotpatch(&self) -> bool {
        self.release_type.as_deref().is_some_and(|text| text.starts_with("Hotpatch"))
    }

    /// The kind of host that the update is for, when the source names exactly one.
    pub(super) fn only_kind(&self) -> Option<HostKind> {
        match self.kinds[..] {
            [kind] => Some(kind),
            _ => None,
        }
    }
}

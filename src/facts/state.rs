//! What outlives the process: the claims, and what was read of each source.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::claim::{Claim, Source, has_revision};
use super::ledger::{Ledger, MAX_CLAIMS};
use crate::registry::Validators;
use crate::windows::WindowsVersion;

/// The longest text that is kept of a claim. Ours.
const MAX_TEXT_BYTES: usize = 512;

/// What is known, and what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What was learnt.
    pub ledger: Ledger,
    /// The validators of each document when it was last read, by its path. A new process, and one
    /// with other tables, reads them again.
    pub validators: BTreeMap<String, Validators>,
    /// When each source was last read without an error.
    pub read: BTreeMap<Source, Timestamp>,
}

/// The state as it is stored. The types here belong to the file alone.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredState {
    claims: Vec<StoredClaim>,
    unknown_builds: BTreeSet<u32>,
    read: BTreeMap<String, Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredClaim {
    version: String,
    kb: Option<String>,
    released: Option<Date>,
    named: Option<Date>,
    release_type: Option<String>,
    kind: Option<String>,
    source: String,
    evidence: String,
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        let claims = state.ledger.claims.iter().map(|claim| StoredClaim {
            version: claim.version.to_string(),
            kb: claim.kb.map(|kb| kb.to_string()),
            released: claim.released,
            named: claim.named,
            release_type: claim.release_type.clone(),
            kind: claim.kind.map(|kind| kind.to_string()),
            source: claim.source.to_string(),
            evidence: claim.evidence.clone(),
        });
        Self {
            claims: claims.collect(),
            unknown_builds: state.ledger.unknown_builds.clone(),
            read: state.read.iter().map(|(source, at)| (source.to_string(), *at)).collect(),
        }
    }
}

impl From<StoredState> for State {
    /// A claim that this version does not understand is left out: it can be read again.
    fn from(stored: StoredState) -> Self {
        let claim = |stored: StoredClaim| {
            let version: WindowsVersion = stored.version.parse().ok().filter(has_revision)?;
            let is_short = |text: &str| text.len() <= MAX_TEXT_BYTES;
            (is_short(&stored.evidence) && stored.release_type.as_deref().is_none_or(is_short))
                .then_some(())?;
            Some(Claim {
                version,
                kb: stored.kb.map(|kb| kb.parse()).transpose().ok()?,
                released: stored.released,
                named: stored.named,
                release_type: stored.release_type,
                kind: stored.kind.map(|kind| kind.parse()).transpose().ok()?,
                source: stored.source.parse().ok()?,
                evidence: stored.evidence,
            })
        };
        let claims = stored.claims.into_iter().filter_map(claim).take(MAX_CLAIMS).collect();
        let read = stored.read.into_iter().filter_map(|(name, at)| Some((name.parse().ok()?, at)));
        Self {
            ledger: Ledger { claims, unknown_builds: stored.unknown_builds },
            validators: BTreeMap::new(),
            read: read.collect(),
        }
    }
}

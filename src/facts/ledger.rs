//! What was learnt beyond the tables: every claim that was accepted, and what follows from them.
//!
//! A claim is accepted or not when it is made; what follows is computed anew from the tables and
//! all claims, so that a later claim can confirm or contradict an earlier one. Nothing here ever
//! changes what the tables say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::claim::{Claim, Source};
use crate::windows::{HostKind, Kb, KbEntry, Tables, WindowsVersion};
use crate::words::words;

/// A day is near if it is within this number of days of today, or of the last update of its build
/// up to it. Updates of a build are a month apart, so that a service that starts with tables of
/// August still accepts September in November, and nothing that does not follow.
const NEAR_DAYS: i32 = 45;
/// How far a day may be in the future: Microsoft's days are those of the Pacific. Ours.
const AHEAD_DAYS: i32 = 1;
/// The most claims that are kept. A month has some forty. Ours.
pub(super) const MAX_CLAIMS: usize = 4_000;
/// The most unknown builds that are remembered. Ours.
const MAX_UNKNOWN_BUILDS: usize = 64;

words! {
    /// How much is behind a pair that was learnt.
    pub enum Confidence {
        /// One source says so.
        Single = "single",
        /// Two of three say so: registries, release information, and MSRC with its CVE records.
        Confirmed = "confirmed",
    }
}

/// An update and a revision that were learnt, which the tables of this process have in addition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LearntUpdate {
    /// The version after the update.
    #[schema(value_type = String)]
    pub version: WindowsVersion,
    /// The update; `null` for a revision that exists and whose update is not known.
    #[schema(value_type = Option<String>)]
    pub kb: Option<Kb>,
    /// The day of release.
    #[schema(value_type = Option<String>, format = Date)]
    pub released: Option<Date>,
    /// The kind of release, as in `kb.csv`.
    pub release_type: Option<String>,
    /// The kinds of host that it is for, where a source says so.
    pub kinds: Vec<HostKind>,
    /// How much is behind it.
    pub confidence: Confidence,
    /// Where it comes from.
    pub sources: Vec<Testimony>,
}

/// A source, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Testimony {
    /// Who says so.
    pub source: Source,
    /// Where.
    pub evidence: String,
}

/// Claims that cannot all be true, or differ from the tables. They are shown and not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Contradiction {
    /// What the others say, or the tables.
    pub against: String,
    /// The claim that is not used.
    #[serde(flatten)]
    pub claim: Claim,
}

/// What follows from the claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conclusions {
    /// What the tables get in addition, by version.
    pub learnt: Vec<LearntUpdate>,
    /// What is kept apart.
    pub contradictions: Vec<Contradiction>,
}

/// Every claim that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(super) claims: Vec<Claim>,
    /// Builds that a source names and the tables do not have. They need a row in `releases.csv`.
    pub(super) unknown_builds: BTreeSet<u32>,
}

impl Ledger {
    /// Considers what a document says; returns whether anything is new.
    pub fn consider(&mut self, mut claims: Vec<Claim>, tables: &Tables, today: Date) -> bool {
        let before = self.clone();
        // Older ones first, because a later day is near to theirs.
        claims.sort_by_key(|claim| claim.version);
        for claim in claims {
            let build = claim.version.build;
            let is_known = match claim.kind {
                Some(kind) => tables.release_for(build, kind).is_some(),
                None => tables.releases_of_build(build).next().is_some(),
            };
            if !is_known {
                if self.unknown_builds.len() < MAX_UNKNOWN_BUILDS {
                    self.unknown_builds.insert(build);
                }
                continue;
            }
            if !self.says_more_than(&claim, tables) || !self.is_near(&claim, tables, today) {
                continue;
            }
            let is_same = |known: &&mut Claim| {
                (known.version, known.kb, known.kind, known.source)
                    == (claim.version, claim.kb, claim.kind, claim.source)
            };
            let has_room = self.claims.len() < MAX_CLAIMS;
            match self.claims.iter_mut().find(is_same) {
                Some(known) => known.released = claim.released.or(known.released),
                None if has_room => self.claims.push(claim),
                None => {}
            }
        }
        before != *self
    }

    /// Forgets the unknown builds that these tables have. Claims stay: the same state may be used
    /// with older tables.
    pub fn forget_known(&mut self, tables: &Tables) {
        self.unknown_builds.retain(|build| tables.releases_of_build(*build).next().is_none());
    }

    /// Whether it is about a revision above the newest of its build and kind whose update is known,
    /// or differs from the tables.
    fn says_more_than(&self, claim: &Claim, tables: &Tables) -> bool {
        let of_build = tables.kbs_of_build(claim.version.build);
        let mut of_version =
            of_build.iter().filter(|entry| entry.version == claim.version).peekable();
        if of_version.peek().is_some() {
            return claim.kb.is_some() && !of_version.any(|entry| entry.kb == claim.kb);
        }
        let newest = of_build.iter().rfind(|entry| is_of(entry, claim) && entry.kb.is_some());
        newest.is_none_or(|newest| newest.version < claim.version)
    }

    fn is_near(&self, claim: &Claim, tables: &Tables, today: Date) -> bool {
        let Some(day) = claim.named else { return true };
        let days = |from: Date, to: Date| from.until(to).map_or(i32::MAX, |it| it.get_days());
        if days(today, day) > AHEAD_DAYS {
            return false;
        }
        let is_near = |other: Date| days(other, day).abs() <= NEAR_DAYS;
        let of_tables = tables.kbs_of_build(claim.version.build).iter();
        let of_tables = of_tables.filter(|entry| is_for(entry, claim));
        let of_tables = of_tables.filter_map(|entry| Some((entry.version, entry.released?)));
        let of_claims = self.claims.iter().filter(|it| it.version.build == claim.version.build);
        let of_claims = of_claims.filter_map(|it| Some((it.version, it.released.or(it.named)?)));
        let up_to_it = of_tables.chain(of_claims).filter(|(version, _)| *version <= claim.version);
        is_near(today) || up_to_it.map(|(_, day)| day).max().is_some_and(is_near)
    }

    /// What follows from the claims and these tables.
    pub fn conclude(&self, tables: &Tables) -> Conclusions {
        let mut conclusions = Conclusions::default();
        let mut of_version: BTreeMap<WindowsVersion, Vec<&Claim>> = BTreeMap::new();
        let more = self.claims.iter().filter(|claim| self.says_more_than(claim, tables));
        for claim in more {
            of_version.entry(claim.version).or_default().push(claim);
        }
        for (version, claims) in &of_version {
            let voices = |kb: Option<Kb>| -> BTreeSet<Source> {
                let agree = claims.iter().filter(|claim| claim.kb.is_none() || claim.kb == kb);
                agree.map(|claim| claim.source.voice()).collect()
            };
            let kbs: BTreeSet<Kb> = claims.iter().filter_map(|claim| claim.kb).collect();
            let mut used = false;
            for kb in &kbs {
                let own: Vec<_> =
                    claims.iter().copied().filter(|it| it.kb.is_none_or(|it| it == *kb)).collect();
                let confirmed = voices(Some(*kb)).len() > 1;
                match self.against(*kb, *version, &own, tables) {
                    Some((against, is_table)) if is_table || !confirmed => {
                        let apart = own.iter().filter(|claim| claim.kb.is_some());
                        conclusions.contradictions.extend(apart.map(|claim| Contradiction {
                            against: against.clone(),
                            claim: (*claim).clone(),
                        }));
                    }
                    _ => {
                        used = true;
                        conclusions.learnt.push(learnt(*version, Some(*kb), &own, confirmed));
                    }
                }
            }
            let is_in_tables =
                tables.kbs_of_build(version.build).iter().any(|entry| entry.version == *version);
            let all: BTreeSet<Source> = claims.iter().map(|claim| claim.source.voice()).collect();
            // Where sources name different updates, they still agree that the revision exists.
            // Microsoft's CVE records alone confirm, and say nothing new.
            let exists =
                all.len() > 1 || claims.iter().any(|claim| claim.source == Source::Registry);
            if !used && !is_in_tables && exists {
                conclusions.learnt.push(learnt(*version, None, claims, all.len() > 1));
            }
        }
        conclusions
    }

    /// What another voice says instead of this pair, and whether that is the tables.
    fn against(
        &self,
        kb: Kb,
        version: WindowsVersion,
        own: &[&Claim],
        tables: &Tables,
    ) -> Option<(String, bool)> {
        let of_tables = tables.kbs_of_build(version.build).iter();
        let in_tables = of_tables.filter_map(|entry| Some((entry.version, entry.kb?)));
        let differs = |(other, brought): &(WindowsVersion, Kb)| {
            (*other == version) != (*brought == kb) && (*other == version || *brought == kb)
        };
        if let Some((other, brought)) = in_tables.into_iter().find(differs) {
            return Some((format!("the tables have {brought} for {other}"), true));
        }
        let speaks = |voice: Source| own.iter().any(|claim| claim.source.voice() == voice);
        let is_proof = speaks(Source::Registry);
        let mut others =
            self.claims.iter().filter(|claim| !is_proof && !speaks(claim.source.voice()));
        let other = others.find(|claim| {
            claim.version.build == version.build
                && claim.kb.is_some_and(|brought| differs(&(claim.version, brought)))
        })?;
        let brought = other.kb?;
        Some((format!("{} has {brought} for {}", other.source, other.version), false))
    }
}

/// Whether a row is for the kind of host of a claim.
fn is_for(entry: &KbEntry, claim: &Claim) -> bool {
    claim.kind.is_none_or(|kind| entry.kinds.is_empty() || entry.kinds.contains(&kind))
}

/// Whether a row is for the kind of host, and of the kind of release, of a claim.
fn is_of(entry: &KbEntry, claim: &Claim) -> bool {
    is_for(entry, claim) && entry.is_hotpatch() == claim.is_hotpatch()
}

fn learnt(
    version: WindowsVersion,
    kb: Option<Kb>,
    claims: &[&Claim],
    confirmed: bool,
) -> LearntUpdate {
    let days: BTreeSet<Date> = claims.iter().filter_map(|claim| claim.released).collect();
    // MSRC calls updates between Patch Tuesdays by the same name as others.
    let mut types: Vec<_> =
        claims.iter().filter_map(|it| Some((it.source, it.release_type.as_ref()?))).collect();
    types.sort_unstable();
    let kinds: BTreeSet<HostKind> = claims.iter().filter_map(|claim| claim.kind).collect();
    let mut sources: Vec<Testimony> = Vec::new();
    for claim in claims {
        let testimony = Testimony { source: claim.source, evidence: claim.evidence.clone() };
        if !sources.contains(&testimony) {
            sources.push(testimony);
        }
    }
    LearntUpdate {
        version,
        kb,
        released: days.first().copied().filter(|_| days.len() == 1),
        release_type: types.first().map(|(_, name)| (*name).clone()),
        kinds: kinds.into_iter().collect(),
        confidence: if confirmed { Confidence::Confirmed } else { Confidence::Single },
        sources,
    }
}

impl LearntUpdate {
    /// The row that these tables get. A page about servers does not say that clients have no such
    /// update: where both kinds had the same revisions so far, it stays open.
    pub fn entry(&self, tables: &Tables) -> KbEntry {
        let mut up_to_it = tables.kbs_of_build(self.version.build).iter();
        let last = up_to_it.rfind(|it| !it.kinds.is_empty() && it.version <= self.version);
        let kinds = match last {
            Some(last) if last.version == self.version => last.kinds.clone(),
            Some(last) if last.kinds.len() > 1 => Vec::new(),
            _ => self.kinds.clone(),
        };
        KbEntry {
            version: self.version,
            kb: self.kb,
            released: self.released,
            release_type: self.release_type.clone(),
            kinds,
            container_only: false,
        }
    }
}

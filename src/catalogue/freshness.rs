//! How old an answer is and where it comes from; an outage is a value here, not a special case.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::miss::Miss;

use crate::words::words;

words! {
    /// Where an answer comes from.
    pub enum Provenance {
        /// A registry was queried for this answer.
        Registry = "registry",
        /// A registry was queried earlier; the answer was in memory.
        Cache = "cache",
        /// A registry was queried before the service started; the answer was in the snapshot on
        /// disk.
        Snapshot = "snapshot",
        /// The catalogue inside the program.
        Embedded = "embedded",
        /// Observations of a former day, which the question was about.
        History = "history",
    }
}

impl Provenance {
    /// Whether it was recorded earlier, so that no registry is asked for what belongs to it.
    pub fn is_recorded(self) -> bool {
        matches!(self, Self::Embedded | Self::History)
    }
}

/// Where an answer comes from, and how old it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Freshness {
    /// `registry`: queried for this answer. `cache`: queried earlier. `snapshot`: queried before
    /// the service started. `embedded`: the catalogue inside the program. `history`: observations
    /// of a former day (`as_of`).
    #[serde(rename = "source")]
    pub provenance: Provenance,
    /// When the source gave the information.
    #[serde(serialize_with = "whole_seconds")]
    #[schema(value_type = String, format = DateTime, example = "2026-08-12T00:00:00Z")]
    pub as_of: Timestamp,
    /// Whether the information is past its TTL and could not be refreshed.
    pub stale: bool,
    /// The day up to which updates of Windows are known: what the answer says of KBs, and of how
    /// far an image is behind, is as of then.
    #[schema(value_type = String, format = Date, example = "2026-11-10")]
    pub facts_as_of: Date,
    /// Whether it rests on a fact that was got with credentials, so that it is not for everybody
    /// who can reach a cache. Not part of answers.
    #[serde(skip)]
    pub is_private: bool,
}

impl Freshness {
    /// The freshness of an answer made of two: the weaker of both.
    pub fn combine(self, other: Self) -> Self {
        let weaker = if other.rank() > self.rank() { other } else { self };
        Self {
            provenance: weaker.provenance,
            as_of: self.as_of.min(other.as_of),
            stale: self.stale || other.stale,
            facts_as_of: self.facts_as_of.min(other.facts_as_of),
            is_private: self.is_private || other.is_private,
        }
    }

    /// Embedded is weaker than stale, stale weaker than fresh, and a snapshot weaker than what this
    /// process learnt itself. Of two fresh answers, the one that was just queried names the source.
    fn rank(self) -> u8 {
        match (self.provenance, self.stale) {
            (Provenance::Embedded | Provenance::History, _) => 5,
            (Provenance::Snapshot, true) => 4,
            (_, true) => 3,
            (Provenance::Snapshot, false) => 2,
            (Provenance::Registry, false) => 1,
            (Provenance::Cache, false) => 0,
        }
    }
}

/// A fact and its freshness.
#[derive(Clone, Debug)]
pub struct Found<V> {
    /// The fact.
    pub value: Arc<V>,
    /// How old it is, and where it comes from.
    pub freshness: Freshness,
    /// Why the registry did not give it, if the embedded catalogue did; `None` also if registries
    /// are not to be queried.
    pub instead_of: Option<Miss>,
}

/// A registry's answer is not dated more finely than that anyway.
fn whole_seconds<S: Serializer>(as_of: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&as_of.round(jiff::Unit::Second).unwrap_or(*as_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_whole_seconds_and_nothing_about_privacy() {
        let as_of = "2026-08-12T00:00:01.6Z".parse().unwrap();
        let (provenance, facts_as_of) = (Provenance::Cache, "2026-08-11".parse().unwrap());
        let freshness = Freshness { provenance, as_of, stale: true, facts_as_of, is_private: true };
        let expected = serde_json::json!({
            "source": "cache", "as_of": "2026-08-12T00:00:02Z", "stale": true,
            "facts_as_of": "2026-08-11",
        });
        assert_eq!(serde_json::json!(freshness), expected);
    }

    #[test]
    fn h10_an_answer_is_private_if_any_of_its_facts_is() {
        let as_of = "2026-08-12T00:00:00Z".parse().unwrap();
        let facts_as_of = "2026-08-11".parse().unwrap();
        let of = |provenance, is_private| Freshness {
            provenance,
            as_of,
            stale: true,
            facts_as_of,
            is_private,
        };
        let (weak, strong) = (Provenance::Embedded, Provenance::Cache);
        for (one, other, expected) in [
            (of(weak, false), of(strong, false), false),
            (of(weak, false), of(strong, true), true),
            (of(weak, true), of(strong, false), true),
        ] {
            assert_eq!(one.combine(other).is_private, expected);
            assert_eq!(other.combine(one).is_private, expected);
        }
    }
}

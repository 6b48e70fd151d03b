//! A node of a cluster, as read from a list of Kubernetes or Swarm.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::windows::{Edition, Host, HostCandidate, HostReading, Tables, read_host};

/// The most nodes that are read from one list: as many as the largest clusters that Kubernetes is
/// tested with.
pub const MAX_NODES: usize = 5_000;
/// The longest name of a node: that of a host in DNS.
const MAX_NAME_BYTES: usize = 253;

/// A Windows node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in commands.
    pub name: String,
    /// Its Windows version.
    pub host: Host,
    /// Every release that the text of a host could mean; empty for a node of a list, which has more
    /// than one text.
    pub could_mean: Vec<HostCandidate>,
    /// The labels to set: those that are missing or have another value.
    pub labels: BTreeMap<String, String>,
    /// Contradictions in the facts about it, as sentences.
    pub contradictions: Vec<String>,
}

/// A node for which no image can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, if it has one that can be shown.
    pub name: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a node was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// The entry is of another kind.
    #[error("this entry is not a node")]
    NotANode,
    /// Another operating system, mostly Linux.
    #[error("this node does not run Windows, so it cannot run Windows containers")]
    NotWindows,
    /// No name, or one that a node cannot have.
    #[error("the name of this node is missing or not valid, so it cannot be used in commands")]
    NameNotUsable,
    /// A Kubernetes node whose version cannot be read.
    #[error(
        "neither status.nodeInfo nor the labels of this node state its Windows version; inspect it \
         with: kubectl get node NAME -o wide"
    )]
    KubernetesVersionUnknown,
    /// A Swarm node whose version is nowhere in the list.
    #[error(
        "the Windows version of this node is unknown, because docker node inspect does not print \
         it; run this on the node, and add its output to the list: docker info --format \
         '{{{{json .}}}}'"
    )]
    SwarmVersionUnknown,
    /// The text of a host that names no Windows version, or several.
    #[error("{message}")]
    HostNotRead {
        /// The code of the same text in other questions.
        code: String,
        /// Why, and how to continue.
        message: String,
    },
}

impl SkipReason {
    /// Whether the node may run Windows nevertheless.
    pub const fn may_be_windows(&self) -> bool {
        !matches!(self, Self::NotANode | Self::NotWindows)
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::NotANode => "not-a-node",
            Self::NotWindows => "not-windows",
            Self::NameNotUsable => "name-not-usable",
            Self::KubernetesVersionUnknown | Self::SwarmVersionUnknown => "version-unknown",
            Self::HostNotRead { code, .. } => code,
        }
    }
}

/// Why a list of nodes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a list of nodes ({detail}); send the output of this command, in UTF-8: {command}"
)]
pub struct ListError {
    /// The problem, with its position.
    pub detail: String,
    /// The command that prints such a list.
    pub command: &'static str,
}

/// A list of at most `MAX` entries, a single entry, or null for none. The bound holds while the
/// list is read: an entry takes far more memory than the shortest text of one.
#[derive(Clone, Debug)]
pub struct UpTo<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for UpTo<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for UpTo<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UpToVisitor(PhantomData))
    }
}

struct UpToVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for UpToVisitor<T, MAX> {
    type Value = UpTo<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(UpTo::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(UpTo(vec![T::deserialize(MapAccessDeserializer::new(map))?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(entry) = list.next_element()? {
            if found.len() == MAX {
                return Err(A::Error::custom(format!("at most {MAX} entries are allowed")));
            }
            found.push(entry);
        }
        Ok(UpTo(found))
    }
}

/// A clue to the version of a node.
pub struct Clue<'a> {
    /// Where it was found, for the sentence about a contradiction.
    pub source: &'static str,
    /// The text.
    pub text: &'a str,
}

/// The host that the clues describe, the most trusted first, and the contradictions between them.
/// The first that names one build decides; a later one may add the revision, the kind and the
/// edition, as long as it is about the same build.
pub fn host_of(clues: &[Clue<'_>], tables: &Tables) -> Option<(Host, Vec<String>)> {
    let mut readings: Vec<(&'static str, HostReading)> = clues
        .iter()
        .filter_map(|clue| Some((clue.source, read_host(clue.text, None, tables).ok()?)))
        .collect();
    let decisive = readings.iter().position(|(_, reading)| reading.host.is_some())?;
    let (chosen, reading) = readings.remove(decisive);
    let mut host = reading.host?;
    let mut contradictions = Vec::new();
    for (source, other) in &readings {
        let Some(same_build) =
            other.could_mean.iter().find(|candidate| candidate.build == host.version.build)
        else {
            let builds = other.could_mean.iter().map(|candidate| candidate.build.to_string());
            let builds = builds.collect::<Vec<_>>().join(", ");
            contradictions.push(format!(
                "{chosen} says {}, but {source} says another Windows ({builds}); wintag uses \
                 {chosen}",
                host.version,
            ));
            continue;
        };
        let stated = other.host.as_ref().and_then(|other| other.version.revision);
        match (host.version.revision, stated) {
            (None, _) => host.version.revision = stated,
            (Some(own), Some(stated)) if own != stated => contradictions.push(format!(
                "{chosen} says revision {own}, but {source} says {stated}; wintag uses {chosen}"
            )),
            _ => {}
        }
        // A version alone rarely tells servers from clients; a name does, unless the version is of
        // a build that only one of them has.
        let agrees = other.could_mean.iter().all(|candidate| candidate.kind == same_build.kind);
        let is_possible = reading.could_mean.iter().any(|own| own.kind == same_build.kind);
        if agrees && is_possible && host.kind != same_build.kind {
            host.kind = same_build.kind;
            host.name.clone_from(&same_build.name);
        }
        if other.host.as_ref().is_some_and(|other| other.edition == Edition::Home) {
            host.edition = Edition::Home;
        }
    }
    Some((host, contradictions))
}

/// The labels of `wanted` that a node lacks, or has with another value.
pub fn labels_to_set(
    wanted: BTreeMap<String, String>,
    has: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    wanted
        .into_iter()
        .filter(|(key, value)| has.get(key).and_then(Option::as_ref) != Some(value))
        .collect()
}

/// The name, if it can stand in a command without quotes.
pub fn usable_name(name: Option<&str>) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.filter(|name| {
        !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && name.bytes().all(is_plain)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
    })
}

/// Whether a body is JSON and not the text of a program.
pub fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'[') | None)
}

/// The body without the byte order mark that Windows PowerShell writes before UTF-8.
pub fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

//! A node of a cluster as it was read from a list, whatever the cluster is.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::windows::{Edition, Host, HostKind, HostReading, Tables, WindowsVersion, read_host};

/// So many nodes are read from one list; the largest clusters that Kubernetes is tested with have
/// 5,000.
pub const MAX_NODES: usize = 5_000;
/// The longest name of a node: that of a host in DNS.
const MAX_NAME_BYTES: usize = 253;

/// A Windows node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What commands call it.
    pub name: String,
    /// Its Windows.
    pub host: Host,
    /// The labels to set: those that it lacks, or has with another value.
    pub labels: BTreeMap<String, String>,
    /// Where what is known of it contradicts itself, as sentences.
    pub contradictions: Vec<String>,
}

/// A node that no image can be chosen for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, as far as it has one that can be shown.
    pub name: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a node was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// An entry of the list is of another kind.
    #[error("this entry is not a node")]
    NotANode,
    /// Linux.
    #[error("it is not a Windows node; Windows containers do not run there")]
    NotWindows,
    /// No name, or one that no node can have.
    #[error("it has no name that a node can have, so no command can be given for it")]
    NameNotUsable,
    /// A Kubernetes node whose version cannot be read.
    #[error(
        "its Windows version is neither in status.nodeInfo nor in its labels; look at it with: \
         kubectl get node NAME -o wide"
    )]
    KubernetesVersionUnknown,
    /// A Swarm node whose version is nowhere in the list.
    #[error(
        "its Windows version is not known, because docker node inspect does not print it; run \
         this on the node, and send what it prints in the same list: docker info --format \
         '{{{{json .}}}}'"
    )]
    SwarmVersionUnknown,
}

impl SkipReason {
    /// Whether the node may run Windows all the same.
    pub const fn may_be_windows(self) -> bool {
        !matches!(self, Self::NotANode | Self::NotWindows)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotANode => "not-a-node",
            Self::NotWindows => "not-windows",
            Self::NameNotUsable => "name-not-usable",
            Self::KubernetesVersionUnknown | Self::SwarmVersionUnknown => "version-unknown",
        }
    }
}

/// Why a list of nodes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a list of nodes ({detail}); send what this prints, in UTF-8: {command}")]
pub struct ListError {
    /// What is wrong, with the place.
    pub detail: String,
    /// The command that prints such a list.
    pub command: &'static str,
}

/// A list of at most so many, one alone, or null for none. The bound holds while the list is read:
/// an entry takes far more memory than the shortest text of one.
#[derive(Clone, Debug)]
pub struct UpTo<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> Default for UpTo<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for UpTo<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UpToVisitor(PhantomData))
    }
}

struct UpToVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for UpToVisitor<T, MOST> {
    type Value = UpTo<T, MOST>;

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
            if found.len() == MOST {
                return Err(A::Error::custom(format!("at most {MOST} entries are read here")));
            }
            found.push(entry);
        }
        Ok(UpTo(found))
    }
}

/// A clue to the version of a node: where it was found, and what it says.
pub struct Clue<'a> {
    /// Where, for a sentence about a contradiction.
    pub place: &'static str,
    /// The text.
    pub text: &'a str,
}

/// The host that the clues describe, the most trusted first, and the contradictions between them.
/// The first that names one build decides; a later one may add the revision and whether it is a
/// client.
pub fn host_of(clues: &[Clue<'_>], tables: &Tables) -> Option<(Host, Vec<String>)> {
    let read: Vec<(&Clue<'_>, HostReading)> = clues
        .iter()
        .filter_map(|clue| Some((clue, read_host(clue.text, None, tables).ok()?)))
        .collect();
    let (chosen, reading, mut host) = read
        .iter()
        .find_map(|(clue, reading)| Some((clue.place, reading, reading.host.clone()?)))?;
    // A revision that only clients are known to have does not outweigh a name.
    let may_be_server = reading.could_mean.iter().any(|other| other.kind == HostKind::Server);
    let mut contradictions = Vec::new();
    for (clue, reading) in &read {
        if clue.place == chosen {
            continue;
        }
        if reading.could_mean.iter().all(|other| other.build != host.version.build) {
            contradictions.push(format!(
                "{chosen} says {}, {} says another Windows ({}); {chosen} is believed",
                host.version,
                clue.place,
                reading
                    .could_mean
                    .iter()
                    .map(|other| other.build.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            ));
            continue;
        }
        let said = reading.host.as_ref().map(|other| other.version);
        match (host.version.revision, said.and_then(|said| said.revision)) {
            (None, Some(revision)) => {
                host.version = WindowsVersion::new(host.version.build, revision)
            }
            (Some(of_host), Some(other)) if of_host != other => contradictions.push(format!(
                "{chosen} says revision {of_host}, {} says {other}; {chosen} is believed",
                clue.place
            )),
            _ => {}
        }
        let all_are = |kind| reading.could_mean.iter().all(|other| other.kind == kind);
        let is_other_kind = match host.kind {
            HostKind::Server => all_are(HostKind::Client),
            HostKind::Client => all_are(HostKind::Server) && may_be_server,
        };
        let same_build = reading.could_mean.iter().find(|other| other.build == host.version.build);
        if let Some(other) = same_build.filter(|_| is_other_kind) {
            host.kind = other.kind;
            host.name.clone_from(&other.name);
        }
        if reading.host.as_ref().is_some_and(|other| other.edition == Edition::Home) {
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

/// A name that can stand in a command as it is.
pub fn usable_name(name: Option<&str>) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.filter(|name| {
        !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && name.bytes().all(is_plain)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
    })
}

/// Windows PowerShell writes these bytes before a text in UTF-8.
pub fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

//! The use cases: what callers ask, answered from what the catalogue holds and what the rule says.
//!
//! The decision itself is a pure function (`decide.rs`); the functions here fetch what it needs. An
//! outage reaches them as data: a tag list that is stale or embedded, a manifest that is missing.

// In reading order.

mod context;
mod question;
mod resolve;
mod decide;
mod nearest;
mod lineup;
mod observed;
mod host;
mod remark;
mod check;
mod suggested;
mod matrix;
mod tags;
mod feed;
mod badge;
mod nodes;
mod admission;
mod diagnose;

pub use admission::admit;
pub use badge::{BadgeAnswer, badge};
pub use check::{CheckQuestion, Checked, CheckedEntry, check};
pub use context::Context;
pub use decide::{Alternative, Pins, Shortfall};
pub use diagnose::{Diagnosed, Remedy, RemedyCode, diagnose};
pub use feed::{Feed, FeedLine, FeedQuestion, FeedRefusal, FeedRelease, feed};
pub use host::{HostDescription, kb_of_version, released};
pub use matrix::{Cell, Matrix, MatrixHost, all_hosts, all_images, matrix};
pub use nodes::{Fleet, FleetNode, FleetRefusal, Group, MAX_GROUPS, kubernetes_nodes, swarm_nodes};
pub use question::{Architecture, AskedHost, Pin, ResolveQuestion};
pub use remark::{Remark, RemarkCode};
pub use resolve::{Refusal, Resolution, resolve};
pub use suggested::Unchecked;
pub use tags::{ListedTag, ListedTags, TagsQuestion, tags};

pub use crate::catalogue::{Freshness, Provenance};

//! The use cases: each answers a question of a caller from the catalogue and the rule.
//!
//! The decision itself is a pure function (`resolve/selection.rs`); the use cases fetch its input.
//! An outage reaches them as data: a stale or embedded tag list, a missing manifest. The answers
//! are also the JSON on the wire, unless `api` has a shape of its own for them.

// In reading order.

mod context;
mod question;
mod resolve;
mod then;
mod observed;
mod as_of;
mod host;
mod patch;
mod remark_code;
mod remark;
mod engines;
mod checked;
mod check;
mod hosts;
mod suggestions;
mod matrix;
mod lists;
mod tags;
mod history;
mod renovate;
mod badge;
mod clusters;
mod diagnose;
mod audit;

pub use audit::{
    AuditFile, Audited, Counts, FileProblem, Finding, FindingCode, HostVerdict, Level, Reference,
    Target, Unchecked, audit,
};
pub use badge::{BadgeAnswer, badge};
pub use check::{CheckQuestion, CheckRefusal, check, check_with_platform};
pub use checked::Checked;
pub use clusters::{
    Fleet, FleetImage, FleetNode, FleetRefusal, Group, MAX_GROUPS, admit, fleet, kubernetes_nodes,
    swarm_nodes, versions_of_nodes,
};
pub use context::{Context, Contexts, Renewed};
pub use diagnose::{
    Diagnosed, Diagnosis, MentionedHost, MentionedImage, Remedy, RemedyCode, diagnose,
};
pub use engines::{EnginePick, Engines};
pub use history::{HistoryQuestion, TagTimeline, TimelineEntry, history};
pub use host::HostDescription;
pub use hosts::{HostsOfImage, HostsQuestion, HostsRefusal, hosts};
pub use lists::{Identity, Images, KnownFacts, Releases};
pub use matrix::{Matrix, MatrixHost, all_hosts, all_images, matrix};
pub use observed::update_days;
pub use patch::Patch;
pub use question::{AskedHost, ResolveQuestion};
pub use remark::Remark;
pub use remark_code::RemarkCode;
pub use renovate::{Feed, FeedLine, FeedQuestion, FeedRefusal, FeedRelease, feed};
pub use resolve::{Alternative, Resolution, ResolveRefusal, Shortfall, resolve};
pub use suggestions::Suggestions;
pub use tags::{ListedTag, ListedTags, TagsQuestion, tags};

pub use crate::catalogue::{Caller, Freshness, Moment, Provenance};

//! The admission webhook: the builds that run a pod, and the patch that makes the pod select them.
//!
//! A selector on one build is exact, but from Windows Server 2022 on an image runs on several
//! builds. So a pod gets a node selector where one build is left, and else a required node affinity
//! that lists the builds: a selector there would keep the pod off nodes that can run it. A pod that
//! runs on every known build of the cluster gets neither. A pod that no node can run is left as it
//! is, with a warning: no selector would help.

mod review;
mod decision;

pub use decision::{Admission, Cluster, Decision, ImageVersions};
pub use review::{Request, Review};

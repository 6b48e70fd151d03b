//! The use cases of clusters: lists of their nodes, and pods to admit.

// In reading order.

mod nodes;
mod admission;

pub use admission::admit;
pub use nodes::{
    Fleet, FleetImage, FleetNode, FleetRefusal, Group, MAX_GROUPS, fleet, kubernetes_nodes,
    swarm_nodes, versions_of_nodes,
};

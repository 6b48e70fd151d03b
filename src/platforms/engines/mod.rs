//! The entry that each engine takes from an image index on a Windows host.
//!
//! An engine is a row of `data/engines.csv`: a filter (`filters.rs`) says which entries it accepts,
//! an order (`orders.rs`) which of those it takes, and a text (`refusals.rs`) what it prints where
//! there is none. The engines' own code gave the rows: `tests/it/engines.rs` compares the picks of
//! 40 versions with what this module answers.

// In reading order.

mod entry;
mod filters;
mod orders;
mod refusals;
mod engine;
mod pick;

pub use engine::{
    Engine, EngineError, Fetches, PlatformError, Platforms, Product, Store, engine, engines,
    newest_releases,
};
pub use entry::{Host, Image, IndexEntry, Requested};
pub use filters::Filter;
pub use orders::Order;
pub use pick::{Outcome, is_accepted_by_swarm, pick};
pub use refusals::{Names, Refusal, kubelet_event};

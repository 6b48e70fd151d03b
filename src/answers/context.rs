//! What every use case stands on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::catalogue::{Catalogue, Moment};
use crate::clock::{Clock, Now};
use crate::facts::{Conclusions, Source};
use crate::images::Families;
use crate::windows::{Fleets, Tables, WindowsVersion};

/// What was learnt since the tables were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The updates, which the tables in use have, and what contradicts them.
    pub conclusions: Conclusions,
    /// Builds that need a row in `releases.csv`.
    pub unknown_builds: BTreeSet<u32>,
    /// When each source was last read.
    pub last_read: BTreeMap<Source, Timestamp>,
}

/// What is known, and what the time is. It never changes: newer facts are in another one.
pub struct Context {
    /// What each repository holds.
    pub catalogue: Catalogue,
    /// The families of images.
    pub families: Families,
    /// The fleets of the configuration.
    pub fleets: Fleets,
    /// The Windows tables, with everything that was learnt.
    pub tables: Arc<Tables>,
    /// What was learnt since the tables were made.
    pub renewed: Arc<Renewed>,
    /// The versions of the Windows nodes of the Kubernetes cluster that asks for admission, as
    /// they were configured.
    pub kubernetes_hosts: Vec<WindowsVersion>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Context {
    /// The same context with these tables.
    pub fn with_tables(&self, tables: Arc<Tables>, renewed: Arc<Renewed>) -> Self {
        Self {
            catalogue: match Arc::ptr_eq(&tables, &self.tables) {
                true => self.catalogue.clone(),
                false => self.catalogue.with_tables(tables.clone()),
            },
            families: self.families.clone(),
            fleets: self.fleets.clone(),
            kubernetes_hosts: self.kubernetes_hosts.clone(),
            clock: self.clock.clone(),
            tables,
            renewed,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The day that a question is about: a former one, or today.
    pub(super) fn day(&self, as_of: Option<Moment>) -> Date {
        as_of.map_or_else(|| self.now().date(), Moment::day)
    }

    /// The present moment on the monotonic clock alone.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// The context of new questions. A question takes it once and is answered from that one, so that no
/// answer mixes older facts with newer ones.
pub struct Contexts {
    current: ArcSwap<Context>,
    /// That of all contexts.
    clock: Clock,
}

impl Contexts {
    /// Begins with this context.
    pub fn new(context: Arc<Context>) -> Self {
        Self { clock: context.clock.clone(), current: ArcSwap::new(context) }
    }

    /// The context for a new question.
    pub fn current(&self) -> Arc<Context> {
        self.current.load_full()
    }

    /// Answers new questions from this context.
    pub fn replace(&self, context: Context) {
        self.current.store(Arc::new(context));
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The present moment on the monotonic clock alone.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

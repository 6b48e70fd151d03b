//! What every use case stands on.

use std::time::Duration;

use jiff::civil::Date;

use crate::catalogue::{Catalogue, Moment};
use crate::clock::{Clock, Now};
use crate::images::Families;
use crate::windows::{Fleets, Tables, WindowsVersion};

/// What is known, and what the time is. One of it lives as long as the process.
pub struct Context {
    /// What each repository holds.
    pub catalogue: Catalogue,
    /// The families of images.
    pub families: Families,
    /// The fleets of the configuration.
    pub fleets: Fleets,
    /// The Windows tables.
    pub tables: &'static Tables,
    /// The versions of the Windows nodes of the Kubernetes cluster that asks for admission, as
    /// they were configured.
    pub kubernetes_hosts: Vec<WindowsVersion>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Context {
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

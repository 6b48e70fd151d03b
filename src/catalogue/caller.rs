//! For whom facts are looked up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    static CALLER: Arc<Caller>;
}

/// For whom work is done.
#[derive(Debug, Default)]
pub struct Caller {
    client: Option<u64>,
    has_private: AtomicBool,
}

impl Caller {
    /// A client, by a key that tells clients apart; without one, its requests to registries are
    /// counted for no client.
    pub fn new(client: Option<u64>) -> Arc<Self> {
        Arc::new(Self { client, has_private: AtomicBool::new(false) })
    }

    /// The one of the current task.
    pub fn current() -> Arc<Self> {
        CALLER.try_with(Arc::clone).unwrap_or_default()
    }

    /// Does this work for it.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        CALLER.scope(self, work)
    }

    /// The key of the client.
    pub(super) fn client(&self) -> Option<u64> {
        self.client
    }

    /// Whether it was given a fact that was got with credentials.
    pub fn has_private(&self) -> bool {
        self.has_private.load(Ordering::Relaxed)
    }
}

/// Notes that the current caller is given a fact that was got with credentials.
pub(super) fn note_private() {
    // Outside of a request, there is nothing to protect.
    let _ = CALLER.try_with(|caller| caller.has_private.store(true, Ordering::Relaxed));
}

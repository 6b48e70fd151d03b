//! Work that takes long on a processor runs beside the workers, which answer everybody.

use std::future::Future;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::reply;
use crate::answers::Caller;
use crate::api::problem::Problem;
use crate::telemetry::in_current_trace;

/// The runtime beside the workers, which has as many threads as there are processors.
#[derive(Clone)]
pub struct Background(Handle);

impl Background {
    /// The current runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn current() -> Self {
        Self(Handle::current())
    }

    /// Runs the work there. It ends with the caller.
    ///
    /// # Panics
    /// When the work does.
    pub async fn run<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let work = in_current_trace(Caller::current().scope(work));
        let task = AbortOnDropHandle::new(self.0.spawn(work));
        match task.await {
            Ok(done) => done,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only a runtime that shuts down cancels it, and then no answer is waited for.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Runs the work there, and writes its result as JSON there too.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn json<T, F>(&self, work: F) -> Result<Vec<u8>, Problem>
    where
        T: Serialize,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.run(async move { reply::json_bytes(&work.await?) }).await
    }
}

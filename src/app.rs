//! Puts the parts together, and starts and stops them in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::answers::Context;
use crate::catalogue::{Catalogue, CatalogueSettings};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http;
use crate::registry::{Registries, SetupError};
use crate::telemetry::{Metrics, Traces};

pub use crate::http::{Listeners, document_text};

/// The snapshot is written so often at most. A crash then costs the answers of a minute, and a busy
/// service writes a file of some megabytes a minute.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// The application: what answers questions, and what works in the background.
pub struct App {
    context: Arc<Context>,
    metrics: Arc<Metrics>,
}

impl App {
    /// Builds the application. Needs a tokio runtime, on which it asks registries.
    ///
    /// # Errors
    /// When the settings of a registry cannot be used, such as a CA file that is not one.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let clock = Clock::system();
        let registries = Arc::new(Registries::new(settings.registries)?);
        let catalogue_settings = CatalogueSettings {
            offline: settings.offline,
            fresh_for: settings.fresh_for,
            state_dir: settings.state_dir,
        };
        let metrics = Arc::new(Metrics::new());
        let catalogue =
            Catalogue::new(registries, settings.tables, clock.clone(), metrics.clone(), &catalogue_settings);
        let context = Context { catalogue, families: settings.families, tables: settings.tables, clock };
        Ok(Self { context: Arc::new(context), metrics })
    }

    /// What answers questions.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Serves HTTP on these sockets until SIGTERM or SIGINT; requests under way are answered first.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub async fn serve(self, listeners: Listeners, traces: Traces) -> io::Result<()> {
        in_background(&self.context, Catalogue::load_snapshot).await;
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep_snapshot(self.context.clone(), stop.clone()));
        let served = http::serve(self.context, self.metrics, traces, listeners).await;
        stop.cancel();
        // It ends by itself once it is told to, after it has written what is new.
        let _ = keeper.await;
        served
    }
}

/// Writes the snapshot from time to time, and once more when told to stop.
async fn keep_snapshot(context: Arc<Context>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SNAPSHOT_EVERY)).await.is_some() {
        in_background(&context, Catalogue::save_snapshot).await;
    }
    in_background(&context, Catalogue::save_snapshot).await;
}

/// Does work that blocks where it does not hold up requests. A defect in it ends only this work.
async fn in_background(context: &Arc<Context>, work: fn(&Catalogue)) {
    let context = context.clone();
    let _ = tokio::task::spawn_blocking(move || work(&context.catalogue)).await;
}

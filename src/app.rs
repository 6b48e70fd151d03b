//! Puts the parts together, and starts and stops them in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::answers::Context;
use crate::catalogue::{Catalogue, CatalogueSettings};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::{self, Behaviour, Signals};
use crate::registry::{Observer, Registries, SetupError};
use crate::telemetry::{Metrics, Traces};

pub use crate::http::{Listeners, document_text};

/// The snapshot is written so often at most, and only when something was learnt. A crash then costs
/// what was learnt in ten seconds; the file has some hundred kilobytes, and some megabytes where
/// many repositories are in use.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);

/// The application: what answers questions, and what works in the background.
pub struct App {
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    behaviour: Behaviour,
}

impl App {
    /// Builds the application. Needs a tokio runtime, on which it asks registries.
    ///
    /// # Errors
    /// When the settings of a registry cannot be used, such as a CA file that is not one.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Self::with_clock(settings, Clock::system())
    }

    /// As [`Self::new`], with a clock of the caller's.
    ///
    /// # Errors
    /// As there.
    pub fn with_clock(settings: Settings, clock: Clock) -> Result<Self, SetupError> {
        let metrics = Arc::new(Metrics::new());
        let registries =
            Arc::new(Registries::observed(settings.registries, counted_by(metrics.clone()))?);
        let catalogue_settings = CatalogueSettings {
            offline: settings.offline,
            fresh_for: settings.fresh_for,
            state_dir: settings.state_dir,
        };
        let behaviour = Behaviour { clients: settings.clients, drain_delay: settings.drain_delay };
        let catalogue = Catalogue::new(
            registries,
            settings.tables,
            clock.clone(),
            metrics.clone(),
            &catalogue_settings,
        );
        let context = Context {
            catalogue,
            families: settings.families,
            tables: settings.tables,
            kubernetes_hosts: settings.kubernetes_hosts,
            clock,
        };
        Ok(Self { context: Arc::new(context), metrics, behaviour })
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
        let signals = Signals::listen()?;
        self.serve_until(Some(signals), listeners, traces).await
    }

    /// As [`Self::serve`], until one of these signals, or for ever without them.
    ///
    /// # Errors
    /// As there.
    pub async fn serve_until(
        self,
        signals: Option<Signals>,
        listeners: Listeners,
        traces: Traces,
    ) -> io::Result<()> {
        in_background(&self.context, Catalogue::load_snapshot).await;
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep_snapshot(self.context.clone(), stop.clone()));
        let served =
            http::serve(self.context, self.metrics, traces, listeners, self.behaviour, signals)
                .await;
        stop.cancel();
        // It ends by itself once it is told to, after it has written what is new.
        let _ = keeper.await;
        served
    }
}

/// Counts the requests that registries get.
fn counted_by(metrics: Arc<Metrics>) -> Observer {
    Arc::new(move |ended| {
        metrics.observe_client_request(ended.server, ended.status, ended.error, ended.took)
    })
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

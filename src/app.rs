//! Builds the parts of the application, and starts and stops them in order.

mod renewal;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::answers::{Context, Contexts, Renewed};
use crate::catalogue::{Catalogue, CatalogueSettings};
use crate::clock::Clock;
use crate::config::Settings;
use crate::facts::Facts;
use crate::http::{self, Reload};
use crate::registry::{Observer, Registries, SetupError};
use crate::telemetry::{Metrics, Traces};

pub use crate::catalogue::{export_state, import_state};
pub use renewal::Renewal;

pub use crate::http::{Behaviour, Listeners, Signals, document_text, worker_count};

/// The snapshot is written at most this often, and only if there is new data. A crash costs at most
/// the data of ten seconds; the file has some hundred kilobytes, or some megabytes if many
/// repositories are in use.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(10);

/// The application: the context of answers, and background work.
pub struct App {
    context: Arc<Context>,
    registries: Option<Arc<Registries>>,
    facts: Facts,
    metrics: Arc<Metrics>,
}

impl App {
    /// Builds the application. Needs a tokio runtime, on which it contacts registries.
    ///
    /// # Errors
    /// When the settings of a registry cannot be used, such as an invalid CA file.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Self::with_clock(settings, Clock::system())
    }

    /// As [`Self::new`], with another clock.
    ///
    /// # Errors
    /// As there.
    pub fn with_clock(settings: Settings, clock: Clock) -> Result<Self, SetupError> {
        let metrics = Arc::new(Metrics::new());
        let registries =
            Arc::new(Registries::observed(settings.registries, counted_by(metrics.clone()))?);
        let facts = Facts::new(settings.facts, Some(counted_by(metrics.clone())));
        let catalogue_settings = CatalogueSettings {
            offline: settings.offline,
            fresh_for: settings.fresh_for,
            state_dir: settings.state_dir,
        };
        let prepared = (!settings.offline).then(|| registries.clone());
        let catalogue = Catalogue::new(
            registries,
            settings.tables.clone(),
            clock.clone(),
            metrics.clone(),
            &catalogue_settings,
        );
        let context = Context {
            catalogue,
            families: settings.families,
            fleets: settings.fleets,
            tables: settings.tables,
            renewed: Arc::new(Renewed::default()),
            kubernetes_hosts: settings.kubernetes_hosts,
            clock,
        };
        Ok(Self { context: Arc::new(context), registries: prepared, facts, metrics })
    }

    /// The context of answers.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Renews the facts about Windows. Needs a tokio runtime.
    pub fn renewal(self) -> Renewal {
        Renewal::begin(Arc::new(Contexts::new(self.context)), self.facts, self.metrics)
    }

    /// Serves HTTP on these sockets until a signal; requests in progress are answered first.
    /// Without signals, it never ends. The settings are read again when a signal asks for it.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub async fn serve(
        self,
        mut signals: Option<Signals>,
        reread: Reread,
        listeners: Listeners,
        behaviour: Behaviour,
        traces: Traces,
    ) -> io::Result<()> {
        in_background(&self.context, Catalogue::load_snapshot).await;
        if let Some(registries) = self.registries {
            // Beside the first answers, which seldom need a registry.
            tokio::task::spawn_blocking(move || registries.prepare());
        }
        let contexts = Arc::new(Contexts::new(self.context.clone()));
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep_snapshot(self.context, stop.clone()));
        let renewal = Renewal::begin(contexts.clone(), self.facts, self.metrics.clone());
        let renewal = Arc::new(renewal);
        let reload = signals.as_mut().and_then(|signals| signals.reload.take());
        let reloading = reload
            .map(|reload| reload_on_request(reload, reread, renewal.clone(), self.metrics.clone()));
        let reloading = reloading.map(|work| AbortOnDropHandle::new(tokio::spawn(work)));
        let renewal = tokio::spawn(renewal.run(stop.clone()));
        let served =
            http::serve(contexts, self.metrics, traces, listeners, behaviour, signals).await;
        stop.cancel();
        drop(reloading);
        // It ends by itself, after it has written new data.
        let _ = tokio::join!(keeper, renewal);
        served
    }
}

/// Reads the settings again: those of the same command line and variables, and of the file as it is
/// now. The text of an error names the setting.
pub type Reread = fn() -> Result<Settings, String>;

/// Reads the settings again whenever that is requested. Settings that cannot be used change
/// nothing. No request notices: each is answered from the context that it began with.
async fn reload_on_request(
    mut reload: Reload,
    reread: Reread,
    renewal: Arc<Renewal>,
    metrics: Arc<Metrics>,
) {
    while reload.next().await.is_some() {
        let (renewal, metrics) = (renewal.clone(), metrics.clone());
        let work = move || -> Result<(), String> {
            let mut settings = reread()?;
            let of_registries = std::mem::take(&mut settings.registries);
            let registries = Registries::observed(of_registries, counted_by(metrics));
            let registries = Arc::new(registries.map_err(|error| error.to_string())?);
            renewal.reload(settings, registries);
            Ok(())
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => tracing::info!(
                "read the tables, registries, families and fleets again; other settings need a \
                 restart"
            ),
            Ok(Err(error)) => tracing::warn!("SIGHUP changed nothing: {error}"),
            Err(_) => tracing::warn!("SIGHUP changed nothing: reading the settings failed"),
        }
    }
}

/// Counts the requests to registries.
fn counted_by(metrics: Arc<Metrics>) -> Observer {
    Arc::new(move |ended| {
        metrics.observe_client_request(ended.server, ended.status, ended.error, ended.took)
    })
}

/// Writes the snapshot at intervals, and once more at the end.
async fn keep_snapshot(context: Arc<Context>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SNAPSHOT_INTERVAL)).await.is_some() {
        in_background(&context, Catalogue::save_snapshot).await;
    }
    in_background(&context, Catalogue::save_snapshot).await;
}

/// Runs blocking work where it does not delay requests. A panic in it ends only this work.
async fn in_background(context: &Arc<Context>, work: fn(&Catalogue)) {
    let context = context.clone();
    let _ = tokio::task::spawn_blocking(move || work(&context.catalogue)).await;
}

#[cfg(test)]
mod tests {
    use crate::{catalogue, http, registry};

    const MIB: usize = 1 << 20;
    /// What the deployment files allow.
    const LIMIT: usize = 256 * MIB;

    #[test]
    fn h06_all_limits_together_are_below_that_of_the_deployment_files() {
        let of_process = [
            // Measured: idle, with the tables, the catalogue and the code in memory.
            ("the process itself", 16 * MIB),
            // Two threads for each of two processors, with the largest list of nodes each.
            ("questions that are being answered", 16 * MIB),
            ("tag lists", catalogue::MAX_TAG_BYTES),
            ("tag lists that are not in the cache", catalogue::MAX_NEW_LIST_BYTES),
            ("manifests", catalogue::MAX_MANIFEST_BYTES as usize),
            ("what was seen of tags", catalogue::MAX_HISTORY_BYTES),
            ("answers of registries that are being read", registry::MAX_RECEIVED_BYTES),
        ];
        let limits: Vec<_> = of_process.into_iter().chain(http::memory::limits()).collect();
        let sum: usize = limits.iter().map(|(_, bytes)| bytes).sum();
        // A tenth for what is between the pieces of memory.
        assert!(sum < LIMIT / 10 * 9, "{} MiB", sum / MIB);
        let page = include_str!("../docs/operations.md");
        for (name, bytes) in limits.iter().copied().chain([("together", sum)]) {
            let row = format!("| {name} | {} |", bytes.div_ceil(MIB));
            assert!(page.contains(&row), "docs/operations.md has no {row}");
        }
        for (file, text, limit) in [
            ("swarm", include_str!("../deploy/swarm/stack.yaml"), "memory: 256M"),
            ("Helm", include_str!("../deploy/helm/wintag/values.yaml"), "memory: 256Mi"),
            (
                "Kubernetes",
                include_str!("../deploy/kubernetes/admission-webhook.yaml"),
                "limits: {memory: 256Mi}",
            ),
        ] {
            assert!(text.contains(limit), "{file}");
        }
    }
}

//! The end of the service: it says that it will stop, goes on answering until those who send
//! requests have noticed, finishes what is under way, and ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Requests under way get so long when no new ones are taken any more. With the usual delay before,
/// that is 25 seconds in all, less than the 30 that Kubernetes gives a container.
pub const FINISHING: Duration = Duration::from_secs(20);

/// Whether the service was told to stop.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    /// Whether it was.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits until the service is told to stop, and stops it: after the delay if something else than a
/// person at the keyboard says so, and at once when it is told a second time. The listener is
/// closed and nothing is under way any more when this ends, unless it was told twice. Without
/// signals nobody says so.
pub async fn stop(
    signals: Option<Signals>,
    draining: &Draining,
    server: &ServerHandle,
    delay: Duration,
) {
    let Some(mut signals) = signals else { return std::future::pending().await };
    let delay = match signals.next().await {
        Asked::ToTerminate => delay,
        Asked::AtTheKeyboard => Duration::ZERO,
    };
    draining.0.store(true, Ordering::Relaxed);
    tracing::info!(
        "stopping: taking requests for {} s more, then finishing those under way",
        delay.as_secs()
    );
    let finish = async {
        tokio::time::sleep(delay).await;
        server.stop(true).await;
    };
    tokio::select! {
        () = finish => {}
        _ = signals.next() => tracing::warn!("stopping at once: told a second time"),
    }
}

/// How the service was told to stop.
enum Asked {
    /// SIGTERM: what runs the service wants it to end.
    ToTerminate,
    /// SIGINT: somebody pressed Ctrl-C and waits.
    AtTheKeyboard,
}

/// The signals that tell the service to stop.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals from now on, so that they do not end the process.
    ///
    /// # Errors
    /// When the system does not allow that.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::ToTerminate,
            _ = self.interrupt.recv() => Asked::AtTheKeyboard,
        }
    }
}

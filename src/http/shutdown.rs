//! The end of the service: it reports that it is not ready, goes on answering until clients have
//! noticed, finishes the requests under way, and ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
#[cfg(unix)]
use tokio::signal::unix::{Signal as Interrupt, Signal as Terminate, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC as Interrupt, ctrl_c, ctrl_close, ctrl_shutdown};

/// How long requests under way get after the listener is closed. With the default delay before, it
/// is 25 seconds in all, less than the 30 that Kubernetes gives a container.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Whether the service is shutting down.
#[derive(Debug, Default)]
pub struct ShutdownState(AtomicBool);

impl ShutdownState {
    /// Whether the shutdown has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for a signal and stops the server: after the delay on SIGTERM, at once on SIGINT, and at
/// once on a second signal. When this ends, the listener is closed and no request is under way,
/// unless there was a second signal. Without signals it never ends.
pub async fn stop_on_signal(
    signals: Option<Signals>,
    state: &ShutdownState,
    server: &ServerHandle,
    delay: Duration,
) {
    let Some(mut signals) = signals else { return std::future::pending().await };
    let delay = match signals.next().await {
        StopSignal::Terminate => delay,
        StopSignal::Interrupt => Duration::ZERO,
    };
    state.0.store(true, Ordering::Relaxed);
    tracing::info!(
        "shutting down: accepting requests for another {} s, then finishing those under way",
        delay.as_secs()
    );
    let finish = async {
        tokio::time::sleep(delay).await;
        server.stop(true).await;
    };
    tokio::select! {
        () = finish => {}
        _ = signals.next() => tracing::warn!("stopping at once: received a second signal"),
    }
}

enum StopSignal {
    /// SIGTERM, from the service manager.
    Terminate,
    /// SIGINT: someone pressed Ctrl-C and waits.
    Interrupt,
}

/// The signals that stop the service: SIGTERM and SIGINT; on Windows, the end of the console or of
/// the system (which is how `docker stop` ends a Windows container), and Ctrl-C.
pub struct Signals {
    terminate: Terminate,
    interrupt: Interrupt,
    /// The request to read the settings again, until it is taken; none on Windows.
    pub reload: Option<Reload>,
}

/// Receives the request to read the settings again, for which SIGHUP is the convention. Windows has
/// none.
#[cfg(unix)]
pub struct Reload(tokio::signal::unix::Signal);

/// There is none on Windows.
#[cfg(windows)]
pub enum Reload {}

impl Reload {
    /// Waits for the next request. Ends with `None` when there can be no more.
    pub async fn next(&mut self) -> Option<()> {
        #[cfg(unix)]
        return self.0.recv().await;
        #[cfg(windows)]
        match *self {}
    }
}

/// Receives the closing of the console and the shutdown of the system.
#[cfg(windows)]
struct Terminate {
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Terminate {
    async fn recv(&mut self) -> Option<()> {
        tokio::select! {
            closed = self.close.recv() => closed,
            ended = self.shutdown.recv() => ended,
        }
    }
}

impl Signals {
    /// Handles the signals from now on, so that they do not end the process. That includes SIGHUP,
    /// which a terminal sends when it closes.
    ///
    /// # Errors
    /// When the system does not allow that.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: Some(Reload(signal(SignalKind::hangup())?)),
        })
    }

    /// As on Unix.
    ///
    /// # Errors
    /// As there.
    #[cfg(windows)]
    pub fn listen() -> io::Result<Self> {
        let terminate = Terminate { close: ctrl_close()?, shutdown: ctrl_shutdown()? };
        Ok(Self { terminate, interrupt: ctrl_c()?, reload: None })
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
        }
    }
}

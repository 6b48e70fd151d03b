//! `wintag serve`: the sockets, logs and traces, and then the service.

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

use super::ending::{Ending, fail};
use crate::app::{App, Behaviour, Listeners};
use crate::config::{AdminListen, DEFAULT_ADMIN_LISTEN, ServiceSettings, Settings};
use crate::telemetry::Traces;

/// Serves until a signal stops the service.
pub(super) async fn serve(service: ServiceSettings, settings: Settings, traces: Traces) -> Ending {
    let address = service.public.listen;
    let listener = match bind(address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!(
                "wintag: cannot listen on {address}: {error}; choose another address with --listen"
            );
            return Ending::Failed;
        }
    };
    let admin = match bind_admin(service.admin_listen) {
        Ok(admin) => admin,
        Err(ending) => return ending,
    };
    let app = match App::new(settings) {
        Ok(app) => app,
        Err(error) => return fail(Ending::Failed, &error),
    };
    if let Some(Ok(address)) = admin.as_ref().map(TcpListener::local_addr) {
        tracing::info!(
            "metrics at http://{address}/metrics, health at http://{address}/readyz?verbose"
        );
    }
    if let Ok(address) = listener.local_addr() {
        eprintln!(
            "wintag: listening on http://{address}, Swagger UI at http://{address}/swagger-ui/"
        );
    }
    let listeners = Listeners { public: listener, admin };
    let behaviour = Behaviour { clients: service.clients.into(), drain_delay: service.drain_delay };
    match app.serve(listeners, behaviour, traces).await {
        Ok(()) => Ending::Answered,
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// A listening socket. The standard library would let 128 connections wait; if more come at once,
/// the others would try again only after a second.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    /// The limit of Linux by default.
    const MAX_WAITING_CONNECTIONS: u32 = 4096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(MAX_WAITING_CONNECTIONS)?.into_std()
}

/// The socket of the listener for operators. The service goes on without it only if no address was
/// configured.
fn bind_admin(setting: Option<AdminListen>) -> Result<Option<TcpListener>, Ending> {
    let (address, is_required) = match setting {
        Some(AdminListen::Off) => return Ok(None),
        Some(AdminListen::At(address)) => (address, true),
        None => (DEFAULT_ADMIN_LISTEN, false),
    };
    match bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_required => {
            eprintln!(
                "wintag: cannot listen on {address}: {error}; choose another address with \
                 --admin-listen"
            );
            Err(Ending::Failed)
        }
        Err(error) => {
            tracing::warn!(
                "no metrics: cannot listen on {address}: {error}; choose an address with \
                 --admin-listen"
            );
            Ok(None)
        }
    }
}

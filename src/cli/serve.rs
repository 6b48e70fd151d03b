//! `wintag serve`: the sockets, logs and traces, and then the service.

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

use super::arguments::{Arguments, Command};
use super::ending::{Ending, message_of};
use super::open_files::limited_connections;
use crate::app::{App, Behaviour, Listeners, Signals};
use crate::config::{AdminListen, ClientLimits, DEFAULT_ADMIN_LISTEN, ServiceSettings, Settings};
use crate::telemetry::Telemetry;

/// Serves until a signal stops the service. All messages go the way of the log, which never waits:
/// a signal must stop the service also while nothing reads them.
pub(super) async fn serve(
    service: ServiceSettings,
    settings: Settings,
    telemetry: &Telemetry,
) -> Ending {
    match try_serve(service, settings, telemetry).await {
        Ok(()) => Ending::Answered,
        Err(message) => {
            telemetry.say(message);
            Ending::Failed
        }
    }
}

async fn try_serve(
    service: ServiceSettings,
    settings: Settings,
    telemetry: &Telemetry,
) -> Result<(), String> {
    // Before the sockets: a client that reaches the service may stop it.
    let signals = Signals::listen().map_err(|error| message_of(&error))?;
    let address = service.public.listen;
    let listener = bind(address).map_err(|error| {
        format!("wintag: cannot listen on {address}: {error}; choose another address with --listen")
    })?;
    let admin = bind_admin(service.admin_listen)?;
    let app = App::new(settings).map_err(|error| message_of(&error))?;
    if let Some(Ok(address)) = admin.as_ref().map(TcpListener::local_addr) {
        tracing::info!(
            "metrics at http://{address}/metrics, health at http://{address}/readyz?verbose"
        );
    }
    if let Ok(address) = listener.local_addr() {
        telemetry.say(format!(
            "wintag: listening on http://{address}, Swagger UI at http://{address}/swagger-ui/"
        ));
    }
    let listeners = Listeners { public: listener, admin };
    let limits = ClientLimits::from(service.clients);
    let max_connections = limited_connections(limits.max_connections);
    let clients = ClientLimits { max_connections, ..limits };
    let behaviour = Behaviour { clients, drain_delay: service.drain_delay };
    let served = app.serve(Some(signals), reread, listeners, behaviour, telemetry.traces()).await;
    served.map_err(|error| message_of(&error))
}

/// The settings as the command line, the variables and the file give them now.
fn reread() -> Result<Settings, String> {
    let (arguments, file) = Arguments::read_again()
        .map_err(|error| error.to_string())?
        .map_err(|(_, error)| message_of(&error))?;
    let service = match arguments.command {
        Some(Command::Serve(service)) => service,
        _ => arguments.service,
    };
    Settings::of_service(&service, file).map_err(|error| message_of(&error))
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
fn bind_admin(setting: Option<AdminListen>) -> Result<Option<TcpListener>, String> {
    let (address, is_required) = match setting {
        Some(AdminListen::Off) => return Ok(None),
        Some(AdminListen::At(address)) => (address, true),
        None => (DEFAULT_ADMIN_LISTEN, false),
    };
    match bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if is_required => Err(format!(
            "wintag: cannot listen on {address}: {error}; choose another address with \
             --admin-listen"
        )),
        Err(error) => {
            tracing::warn!(
                "no metrics: cannot listen on {address}: {error}; choose an address with \
                 --admin-listen"
            );
            Ok(None)
        }
    }
}

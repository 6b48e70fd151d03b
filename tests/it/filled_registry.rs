//! The test registry for people: `cargo run --example filled-registry` runs it until a signal.
//!
//! `docker`, `skopeo` and wintag itself can then be pointed at it. It is an example and not a test,
//! though it lies among the tests because it shares their fixture.

use std::path::PathBuf;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use docker_registry::{DockerRegistry, Options};

#[path = "support/docker_registry/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod docker_registry;

/// Runs a registry that holds the Windows base images as far as their tags and platforms go.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1.
    #[arg(default_value_t = 5000)]
    port: u16,
    /// Who may read it; everyone when not given.
    #[arg(long, value_name = "USER:PASSWORD", value_parser = login)]
    htpasswd: Option<(String, String)>,
    /// Where to write the access log.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let options = Options {
        port: Some(arguments.port),
        login: arguments.htpasswd,
        log: arguments.log,
        content: None,
    };
    let registry = DockerRegistry::start_with(options);
    println!("{}", registry.host());
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    Ok(())
}

fn login(text: &str) -> Result<(String, String), String> {
    let (user, password) = text.split_once(':').ok_or("write it as user:password")?;
    Ok((user.to_owned(), password.to_owned()))
}

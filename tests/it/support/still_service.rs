//! The service on a day that does not pass.
//!
//! An answer follows from the day on which it is given: what is supported, the warnings of that,
//! and the order of the images that support decides. What is committed (the examples of the OpenAPI
//! document and of the README) is the answer of one day, and is compared whole with the answer of
//! the same day. So the routes of the program are served by the process of the tests, with a clock
//! that stands still; the program itself cannot be given the time.

use std::net::TcpListener;
use std::time::Duration;

use wintag::app::{App, Behaviour, Listeners};
use wintag::clock::Clock;
use wintag::config::{ClientLimits, ConfigFile, Settings, SourceSettings};
use wintag::telemetry::Traces;

/// The day of what is committed. It may be moved on, and what is committed then blessed anew.
const DAY: &str = "2026-11-23T12:00:00Z";

/// A service that never asks a registry; it ends with the process.
pub struct StillService {
    address: String,
}

impl StillService {
    pub fn start() -> Self {
        Self::on(DAY)
    }

    /// A service on the day of this moment.
    pub fn on(moment: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let source = SourceSettings { offline: true, ..SourceSettings::default() };
        let settings =
            Settings::of_command(&source, ConfigFile::default()).expect("nothing is set");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        let _entered = runtime.handle().clone().enter();
        let clock = Clock::manual(moment.parse().expect("a time"));
        let app = App::with_clock(settings, clock).expect("nothing is set");
        std::thread::spawn(move || {
            let listeners = Listeners { public: listener, admin: None };
            let behaviour =
                Behaviour { clients: ClientLimits::default(), drain_delay: Duration::ZERO };
            runtime
                .block_on(app.serve(
                    None,
                    || Err(String::new()),
                    listeners,
                    behaviour,
                    Traces::default(),
                ))
                .expect("it serves");
        });
        Self { address }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

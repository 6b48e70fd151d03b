//! Puts the parts together, and starts and stops them in order.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::answers::Context;
use crate::catalogue::{Catalogue, CatalogueSettings};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http;
use crate::registry::{Registries, SetupError};

pub use crate::http::document_text;

/// The application: what answers questions, and in time what works in the background.
pub struct App {
    context: Arc<Context>,
}

impl App {
    /// Builds the application. Needs a tokio runtime, on which it asks registries.
    ///
    /// # Errors
    /// When the settings of a registry cannot be used, such as a CA file that is not one.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let clock = Clock::system();
        let registries = Arc::new(Registries::new(settings.registries)?);
        let catalogue_settings = CatalogueSettings { offline: settings.offline, fresh_for: settings.fresh_for };
        let catalogue = Catalogue::new(registries, settings.tables, clock.clone(), &catalogue_settings);
        let context = Context { catalogue, families: settings.families, tables: settings.tables, clock };
        Ok(Self { context: Arc::new(context) })
    }

    /// What answers questions.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Serves HTTP on this socket until SIGTERM or SIGINT; requests under way are answered first.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        http::serve(self.context, listener).await
    }
}

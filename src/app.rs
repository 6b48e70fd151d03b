//! Puts the parts together, and starts and stops them in order.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::api::reading::Reading;
use crate::catalogue::{Catalogue, CatalogueSettings};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http;
use crate::images::Families;
use crate::registry::{Registries, SetupError};
use crate::windows::Tables;

/// Everything that answers questions. One of it lives as long as the process.
pub struct App {
    /// What each repository holds.
    pub catalogue: Catalogue,
    /// The families of images.
    pub families: Families,
    /// The Windows tables.
    pub tables: &'static Tables,
    /// Where the time comes from.
    pub clock: Clock,
}

impl App {
    /// Builds the application. Needs a tokio runtime, on which it asks registries.
    ///
    /// # Errors
    /// When the settings of a registry cannot be used, such as a CA file that is not one.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SetupError> {
        let registries = Arc::new(Registries::new(settings.registries)?);
        let catalogue_settings = CatalogueSettings { offline: settings.offline, fresh_for: settings.fresh_for };
        let catalogue = Catalogue::new(registries, settings.tables, clock.clone(), &catalogue_settings);
        Ok(Self { catalogue, families: settings.families, tables: settings.tables, clock })
    }

    /// What reading parameters needs to know.
    pub fn reading(&self) -> Reading<'_> {
        Reading { families: &self.families, tables: self.tables }
    }

    /// Serves HTTP on this socket until SIGTERM or SIGINT; requests under way are answered first.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        http::serve(Arc::new(self), listener).await
    }
}

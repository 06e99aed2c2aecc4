//! Servers whose files are backed up.

use std::sync::Arc;

use yore_engine::backend::{Outage, Patience, SftpSource};

use super::{Context, layers};
use crate::access::destination::ServerFolder;
use crate::failure::Outcome;

impl Context {
    /// Makes the engine's access to the server of a folder that is backed up, without connecting to it.
    ///
    /// # Errors
    /// The configuration of SSH says nonsense of the host.
    pub fn source_server(&self, folder: &ServerFolder, patience: Patience) -> Outcome<SftpSource> {
        let (screen, reporter) = (Arc::clone(&self.screen), Arc::clone(&self.screen));
        let interrupted = Box::new(move || screen.is_interrupted());
        let on_outage = Box::new(move |outage: Outage<'_>| {
            layers::report(&reporter, Some("the source"), &outage);
        });
        Ok(SftpSource::new(folder.server_options()?, patience, interrupted, on_outage))
    }
}

//! Files that stay open on the server between reads.

use std::sync::Arc;

use super::protocol::requests::Handle;
use super::protocol::session::Session;

/// A file that is open for reading, and is closed when this is dropped.
pub(super) struct OpenFile {
    session: Arc<Session>,
    handle: Handle,
}

impl OpenFile {
    /// Takes charge of an open file.
    pub fn new(session: Arc<Session>, handle: Handle) -> Self {
        Self { session, handle }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.session.close_unanswered(&self.handle);
    }
}

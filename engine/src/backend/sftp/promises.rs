//! The promises of a server, as far as its extensions and its answers so far tell.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::protocol::requests::extension;
use super::protocol::session::Session;
use crate::backend::{Capabilities, Guarantee};

/// What is known of a server.
pub(super) struct Promises(Mutex<Known>);

#[derive(Clone, Copy)]
struct Known {
    /// A second link never replaces a file.
    links: Guarantee,
    /// A link was made, so the file system has them.
    links_work: bool,
    /// Objects can be made durable.
    flushes: Guarantee,
}

impl Promises {
    /// Expects everything of a server until it answers.
    pub fn of_server() -> Self {
        Self::all(Guarantee::Unprobed)
    }

    /// Expects nothing of a program, whatever it offers: the storage is behind it.
    pub fn of_program() -> Self {
        Self::all(Guarantee::Broken)
    }

    fn all(guarantee: Guarantee) -> Self {
        Self(Mutex::new(Known { links: guarantee, links_work: false, flushes: guarantee }))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which extensions a server offers.
    pub fn learn(&self, session: &Session) {
        let mut known = self.lock();
        let learn =
            |guarantee: &mut Guarantee, extension| match (session.offers(extension), *guarantee) {
                (true, Guarantee::Unprobed) => *guarantee = Guarantee::Kept,
                (false, _) => *guarantee = Guarantee::Broken,
                (true, _) => {}
            };
        learn(&mut known.links, extension::HARDLINK);
        learn(&mut known.flushes, extension::FSYNC);
    }

    /// Notes that the file system behind the server has links.
    pub fn link_succeeded(&self) {
        self.lock().links_work = true;
    }

    /// Returns true once a link was made.
    pub fn links_work(&self) -> bool {
        self.lock().links_work
    }

    /// Notes that the file system behind the server has no links.
    pub fn links_failed(&self) {
        self.lock().links = Guarantee::Broken;
    }

    /// Notes that the file system behind the server can't flush.
    pub fn flush_failed(&self) {
        self.lock().flushes = Guarantee::Broken;
    }

    /// Returns true while objects are to be published by links.
    pub fn uses_links(&self) -> bool {
        self.lock().links == Guarantee::Kept
    }

    /// Returns true while objects are to be flushed.
    pub fn uses_flushes(&self) -> bool {
        self.lock().flushes == Guarantee::Kept
    }

    /// Returns the capabilities that follow.
    pub fn capabilities(&self) -> Capabilities {
        let known = *self.lock();
        Capabilities {
            create_if_absent: known.links,
            durable: known.flushes != Guarantee::Broken,
            cheap_requests: false,
        }
    }
}

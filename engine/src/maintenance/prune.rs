//! Prune: the space of what no snapshot needs is freed, while backups, restores and mounts go on.
//!
//! Each destination is pruned by itself, without locks and without trust in clocks (FORMAT.md §11):
//!
//! ```text
//! list        gc, sessions, snapshots; then indexes and packs
//! mark        the live blobs: those of the snapshots that count
//! repack      live blobs of packs that are half empty, or small, go into new packs, in a session of a writer
//! condemn     gc/<n>: packs without a live blob, and those that were repacked. A writer that begins now uses none of them
//! wait        until every writer that began before has a verdict
//! rescue      list and mark again; what such a writer committed is kept: gc/<n>.end
//! delete      after the grace for readers: packs, and the indexes that describe nothing else; then their parity
//! ```
//!
//! A run that is killed, or that must wait for a writer or for the grace, leaves what the next run finishes. A pack is
//! condemned only if each live blob in it has a copy in a pack that no generation condemns, and a generation is created
//! only if absent by one that knows all earlier ones; so no two runs can both rely on what the other condemns. A model
//! of this protocol is explored in the tests, with what goes wrong without each of its rules.

use yore_platform::Timestamp;

use crate::backend::{Guarantee, probe_create_if_absent};
use crate::error::{Error, Refusal, Result};
use crate::maintenance::parity;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::repository::{Repository, Writer};

mod analysis;
mod bits;
mod generations;
mod index_objects;
mod mark;
mod plan;
mod records;
mod repack;
mod report;
mod round;
mod sweep;
#[cfg(test)]
mod tests;
mod tombstones;
mod unchanged;
mod view;

pub use report::{Amount, DestinationPrune, Pending, PendingCause, PruneReport};

/// Whether other programs may use the repository meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Others may write and read.
    #[default]
    Shared,
    /// The caller vouches that nobody else writes. Needed where a destination does not keep the promise to create an
    /// object only if it is absent; open sessions are aborted.
    Exclusive,
}

/// The options of a prune.
#[derive(Debug, Clone)]
pub struct PruneOptions {
    /// The share of unused bytes that packs may keep, from 0 to 1.
    pub max_unused: f64,
    /// The seconds between condemning a pack and deleting it: readers that opened the repository before finish.
    pub grace: i64,
    /// Whether others may use the repository meanwhile.
    pub access: Access,
    /// Whether anything is changed.
    pub run: Run,
    /// A destination of the repository is not open, so an index is not freed of packs that it may still have.
    pub has_absent_destinations: bool,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self {
            max_unused: 0.05,
            grace: 72 * 60 * 60,
            access: Access::Shared,
            run: Run::Real,
            has_absent_destinations: false,
        }
    }
}

/// The times that a run starts over because another one published a generation first.
const ATTEMPTS: usize = 8;

/// Frees the space of what no snapshot needs, at each destination.
///
/// # Errors
/// [`Error::Interrupted`]; [`Refusal::NeedsExclusiveAccess`]. An error of one destination is in its report.
pub fn prune(
    repository: &Repository,
    options: &PruneOptions,
    writer: &Writer,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<PruneReport> {
    repository.must_be_own()?;
    let mut report = PruneReport::default();
    for destination in 0..repository.destinations().len() {
        let task = Task { repository, destination, options, writer, now, observer };
        let mut pruned = DestinationPrune::new(destination);
        match task.run(&mut pruned) {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error @ Error::Refused(Refusal::NeedsExclusiveAccess { .. })) => return Err(error),
            Err(error) => pruned.error = Some(error),
            Ok(()) => {}
        }
        report.destinations.push(pruned);
    }
    Ok(report)
}

/// The destination that is pruned, and how.
#[derive(Clone, Copy)]
struct Task<'a> {
    repository: &'a Repository,
    destination: usize,
    options: &'a PruneOptions,
    writer: &'a Writer,
    now: Timestamp,
    observer: &'a dyn Observer,
}

impl Task<'_> {
    fn run(&self, report: &mut DestinationPrune) -> Result<()> {
        self.repository.must_be_writable()?;
        self.repository.must_have_keys(self.place())?;
        if self.options.run == Run::Real {
            self.must_be_alone_if_needed()?;
        }
        for _ in 0..ATTEMPTS {
            match round::run(self, report) {
                // Another run condemned packs first: everything is listed anew.
                Err(Error::Overtaken) => report.begin_again(),
                Err(error) => return Err(error),
                Ok(()) => {
                    report.parity = parity::delete_left(&self.parity(), self.now)?;
                    return Ok(());
                }
            }
        }
        Err(Error::Overtaken)
    }

    /// Refuses to run beside others where a verdict may be created twice.
    fn must_be_alone_if_needed(&self) -> Result<()> {
        let backend = &**self.place().backend();
        let found = match backend.capabilities().create_if_absent {
            Guarantee::Unprobed => probe_create_if_absent(backend)?,
            known => known,
        };
        match (found, self.options.access) {
            (Guarantee::Kept, _) | (_, Access::Exclusive) => Ok(()),
            (Guarantee::Broken | Guarantee::Unprobed, Access::Shared) => {
                Err(Refusal::NeedsExclusiveAccess { location: backend.location() }.into())
            }
        }
    }

    fn parity(&self) -> parity::Task<'_> {
        let Task { repository, destination, options, observer, .. } = *self;
        parity::Task { repository, destination, run: options.run, observer }
    }

    fn place(&self) -> &crate::repository::Destination {
        &self.repository.destinations()[self.destination]
    }
}

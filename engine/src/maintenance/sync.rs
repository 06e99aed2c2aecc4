//! Sync: every destination gets what another one has, and what is damaged is healed.
//!
//! Copying to a destination is a session of a writer there, in the usual order: packs, indexes, snapshots, then a
//! verdict that commits the snapshots whose trees are whole there. So an interrupted sync leaves a consistent
//! destination, and the next one goes on with what is still lacking:
//!
//! ```text
//!              first                    second, which was away on Tuesday
//! before       p1 p2 p3  i1 i2          p1  i1            Monday is committed
//! copied       p1 p2 p3  i1 i2          p1 p2 p3  i1 i2   Monday, Tuesday
//! ```
//!
//! Every object is verified with the keys of the repository while it is copied: damage does not spread. An object that
//! a destination has in a damaged form is replaced by a whole one; nothing else is ever overwritten.

use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::ObjectName;
use crate::operation::observer::Observer;
use crate::repository::{Repository, Writer};

mod fill;
mod heal;
mod locks;
mod objects;
mod packs;
mod parity;
#[cfg(test)]
mod tests;

pub use heal::{HealReport, heal};
pub use locks::{LockReport, extend_locks};

/// The objects that a sync verifies besides those that it copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Small objects, where requests are cheap, and objects that a reader found damaged.
    #[default]
    Suspects,
    /// Everything: each byte of every destination is read.
    Everything,
}

/// The options of a sync.
#[derive(Debug, Clone, Default)]
pub struct SyncOptions {
    /// The destinations from which objects are copied, by their numbers; `None` for all.
    pub from: Option<Vec<usize>>,
    /// The destinations that are filled; `None` for all.
    pub to: Option<Vec<usize>>,
    /// The objects that are verified.
    pub verify: Verify,
}

/// The result of a sync.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// The destinations that were filled, in the order in which it was done.
    pub destinations: Vec<FillReport>,
}

/// The result of filling one destination.
#[derive(Debug, Default)]
pub struct FillReport {
    /// The number of the destination in the repository.
    pub destination: usize,
    /// Objects that it lacked and got.
    pub copied: u64,
    /// Bytes of the objects that were copied or healed.
    pub bytes: u64,
    /// Objects that were damaged there and were replaced; sorted.
    pub healed: Vec<ObjectName>,
    /// Snapshots that were committed.
    pub committed: u64,
    /// Key slots that were removed elsewhere and opened it until now.
    pub removed_slots: u64,
    /// Snapshots that can't be committed there, because no destination has all of their objects whole; sorted.
    pub incomplete: Vec<SnapshotId>,
    /// The errors of objects that could not be copied or verified.
    pub problems: Vec<Error>,
    /// The error that ended it before everything was copied.
    pub error: Option<Error>,
}

impl FillReport {
    /// Returns true if the destination has everything that another one has.
    pub fn is_whole(&self) -> bool {
        self.error.is_none() && self.problems.is_empty() && self.incomplete.is_empty()
    }

    /// Returns true if nothing had to be done.
    pub fn is_unchanged(&self) -> bool {
        let is_untouched = self.copied + self.committed + self.removed_slots == 0;
        self.is_whole() && is_untouched && self.healed.is_empty()
    }
}

impl SyncReport {
    /// Returns true if every destination has everything that another one has.
    pub fn is_whole(&self) -> bool {
        self.destinations.iter().all(FillReport::is_whole)
    }
}

/// Copies to each destination what it lacks, and heals what is damaged.
///
/// A destination that fails is reported, and the others are filled all the same.
///
/// # Errors
/// [`Error::Interrupted`]; an error of every destination at once.
pub fn sync(
    repository: &Repository,
    options: &SyncOptions,
    writer: &Writer,
    observer: &dyn Observer,
) -> Result<SyncReport> {
    repository.must_be_own()?;
    let suspects = repository.take_suspects();
    let mut report = SyncReport::default();
    for destination in 0..repository.destinations().len() {
        let is_wanted = |wanted: &Vec<usize>| wanted.contains(&destination);
        if !options.to.as_ref().is_none_or(is_wanted) {
            continue;
        }
        let own = suspects.iter().filter(|suspect| suspect.destination == destination);
        let own: Vec<ObjectName> = own.map(|suspect| suspect.name.clone()).collect();
        let task = fill::Task { repository, destination, options, writer, observer };
        match fill::fill(&task, &own) {
            Ok(filled) => report.destinations.push(filled),
            Err(error) => {
                repository.keep_suspects(&suspects);
                return Err(error);
            }
        }
    }
    let unhealed: Vec<_> = suspects
        .into_iter()
        .filter(|suspect| {
            let mut filled = report.destinations.iter();
            filled.all(|one| one.destination != suspect.destination || one.error.is_some())
        })
        .collect();
    repository.keep_suspects(&unhealed);
    Ok(report)
}

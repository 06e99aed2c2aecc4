//! The key slots of an open repository: which secrets open it, and adding and removing them (FORMAT.md §4).
//!
//! A new slot is written to every destination, read back and opened before an old one may be removed. A removal is
//! written before a slot that it names is deleted, so of two programs that each remove the other's last slot at least
//! one finds the removal of the other one, and withdraws its own:
//!
//! ```text
//!               first              second, which was away
//! before        a b                a b
//! removed       a b  removal of b  a b
//! deleted       a    removal of b  a b                   b still opens the second
//! after a sync  a    removal of b  a    removal of b
//! ```
//!
//! To open a repository, a removal does not count: a slot opens a destination for as long as it is there. So no
//! interrupted removal leaves a destination that nothing opens.

use std::collections::{BTreeMap, HashSet};

use super::listing::Listing;
use super::{Behind, BehindCause, Problems, Repository};
use crate::backend::{self, Backend};
use crate::error::{Error, Refusal, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::secret::SecretKind;
use crate::format::slot::{MAX_SLOT, Slot};

mod add;
mod inbox;
mod remove;
mod removed;
mod rotate;
#[cfg(test)]
mod tests;

pub use add::{AddReport, NewSlot, add_slot};
pub use inbox::{
    MAX_MACHINE_NAME, Machine, NewMachine, add_machine, draw_machine, machines, open_inbox,
};
pub use remove::{Remaining, Removal, RemoveReport, remove_slots};
pub(crate) use removed::{delete_removed, removed_somewhere};
pub use rotate::{RotateReport, rotate};

/// A key slot, and where it is.
#[derive(Debug)]
pub struct KnownSlot {
    /// The slot.
    pub slot: Slot,
    /// The destinations that have it whole, by their numbers.
    pub destinations: Vec<usize>,
    /// It was removed, and still opens the destinations that have it.
    pub is_removed: bool,
}

/// The key slots of all destinations.
#[derive(Debug, Default)]
pub struct KnownSlots {
    /// The slots of secrets, in the order in which they were made.
    pub list: Vec<KnownSlot>,
    /// The errors of damaged slots.
    pub problems: Problems,
    /// The destinations whose slots could not be read.
    pub unread: Vec<Behind>,
    removals: Vec<KnownSlot>,
}

impl KnownSlot {
    /// Returns true if a secret of a known kind opens the repository by this slot, and is to do so.
    pub fn counts(&self) -> bool {
        self.slot.kind.is_some_and(|kind| kind != SecretKind::WriteOnly) && !self.is_removed
    }

    /// Returns true if a person can type its secret.
    fn is_typed(&self) -> bool {
        match self.slot.kind {
            Some(SecretKind::Passphrase | SecretKind::Recovery) => true,
            Some(SecretKind::KeyFile | SecretKind::WriteOnly) | None => false,
        }
    }

    fn is_at(&self, destination: usize) -> bool {
        self.destinations.contains(&destination)
    }
}

impl KnownSlots {
    /// Returns a slot by its id.
    pub fn get(&self, id: ObjectId) -> Option<&KnownSlot> {
        self.list.iter().find(|known| known.slot.id == id)
    }

    /// Returns the ids that removals name.
    fn removed(&self) -> HashSet<ObjectId> {
        self.removals.iter().flat_map(|removal| removal.slot.removes.iter().copied()).collect()
    }

    /// Returns true if without these slots neither a passphrase nor a recovery key would be left, and one of them is one.
    pub fn leaves_only_key_files(&self, ids: &[ObjectId]) -> bool {
        let goes = |known: &&KnownSlot| ids.contains(&known.slot.id);
        let left: Vec<_> =
            self.list.iter().filter(|known| !goes(known) && known.counts()).collect();
        let is_typed = |known: &&KnownSlot| known.is_typed();
        let was_typed = self.list.iter().filter(goes).any(|known| is_typed(&known));
        was_typed && !left.is_empty() && !left.iter().any(is_typed)
    }

    /// Fails if without these slots too few would be left.
    fn must_leave(&self, ids: &[ObjectId], remaining: Remaining) -> Result<()> {
        let stays = |known: &&KnownSlot| known.counts() && !ids.contains(&known.slot.id);
        if !self.list.iter().any(|known| stays(&known)) {
            return Err(Refusal::LastSlot.into());
        }
        match remaining {
            Remaining::Typed if self.leaves_only_key_files(ids) => {
                Err(Refusal::OnlyKeyFilesLeft.into())
            }
            Remaining::Typed | Remaining::Any => Ok(()),
        }
    }
}

/// Loads the key slots of every destination.
///
/// # Errors
/// When no destination can be listed.
pub fn known_slots(repository: &Repository) -> Result<KnownSlots> {
    let mut listing = repository.list(&[Area::Keys])?;
    let mut known = KnownSlots::default();
    let mut found: BTreeMap<ObjectId, KnownSlot> = BTreeMap::new();
    for destination in 0..repository.destinations().len() {
        let read = match listing.take_error(destination) {
            Some(error) => Err(error),
            None => slots_at(repository, destination, &listing),
        };
        let (slots, problems) = match read {
            Ok(read) => read,
            Err(error) => {
                let cause = BehindCause::Failed(error);
                known.unread.push(Behind { destination, cause });
                continue;
            }
        };
        known.problems.extend(problems);
        for slot in slots {
            let new = KnownSlot { destinations: Vec::new(), is_removed: false, slot };
            found.entry(new.slot.id).or_insert(new).destinations.push(destination);
        }
    }
    let (removals, mut list): (Vec<_>, Vec<_>) =
        found.into_values().partition(|known| !known.slot.removes.is_empty());
    known.removals = removals;
    let removed = known.removed();
    list.iter_mut().for_each(|known| known.is_removed = removed.contains(&known.slot.id));
    list.sort_by_key(|known| (known.slot.created, known.slot.id));
    known.list = list;
    Ok(known)
}

/// Loads the listed slots of one destination; returns them with the errors of damaged ones.
fn slots_at(
    repository: &Repository,
    destination: usize,
    listing: &Listing,
) -> Result<(Vec<Slot>, Problems)> {
    let (mut slots, mut problems) = (Vec::new(), Vec::new());
    let names = listing.of(destination).map_or(&[][..], |listed| listed.names(Area::Keys));
    for name in names {
        match load(repository, &**repository.destinations()[destination].backend(), name) {
            Ok(slot) => slots.push(slot),
            // Another program deletes it just now.
            Err(Error::Missing { .. }) => {}
            Err(error) if error.is_of_copy() => problems.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok((slots, problems))
}

/// Loads a slot of one destination, and verifies that a holder of the keys made it.
fn load(repository: &Repository, backend: &dyn Backend, name: &ObjectName) -> Result<Slot> {
    let bytes = backend::load(backend, name, MAX_SLOT)?;
    let slot = Slot::decode(name, repository.id(), &bytes)?;
    slot.verify(&repository.keys)?;
    Ok(slot)
}

/// Saves a slot at a destination that may have it, and reads it back.
///
/// # Errors
/// Besides those of the destination, [`Error::Damaged`] when it does not read back as written.
fn save_and_read_back(backend: &dyn Backend, name: &ObjectName, object: &[u8]) -> Result<()> {
    backend::save(backend, name, object)?;
    match *backend::load(backend, name, MAX_SLOT)? == *object {
        true => Ok(()),
        false => Err(Error::damaged(name.as_str(), "it does not read back as written")),
    }
}

/// Returns the error of a destination, if it is behind because it failed.
fn first_error(behind: Vec<Behind>) -> Error {
    let first = behind.into_iter().next().map(Behind::into_error);
    first.expect("a repository is opened at a destination")
}

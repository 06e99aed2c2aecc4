//! Changing the keys: a new generation of the master secret, under which everything new is sealed.
//!
//! ```text
//! slots      those that stay are made anew with all generations, and read back from each destination
//! header     a further header puts the new generation in force (FORMAT.md §3); the first writer of it wins
//! removal    the slots from before are removed, where the new ones are
//! ```
//!
//! Killed after any step, every destination opens with the secrets that stay: before the header the new slots serve as
//! the old ones did, and after it the old slots open nothing that the new header does not lock. What was sealed before
//! stays readable for whoever had the master secret; prune seals anew what it moves.

use std::sync::Arc;

use yore_platform::Timestamp;

use super::add::master_secret;
use super::{KnownSlot, NewSlot, Remaining, Removal, RemoveReport, first_error, known_slots};
use super::{remove_slots, save_and_read_back};
use crate::backend;
use crate::error::{Error, Refusal, Result};
use crate::format::header::{Header, MAX_HEADER, Unverified};
use crate::format::id::ObjectId;
use crate::format::keys::Keys;
use crate::format::object::{Area, ObjectName};
use crate::format::secret::Secret;
use crate::format::slot::{self, Slot};
use crate::repository::{Behind, BehindCause, Repository};

/// The result of changing the keys.
#[derive(Debug)]
pub struct RotateReport {
    /// The new slots.
    pub slots: Vec<Slot>,
    /// The slots from before, which were removed.
    pub removed: Vec<KnownSlot>,
    /// The number of the generation in force.
    pub generation: u8,
    /// The destinations where the keys are not changed yet; `sync` copies what they lack.
    pub behind: Vec<Behind>,
    /// The destinations that removed slots still open.
    pub still_open: Vec<Behind>,
}

/// Draws a new generation of the master secret, and puts it in force with these slots alone.
///
/// `opened_with` is the secret with which the repository was opened.
///
/// # Errors
/// When no destination got the slots; [`Error::Overtaken`] when another program changes the keys at the same time. Then
/// every secret opens what it opened.
pub fn rotate(
    repository: &Repository,
    opened_with: &Secret,
    new: &[NewSlot<'_>],
    time: Timestamp,
) -> Result<RotateReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    let id = repository.id();
    let master = master_secret(repository, opened_with)?;
    let master = master.with_new_generation().ok_or(Refusal::TooManyGenerations)?;
    let keys = Keys::derive(&master, id);
    // The tags of slots and of the removal are authentic for those, too, who do not have the new generation, should this
    // be interrupted.
    keys.put_in_force(repository.keys.in_force());
    let before = known_slots(repository)?;
    let make = |new: &NewSlot<'_>| {
        slot::create(&master, id, new.secret, new.label, new.time.seconds, new.cost)
    };
    let mut slots = Vec::new();
    for (new, made) in new.iter().map(|new| (new, make(new))) {
        let (name, object) = (ObjectName::slot(made.id), made.encode(&keys));
        let written = Slot::decode(&name, id, &object)?;
        if written.open(id, new.secret).is_none_or(|opened| opened != master) {
            return Err(Error::damaged(name.as_str(), "it does not open with its secret"));
        }
        slots.push((name, object, written));
    }
    let header = Header {
        number: next_number(repository)?,
        generation: master.newest(),
        ..repository.header().clone()
    };
    let rotation =
        Rotation { repository, slots, header: header.encode(&keys)?, number: header.number };
    let behind = rotation.publish()?;
    let (generation, keys) = (header.generation, Arc::new(keys));
    // Elsewhere the slots from before are all that there is, until a sync brings the new ones and the removal.
    let is_whole = |number: &usize| behind.iter().all(|one| one.destination != *number);
    let whole: Vec<usize> = (0..repository.destinations().len()).filter(is_whole).collect();
    for number in &whole {
        repository.destinations()[*number].put_in_force(header.generation);
    }
    let places = whole.iter().map(|number| repository.destinations()[*number].clone()).collect();
    let rotated = Repository::of(keys, header, places, None);
    let slots: Vec<Slot> = rotation.slots.into_iter().map(|(_, _, slot)| slot).collect();
    // The keys of inboxes derive from the generation that their slots name, so those stay. What a slot of an unknown
    // kind is for, a newer program knows.
    let stays = |slot: &Slot| slot.machine.is_some() || slot.is_of_unknown_kind();
    let goes = |one: &KnownSlot| !one.is_removed && !stays(&one.slot);
    let removed: Vec<KnownSlot> = before.list.into_iter().filter(goes).collect();
    let ids: Vec<ObjectId> = removed.iter().map(|one| one.slot.id).collect();
    let removal = Removal {
        ids: &ids,
        replaced_by: slots.first().map(|slot| slot.id),
        remaining: Remaining::Any,
        time,
    };
    let RemoveReport { mut still_open } = remove_slots(&rotated, &removal)?;
    still_open.iter_mut().for_each(|one| one.destination = whole[one.destination]);
    Ok(RotateReport { slots, removed, generation, behind, still_open })
}

/// Returns the number of the next header.
///
/// # Errors
/// [`Error::Overtaken`] when a destination has a newer header than the repository was opened with: its generation is
/// not known here, and another of the same number would make what is sealed under it unreadable.
fn next_number(repository: &Repository) -> Result<u64> {
    let headers = repository.list(&[Area::Headers])?.union(Area::Headers);
    let newest = headers.iter().filter_map(ObjectName::number).max().unwrap_or(0);
    match newest > repository.header().number {
        true => Err(Error::Overtaken),
        false => Ok(repository.header().number + 1),
    }
}

/// The header that a destination has under the number of a new one.
enum Found {
    /// The new one.
    Ours,
    /// That of another program.
    OfAnother,
}

/// The objects of a change of keys.
struct Rotation<'r> {
    repository: &'r Repository,
    slots: Vec<(ObjectName, Vec<u8>, Slot)>,
    header: Vec<u8>,
    number: u64,
}

impl Rotation<'_> {
    /// Writes the slots everywhere, and then the header where the slots are; returns the destinations without them.
    fn publish(&self) -> Result<Vec<Behind>> {
        // Two programs that change the keys at the same time meet at the first of the destinations in this order.
        let mut order: Vec<usize> = (0..self.repository.destinations().len()).collect();
        order.sort_by_key(|number| self.repository.destinations()[*number].id().0);
        let (mut whole, mut behind) = (Vec::new(), Vec::new());
        for destination in order {
            match self.save_slots(destination) {
                Ok(()) => whole.push(destination),
                Err(error) => {
                    self.withdraw(destination);
                    behind.push(Behind { destination, cause: BehindCause::Failed(error) });
                }
            }
        }
        let (mut is_in_force, mut is_overtaken) = (false, false);
        for destination in &whole {
            let error = match self.save_header(*destination) {
                Ok(Found::Ours) => {
                    is_in_force = true;
                    continue;
                }
                Ok(Found::OfAnother) if !is_in_force => {
                    is_overtaken = true;
                    break;
                }
                Ok(Found::OfAnother) => Error::damaged(
                    ObjectName::later_header(self.number).as_str(),
                    "the keys were changed by another program, too",
                ),
                Err(error) => error,
            };
            behind.push(Behind { destination: *destination, cause: BehindCause::Failed(error) });
        }
        if is_in_force {
            return Ok(behind);
        }
        for destination in whole {
            // Where the header may be in force, the slots must stay: nothing else would open the destination.
            if let Ok(None | Some(Found::OfAnother)) = self.find_header(destination) {
                self.withdraw(destination);
            }
        }
        Err(if is_overtaken { Error::Overtaken } else { first_error(behind) })
    }

    /// Saves the header, unless there is one of its number.
    fn save_header(&self, destination: usize) -> Result<Found> {
        let backend = &**self.repository.destinations()[destination].backend();
        let name = ObjectName::later_header(self.number);
        let saved = backend::save(backend, &name, &self.header);
        // A request that was answered with an error, or repeated, may have been carried out.
        match (saved, self.find_header(destination)) {
            (_, Ok(Some(found))) => Ok(found),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(None)) => Err(Error::Missing { object: name.to_string() }),
        }
    }

    /// Reads the header of the number from a destination; `None` if it has none.
    fn find_header(&self, destination: usize) -> Result<Option<Found>> {
        let backend = &**self.repository.destinations()[destination].backend();
        let name = ObjectName::later_header(self.number);
        match backend::load(backend, &name, MAX_HEADER) {
            Ok(bytes) if *bytes == *self.header => Ok(Some(Found::Ours)),
            // Only a whole header is that of another program: what reads back damaged may be ours, and in force.
            Ok(bytes) => {
                let found = Unverified::decode(&backend.location(), &bytes)?;
                match found.header.number == self.number {
                    true => Ok(Some(Found::OfAnother)),
                    false => Err(Error::damaged(name.as_str(), "a header of another place")),
                }
            }
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save_slots(&self, destination: usize) -> Result<()> {
        let backend = &**self.repository.destinations()[destination].backend();
        let mut slots = self.slots.iter();
        slots.try_for_each(|(name, object, _)| save_and_read_back(backend, name, object))
    }

    /// Deletes the slots where the header is not; one that stays opens what it did before.
    fn withdraw(&self, destination: usize) {
        let backend = &**self.repository.destinations()[destination].backend();
        for (name, _, _) in &self.slots {
            let _ = backend.delete(name);
        }
    }
}

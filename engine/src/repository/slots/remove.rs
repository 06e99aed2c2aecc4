//! Removing key slots.

use std::io;

use yore_platform::Timestamp;

use super::{KnownSlot, KnownSlots, first_error, known_slots, save_and_read_back};
use crate::error::{Error, Refusal, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::slot::removal::{self, MAX_REMOVED};
use crate::repository::{Behind, BehindCause, Repository};

/// The secrets that must be left when slots are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// A secret of any kind.
    Any,
    /// Where there was a passphrase or recovery key, one of them: without it, whoever loses the key files loses
    /// everything.
    Typed,
}

/// The slots that are to be removed.
#[derive(Debug, Clone)]
pub struct Removal<'a> {
    /// Their ids.
    pub ids: &'a [ObjectId],
    /// The slot that replaces them: a destination that does not have it keeps them.
    pub replaced_by: Option<ObjectId>,
    /// The secrets that must be left.
    pub remaining: Remaining,
    /// The time of the removal.
    pub time: Timestamp,
}

/// The result of removing slots.
#[derive(Debug, Default)]
pub struct RemoveReport {
    /// The destinations that they still open. `sync` removes them there, or the same removal again.
    pub still_open: Vec<Behind>,
}

/// Removes slots at every destination that can be reached.
///
/// # Errors
/// [`Error::NotFound`]; [`Refusal::UnknownKindOfKey`]: what such a slot is for, only a newer program knows;
/// [`Refusal::LastSlot`] and [`Refusal::OnlyKeyFilesLeft`], also when another program removes the other slots at the
/// same time; the error of every destination at once. Then every slot is where it was.
pub fn remove_slots(repository: &Repository, removal: &Removal<'_>) -> Result<RemoveReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    let before = known_slots(repository)?;
    remove_known(repository, &before, removal)
}

/// Removes slots, given those that there were at first.
pub(super) fn remove_known(
    repository: &Repository,
    before: &KnownSlots,
    removal: &Removal<'_>,
) -> Result<RemoveReport> {
    for id in removal.ids {
        match before.get(*id) {
            Some(known) if known.slot.is_of_unknown_kind() => {
                return Err(Refusal::UnknownKindOfKey { id: format!("{id:.8}") }.into());
            }
            Some(_) => {}
            None => return Err(Error::NotFound { what: format!("there is no key {id:.8}") }),
        }
    }
    before.must_leave(removal.ids, removal.remaining)?;
    let records = Records::new(repository, before, removal);
    let (recorded, mut still_open) = records.save(repository);
    if recorded.is_empty() {
        // One that was written, and could not be read back, must not remove anything later.
        records.withdraw(repository);
        return Err(first_error(still_open));
    }
    // Another program may have removed other slots meanwhile: it has recorded that before its own second look.
    let again = known_slots(repository);
    let now = match again.and_then(|now| {
        now.must_leave(removal.ids, removal.remaining)?;
        Ok(now)
    }) {
        Ok(now) => now,
        Err(error) => {
            records.withdraw(repository);
            return Err(error);
        }
    };
    for destination in recorded {
        if let Err(cause) = delete_at(repository, destination, &now, removal) {
            still_open.push(Behind { destination, cause });
        }
    }
    still_open.sort_by_key(|behind| behind.destination);
    Ok(RemoveReport { still_open })
}

/// The removals that name the slots: the object of each, with its name.
struct Records {
    earlier: Vec<(ObjectName, Vec<u8>)>,
    /// Those of the slots that no earlier one names.
    new: Vec<(ObjectName, Vec<u8>)>,
}

impl Records {
    /// Makes removals of the slots that none names yet: as many as it takes.
    fn new(repository: &Repository, known: &KnownSlots, removal: &Removal<'_>) -> Self {
        let object = |slot: &crate::format::slot::Slot| {
            (ObjectName::slot(slot.id), slot.encode(&repository.keys))
        };
        let names_one =
            |known: &&KnownSlot| removal.ids.iter().any(|id| known.slot.removes.contains(id));
        let earlier = known.removals.iter().filter(names_one);
        let earlier = earlier.map(|known| object(&known.slot)).collect();
        let removed = known.removed();
        let rest: Vec<ObjectId> =
            removal.ids.iter().copied().filter(|id| !removed.contains(id)).collect();
        let seconds = removal.time.seconds;
        let make =
            |ids: &[ObjectId]| removal::create(&repository.keys, repository.id(), ids, seconds);
        let new = rest.chunks(MAX_REMOVED).map(|ids| object(&make(ids))).collect();
        Self { earlier, new }
    }

    /// Saves them at every destination; returns the destinations that have them all, and the others.
    fn save(&self, repository: &Repository) -> (Vec<usize>, Vec<Behind>) {
        let (mut recorded, mut failed) = (Vec::new(), Vec::new());
        for (destination, place) in repository.destinations().iter().enumerate() {
            let mut all = self.earlier.iter().chain(&self.new);
            let save = |(name, object): &(ObjectName, Vec<u8>)| {
                save_and_read_back(&**place.backend(), name, object)
            };
            match all.try_for_each(save) {
                Ok(()) => recorded.push(destination),
                Err(error) => {
                    failed.push(Behind { destination, cause: BehindCause::Failed(error) });
                }
            }
        }
        (recorded, failed)
    }

    /// Deletes the new ones again: nobody else has acted on them, since they leave too little.
    fn withdraw(&self, repository: &Repository) {
        for place in repository.destinations() {
            for (name, _) in &self.new {
                // One that stays has no effect while nothing else opens the repository.
                let _ = place.backend().delete(name);
            }
        }
    }
}

/// Deletes the slots at a destination that another slot opens.
fn delete_at(
    repository: &Repository,
    destination: usize,
    now: &KnownSlots,
    removal: &Removal<'_>,
) -> std::result::Result<(), BehindCause> {
    let opens = |known: &KnownSlot| known.counts() && known.is_at(destination);
    let stays = |known: &KnownSlot| removal.replaced_by.is_none_or(|id| known.slot.id == id);
    if !now.list.iter().any(|known| opens(known) && stays(known)) {
        let unread = now.unread.iter().any(|behind| behind.destination == destination);
        let unreadable = || Error::NotFound { what: "its keys could not be read again".into() };
        return Err(if unread { BehindCause::Failed(unreadable()) } else { BehindCause::Lacking });
    }
    let backend = &**repository.destinations()[destination].backend();
    let names: Vec<ObjectName> = removal.ids.iter().copied().map(ObjectName::slot).collect();
    names.iter().try_for_each(|name| backend.delete(name)).map_err(BehindCause::Failed)?;
    let left = backend.names(Area::Keys).map_err(BehindCause::Failed)?;
    match names.into_iter().find(|name| left.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let source = io::Error::other("it is still there after it was deleted");
            Err(BehindCause::Failed(Error::Backend { object: name.to_string(), source }))
        }
    }
}

//! Parity kept in step with the packs of a destination.
//!
//! A writer makes the parity of its packs itself. What is left to do: parity of packs that were written before it was
//! wanted, or by a program that does not know it; damaged parity; and parity of packs that are deleted, or that a
//! killed writer did not complete.

use std::collections::{HashMap, HashSet};

use yore_platform::Timestamp;

use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::maintenance::check::ReadData;
use crate::operation::observer::{Event, Observer, Unit};
use crate::operation::run::Run;
use crate::repository::{Destination, Repository, State};
use crate::store::parity::{
    Copies, MAX_PARITY_OBJECT, load_head, parity_of, verify_pack, verify_parity,
};

#[cfg(test)]
mod tests;

/// A number of parity objects and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParityAmount {
    /// Objects.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The result of keeping parity in step at one destination; in a dry run, what it would be.
#[derive(Debug, Default)]
pub struct ParityReport {
    /// Parity objects that were missing or damaged and were made; the bytes are 0 in a dry run.
    pub made: ParityAmount,
    /// Parity objects of deleted packs that were deleted, and damaged ones that could not be made anew.
    pub deleted: ParityAmount,
}

impl ParityAmount {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// The destination whose parity is kept in step, and how.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) destination: usize,
    pub(crate) run: Run,
    pub(crate) observer: &'a dyn Observer,
}

/// Deletes the parity of packs that are deleted.
///
/// A writer makes parity before its pack. So parity without a pack stays while a writer may be about to write the pack,
/// unless prune has condemned it. The lists are made in that order: a pack whose writer had ended after its parity was
/// listed is there when the packs are listed.
pub(crate) fn delete_left(task: &Task<'_>, now: Timestamp) -> Result<ParityAmount> {
    let mut deleted = ParityAmount::default();
    let backend = task.backend();
    let listed = backend.list(Area::Parity)?;
    if listed.is_empty() {
        return Ok(deleted);
    }
    if task.run == Run::Real {
        // What a killed writer left beside what was listed.
        let _ = backend.remove_abandoned();
    }
    let own = task.repository.only(task.destination);
    let (_, state) = own.list_state(&State::AREAS)?;
    let has_writers = !state.sessions.problems.is_empty()
        || state.sessions.list.values().any(|(_, verdict)| verdict.is_none());
    let condemned = task.place().condemned(&task.repository.keys)?.packs;
    let packs: HashSet<ObjectName> = backend.names(Area::Packs)?.into_iter().collect();
    for stored in listed {
        let Some(id) = stored.name.id().map(ObjectId) else { continue };
        let may_come = has_writers && !condemned.contains(&id);
        if packs.contains(&ObjectName::pack(id)) || may_come {
            continue;
        }
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if task.run == Run::Real {
            if backend.locked_until(&stored.name)?.is_some_and(|until| until > now) {
                continue;
            }
            backend.delete(&stored.name)?;
        }
        deleted.add(stored.size);
    }
    Ok(deleted)
}

/// Deletes the parity of deleted packs, and makes what is missing or damaged.
///
/// Missing parity is made when the repository, or the caller, wants parity at all; damaged parity is made with the
/// share that its head tells otherwise, or deleted. Each pack is read whole and authenticated before: parity of damaged
/// bytes would keep the damage.
pub(crate) fn keep_in_step(
    task: &Task<'_>,
    read_data: ReadData,
    now: Timestamp,
) -> Result<ParityReport> {
    let mut report =
        ParityReport { deleted: delete_left(task, now)?, made: ParityAmount::default() };
    let backend = task.backend();
    let listed = backend.list(Area::Parity)?;
    let sizes: HashMap<ObjectId, u64> =
        listed.iter().filter_map(|one| Some((ObjectId(one.name.id()?), one.size))).collect();
    if sizes.is_empty() && task.repository.parity() == 0 {
        return Ok(report);
    }
    let condemned = task.place().condemned(&task.repository.keys)?.packs;
    let packs = backend.list(Area::Packs)?.into_iter();
    let packs: Vec<(ObjectId, u64)> =
        packs.filter_map(|one| Some((ObjectId(one.name.id()?), one.size))).collect();
    task.observer.event(Event::Counting(Unit::Packs));
    let bytes = packs.iter().map(|(_, size)| size).sum();
    task.observer.event(Event::Expected { files: packs.len() as u64, bytes });
    for (id, size) in packs.into_iter().filter(|(id, _)| !condemned.contains(id)) {
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let stored = match sizes.get(&id) {
            Some(stored) => Stored::load(backend, (id, size), *stored, read_data)?,
            None => Stored::Missing,
        };
        let percent = match stored {
            Stored::Whole => 0,
            Stored::Missing | Stored::Damaged(None) => task.repository.parity(),
            Stored::Damaged(Some(percent)) => task.repository.parity().max(percent),
        };
        match (percent, stored) {
            (0, Stored::Damaged(_)) => {
                if task.run == Run::Real {
                    backend.delete(&ObjectName::parity(id))?;
                }
                report.deleted.add(sizes.get(&id).copied().unwrap_or(0));
            }
            (0, _) => {}
            (percent, _) => make(task, (id, size), percent, &mut report.made)?,
        }
        task.observer.event(Event::Done { files: 1, bytes: size });
    }
    Ok(report)
}

/// The parity of a pack, as it is stored.
enum Stored {
    Whole,
    /// It is damaged, or of another pack; with its share in per cent, if its head tells.
    Damaged(Option<u32>),
    Missing,
}

impl Stored {
    fn load(
        backend: &dyn Backend,
        (id, pack_size): (ObjectId, u64),
        size: u64,
        read_data: ReadData,
    ) -> Result<Self> {
        let head = match load_head(backend, id, size, Copies::Any) {
            Ok(head) if head.pack_size() == pack_size => head,
            Ok(_) | Err(Error::Damaged { .. }) => return Ok(Stored::Damaged(None)),
            Err(Error::Missing { .. }) => return Ok(Stored::Missing),
            Err(error) => return Self::unreadable(backend, id, error, None),
        };
        let percent = Some(head.percent());
        if head.object_size() != size {
            return Ok(Stored::Damaged(percent));
        }
        let checked = match read_data {
            ReadData::None => load_head(backend, id, size, Copies::First).map(drop),
            _ => backend::load(backend, &ObjectName::parity(id), MAX_PARITY_OBJECT)
                .and_then(|object| verify_parity(id, &object).map(drop)),
        };
        match checked {
            Ok(()) => Ok(Stored::Whole),
            Err(Error::Damaged { .. }) => Ok(Stored::Damaged(percent)),
            Err(error) => Self::unreadable(backend, id, error, percent),
        }
    }

    /// Takes parity that can't be read for damaged, if the destination answers otherwise.
    fn unreadable(
        backend: &dyn Backend,
        id: ObjectId,
        error: Error,
        percent: Option<u32>,
    ) -> Result<Self> {
        match error {
            Error::Backend { .. } => {
                backend.size(&ObjectName::parity(id)).map(|_| Stored::Damaged(percent))
            }
            error => Err(error),
        }
    }
}

/// Makes the parity of a pack, unless the pack is damaged itself.
fn make(
    task: &Task<'_>,
    (id, size): (ObjectId, u64),
    percent: u32,
    made: &mut ParityAmount,
) -> Result<()> {
    if task.run == Run::Dry {
        made.objects += 1;
        return Ok(());
    }
    let backend = task.backend();
    let pack = match backend.read(&ObjectName::pack(id), 0..size) {
        Ok(pack) => pack,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        // It is deleted just now, or damaged: that is found and reported where packs are.
        Err(Error::Damaged { .. } | Error::Missing { .. }) => return Ok(()),
        Err(_) => return backend.size(&ObjectName::pack(id)).map(drop),
    };
    if verify_pack(&task.repository.keys, id, &pack).is_err() {
        return Ok(());
    }
    let parity = parity_of(id, &pack, percent);
    drop(pack);
    backend::replace(backend, &ObjectName::parity(id), &parity)?;
    made.add(parity.len() as u64);
    Ok(())
}

impl Task<'_> {
    fn place(&self) -> &Destination {
        &self.repository.destinations()[self.destination]
    }

    fn backend(&self) -> &dyn Backend {
        &**self.place().backend()
    }
}

//! Rebuilding damaged packs from their parity.
//!
//! A rebuilt pack was authenticated as a whole; it takes the place of the damaged one as an object that is healed from
//! another destination does. A run that is killed before leaves the damaged pack, and one that is killed after the
//! whole one.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::examine::{Described, Examination, examine};
use super::{DestinationRepair, Task};
use crate::backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::operation::run::Run;
use crate::store::parity::{Rebuilt, rebuild};

/// Rebuilds the packs of a destination.
pub(super) struct Healer<'a> {
    task: &'a Task<'a>,
    described: &'a Described,
    /// The sizes of the parity objects, by their packs.
    parity: HashMap<ObjectId, u64>,
    /// Guards the outcomes. It is held while a pack is rebuilt, which takes as much memory as the pack.
    outcome: Mutex<Outcome>,
}

#[derive(Default)]
struct Outcome {
    rebuilt: Vec<ObjectName>,
    beyond: Vec<ObjectName>,
}

impl<'a> Healer<'a> {
    /// Lists the parity of a destination.
    pub(super) fn load(task: &'a Task<'a>, described: &'a Described) -> Result<Self> {
        let listed = task.place().backend().list(Area::Parity)?;
        let sizes = listed.iter().filter_map(|one| Some((ObjectId(one.name.id()?), one.size)));
        Ok(Self { task, described, parity: sizes.collect(), outcome: Mutex::default() })
    }

    /// Rebuilds packs that an index describes and that are not there, where the parity is as large as the pack.
    pub(super) fn rebuild_missing(&self, condemned: &HashSet<ObjectId>) -> Result<()> {
        let backend = &**self.task.place().backend();
        let sizes = self.described.sizes().filter(|(id, _)| !condemned.contains(id));
        for (id, _) in sizes.filter(|(id, size)| self.parity.get(id) >= Some(size)) {
            if backend.size(&ObjectName::pack(id))?.is_some() {
                continue;
            }
            match self.rebuild(id) {
                Ok(_) => {}
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // It stays missing; what needs it is listed at the end.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Returns the outcome of examining a pack, after it was rebuilt if it is damaged and can be.
    pub(super) fn heal(&self, id: ObjectId, found: Result<Examination>) -> Result<Examination> {
        let is_unusable = match &found {
            Ok(Examination::Damaged(_)) => true,
            Ok(Examination::Whole | Examination::Undescribed(_)) => false,
            // A part of it can't be read.
            Err(error) => !matches!(error, Error::Interrupted | Error::Missing { .. }),
        };
        if !is_unusable || !self.parity.contains_key(&id) {
            return found;
        }
        let size = match self.rebuild(id) {
            Ok(Some(size)) => size,
            Ok(None) => return found,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => return found.and(Err(error)),
        };
        match self.task.options.run {
            // It would be whole.
            Run::Dry => Ok(Examination::Whole),
            Run::Real => examine(self.task, self.described, id, size),
        }
    }

    /// Rebuilds a pack and puts it in its place; returns its size, or `None` when that is not possible.
    fn rebuild(&self, id: ObjectId) -> Result<Option<u64>> {
        let mut outcome = self.lock();
        let Task { repository, options, observer, .. } = *self.task;
        let backend = &**self.task.place().backend();
        let name = ObjectName::pack(id);
        let interrupted = || observer.interrupted();
        let size = self.described.size(id);
        let bytes = match rebuild(backend, &repository.keys, id, size, &interrupted) {
            Ok(Rebuilt::Whole(bytes)) => bytes,
            Ok(Rebuilt::TooDamaged) => {
                outcome.beyond.push(name);
                return Ok(None);
            }
            // The parity is not of this pack.
            Ok(Rebuilt::WithoutParity) | Err(Error::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if options.run == Run::Real {
            backend::replace(backend, &name, &bytes)?;
        }
        outcome.rebuilt.push(name);
        Ok(Some(bytes.len() as u64))
    }

    /// Adds the outcomes to the report.
    pub(super) fn finish(self, report: &mut DestinationRepair) {
        let outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        (report.rebuilt, report.beyond_parity) = (outcome.rebuilt, outcome.beyond);
        report.rebuilt.sort_unstable();
        report.beyond_parity.sort_unstable();
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

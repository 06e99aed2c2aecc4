//! Deleting what ended generations condemn, and the objects of void generations.
//!
//! The generations are listed after their ends were created: one that is void by then deletes nothing, and of two runs
//! that ended one generation, the end that is stored is in force.

use std::collections::HashSet;

use yore_platform::Timestamp;

use super::generations::GenerationState;
use super::report::{Amount, DestinationPrune, Pending, PendingCause};
use super::view::View;
use super::{Task, index_objects};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::ObjectName;

/// Deletes condemned packs for which nobody is awaited any more, after the indexes that describe them.
pub(super) fn run(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    let mut going = Vec::new();
    for (number, generation) in view.generations.iter() {
        match due(task, view, number, generation) {
            None => going.extend(here(view, generation)),
            Some(cause) => report.keep(here(view, generation), cause),
        }
    }
    going.sort_unstable();
    going.dedup();
    let going = without_locked(task, going, report)?;
    let set: HashSet<ObjectId> = going.iter().map(|(id, _)| *id).collect();
    index_objects::merge(task, view, &set, report)?;
    let backend = &**task.place().backend();
    for (id, size) in going {
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        match backend.delete(&ObjectName::pack(id)) {
            Ok(()) => report.deleted.add(size),
            Err(error) => {
                report.problems.push(error);
                break;
            }
        }
    }
    view.generations.void().iter().try_for_each(|name| backend.delete(name))
}

/// Returns the packs of a generation that are there and not kept.
fn here<'v>(
    view: &'v View,
    generation: &'v GenerationState,
) -> impl Iterator<Item = (ObjectId, u64)> + 'v {
    generation.doomed().filter_map(|id| Some((*id, *view.packs.get(id)?)))
}

/// Returns the reason why a generation is not due; `None` if it is.
fn due(
    task: &Task<'_>,
    view: &View,
    number: u64,
    generation: &GenerationState,
) -> Option<PendingCause> {
    if generation.kept.is_none() {
        let writers = view.writers_before(number).into_iter();
        let named = writers.map(|(_, session)| (session.host.clone(), session.time));
        return Some(PendingCause::Writers(named.collect()));
    }
    let end = generation.time.seconds.saturating_add(task.options.grace);
    (task.now.seconds < end)
        .then_some(PendingCause::Grace(Timestamp { seconds: end, nanos: generation.time.nanos }))
}

impl DestinationPrune {
    /// Adds packs that can't be deleted yet.
    fn keep(&mut self, packs: impl Iterator<Item = (ObjectId, u64)>, cause: PendingCause) {
        let mut amount = Amount::default();
        packs.for_each(|(_, size)| amount.add(size));
        if amount.packs > 0 {
            self.pending.push(Pending { amount, cause });
        }
    }
}

/// Leaves out the packs that the destination keeps for a time.
fn without_locked(
    task: &Task<'_>,
    packs: Vec<(ObjectId, u64)>,
    report: &mut DestinationPrune,
) -> Result<Vec<(ObjectId, u64)>> {
    let backend = &**task.place().backend();
    let (mut free, mut locked, mut last) = (Vec::new(), Amount::default(), task.now);
    for (id, size) in packs {
        match backend.locked_until(&ObjectName::pack(id))? {
            Some(until) if until > task.now => {
                locked.add(size);
                last = last.max(until);
            }
            _ => free.push((id, size)),
        }
    }
    if locked.packs > 0 {
        report.pending.push(Pending { amount: locked, cause: PendingCause::Locked(last) });
    }
    Ok(free)
}

//! Extending the locks of a destination: what is in use may not be deleted for another period.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::operation::observer::Observer;
use crate::repository::Repository;

/// The requests at once.
const THREADS: usize = 16;

/// The result of extending the locks of one destination.
#[derive(Debug, Default)]
pub struct LockReport {
    /// The number of the destination in the repository.
    pub destination: usize,
    /// Objects that are locked for another period now.
    pub extended: u64,
    /// The end of the lock that ends first; `None` when the destination locks nothing.
    pub until: Option<Timestamp>,
    /// The errors of objects whose locks could not be extended.
    pub problems: Vec<Error>,
}

/// Extends the lock of each object in use at every destination, as if the object were written now.
///
/// In use is what a reader needs: every object but the records of forgotten snapshots, packs that no index names, and
/// packs that prune has condemned; and the parity of packs that are in use. A destination that locks nothing is asked for one object and left alone.
///
/// # Errors
/// [`Error::Interrupted`], and an error of every destination at once. Others are in the reports.
pub fn extend_locks(repository: &Repository, observer: &dyn Observer) -> Result<Vec<LockReport>> {
    let (mut listing, state) = repository.list_state(&Area::ALL)?;
    let forgotten: HashSet<SnapshotId> =
        state.snapshots.forgotten.iter().map(|tombstone| tombstone.snapshot).collect();
    let index = repository.open_listed_index(&listing.union(Area::Index), HashSet::new())?;
    let described = index.index.pack_sizes();
    let condemned = repository.condemned_lists(&listing)?;
    let mut reports = Vec::new();
    for (destination, condemned) in condemned.iter().enumerate() {
        let mut report = LockReport { destination, ..LockReport::default() };
        if let Some(error) = listing.take_error(destination) {
            report.problems.push(error);
            reports.push(report);
            continue;
        }
        let Ok(listed) = listing.of(destination) else { continue };
        let mut objects = vec![ObjectName::header(), ObjectName::destination()];
        let is_used = |id: &ObjectId| described.contains_key(id) && !condemned.contains(id);
        for area in Area::ALL.into_iter().filter(|area| *area != Area::Packs) {
            let is_forgotten = |name: &&ObjectName| {
                let id = name.id().map(SnapshotId);
                area == Area::Snapshots && id.is_some_and(|id| forgotten.contains(&id))
            };
            let has_use = |name: &&ObjectName| {
                area != Area::Parity || name.id().is_some_and(|id| is_used(&ObjectId(id)))
            };
            let names = listed.names(area).iter();
            objects.extend(names.filter(|name| !is_forgotten(name)).filter(has_use).cloned());
        }
        objects
            .extend(listed.packs.keys().filter(|id| is_used(id)).map(|id| ObjectName::pack(*id)));
        extend(repository, &objects, observer, &mut report)?;
        reports.push(report);
    }
    Ok(reports)
}

/// Extends the locks of objects of one destination, several at the same time.
fn extend(
    repository: &Repository,
    objects: &[ObjectName],
    observer: &dyn Observer,
    report: &mut LockReport,
) -> Result<()> {
    let backend = &**repository.destinations()[report.destination].backend();
    let Some((first, others)) = objects.split_first() else { return Ok(()) };
    match backend.extend_lock(first) {
        Ok(None) => return Ok(()),
        answer => report.add(answer),
    }
    let next = AtomicUsize::new(0);
    let shared = Mutex::new(&mut *report);
    let worker = || {
        while let Some(name) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
            if observer.interrupted() {
                return;
            }
            let answer = backend.extend_lock(name);
            shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(answer);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(others.len()) {
            scope.spawn(worker);
        }
    });
    match observer.interrupted() {
        true => Err(Error::Interrupted),
        false => Ok(()),
    }
}

impl LockReport {
    fn add(&mut self, answer: Result<Option<Timestamp>>) {
        match answer {
            Ok(Some(end)) => {
                self.extended += 1;
                self.until = Some(self.until.map_or(end, |until| until.min(end)));
            }
            Ok(None) => {}
            // Deleted since the list.
            Err(Error::Missing { .. }) => {}
            Err(error) => self.problems.push(error),
        }
    }
}

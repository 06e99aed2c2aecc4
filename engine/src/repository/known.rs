//! The snapshots that count, kept up to date at the price of two lists of names.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::{Repository, Snapshots};
use crate::backup::now;
use crate::error::{Error, Result};
use crate::id::{ObjectId, SnapshotId};
use crate::object::{Area, ObjectName};
use crate::order;
use crate::record::{Outcome, Snapshot, Tombstone};

/// What has been loaded of a repository's snapshots; objects never change, so it is kept.
#[derive(Default)]
pub struct KnownSnapshots {
    /// The verdicts and tombstones that were listed last; `None` before the first time.
    names: Option<Vec<ObjectName>>,
    verdicts: HashMap<ObjectName, Vec<SnapshotId>>,
    tombstones: HashMap<ObjectName, Tombstone>,
    snapshots: HashMap<SnapshotId, Snapshot>,
}

impl KnownSnapshots {
    /// Returns the snapshots that count if something changed since the last call, and `None` when
    /// no verdict and no tombstone came or went.
    ///
    /// # Errors
    /// The destination does not answer; what is known stays as it was. Damaged objects are no
    /// error: they are among the problems.
    pub fn update(&mut self, repository: &Repository) -> Result<Option<Snapshots>> {
        let names = list(repository)?;
        if self.names.as_ref() == Some(&names) {
            return Ok(None);
        }
        let mut found = Snapshots::default();
        let mut list = Vec::new();
        for name in &names {
            match self.load(repository, name) {
                Ok(()) => {}
                Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                    found.problems.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        for id in self.counting(&names) {
            match self.snapshot(repository, id) {
                Ok(snapshot) => list.push((id, snapshot.clone())),
                Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                    found.problems.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        found.forgotten =
            names.iter().filter_map(|name| self.tombstones.get(name)).cloned().collect();
        found.list = order::arrange(list, &found.forgotten, now());
        self.names = Some(names);
        Ok(Some(found))
    }

    fn load(&mut self, repository: &Repository, name: &ObjectName) -> Result<()> {
        if self.verdicts.contains_key(name) || self.tombstones.contains_key(name) {
            return Ok(());
        }
        if name.suffix().is_none() {
            let mut problems = Vec::new();
            if let Some(tombstone) = repository.load_tombstone(name, &mut problems) {
                self.tombstones.insert(name.clone(), tombstone);
            }
            return problems.pop().map_or(Ok(()), Err);
        }
        let Some(id) = name.id().map(ObjectId) else { return Ok(()) };
        let session = repository.load_session(&ObjectName::session(id))?;
        let verdict = repository.load_verdict(name)?;
        let here = repository.destination;
        let committed = match verdict.outcome {
            Outcome::Commit(ids) if session.destination == here && verdict.destination == here => {
                ids
            }
            Outcome::Commit(_) | Outcome::Abort => Vec::new(),
        };
        self.verdicts.insert(name.clone(), committed);
        Ok(())
    }

    fn snapshot(&mut self, repository: &Repository, id: SnapshotId) -> Result<&Snapshot> {
        Ok(match self.snapshots.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(repository.load_snapshot(id)?),
        })
    }

    /// The snapshots that the named verdicts commit and no named tombstone forgets.
    fn counting(&self, names: &[ObjectName]) -> HashSet<SnapshotId> {
        let committed = names.iter().filter_map(|name| self.verdicts.get(name)).flatten().copied();
        let mut counting: HashSet<SnapshotId> = committed.collect();
        for name in names {
            if let Some(forgotten) = self.tombstones.get(name) {
                counting.remove(&forgotten.snapshot);
            }
        }
        counting
    }
}

/// Lists the verdicts of sessions that are there, and the tombstones.
fn list(repository: &Repository) -> Result<Vec<ObjectName>> {
    let sessions = repository.backend.list(Area::Sessions)?;
    let listed: HashSet<&ObjectName> = sessions.iter().map(|stored| &stored.name).collect();
    let has_session = |name: &ObjectName| {
        name.id().is_some_and(|id| listed.contains(&ObjectName::session(ObjectId(id))))
    };
    let verdicts = sessions.iter().map(|stored| &stored.name);
    let verdicts = verdicts.filter(|name| name.suffix() == Some("end") && has_session(name));
    let mut names: Vec<ObjectName> = verdicts.cloned().collect();
    names.extend(repository.backend.list(Area::Forgotten)?.into_iter().map(|stored| stored.name));
    Ok(names)
}

//! A cache of the snapshots that count: an update costs one change token while nothing changes, and two
//! lists of names when something may have changed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::destination::committed_by;
use super::records::Records;
use super::snapshots::counting;
use super::{Repository, Snapshots};
use crate::backend::{ChangeToken, TIMESTAMP_GRANULARITY};
use crate::clock::now;
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::format::record::{Snapshot, Tombstone};
use crate::snapshots::order;

/// The age at which names are listed again although the change token is the same.
const MAX_LIST_AGE: Duration = Duration::from_secs(60);

/// The change token of a destination when its names were listed, and the times of both.
struct LastList {
    token: ChangeToken,
    /// The time when the token was first read.
    unchanged_since: Instant,
    listed: Instant,
}

impl LastList {
    /// Returns true if nothing can have changed since the list.
    fn is_settled(&self) -> bool {
        self.listed.duration_since(self.unchanged_since) >= TIMESTAMP_GRANULARITY
            && self.listed.elapsed() < MAX_LIST_AGE
    }
}

/// The verdicts, tombstones and snapshots that were loaded of a repository; objects never change.
#[derive(Default)]
pub struct KnownSnapshots {
    /// The change token from before the latest list, if the destination has one.
    last_list: Option<LastList>,
    /// The names of verdicts and tombstones in the latest list; `None` before the first.
    names: Option<Vec<ObjectName>>,
    verdicts: HashMap<ObjectName, Vec<SnapshotId>>,
    tombstones: HashMap<ObjectName, Tombstone>,
    snapshots: HashMap<SnapshotId, Snapshot>,
}

impl KnownSnapshots {
    /// Returns the snapshots that count, or `None` when no verdict and no tombstone was created or
    /// deleted since the last call.
    ///
    /// # Errors
    /// The destination can't be read; the cache is unchanged. Damaged objects are returned among the
    /// problems instead.
    pub fn update(&mut self, repository: &Repository) -> Result<Option<Snapshots>> {
        let Some(names) = self.list_if_changed(repository)? else { return Ok(None) };
        if self.names.as_ref() == Some(&names) {
            return Ok(None);
        }
        let mut found = Snapshots::default();
        let mut list = Vec::new();
        let mut records = Records::open(repository, repository.primary());
        for name in &names {
            match self.load(repository, &mut records, name) {
                Ok(()) => {}
                Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                    found.problems.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        for id in self.counting(&names) {
            match self.snapshot(&mut records, id) {
                Ok(snapshot) => list.push((id, snapshot.clone())),
                Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                    found.problems.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        records.save();
        found.forgotten =
            names.iter().filter_map(|name| self.tombstones.get(name)).cloned().collect();
        found.list = order::arrange(list, &found.forgotten, now());
        self.names = Some(names);
        Ok(Some(found))
    }

    /// Lists the verdicts and tombstones, unless nothing can have changed since the last list.
    fn list_if_changed(&mut self, repository: &Repository) -> Result<Option<Vec<ObjectName>>> {
        let token = repository.backend().change_token(&[Area::Sessions, Area::Forgotten])?;
        let began = Instant::now();
        let same = self.last_list.take_if(|last| token.as_ref() == Some(&last.token));
        if let Some(last) = &same
            && last.is_settled()
        {
            self.last_list = same;
            return Ok(None);
        }
        // After an error in the list, the next call must list again.
        self.last_list = None;
        let names = list(repository)?;
        let unchanged_since = same.map_or(began, |last| last.unchanged_since);
        self.last_list = token.map(|token| LastList { token, unchanged_since, listed: began });
        Ok(Some(names))
    }

    fn load(
        &mut self,
        repository: &Repository,
        records: &mut Records<'_>,
        name: &ObjectName,
    ) -> Result<()> {
        if self.verdicts.contains_key(name) || self.tombstones.contains_key(name) {
            return Ok(());
        }
        if name.suffix().is_none() {
            let mut problems = Vec::new();
            if let Some(tombstone) = records.tombstone(name, &mut problems) {
                self.tombstones.insert(name.clone(), tombstone);
            }
            return problems.pop().map_or(Ok(()), Err);
        }
        let Some(id) = name.id().map(ObjectId) else { return Ok(()) };
        let session = records.session(&ObjectName::session(id))?;
        let verdict = records.verdict(name)?;
        let is_here = session.destination == repository.primary().id();
        let committed =
            if is_here { committed_by(&session, &verdict).to_vec() } else { Vec::new() };
        self.verdicts.insert(name.clone(), committed);
        Ok(())
    }

    fn snapshot(&mut self, records: &mut Records<'_>, id: SnapshotId) -> Result<&Snapshot> {
        Ok(match self.snapshots.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(records.snapshot(id)?),
        })
    }

    /// Returns the snapshots that the named verdicts commit and no named tombstone forgets.
    fn counting(&self, names: &[ObjectName]) -> HashSet<SnapshotId> {
        let committed = names.iter().filter_map(|name| self.verdicts.get(name)).flatten().copied();
        counting(committed, names.iter().filter_map(|name| self.tombstones.get(name)))
    }
}

/// Lists the verdicts whose session exists, and the tombstones.
fn list(repository: &Repository) -> Result<Vec<ObjectName>> {
    let sessions = repository.backend().names(Area::Sessions)?;
    let listed: HashSet<&ObjectName> = sessions.iter().collect();
    let has_session = |name: &ObjectName| {
        name.id().is_some_and(|id| listed.contains(&ObjectName::session(ObjectId(id))))
    };
    let is_verdict = |name: &&ObjectName| name.suffix() == Some("end") && has_session(name);
    let mut names: Vec<ObjectName> = sessions.iter().filter(is_verdict).cloned().collect();
    names.extend(repository.backend().names(Area::Forgotten)?);
    Ok(names)
}

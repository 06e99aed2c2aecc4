//! A cache of the snapshots that count: an update costs one change token while nothing changes, and two
//! lists of names when something may have changed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::destination::committed_by;
use super::listing;
use super::records::Records;
use super::snapshots::annotations;
use super::snapshots::counting;
use super::tombstones::each_once;
use super::{Destination, Repository, Snapshots};
use crate::backend::{ChangeToken, TIMESTAMP_GRANULARITY};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::format::record::{DestinationId, Snapshot, Tombstone};
use crate::operation::clock::now;
use crate::snapshots::order;

/// The age at which names are listed again although the change token is the same.
const MAX_LIST_AGE: Duration = Duration::from_secs(60);
/// The age up to which names are not listed again where a list costs a round trip and there is no change token.
const MIN_REMOTE_LIST_AGE: Duration = Duration::from_secs(10);

/// The areas whose changes may alter the snapshots that count, or what is noted about them.
const WATCHED: [Area; 3] = [Area::Sessions, Area::Forgotten, Area::Annotations];

/// The latest list of a destination, and its change token from before the list.
struct LastList {
    /// `None` where the destination has no such token.
    token: Option<ChangeToken>,
    /// The time when the token was first read.
    unchanged_since: Instant,
    listed: Instant,
    /// The names of verdicts, tombstones and annotations.
    names: Vec<ObjectName>,
}

impl LastList {
    /// Returns true if nothing can have changed since the list, by a token that was read now.
    fn is_settled(&self, token: Option<&ChangeToken>, destination: &Destination) -> bool {
        let age = self.listed.elapsed();
        match (token, &self.token) {
            (Some(token), Some(known)) => {
                token == known
                    && self.listed.duration_since(self.unchanged_since) >= TIMESTAMP_GRANULARITY
                    && age < MAX_LIST_AGE
            }
            _ => !destination.backend().capabilities().cheap_requests && age < MIN_REMOTE_LIST_AGE,
        }
    }
}

/// The verdicts, tombstones and snapshots that were loaded of a repository; objects never change.
#[derive(Default)]
pub struct KnownSnapshots {
    lists: HashMap<DestinationId, LastList>,
    verdicts: HashMap<ObjectName, Vec<SnapshotId>>,
    tombstones: HashMap<ObjectName, Vec<Tombstone>>,
    snapshots: HashMap<SnapshotId, Snapshot>,
    /// The names of all lists when the snapshots were returned last; `None` before the first time.
    returned: Option<HashSet<ObjectName>>,
}

impl KnownSnapshots {
    /// Returns the snapshots that count, or `None` when no verdict and no tombstone was created or
    /// deleted since the last call.
    ///
    /// A destination that can't be reached has what it had at the last call.
    ///
    /// # Errors
    /// No destination can be read; the cache is unchanged. Damaged objects are returned among the
    /// problems instead.
    pub fn update(&mut self, repository: &Repository) -> Result<Option<Snapshots>> {
        self.update_lists(repository)?;
        let names: HashSet<ObjectName> =
            self.lists.values().flat_map(|list| &list.names).cloned().collect();
        if self.returned.as_ref() == Some(&names) {
            return Ok(None);
        }
        let mut found = Snapshots::default();
        let mut records = Records::open(repository);
        let mut is_complete = true;
        for destination in repository.destinations() {
            let Some(list) = self.lists.get(&destination.id()) else { continue };
            for name in list.names.clone() {
                match self.load(destination, &mut records, &name) {
                    Ok(()) => {}
                    Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                        // Prune may have deleted it since the list.
                        is_complete &= !matches!(error, Error::Missing { .. });
                        found.problems.push(error);
                    }
                    Err(error) if repository.destinations().len() == 1 => return Err(error),
                    // The next call tries this destination again.
                    Err(_) => {
                        is_complete = false;
                        break;
                    }
                }
            }
        }
        let mut list = Vec::new();
        for id in self.counting(&names) {
            match self.snapshot(&mut records, id) {
                Ok(snapshot) => list.push((id, snapshot.clone())),
                Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                    is_complete &= !matches!(error, Error::Missing { .. });
                    found.problems.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        found.forgotten = each_once(self.tombstones_of(&names).cloned());
        found.list = order::arrange(list, &found.forgotten, now());
        let mut notes: Vec<ObjectName> =
            names.iter().filter(|name| is_annotation(name)).cloned().collect();
        notes.sort_unstable();
        annotations::apply(&mut found.list, &notes, &mut records, &mut found.problems);
        records.save();
        self.returned = is_complete.then_some(names);
        Ok(Some(found))
    }

    /// Lists the verdicts and tombstones of each destination where something may have changed.
    fn update_lists(&mut self, repository: &Repository) -> Result<()> {
        let (mut first_error, mut reached) = (None, false);
        for destination in repository.destinations() {
            match self.update_list(destination) {
                Ok(()) => reached = true,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        match first_error {
            Some(error) if !reached => Err(error),
            _ => Ok(()),
        }
    }

    fn update_list(&mut self, destination: &Destination) -> Result<()> {
        let token = destination.backend().change_token(&WATCHED)?;
        let began = Instant::now();
        let last = self.lists.get(&destination.id());
        if last.is_some_and(|last| last.is_settled(token.as_ref(), destination)) {
            return Ok(());
        }
        let is_same = |last: &&LastList| token.is_some() && last.token == token;
        let unchanged_since = last.filter(is_same).map_or(began, |last| last.unchanged_since);
        // After an error in the list, the next call must list again.
        if let Some(last) = self.lists.get_mut(&destination.id()) {
            last.unchanged_since = began;
            last.token = None;
        }
        let names = list(destination)?;
        let list = LastList { token, unchanged_since, listed: began, names };
        self.lists.insert(destination.id(), list);
        Ok(())
    }

    fn load(
        &mut self,
        destination: &Destination,
        records: &mut Records<'_>,
        name: &ObjectName,
    ) -> Result<()> {
        let is_known = self.verdicts.contains_key(name) || self.tombstones.contains_key(name);
        if is_known || is_annotation(name) {
            return Ok(());
        }
        if Area::of(name) == Some(Area::Forgotten) {
            let (_, tombstones) = records.tombstones(name)?;
            self.tombstones.insert(name.clone(), tombstones);
            return Ok(());
        }
        let Some(id) = name.id().map(ObjectId) else { return Ok(()) };
        let session = records.session(destination, &ObjectName::session(id))?;
        let verdict = records.verdict(destination, name)?;
        let is_here = session.destination == destination.id();
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
    fn counting(&self, names: &HashSet<ObjectName>) -> HashSet<SnapshotId> {
        let committed = names.iter().filter_map(|name| self.verdicts.get(name)).flatten().copied();
        counting(committed, self.tombstones_of(names))
    }

    fn tombstones_of(&self, names: &HashSet<ObjectName>) -> impl Iterator<Item = &Tombstone> {
        names.iter().filter_map(|name| self.tombstones.get(name)).flatten()
    }
}

fn is_annotation(name: &ObjectName) -> bool {
    Area::of(name) == Some(Area::Annotations)
}

/// Lists the verdicts whose session exists, the tombstones and the annotations.
fn list(destination: &Destination) -> Result<Vec<ObjectName>> {
    let lists = listing::list(&**destination.backend(), &WATCHED)?;
    let sessions = lists.names(Area::Sessions);
    let listed: HashSet<&ObjectName> = sessions.iter().collect();
    let has_session = |name: &ObjectName| {
        name.id().is_some_and(|id| listed.contains(&ObjectName::session(ObjectId(id))))
    };
    let is_verdict = |name: &&ObjectName| name.suffix() == Some("end") && has_session(name);
    let mut names: Vec<ObjectName> = sessions.iter().filter(is_verdict).cloned().collect();
    names.extend_from_slice(lists.names(Area::Forgotten));
    names.extend_from_slice(lists.names(Area::Annotations));
    Ok(names)
}

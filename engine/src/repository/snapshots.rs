//! The snapshots that count: committed and not forgotten.

use std::collections::{BTreeSet, HashMap, HashSet};

use yore_platform::Timestamp;

use self::newest_seen::{RolledBack, SeenBefore};
use super::listing::{Listed, Listing};
use super::records::{Holder, Records, Wanted};
use super::tombstones::{TombstoneObject, each_once};
use super::{Problems, Repository, Sessions};
use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{ClientId, Tombstone};
use crate::operation::clock::now;
use crate::snapshots::order::{self, SnapshotEntry};

pub(super) mod annotations;
pub(super) mod newest_seen;

/// The most heads that a snapshot names (FORMAT.md §10, key 18).
const MAX_HEADS: usize = 1024;

/// The number of times that lists are made while what they show is deleted by prune.
pub(super) const VANISHED: usize = 4;

/// The snapshots that count, in their order (see [`SnapshotEntry`]), and the errors of those that could not be read.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// The snapshots that a verdict commits and no tombstone names.
    pub list: Vec<SnapshotEntry>,
    /// The tombstones.
    pub(crate) forgotten: Vec<Tombstone>,
    /// The errors of objects that could not be read.
    pub problems: Problems,
    /// The snapshots that destinations had and have no more, although nobody forgot them: they were put back to an
    /// earlier state.
    pub rolled_back: Vec<RolledBack>,
}

/// Returns the snapshots that count (FORMAT.md §11): committed at a destination, and named by no tombstone.
pub(super) fn counting<'t>(
    committed: impl Iterator<Item = SnapshotId>,
    tombstones: impl Iterator<Item = &'t Tombstone>,
) -> HashSet<SnapshotId> {
    let forgotten: HashSet<SnapshotId> = tombstones.map(|tombstone| tombstone.snapshot).collect();
    committed.filter(|id| !forgotten.contains(id)).collect()
}

impl Snapshots {
    /// Returns the sequence number and id of each client's newest snapshot, forgotten ones included: a number that
    /// is used twice would indicate a client that was restored from a copy.
    pub(crate) fn newest_of_each_client(&self) -> HashMap<ClientId, (u64, SnapshotId)> {
        let listed = self.list.iter();
        let listed = listed
            .map(|SnapshotEntry { id, snapshot, .. }| (snapshot.client, (snapshot.sequence, *id)));
        let forgotten = self.forgotten.iter().filter_map(|tombstone| {
            tombstone
                .client_sequence
                .map(|(client, sequence)| (client, (sequence, tombstone.snapshot)))
        });
        let mut newest: HashMap<ClientId, (u64, SnapshotId)> = HashMap::new();
        for (client, number) in listed.chain(forgotten) {
            let known = newest.entry(client).or_insert(number);
            *known = number.max(*known);
        }
        newest
    }

    /// Returns the sequence number and id of a client's newest snapshot, and the heads: the newest snapshots of other
    /// clients that no known snapshot comes after, sorted.
    ///
    /// A writer names only the heads, since they imply the earlier snapshots: their number is that of the clients
    /// that wrote at the same time, not that of all clients. Beyond [`MAX_HEADS`] the newest by time are named.
    pub(crate) fn newest_and_heads(
        &self,
        client: ClientId,
    ) -> (Option<(u64, SnapshotId)>, Vec<SnapshotId>) {
        let mut newest = self.newest_of_each_client();
        let own = newest.remove(&client);
        let undated = self.list.iter().filter(|entry| !entry.snapshot.time_given);
        let seen = undated.flat_map(|entry| &entry.snapshot.seen);
        let seen = seen.chain(self.forgotten.iter().flat_map(|tombstone| &tombstone.seen));
        let implied: HashSet<&SnapshotId> = seen.collect();
        let heads = newest.into_values().map(|(_, id)| id).filter(|id| !implied.contains(id));
        let mut heads: Vec<SnapshotId> = heads.collect();
        if heads.len() > MAX_HEADS {
            let places = self.list.iter().enumerate().map(|(place, entry)| (entry.id, place));
            let places: HashMap<SnapshotId, usize> = places.collect();
            heads.sort_by_key(|id| std::cmp::Reverse(places.get(id).copied()));
            heads.truncate(MAX_HEADS);
        }
        heads.sort_unstable();
        (own, heads)
    }

    /// Finds a snapshot that is the newest of its client and whose time is in the future.
    pub(crate) fn newest_ahead_of_clock(&self, now: Timestamp) -> Option<SnapshotEntry> {
        let newest = self.newest_of_each_client();
        let is_newest = |entry: &&SnapshotEntry| {
            newest.get(&entry.snapshot.client).is_some_and(|(_, id)| *id == entry.id)
        };
        self.list.iter().filter(is_newest).find(|entry| entry.is_ahead(now)).cloned()
    }
}

/// The snapshots that count, and the sessions of every destination.
pub(crate) struct State {
    pub(crate) snapshots: Snapshots,
    pub(crate) sessions: Sessions,
    /// The objects of tombstones of all destinations.
    pub(crate) tombstone_objects: Vec<TombstoneObject>,
    /// The snapshots that each destination commits, in the order of the destinations.
    pub(crate) committed: Vec<HashSet<SnapshotId>>,
    /// The destinations whose sessions could all be read.
    is_whole: Vec<bool>,
}

impl State {
    /// The areas of which it needs the names.
    pub(crate) const AREAS: [Area; 3] = [Area::Sessions, Area::Snapshots, Area::Forgotten];

    /// Returns the snapshots that count.
    pub(crate) fn counting(&self) -> HashSet<SnapshotId> {
        counting(self.committed.iter().flatten().copied(), self.snapshots.forgotten.iter())
    }

    /// Returns the snapshots that the tombstones of a destination name.
    pub(crate) fn forgotten_at(&self, listed: &Listed) -> HashSet<SnapshotId> {
        let own: HashSet<&ObjectName> = listed.names(Area::Forgotten).iter().collect();
        let objects = self.tombstone_objects.iter().filter(|object| own.contains(&object.name));
        objects.flat_map(|object| &object.snapshots).copied().collect()
    }

    /// Returns the snapshots that count and that a destination does not commit, sorted.
    pub(crate) fn counting_beyond(&self, destination: usize) -> Vec<SnapshotId> {
        let committed = &self.committed[destination];
        let mut found: Vec<SnapshotId> = self.counting().difference(committed).copied().collect();
        found.sort_unstable();
        found
    }
}

impl Repository {
    /// Lists the snapshots that count at any destination, with what was noted about them later.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let [sessions, snapshots, forgotten] = State::AREAS;
        let areas = [sessions, snapshots, forgotten, Area::Annotations];
        Ok(self.list_state(&areas)?.1.snapshots)
    }

    /// Lists areas, which include [`State::AREAS`], and loads the state.
    ///
    /// Prune puts sessions together and deletes forgotten snapshots: what a list shows may be deleted before it is
    /// loaded. Then the lists are made again.
    pub(crate) fn list_state(&self, areas: &[Area]) -> Result<(Listing, State)> {
        let mut attempt = 0;
        loop {
            let before = SeenBefore::load(self);
            let listing = self.list(areas)?;
            let mut state = self.state(&listing);
            let whole = state.committed.iter().zip(&state.is_whole);
            let whole: Vec<_> = whole.map(|(set, is_whole)| is_whole.then_some(set)).collect();
            state.snapshots.rolled_back = before.compare(self, &state.snapshots, &whole);
            attempt += 1;
            let has_vanished =
                state.snapshots.problems.iter().any(|error| matches!(error, Error::Missing { .. }));
            // A list may be older than one that was made before it.
            let is_settled = !has_vanished && state.snapshots.rolled_back.is_empty();
            if is_settled || attempt == VANISHED {
                return Ok((listing, state));
            }
        }
    }

    /// Loads the listed sessions, tombstones, snapshots and annotations.
    pub(crate) fn state(&self, listing: &Listing) -> State {
        let mut records = Records::open(self).listed(listing.set(Area::Snapshots));
        let mut found = Snapshots::default();
        let tombstones = listing.union(Area::Forgotten);
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        wanted.extend(tombstones.iter().map(|name| (Kind::Tombstone, name.clone(), Holder::Any)));
        for (number, listed) in listing.reached() {
            wanted.extend(self.destinations[number].wanted(listed.names(Area::Sessions)));
        }
        records.load(&wanted);
        let (mut sessions, mut committed) =
            (Sessions::default(), vec![HashSet::new(); self.destinations.len()]);
        let mut is_whole = vec![false; self.destinations.len()];
        for (number, listed) in listing.reached() {
            let mut own = Sessions::default();
            let names = listed.names(Area::Sessions);
            self.destinations[number].sessions(&mut records, names, &mut own);
            committed[number] = own.committed().collect();
            is_whole[number] = own.problems.is_empty();
            sessions.list.append(&mut own.list);
            found.problems.append(&mut own.problems);
        }
        let mut tombstone_objects = Vec::new();
        let mut forgotten = Vec::new();
        for name in &tombstones {
            match records.tombstones(name) {
                Ok((object, mut those)) => {
                    tombstone_objects.push(object);
                    forgotten.append(&mut those);
                }
                Err(error) => found.problems.push(error),
            }
        }
        found.forgotten = each_once(forgotten.into_iter());
        let all = committed.iter().flatten().copied();
        let counting: BTreeSet<SnapshotId> =
            counting(all, found.forgotten.iter()).into_iter().collect();
        let name = |id: &SnapshotId| (Kind::Snapshot, ObjectName::snapshot(*id), Holder::Any);
        records.load(&counting.iter().map(name).collect::<Vec<_>>());
        let mut list = Vec::new();
        for id in counting {
            match records.snapshot(id) {
                Ok(snapshot) => list.push((id, snapshot)),
                Err(error) => found.problems.push(error),
            }
        }
        found.list = order::arrange(list, &found.forgotten, now());
        let annotations = listing.union(Area::Annotations);
        annotations::apply(&mut found.list, &annotations, &mut records, &mut found.problems);
        records.save_used();
        State { snapshots: found, sessions, tombstone_objects, committed, is_whole }
    }

    /// Returns those of the snapshots that no destination has whole.
    pub(crate) fn unreadable_snapshots(&self, ids: &BTreeSet<SnapshotId>) -> BTreeSet<SnapshotId> {
        let mut records = Records::open(self);
        ids.iter().copied().filter(|id| records.snapshot(*id).is_err()).collect()
    }
}

#[cfg(test)]
mod tests;

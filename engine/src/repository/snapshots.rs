//! The snapshots that count: committed and not forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};

use yore_platform::Timestamp;

use super::records::Records;
use super::{Problems, Repository, Sessions};
use crate::clock::now;
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::object::Area;
use crate::format::record::{ClientId, Snapshot, Tombstone};
use crate::snapshots::order::{self, SnapshotEntry};

/// The most heads that a snapshot names (FORMAT.md §10, key 18).
const MAX_HEADS: usize = 1024;

/// The snapshots that count, in their order (see [`SnapshotEntry`]), and the errors of those that could not be read.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// The snapshots that a verdict commits and no tombstone names.
    pub list: Vec<SnapshotEntry>,
    /// The tombstones.
    pub(crate) forgotten: Vec<Tombstone>,
    /// The errors of objects that could not be read.
    pub problems: Problems,
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

impl Repository {
    /// Lists the snapshots that count at any destination.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let mut found = Snapshots::default();
        let mut tombstones = HashMap::new();
        let mut committed: BTreeMap<SnapshotId, Option<Snapshot>> = BTreeMap::new();
        let mut loading = Vec::new();
        for destination in &self.destinations {
            let mut records = Records::open(self, destination);
            let mut sessions = Sessions::default();
            destination.sessions(&mut records, &mut sessions)?;
            found.problems.append(&mut sessions.problems);
            for name in destination.backend().names(Area::Forgotten)? {
                if let Some(tombstone) = records.tombstone(&name, &mut found.problems) {
                    tombstones.insert(tombstone.snapshot, tombstone);
                }
            }
            loading.push((records, sessions));
        }
        found.forgotten = tombstones.into_values().collect();
        for (mut records, sessions) in loading {
            for id in counting(sessions.committed(), found.forgotten.iter()) {
                let known = committed.entry(id).or_default();
                if known.is_none() {
                    match records.snapshot(id) {
                        Ok(snapshot) => *known = Some(snapshot),
                        Err(error) => found.problems.push(error),
                    }
                }
            }
            records.save_used();
        }
        let list = committed.into_iter().filter_map(|(id, snapshot)| Some((id, snapshot?)));
        found.list = order::arrange(list.collect(), &found.forgotten, now());
        Ok(found)
    }

    pub(crate) fn load_snapshot(&self, id: SnapshotId) -> Result<Snapshot> {
        Records::open(self, self.primary()).snapshot(id)
    }

    /// Loads all sessions of every destination, with their verdicts.
    pub(crate) fn sessions(&self) -> Result<Sessions> {
        let mut sessions = Sessions::default();
        for destination in &self.destinations {
            let mut records = Records::open(self, destination);
            destination.sessions(&mut records, &mut sessions)?;
            records.save();
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests;

//! The objects that each destination lacks.

use std::collections::{HashMap, HashSet};

use super::Repository;
use super::listing::{Listed, Listing};
use super::slots::removed_somewhere;
use super::snapshots::State;
use super::tombstones::TombstoneObject;
use crate::error::Result;
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};

/// The areas whose objects are the same on every destination, besides packs; keys and headers are only listed by
/// `sync` and `status`, since writers need none of them.
const SHARED: [Area; 6] =
    [Area::Headers, Area::Keys, Area::Index, Area::Snapshots, Area::Forgotten, Area::Annotations];

/// The objects that one destination lacks and another one has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lacking {
    /// Packs that an index describes, with their sizes; sorted.
    pub packs: Vec<(ObjectId, u64)>,
    /// Indexes, tombstones, key slots, headers, and snapshots that count; sorted.
    pub objects: Vec<ObjectName>,
    /// Snapshots that count and that no session of this destination commits; sorted.
    pub commits: Vec<SnapshotId>,
}

impl Lacking {
    /// Returns true if it lacks nothing.
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.objects.is_empty() && self.commits.is_empty()
    }

    /// Returns the number of objects, verdicts not included.
    pub fn count(&self) -> usize {
        self.packs.len() + self.objects.len()
    }

    /// Returns the bytes of the packs.
    pub fn bytes(&self) -> u64 {
        self.packs.iter().map(|(_, size)| size).sum()
    }
}

/// The objects that the destinations of a repository hold together.
pub(crate) struct Coverage<'a> {
    listing: &'a Listing,
    state: &'a State,
    /// The packs that an index describes and a destination has in their size.
    packs: HashMap<ObjectId, u64>,
    /// The snapshots that count.
    counting: HashSet<SnapshotId>,
    /// The packs that prune has condemned, by destination; none of them may be written there again.
    condemned: &'a [HashSet<ObjectId>],
    /// The key slots that were removed.
    removed_slots: HashSet<ObjectId>,
}

impl<'a> Coverage<'a> {
    /// Puts together what was listed; `described` are the packs of the index with their sizes.
    pub(crate) fn new(
        listing: &'a Listing,
        state: &'a State,
        described: HashMap<ObjectId, u64>,
        condemned: &'a [HashSet<ObjectId>],
    ) -> Self {
        let mut packs = described;
        packs.retain(|id, size| {
            listing.reached().any(|(_, listed)| listed.packs.get(id) == Some(size))
        });
        let (counting, removed_slots) = (state.counting(), HashSet::new());
        Self { listing, state, packs, counting, condemned, removed_slots }
    }

    /// Leaves out key slots that were removed.
    pub(crate) fn without_slots(self, removed_slots: HashSet<ObjectId>) -> Self {
        Self { removed_slots, ..self }
    }

    /// Returns the objects that a destination lacks, in the areas that were listed.
    pub(crate) fn lacking(&self, number: usize, listed: &Listed) -> Lacking {
        let condemned = self.condemned.get(number);
        let is_condemned = |id: &ObjectId| condemned.is_some_and(|packs| packs.contains(id));
        let lacks = |(id, size): &(&ObjectId, &u64)| {
            listed.packs.get(*id) != Some(*size) && !is_condemned(id)
        };
        let mut packs: Vec<_> =
            self.packs.iter().filter(lacks).map(|(id, size)| (*id, *size)).collect();
        packs.sort_unstable();
        let tombstones = self.tombstones_beyond(listed);
        let mut objects = Vec::new();
        for area in SHARED {
            let own: HashSet<&ObjectName> = listed.names(area).iter().collect();
            let all = self.listing.union(area).into_iter().filter(|name| !own.contains(name));
            objects.extend(all.filter(|name| match area {
                Area::Forgotten => tombstones.contains(name),
                _ => self.is_shared(area, name),
            }));
        }
        Lacking { packs, objects, commits: self.state.counting_beyond(number) }
    }

    /// Returns the objects of tombstones that name a snapshot which none of a destination names. Nobody can copy one that
    /// can't be read.
    fn tombstones_beyond(&self, listed: &Listed) -> HashSet<&ObjectName> {
        let forgotten = self.state.forgotten_at(listed);
        let is_beyond =
            |object: &&TombstoneObject| object.snapshots.iter().any(|id| !forgotten.contains(id));
        let objects = self.state.tombstone_objects.iter().filter(is_beyond);
        objects.map(|object| &object.name).collect()
    }

    /// Returns true for an object that every destination should have: of snapshots and their annotations, those that
    /// count, of key slots those that were not removed.
    fn is_shared(&self, area: Area, name: &ObjectName) -> bool {
        match (area, name.id()) {
            (Area::Snapshots | Area::Annotations, id) => {
                id.is_some_and(|id| self.counting.contains(&SnapshotId(id)))
            }
            (Area::Keys, Some(id)) => !self.removed_slots.contains(&ObjectId(id)),
            _ => true,
        }
    }
}

/// The state of one destination of a repository.
#[derive(Debug)]
pub struct DestinationStatus {
    /// The objects that it lacks, or the reason why it could not be listed, in words.
    pub lacking: std::result::Result<Lacking, String>,
    /// The time of the newest snapshot that it has, in seconds since 1970.
    pub newest: Option<i64>,
}

impl Repository {
    /// Returns the state of each destination, in their order, from lists alone.
    pub fn destination_status(&self) -> Result<Vec<DestinationStatus>> {
        let (listing, state) = self.list_state(&Area::ALL)?;
        let index = self.open_listed_index(&listing.union(Area::Index), HashSet::new())?.index;
        let condemned = self.condemned_lists(&listing)?;
        // Where a slot can't be read, one that was removed may be counted as lacking.
        let removed = removed_somewhere(self, &listing).unwrap_or_default();
        let coverage = Coverage::new(&listing, &state, index.pack_sizes(), &condemned);
        let coverage = coverage.without_slots(removed);
        let status = |number| {
            let lacking = match listing.of(number) {
                Ok(listed) => Ok(coverage.lacking(number, listed)),
                Err(error) => Err(error.with_cause()),
            };
            let committed = &state.committed[number];
            let own = state.snapshots.list.iter().filter(|entry| committed.contains(&entry.id));
            let newest = own.map(|entry| entry.snapshot.time.seconds).max();
            DestinationStatus { lacking, newest }
        };
        Ok((0..self.destinations.len()).map(status).collect())
    }

    /// Loads the packs that prune has condemned, by destination.
    pub(crate) fn condemned_lists(&self, listing: &Listing) -> Result<Vec<HashSet<ObjectId>>> {
        let mut condemned = vec![HashSet::new(); self.destinations.len()];
        for (number, listed) in listing.reached() {
            let names = listed.names(Area::Generations);
            condemned[number] = self.destinations[number].condemned_by(&self.keys, names)?.packs;
        }
        Ok(condemned)
    }
}

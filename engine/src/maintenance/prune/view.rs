//! What a destination holds, listed in the order that makes the lists fit together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use yore_platform::Timestamp;

use super::Task;
use super::generations::Generations;
use crate::error::{Error, Refusal, Result};
use crate::format::id::{BlobId, ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::format::record::{Outcome, Session, Verdict};
use crate::index;
use crate::repository::{Listing, State, TombstoneObject};

/// The lists of a destination, and the records that they name.
pub(super) struct View {
    pub(super) generations: Generations,
    pub(super) sessions: BTreeMap<ObjectId, (Session, Option<Verdict>)>,
    /// The names of sessions, verdicts and heartbeats.
    pub(super) session_names: Vec<ObjectName>,
    /// The snapshots that count and that this destination commits.
    pub(super) snapshots: Vec<SnapshotId>,
    /// Their root trees, each once, in the order of the snapshots.
    pub(super) roots_here: Vec<BlobId>,
    /// The root trees of the snapshots that only other destinations commit.
    pub(super) roots_elsewhere: Vec<BlobId>,
    /// The snapshots that are stored and forgotten here, with the time at which they were.
    pub(super) forgotten: Vec<(SnapshotId, Timestamp)>,
    /// The snapshots that are forgotten here.
    pub(super) tombstones: HashSet<SnapshotId>,
    /// The objects that hold those tombstones.
    pub(super) tombstone_objects: Vec<TombstoneObject>,
    /// The annotations that nobody needs: a later one is in force, or their snapshot is forgotten here, whether or not it
    /// is still stored.
    pub(super) dead_annotations: Vec<ObjectName>,
    /// The indexes that were listed first: their packs may hold a live blob for those that are condemned.
    pub(super) indexes: Vec<ObjectName>,
    /// All indexes, listed last: they describe the blobs of every snapshot.
    pub(super) all_indexes: Vec<ObjectName>,
    /// The sizes of the packs.
    pub(super) packs: HashMap<ObjectId, u64>,
    /// The indexes and packs that other destinations list.
    pub(super) elsewhere: Elsewhere,
    /// The other destinations that commit every snapshot that counts.
    pub(super) whole_others: Vec<usize>,
}

/// The objects that other destinations have.
#[derive(Default)]
pub(super) struct Elsewhere {
    pub(super) indexes: HashSet<ObjectName>,
    pub(super) packs: HashSet<ObjectId>,
    /// Some destination of the repository could not be listed.
    pub(super) is_incomplete: bool,
}

impl View {
    /// Lists everything, in the order that the rescue needs: index, generations, packs, then what snapshots count.
    ///
    /// A writer that was aborted while it is alive may index its pack late, when another generation has condemned it:
    /// so a pack holds a blob for another one only if its index was listed before the generations. Indexes that are
    /// listed at last describe the blobs of the snapshots that were committed meanwhile. And an index is listed before
    /// the packs, so that a pack which it names and which is not there is deleted, and not just written.
    ///
    /// # Errors
    /// The error of the destination; that of a session, tombstone or snapshot that can't be read, since what is live is
    /// not known without it.
    pub(super) fn load(task: &Task<'_>) -> Result<Self> {
        let Task { repository, destination, .. } = *task;
        let packs = List::load(task, Area::Index)?;
        let mut listing = repository.list(&[Area::Generations])?;
        if let Some(error) = listing.take_error(destination) {
            return Err(error);
        }
        let generations = Generations::load(task, names(&listing, destination, Area::Generations))?;
        let packs = packs.then_packs(task)?;
        let areas = [Area::Sessions, Area::Snapshots, Area::Forgotten, Area::Annotations];
        let (mut listing, mut state) = repository.list_state(&areas)?;
        if let Some(error) = listing.take_error(destination) {
            return Err(error);
        }
        if let Some(error) = state.snapshots.problems.drain(..).next() {
            return Err(error);
        }
        if let Some(lost) = state.snapshots.rolled_back.first() {
            let location = repository.destinations()[lost.destination].location();
            let snapshot = format!("{:.8}", lost.snapshot);
            return Err(Refusal::RolledBack { location, snapshot }.into());
        }
        let id = task.place().id();
        let own = |_: &ObjectId, (session, _): &mut (Session, _)| session.destination == id;
        let mut sessions = std::mem::take(&mut state.sessions.list);
        sessions.retain(own);
        let known = Known::of(&state, &listing, destination);
        let whole = |number: &usize| {
            *number != destination
                && listing.of(*number).is_ok()
                && state.counting_beyond(*number).is_empty()
        };
        let whole_others = (0..repository.destinations().len()).filter(whole).collect();
        let annotations = names(&listing, destination, Area::Annotations);
        let dead_annotations = known.dead_annotations(&state, annotations);
        let own: HashSet<&ObjectName> =
            names(&listing, destination, Area::Forgotten).iter().collect();
        let mut tombstone_objects = std::mem::take(&mut state.tombstone_objects);
        tombstone_objects.retain(|object| own.contains(&object.name));
        let session_names = names(&listing, destination, Area::Sessions).to_vec();
        let mut last = repository.only(destination).list(&[Area::Index])?;
        if let Some(error) = last.take_error(0) {
            return Err(error);
        }
        Ok(Self {
            generations,
            sessions,
            session_names,
            snapshots: known.snapshots,
            roots_here: known.here.list,
            roots_elsewhere: known.elsewhere.list,
            forgotten: known.forgotten,
            tombstones: known.tombstones,
            tombstone_objects,
            dead_annotations,
            indexes: packs.indexes,
            all_indexes: names(&last, 0, Area::Index).to_vec(),
            packs: packs.packs,
            elsewhere: packs.elsewhere,
            whole_others,
        })
    }

    /// Returns the sessions without a verdict that began before a generation.
    pub(super) fn writers_before(&self, generation: u64) -> Vec<(ObjectId, &Session)> {
        let open = self
            .sessions
            .iter()
            .filter(|(_, (session, verdict))| verdict.is_none() && session.base < generation);
        open.map(|(id, (session, _))| (*id, session)).collect()
    }

    /// Returns true if there is a session without a verdict.
    pub(super) fn has_open_sessions(&self) -> bool {
        self.sessions.values().any(|(_, verdict)| verdict.is_none())
    }

    /// Returns the number of sessions that committed something.
    pub(super) fn committed_sessions(&self) -> usize {
        let commits = |(_, verdict): &&(Session, Option<Verdict>)| {
            verdict.as_ref().is_some_and(|verdict| verdict.outcome != Outcome::Abort)
        };
        self.sessions.values().filter(commits).count()
    }

    /// Returns the packs that the indexes of open sessions describe.
    pub(super) fn packs_of_open_sessions(&self, task: &Task<'_>) -> Result<HashSet<ObjectId>> {
        let open: HashSet<ObjectId> =
            self.writers_before(u64::MAX).into_iter().map(|(id, _)| id).collect();
        let mut packs = HashSet::new();
        if open.is_empty() {
            return Ok(packs);
        }
        for name in self.indexes.iter().filter(|name| name.level() == 0) {
            let loaded = index::load(&**task.place().backend(), &task.repository.keys, name);
            let index = match loaded {
                Err(Error::Missing { .. }) => return Err(Error::Overtaken),
                index => index?,
            };
            if index.sessions.iter().any(|session| open.contains(session)) {
                packs.extend(index.packs.iter().map(|pack| pack.id));
            }
        }
        Ok(packs)
    }

    /// Returns true if the same snapshots count as in another view.
    pub(super) fn has_same_snapshots(&self, other: &Self) -> bool {
        let set = |roots: &[BlobId]| roots.iter().copied().collect::<BTreeSet<BlobId>>();
        set(&self.roots_here) == set(&other.roots_here)
            && set(&self.roots_elsewhere) == set(&other.roots_elsewhere)
    }
}

/// The indexes and packs of all destinations.
struct List {
    listing: Listing,
    indexes: Vec<ObjectName>,
    packs: HashMap<ObjectId, u64>,
    elsewhere: Elsewhere,
}

impl List {
    /// Lists the indexes.
    fn load(task: &Task<'_>, area: Area) -> Result<Self> {
        let mut listing = task.repository.list(&[area])?;
        if let Some(error) = listing.take_error(task.destination) {
            return Err(error);
        }
        let indexes = names(&listing, task.destination, area).to_vec();
        Ok(Self { listing, indexes, packs: HashMap::new(), elsewhere: Elsewhere::default() })
    }

    /// Lists the packs as well.
    fn then_packs(mut self, task: &Task<'_>) -> Result<Self> {
        let Task { repository, destination, options, .. } = *task;
        let errors = self.listing.list_again(repository, &[Area::Packs]);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let reached = self.listing.reached().count();
        self.elsewhere.is_incomplete =
            options.has_absent_destinations || reached < repository.destinations().len();
        for (number, listed) in self.listing.reached() {
            match number == destination {
                true => self.packs.clone_from(&listed.packs),
                false => {
                    self.elsewhere.indexes.extend(listed.names(Area::Index).iter().cloned());
                    self.elsewhere.packs.extend(listed.packs.keys());
                }
            }
        }
        Ok(self)
    }
}

/// The snapshots of a destination, and those that only others commit.
#[derive(Default)]
struct Known {
    snapshots: Vec<SnapshotId>,
    here: Roots,
    elsewhere: Roots,
    /// Those that are stored and forgotten here.
    forgotten: Vec<(SnapshotId, Timestamp)>,
    tombstones: HashSet<SnapshotId>,
}

impl Known {
    fn of(state: &State, listing: &Listing, destination: usize) -> Self {
        let mut known = Self::default();
        for entry in &state.snapshots.list {
            match state.committed[destination].contains(&entry.id) {
                true => {
                    known.here.add(entry.snapshot.root);
                    known.snapshots.push(entry.id);
                }
                false => known.elsewhere.add(entry.snapshot.root),
            }
        }
        let stored = names(listing, destination, Area::Snapshots).iter();
        let stored: HashSet<SnapshotId> =
            stored.filter_map(|name| name.id()).map(SnapshotId).collect();
        known.tombstones =
            listing.of(destination).map_or_else(|_| HashSet::new(), |own| state.forgotten_at(own));
        for tombstone in &state.snapshots.forgotten {
            let id = tombstone.snapshot;
            if stored.contains(&id) && known.tombstones.contains(&id) {
                known.forgotten.push((id, tombstone.time));
            }
        }
        known
    }

    /// Chooses the dead ones among annotations, which are in the order of their names. A tombstone that can't be read
    /// forgets nothing.
    fn dead_annotations(&self, state: &State, names: &[ObjectName]) -> Vec<ObjectName> {
        let readable = state.snapshots.forgotten.iter().map(|tombstone| tombstone.snapshot);
        let forgotten: HashSet<SnapshotId> =
            readable.filter(|id| self.tombstones.contains(id)).collect();
        let is_dead = |at: usize, name: &ObjectName| {
            let is_replaced = names.get(at + 1).is_some_and(|later| later.id() == name.id());
            is_replaced || name.id().is_some_and(|id| forgotten.contains(&SnapshotId(id)))
        };
        let dead = names.iter().enumerate().filter(|(at, name)| is_dead(*at, name));
        dead.map(|(_, name)| name.clone()).collect()
    }
}

/// Root trees, each once.
#[derive(Default)]
struct Roots {
    list: Vec<BlobId>,
    known: HashSet<BlobId>,
}

impl Roots {
    fn add(&mut self, root: BlobId) {
        if self.known.insert(root) {
            self.list.push(root);
        }
    }
}

fn names(listing: &Listing, destination: usize, area: Area) -> &[ObjectName] {
    listing.of(destination).map_or(&[], |listed| listed.names(area))
}

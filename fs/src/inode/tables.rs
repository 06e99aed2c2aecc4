//! The tables behind inode numbers: directories by place, trees by content, snapshots and states as they came.
//!
//! A number is given when its directory or tree is first seen. It is known as long as a host holds it; of the
//! others, the ones used last are remembered (see `sweep`). Nothing here grows with the number of files, except
//! for files of several names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use lru::LruCache;
use yore_engine::format::BlobId;
use yore_engine::read::ResolvedNode;
use yore_engine::snapshots::SnapshotEntry;
use yore_platform::{Ino, Timestamp, VolumeError};

use crate::error::Answer;
use crate::inode::number::{Inode, NodeNo, PlaceNo, SnapshotNo, StateNo, TreeNo};
use crate::inode::place::{Body, Entry, Opaque, Version};
use crate::inode::sharing::{PathHash, SharedNumbers};
use crate::inode::state::{State, StateParts};

pub(crate) use self::moves::Moved;
pub(crate) use self::places::Step;
pub(crate) use self::trees::Slot;

mod moves;
mod places;
mod sweep;
mod trees;

/// The nodes of a tree.
#[derive(Clone)]
pub(crate) enum TreeSource {
    /// In a blob, which was first seen in this snapshot.
    Blob(BlobId, SnapshotNo),
    /// Here, merged from several snapshots for a state, at this path.
    Merged { state: Arc<State>, path: Arc<[u8]>, nodes: Arc<Vec<ResolvedNode>> },
}

/// The key by which names of one state are one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinkKey {
    pub(crate) state: StateNo,
    pub(crate) filesystem: u64,
    pub(crate) inode: u64,
    /// Tells apart nodes that agree in the above but not in kind or content.
    pub(crate) content: u64,
}

/// The numbers of entries in the tables, for tests and for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSizes {
    /// Directories known, by place.
    pub places: usize,
    /// Distinct trees known.
    pub trees: usize,
    /// States in use.
    pub states: usize,
    /// Files of several names known.
    pub links: usize,
    /// Directories and trees that hosts hold.
    pub held: usize,
}

/// A tree in the table.
struct Tree {
    source: TreeSource,
    /// The number of times that hosts hold files of it.
    held: u64,
    /// The tick of its last use.
    used: u64,
    /// It was entered, so that its nodes have their numbers.
    entered: bool,
    /// The tree that was entered before at its path.
    base: Option<TreeNo>,
    /// Numbers that its nodes take over from other trees.
    shared: Option<Arc<OnceLock<SharedNumbers>>>,
}

struct Inner {
    places: HashMap<PlaceNo, Entry>,
    by_name: HashMap<(PlaceNo, Arc<[u8]>), PlaceNo>,
    trees: HashMap<TreeNo, Tree>,
    by_blob: HashMap<BlobId, TreeNo>,
    states: HashMap<StateParts, Weak<State>>,
    snapshots: Vec<Arc<SnapshotEntry>>,
    links: HashMap<LinkKey, NodeNo>,
    /// The tree that was entered last at each path.
    last: LruCache<PathHash, TreeNo>,
    /// States that held places show once hosts know.
    pending: HashMap<PlaceNo, Arc<State>>,
    /// The trees of held places before they came to mean something else.
    moved: HashMap<PlaceNo, Option<TreeSource>>,
    counts: Counts,
}

/// Counts that only ever grow, and the state of the next sweep.
struct Counts {
    places: u64,
    trees: u64,
    states: u64,
    version: u64,
    clock: u64,
    /// Entries that are remembered though no host holds them.
    remembered: usize,
    /// Entries at which the next sweep is due.
    due: usize,
    /// Places and trees that hosts released since the last sweep, and the number that makes one due.
    released: usize,
    released_due: usize,
}

/// All tables.
pub(crate) struct Tables {
    /// Guards every table.
    inner: Mutex<Inner>,
}

impl Counts {
    fn next_version(&mut self) -> Version {
        self.version += 1;
        Version(self.version)
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Tables {
    /// Makes tables that remember `budget` bytes of what no host holds; `root` is the drive's top.
    pub(crate) fn new(budget: usize, root: Arc<dyn Opaque>) -> Self {
        let remembered = sweep::entries_of(budget);
        let counts = Counts {
            places: 0,
            trees: 0,
            states: 0,
            version: 0,
            clock: 0,
            remembered: remembered.get(),
            due: remembered.get() * 2,
            released: 0,
            released_due: remembered.get(),
        };
        let inner = Inner {
            places: HashMap::new(),
            by_name: HashMap::new(),
            trees: HashMap::new(),
            by_blob: HashMap::new(),
            states: HashMap::new(),
            snapshots: Vec::new(),
            links: HashMap::new(),
            last: LruCache::new(remembered),
            pending: HashMap::new(),
            moved: HashMap::new(),
            counts,
        };
        let tables = Self { inner: Mutex::new(inner) };
        let top = tables.place_virtual(PlaceNo::ROOT, b"", root);
        assert_eq!(top, PlaceNo::ROOT, "the top has the first number");
        tables.pin(top);
        tables
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of these parts; the same while it is in use.
    pub(crate) fn state(&self, parts: StateParts, modified: Timestamp) -> Arc<State> {
        let inner = &mut *self.lock();
        if let Some(state) = inner.states.get(&parts).and_then(Weak::upgrade) {
            return state;
        }
        inner.counts.states += 1;
        let state = State::new(StateNo(inner.counts.states), parts.clone(), modified);
        inner.states.insert(parts, Arc::downgrade(&state));
        state
    }

    pub(crate) fn add_snapshot(&self, snapshot: Arc<SnapshotEntry>) -> Answer<SnapshotNo> {
        let snapshots = &mut self.lock().snapshots;
        let number = u32::try_from(snapshots.len()).map_err(|_| VolumeError::Damaged)?;
        snapshots.push(snapshot);
        Ok(SnapshotNo(number))
    }

    pub(crate) fn snapshot(&self, number: SnapshotNo) -> Answer<Arc<SnapshotEntry>> {
        self.lock().snapshots.get(number.0 as usize).cloned().ok_or(VolumeError::Stale)
    }

    /// Notes that a host holds a number once more.
    ///
    /// # Errors
    /// Stale when the number was forgotten meanwhile: the host must not give it out.
    pub(crate) fn hold(&self, ino: Ino) -> Answer<()> {
        let inner = &mut *self.lock();
        let used = inner.counts.tick();
        match Inode::of(ino).ok_or(VolumeError::Stale)? {
            Inode::Place(place) => {
                let entry = inner.places.get_mut(&place).ok_or(VolumeError::Stale)?;
                entry.held += 1;
                entry.used = used;
            }
            Inode::Node(node) => {
                let tree = inner.trees.get_mut(&node.tree()).ok_or(VolumeError::Stale)?;
                tree.held += 1;
                tree.used = used;
            }
            Inode::Link(..) => {}
        }
        Ok(())
    }

    /// Notes that a host releases a number `times` times.
    pub(crate) fn forget(&self, ino: Ino, times: u64) {
        let inner = &mut *self.lock();
        let held = match Inode::of(ino) {
            Some(Inode::Place(place)) => inner.places.get_mut(&place).map(|entry| &mut entry.held),
            Some(Inode::Node(node)) => inner.trees.get_mut(&node.tree()).map(|tree| &mut tree.held),
            Some(Inode::Link(..)) | None => None,
        };
        if let Some(held) = held.filter(|held| **held > 0) {
            *held = held.saturating_sub(times);
            inner.counts.released += usize::from(*held == 0);
        }
        inner.sweep_if_due();
    }

    pub(crate) fn sizes(&self) -> TableSizes {
        let inner = self.lock();
        let held = inner.places.values().filter(|entry| entry.held > 0).count()
            + inner.trees.values().filter(|tree| tree.held > 0).count();
        TableSizes {
            places: inner.places.len(),
            trees: inner.trees.len(),
            states: inner.states.values().filter(|state| state.strong_count() > 0).count(),
            links: inner.links.len(),
            held,
        }
    }
}

impl Inner {
    /// Returns the tree of a place; `None` until it is entered.
    fn source(&self, body: &Body) -> Option<TreeSource> {
        let tree = match body {
            Body::Virtual(_) | Body::File(_) | Body::StateTop(_, None) => None,
            Body::StateTop(_, Some(top)) => top.tree,
            Body::StateDir(dir) => dir.tree,
        };
        Some(self.trees.get(&tree?)?.source.clone())
    }
}

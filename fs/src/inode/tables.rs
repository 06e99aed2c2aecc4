//! What has a number: directories by place, trees by content, snapshots and states as they came.
//!
//! Numbers are given when somebody first sees what they stand for. They are known as long as a host holds
//! them, and of the others so many as were used last (see `sweep`). Nothing here grows with the number of
//! files, except for files of several names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use lru::LruCache;
use yore_engine::{BlobId, SeenNode, SnapshotEntry};
use yore_platform::{Ino, Timestamp, VolumeError};

use crate::inode::number::{NodeNo, Number, PlaceNo, TreeNo};
use crate::inode::place::{Body, Entry, Version};
use crate::inode::sharing::{PathHash, Shared};
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::state_tree::{Made as Of, State, StateNo};
use crate::virtual_dir::dir::Made;

pub(crate) use self::moves::Moved;
pub(crate) use self::places::Step;

mod moves;
mod places;
mod sweep;
mod trees;

/// A snapshot, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OriginNo(pub(crate) u32);

/// Where the nodes of a tree are.
#[derive(Clone)]
pub(crate) enum TreeSource {
    /// In a blob; it was first seen in this snapshot.
    Blob(BlobId, OriginNo),
    /// Here, put together from several snapshots for a state, at this path.
    Merged { state: Arc<State>, path: Arc<[u8]>, nodes: Arc<Vec<SeenNode>> },
}

/// What makes names of one state one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinkKey {
    pub(crate) state: StateNo,
    pub(crate) filesystem: u64,
    pub(crate) inode: u64,
    /// Tells apart what agrees in the above but not in kind or content.
    pub(crate) content: u64,
}

/// How many entries the tables have, for tests and for reports.
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
    /// How often hosts hold files of it.
    held: u64,
    /// When it was used last.
    used: u64,
    /// Whether it was looked into, so that its nodes have their numbers.
    entered: bool,
    /// The tree that was looked into before at its path.
    base: Option<TreeNo>,
    /// Numbers that its nodes have from elsewhere.
    shared: Option<Arc<OnceLock<Shared>>>,
}

struct Inner {
    places: HashMap<PlaceNo, Entry>,
    by_name: HashMap<(PlaceNo, Arc<[u8]>), PlaceNo>,
    trees: HashMap<TreeNo, Tree>,
    by_blob: HashMap<BlobId, TreeNo>,
    states: HashMap<Of, Weak<State>>,
    origins: Vec<Arc<SnapshotEntry>>,
    links: HashMap<LinkKey, NodeNo>,
    /// The tree that was looked into last at each path.
    last: LruCache<PathHash, TreeNo>,
    /// States that held places are to show once hosts were told.
    pending: HashMap<PlaceNo, Arc<State>>,
    /// What held places showed before they came to mean something else.
    moved: HashMap<PlaceNo, Option<TreeSource>>,
    counts: Counts,
}

/// What only ever grows, and when the next sweep is due.
struct Counts {
    places: u64,
    trees: u64,
    states: u64,
    version: u64,
    clock: u64,
    /// Entries that are remembered though nobody holds them.
    remembered: usize,
    /// Entries at which the next sweep is due.
    due: usize,
    /// What hosts let go since the last sweep, and how much of that makes one due.
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
    /// Makes tables that remember so many bytes of what no host holds.
    pub(crate) fn new(budget: usize) -> Self {
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
            origins: Vec::new(),
            links: HashMap::new(),
            last: LruCache::new(remembered),
            pending: HashMap::new(),
            moved: HashMap::new(),
            counts,
        };
        let tables = Self { inner: Mutex::new(inner) };
        let top = tables.place_named(PlaceNo::ROOT, b"", Made::Top(ScopeNo::WHOLE));
        assert_eq!(top, PlaceNo::ROOT, "the top has the first number");
        tables.pin(top);
        tables
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state that is made of this; the same while it is in use.
    pub(crate) fn state(&self, made: Of, modified: Timestamp) -> Arc<State> {
        let inner = &mut *self.lock();
        if let Some(state) = inner.states.get(&made).and_then(Weak::upgrade) {
            return state;
        }
        inner.counts.states += 1;
        let state = Arc::new(State::new(StateNo(inner.counts.states), made.clone(), modified));
        inner.states.insert(made, Arc::downgrade(&state));
        state
    }

    pub(crate) fn add_origin(&self, snapshot: Arc<SnapshotEntry>) -> Result<OriginNo, VolumeError> {
        let origins = &mut self.lock().origins;
        let number = u32::try_from(origins.len()).map_err(|_| VolumeError::Damaged)?;
        origins.push(snapshot);
        Ok(OriginNo(number))
    }

    pub(crate) fn origin(&self, origin: OriginNo) -> Result<Arc<SnapshotEntry>, VolumeError> {
        self.lock().origins.get(origin.0 as usize).cloned().ok_or(VolumeError::Stale)
    }

    /// Notes that a host holds a number once more.
    ///
    /// # Errors
    /// Stale when the number was forgotten meanwhile: the host must not give it out.
    pub(crate) fn hold(&self, ino: Ino) -> Result<(), VolumeError> {
        let inner = &mut *self.lock();
        let used = inner.counts.tick();
        match Number::of(ino).ok_or(VolumeError::Stale)? {
            Number::Place(place) => {
                let entry = inner.places.get_mut(&place).ok_or(VolumeError::Stale)?;
                entry.held += 1;
                entry.used = used;
            }
            Number::Node(node) => {
                let tree = inner.trees.get_mut(&node.tree()).ok_or(VolumeError::Stale)?;
                tree.held += 1;
                tree.used = used;
            }
            Number::Link(..) => {}
        }
        Ok(())
    }

    /// Notes that a host lets go of a number that it held so often.
    pub(crate) fn forget(&self, ino: Ino, times: u64) {
        let inner = &mut *self.lock();
        let held = match Number::of(ino) {
            Some(Number::Place(place)) => inner.places.get_mut(&place).map(|entry| &mut entry.held),
            Some(Number::Node(node)) => {
                inner.trees.get_mut(&node.tree()).map(|tree| &mut tree.held)
            }
            Some(Number::Link(..)) | None => None,
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
    /// Where the nodes are of what a place holds; `None` while nobody looked into it.
    fn source(&self, body: &Body) -> Option<TreeSource> {
        let tree = match body {
            Body::Made(_) | Body::Top(_, None) => None,
            Body::Top(_, Some(entered)) => entered.tree,
            Body::Inside(dir) => dir.tree,
        };
        Some(self.trees.get(&tree?)?.source.clone())
    }
}

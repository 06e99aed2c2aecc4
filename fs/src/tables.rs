//! What has a number: directories by place, trees by content, snapshots and states as they came.
//!
//! Numbers are given when somebody first sees what they stand for, and are never taken back, so
//! that whoever holds one can go on asking. Nothing here grows with the number of files, except
//! for files of several names, and for those whose versions were looked at.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yore_engine::{BlobId, SeenNode, SnapshotEntry};
use yore_platform::{Ino, VolumeError};

use crate::made::Made;
use crate::number::{PlaceNo, TreeNo};
use crate::scope::ScopeNo;
use crate::sharing::{Bases, PathHash};
use crate::states::{Made as Of, State, StateNo};

/// A snapshot, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OriginNo(pub(crate) u32);

/// A directory as it is reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) node: NodeOf,
    pub(crate) kind: PlaceKind,
    /// Where it is within its state.
    pub(crate) path: PathHash,
}

/// Where the node of a place is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NodeOf {
    /// It has none.
    None,
    /// At a position of the directory in another place.
    Parent(PlaceNo, u32),
    /// At a position of a tree.
    Tree(TreeNo, u32),
}

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    /// Made by the drive; no backup has it.
    Made(MadeNo),
    /// The top of a state, put together when it is entered.
    State(StateNo),
    /// A directory of a state; no tree when it could not be read at its backup.
    Inside { state: StateNo, origin: Option<OriginNo>, tree: Option<TreeNo> },
}

/// Something made by the drive, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MadeNo(pub(crate) u32);

/// Where the nodes of a tree are.
#[derive(Clone)]
pub(crate) enum TreeSource {
    /// In a blob; it was first seen in this snapshot.
    Blob(BlobId, OriginNo),
    /// Here, put together from several snapshots for a state, at this path.
    Merged { state: StateNo, path: Arc<[u8]>, nodes: Arc<Vec<SeenNode>> },
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
    /// Directories seen, by place.
    pub places: usize,
    /// Distinct trees seen.
    pub trees: usize,
    /// States named.
    pub states: usize,
    /// Files of several names seen.
    pub links: usize,
}

#[derive(Default)]
struct Inner {
    places: Vec<Place>,
    place_numbers: HashMap<(PlaceNo, u32), PlaceNo>,
    named: HashMap<(PlaceNo, Box<[u8]>), PlaceNo>,
    made: Vec<Made>,
    trees: Vec<TreeSource>,
    tree_numbers: HashMap<BlobId, TreeNo>,
    states: Vec<Arc<State>>,
    state_numbers: HashMap<Of, StateNo>,
    origins: Vec<Arc<SnapshotEntry>>,
    links: HashMap<LinkKey, Ino>,
    incomplete: HashSet<PlaceNo>,
    bases: Bases,
}

/// All tables.
pub(crate) struct Tables {
    /// Guards every table.
    inner: Mutex<Inner>,
}

/// Gives a new entry its number, from 1.
fn push<T>(table: &mut Vec<T>, entry: T) -> Result<u32, VolumeError> {
    let number = u32::try_from(table.len()).ok().and_then(|n| n.checked_add(1));
    table.push(entry);
    number.ok_or(VolumeError::Damaged)
}

fn entry<T>(table: &[T], number: u32) -> Result<&T, VolumeError> {
    let at = (number as usize).checked_sub(1).ok_or(VolumeError::Stale)?;
    table.get(at).ok_or(VolumeError::Stale)
}

impl Tables {
    pub(crate) fn new() -> Self {
        let tables = Self { inner: Mutex::default() };
        let top = tables.add_made(Made::Top(ScopeNo::WHOLE));
        assert_eq!(top, Ok(PlaceNo::ROOT), "the top has the first number");
        tables
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn place(&self, place: PlaceNo) -> Result<Place, VolumeError> {
        entry(&self.lock().places, place.0).copied()
    }

    /// Numbers the directory `name` at a position of another.
    pub(crate) fn place_inside(
        &self,
        parent: PlaceNo,
        (index, name): (u32, &[u8]),
        kind: impl FnOnce() -> Result<PlaceKind, VolumeError>,
    ) -> Result<PlaceNo, VolumeError> {
        if let Some(place) = self.lock().place_numbers.get(&(parent, index)) {
            return Ok(*place);
        }
        let kind = kind()?;
        let inner = &mut *self.lock();
        match inner.place_numbers.entry((parent, index)) {
            Entry::Occupied(place) => Ok(*place.get()),
            Entry::Vacant(vacant) => {
                let path = entry(&inner.places, parent.0)?.path.child(name);
                let place = Place { node: NodeOf::Parent(parent, index), kind, path };
                Ok(*vacant.insert(PlaceNo(push(&mut inner.places, place)?)))
            }
        }
    }

    /// Numbers something made by the drive, by its name in a directory that is made as well; the same
    /// name is made once.
    pub(crate) fn place_named(
        &self,
        parent: PlaceNo,
        name: &[u8],
        make: impl FnOnce() -> Made,
    ) -> Result<PlaceNo, VolumeError> {
        let key = (parent, Box::from(name));
        if let Some(place) = self.lock().named.get(&key) {
            return Ok(*place);
        }
        let place = self.add_made(make())?;
        Ok(*self.lock().named.entry(key).or_insert(place))
    }

    fn add_made(&self, made: Made) -> Result<PlaceNo, VolumeError> {
        let inner = &mut *self.lock();
        let kind = PlaceKind::Made(MadeNo(push(&mut inner.made, made)?));
        let place = Place { node: NodeOf::None, kind, path: PathHash::TOP };
        push(&mut inner.places, place).map(PlaceNo)
    }

    pub(crate) fn made(&self, made: MadeNo) -> Result<Made, VolumeError> {
        entry(&self.lock().made, made.0).cloned()
    }

    /// Numbers a directory of a state that stands in a made directory, by its name there and by what
    /// it is.
    pub(crate) fn place_of_tree(
        &self,
        parent: PlaceNo,
        name: &[u8],
        node: (TreeNo, u32),
        (kind, path): (PlaceKind, PathHash),
    ) -> Result<PlaceNo, VolumeError> {
        let inner = &mut *self.lock();
        // Another version under the same name is another directory.
        let name = [name, &node.0.0.to_be_bytes(), &node.1.to_be_bytes()].concat();
        match inner.named.entry((parent, name.into())) {
            Entry::Occupied(place) => Ok(*place.get()),
            Entry::Vacant(vacant) => {
                let place = Place { node: NodeOf::Tree(node.0, node.1), kind, path };
                Ok(*vacant.insert(PlaceNo(push(&mut inner.places, place)?)))
            }
        }
    }

    /// Numbers a state; one that is made of the same is the same.
    pub(crate) fn add_state(&self, state: State) -> Result<StateNo, VolumeError> {
        let inner = &mut *self.lock();
        match inner.state_numbers.entry(state.made.clone()) {
            Entry::Occupied(number) => Ok(*number.get()),
            Entry::Vacant(vacant) => {
                let number = StateNo(push(&mut inner.states, Arc::new(state))?);
                Ok(*vacant.insert(number))
            }
        }
    }

    /// Numbers a place for the top of a state under a name of a made directory.
    pub(crate) fn place_state(
        &self,
        parent: PlaceNo,
        name: &[u8],
        state: StateNo,
    ) -> Result<PlaceNo, VolumeError> {
        // The same words may mean another state tomorrow.
        let key = (parent, [name, &state.0.to_be_bytes()].concat().into());
        if let Some(place) = self.lock().named.get(&key) {
            return Ok(*place);
        }
        let place = self.add_top(state)?;
        Ok(*self.lock().named.entry(key).or_insert(place))
    }

    /// Numbers a place for the top of a state.
    pub(crate) fn add_top(&self, state: StateNo) -> Result<PlaceNo, VolumeError> {
        let (kind, path) = (PlaceKind::State(state), PathHash::TOP);
        push(&mut self.lock().places, Place { node: NodeOf::None, kind, path }).map(PlaceNo)
    }

    pub(crate) fn state(&self, state: StateNo) -> Result<Arc<State>, VolumeError> {
        entry(&self.lock().states, state.0).cloned()
    }

    /// Numbers a tree blob.
    pub(crate) fn tree_of_blob(&self, id: BlobId, origin: OriginNo) -> Result<TreeNo, VolumeError> {
        let inner = &mut *self.lock();
        match inner.tree_numbers.entry(id) {
            Entry::Occupied(tree) => Ok(*tree.get()),
            Entry::Vacant(vacant) => {
                let tree = TreeNo(push(&mut inner.trees, TreeSource::Blob(id, origin))?);
                Ok(*vacant.insert(tree))
            }
        }
    }

    /// Numbers a merged directory.
    pub(crate) fn add_merged(
        &self,
        state: StateNo,
        path: Arc<[u8]>,
        nodes: Arc<Vec<SeenNode>>,
    ) -> Result<TreeNo, VolumeError> {
        let source = TreeSource::Merged { state, path, nodes };
        push(&mut self.lock().trees, source).map(TreeNo)
    }

    pub(crate) fn tree(&self, tree: TreeNo) -> Result<TreeSource, VolumeError> {
        entry(&self.lock().trees, tree.0).cloned()
    }

    pub(crate) fn add_origin(&self, snapshot: Arc<SnapshotEntry>) -> Result<OriginNo, VolumeError> {
        push(&mut self.lock().origins, snapshot).map(OriginNo)
    }

    pub(crate) fn origin(&self, origin: OriginNo) -> Result<Arc<SnapshotEntry>, VolumeError> {
        entry(&self.lock().origins, origin.0).cloned()
    }

    /// The number that the first seen name of a file of several names has.
    pub(crate) fn link(&self, key: LinkKey, ino: Ino) -> Ino {
        *self.lock().links.entry(key).or_insert(ino)
    }

    /// Asks or changes what is known of trees that were looked into.
    pub(crate) fn bases<T>(&self, ask: impl FnOnce(&mut Bases) -> T) -> T {
        ask(&mut self.lock().bases)
    }

    /// Remembers that a directory holds names that can't be presented.
    pub(crate) fn mark_incomplete(&self, place: PlaceNo) {
        self.lock().incomplete.insert(place);
    }

    pub(crate) fn is_incomplete(&self, place: PlaceNo) -> bool {
        self.lock().incomplete.contains(&place)
    }

    pub(crate) fn sizes(&self) -> TableSizes {
        let inner = self.lock();
        TableSizes {
            places: inner.places.len(),
            trees: inner.trees.len(),
            states: inner.states.len(),
            links: inner.links.len(),
        }
    }
}

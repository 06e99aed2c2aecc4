//! `changes`: what was added, modified and removed between two times.
//!
//! The differences of consecutive snapshots are listed, those of any two times looked up. A
//! directory is shown if it, or something below it, changed so.

use std::sync::Arc;

use yore_engine::history::{Change, ChangeKind, LocatedNode, Pair, Pairs, any_change, locate_node};
use yore_engine::read::{DirRef, ResolvedNode};
use yore_platform::{Entry, Kind, Timestamp, VolumeError};

use crate::error::{Answer, damaged};
use crate::history::cache::{Cache, CacheLimit, MemorySize};
use crate::inode::number::{PlaceNo, StateNo};
use crate::inode::state::State;
use crate::path::join;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::moment::state_at;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::core::Core;
use crate::tree::directories::node_size;
use crate::tree::listing::Each;
use crate::tree::state_tree;
use crate::virtual_dir::dir::{BackedUp, Context, Dir, Folder, VirtualDir, list_names};

const BETWEEN: &[u8] = b"..";
/// The directories under each pair of times.
const KINDS: [(&[u8], ChangeKind); 3] = [
    (b"added", ChangeKind::Added),
    (b"modified", ChangeKind::Modified),
    (b"removed", ChangeKind::Removed),
];
/// Directories of which the lists are kept.
const LISTS: usize = 64;

/// The lists of directories, by the two states, the kind of difference, and the path.
type Lists = Cache<(StateNo, StateNo, ChangeKind, Vec<u8>), Vec<Item>>;

pub(crate) struct Changes {
    lists: Arc<Lists>,
}

impl Changes {
    pub(crate) fn new(limit: CacheLimit) -> Self {
        Self { lists: Arc::new(Cache::new(LISTS, limit)) }
    }
}

impl Folder for Changes {
    fn name(&self) -> &'static [u8] {
        b"changes"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        let (scope, lists) = (list.scope, Arc::clone(&self.lists));
        top.place(self.name(), ChangesDir { scope, lists })
    }
}

/// `changes` itself.
#[derive(PartialEq)]
struct ChangesDir {
    scope: ScopeNo,
    lists: Arc<Lists>,
}

impl VirtualDir for ChangesDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    /// Finds the differences between two times, `A..B`.
    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let at = name.windows(2).position(|two| two == BETWEEN).ok_or(VolumeError::NotFound)?;
        let list = dir.snapshots(self.scope)?;
        let zone = &dir.context.options.zone;
        let core = dir.core();
        let state = |name| state_at(&core.tables, &list, zone, name);
        let (from, to) = (state(&name[..at])?, state(&name[at + 2..])?);
        let between = Between { from: Side::of(core, from)?, to: Side::of(core, to)? };
        let (between, lists) = (Arc::new(between), Arc::clone(&self.lists));
        dir.enter(name, BetweenDir { between, lists })
    }

    /// Lists the differences of consecutive snapshots.
    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let list = dir.snapshots(self.scope)?;
        let pairs = list.labels.iter().zip(list.labels.iter().skip(1));
        let names = pairs.map(|(from, to)| [&from.name, BETWEEN, &to.name].concat());
        list_names(&names.collect::<Vec<_>>(), from, each, |name| self.find(dir, name))
    }
}

/// A state, and its top.
struct Side {
    state: Arc<State>,
    top: DirRef,
}

impl Side {
    fn of(core: &Core, state: Arc<State>) -> Answer<Self> {
        let top = state_tree::top(core, &state)?;
        Ok(Self { state, top })
    }
}

/// Two states.
struct Between {
    from: Side,
    to: Side,
}

impl Between {
    fn numbers(&self) -> (StateNo, StateNo) {
        (self.from.state.number, self.to.state.number)
    }
}

impl PartialEq for Between {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

/// The differences between two states.
#[derive(PartialEq)]
struct BetweenDir {
    between: Arc<Between>,
    lists: Arc<Lists>,
}

impl VirtualDir for BetweenDir {
    fn modified(&self, _context: &Context) -> Answer<Timestamp> {
        Ok(self.between.to.state.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        let (_, which) = *found.ok_or(VolumeError::NotFound)?;
        let (between, lists) = (Arc::clone(&self.between), Arc::clone(&self.lists));
        let (from, to) = (Some(between.from.top.clone()), Some(between.to.top.clone()));
        dir.enter(name, ChangeDir { between, which, path: Vec::new(), from, to, lists })
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        list_names(&KINDS.map(|(name, _)| name), from, each, |name| self.find(dir, name))
    }
}

/// A directory of one kind of difference.
struct ChangeDir {
    between: Arc<Between>,
    which: ChangeKind,
    path: Vec<u8>,
    from: Option<DirRef>,
    to: Option<DirRef>,
    lists: Arc<Lists>,
}

/// Two are the same directory of the same differences: those of two states never change.
impl PartialEq for ChangeDir {
    fn eq(&self, other: &Self) -> bool {
        (self.which, &self.path, &self.between) == (other.which, &other.path, &other.between)
    }
}

/// A name in such a directory.
struct Item {
    name: Vec<u8>,
    change: ItemChange,
}

enum ItemChange {
    /// It changed so: the node, in the side that shows it.
    Node(Box<ResolvedNode>),
    /// It leads to something that did.
    Holder(Option<DirRef>, Option<DirRef>),
}

impl MemorySize for Vec<Item> {
    fn memory_size(&self) -> usize {
        let change = |item: &Item| match &item.change {
            ItemChange::Node(seen) => node_size(&seen.node),
            ItemChange::Holder(..) => 0,
        };
        self.iter().map(|item| size_of::<Item>() + item.name.len() + change(item)).sum()
    }
}

impl VirtualDir for ChangeDir {
    fn modified(&self, _context: &Context) -> Answer<Timestamp> {
        Ok(self.between.to.state.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let items = self.items(dir.core())?;
        let at = items.binary_search_by(|item| item.name.as_slice().cmp(name));
        let item = at.ok().and_then(|at| items.get(at)).ok_or(VolumeError::NotFound)?;
        match &item.change {
            ItemChange::Node(seen) => self.node(dir, seen),
            ItemChange::Holder(from, to) => {
                dir.enter(name, self.below(name, from.clone(), to.clone()))
            }
        }
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let items = self.items(dir.core())?;
        let names: Vec<&Vec<u8>> = items.iter().map(|item| &item.name).collect();
        list_names(&names, from, each, |name| self.find(dir, name))
    }
}

impl ChangeDir {
    fn below(&self, name: &[u8], from: Option<DirRef>, to: Option<DirRef>) -> ChangeDir {
        let (between, lists) = (Arc::clone(&self.between), Arc::clone(&self.lists));
        let path = join(&self.path, name);
        ChangeDir { between, which: self.which, path, from, to, lists }
    }

    fn items(&self, core: &Core) -> Answer<Arc<Vec<Item>>> {
        // What two states hold never changes.
        let (from, to) = self.between.numbers();
        self.lists.get_or((from, to, self.which, self.path.clone()), 0, || {
            let mut items = Vec::new();
            let (from, to) = (self.from.as_ref(), self.to.as_ref());
            let mut pairs = Pairs::open(&core.reader, from, to).map_err(damaged)?;
            while let Some(pair) = pairs.try_next().map_err(damaged)? {
                let seen = pair.to.as_ref().or(pair.from.as_ref());
                let Some(name) = seen.map(|seen| seen.node.name.clone()) else { continue };
                if let Some(change) = change(core, self.which, &pair)? {
                    items.push(Item { name, change });
                }
            }
            Ok(items)
        })
    }

    /// Returns the entry of a node that changed.
    fn node(&self, dir: &Dir<'_>, seen: &ResolvedNode) -> Answer<Entry> {
        let (core, name) = (dir.core(), seen.node.name.as_slice());
        let (side, tree) = match self.which {
            ChangeKind::Removed => (&self.between.from, &self.from),
            ChangeKind::Added | ChangeKind::Modified => (&self.between.to, &self.to),
        };
        let path = join(&self.path, name);
        let origin = side.state.origin(&path).ok_or(VolumeError::Stale)?;
        let located: Option<LocatedNode> = match tree {
            Some(DirRef::Tree(tree)) => locate_node(&core.reader, tree, name).map_err(damaged)?,
            Some(DirRef::Merged(_) | DirRef::Unreadable | DirRef::Damaged(_)) | None => None,
        };
        let Some(LocatedNode { tree, position, .. }) = located else {
            return match (seen.node.kind, self.which) {
                // Below the sources' own directories every directory is in a tree, so this is a source
                // that only one side has: everything in it.
                (Kind::Directory, ChangeKind::Removed) => {
                    dir.enter(name, self.below(name, seen.dir.clone(), None))
                }
                (Kind::Directory, ChangeKind::Added | ChangeKind::Modified) => {
                    dir.enter(name, self.below(name, None, seen.dir.clone()))
                }
                _ => dir.file(name, seen.clone()),
            };
        };
        let (state, node) = (&side.state, &seen.node);
        dir.backed_up(name, &BackedUp { state, origin, path: &path, tree, position, node })
    }
}

/// Returns how a pair of nodes changed, if it did in this way or holds something that did.
fn change(core: &Core, which: ChangeKind, pair: &Pair) -> Answer<Option<ItemChange>> {
    for change in pair.changes() {
        let seen = match (change, which) {
            (Change::Added(seen), ChangeKind::Added)
            | (Change::Removed(seen), ChangeKind::Removed)
            | (Change::Modified { to: seen, .. }, ChangeKind::Modified) => seen,
            _ => continue,
        };
        return Ok(Some(match (&seen.dir, which) {
            // A directory that only the one side has, merged there.
            (Some(dir @ DirRef::Merged(_)), ChangeKind::Added) => {
                ItemChange::Holder(None, Some(dir.clone()))
            }
            (Some(dir @ DirRef::Merged(_)), ChangeKind::Removed) => {
                ItemChange::Holder(Some(dir.clone()), None)
            }
            (Some(_), ChangeKind::Modified) => {
                let dir =
                    |seen: &Option<ResolvedNode>| seen.as_ref().and_then(|seen| seen.dir.clone());
                ItemChange::Holder(dir(&pair.from), dir(&pair.to))
            }
            _ => ItemChange::Node(Box::new(seen)),
        }));
    }
    let Some((from, to)) = pair.below() else { return Ok(None) };
    let holds_change = any_change(&core.reader, from, to, which).map_err(damaged)?;
    Ok(holds_change.then(|| ItemChange::Holder(Some(from.clone()), Some(to.clone()))))
}

//! `changes`: what was added, modified and removed between two times.
//!
//! The differences of consecutive snapshots are listed, those of any two times looked up. A
//! directory is shown if it, or something below it, changed so.

use std::sync::Arc;

use yore_engine::{Change, DirRef, Pair, Pairs, Seen, SeenNode, Which, any_change, find_seen};
use yore_platform::{Entry, Kind, Timestamp, VolumeError};

use crate::history::cache::{Memo, Most, Weigh};
use crate::inode::number::PlaceNo;
use crate::inode::place::Dir;
use crate::inode::sharing::PathHash;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes::{SOON, join, node_entry};
use crate::tree::listing::Each;
use crate::tree::node::{damaged, weigh_node};
use crate::tree::state_tree::{State, StateNo};
use crate::virtual_dir::at::state_at;
use crate::virtual_dir::dir::{Made, list_names};
use crate::virtual_dir::versions::number;
use crate::volume::SnapshotVolume;

const BETWEEN: &[u8] = b"..";
/// What is under each pair of times.
const WHICH: [(&[u8], Which); 3] =
    [(b"added", Which::Added), (b"modified", Which::Modified), (b"removed", Which::Removed)];
/// How many directories are remembered.
const LISTS: usize = 64;

type Answer<T> = Result<T, VolumeError>;

/// Two states.
pub(crate) struct Between {
    from: (Arc<State>, DirRef),
    to: (Arc<State>, DirRef),
    /// When the later one ended.
    pub(crate) modified: Timestamp,
}

/// A directory of one kind of difference.
pub(crate) struct ChangeDir {
    pub(crate) between: Arc<Between>,
    which: Which,
    path: Vec<u8>,
    from: Option<DirRef>,
    to: Option<DirRef>,
}

impl Between {
    /// Reports whether both are the differences of the same states.
    pub(crate) fn is(&self, other: &Between) -> bool {
        (self.from.0.number, self.to.0.number) == (other.from.0.number, other.to.0.number)
    }
}

impl ChangeDir {
    /// Reports whether both are one directory of the same differences.
    pub(crate) fn is(&self, other: &ChangeDir) -> bool {
        (self.which, &self.path) == (other.which, &other.path) && self.between.is(&other.between)
    }
}

/// A name in such a directory.
struct Item {
    name: Vec<u8>,
    what: What,
}

enum What {
    /// It changed so: the node, in the side that shows it.
    Node(Box<SeenNode>),
    /// It leads to something that did.
    Leads(Option<DirRef>, Option<DirRef>),
}

/// What was worked out about directories.
pub(crate) struct Differences {
    lists: Memo<(StateNo, StateNo, Which, Vec<u8>), Vec<Item>>,
}

impl Weigh for Vec<Item> {
    fn weigh(&self) -> usize {
        let what = |item: &Item| match &item.what {
            What::Node(seen) => weigh_node(&seen.node),
            What::Leads(..) => 0,
        };
        self.iter().map(|item| size_of::<Item>() + item.name.len() + what(item)).sum()
    }
}

impl Differences {
    pub(crate) fn new(most: Most) -> Self {
        Self { lists: Memo::new(LISTS, most) }
    }
}

/// Finds the differences between two times, `A..B`.
pub(crate) fn find_between(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    name: &[u8],
) -> Answer<Entry> {
    let at = name.windows(2).position(|two| two == BETWEEN).ok_or(VolumeError::NotFound)?;
    let shown = volume.shown(scope)?;
    let from = state_at(volume, &shown, &name[..at])?;
    let to = state_at(volume, &shown, &name[at + 2..])?;
    let modified = to.modified;
    let top = |state: &Arc<State>| state.top(&volume.tables, &volume.reader);
    let (from_top, to_top) = (top(&from)?, top(&to)?);
    let between = Between { from: (from, from_top), to: (to, to_top), modified };
    let made = Made::Between(Arc::new(between));
    volume.entry_of(volume.tables.place_named(place, name, made))
}

/// Lists the differences of consecutive snapshots.
pub(crate) fn list_between(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let shown = volume.shown(scope)?;
    let pairs = shown.labels.iter().zip(shown.labels.iter().skip(1));
    let names: Vec<Vec<u8>> =
        pairs.map(|((from, _), (to, _))| [from, BETWEEN, to.as_slice()].concat()).collect();
    list_names(&names, from, each, |name| find_between(volume, place, scope, name))
}

/// Finds one kind of difference.
pub(crate) fn find_which(
    volume: &SnapshotVolume,
    place: PlaceNo,
    between: &Arc<Between>,
    name: &[u8],
) -> Answer<Entry> {
    let found = WHICH.iter().find(|(known, _)| *known == name);
    let (_, which) = *found.ok_or(VolumeError::NotFound)?;
    let made = Made::Changed(Arc::new(ChangeDir {
        between: Arc::clone(between),
        which,
        path: Vec::new(),
        from: Some(between.from.1.clone()),
        to: Some(between.to.1.clone()),
    }));
    volume.entry_of(volume.tables.place_named(place, name, made))
}

/// Lists the kinds of difference.
pub(crate) fn list_which(
    volume: &SnapshotVolume,
    place: PlaceNo,
    between: &Arc<Between>,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let names = WHICH.map(|(name, _)| name.to_vec());
    list_names(&names, from, each, |name| find_which(volume, place, between, name))
}

fn items(volume: &SnapshotVolume, dir: &ChangeDir) -> Answer<Arc<Vec<Item>>> {
    // What two states hold never changes.
    let (from, to) = (dir.between.from.0.number, dir.between.to.0.number);
    volume.differences.lists.get_or((from, to, dir.which, dir.path.clone()), 0, || {
        let mut items = Vec::new();
        let reader = &volume.reader;
        let mut pairs = Pairs::open(reader, dir.from.as_ref(), dir.to.as_ref()).map_err(damaged)?;
        while let Some(pair) = pairs.try_next().map_err(damaged)? {
            let seen = pair.to.as_ref().or(pair.from.as_ref());
            let Some(name) = seen.map(|seen| seen.node.name.clone()) else { continue };
            if let Some(what) = judge(volume, dir.which, &pair)? {
                items.push(Item { name, what });
            }
        }
        Ok(items)
    })
}

fn judge(volume: &SnapshotVolume, which: Which, pair: &Pair) -> Answer<Option<What>> {
    for change in pair.changes() {
        let seen = match (change, which) {
            (Change::Added(seen), Which::Added)
            | (Change::Removed(seen), Which::Removed)
            | (Change::Modified { to: seen, .. }, Which::Modified) => seen,
            _ => continue,
        };
        return Ok(Some(match (&seen.dir, which) {
            // A directory that only the one side has, put together there.
            (Some(dir @ DirRef::Merged(_)), Which::Added) => What::Leads(None, Some(dir.clone())),
            (Some(dir @ DirRef::Merged(_)), Which::Removed) => What::Leads(Some(dir.clone()), None),
            (Some(_), Which::Modified) => {
                let dir = |seen: &Option<SeenNode>| seen.as_ref().and_then(|seen| seen.dir.clone());
                What::Leads(dir(&pair.from), dir(&pair.to))
            }
            _ => What::Node(Box::new(seen)),
        }));
    }
    let Some((from, to)) = pair.below() else { return Ok(None) };
    let leads = any_change(&volume.reader, from, to, which).map_err(damaged)?;
    Ok(leads.then(|| What::Leads(Some(from.clone()), Some(to.clone()))))
}

/// Finds a name in a directory of one kind of difference.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    dir: &Arc<ChangeDir>,
    name: &[u8],
) -> Answer<Entry> {
    let items = items(volume, dir)?;
    let at = items.binary_search_by(|item| item.name.as_slice().cmp(name));
    let item = at.ok().and_then(|at| items.get(at)).ok_or(VolumeError::NotFound)?;
    match &item.what {
        What::Node(seen) => node(volume, place, dir, seen),
        What::Leads(from, to) => {
            let made = Made::Changed(Arc::new(ChangeDir {
                between: Arc::clone(&dir.between),
                which: dir.which,
                path: join(&dir.path, name),
                from: from.clone(),
                to: to.clone(),
            }));
            volume.entry_of(volume.tables.place_named(place, name, made))
        }
    }
}

/// The entry of a node that changed.
fn node(
    volume: &SnapshotVolume,
    place: PlaceNo,
    dir: &ChangeDir,
    seen: &SeenNode,
) -> Answer<Entry> {
    let name = seen.node.name.as_slice();
    let ((state, _), side) = match dir.which {
        Which::Removed => (&dir.between.from, &dir.from),
        Which::Added | Which::Modified => (&dir.between.to, &dir.to),
    };
    let path = join(&dir.path, name);
    let origin = state.origin(&path).ok_or(VolumeError::Stale)?;
    let located: Option<Seen> = match side {
        Some(DirRef::Tree(tree)) => find_seen(&volume.reader, tree, name).map_err(damaged)?,
        Some(DirRef::Merged(_) | DirRef::Unreadable | DirRef::Damaged(_)) | None => None,
    };
    let Some(located) = located else {
        let held = Made::Held(Arc::new(seen.clone()));
        return match seen.node.kind {
            // Below the sources' own directories every directory stands in a tree.
            Kind::Directory => whole(volume, place, dir, seen),
            _ => volume.entry_of(volume.tables.place_named(place, name, held)),
        };
    };
    let tree = volume.tables.tree_of_blob(located.tree, origin)?;
    if seen.node.kind != Kind::Directory {
        let ino = number(volume, tree, located.position)?;
        return Ok(node_entry(&volume.presentation, ino, &seen.node, SOON));
    }
    let below = seen.node.subtree.map(|id| volume.tables.tree_of_blob(id, origin)).transpose()?;
    let position = u32::try_from(located.position).map_err(|_| VolumeError::Damaged)?;
    let hash = path.split(|byte| *byte == b'/').fold(PathHash::TOP, PathHash::child);
    let (state, node) = (Arc::clone(state), (tree, position));
    let dir = Dir { state, origin: Some(origin), tree: below, node };
    let place = volume.tables.place_of_tree(place, name, (dir, hash));
    Ok(node_entry(&volume.presentation, place.ino(), &seen.node, SOON))
}

/// A source that only one side has: everything in it.
fn whole(
    volume: &SnapshotVolume,
    place: PlaceNo,
    dir: &ChangeDir,
    seen: &SeenNode,
) -> Answer<Entry> {
    let name = seen.node.name.as_slice();
    let (from, to) = match dir.which {
        Which::Removed => (seen.dir.clone(), None),
        Which::Added | Which::Modified => (None, seen.dir.clone()),
    };
    let path = join(&dir.path, name);
    let (between, which) = (Arc::clone(&dir.between), dir.which);
    let made = Made::Changed(Arc::new(ChangeDir { between, which, path, from, to }));
    volume.entry_of(volume.tables.place_named(place, name, made))
}

/// Lists a directory of one kind of difference.
pub(crate) fn list(
    volume: &SnapshotVolume,
    place: PlaceNo,
    dir: &Arc<ChangeDir>,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let items = items(volume, dir)?;
    let names: Vec<Vec<u8>> = items.iter().map(|item| item.name.clone()).collect();
    list_names(&names, from, each, |name| find(volume, place, dir, name))
}

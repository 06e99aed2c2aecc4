//! `deleted`: what some snapshot holds and the newest state does not, in its last version.
//!
//! A directory that is still there is shown if something below it is gone. Trees that never changed
//! are not looked into; the search for something gone stops at the first find.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use yore_engine::{BlobId, DirRef, Found, SeenNode, below, find as find_path};
use yore_platform::{Entry, Kind, VolumeError};

use crate::attributes::{join, node_entry};
use crate::listing::Each;
use crate::made::{Made, Path, list_names};
use crate::memo::Memo;
use crate::node::damaged;
use crate::number::PlaceNo;
use crate::past::{directory, history, number, versions_of};
use crate::scope::ScopeNo;
use crate::shown::Shown;
use crate::states::enter as enter_state;
use crate::tables::{PlaceKind, TreeSource};
use crate::volume::SnapshotVolume;

/// How many directories are remembered.
const LISTS: usize = 64;
const ANSWERS: usize = 4096;

type Answer<T> = Result<T, VolumeError>;

/// What was worked out about paths.
pub(crate) struct Gones {
    lists: Memo<(ScopeNo, Path), List>,
    leads: Memo<(ScopeNo, Path), bool>,
}

/// The names of a directory, in order.
type List = Vec<(Vec<u8>, What)>;

/// What a name of `deleted` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Gone, with all that was in it.
    Gone,
    /// A directory that is there, and in which something is gone.
    Leads,
}

impl Gones {
    pub(crate) fn new() -> Self {
        Self { lists: Memo::new(LISTS), leads: Memo::new(ANSWERS) }
    }
}

/// What the newest state has at a path, if it is a directory.
fn newest(volume: &SnapshotVolume, shown: &Shown, path: &[u8]) -> Answer<Option<DirRef>> {
    let Some(state) = shown.newest else { return Ok(None) };
    let top = match enter_state(&volume.tables, &volume.reader, state)? {
        PlaceKind::Inside { tree: Some(tree), .. } => match volume.tables.tree(tree)? {
            TreeSource::Blob(id, _) => DirRef::Tree(id),
            TreeSource::Merged { nodes, .. } => DirRef::Merged(nodes),
        },
        _ => return Ok(None),
    };
    Ok(match find_path(&volume.reader, &top, path).map_err(damaged)? {
        Some(Found::Root(dir)) => Some(dir),
        Some(Found::Node(seen)) => seen.dir,
        None => None,
    })
}

/// What the newest state has in a directory: each name, and its directory if it is one.
fn present(volume: &SnapshotVolume, dir: &DirRef) -> Answer<HashMap<Vec<u8>, Option<DirRef>>> {
    let mut present = HashMap::new();
    let each = &mut |seen: SeenNode| {
        present.insert(seen.node.name, seen.dir);
        Ok(())
    };
    yore_engine::children(&volume.reader, dir, each).map_err(damaged)?;
    Ok(present)
}

/// A directory: the trees that it ever had, and what it is now, if it is still there.
struct Compared {
    trees: Vec<BlobId>,
    newest: Option<DirRef>,
}

impl Compared {
    /// Whether every tree that it had is the one that it has now.
    fn is_settled(&self) -> bool {
        let Some(DirRef::Tree(now)) = self.newest else { return false };
        self.trees.iter().all(|tree| *tree == now)
    }

    /// Every name that it had: gone, or a directory that may lead to something that is.
    fn names(&self, volume: &SnapshotVolume) -> Answer<Vec<(Vec<u8>, Option<Compared>)>> {
        let all = below(&volume.reader, &self.trees).map_err(damaged)?;
        let mut present = match &self.newest {
            Some(newest) => present(volume, newest)?,
            None => HashMap::new(),
        };
        let mut names = Vec::new();
        for (name, ever) in all {
            let was_directory = !ever.trees.is_empty() || ever.unreadable;
            match present.remove(&name) {
                None => names.push((name, None)),
                Some(None) if was_directory => names.push((name, None)),
                Some(None) => {}
                Some(newest @ Some(_)) => {
                    names.push((name, Some(Compared { trees: ever.trees, newest })));
                }
            }
        }
        Ok(names)
    }
}

/// Whether something below a directory, which is there now, is gone.
fn leads(
    volume: &SnapshotVolume,
    (scope, generation): (ScopeNo, u32),
    path: Path,
    start: Compared,
) -> Answer<bool> {
    let answer = volume.gones.leads.get_or((scope, path), generation, || {
        let mut pending = vec![start];
        while let Some(directory) = pending.pop() {
            if directory.is_settled() {
                continue;
            }
            for (_, inside) in directory.names(volume)? {
                match inside {
                    None => return Ok(true),
                    Some(inside) => pending.push(inside),
                }
            }
        }
        Ok(false)
    })?;
    Ok(*answer)
}

fn listed(volume: &SnapshotVolume, scope: ScopeNo, path: &Path) -> Answer<Arc<List>> {
    let shown = volume.shown(scope)?;
    let generation = shown.generation;
    volume.gones.lists.get_or((scope, Arc::clone(path)), generation, || {
        let history = history(volume, scope, &shown, path)?;
        if history.states.iter().any(|state| state.tree.is_none()) {
            return Err(VolumeError::Damaged);
        }
        let trees: HashSet<BlobId> = history.states.iter().filter_map(|state| state.tree).collect();
        let newest = newest(volume, &shown, path)?;
        let directory = Compared { trees: trees.into_iter().collect(), newest };
        let mut list = Vec::new();
        if directory.is_settled() {
            return Ok(list);
        }
        for (name, inside) in directory.names(volume)? {
            let what = match inside {
                None => What::Gone,
                Some(inside) => {
                    let below = Path::from(join(path, &name));
                    match leads(volume, (scope, generation), below, inside)? {
                        true => What::Leads,
                        false => continue,
                    }
                }
            };
            list.push((name, what));
        }
        Ok(list)
    })
}

/// Finds a name in a directory of `deleted`.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let list = listed(volume, scope, path)?;
    let at = list.binary_search_by(|(known, _)| known.as_slice().cmp(name));
    let (_, what) = at.ok().and_then(|at| list.get(at)).ok_or(VolumeError::NotFound)?;
    let below = Path::from(join(path, name));
    match what {
        What::Leads => {
            let made = || Made::Gone(scope, Arc::clone(&below));
            volume.entry_of(volume.tables.place_named(place, name, made)?)
        }
        What::Gone => last_version(volume, place, scope, &below, name),
    }
}

/// The last version of what is gone; of what once was a directory, the last one that was.
fn last_version(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let shown = volume.shown(scope)?;
    let versions = versions_of(volume, scope, path)?;
    let is_dir = |named: &&crate::past::Named| named.last_known().1.node.kind == Kind::Directory;
    let last = versions.iter().filter(is_dir).max_by_key(|named| named.last());
    let last = last.or_else(|| versions.iter().max_by_key(|named| named.last()));
    let named = last.ok_or(VolumeError::NotFound)?;
    let (first, seen) = named.last_known();
    if seen.node.kind == Kind::Directory {
        return directory(volume, place, &shown, path, (name, first), seen);
    }
    let (_, origin) = *shown.labels.get(first).ok_or(VolumeError::Stale)?;
    let tree = volume.tables.tree_of_blob(seen.tree, origin)?;
    Ok(node_entry(&volume.presentation, number(volume, tree, seen.position)?, &seen.node))
}

/// Lists a directory of `deleted`.
pub(crate) fn list(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let names: Vec<Vec<u8>> =
        listed(volume, scope, path)?.iter().map(|(name, _)| name.clone()).collect();
    list_names(&names, from, each, |name| find(volume, place, scope, path, name))
}

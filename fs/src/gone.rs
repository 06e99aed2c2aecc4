//! `deleted`: what some snapshot holds and the newest state does not, in its last version.
//!
//! A directory that is still there is shown if something below it is gone. Trees that never changed
//! are not looked into; the search for something gone stops at the first find.

use std::sync::Arc;

use yore_engine::{DirHistory, DirRef, Found, Kinds, enter, find as find_path, names};
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

/// What the newest state has under a name: nothing, a directory, or something else.
fn present(volume: &SnapshotVolume, dir: &DirRef, name: &[u8]) -> Answer<Option<Option<DirRef>>> {
    let found = yore_engine::child(&volume.reader, dir, name).map_err(damaged)?;
    Ok(found.map(|seen| seen.dir))
}

/// What a name is in a directory of `deleted` whose newest state is `newest`.
fn judge(
    volume: &SnapshotVolume,
    newest: Option<&DirRef>,
    name: &[u8],
    kinds: Kinds,
) -> Answer<Judged> {
    let Some(newest) = newest else { return Ok(Judged::Gone) };
    Ok(match present(volume, newest, name)? {
        None => Judged::Gone,
        Some(None) if kinds.directory => Judged::Gone,
        Some(None) => Judged::Here,
        Some(Some(dir)) => Judged::Directory(dir),
    })
}

enum Judged {
    Gone,
    Here,
    Directory(DirRef),
}

/// Whether every state of a directory is the one that it has now.
fn is_settled(history: &DirHistory, newest: &DirRef) -> bool {
    let DirRef::Tree(now) = newest else { return false };
    history.states.iter().all(|state| state.tree == Some(*now))
}

/// Whether something below a directory, which is there now, is gone.
fn leads(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    shown: &Shown,
    path: Path,
    start: (DirHistory, DirRef),
) -> Answer<bool> {
    let answer = volume.gones.leads.get_or((scope, path), shown.generation, || {
        let mut pending = vec![start];
        while let Some((history, newest)) = pending.pop() {
            if is_settled(&history, &newest) {
                continue;
            }
            let (found, outcome) = names(&volume.reader, &history);
            for (name, kinds) in &found {
                match judge(volume, Some(&newest), name, *kinds)? {
                    Judged::Gone => return Ok(true),
                    Judged::Here => {}
                    Judged::Directory(dir) => {
                        let below = enter(&volume.reader, &history, name).map_err(damaged)?;
                        pending.push((below, dir));
                    }
                }
            }
            outcome.map_err(damaged)?;
        }
        Ok(false)
    })?;
    Ok(*answer)
}

fn listed(volume: &SnapshotVolume, scope: ScopeNo, path: &Path) -> Answer<Arc<List>> {
    let shown = volume.shown(scope)?;
    volume.gones.lists.get_or((scope, Arc::clone(path)), shown.generation, || {
        let history = history(volume, scope, &shown, path)?;
        let newest = newest(volume, &shown, path)?;
        let mut list = Vec::new();
        if newest.as_ref().is_some_and(|newest| is_settled(&history, newest)) {
            return Ok(list);
        }
        let (found, outcome) = names(&volume.reader, &history);
        outcome.map_err(damaged)?;
        for (name, kinds) in found {
            let what = match judge(volume, newest.as_ref(), &name, kinds)? {
                Judged::Gone => What::Gone,
                Judged::Here => continue,
                Judged::Directory(dir) => {
                    let start = enter(&volume.reader, &history, &name).map_err(damaged)?;
                    let below = Path::from(join(path, &name));
                    match leads(volume, scope, &shown, below, (start, dir))? {
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

//! `deleted`: what some snapshot holds and the newest state does not, in its last version.
//!
//! A directory that is still there is shown if it holds something deleted, at any depth. The search for that
//! compares each tree that the directory had with the next one, and with the newest at last, looks into what
//! differs alone, and stops at the first find.
//!
//! An example: three snapshots of a directory `d`.
//!
//! | snapshot | tree of `d` | names in it |
//! |---|---|---|
//! | 1 | T1 | `a`, `b`, `sub` (S1: `x`, `y`) |
//! | 2 | T2 | `a`, `sub` (S2: `x`) |
//! | 3, the newest | T3 | `a`, `b`, `sub` (S3: `x`, `z`) |
//!
//! Over T1 to T3 the names are `a`, `b` and `sub`, and all are in T3, so `d` itself lost nothing: `b` came
//! back. `a` and `b` never were directories and are left out. `sub` had the trees S1, S2, S3. The step S1 to
//! S2 loses `y`, which S3 has not either: so `sub` is shown, S2 to S3 is not read any more, and
//! `deleted/d/sub` lists `y` as snapshot 1 has it. Had `y` been a directory that S3 has again, it would be
//! compared in the same way, the old tree with the new one: it may have come back with less.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use yore_engine::TreePath;
use yore_engine::format::{BlobId, Tree};
use yore_engine::history::{DirHistory, Pairs, child_trees};
use yore_engine::read::{DirRef, LONGEST_PATH, Lookup, ResolvedNode, find as find_path};
use yore_platform::{Entry, Kind, Timestamp, VolumeError};

use crate::error::{Answer, damaged};
use crate::history::cache::{Cache, CacheLimit, MemorySize};
use crate::inode::number::PlaceNo;
use crate::path::{Path, join};
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::core::Core;
use crate::tree::directories::Directory;
use crate::tree::listing::Each;
use crate::tree::state_tree;
use crate::virtual_dir::dir::{BackedUp, Context, Dir, Folder, VirtualDir, list_names};

/// Directories of which the lists are kept.
const LISTS: usize = 64;
/// Directories for which the answer is kept, whether they hold something deleted.
const ANSWERS: usize = 4096;

/// Answers about directories.
#[derive(PartialEq)]
struct Caches {
    lists: Cache<(ScopeNo, Path), List>,
    holds_deleted: Cache<(ScopeNo, Path), bool>,
}

pub(crate) struct Deleted {
    caches: Arc<Caches>,
}

impl Deleted {
    pub(crate) fn new(limit: CacheLimit) -> Self {
        let (lists, holds_deleted) = (Cache::new(LISTS, limit), Cache::new(ANSWERS, limit));
        Self { caches: Arc::new(Caches { lists, holds_deleted }) }
    }
}

impl Folder for Deleted {
    fn name(&self) -> &'static [u8] {
        b"deleted"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        let (scope, path) = (list.scope, Path::from(&b""[..]));
        top.place(self.name(), DeletedDir { scope, path, caches: Arc::clone(&self.caches) })
    }
}

/// The names of a directory, in order.
type List = Vec<(Vec<u8>, Item)>;

/// A name of `deleted`.
#[derive(Clone, Copy)]
enum Item {
    /// Deleted, with all that was in it.
    Deleted(LastSpot),
    /// A directory that is there, and holds something deleted.
    Holder,
}

/// The last node of a name.
#[derive(Clone, Copy)]
struct LastSpot {
    /// The snapshot, by its index in the list.
    snapshot: usize,
    /// The tree, or the leaf of a large one, and the position in it.
    tree: BlobId,
    position: usize,
}

impl MemorySize for List {
    fn memory_size(&self) -> usize {
        self.iter().map(|(name, _)| name.len() + size_of::<(Vec<u8>, Item)>()).sum()
    }
}

/// A directory of `deleted`.
#[derive(PartialEq)]
struct DeletedDir {
    scope: ScopeNo,
    path: Path,
    caches: Arc<Caches>,
}

impl VirtualDir for DeletedDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.scope)?;
        let items = self.items(dir.context, &list)?;
        let at = items.binary_search_by(|(known, _)| known.as_slice().cmp(name));
        let (_, item) = at.ok().and_then(|at| items.get(at)).ok_or(VolumeError::NotFound)?;
        let path = Path::from(join(&self.path, name));
        match item {
            Item::Holder => {
                let (scope, caches) = (self.scope, Arc::clone(&self.caches));
                dir.enter(name, DeletedDir { scope, path, caches })
            }
            Item::Deleted(last) => last_version(dir, &list, &path, name, *last),
        }
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let items = self.items(dir.context, &*dir.snapshots(self.scope)?)?;
        let names: Vec<&Vec<u8>> = items.iter().map(|(name, _)| name).collect();
        list_names(&names, from, each, |name| self.find(dir, name))
    }
}

/// Returns the entry of something deleted, as it was last.
fn last_version(
    dir: &Dir<'_>,
    list: &SnapshotList,
    path: &[u8],
    name: &[u8],
    LastSpot { snapshot, tree, position }: LastSpot,
) -> Answer<Entry> {
    let holder = dir.core().directories.get(&dir.core().reader, &tree)?;
    let Directory::Nodes(nodes) = &*holder else { return Err(VolumeError::Damaged) };
    let node = nodes.nodes.get(position).ok_or(VolumeError::Damaged)?;
    let (state, origin) = (list.state_of(snapshot)?, list.label(snapshot)?.origin);
    dir.backed_up(name, &BackedUp { state, origin, path, tree, position, node })
}

impl DeletedDir {
    /// Returns what is deleted in the directory, and what leads to something deleted.
    fn items(&self, context: &Context, list: &SnapshotList) -> Answer<Arc<List>> {
        let key = (self.scope, Arc::clone(&self.path));
        self.caches.lists.get_or(key, list.generation, || {
            let core = &context.core;
            let history = context.histories.directory(core, list, &self.path)?;
            if history.states.iter().any(|state| state.tree.is_none()) {
                return Err(VolumeError::Damaged);
            }
            let mut known = HashSet::new();
            let trees = history.states.iter().filter_map(|state| state.tree);
            let trees = trees.filter(|tree| known.insert(*tree)).collect();
            let directory = Trees { ever: trees, newest: newest(core, list, &self.path)? };
            let mut items = Vec::new();
            if directory.never_changed() {
                return Ok(items);
            }
            let candidates = directory.candidates(core)?;
            let deleted = candidates.iter().filter_map(|(name, candidate)| match candidate {
                Candidate::Deleted { was_directory } => Some((name.clone(), *was_directory)),
                Candidate::Present(_) => None,
            });
            let mut last = last_spots(core, &history, deleted.collect())?;
            for (name, candidate) in candidates {
                let item = match candidate {
                    Candidate::Deleted { .. } => {
                        Item::Deleted(last.remove(&name).ok_or(VolumeError::Damaged)?)
                    }
                    Candidate::Present(trees) => {
                        let key = (self.scope, Path::from(join(&self.path, &name)));
                        let search = || holds_deleted(core, trees);
                        match *self.caches.holds_deleted.get_or(key, list.generation, search)? {
                            true => Item::Holder,
                            false => continue,
                        }
                    }
                };
                items.push((name, item));
            }
            Ok(items)
        })
    }
}

/// Returns what the newest state has at a path, if it is a directory.
fn newest(core: &Core, list: &SnapshotList, path: &[u8]) -> Answer<Option<DirRef>> {
    let top = state_tree::top(core, &list.newest)?;
    if matches!(top, DirRef::Unreadable) {
        return Ok(None);
    }
    Ok(match find_path(&core.reader, &top, TreePath::new(path)).map_err(damaged)? {
        Some(Lookup::Root(dir)) => Some(dir),
        Some(Lookup::Node(seen)) => seen.dir,
        None => None,
    })
}

/// Returns the names in a directory of the newest state, each with its directory if it is one.
fn present(core: &Core, dir: &DirRef) -> Answer<HashMap<Vec<u8>, Option<DirRef>>> {
    let mut present = HashMap::new();
    let each = &mut |seen: ResolvedNode| {
        present.insert(seen.node.name, seen.dir);
        Ok(())
    };
    yore_engine::read::children(&core.reader, dir, each).map_err(damaged)?;
    Ok(present)
}

/// The trees of a directory: those that it ever had, in order, and the one of the newest state, if it is
/// still there.
struct Trees {
    ever: Vec<BlobId>,
    newest: Option<DirRef>,
}

/// A name that a directory had, and that is deleted or may hold something deleted.
enum Candidate {
    Deleted { was_directory: bool },
    Present(Trees),
}

impl Trees {
    /// Reports whether every tree that it had is the one that it has now.
    fn never_changed(&self) -> bool {
        let Some(DirRef::Tree(now)) = self.newest else { return false };
        self.ever.iter().all(|tree| *tree == now)
    }

    /// Returns every name that it had and that is deleted, or a directory that may hold something deleted.
    fn candidates(&self, core: &Core) -> Answer<Vec<(Vec<u8>, Candidate)>> {
        let all = child_trees(&core.reader, &self.ever).map_err(damaged)?;
        let mut present = match &self.newest {
            Some(newest) => present(core, newest)?,
            None => HashMap::new(),
        };
        let mut candidates = Vec::new();
        for (name, ever) in all {
            let was_directory = !ever.trees.is_empty() || ever.unreadable;
            match present.remove(&name) {
                Some(None) if !was_directory => {}
                None | Some(None) => candidates.push((name, Candidate::Deleted { was_directory })),
                Some(newest @ Some(_)) => {
                    let trees = Trees { ever: ever.trees, newest };
                    candidates.push((name, Candidate::Present(trees)));
                }
            }
        }
        Ok(candidates)
    }
}

/// Finds where each of the names of a directory was last, those that ever were a directory as one.
///
/// All at once, from the newest snapshot back: each tree is read once for as many names as may be.
fn last_spots(
    core: &Core,
    history: &DirHistory,
    mut wanted: HashMap<Vec<u8>, bool>,
) -> Answer<HashMap<Vec<u8>, LastSpot>> {
    let (mut found, mut known) = (HashMap::new(), HashSet::new());
    for state in history.states.iter().rev() {
        let mut pending: Vec<BlobId> = state.tree.into_iter().collect();
        while let Some(tree) = pending.pop() {
            if wanted.is_empty() {
                return Ok(found);
            }
            if !known.insert(tree) {
                continue;
            }
            match core.reader.tree(&tree).map_err(damaged)? {
                Tree::Leaves(leaves) => pending.extend(leaves.iter().map(|leaf| leaf.id)),
                Tree::Nodes { nodes, .. } => {
                    for (position, node) in nodes.into_iter().enumerate() {
                        let is_directory = node.kind == Kind::Directory;
                        if wanted.get(&node.name).is_some_and(|was| is_directory || !was) {
                            wanted.remove(&node.name);
                            let spot = LastSpot { snapshot: state.snapshot, tree, position };
                            found.insert(node.name, spot);
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Reports whether a directory that is there holds something deleted.
fn holds_deleted(core: &Core, directory: Trees) -> Answer<bool> {
    let mut pending = vec![directory];
    while let Some(Trees { ever, newest }) = pending.pop() {
        let Some(newest) = newest else { return Ok(true) };
        let trees = ever.into_iter().map(DirRef::Tree);
        let steps: Vec<DirRef> = trees.chain([newest.clone()]).collect();
        for step in steps.windows(2) {
            if loses(core, &step[0], &step[1], &newest, &mut pending)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Reports whether something in `from` that is not in `to` is not in `newest` either.
///
/// A directory that is not in `to` and came back in `newest` is added to `pending`: it may have come back with
/// less.
fn loses(
    core: &Core,
    from: &DirRef,
    to: &DirRef,
    newest: &DirRef,
    pending: &mut Vec<Trees>,
) -> Answer<bool> {
    let reader = &core.reader;
    let mut differ = vec![(from.clone(), to.clone(), Vec::new())];
    while let Some((from, to, path)) = differ.pop() {
        if matches!((&from, &to), (DirRef::Tree(from), DirRef::Tree(to)) if from == to) {
            continue;
        }
        if path.len() > LONGEST_PATH {
            return Err(VolumeError::Damaged);
        }
        let mut pairs = Pairs::open(reader, Some(&from), Some(&to)).map_err(damaged)?;
        while let Some(pair) = pairs.try_next().map_err(damaged)? {
            let Some(was) = pair.from else { continue };
            let here = || join(&path, &was.node.name);
            match (was.dir, pair.to.map(|is| is.dir)) {
                (Some(DirRef::Unreadable), Some(Some(_))) | (None, Some(_)) => {}
                (Some(was), Some(Some(is))) if !matches!(is, DirRef::Unreadable) => {
                    differ.push((was, is, here()));
                }
                (was, _) => {
                    match (find_path(reader, newest, TreePath::new(&here())).map_err(damaged)?, was)
                    {
                        (None, _) => return Ok(true),
                        (Some(Lookup::Node(ResolvedNode { dir: None, .. })), Some(_)) => {
                            return Ok(true);
                        }
                        (
                            Some(Lookup::Node(ResolvedNode { dir: now @ Some(_), .. })),
                            Some(DirRef::Tree(was)),
                        ) => {
                            pending.push(Trees { ever: vec![was], newest: now });
                        }
                        (Some(_), _) => {}
                    }
                }
            }
        }
    }
    Ok(false)
}

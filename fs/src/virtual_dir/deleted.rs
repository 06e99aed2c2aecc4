//! `deleted`: what some snapshot holds and the newest state does not, in its last version.
//!
//! A directory that is still there is shown if something below it is gone. The search for that goes from
//! each tree to the next one, looks into what differs, and stops at the first find.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use yore_engine::{
    BlobId, DirHistory, DirRef, Found, LONGEST_PATH, Pairs, Seen, SeenNode, Tree, below,
    find as find_path,
};
use yore_platform::{Entry, Kind, VolumeError};

use crate::history::cache::{Memo, Most, Weigh};
use crate::inode::number::PlaceNo;
use crate::snapshot_list::list::Shown;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes::{SOON, join, node_entry};
use crate::tree::directories::Directory;
use crate::tree::listing::Each;
use crate::tree::node::damaged;
use crate::virtual_dir::dir::{Made, Path, list_names};
use crate::virtual_dir::versions::{directory, history, number};
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
    Gone(Last),
    /// A directory that is there, and in which something is gone.
    Leads,
}

/// Where a name stood last.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Last {
    /// The snapshot, by its place in the timeline.
    snapshot: usize,
    /// The tree, or the leaf of a large one, and the position in it.
    tree: BlobId,
    position: usize,
}

impl Weigh for List {
    fn weigh(&self) -> usize {
        self.iter().map(|(name, _)| name.len() + size_of::<(Vec<u8>, What)>()).sum()
    }
}

impl Gones {
    pub(crate) fn new(most: Most) -> Self {
        Self { lists: Memo::new(LISTS, most), leads: Memo::new(ANSWERS, most) }
    }
}

/// What the newest state has at a path, if it is a directory.
fn newest(volume: &SnapshotVolume, shown: &Shown, path: &[u8]) -> Answer<Option<DirRef>> {
    let Some(state) = &shown.newest else { return Ok(None) };
    let top = state.top(&volume.tables, &volume.reader)?;
    if matches!(top, DirRef::Unreadable) {
        return Ok(None);
    }
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

/// A directory: the trees that it ever had, in order, and what it is now, if it is still there.
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

    /// Every name that it had and that is gone, or a directory that may lead to something that is.
    fn names(&self, volume: &SnapshotVolume) -> Answer<Vec<(Vec<u8>, Inside)>> {
        let all = below(&volume.reader, &self.trees).map_err(damaged)?;
        let mut present = match &self.newest {
            Some(newest) => present(volume, newest)?,
            None => HashMap::new(),
        };
        let mut names = Vec::new();
        for (name, ever) in all {
            let was_directory = !ever.trees.is_empty() || ever.unreadable;
            match present.remove(&name) {
                Some(None) if !was_directory => {}
                None | Some(None) => names.push((name, Inside::Gone { was_directory })),
                Some(newest @ Some(_)) => {
                    names.push((name, Inside::There(Compared { trees: ever.trees, newest })));
                }
            }
        }
        Ok(names)
    }
}

/// A name that a directory had.
enum Inside {
    Gone { was_directory: bool },
    There(Compared),
}

/// Finds where each of the names of a directory stood last, those that ever were a directory as one.
///
/// All at once, from the newest snapshot back: each tree is read once for as many names as may be.
fn last_places(
    volume: &SnapshotVolume,
    history: &DirHistory,
    mut wanted: HashMap<Vec<u8>, bool>,
) -> Answer<HashMap<Vec<u8>, Last>> {
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
            match volume.reader.tree(&tree).map_err(damaged)? {
                Tree::Leaves(leaves) => pending.extend(leaves.iter().map(|leaf| leaf.id)),
                Tree::Nodes { nodes, .. } => {
                    for (position, node) in nodes.into_iter().enumerate() {
                        let is_directory = node.kind == Kind::Directory;
                        if wanted.get(&node.name).is_some_and(|was| is_directory || !was) {
                            wanted.remove(&node.name);
                            found.insert(
                                node.name,
                                Last { snapshot: state.snapshot, tree, position },
                            );
                        }
                    }
                }
            }
        }
    }
    Ok(found)
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
        while let Some(Compared { trees, newest }) = pending.pop() {
            let Some(newest) = newest else { return Ok(true) };
            let trees = trees.into_iter().map(DirRef::Tree);
            let steps: Vec<DirRef> = trees.chain([newest.clone()]).collect();
            for step in steps.windows(2) {
                if loses(volume, &step[0], &step[1], &newest, &mut pending)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    })?;
    Ok(*answer)
}

/// Whether something in `from` that is not in `to` is not in `newest` either. What only came back there is
/// added to `pending`: it may be without something that it had.
fn loses(
    volume: &SnapshotVolume,
    from: &DirRef,
    to: &DirRef,
    newest: &DirRef,
    pending: &mut Vec<Compared>,
) -> Answer<bool> {
    let reader = &volume.reader;
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
                (was, _) => match (find_path(reader, newest, &here()).map_err(damaged)?, was) {
                    (None, _) => return Ok(true),
                    (Some(Found::Node(SeenNode { dir: None, .. })), Some(_)) => return Ok(true),
                    (
                        Some(Found::Node(SeenNode { dir: now @ Some(_), .. })),
                        Some(DirRef::Tree(was)),
                    ) => {
                        pending.push(Compared { trees: vec![was], newest: now });
                    }
                    (Some(_), _) => {}
                },
            }
        }
    }
    Ok(false)
}

/// What is gone in a directory, and of which list of snapshots that is true.
fn listed(volume: &SnapshotVolume, scope: ScopeNo, path: &Path) -> Answer<(Arc<Shown>, Arc<List>)> {
    let shown = volume.shown(scope)?;
    let generation = shown.generation;
    let list = volume.gones.lists.get_or((scope, Arc::clone(path)), generation, || {
        let history = history(volume, scope, &shown, path)?;
        if history.states.iter().any(|state| state.tree.is_none()) {
            return Err(VolumeError::Damaged);
        }
        let mut known = HashSet::new();
        let trees = history.states.iter().filter_map(|state| state.tree);
        let trees = trees.filter(|tree| known.insert(*tree)).collect();
        let directory = Compared { trees, newest: newest(volume, &shown, path)? };
        let mut list = Vec::new();
        if directory.is_settled() {
            return Ok(list);
        }
        let names = directory.names(volume)?;
        let gone = names.iter().filter_map(|(name, inside)| match inside {
            Inside::Gone { was_directory } => Some((name.clone(), *was_directory)),
            Inside::There(_) => None,
        });
        let mut last = last_places(volume, &history, gone.collect())?;
        for (name, inside) in names {
            let what = match inside {
                Inside::Gone { .. } => What::Gone(last.remove(&name).ok_or(VolumeError::Damaged)?),
                Inside::There(inside) => {
                    let below = Path::from(join(path, &name));
                    match leads(volume, (scope, generation), below, inside)? {
                        true => What::Leads,
                        false => continue,
                    }
                }
            };
            list.push((name, what));
        }
        Ok::<_, VolumeError>(list)
    })?;
    Ok((shown, list))
}

/// Finds a name in a directory of `deleted`.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let (shown, list) = listed(volume, scope, path)?;
    let at = list.binary_search_by(|(known, _)| known.as_slice().cmp(name));
    let (_, what) = at.ok().and_then(|at| list.get(at)).ok_or(VolumeError::NotFound)?;
    let below = Path::from(join(path, name));
    match what {
        What::Leads => {
            let made = Made::Gone(scope, below);
            volume.entry_of(volume.tables.place_named(place, name, made))
        }
        What::Gone(last) => last_version(volume, place, &shown, (&below, name), *last),
    }
}

/// What is gone, as it stood last.
fn last_version(
    volume: &SnapshotVolume,
    place: PlaceNo,
    shown: &Shown,
    (path, name): (&Path, &[u8]),
    Last { snapshot, tree, position }: Last,
) -> Answer<Entry> {
    let holder = volume.directories.get(&volume.reader, &tree)?;
    let Directory::Nodes(nodes) = &*holder else { return Err(VolumeError::Damaged) };
    let node = nodes.nodes.get(position).ok_or(VolumeError::Damaged)?;
    if node.kind == Kind::Directory {
        let seen = Seen { tree, position, node: node.clone() };
        return directory(volume, place, shown, path, (name, snapshot), &seen);
    }
    let (_, origin) = *shown.labels.get(snapshot).ok_or(VolumeError::Stale)?;
    let tree = volume.tables.tree_of_blob(tree, origin)?;
    Ok(node_entry(&volume.presentation, number(volume, tree, position)?, node, SOON))
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
        listed(volume, scope, path)?.1.iter().map(|(name, _)| name.clone()).collect();
    list_names(&names, from, each, |name| find(volume, place, scope, path, name))
}

//! The past of one path: which tree a directory had in each snapshot, which versions a name had.
//!
//! A *series* is the snapshots of one machine. A *version* of a name is a run of consecutive
//! snapshots of a series in which its content did not change; snapshots whose sources do not reach
//! the path say nothing of it. So a file that changes and changes back has three versions, and one
//! that was gone meanwhile a new one. Trees that snapshots share are read once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use yore_platform::Kind;

use crate::error::{Error, Result};
use crate::format::content_id::{ContentId, content_id};
use crate::format::id::BlobId;
use crate::format::record::Snapshot;
use crate::format::tree::{Node, Tree};
use crate::read::reader::Reader;
use crate::snapshots::order::SnapshotEntry;

use self::stood::{Directory, Looked, Stood};

mod stood;

/// Snapshots in their order, among which one looks.
pub type Timeline = [SnapshotEntry];

/// What a directory was in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirState {
    /// The snapshot's place in the timeline.
    pub snapshot: usize,
    /// Its tree; `None` when it could not be read at the backup.
    pub tree: Option<BlobId>,
}

/// The past of one directory.
#[derive(Debug)]
pub struct DirHistory {
    /// The path: components joined by `/`; empty for the top.
    pub path: Vec<u8>,
    /// What it was in every snapshot that has it, in order.
    pub states: Vec<DirState>,
    /// What is known of its names.
    looked: Looked,
}

impl DirHistory {
    fn new(path: Vec<u8>, states: Vec<DirState>) -> Self {
        Self { path, states, looked: Looked::default() }
    }

    /// How much memory it takes, near enough, in bytes; it grows while names are looked up.
    pub fn memory(&self) -> usize {
        self.states.len() * size_of::<DirState>() + self.looked.memory()
    }

    /// What a name stood for in each of the states.
    fn stood(&self, reader: &Reader, timeline: &Timeline, name: &[u8]) -> Result<Arc<[Stood]>> {
        let directory = Directory { timeline, states: &self.states, looked: &self.looked };
        directory.stood(reader, name)
    }
}

/// A run of snapshots in which a name stood for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first of them, by its place in the timeline.
    pub first: usize,
    /// The last of them.
    pub last: usize,
    /// What it stood for in the first; `None` where it was gone.
    pub what: Option<Seen>,
}

/// A node, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The tree, or the leaf of a large one, that holds it.
    pub tree: BlobId,
    /// Its position there.
    pub position: usize,
    /// The node.
    pub node: Node,
}

/// What a name ever stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// A directory.
    pub directory: bool,
    /// Anything else.
    pub other: bool,
}

/// What makes two nodes the same version.
#[derive(PartialEq, Eq)]
enum Identity {
    File(ContentId),
    Directory(Option<BlobId>),
    Other(Kind, Vec<u8>, (u32, u32)),
}

impl Identity {
    fn of(node: &Node) -> Self {
        let device = (node.device_number.major, node.device_number.minor);
        match node.kind {
            Kind::File => Identity::File(content_id(node)),
            Kind::Directory => Identity::Directory(node.subtree),
            kind => Identity::Other(kind, node.target.clone(), device),
        }
    }
}

/// The past of the top of all snapshots.
pub fn top_history(timeline: &Timeline) -> DirHistory {
    let state = |(snapshot, of): (usize, &SnapshotEntry)| DirState {
        snapshot,
        tree: Some(of.snapshot.root),
    };
    DirHistory::new(Vec::new(), timeline.iter().enumerate().map(state).collect())
}

/// The pasts of the directories on the way from `dir` along `names`, one for each; without states where
/// one never was a directory.
///
/// Goes all the way down in one snapshot after the other: what a backup wrote together lies together.
///
/// # Errors
/// A tree that can't be read: what is not known is not told as absent.
pub fn descend(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    names: &[&[u8]],
) -> Result<Vec<DirHistory>> {
    let Some((first, rest)) = names.split_first() else { return Ok(Vec::new()) };
    if !dir.looked.is_new() {
        let mut pasts = vec![enter(reader, timeline, dir, first)?];
        pasts.extend(descend(reader, timeline, &pasts[0], rest)?);
        return Ok(pasts);
    }
    let mut levels: Vec<Level<'_>> = names.iter().map(|name| Level::new(name)).collect();
    let mut last = Vec::new();
    for DirState { snapshot, tree } in &dir.states {
        let mut here = Some(*tree);
        for level in &mut levels {
            let Some(tree) = here else { break };
            here = level.look(reader, DirState { snapshot: *snapshot, tree })?;
        }
        last.extend(here.map(|tree| DirState { snapshot: *snapshot, tree }));
    }
    let mut pasts = Vec::with_capacity(names.len());
    let mut path = dir.path.clone();
    for (number, Level { name, states, stood, .. }) in levels.into_iter().enumerate() {
        if number == 0 {
            dir.looked.learn(name, stood);
        } else {
            let past = DirHistory::new(path.clone(), states);
            past.looked.learn(name, stood);
            pasts.push(past);
        }
        path = join(&path, name);
    }
    pasts.push(DirHistory::new(path, last));
    Ok(pasts)
}

/// The past of a directory of a directory.
fn enter(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    name: &[u8],
) -> Result<DirHistory> {
    let stood = dir.stood(reader, timeline, name)?;
    let state = |(state, stood): (&DirState, &Stood)| {
        Some(DirState { snapshot: state.snapshot, tree: stood.directory()? })
    };
    let states = dir.states.iter().zip(&*stood).filter_map(state).collect();
    Ok(DirHistory::new(join(&dir.path, name), states))
}

/// A name on the way down, and the directory in which it is looked up.
struct Level<'a> {
    name: &'a [u8],
    states: Vec<DirState>,
    stood: Vec<Stood>,
    by_tree: HashMap<BlobId, Stood>,
}

impl<'a> Level<'a> {
    fn new(name: &'a [u8]) -> Self {
        Self { name, states: Vec::new(), stood: Vec::new(), by_tree: HashMap::new() }
    }

    /// Looks the name up in one more state; the tree of the directory that it is there.
    fn look(&mut self, reader: &Reader, state: DirState) -> Result<Option<Option<BlobId>>> {
        let stood = match state.tree {
            None => Stood::Unreadable,
            Some(tree) => stood::look(reader, tree, self.name, &mut self.by_tree)?,
        };
        let below = stood.directory();
        self.states.push(state);
        self.stood.push(stood);
        Ok(below)
    }
}

/// The past of the directory at a path; without states where it never was one.
///
/// # Errors
/// A tree that can't be read.
pub fn dir_history(reader: &Reader, timeline: &Timeline, path: &[u8]) -> Result<DirHistory> {
    let top = top_history(timeline);
    let pasts = descend(reader, timeline, &top, &names_of(path))?;
    Ok(pasts.into_iter().next_back().unwrap_or(top))
}

fn names_of(path: &[u8]) -> Vec<&[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect()
}

/// Every version that a path had, as [`versions`] tells them.
///
/// # Errors
/// A tree that can't be read.
pub fn path_versions(reader: &Reader, timeline: &Timeline, path: &[u8]) -> Result<Vec<Version>> {
    let names = names_of(path);
    let Some((name, folders)) = names.split_last() else { return Ok(Vec::new()) };
    let top = top_history(timeline);
    let pasts = descend(reader, timeline, &top, &names)?;
    let dir = folders.len().checked_sub(1).and_then(|last| pasts.get(last)).unwrap_or(&top);
    versions(reader, timeline, dir, name)
}

/// Every version that a name of a directory had, also those in which it was gone after it had been
/// there, in order of their first snapshots.
///
/// # Errors
/// A tree that can't be read.
pub fn versions(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    name: &[u8],
) -> Result<Vec<Version>> {
    let path = join(&dir.path, name);
    let all = dir.stood(reader, timeline, name)?;
    let mut open: HashMap<&str, Open<'_>> = HashMap::new();
    let mut versions: Vec<Version> = Vec::new();
    let mut states = dir.states.iter().zip(&*all).peekable();
    for (number, SnapshotEntry { snapshot, .. }) in timeline.iter().enumerate() {
        let state = states.next_if(|(state, _)| state.snapshot == number);
        if !reaches(snapshot, &path) {
            continue;
        }
        let seen = match state {
            // What could not be read then is neither there nor gone.
            Some((_, Stood::Unreadable)) => continue,
            Some((_, Stood::There(seen))) => Some(seen),
            Some((_, Stood::Absent)) | None => None,
        };
        let host = snapshot.host.as_str();
        if let Some(open) = open.get_mut(host)
            && open.goes_on(seen)
        {
            versions[open.version].last = number;
        } else if open.contains_key(host) || seen.is_some() {
            open.insert(host, Open { version: versions.len(), seen, identity: None });
            let what = seen.map(|seen| Seen::clone(seen));
            versions.push(Version { first: number, last: number, what });
        }
    }
    Ok(versions)
}

/// The newest version of a machine, while one looks how far it goes.
struct Open<'a> {
    /// Its place among the versions.
    version: usize,
    /// What it stands for.
    seen: Option<&'a Arc<Seen>>,
    /// Worked out when it is compared with another.
    identity: Option<Identity>,
}

impl Open<'_> {
    /// Whether what a name stands for next is the same.
    fn goes_on(&mut self, next: Option<&Arc<Seen>>) -> bool {
        match (self.seen, next) {
            (None, None) => true,
            (Some(seen), Some(next)) if Arc::ptr_eq(seen, next) => true,
            (Some(seen), Some(next)) => {
                let identity = self.identity.get_or_insert_with(|| Identity::of(&seen.node));
                *identity == Identity::of(&next.node)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// What a name of a directory ever stood for.
#[derive(Debug, Clone, Default)]
pub struct Below {
    /// The trees that it had as a directory, each once, in the order of the trees that were asked about.
    pub trees: Vec<BlobId>,
    /// Whether its tree could not be read at some backup.
    pub unreadable: bool,
    /// Whether it ever was anything else.
    pub other: bool,
}

/// What every name of a directory that had these trees ever stood for.
///
/// # Errors
/// A tree that can't be read.
pub fn below(reader: &Reader, trees: &[BlobId]) -> Result<BTreeMap<Vec<u8>, Below>> {
    let mut all: BTreeMap<Vec<u8>, (Below, HashSet<BlobId>)> = BTreeMap::new();
    let (mut known, mut pending) = (HashSet::new(), VecDeque::from(trees.to_vec()));
    while let Some(tree) = pending.pop_front() {
        if !known.insert(tree) {
            continue;
        }
        match reader.tree(&tree)? {
            Tree::Leaves(leaves) => leaves.iter().for_each(|leaf| pending.push_front(leaf.id)),
            Tree::Nodes { nodes, .. } => {
                for node in nodes {
                    let (below, seen) = all.entry(node.name).or_default();
                    match (node.kind, node.subtree) {
                        (Kind::Directory, Some(tree)) if seen.insert(tree) => {
                            below.trees.push(tree)
                        }
                        (Kind::Directory, Some(_)) => {}
                        (Kind::Directory, None) => below.unreadable = true,
                        _ => below.other = true,
                    }
                }
            }
        }
    }
    Ok(all.into_iter().map(|(name, (below, _))| (name, below)).collect())
}

/// Every name that a directory ever had, in order, and what each ever stood for.
///
/// # Errors
/// A tree that can't be read, after all names that could be.
pub fn names(reader: &Reader, dir: &DirHistory) -> (BTreeMap<Vec<u8>, Kinds>, Result<()>) {
    let mut names: BTreeMap<Vec<u8>, Kinds> = BTreeMap::new();
    let mut outcome = Ok(());
    let mut known = HashSet::new();
    let mut pending: Vec<BlobId> = dir.states.iter().rev().filter_map(|state| state.tree).collect();
    if dir.states.iter().any(|state| state.tree.is_none()) {
        outcome = Err(Error::Unreadable { what: "a directory was unreadable".into() });
    }
    while let Some(tree) = pending.pop() {
        if !known.insert(tree) {
            continue;
        }
        match reader.tree(&tree) {
            Ok(Tree::Leaves(leaves)) => pending.extend(leaves.iter().map(|leaf| leaf.id)),
            Ok(Tree::Nodes { nodes, .. }) => {
                for node in nodes {
                    let kinds = names.entry(node.name).or_default();
                    match node.kind {
                        Kind::Directory => kinds.directory = true,
                        _ => kinds.other = true,
                    }
                }
            }
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    (names, outcome)
}

/// Finds a name in a tree, with its place.
pub fn find_seen(reader: &Reader, tree: &BlobId, name: &[u8]) -> Result<Option<Seen>> {
    let (tree, nodes) = match reader.tree(tree)? {
        Tree::Nodes { nodes, .. } => (*tree, nodes),
        Tree::Leaves(leaves) => {
            let after = leaves.partition_point(|leaf| leaf.first.as_slice() <= name);
            let Some(leaf) = after.checked_sub(1).and_then(|n| leaves.get(n)) else {
                return Ok(None);
            };
            (leaf.id, reader.leaf(leaf)?.0)
        }
    };
    let found = nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
    Ok(found.and_then(|position| {
        let node = nodes.into_iter().nth(position)?;
        Some(Seen { tree, position, node })
    }))
}

/// Whether a snapshot tells what there was at a path: a source holds it, or lies below it, and the path was not left
/// out of it.
pub fn reaches(snapshot: &Snapshot, path: &[u8]) -> bool {
    snapshot.sources.iter().any(|source| holds(source, path) || holds(path, source))
        && !snapshot.uncovered.iter().any(|left_out| holds(left_out, path))
}

/// Whether the directory at `outer` is, or holds, what is at `inner`.
fn holds(outer: &[u8], inner: &[u8]) -> bool {
    outer.is_empty()
        || inner.strip_prefix(outer).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    match path.is_empty() {
        true => name.to_vec(),
        false => [path, b"/", name].concat(),
    }
}

#[cfg(test)]
mod tests;

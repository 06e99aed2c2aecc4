//! The history of a directory: the tree that it had in each snapshot.
//!
//! It starts at the top, which every snapshot has, and goes down name by name.
//!
//! Example: `home/me` in four snapshots. In the second `me` was a file, in the third `home` could
//! not be read.
//!
//! ```text
//! snapshot   0        1        2             3
//! top        tree A   tree B   tree C        tree B
//! home       tree D   tree E   unreadable    tree E
//! home/me    tree F   -        -             -
//! ```
//!
//! The history of `home` has four states, that of `home/me` one. B is searched for `home`, and E
//! for `me`, once; the third state of `home` says neither that `me` was there nor that it was not.

use std::collections::HashMap;
use std::sync::Arc;

use super::Timeline;
use super::name_index::{self, Directory, NameIndex, NameState};
use crate::error::Result;
use crate::format::id::BlobId;
use crate::path::{TreePath, TreePathBuf};
use crate::read::reader::Reader;
use crate::snapshots::order::SnapshotEntry;

/// The state of a directory in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirState {
    /// The snapshot's place in the timeline.
    pub snapshot: usize,
    /// Its tree; `None` when it could not be read at the backup.
    pub tree: Option<BlobId>,
}

/// The states of one directory, and an index of its names.
#[derive(Debug)]
pub struct DirHistory {
    /// The path.
    pub path: TreePathBuf,
    /// Its state in every snapshot that has it, in order.
    pub states: Vec<DirState>,
    /// Filled while names are looked up.
    pub(super) index: NameIndex,
}

impl DirHistory {
    fn new(path: TreePathBuf, states: Vec<DirState>) -> Self {
        Self { path, states, index: NameIndex::default() }
    }

    /// Estimates its memory in bytes; it grows while names are looked up.
    pub fn memory(&self) -> usize {
        self.states.len() * size_of::<DirState>() + self.index.memory()
    }

    /// Returns what a name was in each of the states.
    pub(super) fn states_of(
        &self,
        reader: &Reader,
        timeline: &Timeline,
        name: &[u8],
    ) -> Result<Arc<[NameState]>> {
        let directory = Directory { timeline, states: &self.states, index: &self.index };
        directory.states_of(reader, name)
    }
}

/// Returns the history of the top, which every snapshot has.
pub fn top_history(timeline: &Timeline) -> DirHistory {
    let state = |(snapshot, of): (usize, &SnapshotEntry)| DirState {
        snapshot,
        tree: Some(of.snapshot.root),
    };
    DirHistory::new(TreePathBuf::default(), timeline.iter().enumerate().map(state).collect())
}

/// Returns the histories of the directories on the way from `dir` along `names`, one for each;
/// without states where one never was a directory.
///
/// Reads all the way down in one snapshot before the next: trees of one backup lie in few packs.
///
/// # Errors
/// A tree that can't be read: its names are unknown, not absent.
pub fn descend(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    names: &[&[u8]],
) -> Result<Vec<DirHistory>> {
    let Some((first, rest)) = names.split_first() else { return Ok(Vec::new()) };
    if !dir.index.is_empty() {
        let mut histories = vec![enter(reader, timeline, dir, first)?];
        histories.extend(descend(reader, timeline, &histories[0], rest)?);
        return Ok(histories);
    }
    let mut levels: Vec<Level<'_>> = names.iter().map(|name| Level::new(name)).collect();
    let mut last = Vec::new();
    for DirState { snapshot, tree } in &dir.states {
        let mut here = Some(*tree);
        for level in &mut levels {
            let Some(tree) = here else { break };
            here = level.lookup(reader, DirState { snapshot: *snapshot, tree })?;
        }
        last.extend(here.map(|tree| DirState { snapshot: *snapshot, tree }));
    }
    let mut histories = Vec::with_capacity(names.len());
    let mut path = dir.path.clone();
    for (number, Level { name, states, found, .. }) in levels.into_iter().enumerate() {
        if number == 0 {
            dir.index.set_first(name, found);
        } else {
            let history = DirHistory::new(path.clone(), states);
            history.index.set_first(name, found);
            histories.push(history);
        }
        path.push(name);
    }
    histories.push(DirHistory::new(path, last));
    Ok(histories)
}

/// Returns the history of a directory inside of `dir`.
pub(super) fn enter(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    name: &[u8],
) -> Result<DirHistory> {
    let found = dir.states_of(reader, timeline, name)?;
    let state = |(state, name): (&DirState, &NameState)| {
        Some(DirState { snapshot: state.snapshot, tree: name.directory()? })
    };
    let states = dir.states.iter().zip(&*found).filter_map(state).collect();
    Ok(DirHistory::new(dir.path.as_path().join(name), states))
}

/// A name on the way down, and the directory in which it is looked up.
struct Level<'a> {
    name: &'a [u8],
    states: Vec<DirState>,
    found: Vec<NameState>,
    by_tree: HashMap<BlobId, NameState>,
}

impl<'a> Level<'a> {
    fn new(name: &'a [u8]) -> Self {
        Self { name, states: Vec::new(), found: Vec::new(), by_tree: HashMap::new() }
    }

    /// Looks the name up in one more state; returns the tree of the directory that it is there.
    fn lookup(&mut self, reader: &Reader, state: DirState) -> Result<Option<Option<BlobId>>> {
        let found = match state.tree {
            None => NameState::Unreadable,
            Some(tree) => name_index::lookup(reader, tree, self.name, &mut self.by_tree)?,
        };
        let below = found.directory();
        self.states.push(state);
        self.found.push(found);
        Ok(below)
    }
}

/// Returns the history of the directory at a path; without states where it never was one.
///
/// # Errors
/// A tree that can't be read.
pub fn dir_history(reader: &Reader, timeline: &Timeline, path: TreePath<'_>) -> Result<DirHistory> {
    let top = top_history(timeline);
    let histories = descend(reader, timeline, &top, &path.components().collect::<Vec<_>>())?;
    Ok(histories.into_iter().next_back().unwrap_or(top))
}

//! The history of a directory: the tree that it had in each snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use super::Timeline;
use super::name_index::{self, Directory, Looked, Stood};
use crate::error::Result;
use crate::format::id::BlobId;
use crate::path::{TreePath, TreePathBuf};
use crate::read::reader::Reader;
use crate::snapshots::order::SnapshotEntry;

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
    /// The path.
    pub path: TreePathBuf,
    /// What it was in every snapshot that has it, in order.
    pub states: Vec<DirState>,
    /// What is known of its names.
    pub(super) looked: Looked,
}

impl DirHistory {
    fn new(path: TreePathBuf, states: Vec<DirState>) -> Self {
        Self { path, states, looked: Looked::default() }
    }

    /// How much memory it takes, near enough, in bytes; it grows while names are looked up.
    pub fn memory(&self) -> usize {
        self.states.len() * size_of::<DirState>() + self.looked.memory()
    }

    /// What a name stood for in each of the states.
    pub(super) fn stood(
        &self,
        reader: &Reader,
        timeline: &Timeline,
        name: &[u8],
    ) -> Result<Arc<[Stood]>> {
        let directory = Directory { timeline, states: &self.states, looked: &self.looked };
        directory.stood(reader, name)
    }
}

/// The past of the top of all snapshots.
pub fn top_history(timeline: &Timeline) -> DirHistory {
    let state = |(snapshot, of): (usize, &SnapshotEntry)| DirState {
        snapshot,
        tree: Some(of.snapshot.root),
    };
    DirHistory::new(TreePathBuf::default(), timeline.iter().enumerate().map(state).collect())
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
        path.push(name);
    }
    pasts.push(DirHistory::new(path, last));
    Ok(pasts)
}

/// The past of a directory of a directory.
pub(super) fn enter(
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
    Ok(DirHistory::new(dir.path.as_path().join(name), states))
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
            Some(tree) => name_index::look(reader, tree, self.name, &mut self.by_tree)?,
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
pub fn dir_history(reader: &Reader, timeline: &Timeline, path: TreePath<'_>) -> Result<DirHistory> {
    let top = top_history(timeline);
    let pasts = descend(reader, timeline, &top, &path.components().collect::<Vec<_>>())?;
    Ok(pasts.into_iter().next_back().unwrap_or(top))
}

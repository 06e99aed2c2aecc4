//! The trees that the directory at a path had, and the versions of a path.
//!
//! A history is a list of (snapshot, tree), one entry for each snapshot that has the directory, derived from
//! the history of the directory above. The versions of a path are the runs of snapshots of one machine in
//! which it was the same.
//!
//! An example: `home/a.odt` in four snapshots of one machine.
//!
//! | snapshot | tree of `home` | `a.odt` in it |
//! |---|---|---|
//! | Mon | T1 | content 1 |
//! | Tue | T2 | content 1: another file of `home` changed |
//! | Wed | T3 | absent |
//! | Thu | T4 | content 2 |
//!
//! The top has another tree in each of them; `home`, looked up in these, has the history (Mon, T1),
//! (Tue, T2), (Wed, T3), (Thu, T4). Looking `a.odt` up in T1 to T4 gives the runs Mon to Tue, Wed and Thu. The
//! run without a file is left out, and each version has the name of the first snapshot of its run:
//! `a.Mon.odt` and `a.Thu.odt`. Had nothing in `home` changed on Tuesday, T1 would be there twice and would be
//! read once: a path costs as many trees as its directories had, not as many as there are snapshots.

use std::sync::Arc;

use yore_engine::history::{DirHistory, LocatedNode, Version, descend, top_history, versions};
use yore_platform::Kind;

use crate::error::{Answer, damaged};
use crate::history::cache::{Cache, CacheLimit, MemorySize};
use crate::history::version_name::{bare_version_name, version_name};
use crate::path::{Path, split};
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::core::Core;
use crate::tree::directories::node_size;

/// Paths of which histories and versions are kept.
const PATHS: usize = 64;

type Key = (ScopeNo, Path);

/// The histories of the paths that were used last.
pub(crate) struct PathHistories {
    directories: Cache<Key, DirHistory>,
    versions: Cache<Key, Vec<NamedVersion>>,
}

/// A version, and the names that it can have.
pub(crate) struct NamedVersion {
    /// The name of its first snapshot, which names the states of a directory.
    pub(crate) label: Vec<u8>,
    /// The name of the file with the label in it.
    pub(crate) file: Vec<u8>,
    /// A name that is found and not listed.
    bare: Vec<u8>,
    version: Version,
    pub(crate) seen: LocatedNode,
}

impl NamedVersion {
    /// Reports whether the version of a file is found by a name.
    pub(crate) fn is_called(&self, name: &[u8]) -> bool {
        self.file == name || self.bare == name
    }

    pub(crate) fn kind(&self) -> Kind {
        self.seen.node.kind
    }

    /// The index of the first snapshot that has it.
    pub(crate) fn first(&self) -> usize {
        self.version.first
    }

    /// The index of the last snapshot that has it.
    pub(crate) fn last(&self) -> usize {
        self.version.last
    }
}

impl MemorySize for DirHistory {
    fn memory_size(&self) -> usize {
        self.memory()
    }
}

impl MemorySize for Vec<NamedVersion> {
    fn memory_size(&self) -> usize {
        let names = |named: &NamedVersion| {
            let names = named.label.len() + named.file.len() + named.bare.len();
            names + size_of::<NamedVersion>()
        };
        self.iter().map(|named| names(named) + node_size(&named.seen.node)).sum()
    }
}

impl PathHistories {
    pub(crate) fn new(limit: CacheLimit) -> Self {
        Self { directories: Cache::new(PATHS, limit), versions: Cache::new(PATHS, limit) }
    }

    /// Returns the history of the directory at a path.
    pub(crate) fn directory(
        &self,
        core: &Core,
        list: &SnapshotList,
        path: &[u8],
    ) -> Answer<Arc<DirHistory>> {
        let known = |end: usize| {
            self.directories.get(&(list.scope, Path::from(&path[..end])), list.generation)
        };
        if let Some(known) = known(path.len()) {
            return Ok(known);
        }
        // From the nearest directory above whose history is known, and on to what was backed up.
        let source = source_below(list, path);
        let keep = |end: usize, history: DirHistory| {
            let key = (list.scope, Path::from(&source[..end]));
            self.directories.keep(key, list.generation, history)
        };
        let mut ends: Vec<usize> = (1..=source.len())
            .filter(|end| matches!(source.get(*end), None | Some(b'/')))
            .collect();
        let above = ends.partition_point(|end| *end < path.len());
        let nearest = ends[..above].iter().rposition(|end| known(*end).is_some());
        let start = match nearest.and_then(|nearest| known(ends[nearest])) {
            Some(start) => start,
            None => known(0).unwrap_or_else(|| keep(0, top_history(&list.snapshots))),
        };
        ends.drain(..nearest.map_or(0, |nearest| nearest + 1));
        let names: Vec<&[u8]> = ends.iter().map(|end| split(&source[..*end]).1).collect();
        let below = descend(&core.reader, &list.snapshots, &start, &names).map_err(damaged)?;
        let mut wanted = start;
        for (end, history) in ends.into_iter().zip(below) {
            let history = keep(end, history);
            if end == path.len() {
                wanted = history;
            }
        }
        Ok(wanted)
    }

    /// Returns the versions of a path, without the runs in which it was absent.
    pub(crate) fn versions(
        &self,
        core: &Core,
        list: &SnapshotList,
        path: &Path,
    ) -> Answer<Arc<Vec<NamedVersion>>> {
        self.versions.get_or((list.scope, Arc::clone(path)), list.generation, || {
            let (folder, name) = split(path);
            let dir = self.directory(core, list, folder)?;
            let found = versions(&core.reader, &list.snapshots, &dir, name).map_err(damaged)?;
            let named = |mut version: Version| {
                let seen = version.what.take()?;
                let label = list.labels.get(version.first)?.name.clone();
                let (file, bare) = (version_name(name, &label), bare_version_name(name, &label));
                Some(NamedVersion { label, file, bare, version, seen })
            };
            Ok(found.into_iter().filter_map(named).collect())
        })
    }
}

/// Returns a source of the newest snapshot at or below a path; the path where there is none.
///
/// All snapshots have other trees above what was backed up, and nothing else in them, so the histories down
/// to the source are made in one pass.
fn source_below<'a>(list: &'a SnapshotList, path: &'a [u8]) -> &'a [u8] {
    let sources = list.snapshots.last().map_or(&[][..], |newest| &newest.snapshot.sources);
    let is_below = |source: &&Vec<u8>| {
        let rest = source.strip_prefix(path);
        path.is_empty() || rest.is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    sources.iter().find(is_below).map_or(path, Vec::as_slice)
}

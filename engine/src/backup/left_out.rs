//! Counting, in all threads of a backup, what goes into its report: above all what is left out on purpose.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::path::TreePath;

/// The names and folders that a backup left out on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Names that match a pattern; what is below a folder is not counted.
    pub by_patterns: u64,
    /// Folders without their content, by the name of the file in them that marks them.
    pub by_marks: BTreeMap<Vec<u8>, u64>,
    /// Files above the size limit.
    pub too_large: u64,
    /// Folders that were not entered, by their paths in the snapshot.
    pub folders: Vec<(Vec<u8>, NotEntered)>,
    /// Sources of which nothing is saved, since all in them is left out.
    pub whole_sources: Vec<Vec<u8>>,
    /// The patterns, as they were typed, that matched nothing.
    pub unused_patterns: Vec<String>,
}

/// The reason why a folder was not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotEntered {
    /// It is on another file system, and the backup stays on one.
    OtherFileSystem,
    /// A drive of Yore's is mounted there.
    Drive,
    /// A file system without files of its own is mounted there, of this type.
    System(String),
    /// The file system of another user is mounted there, of this type, and refuses others.
    Private(String),
    /// It is the repository, or the program's cache, under another name.
    Own,
}

/// A folder that had files, and has none or nearly none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptiedFolder {
    /// Its path in the snapshot.
    pub path: Vec<u8>,
    /// The number of files that it had.
    pub before: u64,
    /// Set if another folder has taken its place, as when a disk is unmounted.
    pub is_other_folder: bool,
}

/// The final values of the counters, for a report.
pub(super) struct Counted {
    pub(super) removed_files: u64,
    pub(super) changed_while_read: u64,
    pub(super) emptied: Vec<EmptiedFolder>,
    pub(super) left_out: LeftOut,
}

/// The counters of a running backup.
#[derive(Debug, Default)]
pub(super) struct Counters {
    unreadable: AtomicU64,
    by_patterns: AtomicU64,
    too_large: AtomicU64,
    removed_files: AtomicU64,
    changed_while_read: AtomicU64,
    emptied: Mutex<Vec<EmptiedFolder>>,
    uncovered: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    rest: Mutex<LeftOut>,
}

impl Counters {
    /// Counts something that could not be read, or not whole.
    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how much could not be read so far.
    pub(super) fn unreadable_so_far(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Counts a name that matches a pattern.
    pub(super) fn pattern(&self) {
        self.by_patterns.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a file above the size limit.
    pub(super) fn too_large(&self) {
        self.too_large.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a folder whose content is left out because it holds the file `mark`.
    pub(super) fn mark(&self, mark: &[u8]) {
        self.with(|rest| *rest.by_marks.entry(mark.to_vec()).or_default() += 1);
    }

    /// Records a folder that is not entered.
    pub(super) fn folder(&self, path: &[u8], why: NotEntered) {
        self.with(|rest| rest.folders.push((path.to_vec(), why)));
    }

    /// Records a source of which nothing is saved.
    pub(super) fn whole_source(&self, path: &[u8]) {
        self.with(|rest| rest.whole_sources.push(path.to_vec()));
    }

    /// Counts a file that changed each time it was read.
    pub(super) fn changed_while_read(&self) {
        self.changed_while_read.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts files that the previous snapshot has and that are no longer there.
    pub(super) fn removed(&self, files: u64) {
        self.removed_files.fetch_add(files, Ordering::Relaxed);
    }

    /// Returns how many such files there were so far.
    pub(super) fn removed_so_far(&self) -> u64 {
        self.removed_files.load(Ordering::Relaxed)
    }

    /// Records a folder of which the last state is kept, because it came up empty.
    pub(super) fn emptied(&self, emptied: EmptiedFolder) {
        self.emptied.lock().unwrap_or_else(PoisonError::into_inner).push(emptied);
    }

    /// Records that the source of an earlier snapshot is in a folder that is left out.
    pub(super) fn uncovered(&self, folder: &[u8], source: &[u8]) {
        let mut uncovered = self.uncovered.lock().unwrap_or_else(PoisonError::into_inner);
        uncovered.push((folder.to_vec(), source.to_vec()));
    }

    /// Returns the sources of earlier snapshots of which a backup of `sources` tells nothing, sorted.
    pub(super) fn take_uncovered(&self, sources: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut uncovered = self.uncovered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paths: Vec<Vec<u8>> = std::mem::take(&mut *uncovered)
            .into_iter()
            .filter(|(folder, path)| {
                // Unless a source that was named inside of the folder holds it.
                let (folder, path) = (TreePath::new(folder), TreePath::new(path));
                let mut sources = sources.iter().map(|source| TreePath::new(source));
                !sources.any(|source| source.starts_with(folder) && path.starts_with(source))
            })
            .map(|(_, path)| path)
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Returns how much has been left out so far, as a number that grows.
    pub(super) fn so_far(&self) -> u64 {
        let mut others = 0;
        self.with(|rest| {
            others = rest.by_marks.values().sum::<u64>() + rest.folders.len() as u64;
        });
        others + self.by_patterns.load(Ordering::Relaxed)
    }

    /// Ends counting.
    pub(super) fn finish(self, unused_patterns: Vec<String>) -> Counted {
        let rest = self.rest.into_inner().unwrap_or_else(PoisonError::into_inner);
        Counted {
            removed_files: self.removed_files.into_inner(),
            changed_while_read: self.changed_while_read.into_inner(),
            emptied: self.emptied.into_inner().unwrap_or_else(PoisonError::into_inner),
            left_out: LeftOut {
                by_patterns: self.by_patterns.into_inner(),
                too_large: self.too_large.into_inner(),
                unused_patterns,
                ..rest
            },
        }
    }

    fn with(&self, change: impl FnOnce(&mut LeftOut)) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut rest);
    }
}

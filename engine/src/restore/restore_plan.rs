//! A plan of a restore, and the changes that it allows.
//!
//! A dry run records what it would replace or remove, with its metadata; the real run makes these changes alone. Only
//! a hash of each is kept, so a plan of a million changes takes some thirty megabytes.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use yore_platform::Metadata;

use super::{RestoreOptions, RestoreReport, Task, start_in_place};
use crate::error::Result;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;

/// The changes that a restore may make to existing files and folders.
#[derive(Clone, Copy)]
pub(super) enum AllowedChanges<'a> {
    /// All.
    Any,
    /// All; they are recorded as a plan.
    Record(&'a ChangeSet),
    /// Those of the plan, to what is still as it was then.
    Only(&'a ChangeSet),
}

impl AllowedChanges<'_> {
    /// Returns whether the file or folder at `path` may be replaced or removed; `contents` is the hash of its contents.
    pub(super) fn allow(self, path: &[u8], found: &Metadata, contents: u64) -> bool {
        match self {
            AllowedChanges::Any => true,
            AllowedChanges::Record(changes) => {
                changes.record(path, found, contents);
                true
            }
            AllowedChanges::Only(changes) => changes.has(path, found, contents),
        }
    }

    /// Begins the hash of a directory's contents; `None` where it is not needed.
    pub(super) fn contents(self) -> Option<ContentsHash> {
        match self {
            AllowedChanges::Any => None,
            AllowedChanges::Record(changes) | AllowedChanges::Only(changes) => {
                Some(ContentsHash(changes.keys[0].build_hasher()))
            }
        }
    }
}

/// The changes of a plan, as hashes of paths and metadata.
#[derive(Default)]
pub(super) struct ChangeSet {
    keys: [RandomState; 2],
    /// Guards the hashes.
    recorded: Mutex<HashSet<[u64; 2]>>,
}

impl ChangeSet {
    fn record(&self, path: &[u8], found: &Metadata, contents: u64) {
        // The time of its last change moves when another of its names is replaced or removed.
        let hash = self.hash(path, found, contents, found.links == 1);
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    fn has(&self, path: &[u8], found: &Metadata, contents: u64) -> bool {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        [true, false]
            .iter()
            .any(|exact| recorded.contains(&self.hash(path, found, contents, *exact)))
    }

    fn hash(&self, path: &[u8], found: &Metadata, contents: u64, exact: bool) -> [u64; 2] {
        [0, 1].map(|which: usize| {
            let mut hasher = self.keys[which].build_hasher();
            (path, contents, exact).hash(&mut hasher);
            hash_metadata(&mut hasher, found, exact);
            hasher.finish()
        })
    }
}

/// Hashes the metadata that changes when a file is used.
fn hash_metadata(hasher: &mut impl Hasher, found: &Metadata, exact: bool) {
    (found.kind, found.inode, found.device, found.modified).hash(hasher);
    if found.kind != yore_platform::Kind::Directory {
        found.size.hash(hasher);
        exact.then_some(found.changed).hash(hasher);
    }
}

/// A hash of everything in a directory.
pub(super) struct ContentsHash(<RandomState as BuildHasher>::Hasher);

impl ContentsHash {
    pub(super) fn add(&mut self, path: &[u8], found: &Metadata) {
        path.hash(&mut self.0);
        hash_metadata(&mut self.0, found, false);
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// The changes that a restore in place would make, to be shown and then made.
///
/// A file is replaced or removed only if it is as it was when the plan was made. One that came or changed meanwhile
/// stays, and is reported as not restored.
pub struct RestorePlan<'a> {
    reader: &'a Reader,
    root: &'a DirRef,
    path: &'a [u8],
    top: &'a Path,
    options: &'a RestoreOptions,
    changes: ChangeSet,
    report: RestoreReport,
}

impl<'a> RestorePlan<'a> {
    /// Plans a [`restore_in_place`](crate::restore::restore_in_place); the observer gets each change to an existing file.
    ///
    /// # Errors
    /// Those of [`restore_in_place`](crate::restore::restore_in_place).
    pub fn new(
        reader: &'a Reader,
        root: &'a DirRef,
        path: &'a [u8],
        top: &'a Path,
        options: &'a RestoreOptions,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let changes = ChangeSet::default();
        let dry = RestoreOptions { run: Run::Dry, ..options.clone() };
        let allowed = AllowedChanges::Record(&changes);
        let task = Task { reader, target: top, options: &dry, observer, allowed };
        let report = start_in_place(task, root, path)?;
        Ok(Self { reader, root, path, top, options, changes, report })
    }

    /// Returns the outcome that the plan foresees.
    pub fn report(&self) -> &RestoreReport {
        &self.report
    }

    /// Makes the changes.
    ///
    /// # Errors
    /// Those of [`restore_in_place`](crate::restore::restore_in_place).
    pub fn execute(self, observer: &dyn Observer) -> Result<RestoreReport> {
        let task = Task {
            reader: self.reader,
            target: self.top,
            options: self.options,
            observer,
            allowed: AllowedChanges::Only(&self.changes),
        };
        start_in_place(task, self.root, self.path)
    }
}

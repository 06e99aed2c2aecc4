//! A plan that was shown, and whether the disk is still as it was then.
//!
//! A dry run notes what it would replace or remove, and how that is now; whoever agreed to it agreed
//! to these changes alone. Of each only a hash is kept, so that a plan of a million changes takes
//! some thirty megabytes.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use yore_platform::Metadata;

use super::{RestoreOptions, RestoreReport, Task, start_in_place};
use crate::error::Result;
use crate::observer::Observer;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;
use crate::run::Run;

/// Whether something that is there may be changed.
#[derive(Clone, Copy)]
pub(super) enum Agreement<'a> {
    /// It may, whatever it is.
    Free,
    /// A plan is made: it is noted.
    Noting(&'a Changes),
    /// Only what the plan has, as it was then.
    Bound(&'a Changes),
}

impl Agreement<'_> {
    /// Whether what is at `path` may be replaced or removed; `contents` stands for what is in it.
    pub(super) fn allows(self, path: &[u8], found: &Metadata, contents: u64) -> bool {
        match self {
            Agreement::Free => true,
            Agreement::Noting(changes) => {
                changes.note(path, found, contents);
                true
            }
            Agreement::Bound(changes) => changes.has(path, found, contents),
        }
    }

    /// Begins a number that stands for the contents of a directory; `None` where nobody asks.
    pub(super) fn contents(self) -> Option<Contents> {
        match self {
            Agreement::Free => None,
            Agreement::Noting(changes) | Agreement::Bound(changes) => {
                Some(Contents(changes.keys[0].build_hasher()))
            }
        }
    }
}

/// The changes of a plan.
#[derive(Default)]
pub(super) struct Changes {
    keys: [RandomState; 2],
    /// Guards the hashes of the paths with what is there.
    noted: Mutex<HashSet<[u64; 2]>>,
}

impl Changes {
    fn note(&self, path: &[u8], found: &Metadata, contents: u64) {
        // The time of its last change moves when another of its names is replaced or removed.
        let hash = self.hash(path, found, contents, found.links == 1);
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
    }

    fn has(&self, path: &[u8], found: &Metadata, contents: u64) -> bool {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        [true, false].iter().any(|exact| noted.contains(&self.hash(path, found, contents, *exact)))
    }

    fn hash(&self, path: &[u8], found: &Metadata, contents: u64, exact: bool) -> [u64; 2] {
        [0, 1].map(|which: usize| {
            let mut hasher = self.keys[which].build_hasher();
            (path, contents, exact).hash(&mut hasher);
            feed(&mut hasher, found, exact);
            hasher.finish()
        })
    }
}

/// Feeds what changes when somebody works with a file.
fn feed(hasher: &mut impl Hasher, found: &Metadata, exact: bool) {
    (found.kind, found.inode, found.device, found.modified).hash(hasher);
    if found.kind != yore_platform::Kind::Directory {
        found.size.hash(hasher);
        exact.then_some(found.changed).hash(hasher);
    }
}

/// A number that stands for everything in a directory.
pub(super) struct Contents(<RandomState as BuildHasher>::Hasher);

impl Contents {
    pub(super) fn add(&mut self, path: &[u8], found: &Metadata) {
        path.hash(&mut self.0);
        feed(&mut self.0, found, false);
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// What a restore in place would change, to be shown to somebody and then done.
///
/// What is replaced or removed is what it was when the plan was made. Anything else that is met
/// there, because it came or changed meanwhile, stays as it is and is reported as not restored.
pub struct RestorePlan<'a> {
    reader: &'a Reader,
    root: &'a DirRef,
    path: &'a [u8],
    top: &'a Path,
    options: &'a RestoreOptions,
    changes: Changes,
    report: RestoreReport,
}

impl<'a> RestorePlan<'a> {
    /// Looks at everything that [`restore_in_place`](crate::restore_in_place) would do; the observer
    /// is told of each change to something that is there.
    ///
    /// # Errors
    /// As for [`restore_in_place`](crate::restore_in_place).
    pub fn new(
        reader: &'a Reader,
        root: &'a DirRef,
        path: &'a [u8],
        top: &'a Path,
        options: &'a RestoreOptions,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let changes = Changes::default();
        let dry = RestoreOptions { run: Run::Dry, ..options.clone() };
        let agreement = Agreement::Noting(&changes);
        let task = Task { reader, target: top, options: &dry, observer, agreement };
        let report = start_in_place(task, root, path)?;
        Ok(Self { reader, root, path, top, options, changes, report })
    }

    /// What it would do.
    pub fn report(&self) -> &RestoreReport {
        &self.report
    }

    /// Does it.
    ///
    /// # Errors
    /// As for [`restore_in_place`](crate::restore_in_place).
    pub fn execute(self, observer: &dyn Observer) -> Result<RestoreReport> {
        let task = Task {
            reader: self.reader,
            target: self.top,
            options: self.options,
            observer,
            agreement: Agreement::Bound(&self.changes),
        };
        start_in_place(task, self.root, self.path)
    }
}

//! The state that all threads of a restore share: the options, the counts, and the error that ends it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use yore_platform::{AccountNames, RefusedMetadata, TargetDir, name_from_bytes};

use super::refused_metadata::RefusalCounts;
use super::restore_plan::AllowedChanges;
use super::select::Selection;
use super::sources::LinkPolicy;
use super::{RestoreOptions, RestoreReport, Task};
use crate::error::{Deviation, Error, Result};
use crate::operation::observer::{Observer, Problem};
use crate::read::reader::Reader;

/// After so many failed reads in a row the destination counts as unreachable.
const UNANSWERED: u32 = 16;

/// A counter that any thread may use.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) files: Count,
    pub(super) directories: Count,
    pub(super) others: Count,
    pub(super) links: Count,
    pub(super) bytes: Count,
    pub(super) unchanged: Count,
    pub(super) skipped: Count,
    pub(super) deleted: Count,
    pub(super) replaced: Count,
    pub(super) newer: Count,
    pub(super) leftovers: Count,
    pub(super) beside: Count,
    pub(super) salvaged: Count,
    failed: Count,
}

pub(super) struct Context<'a> {
    pub(super) reader: &'a Reader,
    pub(super) options: &'a RestoreOptions,
    pub(super) selection: &'a Selection,
    pub(super) observer: &'a dyn Observer,
    pub(super) counts: Counts,
    /// The users and groups of this machine.
    pub(super) names: AccountNames,
    /// The folder into which is restored; `None` in a dry run where there is none.
    pub(super) root: Option<TargetDir>,
    pub(super) allowed: AllowedChanges<'a>,
    target: &'a Path,
    refused_metadata: RefusalCounts,
    stop: AtomicBool,
    unanswered: AtomicU32,
    /// Guards the error that ends the restore.
    fatal: Mutex<Option<Error>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(task: &Task<'a>, selection: &'a Selection, root: Option<TargetDir>) -> Self {
        Self {
            reader: task.reader,
            options: task.options,
            selection,
            observer: task.observer,
            counts: Counts::default(),
            names: AccountNames::new(),
            root,
            allowed: task.allowed,
            target: task.target,
            refused_metadata: RefusalCounts::default(),
            stop: AtomicBool::new(false),
            unanswered: AtomicU32::new(0),
            fatal: Mutex::default(),
        }
    }

    /// Returns whether a directory is only on the path to what is restored.
    pub(super) fn is_above_content(&self, path: &[u8]) -> bool {
        self.selection.sources.is_above_content(path)
    }

    /// Returns the treatment of links on that path.
    pub(super) fn links(&self) -> LinkPolicy {
        self.selection.sources.path.links
    }

    /// Returns whether all threads should stop.
    pub(super) fn stopped(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return true;
        }
        if self.observer.interrupted() {
            self.end(Error::Interrupted);
        }
        self.stop.load(Ordering::Relaxed)
    }

    fn end(&self, error: Error) {
        let mut fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner);
        fatal.get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns an error about the path `below` in the target.
    pub(super) fn local(&self, below: &[u8], source: io::Error) -> Error {
        Error::local(self.path_of(below), source)
    }

    /// Returns the path of something in the target.
    pub(super) fn path_of(&self, below: &[u8]) -> PathBuf {
        self.target.join(name_from_bytes(below))
    }

    /// Resets the count of failed reads.
    pub(super) fn answered(&self) {
        if self.unanswered.load(Ordering::Relaxed) > 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// Counts and reports something that could not be restored; ends the restore where nothing else could be either.
    pub(super) fn failed(&self, path: Vec<u8>, error: Error) {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match &error {
            Error::Interrupted => return self.end(error),
            Error::Local { source, .. }
                if matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) =>
            {
                return self.end(error);
            }
            Error::Backend { .. }
                if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= UNANSWERED =>
            {
                return self.end(error);
            }
            _ => {}
        }
        self.counts.failed.add(1);
        self.observer.problem(Problem { subject: path, error });
    }

    /// Reports a problem with something that was restored all the same.
    pub(super) fn problem(&self, path: Vec<u8>, error: Error) {
        self.observer.problem(Problem { subject: path, error });
    }

    /// Reports the parts of metadata that could not be restored.
    pub(super) fn refused(&self, refused: Vec<RefusedMetadata>, path: &[u8], below: &[u8]) {
        for one in refused {
            if let Some(error) = self.refused_metadata.take(one) {
                self.problem(path.to_vec(), self.local(below, error));
            }
        }
    }

    /// Returns the report, after all threads have ended.
    pub(super) fn finish(self) -> Result<RestoreReport> {
        if let Some(error) = self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        for pattern in self.selection.unused_patterns() {
            self.counts.failed.add(1);
            let error = Deviation::UnusedPattern.into();
            self.observer.problem(Problem { subject: pattern.into_bytes(), error });
        }
        let refused = self.refused_metadata.count();
        let target = self.target;
        for what in self.refused_metadata.summary() {
            let source = io::Error::new(io::ErrorKind::PermissionDenied, what);
            self.observer.problem(Problem {
                subject: yore_platform::name_bytes(target.as_os_str()).to_vec(),
                error: Error::local(target, source),
            });
        }
        let counts = &self.counts;
        Ok(RestoreReport {
            files: counts.files.get(),
            directories: counts.directories.get(),
            others: counts.others.get(),
            links: counts.links.get(),
            bytes: counts.bytes.get(),
            unchanged: counts.unchanged.get(),
            skipped: counts.skipped.get(),
            deleted: counts.deleted.get(),
            replaced: counts.replaced.get(),
            newer: counts.newer.get(),
            failed: counts.failed.get(),
            leftovers: counts.leftovers.get(),
            beside: counts.beside.get(),
            salvaged: counts.salvaged.get(),
            refused,
        })
    }
}

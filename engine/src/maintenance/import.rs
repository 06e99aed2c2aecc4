//! Import: one snapshot of each dated folder, as other tools keep them.
//!
//! Rotated folders of rsync, a mounted repository of another program and the folders of snapshots that a file system
//! keeps have one thing in common: a folder for each moment, with a time in its name. Each becomes a snapshot of the
//! path that it shows, with that time, so that everything that is done with the past includes it.
//!
//! A snapshot records the folder's machine, path and time as its origin ([`Origin::folder`]). So a second run makes
//! nothing twice, wherever the first one was killed, and nothing that a person has forgotten since.
//!
//! The folders are read in the order of their times, each compared with the one before it: a file that has the same
//! size, times and inode number is read once, however many folders have it.

use std::collections::HashSet;

use yore_platform::Timestamp;

use crate::backup::{
    BackupOptions, BackupReport, DatedSource, EarlierState, EmptySources, backup_dated,
};
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::Origin;
use crate::maintenance::Repeat;
use crate::operation::clock::now;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::path::{TreePath, TreePathBuf};
use crate::repository::Repository;
use crate::snapshots::SnapshotEntry;

mod find;
mod pattern;
#[cfg(test)]
mod tests;

pub use find::{DatedFolder, Dates, Found, find_dated_folders};
pub use pattern::DatePattern;

/// Imports dated folders, the earliest first.
pub struct Importer<'a> {
    repository: &'a Repository,
    path: TreePathBuf,
    options: BackupOptions,
    /// The origins of snapshots that count.
    present: HashSet<Origin>,
    /// The origins of snapshots that were forgotten, unless those are imported again.
    forgotten: HashSet<Origin>,
    /// The snapshots of the path on the machine whose time was given, and when their files were read if this is known.
    earlier: Vec<(Timestamp, EarlierState)>,
}

/// The state of a dated folder in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The repository has no snapshot of it.
    New,
    /// It has one.
    Present,
    /// It had one, which was forgotten.
    Forgotten,
}

impl<'a> Importer<'a> {
    /// Prepares the import of folders that show states of `path`; `options` name the machine.
    ///
    /// # Errors
    /// The snapshots can't be listed, or not all of them can be read: what was imported before would not be known.
    pub fn new(
        repository: &'a Repository,
        path: TreePath<'_>,
        options: BackupOptions,
        repeat: Repeat,
    ) -> Result<Self> {
        let known = repository.snapshots()?;
        if let Some(problem) = known.problems.into_iter().next() {
            return Err(problem);
        }
        let present = known.list.iter().filter_map(|entry| entry.snapshot.origin).collect();
        let forgotten = match repeat {
            Repeat::Never => known.forgotten.iter().filter_map(|one| one.origin).collect(),
            Repeat::Forgotten => HashSet::new(),
        };
        let is_earlier = |entry: &&SnapshotEntry| {
            let snapshot = &entry.snapshot;
            snapshot.time_given
                && snapshot.host == options.writer.host
                && matches!(&*snapshot.sources, [only] if only == path.as_bytes())
        };
        let state = |id: SnapshotId| EarlierState { snapshot: id, read_from: None };
        let earlier = known.list.iter().filter(is_earlier);
        let earlier = earlier.map(|entry| (entry.snapshot.time, state(entry.id))).collect();
        // Each folder is what it is: a state without files was one, too.
        let options = BackupOptions { empty_sources: EmptySources::Accept, ..options };
        Ok(Self { repository, path: path.into(), options, present, forgotten, earlier })
    }

    fn origin(&self, folder: &DatedFolder) -> Origin {
        Origin::folder(
            &self.options.writer.host,
            self.path.as_path().as_bytes(),
            folder.time.seconds,
        )
    }

    /// Returns whether the repository has, or had, a snapshot of a folder.
    pub fn known(&self, folder: &DatedFolder) -> Known {
        let origin = self.origin(folder);
        match (self.present.contains(&origin), self.forgotten.contains(&origin)) {
            (true, _) => Known::Present,
            (false, true) => Known::Forgotten,
            (false, false) => Known::New,
        }
    }

    /// Makes the snapshot of a folder.
    ///
    /// # Errors
    /// Those of a backup; nothing is committed, and the other folders are not concerned.
    pub fn import(
        &mut self,
        folder: &DatedFolder,
        observer: &dyn Observer,
    ) -> Result<BackupReport> {
        let began = now();
        let before = self.earlier.iter().filter(|(time, _)| *time < folder.time);
        let source = DatedSource {
            folder: &folder.folder,
            path: self.path.as_path(),
            origin: self.origin(folder),
            earlier: before.max_by_key(|(time, _)| *time).map(|(_, state)| *state),
        };
        let (time, utc_offset) = (Some(folder.time), folder.utc_offset);
        let options = BackupOptions { time, utc_offset, ..self.options.clone() };
        let report = backup_dated(self.repository, &source, &options, observer)?;
        if let (Some(snapshot), Run::Real) = (report.snapshot, options.run) {
            self.present.insert(source.origin);
            let read_from = Some(began);
            self.earlier.push((folder.time, EarlierState { snapshot, read_from }));
        }
        if let Some(client) = report.new_client {
            self.options.writer.client = client;
        }
        Ok(report)
    }
}

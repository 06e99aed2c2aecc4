//! Backing up a folder that shows an earlier state of another path: a snapshot of the past.

use std::path::Path;

use yore_platform::{SourceDir, Timestamp};

use crate::backup::source::Places;
use crate::backup::{BackupOptions, BackupReport, back_up_paths};
use crate::error::{Error, Refusal, Result};
use crate::format::id::SnapshotId;
use crate::format::record::Origin;
use crate::operation::observer::Observer;
use crate::path::TreePath;
use crate::repository::Repository;

/// A folder that shows an earlier state of a path.
pub(crate) struct DatedSource<'a> {
    /// The folder, by an absolute path.
    pub(crate) folder: &'a Path,
    /// The path whose state it shows, and that it gets in the snapshot.
    pub(crate) path: TreePath<'a>,
    /// The origin that the snapshot records.
    pub(crate) origin: Origin,
    /// The snapshot with which it is compared.
    pub(crate) earlier: Option<EarlierState>,
}

/// A snapshot with which a folder is compared: what is unchanged since is not read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EarlierState {
    /// The snapshot.
    pub(crate) snapshot: SnapshotId,
    /// The time at or after which its files were read, if that is known; otherwise its own time counts.
    pub(crate) read_from: Option<Timestamp>,
}

impl DatedSource<'_> {
    fn places(&self) -> Places {
        Places::elsewhere(self.path.into(), self.folder.to_owned())
    }
}

/// Makes a snapshot of a folder that shows an earlier state, at the time that `options` give.
///
/// # Errors
/// Those of [`backup`](crate::backup::backup()); before anything is written, a folder that can't be listed.
pub(crate) fn backup_dated(
    repository: &Repository,
    source: &DatedSource<'_>,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let folder = source.folder;
    if !folder.is_absolute() {
        return Err(Refusal::RelativePath { path: folder.to_owned() }.into());
    }
    // Nothing of it would be saved, and the snapshot would be that of the state before.
    let listed = SourceDir::open(folder).and_then(|dir| dir.list_fresh());
    listed.map_err(|error| Error::local(folder, error))?;
    let path = source.path.as_bytes().to_vec();
    back_up_paths(repository, vec![path], &source.places(), Some(source), options, observer)
}

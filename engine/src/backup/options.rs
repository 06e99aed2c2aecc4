//! The options of a backup, and its report.

use std::path::PathBuf;

use yore_platform::Timestamp;

use super::left_out::{EmptiedFolder, LeftOut};
use super::read::selection::Selection;
use super::walk::ChangedPaths;
use crate::format::id::SnapshotId;
use crate::format::record::Exclusion;
use crate::format::record::{ClientId, Totals};
use crate::globs::Rule;
use crate::operation::run::Run;
use crate::repository::session::Writer;
use crate::repository::{Behind, RolledBack};
use crate::snapshots::order::SnapshotEntry;
use crate::snapshots::suspicion::Change;

/// The files and folders that a backup leaves out.
#[derive(Debug, Clone, Default)]
pub struct Excludes {
    /// Patterns as in `.gitignore`; a later one outweighs an earlier one.
    pub rules: Vec<Rule>,
    /// Leave directories empty that are marked as caches (`CACHEDIR.TAG`).
    pub caches: bool,
    /// Directories that hold a file of one of these names are left empty, but for that file.
    pub if_present: Vec<Vec<u8>>,
    /// Files of more bytes are left out.
    pub larger_than: Option<u64>,
}

/// The attributes, besides size and modification time, by which a file is known to be unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnchangedBy {
    /// The time of its last change, of metadata too.
    pub change_time: ChangeTime,
    /// Its inode number.
    pub inode: InodeNumbers,
}

/// The use of the time of the last change, of content or metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeTime {
    /// It must be the same.
    #[default]
    Compared,
    /// It may be another, as in a copy of a source.
    Ignored,
}

/// The use of inode numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InodeNumbers {
    /// They must be the same on file systems that keep them.
    #[default]
    WhereKept,
    /// They must be the same.
    Compared,
    /// They may be others.
    Ignored,
}

/// The treatment of a source that had files and is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptySources {
    /// Its last state is kept, and the report names it.
    #[default]
    KeepLast,
    /// It is saved as it is.
    Accept,
}

/// The treatment of files that look unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// They are not read.
    #[default]
    Changed,
    /// Every file is read.
    Everything,
}

/// The treatment of other file systems below a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileSystems {
    /// All of them.
    #[default]
    All,
    /// Only the one on which the source is.
    One,
}

/// The options of a backup.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// The files and folders that are left out.
    pub excludes: Excludes,
    /// The treatment of files that look unchanged.
    pub reading: Reading,
    /// The attributes by which a file is known to be unchanged.
    pub unchanged_by: UnchangedBy,
    /// The treatment of other file systems.
    pub file_systems: FileSystems,
    /// The treatment of a source that had files and is empty.
    pub empty_sources: EmptySources,
    /// Folders that are the program's own, and are not entered by whatever name.
    pub own_folders: Vec<PathBuf>,
    /// The paths that may differ from the previous snapshot, where they are known: nothing else is looked at.
    pub changed: Option<ChangedPaths>,
    /// The files whose new content is read, where not all are: the snapshot is a part of a backup then.
    pub only: Option<Selection>,
    /// A real or a dry run.
    pub run: Run,
    /// Words by which the snapshot can be found.
    pub tags: Vec<String>,
    /// The time that the snapshot gets instead of now.
    pub time: Option<Timestamp>,
    /// The offset from UTC, in seconds.
    pub utc_offset: i64,
    /// The machine, the user and the program that make the snapshot.
    pub writer: Writer,
}

/// The outcome of a backup.
#[derive(Debug)]
pub struct BackupReport {
    /// The snapshot; `None` after a dry run, and after a part of a backup that found nothing to save.
    pub snapshot: Option<SnapshotId>,
    /// The totals. `unreadable` above 0 means that something is missing; each was reported to the observer.
    pub totals: Totals,
    /// Files of the previous snapshot that were deleted.
    pub removed_files: u64,
    /// Files that changed each time they were read: the saved content may never have existed at one moment.
    pub changed_while_read: u64,
    /// The files and folders that were left out on purpose.
    pub left_out: LeftOut,
    /// Folders that had files and are empty, of which the last state was kept.
    pub emptied: Vec<EmptiedFolder>,
    /// A snapshot that claims to be later than this machine's clock, and is the newest of its client: one of
    /// the clocks is wrong.
    pub ahead: Option<SnapshotEntry>,
    /// The id under which the snapshot was made instead of the writer's, which another system uses, too; the
    /// writer is to keep it.
    pub new_client: Option<ClientId>,
    /// The destinations that do not have the snapshot; at least one has it.
    pub behind: Vec<Behind>,
    /// The change since the snapshot before, if it is suspicious.
    pub suspicion: Option<Change>,
    /// The snapshots that destinations had and have no more, although nobody forgot them.
    pub rolled_back: Vec<RolledBack>,
}

impl BackupOptions {
    /// Returns the rules by which the backup leaves something out on purpose, as its snapshot records them.
    pub(super) fn exclusions(&self) -> Vec<Exclusion> {
        let Excludes { rules, caches, if_present, larger_than } = &self.excludes;
        let patterns = rules.iter().flat_map(|rule| rule.patterns.iter().cloned());
        let mut exclusions: Vec<Exclusion> = patterns.map(Exclusion::Pattern).collect();
        exclusions.extend(if_present.iter().cloned().map(Exclusion::IfPresent));
        exclusions.extend(larger_than.map(Exclusion::LargerThan));
        exclusions
            .extend((self.file_systems == FileSystems::One).then_some(Exclusion::OtherFileSystems));
        exclusions.extend(caches.then_some(Exclusion::Caches));
        exclusions
    }
}

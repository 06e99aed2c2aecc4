//! What a backup is told, and what it reports.

use std::path::PathBuf;

use yore_platform::Timestamp;

use super::left_out::LeftOut;
use super::walk::EmptiedFolder;
use crate::format::id::SnapshotId;
use crate::format::record::{ClientId, Totals};
use crate::globs::Rule;
use crate::repository::session::Writer;
use crate::run::Run;
use crate::snapshots::order::SnapshotEntry;

/// What is left out of a backup.
#[derive(Debug, Clone, Default)]
pub struct Excludes {
    /// Patterns as in `.gitignore`; a later one outweighs an earlier one.
    pub rules: Vec<Rule>,
    /// Whether directories that say that they are caches (`CACHEDIR.TAG`) are left empty.
    pub caches: bool,
    /// Directories that hold a file of one of these names are left empty, but for that file.
    pub if_present: Vec<Vec<u8>>,
    /// Files of more bytes are left out.
    pub larger_than: Option<u64>,
}

/// By what, besides its size and the time of its content, a file is known to be unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnchangedBy {
    /// The time of its last change, of metadata too.
    pub change_time: ChangeTime,
    /// Its number.
    pub inode: InodeNumbers,
}

/// Whether files are known by the time of their last change, of metadata too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangeTime {
    /// It must be the same.
    #[default]
    Compared,
    /// It may be another, as in a copy of a source.
    Ignored,
}

/// Whether files are known by their inode numbers.
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

/// What becomes of a source that had files and comes up empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptySources {
    /// Its last state is kept, and the report names it.
    #[default]
    KeepLast,
    /// It is saved as it is.
    Accept,
}

/// Whether files that look unchanged are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Only what is new or looks changed.
    #[default]
    Changed,
    /// Everything.
    Everything,
}

/// Whether other file systems below a source are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileSystems {
    /// All of them.
    #[default]
    All,
    /// Only the one on which the source is.
    One,
}

/// How a backup is made.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// What is left out.
    pub excludes: Excludes,
    /// What is read.
    pub reading: Reading,
    /// By what a file is known to be unchanged.
    pub unchanged_by: UnchangedBy,
    /// Where the walk ends.
    pub file_systems: FileSystems,
    /// What becomes of a source that comes up empty.
    pub empty_sources: EmptySources,
    /// Folders that are the program's own, and are not entered by whatever name.
    pub own_folders: Vec<PathBuf>,
    /// Whether anything is written.
    pub run: Run,
    /// Words by which the snapshot can be found.
    pub tags: Vec<String>,
    /// The time that the snapshot gets instead of now.
    pub time: Option<Timestamp>,
    /// The offset from UTC, in seconds.
    pub utc_offset: i64,
    /// Who makes it.
    pub writer: Writer,
}

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The snapshot; `None` after a dry run.
    pub snapshot: Option<SnapshotId>,
    /// What was seen and stored. `unreadable` above 0 means that something is missing; each was
    /// told to the observer.
    pub totals: Totals,
    /// Files that the snapshot before has and that are there no more.
    pub removed_files: u64,
    /// Files that changed each time they were read: what is saved of them may never have been there at one moment.
    pub changed_while_read: u64,
    /// What was left out on purpose.
    pub left_out: LeftOut,
    /// Folders that had files and came up empty, of which the last state was kept.
    pub emptied: Vec<EmptiedFolder>,
    /// A snapshot that claims to be later than this machine's clock, and is the newest of its client: one of
    /// the clocks is wrong.
    pub ahead: Option<SnapshotEntry>,
    /// The id under which the snapshot was made instead of the writer's, which another system uses, too; the
    /// writer is to keep it.
    pub new_client: Option<ClientId>,
}

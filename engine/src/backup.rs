//! Backup: reading the sources once and making a snapshot of them.

use yore_platform::Timestamp;

use crate::id::SnapshotId;
use crate::record::Totals;
use crate::session::Writer;

/// What is left out of a backup.
#[derive(Debug, Clone, Default)]
pub struct Excludes {
    /// Patterns as in `.gitignore`, against absolute paths.
    pub patterns: Vec<String>,
    /// Whether directories that say that they are caches (`CACHEDIR.TAG`) are left empty.
    pub caches: bool,
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

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// A snapshot is made.
    #[default]
    Real,
    /// Everything is read and counted, and nothing written.
    Dry,
}

/// How a backup is made.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// What is left out.
    pub excludes: Excludes,
    /// What is read.
    pub reading: Reading,
    /// Where the walk ends.
    pub file_systems: FileSystems,
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
}

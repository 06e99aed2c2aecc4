//! Observers, which receive progress and the errors that do not end an operation.

use crate::error::Error;

/// The progress of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The expected total, as far as it is known.
    Expected {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// An amount that was completed since the last such event.
    Done {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// The unit of the following counts, which begin at 0.
    Counting(Unit),
    /// The fate of a file, or of another node that is not a folder; sent if [`Observer::wants_files`].
    File {
        /// The path in the snapshot.
        path: Vec<u8>,
        /// Its fate.
        fate: Fate,
    },
    /// The path or object in progress, for display.
    At(String),
    /// A change that a dry run does not make.
    Planned {
        /// The path in the snapshot.
        path: Vec<u8>,
        /// The change.
        change: Planned,
    },
}

/// The unit of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Files.
    #[default]
    Files,
    /// Packs of the repository.
    Packs,
    /// Snapshots.
    Snapshots,
}

/// The fate of a file in a backup or restore, or in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Saved; not in the previous snapshot.
    New,
    /// Saved; different in the previous snapshot.
    Changed,
    /// Equal to the previous snapshot, or to the existing file.
    Unchanged,
    /// Written.
    Restored,
    /// Not restored: something of its name exists and is kept.
    Kept,
    /// Removed; not in the snapshot.
    Removed,
}

/// A change to an existing file that a dry run reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// The file would be replaced.
    Replace,
    /// The file would be replaced by an older one.
    ReplaceNewer,
    /// The file would be removed.
    Remove,
}

/// An error that does not end the operation.
#[derive(Debug)]
pub struct Problem {
    /// The path or object that it concerns; the bytes of a path need not be UTF-8.
    pub subject: Vec<u8>,
    /// The error.
    pub error: Error,
}

/// Receives progress and problems from any thread, and may interrupt the operation.
pub trait Observer: Sync {
    /// Receives progress.
    fn event(&self, event: Event);

    /// Receives a problem; the operation counts it and continues.
    fn problem(&self, problem: Problem);

    /// Returns true if the operation should stop as soon as possible.
    fn interrupted(&self) -> bool;

    /// Returns true if the observer uses [`Event::File`], whose paths take time to build.
    fn wants_files(&self) -> bool {
        false
    }
}

/// An observer that ignores everything.
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}

    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        false
    }
}

//! Observers: they get progress, and errors that do not end an operation.

use crate::error::Error;

/// The progress of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many files and bytes are expected in all, as far as is known.
    Expected {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// So many more are done.
    Done {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// From now on these are counted, from 0.
    Counting(Unit),
    /// The fate of a file, or of anything else that is not a folder; only for observers that want files.
    File {
        /// The path in the snapshot.
        path: Vec<u8>,
        /// Its fate.
        fate: Fate,
    },
    /// This is being worked on; a path for people.
    At(String),
    /// In a dry run: something that is there would change.
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
    /// Saved, and not in the previous snapshot.
    New,
    /// Saved, and otherwise in the previous snapshot.
    Changed,
    /// Equal to the previous snapshot, or to the existing file.
    Unchanged,
    /// Written.
    Restored,
    /// Not restored: something has its name, and stays.
    Kept,
    /// Removed, since the snapshot does not have it.
    Removed,
}

/// A change of a dry run to something that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It would be replaced.
    Replace,
    /// It would be replaced, and is newer than what replaces it.
    ReplaceNewer,
    /// It would be removed.
    Remove,
}

/// An error that does not end the operation.
#[derive(Debug)]
pub struct Problem {
    /// The path or object that it concerns; bytes of a path are shown as well as they can be.
    pub subject: Vec<u8>,
    /// The error.
    pub error: Error,
}

/// Gets progress and problems, from any thread, and may interrupt the operation.
pub trait Observer: Sync {
    /// Takes progress.
    fn event(&self, event: Event);

    /// Takes a problem; the operation goes on and counts it.
    fn problem(&self, problem: Problem);

    /// Returns whether the operation should stop as soon as it can.
    fn interrupted(&self) -> bool;

    /// Returns whether it wants [`Event::File`], whose paths cost time to put together.
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
